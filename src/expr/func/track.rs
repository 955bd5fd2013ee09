//! What each event of an entity makes of what the one before knew: how long it has been in which fence, where it came to rest, and whether its
//! position can be believed. The checker wires them to the previous event (`check/memory.rs`); rules have other names for them.

use super::{Function, Returns};
use crate::{
    geo::{FenceIx, Position, geodesic_m},
    model::{FenceRef, TimeMs, Type, Unit, Value},
};
use std::sync::Arc;

/// So many positions in a row that agree with one another are believed, however far they are from what was before.
const AGREEING: i64 = 3;

const fn hidden(name: &'static str, returns: Type, eval: fn(&[Value]) -> Value) -> Function {
    Function {
        name,
        params: &[],
        optional: 0,
        variadic: false,
        returns: Returns::Is(returns),
        doc: "",
        example: ("", ""),
        eval,
    }
}

/// The fences that an entity is in, each followed by the time of its entry: of those before, the fences around the position, and the time. Without a
/// position it is where it was.
pub static STAYS: Function = hidden("stays", Type::List, |args| match args {
    [before, Value::Fences(fences), Value::Time(now_ms)] => {
        let known = stays(before);
        let entry =
            |fence: FenceRef| known.iter().find(|(stay, _)| *stay == fence).map_or(*now_ms, |(_, at_ms)| *at_ms);
        let fences = fences.as_slice().iter().map(|&ix| FenceRef { set: fences.set(), fence: FenceIx(ix) });
        let pairs: Vec<Value> = fences.flat_map(|fence| [Value::Fence(fence), Value::Time(entry(fence))]).collect();
        match before {
            Value::List(list) if **list == pairs => before.clone(),
            _ => Value::List(Arc::new(pairs)),
        }
    }
    [before, ..] => before.clone(),
    _ => Value::Null,
});

/// How long an entity has been in a fence (of several, the longest), of its stays and the time; null in none.
pub static DWELL: Function = hidden("dwell", Type::Duration, |args| {
    let since_ms = match args {
        [before, Value::Time(_)] => stays(before).iter().map(|(_, at_ms)| *at_ms).min(),
        [before, Value::Time(_), Value::Fence(fence)] => {
            stays(before).iter().find(|(stay, _)| stay == fence).map(|(_, at_ms)| *at_ms)
        }
        _ => None,
    };
    since(since_ms, args.get(1))
});

/// Where an entity came to rest and since when: of what was before, the position, the time, and how many metres it may stray. Farther away it
/// comes to rest anew.
pub static REST: Function = hidden("rest", Type::List, |args| {
    let [before, Value::Point(position), Value::Time(now_ms), radius] = args else {
        return args.first().cloned().unwrap_or_default();
    };
    let radius_m = radius.number().unwrap_or(0.0);
    match seen(before, 0) {
        Some((place, _)) if geodesic_m(place, *position) <= radius_m => before.clone(),
        _ => Value::List(Arc::new(vec![Value::Point(*position), Value::Time(*now_ms)])),
    }
});

/// For how long an entity has been at rest, of its rest and the time.
pub static RESTED: Function = hidden("rested", Type::Duration, |args| {
    since(args.first().and_then(|rest| seen(rest, 0)).map(|(_, at_ms)| at_ms), args.get(1))
});

/// The last position that is believed and its time; of a position that isn't, also that, its time, and how many in a row agree with
/// it. Of what was before, the position, the time, and the greatest speed in metres per second.
pub static BELIEVED: Function = hidden("believed", Type::List, |args| {
    let [before, Value::Point(position), Value::Time(now_ms), limit] = args else {
        return args.first().cloned().unwrap_or_default();
    };
    let limit = limit.number().unwrap_or(f64::INFINITY);
    let within = |(place, at_ms): (Position, TimeMs)| {
        let seconds = now_ms.saturating_sub(at_ms).max(0) as f64 / 1e3;
        geodesic_m(place, *position) <= limit * seconds
    };
    let here = [Value::Point(*position), Value::Time(*now_ms)];
    let Some(last) = seen(before, 0).filter(|&last| !within(last)) else { return Value::List(Arc::new(here.to_vec())) };
    let agreeing = match (before, seen(before, 2).is_some_and(within)) {
        (Value::List(list), true) => list.get(4).and_then(Value::number).unwrap_or(1.0) as i64 + 1,
        _ => 1,
    };
    if agreeing >= AGREEING {
        return Value::List(Arc::new(here.to_vec()));
    }
    let [place, at] = here;
    Value::List(Arc::new(vec![Value::Point(last.0), Value::Time(last.1), place, at, Value::Int(agreeing)]))
});

/// Whether a position isn't believed, of what is, and the position.
pub static TELEPORTED: Function = hidden("teleported", Type::Bool, |args| match args {
    [Value::List(believed), Value::Point(_)] => Value::Bool(believed.len() > 2),
    _ => Value::Null,
});

/// The greatest speed is in metres per second.
pub const SPEED: Type = Type::Quantity(Unit::MetrePerSecond);

fn since(from_ms: Option<TimeMs>, now: Option<&Value>) -> Value {
    match (from_ms, now) {
        (Some(from_ms), Some(Value::Time(now_ms))) => Value::Duration(now_ms.saturating_sub(from_ms).max(0)),
        _ => Value::Null,
    }
}

