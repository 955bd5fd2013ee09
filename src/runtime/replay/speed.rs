//! How fast a replay goes.

use std::str::FromStr;

/// How fast a replay goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Speed {
    /// As fast as it can.
    #[default]
    Max,
    /// This many times as fast as it happened.
    Times(f64),
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let times = text.strip_suffix('x').and_then(|number| number.parse::<f64>().ok());
        match times {
            Some(times) if times > 0.0 && times.is_finite() => Ok(Self::Times(times)),
            _ => Err("expected `max`, or a multiple of real time such as `1x` or `10x`".to_owned()),
        }
    }
}
