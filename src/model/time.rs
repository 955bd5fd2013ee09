//! Event time: milliseconds since 1970-01-01T00:00:00Z, before it negative, without leap seconds (as POSIX and RFC 3339 count).

use jiff::Timestamp;

/// An instant or a span of event time in milliseconds. Instants count from the Unix epoch; years −9999 to 9999 are valid.
pub type TimeMs = i64;

/// The instant as RFC 3339 in UTC with millisecond precision only where there are milliseconds: `2026-01-01T00:00:00Z`,
/// `2026-01-01T00:00:00.250Z`. Out of the calendar's range, the plain number.
pub fn format_time(at_ms: TimeMs) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(at) => at.to_string(),
        Err(_) => at_ms.to_string(),
    }
}

/// An RFC 3339 instant (offset required) in milliseconds; finer digits are cut off towards the past.
///
/// # Errors
/// The parser's own words when the text is no instant.
pub fn parse_time(text: &str) -> Result<TimeMs, String> {
    let at: Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Ok(at.as_nanosecond().div_euclid(1_000_000) as TimeMs)
}

/// A span as people write it, largest unit first, at most two units: `21 min 5 s`, `2 h`, `350 ms`, `-3 d 2 h`.
pub fn format_duration(span_ms: TimeMs) -> String {
    const UNITS: [(u64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")];
    let sign = if span_ms < 0 { "-" } else { "" };
    let mut rest = span_ms.unsigned_abs();
    let mut parts = Vec::with_capacity(2);
    for (size, name) in UNITS {
        if rest >= size && parts.len() < 2 {
            parts.push(format!("{} {name}", rest / size));
            rest %= size;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { format!("{sign}{}", parts.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_as_its_two_largest_units() {
        assert_eq!(format_duration(1_265_000), "21 min 5 s");
        assert_eq!(format_duration(0), "0 s");
        assert_eq!(format_duration(-90_000), "-1 min 30 s");
        assert_eq!(format_duration(86_400_000 + 1), "1 d");
        assert_eq!(format_duration(i64::MIN).chars().next(), Some('-'));
    }

    #[test]
    fn an_instant_survives_text_before_1970_too() {
        for at_ms in [0, -1, 1_433_000_000_123, -62_135_596_800_000] {
            assert_eq!(parse_time(&format_time(at_ms)), Ok(at_ms));
        }
        assert_eq!(parse_time("1969-12-31T23:59:59.9999Z"), Ok(-1));
        assert!(parse_time("2026-01-01").is_err());
    }
}
