//! One aggregate of any kind: the closed set as an enum, so that a state holds them flat.

use super::{
    avg::Avg,
    count::Count,
    distinct::Distinct,
    edge::{First, Last},
    extreme::{Max, Min},
    path_length::PathLength,
    sum::Sum,
};
use crate::{
    model::{DecodeError, Reader, Type, Value, Writer},
    plan::AggregateKind,
};

/// The running state of an aggregate.
#[derive(Clone, Debug)]
pub struct Accumulator(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Count(Count),
    Sum(Sum),
    Avg(Avg),
    Min(Min),
    Max(Max),
    Distinct(Box<Distinct>),
    First(First),
    Last(Last),
    PathLength(Box<PathLength>),
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
        })
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
        }
    }

    /// Takes a value. Null does not count, nor does a value that the aggregate can't use (the sum of a text).
    #[inline]
    pub fn add(&mut self, value: &Value) {
        if value.is_null() {
            return;
        }
        each!(&mut self.0, it => it.add(value));
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
            _ => {}
        }
    }

    /// The result so far. Over no values: count and distinct 0, path length 0, all others null.
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
        }))
    }

    /// Bytes on the heap that it holds on to.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Count(_) | Repr::Sum(_) | Repr::Avg(_) => 0,
            Repr::Min(it) => it.heap_bytes(),
            Repr::Max(it) => it.heap_bytes(),
            Repr::Distinct(it) => size_of::<Distinct>() + it.heap_bytes(),
            Repr::First(it) => it.heap_bytes(),
            Repr::Last(it) => it.heap_bytes(),
            Repr::PathLength(_) => size_of::<PathLength>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    const KINDS: [AggregateKind; 8] = [
        AggregateKind::Count,
        AggregateKind::Sum,
        AggregateKind::Avg,
        AggregateKind::Min,
        AggregateKind::Max,
        AggregateKind::Distinct,
        AggregateKind::First,
        AggregateKind::Last,
    ];

    /// The definition, over a list.
    fn naive(kind: AggregateKind, values: &[Value]) -> Value {
        let values: Vec<&Value> = values.iter().filter(|value| !value.is_null()).collect();
        let sum = || {
            values.iter().fold(0i128, |sum, value| match value {
                Value::Int(x) | Value::Duration(x) => sum + i128::from(*x),
                _ => sum,
            })
        };
        let best = |wanted: Ordering| {
            let best = values.iter().copied().reduce(|a, b| if b.compare(a) == Some(wanted) { b } else { a });
            best.cloned().unwrap_or_default()
        };
        match kind {
            AggregateKind::Count => Value::Int(values.len() as i64),
            AggregateKind::Sum if values.is_empty() => Value::Null,
            AggregateKind::Sum => i64::try_from(sum()).ok().into(),
            AggregateKind::Avg if values.is_empty() => Value::Null,
            AggregateKind::Avg => Value::from(sum() as f64 / values.len() as f64),
            AggregateKind::Min => best(Ordering::Less),
            AggregateKind::Max => best(Ordering::Greater),
            AggregateKind::Distinct => {
                let mut different: Vec<&Value> = Vec::new();
                for value in values {
                    if !different.contains(&value) {
                        different.push(value);
                    }
                }
                Value::Int(different.len() as i64)
            }
            AggregateKind::First => values.first().copied().cloned().unwrap_or_default(),
            AggregateKind::Last => values.last().copied().cloned().unwrap_or_default(),
            AggregateKind::PathLength => Value::Null,
        }
    }

    fn of(kind: AggregateKind, values: &[Value]) -> Accumulator {
        let mut accumulator = Accumulator::new(kind);
        values.iter().for_each(|value| accumulator.add(value));
        accumulator
    }

    fn ints() -> impl Strategy<Value = Vec<Value>> {
        let int = prop_oneof![3 => -20i64..20, 1 => any::<i64>()].prop_map(Value::Int);
        prop::collection::vec(prop_oneof![5 => int, 1 => Just(Value::Null)], 0..80)
    }

    fn texts() -> impl Strategy<Value = Vec<Value>> {
        let text = "[a-d]{0,2}|[a-d]{40}".prop_map(|text: String| Value::Text(text.into()));
        prop::collection::vec(prop_oneof![5 => text, 1 => Just(Value::Null)], 0..80)
    }

    proptest! {
        #[test]
        fn every_aggregate_over_whole_numbers_equals_its_definition(values in ints()) {
            for kind in KINDS {
                prop_assert_eq!(of(kind, &values).result(), naive(kind, &values), "{:?}", kind);
            }
        }

        #[test]
        fn aggregates_that_need_no_number_take_text(values in texts()) {
            use AggregateKind::{Count, Distinct, First, Last, Max, Min};
            for kind in [Count, Distinct, First, Last, Max, Min] {
                prop_assert_eq!(of(kind, &values).result(), naive(kind, &values), "{:?}", kind);
            }
        }

        #[test]
        fn merging_two_is_adding_all(left in ints(), right in ints()) {
            for kind in KINDS {
                let mut merged = of(kind, &left);
                merged.merge(&of(kind, &right));
                let all: Vec<Value> = left.iter().chain(&right).cloned().collect();
                prop_assert_eq!(merged.result(), naive(kind, &all), "{:?}", kind);
            }
        }

        #[test]
        fn saving_and_loading_in_the_middle_changes_nothing(left in ints(), right in texts()) {
            for kind in KINDS {
                let mut whole = of(kind, &left);
                let mut writer = Writer::new();
                whole.save(&mut writer);
                let bytes = writer.into_bytes();
                let mut reader = Reader::new(&bytes);
                let mut loaded = Accumulator::load(kind, &mut reader).unwrap();
                prop_assert!(reader.is_done());
                for value in &right {
                    whole.add(value);
                    loaded.add(value);
                }
                prop_assert_eq!(whole.result(), loaded.result());
                let (mut a, mut b) = (Writer::new(), Writer::new());
                whole.save(&mut a);
                loaded.save(&mut b);
                prop_assert_eq!(a.into_bytes(), b.into_bytes());
            }
        }

        #[test]
        fn broken_state_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            for kind in KINDS.into_iter().chain([AggregateKind::PathLength]) {
                let _ = Accumulator::load(kind, &mut Reader::new(&bytes));
            }
        }
    }

    #[test]
    fn the_zero_of_a_sum_over_no_values_has_its_type() {
        let sum = Accumulator::new(AggregateKind::Sum);
        assert_eq!(sum.result(), Value::Null);
        assert_eq!(sum.result_or_zero(Type::Int), Value::Int(0));
        assert_eq!(sum.result_or_zero(Type::Duration), Value::Duration(0));
        assert_eq!(sum.result_or_zero(Type::Float), Value::Float(0.0));
        assert_eq!(of(AggregateKind::Sum, &[Value::Int(2)]).result_or_zero(Type::Int), Value::Int(2));
    }
}
