//! Windows that late events may still change: ALLOWED LATENESS.
//!
//! What is over is kept for as long as a late event may belong to it: the panes with their events, and of each window how many
//! results were put out. A late event has two times: its own, which says in which windows it belongs, and the watermark at which it
//! was found to be late, which is the time that it is now. Windows that are open take it as they take any event; those that are over
//! by less than the lateness are put out again; of those that are over for longer it is none.
//!
//! A result's definition is that of the other windows: a window has one if it holds an event, or if the one before it does. So a
//! late event may also give an empty result, of the window after the one that it is in.
//!
//! Panes lie in a list here and not in a queue that knows its sum, since late events go into its middle: a result merges the panes of
//! its window.

use super::{
    Program, Shape, Span,
    state::{Accumulators, WindowBound, heap_bytes},
    step::{Coming, Decision},
};
use crate::{
    expr::Env,
    model::{Clock, DecodeError, Emission, Reader, TakenEvents, TimeMs, Writer},
    op::aggregate::{Accumulator, Running},
};
use std::collections::VecDeque;

/// What is kept of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// Those that hold events, in order.
    panes: VecDeque<Pane>,
    /// The window that closes next; no event is at its end or later.
    next: Option<Span>,
    /// How many instants of EMIT EVERY it has passed.
    early: u32,
    /// Windows that are over and may still change, by their end.
    over: VecDeque<Over>,
}

/// A span in which no window begins or ends.
#[derive(Clone, Debug)]
struct Pane {
    span: Span,
    /// When the last of its windows ends.
    until_ms: TimeMs,
    accumulators: Accumulators,
}

#[derive(Clone, Copy, Debug)]
struct Over {
    span: Span,
    /// How many results of it were put out.
    results: u32,
}

impl Over {
    fn order(span: Span) -> (TimeMs, TimeMs) {
        (span.end_ms, span.start_ms)
    }
}

impl Kept {
    /// Whether nothing is kept.
    pub(super) fn is_idle(&self) -> bool {
        self.panes.is_empty() && self.over.is_empty() && self.next.is_none()
    }

    /// Whether a window is open.
    pub(super) fn is_open(&self) -> bool {
        self.next.is_some()
    }

    /// When the windows begin that are open or may still change.
    pub(super) fn starts(&self) -> impl Iterator<Item = TimeMs> {
        self.over.iter().map(|over| over.span).chain(self.next).map(|span| span.start_ms)
    }

    /// The same panes with nothing in them, and windows of which nothing was put out.
    pub(super) fn follow(&self, program: &Program) -> Self {
        let blank = |pane: &Pane| Pane { accumulators: program.blank(), ..*pane };
        let untold = |over: &Over| Over { results: 0, ..*over };
        Self {
            panes: self.panes.iter().map(blank).collect(),
            over: self.over.iter().map(untold).collect(),
            next: self.next,
            early: self.early,
        }
    }

    /// The panes of a window.
    fn within(&self, window: Span) -> impl Iterator<Item = &Pane> {
        let first = self.panes.partition_point(|pane| pane.span.start_ms < window.start_ms);
        self.panes.range(first..).take_while(move |pane| pane.span.start_ms < window.end_ms)
    }

    /// Whether a window holds an event.
    fn holds(&self, window: Span) -> bool {
        self.within(window).next().is_some()
    }

    fn is_over(&self, window: Span) -> bool {
        self.over.binary_search_by_key(&Over::order(window), |over| Over::order(over.span)).is_ok()
    }

    /// How many results of the window were put out; it is noted that it is over.
    fn results(&mut self, window: Span) -> Option<&mut u32> {
        let found = self.over.binary_search_by_key(&Over::order(window), |over| Over::order(over.span));
        let at = match found {
            Ok(at) => at,
            Err(at) => {
                self.over.insert(at, Over { span: window, results: 0 });
                at
            }
        };
        self.over.get_mut(at).map(|over| &mut over.results)
    }

    /// Sees to it that the window closes in its turn.
    fn wait_for(&mut self, window: Span) {
        if self.next.is_none_or(|next| window.end_ms < next.end_ms) {
            self.next = Some(window);
        }
    }

    /// Forgets what no late event can change any more.
    fn forget(&mut self, now_ms: TimeMs, late_ms: TimeMs) {
        let gone = |end_ms: TimeMs| end_ms.saturating_add(late_ms) <= now_ms;
        while self.over.front().is_some_and(|over| gone(over.span.end_ms)) {
            self.over.pop_front();
        }
        while self.panes.front().is_some_and(|pane| gone(pane.until_ms)) {
            self.panes.pop_front();
        }
    }

    /// When the last of it may be forgotten, where no window is open.
    fn last_ms(&self) -> Option<TimeMs> {
        let over = self.over.back().map(|over| over.span.end_ms);
        over.into_iter().chain(self.panes.back().map(|pane| pane.until_ms)).max()
    }

