//! The steps of a window program: an event, and time that passes.

use super::{
    KeyState, Program, Scratch, Shape, Span,
    panes::{Pane, Panes},
    program::{Feed, Source},
    state::{Accumulators, OpenWindow, Shared},
};
use crate::{
    expr::Env,
    model::{Clock, Emission, TimeMs},
    op::aggregate::Accumulator,
};

/// When and by what a result is put out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision {
    pub(super) time_ms: TimeMs,
    /// Which clock; none: an event.
    pub(super) clock: Option<Clock>,
    /// How many results of the window were put out before.
    pub(super) revision: u32,
}

/// An event on its way into windows.
#[derive(Clone, Copy)]
pub(super) struct Coming<'a> {
    /// The place of its stream in FROM.
    pub(super) input: usize,
    /// The time by which it belongs to windows: its own, or that of its arrival.
    pub(super) time_ms: TimeMs,
    pub(super) env: &'a Env<'a>,
}

impl Decision {
    fn by(clock: Clock, time_ms: TimeMs) -> Self {
        Self { time_ms, clock: Some(clock), revision: 0 }
    }
}

impl Program {
    /// When [`advance`](Self::advance) would next do something: the first end of an open window, or an early result.
    #[inline]
    pub fn deadline(&self, state: &KeyState) -> Option<TimeMs> {
        if let Some(Shared::Kept(kept)) = state.shared.as_deref() {
            return self.kept_deadline(kept);
        }
        match self.shape {
            Shape::Apart | Shape::Any if self.early_ms.is_none() => state.open.first().map(|open| open.span.end_ms),
            Shape::Apart | Shape::Any | Shape::Growing => {
                let closes = state.open.first().map(|open| self.due_ms(state, open));
                let early = state.open.last().and_then(|open| self.next_early(open));
                early.into_iter().chain(closes).min()
            }
            Shape::Panes => state.panes().and_then(|panes| panes.next).map(|next| next.end_ms),
            Shape::Running => {
                let last_ms = state.open.first()?.span.end_ms.saturating_sub(1);
                Some(last_ms.saturating_add(self.expire_ms?))
            }
            Shape::Counted => {
                let panes = state.panes().filter(|_| !state.is_idle())?;
                Some(panes.last_ms.saturating_add(self.expire_ms?))
            }
        }
    }

    /// Takes an event of the key: first closes the windows that end at its time or before, then adds it to its own. The
    /// events of a key come in order of time; `input` is the place of the event's stream in FROM.
    #[inline]
    pub fn step(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        input: usize,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let (time_ms, from) = (env.event.header.time_ms, out.len());
        self.step_at(state, scratch, Coming { input, time_ms, env }, out);
        scratch.keep_own(from, out);
    }

    /// The same as if the event were of this time, in windows over the time of arrival; what expressions see of it stays as it is.
    pub fn step_arrived(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        input: usize,
        env: &Env<'_>,
        time_ms: TimeMs,
        out: &mut Vec<Emission>,
    ) {
        let from = out.len();
        self.step_at(state, scratch, Coming { input, time_ms, env }, out);
        scratch.keep_own(from, out);
    }

    #[inline]
    fn step_at(&self, state: &mut KeyState, scratch: &mut Scratch, coming: Coming<'_>, out: &mut Vec<Emission>) {
        let Coming { time_ms, env, .. } = coming;
        if self.deadline(state).is_some_and(|due_ms| due_ms <= time_ms) {
            self.advance(state, scratch, time_ms, Clock::Event, env, out);
        }
        if self.late_ms.is_some() {
            return self.step_kept(state, time_ms, coming, out);
        }
        match self.shape {
            Shape::Apart | Shape::Growing => {
                if let Some(open) = state.open.last_mut()
                    && open.span.contains(time_ms)
                {
                    if self.shape == Shape::Growing {
                        open.span = self.assigner.grow(open.span, time_ms);
                    }
                    self.add(&mut open.accumulators, coming);
                    if open.empty {
                        self.no_longer_empty(open, time_ms);
                    }
                } else {
                    self.open_and_add(state, scratch, coming);
                }
            }
            Shape::Any => self.open_and_add(state, scratch, coming),
            Shape::Panes => {
                self.add_to_pane(state, time_ms, coming);
                state.forget_idle();
            }
            Shape::Counted => self.count(state, coming, out),
            Shape::Running => self.run_on(state, coming, out),
        }
    }

