//! The program of a window rule, and its steps.

use super::{
    KeyState, Scratch, Span, Stagger, Tumbling, WindowAssigner,
    state::{OpenWindow, WindowBound},
};
use crate::{
    expr::{Env, Expr, Node},
    model::{Clock, Emission, EmissionKind, Key, TimeMs, Value, format_duration},
    op::aggregate::Accumulator,
    plan::{self, AggregateKind, Jitter, WindowKind},
};
use std::{fmt::Write, sync::Arc};

/// A plan that no window program can be built from: the checker lets none through.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// The size of a window is not positive.
    #[error("a window of {size_ms} ms: its size must be more than 0")]
    Size {
        /// The size given.
        size_ms: TimeMs,
    },
    /// The share of the size that JITTER draws from is out of range.
    #[error("jitter of {percent} %: it must be more than 0 and at most 100")]
    Percent {
        /// The percentage given.
        percent: f64,
    },
    /// The assigner does not say over which time keys may be spread.
    #[error("`{assigner}` windows can't be jittered")]
    NoStagger {
        /// What the assigner calls itself.
        assigner: String,
    },
    /// Something that there must be one of for each stream of the rule is missing for one.
    #[error("{what} for {found} of {inputs} streams")]
    Inputs {
        /// What is missing.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many streams the rule reads.
        inputs: usize,
    },
    /// An output has no expression.
    #[error("output `{name}` has no value")]
    Output {
        /// The output's name.
        name: String,
    },
}

/// A window rule, ready to run: immutable, shared by all keys and shards.
#[derive(Clone, Debug)]
pub struct Program {
    assigner: Arc<dyn WindowAssigner>,
    /// Whether windows of a key may overlap, asked once.
    overlaps: bool,
    offset: Offset,
    kinds: Vec<AggregateKind>,
    /// For each input what each aggregate takes, in the order of `kinds`.
    feeds: Vec<Vec<Feed>>,
    outputs: Vec<Expr>,
    having: Option<Expr>,
}

/// Where a key's offset comes from.
#[derive(Clone, Debug)]
enum Offset {
    Fixed(TimeMs),
    ByKey(Stagger),
    /// For each input the value.
    ByValue(Stagger, Vec<Expr>),
}

/// What an aggregate takes of the events of one input.
#[derive(Clone, Debug)]
struct Feed {
    filter: Option<Expr>,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// Events of this input don't count.
    Nothing,
    /// The same for every event: `count(orders)`.
    Constant(Value),
    /// A field as it is: taken where it stands, which spares a copy per event.
    Field(u16),
    Expr(Expr),
}

impl Source {
    fn of(arg: Expr) -> Self {
        match arg.nodes() {
            [Node::Const(value)] => Self::Constant(value.clone()),
            [Node::Field(slot)] => Self::Field(*slot),
            _ => Self::Expr(arg),
        }
    }
}

impl Program {
    /// The program of a rule's WINDOW clause. `name` is the rule's name, `seed` the run's; both only matter to jitter.
    ///
    /// # Errors
    /// When the plan is not one that the checker makes.
    pub fn new(
        window: &plan::Window,
        name: &str,
        seed: u64,
        inputs: &[plan::Input],
        outputs: &[plan::OutputField],
        having: Option<&Expr>,
    ) -> Result<Self, BuildError> {
        let WindowKind::Tumbling { size_ms } = window.kind;
        let assigner = Tumbling::new(size_ms).ok_or(BuildError::Size { size_ms })?;
        Self::with_assigner(Arc::new(assigner), window, name, seed, inputs, outputs, having)
    }

