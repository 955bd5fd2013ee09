//! Event time: milliseconds since 1970-01-01T00:00:00Z, before it negative, without leap seconds (as POSIX and RFC 3339 count).

use jiff::Timestamp;

/// An instant or a span of event time in milliseconds. Instants count from the Unix epoch; years −9999 to 9999 are valid.
pub type TimeMs = i64;

/// The instant as RFC 3339 in UTC with millisecond precision only where there are milliseconds: `2026-01-01T00:00:00Z`,
/// `2026-01-01T00:00:00.25Z`. Out of the calendar's range, the plain number.
pub fn format_time(at_ms: TimeMs) -> String {
    let mut text = Vec::with_capacity(24);
    write_time(&mut text, at_ms);
    // INVARIANT: ASCII was written.
    String::from_utf8(text).unwrap_or_default()
}

const DAY_MS: i64 = 86_400_000;
/// From the first of March of the year 0 to 1970-01-01, days.
const EPOCH_DAYS: i64 = 719_468;
/// Four hundred years, days: the calendar comes again.
const CYCLE_DAYS: i64 = 146_097;
/// Where years begin to have four digits, and the library's last instant: wherever on earth one looks at the clock then, it is 9999.
const YEAR_0_MS: TimeMs = -62_167_219_200_000;
const LAST_MS: TimeMs = 253_402_207_200_000;

/// Appends what [`format_time`] gives.
pub fn write_time(out: &mut Vec<u8>, at_ms: TimeMs) {
    if !(YEAR_0_MS..=LAST_MS).contains(&at_ms) {
        let text = Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |at| at.to_string());
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let (day, ms) = (at_ms.div_euclid(DAY_MS) + EPOCH_DAYS, at_ms.rem_euclid(DAY_MS) as u32);
    let (cycle, day) = (day.div_euclid(CYCLE_DAYS), day.rem_euclid(CYCLE_DAYS) as u32);
    // Years begin in March, so that the day that leap years have more is their last. Taken off before, the days of years all
    // have the same length: one in 1,460 days, but for one in 36,524, but for the last of all.
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on months have 153 days in five.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, turn) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = (cycle * 400 + i64::from(year + turn)) as u32;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |at: usize, number: u32| {
        if let Some(place) = text.get_mut(at..at + 2) {
            place.copy_from_slice(&[b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]);
        }
    };
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    put(0, year / 100);
    put(2, year % 100);
    for (at, number) in [(5, month), (8, day), (11, hour), (14, minute), (17, second), (20, ms % 1_000 / 10)] {
        put(at, number);
    }
    text[22] = b'0' + (ms % 10) as u8;
    let decimals = match ms % 1_000 {
        0 => 0,
        _ => 1 + text[20..23].iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1),
    };
    out.extend_from_slice(text.get(..19 + decimals).unwrap_or_default());
    out.push(b'Z');
}

/// An RFC 3339 instant (offset required) in milliseconds; finer digits are cut off towards the past.
///
/// # Errors
/// The parser's own words when the text is no instant.
pub fn parse_time(text: &str) -> Result<TimeMs, String> {
    if let Some(at_ms) = parse_utc(text.as_bytes()) {
        return Ok(at_ms);
    }
    let at: Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Ok(at.as_nanosecond().div_euclid(1_000_000) as TimeMs)
}

/// What nearly every program writes: `2026-01-01T00:00:00Z`, with decimals or without. All else is left to the parser.
fn parse_utc(text: &[u8]) -> Option<TimeMs> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    let pair = |at: usize| {
        let digit = |at: usize| head.get(at).map(|byte| i64::from(byte.wrapping_sub(b'0'))).filter(|digit| *digit < 10);
        Some(10 * digit(at)? + digit(at + 1)?)
    };
    let marks = [head[4], head[7], head[10], head[13], head[16]];
    let (year, month, day) = (100 * pair(0)? + pair(2)?, pair(5)?, pair(8)?);
    let (hour, minute, second) = (pair(11)?, pair(14)?, pair(17)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_date = (1..=12).contains(&month) && (1..=days).contains(&day);
    if marks != *b"--T::" || !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let ms = match rest {
        b"Z" => 0,
        [b'.', decimals @ .., b'Z'] if (1..=9).contains(&decimals.len()) && decimals.iter().all(u8::is_ascii_digit) => {
            let digit = |at: usize| decimals.get(at).map_or(0, |byte| i64::from(byte - b'0'));
            100 * digit(0) + 10 * digit(1) + digit(2)
        }
        _ => return None,
    };
    // As in `write_time`: years begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let cycle = year.div_euclid(400);
    let year = year.rem_euclid(400);
    let day = cycle * CYCLE_DAYS + 365 * year + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1 - EPOCH_DAYS;
    Some(day * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1_000 + ms).filter(|at_ms| *at_ms <= LAST_MS)
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
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_instant_is_read_as_the_calendar_says(
            year in 0u32..10_000, month in 0u32..14, day in 0u32..33, hour in 0u32..25, minute in 58u32..61, second in 58u32..61,
            rest in "(\\.[0-9]{0,10})?(Z|z|\\+00:00|)|.{0,3}", spoilt in prop::option::of((0usize..20, "[ -~]")),
        ) {
            let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{rest}");
            if let Some((at, byte)) = spoilt {
                text.replace_range(at.min(18)..at.min(18) + 1, &byte);
            }
            let expected = text.parse::<Timestamp>().ok().map(|at| at.as_nanosecond().div_euclid(1_000_000) as TimeMs);
            prop_assert_eq!(parse_time(&text).ok(), expected, "{}", text);
            let usual = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.5Z");
            prop_assert!(parse_utc(usual.as_bytes()).is_none_or(|at_ms| parse_time(&usual) == Ok(at_ms)));
            let expected = usual.parse::<Timestamp>().ok().map(|at| at.as_nanosecond().div_euclid(1_000_000) as TimeMs);
            prop_assert_eq!(parse_time(&usual).ok(), expected, "{}", usual);
        }

        #[test]
        fn an_instant_is_written_as_the_calendar_says(at_ms in YEAR_0_MS - 10_000..LAST_MS + 10_000, day in -719_528i64..2_932_896, ms in 0i64..2_000) {
            for at_ms in [at_ms, at_ms / 1_000 * 1_000, at_ms / 10 * 10, day * DAY_MS + ms - 1_000] {
                let expected = Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |at| at.to_string());
                prop_assert_eq!(format_time(at_ms), expected);
            }
        }
    }

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
        for at_ms in [i64::MIN, i64::MAX, YEAR_0_MS, LAST_MS, LAST_MS + 1, 951_782_400_000, 4_107_542_400_000] {
            let expected = Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |at| at.to_string());
            assert_eq!(format_time(at_ms), expected);
        }
        for at_ms in [0, -1, 1_433_000_000_123, -62_135_596_800_000] {
            assert_eq!(parse_time(&format_time(at_ms)), Ok(at_ms));
        }
        assert_eq!(parse_time("1969-12-31T23:59:59.9999Z"), Ok(-1));
        assert!(parse_time("2026-01-01").is_err());
        assert!(parse_time("9999-12-30T22:00:00.999Z").is_ok() && parse_time("9999-12-30T22:00:01Z").is_err());
    }
}
