//! The program of a window rule, and how it is built.

use super::{
    Calendar, Counted, Cumulative, Session, Shape, Sliding, SoFar, Stagger, Tumbling, WindowAssigner, having::Having,
    state::Accumulators, step::Coming,
};
use crate::{
    expr::{Expr, Node},
    model::{Key, TimeMs, Value, format_duration},
    op::aggregate::Accumulator,
    plan::{self, AggregateKind, Jitter, WindowKind},
};
use std::{fmt::Write, sync::Arc};

/// A plan that no window program can be built from: the checker lets none through.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// Sizes that no windows can have.
    #[error("there are no windows {kind:?}")]
    Kind {
        /// What was given.
        kind: WindowKind,
    },
    /// EMIT EVERY is not more than 0, or windows overlap.
    #[error("windows `{assigner}` can't be put out every {early_ms} ms")]
    Early {
        /// What the assigner calls itself.
        assigner: String,
        /// The period given.
        early_ms: TimeMs,
    },
    /// ALLOWED LATENESS is not more than 0, or these windows depend on the order in which events come.
    #[error("windows `{assigner}` can't take events that are late by up to {late_ms} ms")]
    Late {
        /// What the assigner calls itself.
        assigner: String,
        /// The lateness given.
        late_ms: TimeMs,
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
    pub(super) assigner: Arc<dyn WindowAssigner>,
    /// The assigner's, asked once.
    pub(super) shape: Shape,
    offset: Offset,
    kinds: Vec<AggregateKind>,
    /// For each input what each aggregate takes, in the order of `kinds`.
    pub(super) feeds: Vec<Vec<Feed>>,
    /// EMIT EVERY.
    pub(super) early_ms: Option<TimeMs>,
    /// EXPIRE of windows that are counted, or go on: a key that is silent for so long begins anew.
    pub(super) expire_ms: Option<TimeMs>,
    /// ALLOWED LATENESS.
    pub(super) late_ms: Option<TimeMs>,
    pub(super) outputs: Vec<Expr>,
    pub(super) having: Option<Having>,
    /// Whether a key that falls silent is known to put out nothing for its empty window, so that none needs to wait for it.
    pub(super) silent: bool,
    /// For each input the slots of the event's id and of its position.
    pub(super) reads: Vec<(Option<u16>, Option<u16>)>,
}

/// Where a key's offset comes from.
#[derive(Clone, Debug)]
enum Offset {
    Fixed(TimeMs),
    /// The first event's time, in this period.
    Natural(TimeMs),
    ByKey(Stagger),
    /// For each input the value.
    ByValue(Stagger, Vec<Expr>),
}

/// What an aggregate takes of the events of one input.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub(super) filter: Option<Expr>,
    pub(super) source: Source,
}