    /// The same with a user's own assigner in place of `window.kind`, which is not looked at.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when the rule has JITTER but the assigner has no [`WindowAssigner::stagger_ms`].
    pub fn with_assigner(
        assigner: Arc<dyn WindowAssigner>,
        window: &plan::Window,
        name: &str,
        seed: u64,
        inputs: &[plan::Input],
        outputs: &[plan::OutputField],
        having: Option<&Expr>,
    ) -> Result<Self, BuildError> {
        let count = inputs.len();
        let per_input = |what, found| {
            if found == count { Ok(()) } else { Err(BuildError::Inputs { what, found, inputs: count }) }
        };
        let offset = match &window.jitter {
            Jitter::Aligned => Offset::Fixed(0),
            Jitter::Offset { offset_ms } => Offset::Fixed(*offset_ms),
            Jitter::Drawn { percent, by } => {
                let period =
                    assigner.stagger_ms().ok_or_else(|| BuildError::NoStagger { assigner: assigner.describe() })?;
                let stagger =
                    Stagger::new(name, seed, *percent, period).ok_or(BuildError::Percent { percent: *percent })?;
                match by {
                    None => Offset::ByKey(stagger),
                    Some(by) => {
                        per_input("a value to jitter by", by.exprs.len())?;
                        Offset::ByValue(stagger, by.exprs.clone())
                    }
                }
            }
        };
        for aggregate in &window.aggregates {
            per_input("an aggregate's argument", aggregate.args.len())?;
            per_input("an aggregate's filter", aggregate.filter.len())?;
        }
        let feeds = (0..count).map(|input| {
            let feed = |aggregate: &plan::Aggregate| Feed {
                filter: aggregate.filter.get(input).cloned().flatten(),
                source: match aggregate.args.get(input).cloned().flatten() {
                    None => Source::Nothing,
                    Some(arg) => Source::of(arg),
                },
            };
            window.aggregates.iter().map(feed).collect()
        });
        // Windows look at the aggregates and the key only, so the first of an output's expressions is all of them.
        let values = outputs.iter().map(|output| {
            output.exprs.first().cloned().ok_or_else(|| BuildError::Output { name: output.name.clone() })
        });
        Ok(Self {
            overlaps: assigner.overlaps(),
            assigner,
            offset,
            kinds: window.aggregates.iter().map(|aggregate| aggregate.kind).collect(),
            feeds: feeds.collect(),
            outputs: values.collect::<Result<_, _>>()?,
            having: having.cloned(),
        })
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
        if state.deadline().is_some_and(|end_ms| end_ms <= time_ms) {
            self.advance(state, scratch, time_ms, Clock::Event, env, out);
        }
        if !self.overlaps
            && let Some(open) = state.open.first_mut()
            && open.span.contains(time_ms)
        {
            self.add(open, input, env);
        } else {
            self.open_and_add(state, scratch, input, env);
        }
    }

    /// Closes the windows that end at `to_ms` or before. `env` needs no event: results look at the window and the key.
    pub fn advance(
        &self,
        state: &mut KeyState,
        _scratch: &mut Scratch,
        to_ms: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        while state.deadline().is_some_and(|end_ms| end_ms <= to_ms) {
            let mut closed = state.open.remove(0);
            self.emit(&closed, clock, env, out);
            if closed.empty || !state.open.is_empty() {
                continue;
            }
            // A silent key gives one empty result: the next window waits for it. A window that did not come later than
            // the one that closed would make this loop forever.
            if let Some(offset_ms) = state.offset_ms()
                && let Some(span) = self.assigner.next(closed.span, offset_ms)
                && span.end_ms > closed.span.end_ms
                && span.start_ms < span.end_ms
            {
                closed.span = span;
                closed.empty = true;
                closed.accumulators.iter_mut().for_each(Accumulator::reset);
                state.open.push(closed);
            }
        }
    }

    /// The offset of a key's windows. With `JITTER … BY` the argument is the key that holds only that value.
    pub fn offset_of(&self, key: &Key) -> TimeMs {
        match &self.offset {
            Offset::Fixed(offset_ms) => *offset_ms,
            Offset::ByKey(stagger) | Offset::ByValue(stagger, _) => stagger.offset_ms(key),
        }
    }

