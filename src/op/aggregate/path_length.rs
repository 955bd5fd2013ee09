//! The length of the path through positions, in the order in which they come: geodesic, in metres.

use super::compensated::Compensated;
use crate::{
    geo::{Position, geodesic_m},
    model::{DecodeError, Reader, Value, Writer},
};

/// A path's ends and length.
#[derive(Clone, Debug, Default)]
pub(super) struct PathLength {
    ends: Option<(Position, Position)>,
    length_m: Compensated,
}

impl PathLength {
    /// Takes the value if it is a position.
    pub(super) fn add(&mut self, value: &Value) {
        if let Value::Point(position) = value {
            self.extend(*position, *position);
        }
    }

    /// Goes on to `first`, and counts from `last` from now on.
    fn extend(&mut self, first: Position, last: Position) {
        if let Some((_, end)) = self.ends
            && end != first
        {
            self.length_m.add(geodesic_m(end, first));
        }
        self.ends = Some((self.ends.map_or(first, |(start, _)| start), last));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if let Some((first, last)) = other.ends {
            self.extend(first, last);
            self.length_m.merge(&other.length_m);
        }
    }

    pub(super) fn result(&self) -> Value {
        self.length_m.total().into()
    }

    /// Where it begins and ends.
    pub(super) fn ends(&self) -> Option<(Position, Position)> {
        self.ends
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        let (first, last) = match self.ends {
            Some((first, last)) => (Value::Point(first), Value::Point(last)),
            None => (Value::Null, Value::Null),
        };
        writer.value(&first);
        writer.value(&last);
        self.length_m.save(writer);
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let ends = match (reader.value()?, reader.value()?) {
            (Value::Point(first), Value::Point(last)) => Some((first, last)),
            (Value::Null, Value::Null) => None,
            _ => return Err(DecodeError::Unexpected { found: 0, expected: "the ends of a path" }),
        };
        Ok(Self { ends, length_m: Compensated::load(reader)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lon: f64, lat: f64) -> Value {
        Value::Point(Position::new(lon, lat).unwrap())
    }

    fn length(path: &PathLength) -> f64 {
        path.result().number().unwrap()
    }

    #[test]
    fn a_path_is_as_long_as_its_legs_and_merges_over_the_leg_between() {
        let points = [at(0.0, 0.0), at(0.0, 1.0), at(0.0, 1.0), at(1.0, 1.0)];
        let legs: f64 = points
            .windows(2)
            .map(|leg| match leg {
                [Value::Point(a), Value::Point(b)] => geodesic_m(*a, *b),
                _ => 0.0,
            })
            .sum();
        for cut in 0..=points.len() {
            let (mut left, mut right) = (PathLength::default(), PathLength::default());
            points[..cut].iter().for_each(|point| left.add(point));
            points[cut..].iter().for_each(|point| right.add(point));
            left.merge(&right);
            assert!((length(&left) - legs).abs() < 1e-6, "cut {cut}");
        }
        assert_eq!(PathLength::default().result(), Value::Float(0.0));
    }

    #[test]
    fn saving_in_the_middle_keeps_the_last_end() {
        let mut path = PathLength::default();
        path.add(&at(1.0, 2.0));
        let mut writer = Writer::new();
        path.save(&mut writer);
        let bytes = writer.into_bytes();
        let mut loaded = PathLength::load(&mut Reader::new(&bytes)).unwrap();
        path.add(&at(3.0, 2.0));
        loaded.add(&at(3.0, 2.0));
        assert_eq!(path.result(), loaded.result());
    }
}
