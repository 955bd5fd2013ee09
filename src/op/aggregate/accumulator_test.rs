//! Every aggregate against its definition over a list.

use super::Accumulator;
use crate::{
    geo::Position,
    model::{Reader, Type, Value, Writer},
    plan::AggregateKind,
};
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

const OTHERS: [AggregateKind; 12] = [
    AggregateKind::PathLength,
    AggregateKind::Displacement,
    AggregateKind::Straightness,
    AggregateKind::Stddev,
    AggregateKind::ApproxDistinct,
    AggregateKind::Quantile { millionths: 900_000 },
    AggregateKind::TopK { k: 3 },
    AggregateKind::Ewma { half_life_ms: 100 },
    AggregateKind::Centroid,
    AggregateKind::BoundingBox,
    AggregateKind::ConvexHull,
    AggregateKind::Collect,
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
        _ => unreachable!("tested in its own file"),
    }
}

fn of(kind: AggregateKind, values: &[Value]) -> Accumulator {
    let mut accumulator = Accumulator::new(kind);
    values.iter().for_each(|value| accumulator.add(value, 0));
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

/// Values of all kinds, also such as an aggregate can't use.
fn mixed() -> impl Strategy<Value = Vec<Value>> {
    let point = (-10i32..10, -10i32..10)
        .prop_map(|(lon, lat)| Value::Point(Position::new(f64::from(lon), f64::from(lat)).unwrap()));
    let float = (-50i32..50).prop_map(|x| Value::Float(f64::from(x) / 4.0));
    let one = prop_oneof![any::<i64>().prop_map(Value::Int), float, point, Just(Value::text("x")), Just(Value::Null)];
    prop::collection::vec(one, 0..80)
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
    fn saving_and_loading_in_the_middle_changes_nothing(left in mixed(), right in mixed()) {
        for kind in KINDS.into_iter().chain(OTHERS) {
            let mut whole = of(kind, &left);
            let mut writer = Writer::new();
            whole.save(&mut writer);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            let mut loaded = Accumulator::load(kind, &mut reader).unwrap();
            prop_assert!(reader.is_done());
            for value in &right {
                whole.add(value, 0);
                loaded.add(value, 0);
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
        for kind in KINDS.into_iter().chain(OTHERS) {
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
