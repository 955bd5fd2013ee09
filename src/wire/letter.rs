//! Records that became no event, and events that came too late, each whole and on a line of its own, so that a person can
//! mend and send them again.

use super::json_out::{int, key as member, text, time};
use crate::model::{Reject, TimeMs};

/// A record that was rejected.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// Why.
    pub reject: &'a Reject,
    /// The name of its source.
    pub source: &'a str,
    /// The partition of the source.
    pub partition: u32,
    /// The place in the partition: a file's line, counted from 0; Kafka's offset.
    pub offset: u64,
    /// The record as it came; of one that is too long its beginning.
    pub record: &'a [u8],
}

/// An event that came after the watermark had passed its time.
#[derive(Clone, Copy, Debug)]
pub struct LateEvent<'a> {
    /// The name of its source.
    pub source: &'a str,
    /// The partition of the source.
    pub partition: u32,
    /// The place in the partition.
    pub offset: u64,
    /// Its time.
    pub time_ms: TimeMs,
    /// The watermark when it came; greater than its time.
    pub watermark_ms: TimeMs,
    /// The record as it came, where it is still at hand.
    pub record: Option<&'a [u8]>,
}

/// Appends `{"reason","detail","source","partition","offset","record"}` and a newline. A record that is not UTF-8 is
/// `record_base64` instead.
pub fn dead_letter(letter: &DeadLetter<'_>, out: &mut Vec<u8>) {
    out.push(b'{');
    member(out, "reason");
    text(out, letter.reject.reason.name());
    member(out, "detail");
    text(out, &letter.reject.detail);
    place(out, letter.source, letter.partition, letter.offset);
    record(out, letter.record);
    out.extend_from_slice(b"}\n");
}

/// Appends `{"source","partition","offset","time","watermark","late_by_ms","record"}` and a newline.
pub fn late_event(event: &LateEvent<'_>, out: &mut Vec<u8>) {
    out.push(b'{');
    place(out, event.source, event.partition, event.offset);
    member(out, "time");
    time(out, event.time_ms);
    member(out, "watermark");
    time(out, event.watermark_ms);
    member(out, "late_by_ms");
    int(out, event.watermark_ms.saturating_sub(event.time_ms));
    if let Some(bytes) = event.record {
        record(out, bytes);
    }
    out.extend_from_slice(b"}\n");
}

fn place(out: &mut Vec<u8>, source: &str, partition: u32, offset: u64) {
    member(out, "source");
    text(out, source);
    member(out, "partition");
    int(out, i64::from(partition));
    member(out, "offset");
    out.extend_from_slice(offset.to_string().as_bytes());
}

fn record(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(record) => {
            member(out, "record");
            text(out, record);
        }
        Err(_) => {
            member(out, "record_base64");
            text(out, &base64(bytes));
        }
    }
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = (bits >> (18 - 6 * at)) as usize & 63;
            text.push(if at <= group.len() { char::from(DIGITS[digit]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RejectReason;

    #[test]
    fn bytes_that_are_no_text_are_written_as_base64() {
        for (bytes, expected) in
            [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"\xff\xfe\xfd\xfc", "//79/A==")]
        {
            assert_eq!(base64(bytes), expected);
        }
    }

    #[test]
    fn a_dead_letter_is_one_line_of_json_with_the_record_whole() {
        let reject = Reject::new(RejectReason::BadTime, "the time `ts` is a string (`\"x`)");
        let mut out = Vec::new();
        let letter = DeadLetter {
            reject: &reject,
            source: "pings",
            partition: 1,
            offset: u64::MAX,
            record: b"{\"ts\":\"\\\"x\"}\r",
        };
        dead_letter(&letter, &mut out);
        dead_letter(&DeadLetter { record: b"\xff", ..letter }, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "{\"reason\":\"bad_time\",\"detail\":\"the time `ts` is a string (`\\\"x`)\",\"source\":\"pings\",\"partition\":1,\
             \"offset\":18446744073709551615,\"record\":\"{\\\"ts\\\":\\\"\\\\\\\"x\\\"}\\r\"}\n\
             {\"reason\":\"bad_time\",\"detail\":\"the time `ts` is a string (`\\\"x`)\",\"source\":\"pings\",\"partition\":1,\
             \"offset\":18446744073709551615,\"record_base64\":\"/w==\"}\n"
        );
    }

    #[test]
    fn a_late_event_says_by_how_much() {
        let mut out = Vec::new();
        let event =
            LateEvent { source: "s", partition: 0, offset: 3, time_ms: 1_000, watermark_ms: 2_500, record: None };
        late_event(&event, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"source\":\"s\",\"partition\":0,\"offset\":3,\"time\":\"1970-01-01T00:00:01Z\",\
             \"watermark\":\"1970-01-01T00:00:02.5Z\",\"late_by_ms\":1500}\n"
        );
    }
}
