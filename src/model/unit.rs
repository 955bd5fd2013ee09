//! Units of measure. A quantity is a float in its declared unit; it is converted only where two units meet.

/// What a unit measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// Distance on the earth.
    Length,
    /// Length per time.
    Speed,
    /// Speed per time.
    Acceleration,
    /// Angle per time.
    TurnRate,
    /// Angle, also a heading.
    Angle,
    /// Area on the earth.
    Area,
}

impl Dimension {
    /// The dimension's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Speed => "speed",
            Self::Acceleration => "acceleration",
            Self::TurnRate => "rate of turn",
            Self::Angle => "angle",
            Self::Area => "area",
        }
    }
}

macro_rules! units {
    ($($variant:ident, $symbol:literal, $dimension:ident, $factor:expr, $doc:literal;)*) => {
        /// A unit of length, speed, acceleration, turn, angle or area. Time has none here: durations are milliseconds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Unit { $(#[doc = $doc] $variant,)* }

        impl Unit {
            /// Every unit.
            pub const ALL: &'static [Unit] = &[$(Unit::$variant,)*];

            /// As it is written in rules and schemas.
            pub fn symbol(self) -> &'static str { match self { $(Unit::$variant => $symbol,)* } }

            /// What it measures.
            pub fn dimension(self) -> Dimension { match self { $(Unit::$variant => Dimension::$dimension,)* } }

            /// How many base units (m, m/s, m/s², degree/s, degree, m²) one of it is.
            pub fn factor(self) -> f64 { match self { $(Unit::$variant => $factor,)* } }
        }
    };
}

units! {
    Metre, "m", Length, 1.0, "Metre, the base of length.";
    Kilometre, "km", Length, 1_000.0, "Kilometre.";
    Mile, "mi", Length, 1_609.344, "International statute mile.";
    NauticalMile, "nmi", Length, 1_852.0, "International nautical mile.";
    Foot, "ft", Length, 0.3048, "International foot.";
    MetrePerSecond, "m/s", Speed, 1.0, "Metre per second, the base of speed.";
    KilometrePerHour, "km/h", Speed, 1.0 / 3.6, "Kilometre per hour.";
    MilePerHour, "mph", Speed, 0.44704, "Statute mile per hour.";
    Knot, "kn", Speed, 1_852.0 / 3_600.0, "Nautical mile per hour.";
    FootPerMinute, "fpm", Speed, 0.3048 / 60.0, "Foot per minute: climb rates.";
    MetrePerSecondSquared, "m/s2", Acceleration, 1.0, "Metre per second per second, the base of acceleration.";
    KilometrePerHourPerSecond, "km/h/s", Acceleration, 1.0 / 3.6, "Kilometre per hour per second.";
    KnotPerSecond, "kn/s", Acceleration, 1_852.0 / 3_600.0, "Knot per second.";
    StandardGravity, "g", Acceleration, 9.80665, "Standard gravity.";
    DegreePerSecond, "deg/s", TurnRate, 1.0, "Degree per second, the base of rates of turn.";
    DegreePerMinute, "deg/min", TurnRate, 1.0 / 60.0, "Degree per minute: a vessel's rate of turn.";
    Degree, "deg", Angle, 1.0, "Degree, the base of angle.";
    Radian, "rad", Angle, 180.0 / std::f64::consts::PI, "Radian.";
    SquareMetre, "m2", Area, 1.0, "Square metre, the base of area.";
    SquareKilometre, "km2", Area, 1_000_000.0, "Square kilometre.";
    Hectare, "ha", Area, 10_000.0, "Hectare.";
    SquareMile, "mi2", Area, 2_589_988.110336, "International square mile.";
}

impl Unit {
    /// The unit written so, if there is one.
    pub fn parse(symbol: &str) -> Option<Unit> {
        Unit::ALL.iter().copied().find(|unit| unit.symbol() == symbol)
    }

    /// What a number of `self` is multiplied by to be a number of `target`; `None` where they measure different things.
    pub fn ratio_to(self, target: Unit) -> Option<f64> {
        if self == target {
            return Some(1.0);
        }
        (self.dimension() == target.dimension()).then(|| self.factor() / target.factor())
    }
}

/// The units of time that rules may write after a number, with their milliseconds. A month or year has no fixed length.
pub const TIME_UNITS: &[(&str, i64)] =
    &[("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converting_there_and_back_gives_the_number_back() {
        for &from in Unit::ALL {
            assert_eq!(Unit::parse(from.symbol()), Some(from));
            for &to in Unit::ALL.iter().filter(|to| to.dimension() == from.dimension()) {
                let round = from.ratio_to(to).unwrap() * to.ratio_to(from).unwrap();
                assert!((round - 1.0).abs() < 1e-15, "{from:?} {to:?}");
            }
        }
        assert_eq!(Unit::Knot.ratio_to(Unit::Metre), None);
    }
}
