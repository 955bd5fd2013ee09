//! Aggregates along a partial match. A fold is the result after one event; the next event's is made from it, and partial
//! matches that share a prefix share its folds.

use crate::{
    geo::{Position, geodesic_m},
    model::{DecodeError, Reader, Type, Value, Writer},
    op::aggregate::Accumulator,
    plan::AggregateKind,
};
use std::cmp::Ordering;

/// A sum of floats with what rounding lost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Precise {
    sum: f64,
    lost: f64,
}

impl Precise {
    fn plus(self, x: f64) -> Self {
        let sum = self.sum + x;
        let lost = if self.sum.abs() >= x.abs() { (self.sum - sum) + x } else { (x - sum) + self.sum };
        Self { sum, lost: self.lost + lost }
    }

    fn total(self) -> f64 {
        self.sum + self.lost
    }
}

/// An aggregate after some events.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Fold {
    /// No event counted yet.
    #[default]
    Empty,
    /// Values, or different values and the last one.
    Count(u64, Value),
    /// A sum of ints or durations; none past 64 bits.
    Whole(Option<i64>),
    /// A sum of floats.
    Float(Precise),
    /// A mean.
    Mean(Precise, u64),
    /// The value that counts.
    One(Value),
    /// The last position and the way to it.
    Way(Position, Precise),
    /// Any other whose state is of one size: a fold is a copy of the one before with a value more.
    Copied(Copied),
}

/// The state of an aggregate; two are equal whose results are.
#[derive(Clone, Debug)]
pub(super) struct Copied(Box<Accumulator>);

impl PartialEq for Copied {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind() == other.0.kind() && self.0.result() == other.0.result()
    }
}

/// The kinds that are copied; a state says by its place here which it is.
const COPIED: [AggregateKind; 5] = [
    AggregateKind::Stddev,
    AggregateKind::Centroid,
    AggregateKind::BoundingBox,
    AggregateKind::Displacement,
    AggregateKind::Straightness,
];

impl Fold {
    /// The fold after one more value that is not null. `seen`: for distinct counts, whether it was there before.
    pub(super) fn with(&self, kind: AggregateKind, value: Value, seen: impl FnOnce(&Value) -> bool) -> Fold {
        let number = || value.number().unwrap_or(0.0);
        match (kind, self) {
            (AggregateKind::Count, fold) => Fold::Count(fold.count() + 1, Value::Null),
            (AggregateKind::Distinct, fold) => {
                let count = fold.count() + u64::from(!seen(&value));
                Fold::Count(count, value)
            }
            (AggregateKind::Sum, fold) => match (&value, fold) {
                (Value::Int(x) | Value::Duration(x), Fold::Empty) => Fold::Whole(Some(*x)),
                (Value::Int(x) | Value::Duration(x), Fold::Whole(sum)) => {
                    Fold::Whole(sum.and_then(|sum| sum.checked_add(*x)))
                }
                (_, Fold::Float(sum)) => Fold::Float(sum.plus(number())),
                (_, Fold::Whole(Some(sum))) => Fold::Float(Precise::default().plus(*sum as f64).plus(number())),
                (_, Fold::Whole(None)) => Fold::Whole(None),
                _ => Fold::Float(Precise::default().plus(number())),
            },
            (AggregateKind::Avg, Fold::Mean(sum, count)) => Fold::Mean(sum.plus(number()), count + 1),
            (AggregateKind::Avg, _) => Fold::Mean(Precise::default().plus(number()), 1),
            (AggregateKind::Min, Fold::One(best)) if value.compare(best) != Some(Ordering::Less) => self.clone(),
            (AggregateKind::Max, Fold::One(best)) if value.compare(best) != Some(Ordering::Greater) => self.clone(),
            (AggregateKind::First, Fold::One(_)) => self.clone(),
            (AggregateKind::Min | AggregateKind::Max | AggregateKind::First | AggregateKind::Last, _) => {
                Fold::One(value)
            }
            (AggregateKind::PathLength, fold) => match (value, fold) {
                (Value::Point(to), Fold::Way(from, metres)) => Fold::Way(to, metres.plus(geodesic_m(*from, to))),
                (Value::Point(to), _) => Fold::Way(to, Precise::default()),
                (_, fold) => fold.clone(),
            },
            (kind, fold) if COPIED.contains(&kind) => {
                let mut copy = match fold {
                    Fold::Copied(Copied(before)) if before.kind() == kind => before.clone(),
                    _ => Box::new(Accumulator::new(kind)),
                };
                copy.add(&value, 0);
                Fold::Copied(Copied(copy))
            }
            // The others are of windows: the checker refuses them here.
            (_, fold) => fold.clone(),
        }
    }

