use super::*;
use crate::{
    model::Batch,
    wire::{Decoder, FieldKind, FieldSource, PositionSource, RecordSchema, SlotSource},
};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

/// All records, as (offset, text), and the error at the end.
fn read(mut source: FileSource) -> (Vec<(u64, String)>, Option<String>) {
    let mut records = Vec::new();
    loop {
        let mut chunk = Chunk::new();
        match source.pull(&mut chunk, Duration::ZERO) {
            Ok(Pulled::End) => return (records, None),
            Ok(_) => assert!(!chunk.is_empty()),
            Err(error) => {
                assert!(matches!(source.pull(&mut chunk, Duration::ZERO), Ok(Pulled::End)));
                return (records, Some(error.to_string()));
            }
        }
        records
            .extend(chunk.records().map(|record| (record.offset, String::from_utf8_lossy(record.bytes).into_owned())));
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn memory(bytes: Vec<u8>) -> FileSource {
    FileSource::from_reader("memory".to_owned(), Box::new(Cursor::new(bytes)), FileOptions::default())
}

#[test]
fn plain_and_compressed_files_of_one_or_more_members_give_the_same_records() {
    let lines: String = (0..5_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let (expected, None) = read(memory(lines.clone().into_bytes())) else { panic!() };
    assert_eq!((expected.len(), expected[4_999].0), (5_000, 4_999));
    assert_eq!(read(memory(gzip(&lines))), (expected.clone(), None));
    let (head, tail) = lines.split_at(1_234);
    assert_eq!(read(memory([gzip(head), gzip(tail)].concat())), (expected, None));
    assert_eq!(read(memory(Vec::new())), (Vec::new(), None));
    assert_eq!(read(memory(gzip(""))), (Vec::new(), None));
}

#[test]
fn of_a_cut_off_file_whole_records_come_and_then_an_error_that_names_it() {
    let lines: String = (0..20_000).map(|n| format!("{{\"n\":{}}}\n", n * 7_919 % 10_007)).collect();
    let mut bytes = gzip(&lines);
    bytes.truncate(bytes.len() / 2);
    let (records, error) = read(memory(bytes));
    assert!(records.len() > 1_000 && records.len() < 19_000, "{}", records.len());
    assert!(records.iter().all(|(_, text)| text.ends_with('}')));
    let error = error.unwrap();
    assert!(error.starts_with("`memory` is cut off"), "{error}");
    assert!(read(memory(vec![0x1f, 0x8b, 8])).1.is_some());
}

#[test]
fn a_line_of_ten_megabytes_is_one_reject_and_the_next_one_is_read() {
    let text = format!("{{\"a\":1}}\n{}\n{{\"b\":2}}", "x".repeat(10 << 20));
    let mut source = memory(text.into_bytes());
    let (mut chunk, mut records) = (Chunk::new(), Vec::new());
    while source.pull(&mut chunk, Duration::ZERO).unwrap() != Pulled::End {
        assert!(chunk.byte_len() < 10_000);
        records.extend(chunk.records().map(|record| (record.offset, record.fault().is_some())));
        chunk.clear();
    }
    assert_eq!(records, [(0, false), (1, true), (2, false)]);
}

#[test]
fn a_directory_is_its_files_by_name() {
    let dir = tempfile::tempdir().unwrap();
    assert!(partitions(dir.path()).unwrap_err().to_string().contains("no file"));
    for name in ["b.ndjson", "a.ndjson", ".hidden"] {
        fs::write(dir.path().join(name), "{}\n").unwrap();
    }
    fs::create_dir(dir.path().join("sub")).unwrap();
    let names: Vec<_> =
        partitions(dir.path()).unwrap().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["a.ndjson", "b.ndjson"]);
    assert_eq!(partitions(&dir.path().join("a.ndjson")).unwrap().len(), 1);
    let error = FileSource::open(&dir.path().join("none"), FileOptions::default()).unwrap_err().to_string();
    assert!(error.contains("none"), "{error}");
    assert!(FileSource::open(dir.path(), FileOptions::default()).is_err());
}

/// Good and bad records of a fixture, with `speed` read or not.
fn count(name: &str, speed: bool) -> Option<(usize, usize)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bad").join(name);
    let kind = |name: &str, kind, required| {
        SlotSource::Field(FieldSource { name: name.to_owned(), path: name.to_owned(), kind, required })
    };
    let mut slots = vec![kind("id", FieldKind::Text, true)];
    slots.extend(speed.then(|| kind("speed", FieldKind::Float(None), false)));
    let schema = RecordSchema { position: Some(PositionSource::default()), slots, ..RecordSchema::default() };
    let mut source = FileSource::open(&path, FileOptions::default()).ok()?;
    let mut decoder = Decoder::new(&schema, source.format().ok()?);
    let mut batch = Batch::new(schema.slots.len());
    let (mut chunk, mut bad) = (Chunk::new(), 0);
    while let Ok(Pulled::Records) = source.pull(&mut chunk, Duration::ZERO) {
        bad += chunk.records().filter(|record| decoder.decode(record, &mut batch).is_err()).count();
        chunk.clear();
    }
    Some((batch.len(), bad))
}

#[test]
fn bad_input_is_counted_as_its_list_says() {
    for (name, good, bad, more) in [
        ("truncated.ndjson", 4, 3, 0),
        ("nan.ndjson", 3, 7, 1),
        ("lat91.ndjson", 4, 5, 0),
        ("wrong_types.ndjson", 2, 8, 2),
        ("invalid_utf8.ndjson", 3, 4, 0),
        ("missing_fields.ndjson", 3, 5, 0),
        ("duplicate_keys.ndjson", 5, 0, 0),
        ("nulls.ndjson", 3, 5, 0),
        ("empty.ndjson", 0, 0, 0),
        ("blank_lines.ndjson", 3, 0, 0),
        ("bom.ndjson", 3, 0, 0),
        ("crlf.ndjson", 3, 0, 0),
        ("deep_nesting.ndjson", 3, 3, 0),
        ("huge_number.ndjson", 3, 5, 2),
        ("truncated.ndjson.gz", 241, 0, 0),
    ] {
        assert_eq!(count(name, true), Some((good, bad + more)), "{name}");
        assert_eq!(count(name, false), Some((good + more, bad)), "{name} without speed");
    }
    // An open quote takes the lines up to the next one with it.
    assert_eq!(count("bad.csv", true), Some((4, 5)));
}
