use super::*;
use crate::{
    io::source::{Durable, Intake, IntakeOptions, IntakeSource, NotTaken, Pulled, Source},
    wire::Chunk,
};
use proptest::prelude::*;
use std::{collections::BTreeMap, time::Duration};

/// Hands in, and waits for the answer.
fn wait_for(intake: &Intake, records: Records) -> Result<(), NotTaken> {
    let (sender, answer) = std::sync::mpsc::channel();
    let answered = move |result| drop(sender.send(result));
    intake.submit(records, Box::new(answered))?;
    answer.recv().unwrap()
}

fn records(texts: &[&str]) -> Records {
    let mut records = Records::new();
    texts.iter().for_each(|text| records.push(text.as_bytes()));
    records
}

fn options(dir: Option<&Path>, from: u64) -> IntakeOptions {
    IntakeOptions {
        dir: dir.map(Path::to_owned),
        from,
        waiting_bytes_max: 1 << 20,
        log_bytes_max: 1 << 30,
        durable: Durable::default(),
        retain: 1,
    }
}

fn open(dir: Option<&Path>, from: u64) -> (Intake, IntakeSource) {
    IntakeSource::open("test", &options(dir, from), 1 << 20).unwrap()
}

/// All that can be read now, with offsets.
fn read(source: &mut IntakeSource) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    let mut chunk = Chunk::new();
    while source.pull(&mut chunk, Duration::from_millis(1)).unwrap() == Pulled::Records {
        found.extend(chunk.records().map(|record| (record.offset, String::from_utf8_lossy(record.bytes).into_owned())));
        chunk.clear();
    }
    found
}

fn numbered(from: u64, texts: &[&str]) -> Vec<(u64, String)> {
    (from..).zip(texts.iter().map(|text| (*text).to_owned())).collect()
}

#[test]
fn what_was_taken_is_read_again_by_the_next_process_from_where_the_checkpoint_was() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (intake, mut source) = open(Some(dir.path()), 0);
        wait_for(&intake, records(&["a", "b"])).unwrap();
        wait_for(&intake, records(&["c", "", "d\ne"])).unwrap();
        assert_eq!(read(&mut source), numbered(0, &["a", "b", "c", "", "d\ne"]));
        assert_eq!(intake.load().0, 0, "nothing waits");
    }
    let (intake, mut source) = open(Some(dir.path()), 3);
    assert_eq!(read(&mut source), numbered(3, &["", "d\ne"]));
    wait_for(&intake, records(&["f"])).unwrap();
    assert_eq!(read(&mut source), numbered(5, &["f"]));
    assert_eq!(source.place(), Some(crate::engine::checkpoint::Position::Offset(6)));
}

#[test]
fn a_full_intake_takes_nothing_of_a_batch_and_takes_again_when_the_engine_has_read() {
    for dir in [None, Some(tempfile::tempdir().unwrap())] {
        let options = IntakeOptions { waiting_bytes_max: 4, ..options(dir.as_ref().map(tempfile::TempDir::path), 0) };
        let (intake, mut source) = IntakeSource::open("test", &options, 1 << 20).unwrap();
        wait_for(&intake, records(&["larger than the bound"])).unwrap();
        assert_eq!(wait_for(&intake, records(&["x"])), Err(NotTaken::Full { bytes: 21 }));
        assert_eq!(read(&mut source), numbered(0, &["larger than the bound"]));
        wait_for(&intake, records(&["x", "y"])).unwrap();
        assert_eq!(read(&mut source), numbered(1, &["x", "y"]));
        drop(source);
        assert_eq!(wait_for(&intake, records(&["x"])), Err(NotTaken::Closed));
    }
}

