//! The convex hull of positions: a list of its corners. What lies inside is forgotten again and again, so that the state
//! holds the hull and at most as much once more.

use crate::{
    geo::{Position, convex_hull},
    model::{DecodeError, Reader, Value, Writer},
};
use std::sync::Arc;

/// How many positions may wait, at least, before the hull is made anew.
const SLACK: usize = 32;

/// A hull, and positions that came since it was made.
#[derive(Clone, Debug, Default)]
pub(super) struct ConvexHull {
    positions: Vec<Position>,
    /// How many of them the last hull had.
    corners: usize,
}

impl ConvexHull {
    /// Takes the value if it is a position.
    pub(super) fn add(&mut self, value: &Value) {
        if let Value::Point(position) = value {
            self.put(*position);
        }
    }

    fn put(&mut self, position: Position) {
        self.positions.push(position);
        if self.positions.len() > 2 * self.corners + SLACK {
            self.positions = convex_hull(&self.positions);
            self.corners = self.positions.len();
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.positions.iter().for_each(|position| self.put(*position));
    }

    /// The corners, counter-clockwise; null over no positions.
    pub(super) fn result(&self) -> Value {
        if self.positions.is_empty() {
            return Value::Null;
        }
        Value::List(Arc::new(convex_hull(&self.positions).into_iter().map(Value::Point).collect()))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.positions.capacity() * size_of::<Position>()
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.len(self.corners);
        writer.len(self.positions.len());
        self.positions.iter().for_each(|position| writer.value(&Value::Point(*position)));
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let corners = reader.len()?;
        let mut positions = Vec::new();
        for _ in 0..reader.len()? {
            match reader.value()? {
                Value::Point(position) => positions.push(position),
                _ => return Err(DecodeError::Unexpected { found: 0, expected: "a position" }),
            }
        }
        Ok(Self { corners: corners.min(positions.len()), positions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hull_of_many_is_that_of_all_and_little_is_kept() {
        let points: Vec<Position> = (0..2_000)
            .map(|i: i32| {
                Position::new(f64::from(i * 7_919 % 1_000) / 100.0, f64::from(i * 104_729 % 997) / 100.0).unwrap()
            })
            .collect();
        let expected = Value::List(Arc::new(convex_hull(&points).into_iter().map(Value::Point).collect()));
        for cut in [0, 10, 1_000, 2_000] {
            let mut parts = [ConvexHull::default(), ConvexHull::default()];
            for (at, point) in points.iter().enumerate() {
                parts[usize::from(at >= cut)].add(&Value::Point(*point));
            }
            let [mut left, right] = parts;
            left.merge(&right);
            assert_eq!(left.result(), expected, "{cut}");
            assert!(left.positions.len() < 200);
        }
        assert_eq!(ConvexHull::default().result(), Value::Null);
    }
}
