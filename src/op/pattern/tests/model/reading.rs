//! A pattern written out: every way in which it may be read as a plain list of single events.
//!
//! `a -> (b | c){1,2}` is read as `a b`, `a c`, `a b b`, `a b c`, `a c b` and `a c c`. Each event of a reading knows what
//! brought it there: how it follows, which loops were left on the way, which absences lie before it. What that
//! means for events is said in `definition`.

use super::{
    case::{Case, Piece, What},
    condition::Condition,
};
use crate::plan::{Connect, Loop};
use std::rc::Rc;

/// One way to read a pattern.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reading {
    pub(super) steps: Vec<Step>,
    /// What is asked of the time after the last event.
    pub(super) end: Gap,
    /// It goes on, longer than any match could be.
    pub(super) cut: bool,
}

/// An event of a reading.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) var: u16,
    /// What may lie between the event before and this one.
    pub(super) gap: Gap,
    /// It is of a loop with this stop condition: its event must not meet it.
    pub(super) until: Vec<Condition>,
    /// It comes less than this after what was before it.
    pub(super) of_previous: Option<i64>,
    /// It comes less than this after the event of that step: bounds of loops around it.
    pub(super) bounds: Vec<(usize, i64)>,
}

/// What may lie between two events.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Gap {
    pub(super) connect: Connect,
    /// Where it is relaxed: what would be taken here is not skipped.
    pub(super) awaited: Vec<u16>,
    /// What must not occur, in order.
    pub(super) absences: Vec<Absence>,
    /// Loops that were left here though they could have gone on.
    pub(super) left: Vec<Left>,
    /// This is a reluctant loop going on: what could follow it instead.
    pub(super) held: Vec<Head>,
    /// Stop conditions in force: an event that meets one is not skipped.
    pub(super) until: Vec<Condition>,
    /// A loop, of whatever kind, could have gone on here.
    pub(super) open: bool,
}

/// `!n`, `!n FOR d`, or either right after the element before it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Absence {
    pub(super) what: Absent,
    pub(super) strict: bool,
    pub(super) for_ms: Option<i64>,
    /// Nothing but absences comes after it in the pattern.
    pub(super) last: bool,
    /// A greedy loop goes on here: what the loop takes is not what is looked at.
    pub(super) spares: bool,
    /// It stands on one of several ways (after what may be left out, at the head of a group): the event that ends the waiting
    /// does not count.
    pub(super) alone: bool,
}

/// What must not occur.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Absent {
    /// An event of this variable.
    Event(u16),
    /// A sequence, in any of its readings.
    Sequence(Rc<[Reading]>),
}

/// An event that something could begin with: of this variable, and none of these conditions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    pub(super) var: u16,
    pub(super) unless: Vec<Condition>,
}

/// A loop of single events that was left before its upper bound.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Left {
    pub(super) greedy: bool,
    /// So many absences of the gap stand before the loop.
    pub(super) after: usize,
    /// What it could have gone on with.
    pub(super) heads: Vec<Head>,
    /// Of a loop of groups: a repetition, and how it would follow.
    pub(super) repetition: Option<(Rc<[Reading]>, Connect)>,
    /// What ends it.
    pub(super) until: Option<Condition>,
    /// What it could have taken lies less than this after the event of that step…
    pub(super) bound: Option<(usize, i64)>,
    /// … and less than this after the event before.
    pub(super) of_previous: Option<i64>,
}

/// A reading being written.
#[derive(Clone, Default, PartialEq)]
struct Draft {
    steps: Vec<Step>,
    absences: Vec<Absence>,
    left: Vec<Left>,
    open: bool,
    cut: bool,
}

/// Where in the pattern one is.
#[derive(Clone, Default)]
struct Place {
    /// How the first event follows, where the element around says so, and what is awaited then.
    follows: Option<(Connect, Vec<u16>)>,
    of_previous: Option<i64>,
    /// What may come after.
    rest: Rest,
    /// The absence that stands right after this element, and whether it looks at the next event only.
    absence: Option<(u16, bool)>,
    /// Bounds of loops around this: the step that begins each.
    bounds: Vec<(usize, i64)>,
    /// The stop condition of the loop whose repetition this is.
    until: Option<Condition>,
    /// What is before may have been left out, or there is nothing before in this group.
    alone: bool,
}

