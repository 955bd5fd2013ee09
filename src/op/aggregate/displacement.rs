//! How far a path leads, and how straight: the geodesic distance between its ends, and that by its length.

use super::path_length::PathLength;
use crate::{
    geo::{Position, geodesic_m},
    model::{DecodeError, Reader, Value, Writer},
};

/// How far the last position is from the first, in metres; under two positions 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Displacement {
    ends: Option<(Position, Position)>,
}

impl Displacement {
    /// Takes the value if it is a position.
    pub(super) fn add(&mut self, value: &Value) {
        if let Value::Point(position) = value {
            self.ends = Some((self.ends.map_or(*position, |(first, _)| first), *position));
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if let Some((first, last)) = other.ends {
            self.ends = Some((self.ends.map_or(first, |(first, _)| first), last));
        }
    }

    pub(super) fn result(&self) -> Value {
        between(self.ends).into()
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        let (first, last) = match self.ends {
            Some((first, last)) => (Value::Point(first), Value::Point(last)),
            None => (Value::Null, Value::Null),
        };
        writer.value(&first);
        writer.value(&last);
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match (reader.value()?, reader.value()?) {
            (Value::Point(first), Value::Point(last)) => Ok(Self { ends: Some((first, last)) }),
            (Value::Null, Value::Null) => Ok(Self::default()),
            _ => Err(DecodeError::Unexpected { found: 0, expected: "the ends of a path" }),
        }
    }
}

/// Displacement by path length: 1 is straight, 0 is back where it began; null where there is no path.
#[derive(Clone, Debug, Default)]
pub(super) struct Straightness(PathLength);

impl Straightness {
    /// Takes the value if it is a position.
    pub(super) fn add(&mut self, value: &Value) {
        self.0.add(value);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    pub(super) fn result(&self) -> Value {
        straightness(between(self.0.ends()), self.0.result().number().unwrap_or(0.0))
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        self.0.save(writer);
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        PathLength::load(reader).map(Self)
    }
}

fn between(ends: Option<(Position, Position)>) -> f64 {
    ends.filter(|(first, last)| first != last).map_or(0.0, |(first, last)| geodesic_m(first, last))
}

/// Rounding may make a straight path a hair longer or shorter than the way between its ends.
fn straightness(displacement_m: f64, length_m: f64) -> Value {
    if length_m > 0.0 { Value::Float((displacement_m / length_m).clamp(0.0, 1.0)) } else { Value::Null }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lon: f64, lat: f64) -> Value {
        Value::Point(Position::new(lon, lat).unwrap())
    }

    #[test]
    fn there_and_back_leads_nowhere_and_a_right_angle_is_as_straight_as_its_diagonal() {
        let (mut far, mut straight) = (Displacement::default(), Straightness::default());
        assert_eq!((far.result(), straight.result()), (Value::Float(0.0), Value::Null));
        let mut add = |value: Value| {
            far.add(&value);
            straight.add(&value);
            (far.result().number().unwrap(), straight.result().number())
        };
        assert_eq!(add(at(0.0, 0.0)), (0.0, None));
        let (_, one) = add(at(0.01, 0.0));
        assert_eq!(one, Some(1.0));
        let (_, angle) = add(at(0.01, 0.01));
        assert!((angle.unwrap() - 0.5f64.sqrt()).abs() < 1e-3);
        assert_eq!(add(at(0.0, 0.0)), (0.0, Some(0.0)));
    }
}