    fn count(&self) -> u64 {
        match self {
            Fold::Count(count, _) => *count,
            _ => 0,
        }
    }

    /// Whether a distinct count met this value last.
    pub(super) fn met(&self, value: &Value) -> bool {
        matches!(self, Fold::Count(_, last) if last.compare(value) == Some(Ordering::Equal))
    }

    /// The result.
    pub(super) fn result(&self, kind: AggregateKind, ty: Type) -> Value {
        match (kind, self) {
            (AggregateKind::Count | AggregateKind::Distinct, fold) => {
                Value::Int(i64::try_from(fold.count()).unwrap_or(i64::MAX))
            }
            (AggregateKind::Sum, Fold::Empty) => match ty {
                Type::Int => Value::Int(0),
                Type::Duration => Value::Duration(0),
                _ => Value::Float(0.0),
            },
            (AggregateKind::PathLength | AggregateKind::Displacement, Fold::Empty) => Value::Float(0.0),
            (_, Fold::Empty | Fold::Count(..) | Fold::Whole(None)) => Value::Null,
            (_, Fold::Whole(Some(sum))) if ty == Type::Duration => Value::Duration(*sum),
            (_, Fold::Whole(Some(sum))) => Value::Int(*sum),
            (_, Fold::Float(sum)) => Value::from(sum.total()),
            (_, Fold::Mean(sum, count)) => {
                let mean = sum.total() / *count as f64;
                match ty {
                    Type::Duration => Value::Duration(mean.round() as i64),
                    Type::Time => Value::Time(mean.round() as i64),
                    _ => Value::from(mean),
                }
            }
            (_, Fold::One(value)) => value.clone(),
            (_, Fold::Way(_, metres)) => Value::from(metres.total()),
            (_, Fold::Copied(Copied(aggregate))) => aggregate.result(),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Fold::One(value) | Fold::Count(_, value) => value.heap_bytes(),
            Fold::Copied(Copied(aggregate)) => size_of::<Accumulator>() + aggregate.heap_bytes(),
            _ => 0,
        }
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        let precise = |writer: &mut Writer, sum: &Precise| {
            writer.f64(sum.sum);
            writer.f64(sum.lost);
        };
        match self {
            Fold::Empty => writer.u8(0),
            Fold::Count(count, last) => {
                writer.u8(1);
                writer.u64(*count);
                writer.value(last);
            }
            Fold::Whole(sum) => {
                writer.u8(2);
                writer.time(*sum);
            }
            Fold::Float(sum) => {
                writer.u8(3);
                precise(writer, sum);
            }
            Fold::Mean(sum, count) => {
                writer.u8(4);
                precise(writer, sum);
                writer.u64(*count);
            }
            Fold::One(value) => {
                writer.u8(5);
                writer.value(value);
            }
            Fold::Way(last, metres) => {
                writer.u8(6);
                writer.value(&Value::Point(*last));
                precise(writer, metres);
            }
            Fold::Copied(Copied(aggregate)) => {
                writer.u8(7);
                let kind = aggregate.kind();
                writer.u8(COPIED.iter().position(|copied| *copied == kind).unwrap_or(0) as u8);
                aggregate.save(writer);
            }
        }
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let precise =
            |reader: &mut Reader<'_>| Ok::<_, DecodeError>(Precise { sum: reader.f64()?, lost: reader.f64()? });
        Ok(match reader.u8()? {
            0 => Fold::Empty,
            1 => Fold::Count(reader.u64()?, reader.value()?),
            2 => Fold::Whole(reader.time()?),
            3 => Fold::Float(precise(reader)?),
            4 => Fold::Mean(precise(reader)?, reader.u64()?),
            5 => Fold::One(reader.value()?),
            6 => match reader.value()? {
                Value::Point(last) => Fold::Way(last, precise(reader)?),
                _ => return Err(DecodeError::Unexpected { found: 6, expected: "a position" }),
            },
            7 => {
                let found = reader.u8()?;
                let kind = COPIED.get(usize::from(found)).copied();
                let kind = kind.ok_or(DecodeError::Unexpected { found: found.into(), expected: "an aggregate" })?;
                Fold::Copied(Copied(Box::new(Accumulator::load(kind, reader)?)))
            }
            found => return Err(DecodeError::Unexpected { found: found.into(), expected: "an aggregate" }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(kind: AggregateKind, ty: Type, values: &[Value]) -> Value {
        let mut seen: Vec<Value> = Vec::new();
        let mut fold = Fold::default();
        for value in values {
            fold = fold.with(kind, value.clone(), |value| seen.contains(value));
            seen.push(value.clone());
        }
        fold.result(kind, ty)
    }

    #[test]
    fn aggregates_over_a_variable_give_what_their_names_say() {
        let ints = [3, 1, 3].map(Value::Int);
        for (kind, expected, of_none) in [
            (AggregateKind::Count, Value::Int(3), Value::Int(0)),
            (AggregateKind::Sum, Value::Int(7), Value::Int(0)),
            (AggregateKind::Min, Value::Int(1), Value::Null),
            (AggregateKind::Max, Value::Int(3), Value::Null),
            (AggregateKind::First, Value::Int(3), Value::Null),
            (AggregateKind::Last, Value::Int(3), Value::Null),
            (AggregateKind::Distinct, Value::Int(2), Value::Int(0)),
            (AggregateKind::Avg, Value::Float(7.0 / 3.0), Value::Null),
        ] {
            assert_eq!(fold(kind, Type::Int, &ints), expected, "{kind:?}");
            assert_eq!(fold(kind, Type::Int, &[]), of_none, "{kind:?} of nothing");
        }
    }

    #[test]
    fn a_fold_that_is_copied_leaves_the_one_before_as_it_was_and_saves() {
        let kind = AggregateKind::Stddev;
        let grow = |fold: &Fold, x: i64| fold.with(kind, Value::Int(x), |_| false);
        let two = grow(&grow(&Fold::default(), 1), 3);
        let three = grow(&two, 100);
        assert_eq!(two.result(kind, Type::Float), Value::Float(2.0f64.sqrt()));
        assert_ne!(three, two);
        let mut writer = Writer::new();
        three.save(&mut writer);
        let bytes = writer.into_bytes();
        assert_eq!(Fold::load(&mut Reader::new(&bytes)).unwrap(), three);
        assert_eq!(fold(kind, Type::Float, &[]), Value::Null);
        let [a, b] = [(1.0, 0.0), (3.0, 0.0)].map(|(lon, lat)| Value::Point(Position::new(lon, lat).unwrap()));
        let box_of_two = fold(AggregateKind::BoundingBox, Type::List, &[a, b]);
        assert_eq!(box_of_two, Value::List(std::sync::Arc::new([1.0, 0.0, 3.0, 0.0].map(Value::Float).to_vec())));
    }

    #[test]
    fn sums_stay_exact_and_turn_null_past_64_bits() {
        assert_eq!(fold(AggregateKind::Sum, Type::Int, &[Value::Int(i64::MAX), Value::Int(1)]), Value::Null);
        let floats: Vec<Value> = [1e16, 1.0, -1e16].map(Value::Float).to_vec();
        assert_eq!(fold(AggregateKind::Sum, Type::Float, &floats), Value::Float(1.0));
    }
}