/// What may come after an element without an event between.
#[derive(Clone, Default)]
struct Rest {
    heads: Vec<Head>,
    /// There is nothing: the pattern is over.
    nothing: bool,
    /// There are absences at most.
    quiet: bool,
}

/// All readings of a case's pattern with up to so many events (longer ones are cut); none if there are more than `limit`.
pub(super) fn readings(case: &Case, longest: usize, limit: usize) -> Option<Vec<Reading>> {
    let reader = Reader { longest, limit };
    let place = Place { rest: Rest { heads: Vec::new(), nothing: true, quiet: true }, ..Place::default() };
    let drafts = reader.sequence(vec![Draft::default()], &case.pieces, &place, true)?;
    let reading = |draft: Draft| {
        // `a -> !b -> c?` is met by an a alone: where nothing comes after an absence that has no deadline it is not looked
        // at, unless it is the end of the pattern. (What looks at the very next event would have to wait for it; here the
        // kernel, like Flink, looks at the event before. The model says nothing of it.)
        let mut absences = draft.absences;
        let deadline = absences.iter().rposition(|absence| absence.for_ms.is_some()).map_or(0, |at| at + 1);
        // Nor of what must not begin with the next event, at the end.
        let next = |absence: &Absence| absence.strict && (!absence.last || matches!(absence.what, Absent::Sequence(_)));
        if absences.iter().skip(deadline.saturating_sub(1)).any(next) {
            return None;
        }
        let open = absences.split_off(deadline);
        absences.extend(open.into_iter().filter(|absence| absence.last));
        let end = Gap { absences, left: draft.left, open: draft.open, ..Gap::default() };
        Some(Reading { steps: draft.steps, end, cut: draft.cut })
    };
    drafts.into_iter().map(reading).collect()
}

struct Reader {
    longest: usize,
    limit: usize,
}

impl Reader {
    fn sequence(&self, drafts: Vec<Draft>, pieces: &[Piece], place: &Place, top: bool) -> Option<Vec<Draft>> {
        let (mut drafts, mut alone) = (drafts, !top);
        for (at, piece) in pieces.iter().enumerate() {
            let first = at == 0;
            let after = &pieces[at + 1..];
            let here = Place {
                follows: match (first, &place.follows) {
                    (true, Some(follows)) => Some(follows.clone()),
                    _ => None,
                },
                of_previous: place.of_previous.filter(|_| first),
                rest: rest(after, &place.rest, place.until.as_ref()),
                absence: match after.first() {
                    _ if piece.min == 0 => None,
                    None => place.absence,
                    Some(Piece { what: What::Not(var, None), connect, .. }) => {
                        Some((*var, *connect == Connect::Strict))
                    }
                    Some(_) => None,
                },
                alone: alone && !matches!(piece.what, What::Not(_, Some(_)) | What::Never(_, Some(_))),
                ..place.clone()
            };
            alone = match piece.what {
                What::Not(_, Some(_)) | What::Never(_, Some(_)) => false,
                What::Not(_, None) | What::Never(_, None) => alone,
                _ => piece.min == 0,
            };
            let mut next = Vec::new();
            for draft in drafts {
                match draft.cut {
                    true => next.push(draft),
                    false => next.extend(self.element(draft, piece, &here, top && first)?),
                }
            }
            drafts = dedup(next);
            if drafts.len() > self.limit {
                return None;
            }
        }
        Some(drafts)
    }