#[test]
fn in_memory_what_was_taken_before_a_stop_is_brought_by_the_last_chunk() {
    let (intake, mut source) = open(None, 0);
    wait_for(&intake, records(&["a", "b"])).unwrap();
    assert_eq!(source.place(), None);
    let last = source.last().unwrap();
    assert_eq!(last.records().map(|record| record.offset).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(wait_for(&intake, records(&["x"])), Err(NotTaken::Closed));
}

#[test]
fn segments_go_when_the_oldest_checkpoint_that_is_kept_has_them_and_no_sooner() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), 0, 100).unwrap();
    for _ in 0..10 {
        journal.append([records(&["0123456789", "0123456789", "0123456789", "0123456789"])].iter()).unwrap();
    }
    let count = || segments(dir.path()).unwrap();
    assert_eq!(count(), [0, 4, 8, 12, 16, 20, 24, 28, 32, 36]);
    journal.release(11);
    assert_eq!(count().first(), Some(&8));
    journal.release(1_000);
    assert_eq!(count(), [36]);
    drop(journal);

    let durable = Durable::default();
    let options = IntakeOptions { durable: durable.clone(), retain: 2, ..options(Some(dir.path()), 36) };
    let (intake, _source) = IntakeSource::open("test", &options, 1 << 20).unwrap();
    for next in [38, 39, 40, 40] {
        durable.set(BTreeMap::from([(0, next)]));
        wait_for(&intake, records(&["x"])).unwrap();
    }
    assert_eq!(count(), [36], "the one that is written to stays");
}

#[test]
fn a_corrupt_record_in_the_midst_is_said_and_not_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut journal = Journal::open(dir.path(), 0, 50).unwrap();
        (0..4).for_each(|_| journal.append([records(&["0123456789", "0123456789"])].iter()).unwrap());
    }
    let path = file_of(dir.path(), 2);
    let mut bytes = fs::read(&path).unwrap();
    bytes[HEADER_LEN + FRAME_LEN + 3] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (_intake, mut source) = open(Some(dir.path()), 0);
    let mut chunk = Chunk::new();
    assert_eq!(source.pull(&mut chunk, Duration::ZERO).unwrap(), Pulled::Records);
    assert_eq!(chunk.len(), 2);
    let error = source.pull(&mut Chunk::new(), Duration::ZERO).unwrap_err();
    assert!(error.is_final() && error.to_string().contains("corrupt at byte 20: what came in as number 2"), "{error}");
    // Moved away, what came after it is read.
    fs::remove_file(&path).unwrap();
    let (_intake, mut source) = open(Some(dir.path()), 0);
    assert_eq!(read(&mut source).iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [0, 1, 4, 5, 6, 7]);
}

#[test]
fn numbers_never_fall_below_the_checkpoint_even_where_the_log_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (intake, mut source) = open(Some(dir.path()), 77);
    wait_for(&intake, records(&["a"])).unwrap();
    assert_eq!(read(&mut source), numbered(77, &["a"]));
    drop((intake, source));
    let (intake, mut source) = open(Some(dir.path()), 100);
    wait_for(&intake, records(&["b"])).unwrap();
    assert_eq!(read(&mut source), numbered(100, &["b"]));
}

#[test]
fn a_file_of_another_kind_is_not_taken_for_a_segment() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(file_of(dir.path(), 0), "not a segment at all, but longer than a header").unwrap();
    assert!(matches!(Journal::open(dir.path(), 0, 100), Err(JournalError::Foreign { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is left of the last write, what was durable before it is there and nothing else is.
    #[test]
    fn a_log_cut_anywhere_holds_what_was_whole(
        batches in prop::collection::vec(prop::collection::vec("[a-z]{0,20}", 1..4), 1..8),
        cut in 0_usize..200,
        garbage in prop::collection::vec(any::<u8>(), 0..40),
        segment_bytes in 40_u64..400,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut all: Vec<String> = Vec::new();
        {
            let mut journal = Journal::open(dir.path(), 0, segment_bytes).unwrap();
            for batch in &batches {
                let texts: Vec<&str> = batch.iter().map(String::as_str).collect();
                journal.append([records(&texts)].iter()).unwrap();
                all.extend(batch.iter().cloned());
            }
        }
        let last = *segments(dir.path()).unwrap().last().unwrap();
        let path = file_of(dir.path(), last);
        let mut bytes = fs::read(&path).unwrap();
        let keep = bytes.len().saturating_sub(cut).max(HEADER_LEN);
        bytes.truncate(keep);
        let (whole, _) = whole(last, &bytes).unwrap();
        bytes.extend_from_slice(&garbage);
        fs::write(&path, bytes).unwrap();
        let kept = usize::try_from(last + whole).unwrap();
        let (intake, mut source) = open(Some(dir.path()), 0);
        let found: Vec<String> = read(&mut source).into_iter().map(|(_, text)| text).collect();
        prop_assert_eq!(&found, &all[..kept]);
        wait_for(&intake, records(&["more"])).unwrap();
        prop_assert_eq!(read(&mut source), numbered(kept as u64, &["more"]));
    }
}
