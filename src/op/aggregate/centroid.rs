//! The middle of positions: the mean of their directions from the centre of the earth, as on a sphere. So it is right across the
//! antimeridian and at the poles, where the mean of longitudes is not.

use super::compensated::Compensated;
use crate::{
    geo::Position,
    model::{DecodeError, Reader, Value, Writer},
};

/// A sum of directions.
#[derive(Clone, Debug, Default)]
pub(super) struct Centroid {
    sum: [Compensated; 3],
    count: u64,
}

impl Centroid {
    /// Takes the value if it is a position.
    pub(super) fn add(&mut self, value: &Value) {
        let Value::Point(position) = value else { return };
        let (lon, lat) = (position.lon().to_radians(), position.lat().to_radians());
        let direction = [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()];
        self.sum.iter_mut().zip(direction).for_each(|(sum, part)| sum.add(part));
        self.count += 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.sum.iter_mut().zip(&other.sum).for_each(|(sum, other)| sum.merge(other));
        self.count = self.count.saturating_add(other.count);
    }

    /// Null over no positions, and over such that cancel out: two opposite ones have no middle.
    pub(super) fn result(&self) -> Value {
        let [x, y, z] = self.sum.map(|sum| sum.total());
        let length = x.hypot(y).hypot(z);
        if length.is_nan() || length <= 1e-9 * self.count as f64 {
            return Value::Null;
        }
        let (lon, lat) = (y.atan2(x).to_degrees(), z.atan2(x.hypot(y)).to_degrees());
        Position::new(lon, lat).map_or(Value::Null, Value::Point)
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        self.sum.iter().for_each(|sum| sum.save(writer));
        writer.u64(self.count);
    }

    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let sum = [Compensated::load(reader)?, Compensated::load(reader)?, Compensated::load(reader)?];
        Ok(Self { sum, count: super::count::load_count(reader)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(points: &[(f64, f64)]) -> Value {
        let mut centroid = Centroid::default();
        points.iter().for_each(|(lon, lat)| centroid.add(&Value::Point(Position::new(*lon, *lat).unwrap())));
        centroid.result()
    }

    fn near(found: &Value, lon: f64, lat: f64) -> bool {
        matches!(found, Value::Point(p) if (p.lon() - lon).abs() < 1e-9 && (p.lat() - lat).abs() < 1e-9)
    }

    #[test]
    fn the_middle_is_on_the_near_side_of_the_antimeridian_and_at_the_pole() {
        assert!(near(&of(&[(4.0, 52.0)]), 4.0, 52.0));
        assert!(near(&of(&[(179.0, 0.0), (-177.0, 0.0)]), -179.0, 0.0));
        assert!(matches!(of(&[(0.0, 80.0), (180.0, 80.0)]), Value::Point(p) if (p.lat() - 90.0).abs() < 1e-6));
        assert_eq!(of(&[]), Value::Null);
        assert_eq!(of(&[(0.0, 0.0), (180.0, 0.0)]), Value::Null);
    }

    #[test]
    fn merging_two_is_adding_all() {
        let points: Vec<(f64, f64)> = (0..50).map(|i| (f64::from(i * 37 % 360) - 180.0, f64::from(i % 60))).collect();
        let Value::Point(whole) = of(&points) else { panic!() };
        for cut in [0, 1, 20, 50] {
            let mut parts = [Centroid::default(), Centroid::default()];
            for (at, (lon, lat)) in points.iter().enumerate() {
                parts[usize::from(at >= cut)].add(&Value::Point(Position::new(*lon, *lat).unwrap()));
            }
            let [mut left, right] = parts;
            left.merge(&right);
            assert!(near(&left.result(), whole.lon(), whole.lat()), "{cut}");
        }
    }
}
