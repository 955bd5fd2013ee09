//! One aggregate of any kind: the closed set as an enum, so that a state holds them flat.

use super::{
    approx_distinct::ApproxDistinct,
    avg::Avg,
    bounding_box::BoundingBox,
    centroid::Centroid,
    collect::Collect,
    convex_hull::ConvexHull,
    count::Count,
    displacement::{Displacement, Straightness},
    distinct::Distinct,
    edge::{First, Last},
    ewma::Ewma,
    extreme::{Max, Min},
    list::List,
    path_length::PathLength,
    quantile::Quantile,
    stddev::Stddev,
    sum::Sum,
    top_k::TopK,
};
use crate::{
    model::{DecodeError, Reader, TimeMs, Type, Value, Writer},
    plan::AggregateKind,
};

/// The running state of an aggregate.
#[derive(Clone, Debug)]
pub struct Accumulator(pub(super) Repr);

#[derive(Clone, Debug)]
pub(super) enum Repr {
    Count(Count),
    Sum(Sum),
    Avg(Avg),
    Min(Min),
    Max(Max),
    Distinct(Box<Distinct>),
    First(First),
    Last(Last),
    PathLength(Box<PathLength>),
    Displacement(Box<Displacement>),
    Straightness(Box<Straightness>),
    Stddev(Stddev),
    ApproxDistinct(Box<ApproxDistinct>),
    Quantile(Box<Quantile>),
    TopK(Box<TopK>),
    Ewma(Box<Ewma>),
    Centroid(Box<Centroid>),
    BoundingBox(Box<BoundingBox>),
    ConvexHull(Box<ConvexHull>),
    Collect(Box<Collect>),
    List(Box<List>),
}

// A key's state holds these flat: growth is a decision.
const _: () = assert!(size_of::<Accumulator>() <= 40);

/// Runs `$body` with `$it` bound to the aggregate, whichever it is.
macro_rules! each {
    ($repr:expr, $it:ident => $body:expr) => {
        match $repr {
            Repr::Count($it) => $body,
            Repr::Sum($it) => $body,
            Repr::Avg($it) => $body,
            Repr::Min($it) => $body,
            Repr::Max($it) => $body,
            Repr::Distinct($it) => $body,
            Repr::First($it) => $body,
            Repr::Last($it) => $body,
            Repr::PathLength($it) => $body,
            Repr::Displacement($it) => $body,
            Repr::Straightness($it) => $body,
            Repr::Stddev($it) => $body,
            Repr::ApproxDistinct($it) => $body,
            Repr::Quantile($it) => $body,
            Repr::TopK($it) => $body,
            Repr::Ewma($it) => $body,
            Repr::Centroid($it) => $body,
            Repr::BoundingBox($it) => $body,
            Repr::ConvexHull($it) => $body,
            Repr::Collect($it) => $body,
            Repr::List($it) => $body,
        }
    };
}

impl Accumulator {
    /// An aggregate over no values.
    pub fn new(kind: AggregateKind) -> Self {
        Self(match kind {
            AggregateKind::Count => Repr::Count(Count::default()),
            AggregateKind::Sum => Repr::Sum(Sum::default()),
            AggregateKind::Avg => Repr::Avg(Avg::default()),
            AggregateKind::Min => Repr::Min(Min::default()),
            AggregateKind::Max => Repr::Max(Max::default()),
            AggregateKind::Distinct => Repr::Distinct(Box::default()),
            AggregateKind::First => Repr::First(First::default()),
            AggregateKind::Last => Repr::Last(Last::default()),
            AggregateKind::PathLength => Repr::PathLength(Box::default()),
            AggregateKind::Displacement => Repr::Displacement(Box::default()),
            AggregateKind::Straightness => Repr::Straightness(Box::default()),
            AggregateKind::Stddev => Repr::Stddev(Stddev::default()),
            AggregateKind::ApproxDistinct => Repr::ApproxDistinct(Box::default()),
            AggregateKind::Quantile { millionths } => Repr::Quantile(Box::new(Quantile::new(millionths))),
            AggregateKind::TopK { k } => Repr::TopK(Box::new(TopK::new(k))),
            AggregateKind::Ewma { half_life_ms } => Repr::Ewma(Box::new(Ewma::new(half_life_ms))),
            AggregateKind::Centroid => Repr::Centroid(Box::default()),
            AggregateKind::BoundingBox => Repr::BoundingBox(Box::default()),
            AggregateKind::ConvexHull => Repr::ConvexHull(Box::default()),
            AggregateKind::Collect => Repr::Collect(Box::default()),
            AggregateKind::List => Repr::List(Box::default()),
        })
    }

    /// How many values came, where that is what it computes.
    #[inline]
    pub fn count(&self) -> Option<u64> {
        match &self.0 {
            Repr::Count(count) => Some(count.count()),
            _ => None,
        }
    }