    /// What it does, a line for people: `tumbling 5 min, each key shifted by up to 5 min; count, sum`.
    pub fn explain(&self) -> String {
        let mut text = self.assigner.describe();
        // Writing to a string can't fail.
        let _ = match &self.offset {
            Offset::Fixed(0) => Ok(()),
            Offset::Fixed(offset_ms) => write!(text, ", shifted by {}", format_duration(*offset_ms)),
            Offset::ByKey(stagger) => write!(text, ", each key shifted by up to {}", places(stagger)),
            Offset::ByValue(stagger, _) => write!(text, ", each value of BY shifted by up to {}", places(stagger)),
        };
        for (at, kind) in self.kinds.iter().enumerate() {
            text.push_str(if at == 0 { "; " } else { ", " });
            text.push_str(word(*kind));
        }
        if self.having.is_some() {
            text.push_str("; having");
        }
        text.push('\n');
        text
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = AggregateKind> {
        self.kinds.iter().copied()
    }

    /// The way of a window's first event, and of every event where windows may overlap.
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
                self.add(open, input, env);
            } else {
                let mut open = self.open(span);
                self.add(&mut open, input, env);
                state.insert(open);
            }
        }
    }

    fn open(&self, span: Span) -> OpenWindow {
        OpenWindow { span, empty: true, accumulators: self.kinds().map(Accumulator::new).collect() }
    }

    #[inline]
    fn add(&self, open: &mut OpenWindow, input: usize, env: &Env<'_>) {
        open.empty = false;
        let Some(feeds) = self.feeds.get(input) else { return };
        for (accumulator, feed) in open.accumulators.iter_mut().zip(feeds) {
            if feed.filter.as_ref().is_some_and(|filter| !filter.is_true(env)) {
                continue;
            }
            match &feed.source {
                Source::Nothing => {}
                Source::Constant(value) => accumulator.add(value),
                Source::Field(slot) => {
                    if let Some(value) = env.event.values.get(usize::from(*slot)) {
                        accumulator.add(value);
                    }
                }
                Source::Expr(expr) => accumulator.add(&expr.value(env)),
            }
        }
    }

    #[cold]
    fn emit(&self, closed: &OpenWindow, clock: Clock, env: &Env<'_>, out: &mut Vec<Emission>) {
        let bound = WindowBound(closed);
        let env = env.with_bound(&bound);
        if self.having.as_ref().is_some_and(|having| !having.is_true(&env)) {
            return;
        }
        out.push(Emission {
            kind: EmissionKind::Window,
            time_ms: closed.span.end_ms,
            start_ms: closed.span.start_ms,
            end_ms: closed.span.end_ms,
            clock: Some(clock),
            values: self.outputs.iter().map(|output| output.value(&env)).collect(),
            taken: Vec::new(),
            row: None,
            dropped: 0,
        });
    }

    fn draw(&self, input: usize, env: &Env<'_>) -> TimeMs {
        match &self.offset {
            Offset::Fixed(offset_ms) => *offset_ms,
            Offset::ByKey(stagger) => stagger.offset_ms(env.key),
            Offset::ByValue(stagger, exprs) => {
                let value = exprs.get(input).map_or(Value::Null, |expr| expr.value(env));
                stagger.offset_ms(&Key::new([&value]))
            }
        }
    }
}

fn places(stagger: &Stagger) -> String {
    format_duration(i64::try_from(stagger.places_ms()).unwrap_or(i64::MAX))
}

fn word(kind: AggregateKind) -> &'static str {
    match kind {
        AggregateKind::Count => "count",
        AggregateKind::Sum => "sum",
        AggregateKind::Avg => "avg",
        AggregateKind::Min => "min",
        AggregateKind::Max => "max",
        AggregateKind::Distinct => "distinct",
        AggregateKind::First => "first",
        AggregateKind::Last => "last",
        AggregateKind::PathLength => "path_length",
    }
}
