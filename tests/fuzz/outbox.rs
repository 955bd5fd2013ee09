//! Segments of an outbox that somebody has changed.

use super::{config, words::change, words::changed};
use geocep::io::outbox::{Fate, HEADER_LEN, OutboxLog, OutboxLogOptions, Record, ScanEnd, frame, header, scan};
use proptest::prelude::*;
use std::fs;

fn segment() -> Vec<u8> {
    let mut bytes = header(0);
    for number in 0..6 {
        let put =
            Record::Put { number, wall_ms: -5, id: u128::from(number) << 90, rule: "Queue", line: b"{\"type\":1}" };
        frame(&put, &mut bytes).unwrap();
    }
    let settled = |first, last, fate| Record::Settled { first, last, wall_ms: 7, fate };
    for record in [
        settled(0, 1, Fate::Acknowledged),
        settled(3, 3, Fate::Dead("no".to_owned())),
        settled(u64::MAX, 0, Fate::Dropped),
        Record::Ended,
    ] {
        frame(&record, &mut bytes).unwrap();
    }
    bytes
}

fn try_segment(bytes: &[u8]) {
    let mut records = scan(bytes);
    let mut at = HEADER_LEN;
    for (record, from, length) in records.by_ref() {
        assert_eq!(from, at);
        at += length;
        // What was read is what was written.
        let mut again = Vec::new();
        assert_eq!(frame(&record, &mut again), Some(length as u32));
        assert!(again == bytes[from..from + length] || matches!(record, Record::Settled { .. } | Record::Put { .. }));
    }
    assert!(records.end().is_some() && records.at() <= bytes.len());
    assert!(records.end() != Some(ScanEnd::Whole) || records.at() == bytes.len());
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("000000000001.seg"), bytes).unwrap();
    let options = OutboxLogOptions { segment_bytes: 100, keep_bytes: 0 };
    let Ok((mut log, recovered)) = OutboxLog::open(dir.path(), options) else {
        return assert_eq!(scan(bytes).end(), Some(ScanEnd::Foreign));
    };
    for waiting in &recovered.waiting {
        log.read(waiting.slot).unwrap();
    }
    let before = recovered.waiting.len();
    // Numbers may have come to their end.
    let Ok((number, slot)) = log.put(0, 1, "R", b"new") else { return };
    assert_eq!(log.read(slot).unwrap().2, b"new");
    drop(log);
    let (mut log, recovered) = OutboxLog::open(dir.path(), options).unwrap();
    assert_eq!(recovered.waiting.len(), before + 1);
    log.settle(0, (0, number), Fate::Acknowledged, number + 1).unwrap();
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn segments_that_were_changed_are_read_as_far_as_they_are_whole(
        changes in proptest::collection::vec(change(&["\0", "\u{1}", "\u{7f}"]), 0..4),
        random in proptest::collection::vec(any::<u8>(), 0..200),
        flip in any::<proptest::sample::Index>(),
    ) {
        let bytes = segment();
        try_segment(&changed(&bytes, &changes));
        try_segment(&random);
        // Payloads that nobody wrote, with checksums that are right.
        let mut framed = bytes[..HEADER_LEN].to_vec();
        framed.extend_from_slice(&(random.len() as u32).to_le_bytes());
        framed.extend_from_slice(&xxhash_rust::xxh3::xxh3_64(&random).to_le_bytes());
        framed.extend_from_slice(&random);
        try_segment(&framed);
        let mut flipped = bytes.clone();
        flipped[flip.index(bytes.len())] ^= 0x20;
        try_segment(&flipped);
    }
}