/// A position and its time, at a place of a list.
fn seen(list: &Value, at: usize) -> Option<(Position, TimeMs)> {
    let Value::List(list) = list else { return None };
    match (list.get(at)?, list.get(at + 1)?) {
        (Value::Point(place), Value::Time(at_ms)) => Some((*place, *at_ms)),
        _ => None,
    }
}

/// Fences with the times of entry. One that is gone since is null.
fn stays(list: &Value) -> Vec<(FenceRef, TimeMs)> {
    let Value::List(list) = list else { return Vec::new() };
    let pair = |pair: &[Value]| match pair {
        [Value::Fence(fence), Value::Time(at_ms)] => Some((*fence, *at_ms)),
        _ => None,
    };
    list.chunks_exact(2).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{geo::destination, model::Fences};
    use proptest::prelude::*;

    fn at(metres: f64) -> Position {
        destination(Position::new(4.0, 52.0).unwrap(), 90.0, metres)
    }

    #[test]
    fn a_stay_begins_with_the_entry_and_ends_with_the_exit() {
        let fences = |of: &[u32]| Value::Fences(Fences::new(0, &of.iter().copied().map(FenceIx).collect::<Vec<_>>()));
        let fence = |ix: u32| Value::Fence(FenceRef { set: 0, fence: FenceIx(ix) });
        let mut stays = Value::Null;
        let dwell = |stays: &Value, now_ms| (DWELL.eval)(&[stays.clone(), Value::Time(now_ms)]);
        for (now_ms, of, longest, of_two) in [
            (10, fences(&[1]), Value::Duration(0), Value::Null),
            (20, fences(&[1, 2]), Value::Duration(10), Value::Duration(0)),
            (30, Value::Null, Value::Duration(20), Value::Duration(10)),
            (40, fences(&[2, 3]), Value::Duration(20), Value::Duration(20)),
            (50, fences(&[]), Value::Null, Value::Null),
        ] {
            stays = (STAYS.eval)(&[stays, of, Value::Time(now_ms)]);
            assert_eq!(dwell(&stays, now_ms), longest, "at {now_ms}");
            assert_eq!((DWELL.eval)(&[stays.clone(), Value::Time(now_ms), fence(2)]), of_two, "at {now_ms}");
        }
    }

    #[test]
    fn who_strays_too_far_comes_to_rest_anew() {
        let mut rest = Value::Null;
        for (now_s, metres, rested_s) in [(0, 0.0, 0), (10, 25.0, 10), (20, 29.0, 20), (30, 31.0, 0), (40, 5.0, 10)] {
            let now = Value::Time(now_s * 1_000);
            rest = (REST.eval)(&[rest, Value::Point(at(metres)), now.clone(), Value::Float(30.0)]);
            assert_eq!((RESTED.eval)(&[rest.clone(), now]), Value::Duration(rested_s * 1_000), "at {now_s}");
        }
    }

    /// Which of these positions (second, metres) are not believed, at 50 m/s.
    fn unbelieved(track: &[(i64, f64)]) -> Vec<usize> {
        let mut state = Value::Null;
        let mut found = Vec::new();
        for (ix, &(second, metres)) in track.iter().enumerate() {
            let position = Value::Point(at(metres));
            state = (BELIEVED.eval)(&[state, position.clone(), Value::Time(second * 1_000), Value::Float(50.0)]);
            if (TELEPORTED.eval)(&[state.clone(), position]) == Value::Bool(true) {
                found.push(ix);
            }
        }
        found
    }

    #[test]
    fn a_jump_is_not_believed_and_what_follows_is_judged_by_what_was_before_it() {
        assert_eq!(unbelieved(&[(0, 0.0), (10, 400.0), (20, 90_000.0), (30, 1_200.0), (40, 1_600.0)]), [2]);
        assert_eq!(unbelieved(&[(0, 0.0), (10, 9e4), (20, 2e5), (30, 9e4), (40, 400.0)]), [1, 2, 3]);
        // Three in a row that agree are where it is.
        assert_eq!(unbelieved(&[(0, 0.0), (10, 9e4), (20, 90_100.0), (30, 90_200.0), (40, 90_300.0)]), [1, 2]);
        assert_eq!(unbelieved(&[(0, 0.0), (0, 0.0), (0, 1.0)]), [2], "no time, no way");
        assert!(unbelieved(&[(0, 0.0), (4_000, 90_000.0)]).is_empty(), "there was time enough");
    }

    proptest! {
        #[test]
        fn without_the_jumps_every_step_is_possible(track in prop::collection::vec((0i64..60, -1e4..1e4f64), 1..60)) {
            let mut second = 0;
            let track: Vec<(i64, f64)> = track.into_iter().map(|(wait, metres)| {
                second += wait;
                (second, metres)
            }).collect();
            let jumps = unbelieved(&track);
            let kept: Vec<usize> = (0..track.len()).filter(|ix| !jumps.contains(ix)).collect();
            for pair in kept.windows(2) {
                let (a, b) = (track[pair[0]], track[pair[1]]);
                let possible = geodesic_m(at(a.1), at(b.1)) <= 50.0 * (b.0 - a.0) as f64;
                // Else it is the third in a row that agree.
                prop_assert!(possible || pair[1] - pair[0] >= AGREEING as usize);
            }
        }
    }
}
