//! The bounding box of positions: `[west, south, east, north]` in degrees, as GeoJSON writes it (RFC 7946, section 5). Of the
//! box that crosses the antimeridian, whose west is larger than its east, and the one that doesn't, the narrower.

use crate::model::{DecodeError, Reader, Value, Writer};
use std::sync::Arc;

/// The extremes of latitude, of longitude, and of longitude counted from 0 to 360.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoundingBox([(f64, f64); 3]);

impl Default for BoundingBox {
    fn default() -> Self {
        Self([(f64::INFINITY, f64::NEG_INFINITY); 3])
    }
}

impl BoundingBox {
    /// Takes the value if it is a position.
    pub(super) fn add(&mut self, value: &Value) {
        let Value::Point(position) = value else { return };
        let (lon, lat) = (position.lon(), position.lat());
        let other = if lon < 0.0 { lon + 360.0 } else { lon };
        self.merge(&Self([(lat, lat), (lon, lon), (other, other)]));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            *own = (own.0.min(other.0), own.1.max(other.1));
        }
    }

    /// Null over no positions.
    pub(super) fn result(&self) -> Value {
        let [(south, north), plain, other] = self.0;
        if south > north {
            return Value::Null;
        }
        let (west, east) = if other.1 - other.0 < plain.1 - plain.0 { other } else { plain };
        let back = |lon: f64| if lon > 180.0 { lon - 360.0 } else { lon };
        Value::List(Arc::new([back(west), south, back(east), north].map(Value::Float).to_vec()))
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        self.0.iter().for_each(|(low, high)| {
            writer.f64(*low);
            writer.f64(*high);
        });
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut extremes = [(0.0, 0.0); 3];
        for extreme in &mut extremes {
            *extreme = (reader.f64()?, reader.f64()?);
        }
        Ok(Self(extremes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Position;

    fn of(points: &[(f64, f64)]) -> Value {
        // Each on its own, merged.
        let mut all = BoundingBox::default();
        for (lon, lat) in points {
            let mut one = BoundingBox::default();
            one.add(&Value::Point(Position::new(*lon, *lat).unwrap()));
            all.merge(&one);
        }
        all.result()
    }

    fn list(numbers: [f64; 4]) -> Value {
        Value::List(Arc::new(numbers.map(Value::Float).to_vec()))
    }

    #[test]
    fn the_box_is_the_narrower_one_and_crosses_the_antimeridian_where_that_is_it() {
        assert_eq!(of(&[(4.0, 52.0), (-3.0, 55.0)]), list([-3.0, 52.0, 4.0, 55.0]));
        assert_eq!(of(&[(178.0, -1.0), (-178.0, 3.0)]), list([178.0, -1.0, -178.0, 3.0]));
        assert_eq!(of(&[(7.0, 1.0)]), list([7.0, 1.0, 7.0, 1.0]));
        assert_eq!(of(&[]), Value::Null);
    }
}
