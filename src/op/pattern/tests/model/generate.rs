//! Random patterns and events, small enough that every case can be looked at in full.

use super::{
    case::{Case, Piece, What},
    condition::{Condition, Event, Look},
};
use crate::plan::{Connect, Loop, Skip};
use proptest::prelude::*;

fn connect() -> impl Strategy<Value = Connect> {
    prop_oneof![3 => Just(Connect::Relaxed), 1 => Just(Connect::Strict), 1 => Just(Connect::Any)]
}

/// Conditions of which several hold for one event, mostly of the event alone.
fn condition() -> impl Strategy<Value = Condition> {
    let kinds = prop::sample::select(&["a", "b", "c", "ab", "bc", "abc", "d", "abcd"][..]);
    let look = prop_oneof![
        8 => Just(Look::Nothing),
        1 => (0..6u16).prop_map(Look::Above),
        1 => (0..6u16).prop_map(Look::NotBelowFirst),
        1 => (0..6u16, 1..3i64).prop_map(|(var, most)| Look::Fewer(var, most)),
    ];
    (kinds, look).prop_map(|(kinds, look)| Condition { kinds, look })
}

/// An element that occurs once.
fn single() -> Piece {
    Piece {
        connect: Connect::Relaxed,
        what: What::Var(0),
        min: 1,
        max: Some(1),
        inner: Connect::Relaxed,
        mode: Loop::Greedy,
        until: None,
        loop_within: None,
        of_previous: None,
    }
}

/// How often: exactly once half of the time.
fn repeated() -> impl Strategy<Value = Piece> {
    let mode = prop_oneof![2 => Just(Loop::Greedy), 1 => Just(Loop::Reluctant), 2 => Just(Loop::Each)];
    let until = prop::option::weighted(0.15, condition());
    let bound = prop::option::weighted(0.1, 1..6i64);
    let step = prop::option::weighted(0.08, 1..6i64);
    (connect(), (0..3u32, prop::option::of(0..3u32), connect(), mode, until, bound), step, any::<bool>()).prop_map(
        |(connect, (min, more, inner, mode, until, loop_within), of_previous, once)| {
            let piece = Piece { connect, of_previous, ..single() };
            match once {
                true => piece,
                false => {
                    let max = more.map(|more| (min + more).max(1));
                    let until = until.filter(|_| max.is_none());
                    Piece { min, max, inner, mode, until, loop_within, ..piece }
                }
            }
        },
    )
}

/// Elements whose variables are numbered afterwards.
fn pieces(depth: u32, longest: usize) -> BoxedStrategy<Vec<Piece>> {
    let what = match depth {
        0 => Just(What::Var(0)).boxed(),
        _ => {
            let ways = prop::collection::vec(pieces(depth - 1, 2), 2..3);
            prop_oneof![
                5 => Just(What::Var(0)),
                2 => pieces(depth - 1, 2).prop_map(What::Sequence),
                1 => ways.clone().prop_map(What::Either),
                1 => ways.prop_map(What::All),
            ]
            .boxed()
        }
    };
    let piece = (repeated(), what).prop_map(|(piece, what)| {
        // The model has no reluctant loops of groups.
        let group = matches!(what, What::Sequence(_) | What::All(_)) && piece.mode == Loop::Reluctant;
        let mode = if group { Loop::Greedy } else { piece.mode };
        let of_previous = piece.of_previous.filter(|_| matches!(what, What::Var(_)));
        Piece { what, mode, of_previous, ..piece }
    });
    let not = (repeated(), prop::option::of(1..6i64)).prop_map(|(piece, for_ms)| Piece {
        what: What::Not(0, for_ms),
        min: 1,
        max: Some(1),
        until: None,
        loop_within: None,
        of_previous: None,
        ..piece
    });
    // What must not occur: two or three variables, some repeated.
    let simple = (repeated(), any::<bool>()).prop_map(|(piece, each)| Piece {
        mode: if each { Loop::Each } else { piece.mode },
        until: None,
        loop_within: None,
        of_previous: None,
        ..piece
    });
    let never = prop::collection::vec(simple, 2..=3);
    let never = (never, connect(), prop::option::weighted(0.3, 1..6i64)).prop_map(|(pieces, connect, for_ms)| Piece {
        connect,
        what: What::Never(pieces, for_ms),
        ..single()
    });
    prop::collection::vec(prop_oneof![10 => piece, 2 => not, 1 => never], 1..=longest).boxed()
}

fn number(pieces: &mut [Piece], next: &mut u16) {
    for piece in pieces {
        match &mut piece.what {
            What::Var(var) | What::Not(var, _) => {
                *var = *next;
                *next += 1;
            }
            What::Sequence(pieces) | What::Never(pieces, _) => number(pieces, next),
            What::Either(all) | What::All(all) => all.iter_mut().for_each(|pieces| number(pieces, next)),
        }
    }
}

/// Variables that a condition looks at are variables of the pattern.
fn known(condition: &mut Condition, vars: u16) {
    match &mut condition.look {
        Look::Nothing => {}
        Look::Above(var) | Look::NotBelowFirst(var) | Look::Fewer(var, _) => *var %= vars,
    }
}

fn known_untils(pieces: &mut [Piece], vars: u16) {
    for piece in pieces {
        piece.until.iter_mut().for_each(|until| known(until, vars));
        match &mut piece.what {
            What::Var(_) | What::Not(..) => {}
            What::Sequence(pieces) | What::Never(pieces, _) => known_untils(pieces, vars),
            What::Either(all) | What::All(all) => all.iter_mut().for_each(|pieces| known_untils(pieces, vars)),
        }
    }
}

/// Ways of AFTER MATCH; the variable is made one of the pattern's.
pub(super) fn skips() -> impl Strategy<Value = Skip> {
    prop_oneof![
        Just(Skip::Eager),
        Just(Skip::ToNextRow),
        Just(Skip::PastLastRow),
        (0..6u16).prop_map(|var| Skip::ToFirst { var, or_fail: false }),
        (0..6u16).prop_map(|var| Skip::ToLast { var, or_fail: false }),
    ]
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    (prop::sample::select(&['a', 'b', 'c', 'd'][..]), 0..3i64, 0..3i64).prop_map(|(kind, time_ms, value)| Event {
        kind,
        time_ms,
        value,
    })
}

/// Cases; times are pauses until they are added up.
pub(super) fn cases(skip: impl Strategy<Value = Skip>, longest: usize) -> impl Strategy<Value = Case> {
    let conditions = prop::collection::vec(condition(), 16);
    let events = prop::collection::vec(event(), 1..=longest);
    (pieces(2, 3), conditions, prop::option::of(1..10i64), skip, events).prop_map(
        |(mut pieces, mut conditions, within_ms, mut skip, mut events)| {
            let mut vars = 0;
            number(&mut pieces, &mut vars);
            conditions.resize(usize::from(vars), Condition { kinds: "a", look: Look::Nothing });
            conditions.iter_mut().for_each(|condition| known(condition, vars));
            known_untils(&mut pieces, vars);
            if let Skip::ToFirst { var, .. } | Skip::ToLast { var, .. } = &mut skip {
                *var %= vars;
            }
            let mut now = 0;
            for event in &mut events {
                now += event.time_ms;
                event.time_ms = now;
            }
            Case { pieces, conditions, within_ms, skip, events }
        },
    )
}