    /// An element in each number of repetitions.
    fn element(&self, mut draft: Draft, piece: &Piece, place: &Place, begins: bool) -> Option<Vec<Draft>> {
        if let What::Not(_, for_ms) | What::Never(_, for_ms) = &piece.what {
            let what = match &piece.what {
                What::Never(pieces, _) => Absent::Sequence(self.repetitions(pieces)?),
                What::Not(var, _) => Absent::Event(*var),
                _ => return None,
            };
            if let (true, Absent::Event(var)) = (begins, &what) {
                let var = *var;
                // A missing heartbeat begins with the last one heard.
                self.step(&mut draft, var, place, piece, 0, place.bounds.clone());
            } else if draft.steps.is_empty() {
                // Where all before it is left out there is nothing that it could be counted from.
                return None;
            }
            // A sequence ends nothing but the way that it stands on.
            let alone = place.alone || matches!(what, Absent::Sequence(_));
            let connect = place.follows.as_ref().map_or(piece.connect, |(connect, _)| *connect);
            let strict = connect == Connect::Strict && !begins;
            let (for_ms, last) = (*for_ms, place.rest.quiet);
            draft.absences.push(Absence { what, strict, for_ms, last, spares: false, alone });
            return Some(vec![draft]);
        }
        let max = if takes_no_more(piece, &place.rest) { Some(piece.min) } else { piece.max };
        let from = draft.steps.len();
        let (mut done, mut going) = (Vec::new(), vec![draft]);
        for count in 0.. {
            if count >= piece.min {
                let leave = |draft: &Draft| {
                    let mut draft = draft.clone();
                    draft.open |= max != Some(count);
                    if max != Some(count) && piece.mode != Loop::Each {
                        let mut left = left(piece, place, from, draft.absences.len());
                        if let (false, [pieces]) = (is_one_event(piece), piece.inside()) {
                            let connect = place.follows.as_ref().map_or(piece.connect, |(connect, _)| *connect);
                            let connect = if count > 0 { piece.inner } else { connect };
                            left.repetition = Some((self.repetitions(pieces)?, connect));
                        }
                        draft.left.push(left);
                    }
                    Some(draft)
                };
                for draft in &going {
                    done.push(leave(draft)?);
                }
            }
            if max == Some(count) || going.is_empty() {
                break;
            }
            let mut next = Vec::new();
            for draft in going {
                let length = draft.steps.len();
                for longer in self.repetition(draft, piece, place, count, from)? {
                    match longer.cut {
                        true => done.push(longer),
                        // Repetitions of nothing add nothing.
                        false if longer.steps.len() == length && count >= piece.min => {}
                        false => next.push(longer),
                    }
                }
            }
            going = dedup(next);
            if going.len() + done.len() > self.limit {
                return None;
            }
        }
        Some(dedup(done))
    }

    /// A sequence on its own, with every number of repetitions, whatever its loops prefer.
    fn repetitions(&self, pieces: &[Piece]) -> Option<Rc<[Reading]>> {
        let mut pieces = pieces.to_vec();
        pieces.iter_mut().for_each(|piece| piece.mode = Loop::Each);
        let place = Place { rest: Rest { heads: Vec::new(), nothing: true, quiet: true }, ..Place::default() };
        let drafts = self.sequence(vec![Draft::default()], &pieces, &place, true)?;
        let whole = drafts.into_iter().filter(|draft| !draft.cut && !draft.steps.is_empty());
        Some(whole.map(|draft| Reading { steps: draft.steps, end: Gap::default(), cut: false }).collect())
    }