    /// Bytes on the heap that it holds on to.
    pub(super) fn heap_bytes(&self) -> usize {
        let places = self.panes.capacity() * size_of::<Pane>() + self.over.capacity() * size_of::<Over>();
        places + self.panes.iter().map(|pane| heap_bytes(&pane.accumulators)).sum::<usize>()
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.bool(self.next.is_some());
        if let Some(next) = self.next {
            save_span(next, writer);
        }
        writer.u64(self.early.into());
        writer.len(self.over.len());
        for over in &self.over {
            save_span(over.span, writer);
            writer.u64(over.results.into());
        }
        writer.len(self.panes.len());
        for pane in &self.panes {
            save_span(pane.span, writer);
            writer.i64(pane.until_ms);
            pane.accumulators.iter().for_each(|accumulator| accumulator.save(writer));
        }
    }

    pub(super) fn load(program: &Program, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let next = if reader.bool()? { Some(load_span(reader)?) } else { None };
        let early = reader.u32()?;
        let over = |reader: &mut Reader<'_>| Ok(Over { span: load_span(reader)?, results: reader.u32()? });
        let over = (0..reader.len()?).map(|_| over(reader)).collect::<Result<VecDeque<Over>, DecodeError>>()?;
        let pane = |reader: &mut Reader<'_>| {
            let (span, until_ms) = (load_span(reader)?, reader.i64()?);
            let accumulators = program.kinds().map(|kind| Accumulator::load(kind, reader)).collect::<Result<_, _>>()?;
            Ok(Pane { span, until_ms, accumulators })
        };
        let panes = (0..reader.len()?).map(|_| pane(reader)).collect::<Result<VecDeque<Pane>, DecodeError>>()?;
        // What is looked up by halving must be in order.
        let in_order = panes.iter().is_sorted_by(|a, b| a.span.end_ms <= b.span.start_ms)
            && over.iter().is_sorted_by(|a, b| Over::order(a.span) < Over::order(b.span));
        match in_order {
            true => Ok(Self { panes, next, early, over }),
            false => Err(DecodeError::Unexpected { found: panes.len() as u64, expected: "panes and windows in order" }),
        }
    }
}

fn save_span(span: Span, writer: &mut Writer) {
    writer.i64(span.start_ms);
    writer.i64(span.end_ms);
}

fn load_span(reader: &mut Reader<'_>) -> Result<Span, DecodeError> {
    let span = Span { start_ms: reader.i64()?, end_ms: reader.i64()? };
    match span.start_ms < span.end_ms {
        true => Ok(span),
        false => Err(DecodeError::Unexpected { found: span.end_ms as u64, expected: "a window's end" }),
    }
}

impl Program {
    /// Whether the rule takes an event that was found to be late at `found_ms`: one of its windows is open, or over by less than
    /// the lateness. A function of the event and its key alone. Rules without ALLOWED LATENESS take none.
    pub fn takes(&self, input: usize, env: &Env<'_>, found_ms: TimeMs) -> bool {
        let coming = Coming { input, time_ms: env.event.header.time_ms, env };
        self.late_ms.is_some() && self.first_changed(coming.time_ms, found_ms, self.draw(coming)).is_some()
    }

    /// Of the windows that hold the instant the first that may still change.
    fn first_changed(&self, time_ms: TimeMs, now_ms: TimeMs, offset_ms: TimeMs) -> Option<Span> {
        // Of two windows the one that begins first never ends last. So of those that end late enough, which are those around this
        // instant and later ones, the first has the best chance to begin early enough.
        let least_ms = now_ms.saturating_sub(self.late_ms?).max(time_ms);
        self.assigner.first(least_ms, offset_ms).filter(|span| span.contains(time_ms))
    }

    /// Takes an event at the time that it is now: its own, or of a late one that at which it was found to be late.
    pub(super) fn keep(
        &self,
        (kept, offset_ms): (&mut Kept, TimeMs),
        now_ms: TimeMs,
        coming: Coming<'_>,
        out: &mut Vec<Emission>,
    ) {
        let Coming { time_ms, env, .. } = coming;
        let Some(mut window) = self.first_changed(time_ms, now_ms, offset_ms) else { return };
        let Some((pane, is_new)) = self.pane_of(kept, time_ms, offset_ms) else { return };
        self.add(&mut pane.accumulators, coming);
        let begun = is_new.then_some(pane.span);

        let decision = Decision { time_ms: now_ms, clock: None, revision: 0 };
        while window.end_ms <= now_ms {
            let holds = window.contains(time_ms);
            // The window after those that hold it is empty or has had its result.
            if holds || !kept.is_over(window) {
                self.tell(kept, window, decision, env, out);
            }
            match self.following(window, offset_ms) {
                Some(next) if holds => window = next,
                _ => return,
            }
        }
        kept.wait_for(window);
        if let Some(early_ms) = self.early_ms
            && begun.is_some()
            && kept.next == begun
        {
            // The instants of EMIT EVERY before a window's first event have nothing to tell.
            let passed = now_ms.saturating_sub(window.start_ms) / early_ms.max(1);
            kept.early = u32::try_from(passed).unwrap_or(u32::MAX);
        }
    }