    /// Takes a late event that was found to be late at `found_ms`, which is when it is now; the rule has ALLOWED LATENESS and
    /// [takes](Self::takes) it.
    pub fn step_late(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        input: usize,
        env: &Env<'_>,
        found_ms: TimeMs,
        out: &mut Vec<Emission>,
    ) {
        if self.deadline(state).is_some_and(|due_ms| due_ms <= found_ms) {
            self.advance(state, scratch, found_ms, Clock::Event, env, out);
        }
        if self.late_ms.is_some() {
            let (time_ms, from) = (env.event.header.time_ms, out.len());
            self.step_kept(state, found_ms, Coming { input, time_ms, env }, out);
            scratch.keep_own(from, out);
        }
    }

    fn step_kept(&self, state: &mut KeyState, now_ms: TimeMs, coming: Coming<'_>, out: &mut Vec<Emission>) {
        let offset_ms = state.offset_or(|| self.draw(coming));
        if let Some(kept) = state.kept_mut() {
            self.keep((kept, offset_ms), now_ms, coming, out);
        }
        state.forget_idle();
    }

    /// Whether all that `advance` to this time would do is to close a window of which nothing comes and for which nothing waits: so most
    /// end where HAVING wants many events. It is a look at the state.
    #[inline]
    pub fn fades(&self, state: &KeyState, to_ms: TimeMs) -> bool {
        let Some(having) = self.having.as_ref().filter(|_| self.silent && self.early_ms.is_none()) else {
            return false;
        };
        state.shared.is_none()
            && state.open.first().is_some_and(|open| open.span.end_ms <= to_ms && !having.may_hold(&open.accumulators))
    }

    /// Gives the results that are due at `to_ms` or before. `env` needs no event: results look at the window and the key.
    pub fn advance(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        to_ms: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        if matches!(self.shape, Shape::Counted | Shape::Running)
            && self.deadline(state).is_some_and(|silent_ms| silent_ms <= to_ms)
        {
            *state = KeyState::default();
            return;
        }
        let from = out.len();
        match state.shared.as_deref_mut() {
            Some(Shared::Kept(kept)) => self.close_kept((kept, state.offset_ms), to_ms, clock, env, out),
            Some(Shared::Panes(panes)) if self.shape == Shape::Panes => {
                self.close_panes(panes, state.offset_ms, to_ms, clock, env, out);
            }
            Some(Shared::Panes(_)) => {}
            None => self.close_open(state, to_ms, clock, env, out),
        }
        scratch.keep_own(from, out);
        if self.draws_anew() && state.is_idle() {
            *state = KeyState::default();
        }
    }

    /// Closes windows that are kept one by one.
    fn close_open(&self, state: &mut KeyState, to_ms: TimeMs, clock: Clock, env: &Env<'_>, out: &mut Vec<Emission>) {
        if self.silent && self.early_ms.is_none() {
            // The way of most: there is one, nothing comes of it, and nothing waits for it.
            if let Some(open) = state.open.first().filter(|open| open.span.end_ms <= to_ms) {
                if self.having.as_ref().is_none_or(|having| having.may_hold(&open.accumulators)) {
                    let decision = Decision::by(clock, open.span.end_ms);
                    self.emit(open.span, decision, (&open.accumulators, &[]), env, out);
                }
                state.open.clear();
            }
            return;
        }
        while let Some(due_ms) = self.deadline(state).filter(|due_ms| *due_ms <= to_ms) {
            match state.open.first().map(|open| self.due_ms(state, open)) {
                // What is so far known of a window comes before the result of one that closes at that instant.
                Some(closes_ms) if closes_ms == due_ms && !self.is_early(state, due_ms) => {
                    self.close_first(state, clock, env, out);
                }
                Some(_) => self.emit_early(state, due_ms, clock, env, out),
                None => break,
            }
        }
    }

    fn due_ms(&self, state: &KeyState, open: &OpenWindow) -> TimeMs {
        match self.shape {
            Shape::Growing => self.assigner.due_ms(open.span, state.offset_ms),
            _ => open.span.end_ms,
        }
    }

    /// The next instant at which EMIT EVERY wants the window's result so far.
    fn next_early(&self, open: &OpenWindow) -> Option<TimeMs> {
        let passed = i64::from(open.early.checked_add(1)?);
        let at_ms = open.span.start_ms.checked_add(self.early_ms?.checked_mul(passed)?)?;
        (!open.empty && at_ms < open.span.end_ms).then_some(at_ms)
    }