    /// One more repetition, after `count`.
    fn repetition(
        &self,
        mut draft: Draft,
        piece: &Piece,
        place: &Place,
        count: u32,
        from: usize,
    ) -> Option<Vec<Draft>> {
        let mut bounds = place.bounds.clone();
        bounds.extend(piece.loop_within.map(|ms| (from, ms)));
        let (connect, awaited) = match (count, &place.follows) {
            (0, Some((connect, awaited))) => (*connect, awaited.clone()),
            (0, None) => (piece.connect, Vec::new()),
            _ => (piece.inner, Vec::new()),
        };
        // An absence after a loop holds as soon as the loop has begun; one that looks at the next event, as soon as the loop
        // could be left.
        let absence = place.absence.filter(|(_, strict)| count > 0 && (!strict || count >= piece.min));
        let of_previous = piece.of_previous.into_iter().chain(place.of_previous.filter(|_| count == 0)).min();
        let mut inside = Place {
            follows: Some((connect, awaited)),
            of_previous,
            rest: again(piece, count, place),
            absence: place.absence,
            bounds,
            until: piece.until.clone(),
            alone: false,
        };
        match &piece.what {
            What::Var(var) => {
                if let Some((var, strict)) = absence {
                    let spares = strict && piece.mode == Loop::Greedy;
                    let what = Absent::Event(var);
                    draft.absences.push(Absence { what, strict, for_ms: None, last: false, spares, alone: false });
                }
                inside.until = place.until.clone();
                inside.rest = place.rest.clone();
                let bounds = inside.bounds.clone();
                self.step(&mut draft, *var, &inside, piece, count, bounds);
                Some(vec![draft])
            }
            What::Not(..) | What::Never(..) => Some(vec![draft]),
            What::Sequence(pieces) => self.sequence(vec![draft], pieces, &inside, false),
            What::Either(ways) => {
                let mut all = Vec::new();
                // The outermost choice skips for all within it.
                if let Some((_, awaited)) = inside.follows.as_mut().filter(|(_, awaited)| awaited.is_empty()) {
                    *awaited = ways.iter().flat_map(|way| firsts(way)).collect();
                }
                let held = self.held(piece, place, count);
                for way in ways {
                    all.extend(self.sequence(vec![draft.clone()], way, &inside, false)?);
                }
                // A loop of single events, each one of several: it is the choice that is reluctant.
                let length = draft.steps.len();
                for longer in &mut all {
                    if let Some(step) = longer.steps.get_mut(length) {
                        step.gap.held.extend(held.clone());
                    }
                }
                Some(all)
            }
            What::All(parts) => {
                let parts: Vec<&[Piece]> = parts.iter().map(Vec::as_slice).collect();
                self.permutation(draft, &parts, &inside)
            }
        }
    }

    /// One of the parts first, then the others.
    fn permutation(&self, draft: Draft, parts: &[&[Piece]], place: &Place) -> Option<Vec<Draft>> {
        if parts.is_empty() {
            return Some(vec![draft]);
        }
        let mut all = Vec::new();
        for at in 0..parts.len() {
            let mut others = parts.to_vec();
            let part = others.remove(at);
            let mut here = place.clone();
            if let Some((_, awaited)) = here.follows.as_mut().filter(|(_, awaited)| awaited.is_empty()) {
                *awaited = parts.iter().flat_map(|part| firsts(part)).collect();
            }
            if !others.is_empty() {
                let heads = others.iter().flat_map(|part| rest(part, &Rest::default(), place.until.as_ref()).heads);
                here.rest = Rest { heads: heads.collect(), nothing: false, quiet: false };
            }
            let follows = Some((Connect::Relaxed, Vec::new()));
            let after = Place { of_previous: None, follows, ..place.clone() };
            for draft in self.sequence(vec![draft.clone()], part, &here, false)? {
                match draft.cut {
                    true => all.push(draft),
                    false => all.extend(self.permutation(draft, &others, &after)?),
                }
            }
            if all.len() > self.limit {
                return None;
            }
        }
        Some(all)
    }

    /// What a reluctant loop leaves to the rest of the pattern, once it has its minimum.
    fn held(&self, piece: &Piece, place: &Place, count: u32) -> Vec<Head> {
        let held = piece.mode == Loop::Reluctant && !piece.is_once() && is_one_event(piece) && count >= piece.min;
        if held { place.rest.heads.clone() } else { Vec::new() }
    }

    fn step(&self, draft: &mut Draft, var: u16, place: &Place, piece: &Piece, count: u32, bounds: Vec<(usize, i64)>) {
        if draft.steps.len() > self.longest {
            draft.cut = true;
            return;
        }
        let (connect, mut awaited) = place.follows.clone().unwrap_or((piece.connect, Vec::new()));
        if awaited.is_empty() {
            awaited.push(var);
        }
        draft.open = false;
        let around = place.until.clone();
        let at = draft.steps.len();
        let gap = Gap {
            connect,
            awaited,
            absences: std::mem::take(&mut draft.absences),
            left: std::mem::take(&mut draft.left),
            held: self.held(piece, place, count),
            open: false,
            // Before its first event a loop has nothing to stop.
            until: around.iter().chain(piece.until.iter().filter(|_| count > 0)).cloned().collect(),
        };
        draft.steps.push(Step {
            var,
            gap,
            until: around.into_iter().chain(piece.until.clone()).collect(),
            of_previous: place.of_previous,
            bounds: bounds.into_iter().filter(|(from, _)| *from != at).collect(),
        });
    }
}