    /// The pane of an instant, and whether it is a new one.
    fn pane_of<'a>(&self, kept: &'a mut Kept, time_ms: TimeMs, offset_ms: TimeMs) -> Option<(&'a mut Pane, bool)> {
        let after = kept.panes.partition_point(|pane| pane.span.start_ms <= time_ms);
        let before =
            after.checked_sub(1).filter(|&at| kept.panes.get(at).is_some_and(|pane| pane.span.contains(time_ms)));
        if let Some(at) = before {
            return kept.panes.get_mut(at).map(|pane| (pane, false));
        }
        let span = match self.shape {
            Shape::Panes => self.assigner.pane(time_ms, offset_ms),
            _ => self.assigner.first(time_ms, offset_ms),
        };
        let span = span.filter(|span| span.contains(time_ms))?;
        let until_ms = self.assigner.last(time_ms, offset_ms)?.end_ms;
        let accumulators = self.kinds().map(Accumulator::new).collect();
        kept.panes.insert(after, Pane { span, until_ms, accumulators });
        kept.panes.get_mut(after).map(|pane| (pane, true))
    }

    /// The window after this one; none if it does not come later, as windows that go nowhere would be closed forever.
    fn following(&self, window: Span, offset_ms: TimeMs) -> Option<Span> {
        self.assigner.next(window, offset_ms).filter(|next| {
            next.end_ms > window.end_ms && next.start_ms >= window.start_ms && next.start_ms < next.end_ms
        })
    }

    /// When [`close_kept`](Self::close_kept) would next do something.
    pub(super) fn kept_deadline(&self, kept: &Kept) -> Option<TimeMs> {
        match kept.next {
            Some(next) => self.kept_early(kept).or(Some(next.end_ms)),
            None => Some(kept.last_ms()?.saturating_add(self.late_ms?)),
        }
    }

    /// The next instant at which EMIT EVERY wants the result so far: before the window's end.
    fn kept_early(&self, kept: &Kept) -> Option<TimeMs> {
        let next = kept.next?;
        let passed = i64::from(kept.early.checked_add(1)?);
        let at_ms = next.start_ms.checked_add(self.early_ms?.checked_mul(passed)?)?;
        (at_ms < next.end_ms && kept.holds(next)).then_some(at_ms)
    }

    /// Gives the results that are due at `to_ms` or before, and forgets what no late event can change.
    pub(super) fn close_kept(
        &self,
        (kept, offset_ms): (&mut Kept, TimeMs),
        to_ms: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let late_ms = self.late_ms.unwrap_or(0);
        let at = |time_ms| Decision { time_ms, clock: Some(clock), revision: 0 };
        while let Some(next) = kept.next {
            if let Some(early_ms) = self.kept_early(kept).filter(|early_ms| *early_ms <= to_ms) {
                kept.early = kept.early.saturating_add(1);
                let total = self.total(kept, next);
                self.emit(Span { end_ms: early_ms, ..next }, at(early_ms), (&total, &[]), env, out);
                continue;
            }
            if next.end_ms > to_ms {
                return;
            }
            self.tell(kept, next, at(next.end_ms), env, out);
            // A silent key gives one empty result.
            let held = kept.holds(next);
            kept.next = self.following(next, offset_ms).filter(|next| held || kept.holds(*next));
            kept.early = 0;
            kept.forget(next.end_ms, late_ms);
        }
        if kept.last_ms().is_some_and(|last_ms| last_ms.saturating_add(late_ms) <= to_ms) {
            *kept = Kept::default();
        }
    }

    /// Puts out the result of a window that is over.
    fn tell(&self, kept: &mut Kept, window: Span, decision: Decision, env: &Env<'_>, out: &mut Vec<Emission>) {
        let total = self.total(kept, window);
        let Some(results) = kept.results(window) else { return };
        let decision = Decision { revision: *results, ..decision };
        if self.emit(window, decision, (&total, &[]), env, out) {
            *results = results.saturating_add(1);
        }
    }

    fn total(&self, kept: &Kept, window: Span) -> Accumulators {
        let mut panes = kept.within(window);
        let Some(first) = panes.next() else { return self.kinds().map(Accumulator::new).collect() };
        let mut total = first.accumulators.clone();
        for pane in panes {
            total.iter_mut().zip(&pane.accumulators).for_each(|(own, later)| own.merge(later));
        }
        total
    }

    /// Puts out a result unless HAVING drops it; whether it did.
    #[cold]
    pub(super) fn emit(
        &self,
        span: Span,
        decision: Decision,
        (accumulators, running): (&[Accumulator], &[Option<Running>]),
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) -> bool {
        let bound = WindowBound { span, accumulators, running, revision: decision.revision };
        let env = env.with_bound(&bound);
        if self.having.as_ref().is_some_and(|having| !having.holds(&env)) {
            return false;
        }
        out.push(Emission {
            kind: crate::model::EmissionKind::Window,
            time_ms: decision.time_ms,
            start_ms: span.start_ms,
            end_ms: span.end_ms,
            clock: decision.clock,
            values: self.outputs.iter().map(|output| output.value(&env)).collect(),
            taken: TakenEvents::new(),
            row: None,
            revision: decision.revision,
            dropped: 0,
        });
        true
    }
}