    fn is_early(&self, state: &KeyState, at_ms: TimeMs) -> bool {
        state.open.last().and_then(|open| self.next_early(open)) == Some(at_ms)
    }

    fn emit_early(&self, state: &mut KeyState, at_ms: TimeMs, clock: Clock, env: &Env<'_>, out: &mut Vec<Emission>) {
        let Some(open) = state.open.last_mut() else { return };
        open.early = open.early.saturating_add(1);
        let span = Span { end_ms: at_ms, ..open.span };
        self.emit(span, Decision::by(clock, at_ms), (&open.accumulators, &[]), env, out);
    }

    fn close_first(&self, state: &mut KeyState, clock: Clock, env: &Env<'_>, out: &mut Vec<Emission>) {
        let Some(due_ms) = state.open.first().map(|open| self.due_ms(state, open)) else { return };
        let Some(mut closed) = state.open.take_first() else { return };
        self.emit(closed.span, Decision::by(clock, due_ms), (&closed.accumulators, &[]), env, out);
        if closed.empty || !state.open.is_empty() {
            return;
        }
        // A silent key gives one empty result: the next window waits for it. A window that did not come later than
        // the one that closed would make this go on forever.
        if let Some(offset_ms) = state.offset_ms()
            && let Some(span) = self.assigner.next(closed.span, offset_ms)
            && span.end_ms > closed.span.end_ms
            && span.start_ms < span.end_ms
        {
            (closed.span, closed.empty, closed.early) = (span, true, 0);
            closed.accumulators.iter_mut().for_each(Accumulator::reset);
            state.open.push(closed);
        }
    }

    /// The way of a window's first event, and of every event where windows may overlap in any way.
    fn open_and_add(&self, state: &mut KeyState, scratch: &mut Scratch, coming: Coming<'_>) {
        let time_ms = coming.time_ms;
        let offset_ms = state.offset_or(|| self.draw(coming));
        if self.shape == Shape::Apart && state.open.is_empty() {
            let last = scratch.last.filter(|(offset, span)| *offset == offset_ms && span.contains(time_ms));
            let span = match last {
                Some((_, span)) => Some(span),
                None => self.assigner.first(time_ms, offset_ms).filter(|span| span.contains(time_ms)),
            };
            let Some(span) = span else { return };
            scratch.last = Some((offset_ms, span));
            // It is filled where it lies: there is one for every one or two events.
            let open = state.open.set(OpenWindow { span, empty: true, early: 0, accumulators: self.blank() });
            if let [open] = open {
                self.add(&mut open.accumulators, coming);
                self.no_longer_empty(open, time_ms);
            }
            return;
        }
        scratch.spans.clear();
        self.assigner.assign(time_ms, offset_ms, &mut scratch.spans);
        scratch.spans.retain(|span| span.contains(time_ms));
        if scratch.spans.len() > 1 {
            scratch.spans.sort_unstable();
            scratch.spans.dedup();
        }
        if scratch.spans.is_empty() {
            return;
        }
        // The key is not silent: the window that waited empty does so no more, unless the event is in it.
        state.open.retain(|open| !open.empty || scratch.spans.contains(&open.span));
        for &span in &scratch.spans {
            if let Some(open) = state.open.iter_mut().find(|open| open.span == span) {
                self.add(&mut open.accumulators, coming);
                self.no_longer_empty(open, time_ms);
            } else {
                let mut open = OpenWindow { span, empty: true, early: 0, accumulators: self.blank() };
                self.add(&mut open.accumulators, coming);
                self.no_longer_empty(&mut open, time_ms);
                state.insert(open);
            }
        }
    }

    /// The instants of EMIT EVERY before a window's first event have nothing to tell.
    fn no_longer_empty(&self, open: &mut OpenWindow, time_ms: TimeMs) {
        if let (true, Some(early_ms)) = (open.empty, self.early_ms) {
            let passed = time_ms.saturating_sub(open.span.start_ms) / early_ms.max(1);
            open.early = u32::try_from(passed).unwrap_or(u32::MAX);
        }
        open.empty = false;
    }

