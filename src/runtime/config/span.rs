//! Durations and sizes as people write them.

use crate::model::TIME_UNITS;

/// `10 s`, `5min`, `1.5 h`: milliseconds, whole and not negative.
pub fn parse_span_ms(text: &str) -> Option<i64> {
    let (number, unit) = split(text)?;
    let (_, factor) = TIME_UNITS.iter().find(|(name, _)| *name == unit)?;
    let span_ms = number * *factor as f64;
    (span_ms.fract() == 0.0 && span_ms < 9e15).then_some(span_ms as i64)
}

/// `64 KiB`, `100 MB`, `512`: bytes.
pub(super) fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    let bytes = number * factor as f64;
    (bytes.fract() == 0.0 && bytes < 9e15).then_some(bytes as u64)
}

fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_need_a_unit_and_sizes_do_not() {
        for (text, span_ms) in [
            ("10 s", Some(10_000)),
            ("5min", Some(300_000)),
            ("250ms", Some(250)),
            ("1.5 h", Some(5_400_000)),
            ("0 s", Some(0)),
            ("10", None),
            ("-1 s", None),
            ("s", None),
            ("1 fortnight", None),
            ("0.5 ms", None),
            ("99999999999999999999 d", None),
            ("1..5 s", None),
        ] {
            assert_eq!(parse_span_ms(text), span_ms, "{text}");
        }
        assert_eq!((parse_bytes("64 KiB"), parse_bytes("7"), parse_bytes("1 lb")), (Some(65_536), Some(7), None));
    }
}