fn dedup(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut all: Vec<Draft> = Vec::new();
    for draft in drafts {
        if !draft.cut || !all.contains(&draft) {
            all.push(draft);
        }
    }
    all
}

/// What may follow one repetition: the next one, or what is after the loop.
fn again(piece: &Piece, count: u32, place: &Place) -> Rest {
    let more = piece.max.is_none_or(|max| count + 1 < max);
    let enough = count + 1 >= piece.min;
    let (nothing, quiet) = (place.rest.nothing && !more, place.rest.quiet && !more);
    let mut rest = Rest { heads: Vec::new(), nothing, quiet };
    if more {
        rest.heads.extend(heads(piece, place.until.as_ref()));
    }
    if enough {
        rest.heads.extend(place.rest.heads.clone());
    }
    rest
}

/// What may follow where these elements, and then `after`, are still to come.
fn rest(pieces: &[Piece], after: &Rest, until: Option<&Condition>) -> Rest {
    let Some((piece, later)) = pieces.split_first() else { return after.clone() };
    let later = rest(later, after, until);
    match piece.what {
        What::Not(_, Some(_)) | What::Never(_, Some(_)) => {
            Rest { heads: Vec::new(), nothing: false, quiet: later.quiet }
        }
        What::Not(_, None) | What::Never(_, None) => Rest { nothing: false, ..later },
        // At the end of the pattern a reluctant loop takes what it must.
        _ if takes_no_more(piece, &later) && piece.min == 0 => Rest { quiet: false, ..later },
        _ => {
            let mut all = heads(piece, until);
            if may_be_empty(piece) {
                all.extend(later.heads);
            }
            Rest { heads: all, nothing: false, quiet: false }
        }
    }
}

/// Whether a loop has no reason to go on once it has its minimum.
fn takes_no_more(piece: &Piece, after: &Rest) -> bool {
    piece.mode == Loop::Reluctant && after.nothing && !piece.is_once()
}

/// What an element may begin with. `until`: the stop condition around it.
fn heads(piece: &Piece, until: Option<&Condition>) -> Vec<Head> {
    match &piece.what {
        What::Var(var) => {
            vec![Head { var: *var, unless: until.into_iter().chain(&piece.until).cloned().collect() }]
        }
        _ => {
            let begin = |pieces: &Vec<Piece>| rest(pieces, &Rest::default(), piece.until.as_ref()).heads;
            piece.inside().iter().flat_map(begin).collect()
        }
    }
}

/// The variables that a sequence may begin with.
fn firsts(pieces: &[Piece]) -> Vec<u16> {
    rest(pieces, &Rest::default(), None).heads.into_iter().map(|head| head.var).collect()
}

/// Whether an element may consist of nothing.
pub(super) fn may_be_empty(piece: &Piece) -> bool {
    let empty = |pieces: &Vec<Piece>| pieces.iter().all(may_be_empty);
    piece.min == 0
        || match &piece.what {
            What::Var(_) => false,
            What::Not(..) | What::Never(..) => true,
            What::Sequence(pieces) => empty(pieces),
            What::Either(ways) => ways.iter().any(empty),
            What::All(parts) => parts.iter().all(empty),
        }
}

/// Whether a repetition is always a single event.
pub(super) fn is_one_event(piece: &Piece) -> bool {
    let one = |pieces: &Vec<Piece>| matches!(pieces.as_slice(), [only] if only.is_once() && is_one_event(only));
    match &piece.what {
        What::Var(_) => true,
        What::Not(..) | What::Never(..) | What::All(_) => false,
        What::Sequence(pieces) => one(pieces),
        What::Either(ways) => ways.iter().all(one),
    }
}

fn left(piece: &Piece, place: &Place, from: usize, after: usize) -> Left {
    let around = match piece.what {
        What::Var(_) => place.until.as_ref(),
        _ => None,
    };
    Left {
        greedy: piece.mode == Loop::Greedy,
        after,
        heads: heads(piece, around),
        repetition: None,
        until: piece.until.clone(),
        bound: piece.loop_within.map(|ms| (from, ms)),
        of_previous: piece.of_previous,
    }
}
