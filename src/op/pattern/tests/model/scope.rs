//! Which patterns the model speaks of. What is left out here is named with its reason, so that it can be let in when the
//! kernel has it.

use super::{
    case::{Case, Piece, What},
    reading::{is_one_event, may_be_empty},
};
use crate::plan::{Connect, Loop};

/// Whether the model says what the kernel should do with this pattern.
pub(super) fn covers(case: &Case) -> bool {
    sequence(&case.pieces, false)
}

fn sequence(pieces: &[Piece], repeated: bool) -> bool {
    pieces.iter().enumerate().all(|(at, piece)| {
        let before = at.checked_sub(1).map(|before| &pieces[before]);
        element(piece) && absence(piece, before, repeated && at + 1 == pieces.len()) && reluctant(pieces, at)
    })
}

fn absence(piece: &Piece, before: Option<&Piece>, ends_repetition: bool) -> bool {
    let What::Not(_, for_ms) = piece.what else { return true };
    let follows_loop = before.is_some_and(|before| {
        let group = !matches!(before.what, What::Var(_) | What::Not(..));
        let loops = |inside: &Vec<Piece>| inside.iter().any(|piece| !piece.is_once());
        // The absence is in force in the loop before it, if that is a loop of one variable.
        group && (!before.is_once() || before.inside().iter().any(loops))
    });
    // `!b FOR 5` right after an element, next to other absences.
    let beside = before.is_some_and(|before| match before.what {
        What::Not(_, Some(_)) => before.connect == Connect::Strict || (piece.connect == Connect::Strict && for_ms.is_some()),
        What::Not(_, None) => piece.connect == Connect::Strict && for_ms.is_some(),
        _ => false,
    });
    !follows_loop && !beside && !ends_repetition
}

/// Reluctant loops before an absence that looks at the next event.
fn reluctant(pieces: &[Piece], at: usize) -> bool {
    let strict = |piece: &Piece| matches!(piece.what, What::Not(..)) && piece.connect == Connect::Strict;
    pieces[at].mode != Loop::Reluctant || !pieces[at + 1..].iter().any(strict)
}

fn element(piece: &Piece) -> bool {
    let choice = matches!(piece.what, What::Either(_) | What::All(_));
    let inside = piece.inside();
    // Where a way of a choice begins with something that may be left out, it is open who skips what.
    let heads = !choice || inside.iter().all(|way| !way.first().is_some_and(may_be_empty));
    // A group of one element is that element.
    let single = matches!(&piece.what, What::Sequence(pieces) if pieces.len() < 2);
    // A bound on a loop that isn't one says nothing.
    let bound = piece.loop_within.is_none() || piece.max != Some(1);
    // The event before a group is that before its first event, and a bound that ends the match where the element could be
    // left out is Flink's.
    let step = piece.of_previous.is_none()
        || (matches!(piece.what, What::Var(_)) && !(piece.min == 0 && piece.max == Some(1) && piece.mode == Loop::Each));
    // A stop condition looks at single elements, and at those of a group that has no groups in it.
    let composite = |piece: &Piece| !matches!(piece.what, What::Var(_));
    let until = piece.until.is_none() || (piece.max.is_none() && !inside.iter().flatten().any(composite));
    // Greedy and reluctant speak of loops of single events.
    let mode = is_one_event(piece) || piece.is_once() || piece.mode == Loop::Each;
    heads && !single && bound && step && until && mode && inside.iter().all(|inside| sequence(inside, !piece.is_once()))
}

/// Whether the same events can be read in several ways, so that it is open how often a match comes.
pub(super) fn is_ambiguous(case: &Case) -> bool {
    let loops = |piece: &Piece| !piece.is_once();
    case.any(&|piece| {
        let inside = |test: &dyn Fn(&Piece) -> bool| piece.inside().iter().flatten().any(test);
        (loops(piece) && inside(&|inner: &Piece| loops(inner) || !matches!(inner.what, What::Var(_))) && !is_one_event(piece))
            || (matches!(piece.what, What::All(_)) && inside(&may_be_empty))
    })
}

/// Whether time can end a partial match by more than the window.
pub(super) fn has_bounds(case: &Case) -> bool {
    case.any(&|piece| piece.loop_within.is_some() || piece.of_previous.is_some())
}
