use super::*;
use crate::{
    geo::{Fence, FenceSet, Shape, Validity},
    model::{Reader, Writer},
    plan::FirstPosition,
};
use proptest::prelude::*;
use std::sync::Arc;

/// Squares of a tenth of a degree, their western edges at these longitudes: `a` 0.1, `b` 0.15, `c` 0.4, `d` 0.6, which is there from 100 s on.
fn world() -> World {
    let square = |(id, west, from_ms): (&str, f64, i64)| {
        let ring = [[west, 0.0], [west + 0.1, 0.0], [west + 0.1, 0.1], [west, 0.1], [west, 0.0]];
        Fence {
            id: id.to_owned(),
            properties: vec![],
            shape: Shape::polygon(&[ring]).unwrap(),
            valid: Validity { from_ms, ..Validity::ALWAYS },
        }
    };
    let squares = [("a", 0.1, i64::MIN), ("b", 0.15, i64::MIN), ("c", 0.4, i64::MIN), ("d", 0.6, 100_000)];
    World::new(vec![("squares".to_owned(), Arc::new(FenceSet::new(squares.map(square).into()).unwrap()))])
}

fn at(lon: f64, lat: f64) -> Position {
    Position::new(lon, lat).unwrap()
}

fn plan() -> plan::Through {
    let interpolate = Some(Interpolate { max_gap_ms: Some(60_000) });
    plan::Through { set: 0, first: FirstPosition::Enters, buffer_m: 0.0, at_least: 1, interpolate }
}

fn take(
    program: &Program,
    state: &mut KeyState,
    world: &World,
    now_ms: TimeMs,
    position: Position,
    emit: &mut dyn FnMut(&[Value]),
) {
    let mut now_in = Vec::new();
    world.locate_into(0, position, now_ms, &mut now_in);
    program.step_way(program.interpolate().unwrap(), state, world, now_ms, (position, &now_in), emit);
}

/// What is said at each position: `+a 20` entered at 20 s, `-a 40 20` exited after 20 s, `a 5` inside for 5 s; `?` for a time that isn't known.
fn says(plan: plan::Through, track: &[(i64, f64, f64)]) -> Vec<String> {
    let (world, program, mut state) = (world(), Program::new(&plan), KeyState::default());
    let mut said = Vec::new();
    for &(second, lon, lat) in track {
        let mut here = Vec::new();
        take(&program, &mut state, &world, second * 1_000, at(lon, lat), &mut |added| {
            let [Value::Text(passage), Value::Fence(fence), dwell, ..] = added else { panic!("{added:?}") };
            let name = char::from(b'a' + fence.fence.0 as u8);
            let crossed_at = match added.get(usize::from(plan::Through::CROSSED_AT)) {
                Some(Value::Time(at_ms)) => (at_ms / 1_000).to_string(),
                _ => "?".to_owned(),
            };
            let dwell = if let Value::Duration(ms) = dwell { (ms / 1_000).to_string() } else { String::new() };
            here.push(match passage.as_str() {
                "entered" => format!("+{name} {crossed_at}"),
                "exited" => format!("-{name} {crossed_at} {dwell}"),
                _ => format!("{name} {dwell}"),
            });
            if let Some(Value::Point(place)) = added.get(usize::from(plan::Through::CROSSED_AT) + 1) {
                assert!((0.0..=0.1 + 1e-9).contains(&place.lat()), "{place:?}");
            }
        });
        said.push(here.join(", "));
        let mut writer = Writer::new();
        state.save(&mut writer);
        state = KeyState::load(&mut Reader::new(&writer.into_bytes())).unwrap();
    }
    said
}