    /// What it computes.
    pub fn kind(&self) -> AggregateKind {
        match &self.0 {
            Repr::Count(_) => AggregateKind::Count,
            Repr::Sum(_) => AggregateKind::Sum,
            Repr::Avg(_) => AggregateKind::Avg,
            Repr::Min(_) => AggregateKind::Min,
            Repr::Max(_) => AggregateKind::Max,
            Repr::Distinct(_) => AggregateKind::Distinct,
            Repr::First(_) => AggregateKind::First,
            Repr::Last(_) => AggregateKind::Last,
            Repr::PathLength(_) => AggregateKind::PathLength,
            Repr::Displacement(_) => AggregateKind::Displacement,
            Repr::Straightness(_) => AggregateKind::Straightness,
            Repr::Stddev(_) => AggregateKind::Stddev,
            Repr::ApproxDistinct(_) => AggregateKind::ApproxDistinct,
            Repr::Quantile(it) => AggregateKind::Quantile { millionths: it.millionths },
            Repr::TopK(it) => AggregateKind::TopK { k: it.k },
            Repr::Ewma(it) => AggregateKind::Ewma { half_life_ms: it.half_life_ms },
            Repr::Centroid(_) => AggregateKind::Centroid,
            Repr::BoundingBox(_) => AggregateKind::BoundingBox,
            Repr::ConvexHull(_) => AggregateKind::ConvexHull,
            Repr::Collect(_) => AggregateKind::Collect,
            Repr::List(_) => AggregateKind::List,
        }
    }

    /// Whether its state grows with the values that it takes: windows that slide keep a [`Running`](super::Running) of it.
    pub fn is_large(&self) -> bool {
        matches!(
            &self.0,
            Repr::Distinct(_)
                | Repr::ApproxDistinct(_)
                | Repr::Quantile(_)
                | Repr::TopK(_)
                | Repr::Collect(_)
                | Repr::List(_)
        )
    }

    /// Takes a value of an event of that time. Null does not count, nor does a value that the aggregate can't use (the sum
    /// of a text).
    #[inline]
    pub fn add(&mut self, value: &Value, time_ms: TimeMs) {
        if value.is_null() {
            return;
        }
        match &mut self.0 {
            Repr::Count(it) => it.add(value),
            Repr::Sum(it) => it.add(value),
            Repr::Avg(it) => it.add(value),
            Repr::Min(it) => it.add(value),
            Repr::Max(it) => it.add(value),
            Repr::Distinct(it) => it.add(value),
            Repr::First(it) => it.add(value),
            Repr::Last(it) => it.add(value),
            Repr::PathLength(it) => it.add(value),
            Repr::Displacement(it) => it.add(value),
            Repr::Straightness(it) => it.add(value),
            Repr::Stddev(it) => it.add(value),
            Repr::ApproxDistinct(it) => it.add(value),
            Repr::Quantile(it) => it.add(value),
            Repr::TopK(it) => it.add(value),
            Repr::Centroid(it) => it.add(value),
            Repr::BoundingBox(it) => it.add(value),
            Repr::ConvexHull(it) => it.add(value),
            Repr::Collect(it) => it.add(value),
            Repr::List(it) => it.add(value),
            Repr::Ewma(it) => it.add(value, time_ms),
        }
    }

    /// Takes what another one of the same kind took, after everything taken so far. One of another kind changes nothing.
    pub fn merge(&mut self, other: &Accumulator) {
        match (&mut self.0, &other.0) {
            (Repr::Count(a), Repr::Count(b)) => a.merge(b),
            (Repr::Sum(a), Repr::Sum(b)) => a.merge(b),
            (Repr::Avg(a), Repr::Avg(b)) => a.merge(b),
            (Repr::Min(a), Repr::Min(b)) => a.merge(b),
            (Repr::Max(a), Repr::Max(b)) => a.merge(b),
            (Repr::Distinct(a), Repr::Distinct(b)) => a.merge(b),
            (Repr::First(a), Repr::First(b)) => a.merge(b),
            (Repr::Last(a), Repr::Last(b)) => a.merge(b),
            (Repr::PathLength(a), Repr::PathLength(b)) => a.merge(b),
            (Repr::Displacement(a), Repr::Displacement(b)) => a.merge(b),
            (Repr::Straightness(a), Repr::Straightness(b)) => a.merge(b),
            (Repr::Stddev(a), Repr::Stddev(b)) => a.merge(b),
            (Repr::ApproxDistinct(a), Repr::ApproxDistinct(b)) => a.merge(b),
            (Repr::Quantile(a), Repr::Quantile(b)) => a.merge(b),
            (Repr::TopK(a), Repr::TopK(b)) => a.merge(b),
            (Repr::Ewma(a), Repr::Ewma(b)) => a.merge(b),
            (Repr::Centroid(a), Repr::Centroid(b)) => a.merge(b),
            (Repr::BoundingBox(a), Repr::BoundingBox(b)) => a.merge(b),
            (Repr::ConvexHull(a), Repr::ConvexHull(b)) => a.merge(b),
            (Repr::Collect(a), Repr::Collect(b)) => a.merge(b),
            (Repr::List(a), Repr::List(b)) => a.merge(b),
            _ => {}
        }
    }

