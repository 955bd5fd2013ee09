//! A flat map of a few dozen kilometres, and the little trigonometry that it needs.
//!
//! Metres east and north of an origin become degrees by two constants of the WGS 84 ellipsoid at the origin's latitude,
//! so lengths are right near the origin and off by at most about `|x| · tan(lat) / 6,371 km` away from it (under 2 % in
//! every scenario here).

use std::f64::consts::{FRAC_PI_2, PI};

/// A place on the flat map, in metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spot {
    /// Metres east of the origin.
    pub(super) x: f64,
    /// Metres north of the origin.
    pub(super) y: f64,
}

/// A place from kilometres east and north.
pub(super) const fn km(x: f64, y: f64) -> Spot {
    Spot { x: x * 1000.0, y: y * 1000.0 }
}

impl Spot {
    /// The place `x` metres further east and `y` metres further north.
    pub(super) const fn off(self, x: f64, y: f64) -> Spot {
        Spot { x: self.x + x, y: self.y + y }
    }

    /// Metres between two places.
    pub(super) fn distance(self, other: Spot) -> f64 {
        let (dx, dy) = (other.x - self.x, other.y - self.y);
        (dx * dx + dy * dy).sqrt()
    }
}

/// Where the flat map lies on the earth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plane {
    /// Longitude of the origin, micro-degrees.
    pub(super) lon: i64,
    /// Latitude of the origin, micro-degrees.
    pub(super) lat: i64,
    /// Metres in a degree of longitude at the origin.
    pub(super) metres_lon: f64,
    /// Metres in a degree of latitude at the origin.
    pub(super) metres_lat: f64,
}

impl Plane {
    /// Longitude and latitude in whole micro-degrees.
    pub(super) fn micro(&self, spot: Spot) -> (i64, i64) {
        let lon = (spot.x / self.metres_lon * 1e6).round() as i64;
        let lat = (spot.y / self.metres_lat * 1e6).round() as i64;
        (self.lon + lon, self.lat + lat)
    }
}

/// Sine and cosine of an angle in radians, by Taylor series on a quarter turn; error under 1e-12 for |angle| < 1,000.
/// The platform's own functions differ in the last bit from one machine to the next.
pub(super) fn sin_cos(angle: f64) -> (f64, f64) {
    let quarters = (angle / FRAC_PI_2).round();
    let a = angle - quarters * FRAC_PI_2;
    let square = a * a;
    let (mut sin, mut cos) = (0.0, 0.0);
    let mut term = 1.0;
    for n in 0..9 {
        let (even, odd) = (f64::from(2 * n + 1), f64::from(2 * n + 2));
        cos += term;
        sin += term * a / even;
        term = -term * square / (even * odd);
    }
    match (quarters as i64).rem_euclid(4) {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

/// Compass direction of a displacement in tenths of a degree, `0..3600`, clockwise from north; 0 for none.
/// The arc tangent is the polynomial 4.4.47 of Abramowitz and Stegun's handbook: error under 0.001 degrees.
pub(super) fn bearing_tenths(dx: f64, dy: f64) -> i64 {
    let (ax, ay) = (dx.abs(), dy.abs());
    if ax == 0.0 && ay == 0.0 {
        return 0;
    }
    let ratio = if ax < ay { ax / ay } else { ay / ax };
    let s = ratio * ratio;
    let atan = ratio * (0.999_866 + s * (-0.330_299_5 + s * (0.180_141 + s * (-0.085_133 + s * 0.020_835_1))));
    let from_north = if ax < ay { atan } else { FRAC_PI_2 - atan };
    let quadrant = match (dx >= 0.0, dy >= 0.0) {
        (true, true) => from_north,
        (true, false) => PI - from_north,
        (false, false) => PI + from_north,
        (false, true) => 2.0 * PI - from_north,
    };
    ((quadrant * 1800.0 / PI).round() as i64).rem_euclid(3600)
}

/// The corners of a regular polygon, counter-clockwise, first corner in the east, without a closing corner.
pub(super) fn regular(centre: Spot, radius: f64, corners: u32) -> Vec<Spot> {
    (0..corners)
        .map(|n| {
            let (sin, cos) = sin_cos(2.0 * PI * f64::from(n) / f64::from(corners.max(1)));
            centre.off(radius * cos, radius * sin)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_sine_agrees_with_the_platforms() {
        for n in -2000..2000 {
            let angle = f64::from(n) * 0.0137;
            let (sin, cos) = sin_cos(angle);
            assert!((sin - angle.sin()).abs() < 1e-12 && (cos - angle.cos()).abs() < 1e-12, "{angle}");
        }
    }

    #[test]
    fn bearings_run_clockwise_from_north() {
        for tenths in 0..3600 {
            let (sin, cos) = sin_cos(f64::from(tenths) * PI / 1800.0);
            assert_eq!(bearing_tenths(500.0 * sin, 500.0 * cos), i64::from(tenths));
        }
        assert_eq!(bearing_tenths(0.0, 0.0), 0);
    }

    #[test]
    fn metres_become_degrees() {
        let plane = Plane { lon: 10_000_000, lat: 50_000_000, metres_lon: 71_700.0, metres_lat: 111_200.0 };
        assert_eq!(plane.micro(km(0.0, 0.0)), (10_000_000, 50_000_000));
        assert_eq!(plane.micro(km(-71.7, 55.6)), (9_000_000, 50_500_000));
    }
}
