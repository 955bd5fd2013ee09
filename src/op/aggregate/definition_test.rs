//! What every aggregate is, over a list of values and their times; and how near a result must come to that.

use super::Accumulator;
use crate::{
    geo::{Position, geodesic_m},
    model::{TimeMs, Value},
    plan::AggregateKind,
};
use proptest::{prelude::*, test_runner::RngSeed};
use std::{collections::BTreeMap, sync::Arc};

/// As many cases as `PROPTEST_CASES` says, at random; else so many, always the same.
pub(crate) fn cases(default: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let rng_seed = if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(2_026) };
    ProptestConfig { cases: asked.unwrap_or(default), rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

/// Whether it takes positions.
pub(crate) fn of_positions(kind: AggregateKind) -> bool {
    use AggregateKind::{BoundingBox, Centroid, ConvexHull, Displacement, PathLength, Straightness};
    matches!(kind, PathLength | Displacement | Straightness | Centroid | BoundingBox | ConvexHull)
}

/// The result over whole numbers, or over positions, in the order in which they come.
pub(crate) fn definition(kind: AggregateKind, values: &[(TimeMs, Value)]) -> Value {
    let numbers: Vec<f64> = values.iter().filter_map(|(_, value)| value.number()).collect();
    let mut sorted = numbers.clone();
    sorted.sort_by(f64::total_cmp);
    let points: Vec<Position> = values
        .iter()
        .filter_map(|(_, value)| match value {
            Value::Point(point) => Some(*point),
            _ => None,
        })
        .collect();
    let all = || values.iter().map(|(_, value)| value.clone());
    let count = values.len() as f64;
    let int = |x: f64| Value::Int(x as i64);
    let mut different = sorted.clone();
    different.dedup();
    let list = |values: Vec<Value>| Value::List(Arc::new(values));
    let over_nothing = values.is_empty();
    let length_m = points.windows(2).map(|leg| geodesic_m(leg[0], leg[1])).sum::<f64>();
    let displacement_m = points.first().zip(points.last()).map_or(0.0, |(first, last)| geodesic_m(*first, *last));
    match kind {
        AggregateKind::Count => int(count),
        AggregateKind::Distinct | AggregateKind::ApproxDistinct => int(different.len() as f64),
        AggregateKind::PathLength => Value::Float(length_m),
        AggregateKind::Displacement => Value::Float(displacement_m),
        AggregateKind::Straightness if length_m == 0.0 => Value::Null,
        AggregateKind::Straightness => Value::Float((displacement_m / length_m).min(1.0)),
        AggregateKind::Collect => list(different.into_iter().map(int).collect()),
        AggregateKind::List => list(all().take(1_000).collect()),
        AggregateKind::TopK { k } => {
            let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
            numbers.iter().for_each(|x| *counts.entry(*x as i64).or_default() += 1);
            let mut ranked: Vec<(i64, usize)> = counts.into_iter().collect();
            ranked.sort_by_key(|(x, count)| (usize::MAX - count, *x));
            list(ranked.into_iter().take(k.into()).map(|(x, _)| Value::Int(x)).collect())
        }
        _ if over_nothing => Value::Null,
        AggregateKind::Sum => int(numbers.iter().sum()),
        AggregateKind::Avg => Value::Float(numbers.iter().sum::<f64>() / count),
        AggregateKind::Min => int(sorted[0]),
        AggregateKind::Max => int(sorted[sorted.len() - 1]),
        AggregateKind::First => values[0].1.clone(),
        AggregateKind::Last => values[values.len() - 1].1.clone(),
        AggregateKind::Stddev if values.len() < 2 => Value::Null,
        AggregateKind::Stddev => {
            let mean = numbers.iter().sum::<f64>() / count;
            Value::Float((numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt())
        }
        AggregateKind::Quantile { millionths } => {
            Value::Float(sorted[(sorted.len() - 1) * millionths as usize / 1_000_000])
        }
        AggregateKind::Ewma { half_life_ms } => {
            let last = values[values.len() - 1].0;
            let weight = |at: TimeMs| 0.5f64.powf((last - at) as f64 / half_life_ms as f64);
            let weighted = values.iter().zip(&numbers).map(|((at, _), x)| weight(*at) * x).sum::<f64>();
            Value::Float(weighted / values.iter().map(|(at, _)| weight(*at)).sum::<f64>())
        }
        AggregateKind::Centroid => {
            let mut sum = [0.0; 3];
            for point in &points {
                let (lon, lat) = (point.lon().to_radians(), point.lat().to_radians());
                let direction = [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()];
                sum.iter_mut().zip(direction).for_each(|(sum, part)| *sum += part);
            }
            let [x, y, z] = sum;
            let (lon, lat) = (y.atan2(x).to_degrees(), z.atan2(x.hypot(y)).to_degrees());
            Value::Point(Position::new(lon, lat).unwrap())
        }
        AggregateKind::BoundingBox => {
            let least = |of: &dyn Fn(&Position) -> f64| points.iter().map(of).fold(f64::INFINITY, f64::min);
            let most = |of: &dyn Fn(&Position) -> f64| points.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
            let (lon, lat) = (|point: &Position| point.lon(), |point: &Position| point.lat());
            list([least(&lon), least(&lat), most(&lon), most(&lat)].map(Value::Float).to_vec())
        }
        // What a hull is stands where hulls are made; here it is the one of all positions at once.
        AggregateKind::ConvexHull => {
            let mut hull = Accumulator::new(kind);
            values.iter().for_each(|(at, value)| hull.add(value, *at));
            hull.result()
        }
    }
}

/// Whether a result is that of the definition: what is rounded on the way to a few last bits, sketches to their bound.
pub(crate) fn is_near(kind: AggregateKind, found: &Value, expected: &Value) -> bool {
    let allowed = if matches!(kind, AggregateKind::Quantile { .. }) { 1.0 / 128.0 } else { 1e-9 };
    let near = |a: f64, b: f64| (a - b).abs() <= allowed * b.abs().max(1e-3);
    match (found, expected) {
        (Value::Float(found), Value::Float(expected)) => near(*found, *expected),
        (Value::Point(a), Value::Point(b)) => geodesic_m(*a, *b) < 0.001,
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(&**b).all(|(a, b)| is_near(kind, a, b)),
        _ => found == expected,
    }
}