#[derive(Clone, Debug)]
pub(super) enum Source {
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
    /// When the plan is not one that the checker makes, or the windows are a user's own: those take
    /// [`with_assigner`](Self::with_assigner).
    pub fn new(
        window: &plan::Window,
        name: &str,
        seed: u64,
        inputs: &[plan::Input],
        outputs: &[plan::OutputField],
        having: Option<&Expr>,
    ) -> Result<Self, BuildError> {
        let assigner = assigner(&window.kind).ok_or_else(|| BuildError::Kind { kind: window.kind.clone() })?;
        let mut program = Self::with_assigner(assigner, window, name, seed, inputs, outputs, having)?;
        if let WindowKind::Count { expire_ms: Some(expire_ms), .. }
        | WindowKind::Running { expire_ms: Some(expire_ms) } = window.kind
        {
            if expire_ms <= 0 {
                return Err(BuildError::Kind { kind: window.kind.clone() });
            }
            program.expire_ms = Some(expire_ms);
        }
        Ok(program)
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
        let period = || {
            let period = assigner.stagger_ms().filter(|period| *period > 0);
            period.ok_or_else(|| BuildError::NoStagger { assigner: assigner.describe() })
        };
        let offset = match &window.jitter {
            Jitter::Aligned => Offset::Fixed(0),
            Jitter::Offset { offset_ms } => Offset::Fixed(*offset_ms),
            Jitter::Natural => Offset::Natural(period()?),
            Jitter::Drawn { percent, by } => {
                let stagger =
                    Stagger::new(name, seed, *percent, period()?).ok_or(BuildError::Percent { percent: *percent })?;
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
        let shape = assigner.shape();
        if let Some(early_ms) = window.early_ms
            && (early_ms <= 0 || !matches!(shape, Shape::Apart | Shape::Growing))
        {
            return Err(BuildError::Early { assigner: assigner.describe(), early_ms });
        }
        if let Some(late_ms) = window.late_ms
            && (late_ms <= 0 || !matches!(shape, Shape::Apart | Shape::Panes) || matches!(offset, Offset::Natural(_)))
        {
            return Err(BuildError::Late { assigner: assigner.describe(), late_ms });
        }
        let kinds: Vec<AggregateKind> = window.aggregates.iter().map(|aggregate| aggregate.kind).collect();
        let having = having.map(|condition| Having::new(condition, &kinds));
        // An offset that is drawn anew lasts while the empty window waits.
        let silent = shape == Shape::Apart
            && !matches!(offset, Offset::Natural(_))
            && having.as_ref().is_some_and(Having::drops_empty);
        Ok(Self {
            shape,
            early_ms: window.early_ms,
            expire_ms: None,
            late_ms: window.late_ms,
            assigner,
            offset,
            kinds,
            feeds: feeds.collect(),
            outputs: values.collect::<Result<_, _>>()?,
            having,
            silent,
            reads: inputs.iter().map(|input| (input.id_slot, input.position_slot)).collect(),
        })
    }

    /// The offset of a key's windows, where it is known before the key's first event. With `JITTER … BY` the argument is the
    /// key that holds only that value.
    pub fn offset_of(&self, key: &Key) -> Option<TimeMs> {
        match &self.offset {
            Offset::Fixed(offset_ms) => Some(*offset_ms),
            Offset::Natural(_) => None,
            Offset::ByKey(stagger) | Offset::ByValue(stagger, _) => Some(stagger.offset_ms(key)),
        }
    }

    /// What it does, a line for people: `tumbling 5 min, each key shifted by up to 5 min; count, sum`.
    pub fn explain(&self) -> String {
        let mut text = self.assigner.describe();
        // Writing to a string can't fail.
        let _ = match &self.offset {
            Offset::Fixed(0) => Ok(()),
            Offset::Fixed(offset_ms) => write!(text, ", shifted by {}", format_duration(*offset_ms)),
            Offset::Natural(_) => write!(text, ", each key's from its first event on"),
            Offset::ByKey(stagger) => write!(text, ", each key shifted by up to {}", places(stagger)),
            Offset::ByValue(stagger, _) => write!(text, ", each value of BY shifted by up to {}", places(stagger)),
        };
        if let Some(early_ms) = self.early_ms {
            let _ = write!(text, ", so far every {}", format_duration(early_ms));
        }
        if let Some(expire_ms) = self.expire_ms {
            let _ = write!(text, ", anew after a silence of {}", format_duration(expire_ms));
        }
        if let Some(late_ms) = self.late_ms {
            let _ = write!(text, ", again for events late by up to {}", format_duration(late_ms));
        }
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

    /// Whether the rule has ALLOWED LATENESS.
    pub fn takes_late(&self) -> bool {
        self.late_ms.is_some()
    }

    /// The aggregates of no event.
    #[inline]
    pub(super) fn blank(&self) -> Accumulators {
        match self.kinds.as_slice() {
            [kind] => Accumulators::One(Accumulator::new(*kind)),
            kinds => kinds.iter().map(|kind| Accumulator::new(*kind)).collect(),
        }
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = AggregateKind> {
        self.kinds.iter().copied()
    }

    /// The offset of a key whose first event this is.
    pub(super) fn draw(&self, coming: Coming<'_>) -> TimeMs {
        let Coming { input, time_ms, env } = coming;
        match &self.offset {
            Offset::Fixed(offset_ms) => *offset_ms,
            Offset::Natural(period_ms) => time_ms.rem_euclid(*period_ms),
            Offset::ByKey(stagger) => stagger.offset_ms(env.key),
            Offset::ByValue(stagger, exprs) => {
                let value = exprs.get(input).map_or(Value::Null, |expr| expr.value(env));
                stagger.offset_ms(&Key::new([&value]))
            }
        }
    }

    /// Whether a key that was idle begins with an offset of its own.
    pub(super) fn draws_anew(&self) -> bool {
        matches!(self.offset, Offset::Natural(_))
    }
}

fn assigner(kind: &WindowKind) -> Option<Arc<dyn WindowAssigner>> {
    fn shared(assigner: Option<impl WindowAssigner + 'static>) -> Option<Arc<dyn WindowAssigner>> {
        assigner.map(|assigner| Arc::new(assigner) as Arc<dyn WindowAssigner>)
    }
    match kind {
        WindowKind::Tumbling { size_ms } => shared(Tumbling::new(*size_ms)),
        WindowKind::Sliding { size_ms, every_ms } => shared(Sliding::new(*size_ms, *every_ms)),
        WindowKind::Cumulative { size_ms, every_ms } => shared(Cumulative::new(*size_ms, *every_ms)),
        WindowKind::Session { gap_ms, max_ms } => shared(Session::new(*gap_ms, *max_ms)),
        WindowKind::Count { size, every, .. } => shared(Counted::new(*size, *every)),
        WindowKind::Running { .. } => shared(Some(SoFar)),
        WindowKind::Calendar { size_ms, offset_ms, zone } => shared(Calendar::new(*size_ms, *offset_ms, zone.clone())),
        WindowKind::Custom { .. } => None,
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
        AggregateKind::Displacement => "displacement",
        AggregateKind::Straightness => "straightness",
        AggregateKind::Stddev => "stddev",
        AggregateKind::ApproxDistinct => "approx_distinct",
        AggregateKind::Quantile { .. } => "quantile",
        AggregateKind::TopK { .. } => "top_k",
        AggregateKind::Ewma { .. } => "ewma",
        AggregateKind::Centroid => "centroid",
        AggregateKind::BoundingBox => "bounding_box",
        AggregateKind::ConvexHull => "convex_hull",
        AggregateKind::Collect => "collect distinct",
        AggregateKind::List => "collect",
    }
}
