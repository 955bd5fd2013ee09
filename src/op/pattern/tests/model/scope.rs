//! Which patterns the model speaks of. What is left out here is named with its reason, so that it can be let in when the
//! kernel has it.

use super::{
    case::{Case, Piece, What},
    condition::Look,
    reading::{is_one_event, may_be_empty},
};
use crate::plan::{Connect, Loop};

/// Whether the model says what the kernel should do with this pattern.
pub(super) fn covers(case: &Case) -> bool {
    // While a loop of groups waits for its next repetition, `EACH` (as Flink) keeps the ways out of it open, so what comes
    // after the loop may be skipped. The model speaks of such a loop only where nothing comes after it.
    let each = |piece: &Piece| piece.mode == Loop::Each && !piece.is_once() && !is_one_event(piece);
    let last = case.pieces.len() - 1;
    let inside = |piece: &Piece| any(piece.inside(), &each);
    let open = case.pieces.iter().enumerate().any(|(at, piece)| (each(piece) && at < last) || inside(piece));
    // Of a reluctant loop that would have nothing after it, were the group around it not repeated, it is open what it takes.
    let vanishes = |piece: &Piece| piece.mode == Loop::Reluctant && piece.min == 0;
    let repeated = |piece: &Piece| !piece.is_once() && any(piece.inside(), &vanishes);
    // A loop of groups chooses only where its conditions look at the event alone; of absences of sequences the same.
    let looks = case.conditions.iter().any(|condition| condition.look != Look::Nothing);
    let chooses = |piece: &Piece| !piece.is_once() && !is_one_event(piece) && piece.mode == Loop::Greedy;
    let watches = |piece: &Piece| matches!(piece.what, What::Never(..));
    if looks && (case.any(&chooses) || case.any(&watches)) {
        return false;
    }
    // What counts from before a group, at its head.
    let absent = |piece: &Piece| matches!(piece.what, What::Not(..) | What::Never(..));
    let heads = |pieces: &Vec<Piece>| pieces.first().is_some_and(absent);
    if case.any(&|piece| piece.inside().iter().any(heads)) || watches(&case.pieces[0]) {
        return false;
    }
    // At the end of the pattern, after an absence, such a loop leaves open whether the absence is the end.
    let vanishing = case.any(&vanishes) && case.any(&absent);
    // Two deadlines in one gap, the first of which an event may decide.
    let deadline = |piece: &Piece| matches!(piece.what, What::Not(_, Some(_)) | What::Never(_, Some(_)));
    // Among parts in any order a reluctant loop knows only of what comes later in the text, not of what comes later in the match.
    let reluctant_inside = |piece: &Piece| {
        let reluctant = |inner: &Piece| inner.mode == Loop::Reluctant && !inner.is_once();
        matches!(piece.what, What::All(_)) && any(piece.inside(), &reluctant)
    };
    if case.any(&reluctant_inside) {
        return false;
    }
    // A deadline at the very instant at which the window ends, or later: which of the two wins is open.
    let too_late = |piece: &Piece| match piece.what {
        What::Not(_, Some(ms)) | What::Never(_, Some(ms)) => case.within_ms.is_some_and(|within| ms >= within),
        _ => false,
    };
    if case.any(&too_late) {
        return false;
    }
    let by_event = |piece: &Piece| deadline(piece) && piece.connect == Connect::Strict;
    let deadlines = case.any(&by_event) && case.count(&deadline) > 1;
    !vanishing && !deadlines && !open && !case.any(&repeated) && sequence(&case.pieces, false)
}

fn any(sequences: &[Vec<Piece>], test: &dyn Fn(&Piece) -> bool) -> bool {
    sequences.iter().flatten().any(|piece| test(piece) || any(piece.inside(), test))
}

fn sequence(pieces: &[Piece], repeated: bool) -> bool {
    pieces.iter().enumerate().all(|(at, piece)| {
        element(piece) && absence(pieces, at, repeated && at + 1 == pieces.len()) && reluctant(pieces, at)
    })
}

