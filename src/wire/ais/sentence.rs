//! One line: when it was received, and the sentence that it holds.

use crate::{
    model::{Reject, RejectReason, TimeMs, parse_time},
    wire::record::{TIME_MAX_MS, TIME_MIN_MS},
};

/// A sentence whose checksum is right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sentence<'a> {
    /// When it was received, if the line says so.
    pub(super) time_ms: Option<TimeMs>,
    /// The station that received it, if the line says so.
    pub(super) station: Option<&'a str>,
    /// `VDO`: what the receiver's own vessel sent.
    pub(super) own: bool,
    /// Of how many sentences the message consists, and which of them this is, from 1.
    pub(super) total: u8,
    pub(super) number: u8,
    /// Tells messages of several sentences apart.
    pub(super) sequence: Option<u8>,
    /// The radio channel, `A` or `B`.
    pub(super) channel: Option<u8>,
    pub(super) payload: &'a [u8],
    /// How many bits at the payload's end are none.
    pub(super) fill: u8,
}

fn wrong(detail: impl Into<String>) -> Reject {
    Reject::new(RejectReason::Syntax, detail)
}

/// Reads a line.
pub(super) fn read(line: &[u8]) -> Result<Sentence<'_>, Reject> {
    let text = std::str::from_utf8(line)
        .map_err(|error| wrong(format!("not UTF-8 from byte {} on", error.valid_up_to())))?
        .trim();
    let (mut time_ms, mut station) = (None, None);
    // Before the sentence: a time of the one who logged it, then tag blocks.
    let start = text.find(['\\', '!', '$']).ok_or_else(|| wrong("no sentence: nothing begins with `!`"))?;
    let (before, mut rest) = text.split_at(start);
    while let Some(block) = rest.strip_prefix('\\') {
        let (block, after) = block.split_once('\\').ok_or_else(|| wrong("a tag block is never closed"))?;
        for field in checked(block, "tag block")?.split(',') {
            match field.split_once(':') {
                Some(("c", value)) => {
                    let at_ms = instant(value).ok_or_else(|| bad_time("the tag block's", value))?;
                    time_ms = time_ms.or(Some(at_ms));
                }
                Some(("s", value)) if !value.is_empty() => station = station.or(Some(value)),
                _ => {}
            }
        }
        rest = after.trim_start();
    }
    let Some(body) = rest.strip_prefix('!') else {
        let name: String = rest.chars().take(8).collect();
        return Err(Reject::new(RejectReason::Unsupported, format!("a sentence `{name}…`, not !AIVDM or !AIVDO")));
    };
    let (body, after) = match body.find('*').and_then(|star| body.split_at_checked(star + 3)) {
        Some(parts) => parts,
        None => return Err(wrong("the sentence has no checksum")),
    };
    let mut sentence = fields(checked(body, "sentence")?)?;
    if time_ms.is_none() {
        time_ms = first_time(before, "the time before the sentence")?;
    }
    if time_ms.is_none() {
        // Some stations write theirs, and the time, after it.
        time_ms = after.rsplit(',').find_map(|column| instant(column.trim()));
    }
    (sentence.time_ms, sentence.station) = (time_ms, station);
    Ok(sentence)
}

/// What stands before `*hh`, if that is its checksum.
fn checked<'a>(text: &'a str, what: &str) -> Result<&'a str, Reject> {
    let Some((body, sum)) = text.split_once('*') else { return Err(wrong(format!("the {what} has no checksum"))) };
    let is = body.bytes().fold(0, |sum, byte| sum ^ byte);
    match u8::from_str_radix(sum.trim_end(), 16) {
        Ok(said) if said == is && sum.trim_end().len() == 2 => Ok(body),
        _ => {
            let said: String = sum.chars().take(2).collect();
            Err(wrong(format!("the {what}'s checksum is `{said}`, and it adds up to `{is:02X}`")))
        }
    }
}

fn fields(body: &str) -> Result<Sentence<'_>, Reject> {
    let mut fields = body.split(',');
    let name = fields.next().unwrap_or_default();
    let own = match name.get(2..) {
        Some("VDM") => false,
        Some("VDO") => true,
        _ => {
            let name: String = name.chars().take(8).collect();
            return Err(Reject::new(RejectReason::Unsupported, format!("a sentence `!{name}`, not VDM or VDO")));
        }
    };
    let mut next = || fields.next().map(str::trim);
    let (Some(total), Some(number), Some(sequence), Some(channel), Some(payload), Some(fill)) =
        (next(), next(), next(), next(), next(), next())
    else {
        return Err(wrong("the sentence has too few fields"));
    };
    let digit = |text: &str, least: u8, most: u8, what: &str| match text.parse::<u8>() {
        Ok(digit) if (least..=most).contains(&digit) => Ok(digit),
        _ => Err(wrong(format!("the {what} is `{}`, expected {least} to {most}", clip(text)))),
    };
    let total = digit(total, 1, 9, "number of sentences")?;
    let number = digit(number, 1, total, "sentence's number")?;
    let sequence = if sequence.is_empty() { None } else { Some(digit(sequence, 0, 9, "message's number")?) };
    let fill = if fill.is_empty() { 0 } else { digit(fill, 0, 5, "number of fill bits")? };
    let payload = payload.as_bytes();
    Ok(Sentence {
        time_ms: None,
        station: None,
        own,
        total,
        number,
        sequence,
        channel: channel.bytes().next(),
        payload,
        fill,
    })
}

fn clip(text: &str) -> String {
    text.chars().take(12).collect()
}

/// The time in the columns before a sentence; none where there are none.
fn first_time(before: &str, what: &str) -> Result<Option<TimeMs>, Reject> {
    let columns = before.split([',', ';', '\t', '|']).map(str::trim).filter(|column| !column.is_empty());
    let mut first = None;
    for column in columns {
        if let Some(at_ms) = instant(column) {
            return Ok(Some(at_ms));
        }
        first.get_or_insert(column);
    }
    match first {
        Some(column) => Err(bad_time(what, column)),
        None => Ok(None),
    }
}

fn bad_time(what: &str, found: &str) -> Reject {
    let detail = format!("{what} is `{}`, expected seconds or milliseconds since 1970, or RFC 3339", clip(found));
    Reject::new(RejectReason::BadTime, detail)
}

/// Seconds since 1970, with a fraction or not; milliseconds, where that many seconds would be past the year 5000; or RFC 3339.
fn instant(text: &str) -> Option<TimeMs> {
    let is_number = text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !is_number {
        return parse_time(text).ok().filter(|at_ms| (TIME_MIN_MS..=TIME_MAX_MS).contains(at_ms));
    }
    let at_ms = match text.parse::<i64>() {
        Ok(number) if number >= 95_000_000_000 => number,
        Ok(number) => number.checked_mul(1_000)?,
        Err(_) => (text.parse::<f64>().ok().filter(|seconds| *seconds < 95e9)? * 1_000.0).round() as TimeMs,
    };
    (at_ms <= TIME_MAX_MS).then_some(at_ms)
}