    /// The result so far. Over no values: counts, path length and displacement 0, lists of values empty, all others null.
    pub fn result(&self) -> Value {
        each!(&self.0, it => it.result())
    }

    /// The result so far, a sum over no values being the zero of its type: how Flink's patterns count.
    pub fn result_or_zero(&self, ty: Type) -> Value {
        match &self.0 {
            Repr::Sum(sum) if sum.is_empty() => match ty {
                Type::Float | Type::Quantity(_) => Value::Float(0.0),
                Type::Duration => Value::Duration(0),
                _ => Value::Int(0),
            },
            _ => self.result(),
        }
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        *self = Self::new(self.kind());
    }

    /// Writes the state; the kind is not in it.
    pub fn save(&self, writer: &mut Writer) {
        each!(&self.0, it => it.save(writer));
    }

    /// Reads what [`save`](Self::save) wrote for an aggregate of this kind.
    ///
    /// # Errors
    /// When the bytes are no such state.
    pub fn load(kind: AggregateKind, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(match kind {
            AggregateKind::Count => Repr::Count(Count::load(reader)?),
            AggregateKind::Sum => Repr::Sum(Sum::load(reader)?),
            AggregateKind::Avg => Repr::Avg(Avg::load(reader)?),
            AggregateKind::Min => Repr::Min(Min::load(reader)?),
            AggregateKind::Max => Repr::Max(Max::load(reader)?),
            AggregateKind::Distinct => Repr::Distinct(Box::new(Distinct::load(reader)?)),
            AggregateKind::First => Repr::First(First::load(reader)?),
            AggregateKind::Last => Repr::Last(Last::load(reader)?),
            AggregateKind::PathLength => Repr::PathLength(Box::new(PathLength::load(reader)?)),
            AggregateKind::Displacement => Repr::Displacement(Box::new(Displacement::load(reader)?)),
            AggregateKind::Straightness => Repr::Straightness(Box::new(Straightness::load(reader)?)),
            AggregateKind::Stddev => Repr::Stddev(Stddev::load(reader)?),
            AggregateKind::ApproxDistinct => Repr::ApproxDistinct(Box::new(ApproxDistinct::load(reader)?)),
            AggregateKind::Quantile { millionths } => Repr::Quantile(Box::new(Quantile::load(millionths, reader)?)),
            AggregateKind::TopK { k } => Repr::TopK(Box::new(TopK::load(k, reader)?)),
            AggregateKind::Ewma { half_life_ms } => Repr::Ewma(Box::new(Ewma::load(half_life_ms, reader)?)),
            AggregateKind::Centroid => Repr::Centroid(Box::new(Centroid::load(reader)?)),
            AggregateKind::BoundingBox => Repr::BoundingBox(Box::new(BoundingBox::load(reader)?)),
            AggregateKind::ConvexHull => Repr::ConvexHull(Box::new(ConvexHull::load(reader)?)),
            AggregateKind::Collect => Repr::Collect(Box::new(Collect::load(reader)?)),
            AggregateKind::List => Repr::List(Box::new(List::load(reader)?)),
        }))
    }

    /// Bytes on the heap that it holds on to.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Count(_) | Repr::Sum(_) | Repr::Avg(_) | Repr::Stddev(_) => 0,
            Repr::Min(it) => it.heap_bytes(),
            Repr::Max(it) => it.heap_bytes(),
            Repr::Distinct(it) => size_of::<Distinct>() + it.heap_bytes(),
            Repr::First(it) => it.heap_bytes(),
            Repr::Last(it) => it.heap_bytes(),
            Repr::PathLength(_) => size_of::<PathLength>(),
            Repr::Displacement(_) => size_of::<Displacement>(),
            Repr::Straightness(_) => size_of::<Straightness>(),
            Repr::ApproxDistinct(it) => size_of::<ApproxDistinct>() + it.heap_bytes(),
            Repr::Quantile(it) => size_of::<Quantile>() + it.heap_bytes(),
            Repr::TopK(it) => size_of::<TopK>() + it.heap_bytes(),
            Repr::Ewma(_) => size_of::<Ewma>(),
            Repr::Centroid(_) => size_of::<Centroid>(),
            Repr::BoundingBox(_) => size_of::<BoundingBox>(),
            Repr::ConvexHull(it) => size_of::<ConvexHull>() + it.heap_bytes(),
            Repr::Collect(it) => size_of::<Collect>() + it.heap_bytes(),
            Repr::List(it) => size_of::<List>() + it.heap_bytes(),
        }
    }
}
