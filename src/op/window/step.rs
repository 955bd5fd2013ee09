//! The steps of a window program: an event, and time that passes.

use super::{
    KeyState, Program, Scratch, Shape, Span,
    panes::{Pane, Panes},
    program::{Feed, Source},
    state::{Accumulators, OpenWindow, WindowBound},
};
use crate::{
    expr::Env,
    model::{Clock, Emission, EmissionKind, TimeMs},
    op::aggregate::{Accumulator, Running},
};

impl Program {
    /// When [`advance`](Self::advance) would next do something: the first end of an open window, or an early result.
    #[inline]
    pub fn deadline(&self, state: &KeyState) -> Option<TimeMs> {
        match self.shape {
            Shape::Apart | Shape::Any if self.early_ms.is_none() => state.open.first().map(|open| open.span.end_ms),
            Shape::Apart | Shape::Any | Shape::Growing => {
                let closes = state.open.first().map(|open| self.due_ms(state, open));
                let early = state.open.last().and_then(|open| self.next_early(open));
                early.into_iter().chain(closes).min()
            }
            Shape::Panes => state.panes.as_ref().and_then(|panes| panes.next).map(|next| next.end_ms),
            Shape::Counted => {
                let panes = state.panes.as_ref().filter(|_| !state.is_idle())?;
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
        let time_ms = env.event.header.time_ms;
        if self.deadline(state).is_some_and(|due_ms| due_ms <= time_ms) {
            self.advance(state, scratch, time_ms, Clock::Event, env, out);
        }
        match self.shape {
            Shape::Apart | Shape::Growing => {
                if let Some(open) = state.open.last_mut()
                    && open.span.contains(time_ms)
                {
                    if self.shape == Shape::Growing {
                        open.span = self.assigner.grow(open.span, time_ms);
                    }
                    self.add(&mut open.accumulators, input, env);
                    if open.empty {
                        self.no_longer_empty(open, time_ms);
                    }
                } else {
                    self.open_and_add(state, scratch, input, env);
                }
            }
            Shape::Any => self.open_and_add(state, scratch, input, env),
            Shape::Panes => self.add_to_pane(state, time_ms, input, env),
            Shape::Counted => self.count(state, input, env, out),
        }
    }

    /// Gives the results that are due at `to_ms` or before. `env` needs no event: results look at the window and the key.
    pub fn advance(
        &self,
        state: &mut KeyState,
        _scratch: &mut Scratch,
        to_ms: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        if let Some(panes) = &mut state.panes {
            if self.shape == Shape::Panes {
                self.close_panes(panes, state.offset_ms, to_ms, clock, env, out);
            } else if self.deadline(state).is_some_and(|silent_ms| silent_ms <= to_ms) {
                *state = KeyState::default();
            }
        } else {
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
        if self.draws_anew() && state.is_idle() {
            *state = KeyState::default();
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
        self.emit(span, at_ms, (&open.accumulators, &[]), clock, env, out);
    }

    fn close_first(&self, state: &mut KeyState, clock: Clock, env: &Env<'_>, out: &mut Vec<Emission>) {
        let Some(due_ms) = state.open.first().map(|open| self.due_ms(state, open)) else { return };
        let mut closed = state.open.remove(0);
        self.emit(closed.span, due_ms, (&closed.accumulators, &[]), clock, env, out);
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
    fn open_and_add(&self, state: &mut KeyState, scratch: &mut Scratch, input: usize, env: &Env<'_>) {
        let time_ms = env.event.header.time_ms;
        let offset_ms = state.offset_or(|| self.draw(input, env));
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
                self.add(&mut open.accumulators, input, env);
                self.no_longer_empty(open, time_ms);
            } else {
                let mut open = OpenWindow { span, empty: true, early: 0, accumulators: self.blank() };
                self.add(&mut open.accumulators, input, env);
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

    fn blank(&self) -> Accumulators {
        self.kinds().map(Accumulator::new).collect()
    }

    /// Adds an event to its pane. `instant` is its time, or its number.
    fn add_to_pane(&self, state: &mut KeyState, instant: TimeMs, input: usize, env: &Env<'_>) {
        let offset_ms = state.offset_or(|| self.draw(input, env));
        let time_ms = env.event.header.time_ms;
        let panes = state.panes.get_or_insert_default();
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
            self.add(&mut pane.accumulators, input, env);
        }
    }

    /// Adds an event to the windows that are counted, and closes those that it fills.
    fn count(&self, state: &mut KeyState, input: usize, env: &Env<'_>, out: &mut Vec<Emission>) {
        let number = state.panes.get_or_insert_default().count;
        self.add_to_pane(state, number, input, env);
        let (offset_ms, Some(panes)) = (state.offset_ms, &mut state.panes) else { return };
        panes.count = number.saturating_add(1);
        panes.last_ms = env.event.header.time_ms;
        self.close_panes(panes, offset_ms, panes.count, Clock::Event, env, out);
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
                    self.emit(span, total.last_ms, (&total.accumulators, panes.running()), clock, env, out);
                }
                Some(total) => {
                    self.emit(closed, closed.end_ms, (&total.accumulators, panes.running()), clock, env, out);
                }
                None => self.emit(closed, closed.end_ms, (&self.blank(), &[]), clock, env, out),
            }
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
    fn add(&self, accumulators: &mut Accumulators, input: usize, env: &Env<'_>) {
        let Some(feeds) = self.feeds.get(input) else { return };
        let time_ms = env.event.header.time_ms;
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

    #[cold]
    fn emit(
        &self,
        span: Span,
        time_ms: TimeMs,
        (accumulators, running): (&[Accumulator], &[Option<Running>]),
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let bound = WindowBound { span, accumulators, running };
        let env = env.with_bound(&bound);
        if self.having.as_ref().is_some_and(|having| !having.is_true(&env)) {
            return;
        }
        out.push(Emission {
            kind: EmissionKind::Window,
            time_ms,
            start_ms: span.start_ms,
            end_ms: span.end_ms,
            // What closes a counted window is the event that fills it.
            clock: (self.shape != Shape::Counted).then_some(clock),
            values: self.outputs.iter().map(|output| output.value(&env)).collect(),
            taken: Vec::new(),
            row: None,
            dropped: 0,
        });
    }
}
