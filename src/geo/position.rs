//! A position on the earth: WGS 84 longitude and latitude in degrees, checked once, when it is made.

use thiserror::Error;

/// A point on the earth, WGS 84, degrees. Longitude −180 and 180 name the same meridian; both are kept as they were given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    // INVARIANT: both are finite and in range.
    lon: f64,
    lat: f64,
}

/// Why two numbers are not a position.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum PositionError {
    /// The longitude is NaN or infinite.
    #[error("longitude `{0}` is not a finite number")]
    LonNotFinite(f64),
    /// The latitude is NaN or infinite.
    #[error("latitude `{0}` is not a finite number")]
    LatNotFinite(f64),
    /// The longitude is outside −180 … 180.
    #[error("longitude `{0}` is not between -180 and 180")]
    LonOutOfRange(f64),
    /// The latitude is outside −90 … 90.
    #[error("latitude `{0}` is not between -90 and 90")]
    LatOutOfRange(f64),
}

impl PositionError {
    /// What is wrong with two numbers that are no position.
    #[cold]
    fn of(lon: f64, lat: f64) -> Self {
        match (lon.is_finite(), lat.is_finite()) {
            (false, _) => Self::LonNotFinite(lon),
            (_, false) => Self::LatNotFinite(lat),
            _ if !(-180.0..=180.0).contains(&lon) => Self::LonOutOfRange(lon),
            _ => Self::LatOutOfRange(lat),
        }
    }
}

impl Position {
    /// A position from degrees: longitude in [−180, 180], latitude in [−90, 90].
    ///
    /// # Errors
    /// The first coordinate that is not finite or out of range, with its value.
    #[inline]
    pub fn new(lon: f64, lat: f64) -> Result<Self, PositionError> {
        if (-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat) {
            return Ok(Self { lon, lat });
        }
        Err(PositionError::of(lon, lat))
    }

    /// A position from computed degrees: the longitude is wrapped and the latitude clamped into range. For results of
    /// calculations, which may be off by a rounding; never for input.
    pub(crate) fn wrapped(lon: f64, lat: f64) -> Self {
        debug_assert!(lon.is_finite() && lat.is_finite());
        let lon = if (-180.0..=180.0).contains(&lon) { lon } else { (lon + 180.0).rem_euclid(360.0) - 180.0 };
        Self { lon, lat: lat.clamp(-90.0, 90.0) }
    }

    /// The longitude in degrees, [−180, 180], east positive.
    pub fn lon(self) -> f64 {
        self.lon
    }

    /// The latitude in degrees, [−90, 90], north positive.
    pub fn lat(self) -> f64 {
        self.lat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_ranges_and_negative_zero_are_positions() {
        for (lon, lat) in [(180.0, 90.0), (-180.0, -90.0), (-0.0, -0.0)] {
            assert!(Position::new(lon, lat).is_ok());
        }
    }

    #[test]
    fn an_error_names_the_coordinate_and_its_value() {
        let text = |lon, lat| Position::new(lon, lat).unwrap_err().to_string();
        assert_eq!(text(181.0, 0.0), "longitude `181` is not between -180 and 180");
        assert_eq!(text(0.0, 91.5), "latitude `91.5` is not between -90 and 90");
        assert_eq!(text(f64::NAN, 0.0), "longitude `NaN` is not a finite number");
        assert_eq!(text(0.0, f64::NEG_INFINITY), "latitude `-inf` is not a finite number");
    }

    #[test]
    fn a_computed_longitude_is_wrapped() {
        assert_eq!(Position::wrapped(190.0, 10.0).lon(), -170.0);
        assert_eq!(Position::wrapped(-541.0, 10.0).lon(), 179.0);
        assert_eq!(Position::wrapped(180.0, 90.1), Position::new(180.0, 90.0).unwrap());
    }
}