    /// Adds an event to its pane. `instant` is its time, or its number.
    fn add_to_pane(&self, state: &mut KeyState, instant: TimeMs, coming: Coming<'_>) {
        let offset_ms = state.offset_or(|| self.draw(coming));
        let time_ms = coming.time_ms;
        let Some(panes) = state.panes_mut() else { return };
        if panes.current().is_none_or(|pane| !pane.span.contains(instant)) {
            let Some(first) = self.assigner.first(instant, offset_ms) else { return };
            let Some(span) = self.assigner.pane(instant, offset_ms) else { return };
            if !first.contains(instant) || !span.contains(instant) {
                return;
            }
            panes.next = panes.next.or(Some(first));
            panes.push(Pane { span, first_ms: time_ms, last_ms: time_ms, accumulators: self.blank() });
        }
        if let Some(pane) = panes.current() {
            pane.last_ms = time_ms;
            self.add(&mut pane.accumulators, coming);
        }
    }

    /// Adds an event to the windows that are counted, and closes those that it fills.
    fn count(&self, state: &mut KeyState, coming: Coming<'_>, out: &mut Vec<Emission>) {
        let Some(number) = state.panes_mut().map(|panes| panes.count) else { return };
        self.add_to_pane(state, number, coming);
        let (offset_ms, Some(panes)) = (state.offset_ms, state.panes_mut()) else { return };
        panes.count = number.saturating_add(1);
        panes.last_ms = coming.env.event.header.time_ms;
        self.close_panes(panes, offset_ms, panes.count, Clock::Event, coming.env, out);
        let next = self.assigner.first(panes.count, offset_ms);
        if panes.is_empty() && next.is_some_and(|next| next.start_ms == panes.count) {
            panes.count = 0;
        }
    }

    /// Closes the windows of panes that end at `to` or before.
    fn close_panes(
        &self,
        panes: &mut Panes,
        offset_ms: TimeMs,
        to: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        while let Some(closed) = panes.next.filter(|next| next.end_ms <= to) {
            let counted = self.shape == Shape::Counted;
            let total = panes.total();
            match &total {
                Some(total) if counted => {
                    let span = Span { start_ms: total.first_ms, end_ms: total.last_ms };
                    // What closes a counted window is the event that fills it.
                    let decision = Decision { clock: None, ..Decision::by(clock, total.last_ms) };
                    self.emit(span, decision, (&total.accumulators, panes.running()), env, out)
                }
                Some(total) => {
                    let decision = Decision::by(clock, closed.end_ms);
                    self.emit(closed, decision, (&total.accumulators, panes.running()), env, out)
                }
                None => self.emit(closed, Decision::by(clock, closed.end_ms), (&self.blank(), &[]), env, out),
            };
            // A window that came no later than the one that closed would make this loop forever.
            let mut next = self.assigner.next(closed, offset_ms).filter(|next| {
                next.end_ms > closed.end_ms && next.start_ms >= closed.start_ms && next.start_ms < next.end_ms
            });
            panes.forget_before(next.map_or(closed.end_ms, |next| next.start_ms));
            if panes.is_empty() {
                // A silent key gives one empty result; one whose events are counted is never late for the next.
                next = next.filter(|_| total.is_some() && !counted);
            } else if next.is_none_or(|next| panes.oldest_ms().is_some_and(|oldest_ms| oldest_ms >= next.end_ms)) {
                // Events came in order, and windows close in time, so that there is nothing between; another assigner might
                // leave some.
                let rest = panes.oldest_ms().and_then(|oldest_ms| self.assigner.first(oldest_ms, offset_ms));
                next = rest.filter(|next| next.end_ms > closed.end_ms);
            }
            panes.next = next;
        }
    }

    #[inline]
    pub(super) fn add(&self, accumulators: &mut Accumulators, coming: Coming<'_>) {
        let Coming { input, time_ms, env } = coming;
        let Some(feeds) = self.feeds.get(input) else { return };
        for (accumulator, Feed { filter, source }) in accumulators.iter_mut().zip(feeds) {
            if filter.as_ref().is_some_and(|filter| !filter.is_true(env)) {
                continue;
            }
            match source {
                Source::Nothing => {}
                Source::Constant(value) => accumulator.add(value, time_ms),
                Source::Field(slot) => {
                    if let Some(value) = env.event.values.get(usize::from(*slot)) {
                        accumulator.add(value, time_ms);
                    }
                }
                Source::Expr(expr) => accumulator.add(&expr.value(env), time_ms),
            }
        }
    }
}