#[test]
fn fences_between_two_positions_are_entered_and_exited_on_the_way() {
    let track = [(0, 0.0, 0.05), (45, 0.45, 0.05)];
    assert_eq!(says(plan(), &track), ["", "+a 10, +b 15, -a 20 10, -b 25 10, +c 40"]);
    let track = [(0, 0.12, 0.05), (10, 0.22, 0.05), (20, 0.22, 0.05), (30, 0.05, 0.2)];
    assert_eq!(says(plan(), &track), ["+a ?", "+b 3, -a 8 8", "b 17", "+a 21, -a 23 2, -b 23 20"]);
}

#[test]
fn after_a_gap_only_positions_count() {
    assert_eq!(says(plan(), &[(0, 0.0, 0.05), (61, 0.45, 0.05), (130, 1.0, 0.05)]), ["", "+c ?", "-c ? 69"]);
    let always = plan::Through { interpolate: Some(Interpolate::default()), ..plan() };
    let said = says(always, &[(0, 0.0, 0.05), (100_000, 0.3, 0.05)]);
    assert_eq!(said, ["", "+a 33333, +b 50000, -a 66666 33333, -b 83333 33333"]);
}

#[test]
fn a_fence_that_comes_meanwhile_is_entered_at_no_known_time() {
    let track = [(70, 0.65, 0.05), (110, 0.66, 0.05), (120, 0.75, 0.05)];
    assert_eq!(says(plan(), &track), ["", "+d ?", "-d 114 4"]);
    assert_eq!(says(plan(), &[(70, 0.65, 0.05), (110, 0.75, 0.05)]), ["", ""], "it was never seen in it");
}

#[test]
fn a_first_position_inside_may_be_no_entry() {
    let ignored = plan::Through { first: FirstPosition::Ignored, ..plan() };
    assert_eq!(says(ignored, &[(0, 0.45, 0.05), (10, 0.55, 0.05), (20, 0.45, 0.05)]), ["c 0", "-c 5 5", "+c 15"]);
}

proptest! {
    #[test]
    fn passages_alternate_and_after_each_position_an_entity_is_in_the_fences_that_hold_it(
        track in prop::collection::vec((0i64..80, 0.0..0.8f64, -0.05..0.15f64), 1..40), ignored in any::<bool>(),
    ) {
        let first = if ignored { FirstPosition::Ignored } else { FirstPosition::Enters };
        let (world, program) = (world(), Program::new(&plan::Through { first, ..plan() }));
        let (mut state, mut now_ms) = (KeyState::default(), 0);
        let mut inside = [false; 4];
        for (step, (wait, lon, lat)) in track.into_iter().enumerate() {
            let before_ms = now_ms;
            now_ms += wait * 1_000;
            let mut last_ms = i64::MIN;
            let mut wrong = Vec::new();
            take(&program, &mut state, &world, now_ms, at(lon, lat), &mut |added| {
                let [Value::Text(passage), Value::Fence(fence), dwell, ..] = added else { panic!("{added:?}") };
                let was = &mut inside[fence.fence.0 as usize];
                let fits = match passage.as_str() {
                    "entered" => !std::mem::replace(was, true) && dwell.is_null(),
                    "exited" => std::mem::replace(was, false),
                    _ => std::mem::replace(was, true) || (ignored && step == 0),
                };
                let in_order = match added.get(usize::from(plan::Through::CROSSED_AT)) {
                    Some(Value::Time(at_ms)) => {
                        let fits = last_ms <= *at_ms && before_ms <= *at_ms && *at_ms <= now_ms;
                        last_ms = *at_ms;
                        fits
                    }
                    _ => true,
                };
                if !(fits && in_order) {
                    wrong.push(added.to_vec());
                }
            });
            prop_assert!(wrong.is_empty(), "{:?}", wrong);
            let held = world.locate(0, at(lon, lat), now_ms);
            let held: Vec<bool> = (0..4).map(|fence| held.as_slice().contains(&fence)).collect();
            prop_assert_eq!(&held[..], &inside[..]);
            let (stays, held) = (state.inside().count(), held.iter().filter(|held| **held).count());
            prop_assert_eq!(stays, held);
        }
    }
}