fn absence(pieces: &[Piece], at: usize, ends_repetition: bool) -> bool {
    let (What::Not(_, for_ms) | What::Never(_, for_ms)) = &pieces[at].what else { return true };
    let strict = |piece: &Piece| piece.connect == Connect::Strict;
    let absent = |piece: &Piece| matches!(piece.what, What::Not(..) | What::Never(..));
    let taken = pieces[..at].iter().rposition(|piece| !absent(piece));
    let follows_loop = taken.is_some_and(|taken| {
        let before = &pieces[taken];
        let group = !matches!(before.what, What::Var(_));
        let loops = |inside: &Vec<Piece>| inside.iter().any(|piece| !piece.is_once());
        // An absence is in force in the loop before it. What Flink makes of that, and so the kernel, is not said here: where
        // the loop is one over groups or a counted one (only until an event is skipped), and of the second absence in a row
        // (only until an event is skipped).
        let counted = before.max.is_some_and(|max| max > 1) || before.min > 1;
        let second = taken + 1 < at;
        for_ms.is_none()
            && match group {
                true => !before.is_once() || before.inside().iter().any(loops),
                false => (counted && !strict(&pieces[at])) || (second && !before.is_once()),
            }
    });
    // Other absences next to one that is decided by the next event or by time.
    let beside = at > 0 && absent(&pieces[at - 1]) && {
        let decided =
            |piece: &Piece| matches!(piece.what, What::Not(_, Some(_)) | What::Never(_, Some(_))) && strict(piece);
        decided(&pieces[at]) || decided(&pieces[at - 1]) || (strict(&pieces[at - 1]) && for_ms.is_some())
    };
    !follows_loop && !beside && !ends_repetition
}

/// Reluctant loops before an absence that looks at the next event.
fn reluctant(pieces: &[Piece], at: usize) -> bool {
    let strict =
        |piece: &Piece| matches!(piece.what, What::Not(..) | What::Never(..)) && piece.connect == Connect::Strict;
    pieces[at].mode != Loop::Reluctant || !pieces[at + 1..].iter().any(strict)
}

fn element(piece: &Piece) -> bool {
    let choice = matches!(piece.what, What::Either(_) | What::All(_));
    let inside = piece.inside();
    // Where a way of a choice begins with something that may be left out, it is open who skips what.
    let heads = !choice || inside.iter().all(|way| !way.first().is_some_and(may_be_empty));
    // Nor does the choice look at the stop condition of a group that it begins with.
    let stops =
        |way: &Vec<Piece>| way.first().is_some_and(|head| head.until.is_some() && !matches!(head.what, What::Var(_)));
    let heads = heads && !(choice && inside.iter().any(stops));
    // A group of one element is that element.
    let single = matches!(&piece.what, What::Sequence(pieces) if pieces.len() < 2);
    // A bound on a loop that isn't one says nothing.
    let bound = piece.loop_within.is_none() || piece.max != Some(1);
    // The event before a group is that before its first event, and a bound that ends the match where the element could be
    // left out is Flink's.
    let step = piece.of_previous.is_none()
        || (matches!(piece.what, What::Var(_))
            && !(piece.min == 0 && piece.max == Some(1) && piece.mode == Loop::Each));
    // A stop condition looks at single elements, and at those of a group that has no groups in it.
    let composite = |piece: &Piece| !matches!(piece.what, What::Var(_));
    let until = piece.until.is_none() || (piece.max.is_none() && !inside.iter().flatten().any(composite));
    // What a reluctant loop of groups leaves to others is not said here; nor is a greedy one of more than plain variables.
    let plain = |piece: &Piece| matches!(piece.what, What::Var(_)) && piece.until.is_none() && !has_bound(piece);
    let plain = inside.iter().flatten().all(plain) && piece.until.is_none() && !has_bound(piece);
    let sequence_of = matches!(piece.what, What::Sequence(_));
    let mode = is_one_event(piece)
        || piece.is_once()
        || piece.mode == Loop::Each
        || (piece.mode == Loop::Greedy && sequence_of && plain);
    heads && !single && bound && step && until && mode && inside.iter().all(|inside| sequence(inside, !piece.is_once()))
}

/// Whether the same events can be read in several ways, so that it is open how often a match comes.
pub(super) fn is_ambiguous(case: &Case) -> bool {
    let loops = |piece: &Piece| !piece.is_once();
    case.any(&|piece| {
        let inside = |test: &dyn Fn(&Piece) -> bool| piece.inside().iter().flatten().any(test);
        (loops(piece) && any(piece.inside(), &loops) && !is_one_event(piece))
            || (matches!(piece.what, What::All(_)) && inside(&may_be_empty))
    })
}

fn has_bound(piece: &Piece) -> bool {
    piece.loop_within.is_some() || piece.of_previous.is_some()
}

/// Whether time can end a partial match by more than the window.
pub(super) fn has_bounds(case: &Case) -> bool {
    case.any(&has_bound)
}
