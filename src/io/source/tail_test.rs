use super::*;
use std::io::Write;

fn append(path: &Path, text: &str) {
    File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn pull(source: &mut TailSource) -> Vec<(u64, String)> {
    let mut chunk = Chunk::new();
    while source.pull(&mut chunk, Duration::ZERO).unwrap() == Pulled::Records {
        // Reads on until nothing more comes: a pull that adds nothing to a full chunk would not end.
        let before = chunk.len();
        let mut more = Chunk::new();
        if source.pull(&mut more, Duration::ZERO).unwrap() == Pulled::Idle {
            break;
        }
        more.records().for_each(|record| chunk.push_record(&record));
        assert!(chunk.len() > before);
    }
    chunk.records().map(|record| (record.offset, String::from_utf8(record.bytes.to_vec()).unwrap())).collect()
}

fn texts(found: &[(u64, String)]) -> Vec<&str> {
    found.iter().map(|(_, text)| text.as_str()).collect()
}

#[test]
fn what_is_appended_comes_line_by_line_and_a_file_to_come_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.ndjson");
    let mut source = TailSource::new(&path, TailOptions::default());
    assert_eq!(pull(&mut source), []);
    append(&path, "one\ntw");
    assert_eq!(texts(&pull(&mut source)), ["one"]);
    assert_eq!(pull(&mut source), []);
    append(&path, "o\nthree\n");
    assert_eq!(pull(&mut source), [(1, "two".to_owned()), (2, "three".to_owned())]);
}

#[test]
fn a_renamed_file_is_read_out_before_the_new_one_and_offsets_ascend() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.ndjson");
    append(&path, "one\n");
    let mut source = TailSource::new(&path, TailOptions::default());
    assert_eq!(texts(&pull(&mut source)), ["one"]);
    append(&path, "two\nthr");
    fs::rename(&path, dir.path().join("log.1")).unwrap();
    append(&path, "four\n");
    let found = pull(&mut source);
    assert_eq!(texts(&found), ["two", "thr", "four"]);
    assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "{found:?}");
}

#[test]
fn a_truncated_file_is_read_from_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.ndjson");
    append(&path, "a long first line\n");
    let mut source = TailSource::new(&path, TailOptions::default());
    assert_eq!(texts(&pull(&mut source)), ["a long first line"]);
    fs::write(&path, "new\n").unwrap();
    assert_eq!(texts(&pull(&mut source)), ["new"]);
}

#[test]
fn from_the_end_only_a_csv_header_is_kept_of_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.csv");
    append(&path, "ts,lon\n1,2\n3,");
    let mut source = TailSource::new(&path, TailOptions { from_end: true, ..TailOptions::default() });
    assert_eq!(texts(&pull(&mut source)), ["ts,lon"]);
    append(&path, "4\n5,6\n");
    assert_eq!(pull(&mut source), [(2, "3,4".to_owned()), (3, "5,6".to_owned())]);
}

#[test]
fn a_follower_goes_on_in_a_file_that_was_renamed_while_nobody_followed_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.ndjson");
    append(&path, "1\n2\n3");
    let mut source = TailSource::new(&path, TailOptions::default());
    assert_eq!(source.place(), None);
    assert_eq!(texts(&pull(&mut source)), ["1", "2"]);
    let place = source.place().unwrap();
    drop(source);
    append(&path, "3\n4\n");
    let resume = || TailSource::resume(&path, TailOptions::default(), &place).unwrap();
    assert_eq!(pull(&mut resume()), [(2, "33".to_owned()), (3, "4".to_owned())]);
    // Renamed, and another file in its place.
    fs::rename(&path, dir.path().join("log.ndjson.1")).unwrap();
    append(&path, "5\n6\n");
    let mut source = resume();
    let mut found = pull(&mut source);
    found.extend(pull(&mut source));
    assert_eq!(texts(&found), ["33", "4", "5", "6"]);
    assert_eq!(found.last().unwrap().0, 5);
    // Gone: what is there now, with numbers that go on.
    fs::remove_file(dir.path().join("log.ndjson.1")).unwrap();
    assert_eq!(pull(&mut resume()), [(2, "5".to_owned()), (3, "6".to_owned())]);
}
