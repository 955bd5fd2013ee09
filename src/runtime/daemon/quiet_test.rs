use super::*;
use crate::{
    engine::{AtEnd, Inline, Options},
    lang::{
        check::{Catalog, check},
        file::RuleFile,
    },
    runtime::{
        clock::ManualClock,
        config::{Config, StreamSchema},
        project::Project,
        session::{Letters, Lines, Session},
    },
    wire::{Chunk, Format},
};
use std::path::Path;

const A: LaneIx = LaneIx(0);
const B: LaneIx = LaneIx(1);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Two partitions; the first tells when it is idle, the second can't.
fn two(timeouts_ms: [Option<TimeMs>; 2]) -> (Arc<ManualClock>, Quiet) {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let mut quiet = Quiet::new(clock.clone());
    quiet.add(A, 0, timeouts_ms[0], false);
    quiet.add(B, 0, timeouts_ms[1], true);
    (clock, quiet)
}

#[test]
fn a_partition_is_idle_when_it_is_read_to_its_end_and_silent_and_a_record_wakes_it() {
    let (clock, mut quiet) = two([Some(1_000), None]);
    quiet.record(A);
    clock.advance(ms(5_000));
    assert_eq!(quiet.newly_idle(), []);
    quiet.set_caught_up(A, true);
    clock.advance(ms(999));
    assert_eq!(quiet.newly_idle(), []);
    clock.advance(ms(1));
    assert_eq!(quiet.newly_idle(), [A]);
    assert_eq!(quiet.newly_idle(), []);
    // The other is never idle, so that time stands still.
    clock.advance(ms(1_000_000));
    assert_eq!((quiet.newly_idle(), quiet.time_ms(0, 50_000)), (vec![], None));
    assert!(quiet.record(A));
    assert!(!quiet.record(A));
}

#[test]
fn time_goes_on_from_the_watermark_and_never_jumps_to_the_walls() {
    let (clock, mut quiet) = two([Some(1_000), Some(2_000)]);
    quiet.set_caught_up(A, true);
    clock.advance(ms(500));
    quiet.record(B);
    clock.advance(ms(2_000));
    assert_eq!(quiet.newly_idle(), [A, B]);
    // 2 s since the last record of all.
    assert_eq!(quiet.time_ms(0, 10_000), Some(12_000));
    clock.advance(ms(100));
    clock.set_wall_ms(9_000_000_000_000);
    // The core's watermark has moved by the first tick: what counts is where it stood then.
    assert_eq!(quiet.time_ms(0, 12_000), Some(12_100));
    quiet.record(B);
    assert_eq!(quiet.time_ms(0, 12_100), None);
    quiet.end(B);
    assert_eq!(quiet.time_ms(0, 12_100), Some(14_700));
    quiet.end(A);
    assert_eq!(quiet.time_ms(0, 12_100), None);
}

#[test]
fn before_the_first_event_and_after_the_last_there_is_no_time_to_move() {
    let (clock, mut quiet) = two([Some(0), Some(0)]);
    quiet.set_caught_up(A, true);
    clock.advance(ms(10));
    assert_eq!(quiet.newly_idle(), [A, B]);
    assert_eq!((quiet.time_ms(0, TimeMs::MIN), quiet.time_ms(0, TimeMs::MAX)), (None, None));
}

#[test]
fn silence_is_counted_from_when_a_partition_was_asked_and_had_caught_up() {
    let (clock, mut quiet) = two([Some(1_000), Some(1_000)]);
    clock.advance(ms(900));
    quiet.set_unasked(B);
    clock.advance(ms(900));
    quiet.set_caught_up(A, true);
    assert_eq!(quiet.newly_idle(), []);
    clock.advance(ms(100));
    assert_eq!(quiet.newly_idle(), [B]);
    // An outage: what comes after it isn't overtaken by time that passed meanwhile.
    quiet.set_caught_up(A, false);
    clock.advance(ms(60_000));
    quiet.set_caught_up(A, true);
    assert_eq!(quiet.newly_idle(), []);
    clock.advance(ms(1_000));
    assert_eq!((quiet.newly_idle(), quiet.time_ms(0, 5_000)), (vec![A], Some(6_000)));
}

const RULES: &str = "
groups:
  - name: g
    rules:
      - alert: Seen
        expr: |
          FROM pings
          PARTITION BY id
      - alert: Silent
        expr: |
          FROM pings
          PARTITION BY id
          PATTERN last -> !next FOR 10 s
          WITHIN UNBOUNDED
";

fn session(rules: &str) -> Session {
    let (file, _) = RuleFile::parse("rules.yaml", rules);
    let sources = [("pings".to_owned(), StreamSchema::default().catalog())].into_iter().collect();
    let checked = check(&[file.unwrap()], &Catalog { sources, ..Catalog::default() });
    let project = Project {
        config: Config::parse("{}", Path::new(""), &[], &|_| None).unwrap(),
        plan: Arc::new(checked.plan.unwrap()),
        world: Arc::default(),
        table_stamps: std::collections::BTreeMap::new(),
        warnings: Vec::new(),
    };
    Session::new(&project, Options { eager: true, ..Options::default() }, Box::new(Inline)).unwrap()
}

fn rules(lines: &mut Lines) -> Vec<u32> {
    let found = lines.entries.iter().map(|(rule, _)| *rule).collect();
    lines.clear();
    found
}

/// What the driver does, with a clock that is moved by hand: history from 1970 on a quiet stream whose events may be 3 s out of order.
#[test]
fn on_a_quiet_stream_what_waits_for_order_comes_out_and_absence_fires() {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let mut quiet = Quiet::new(clock.clone());
    let mut session = session(RULES);
    let lane = session.add_partition("pings", &StreamSchema::default(), Format::Ndjson, 0, 3_000).unwrap();
    quiet.add(lane, 0, Some(500), true);
    let (mut lines, mut letters) = (Lines::default(), Letters::default());
    let mut push = |session: &mut Session, offset: u64, text: &str, lines: &mut Lines| {
        let mut chunk = Chunk::new();
        chunk.push(0, offset, text.as_bytes(), 1_000);
        session.push(lane, &chunk, &mut letters);
        session.advance(lines);
    };
    push(&mut session, 0, r#"{"ts":100000,"id":"a","lon":0,"lat":0}"#, &mut lines);
    quiet.record(lane);
    let look = |session: &mut Session, quiet: &mut Quiet, until_ms: u64, lines: &mut Lines| {
        for _ in 0..until_ms / 100 {
            clock.advance(ms(100));
            for lane in quiet.newly_idle() {
                session.set_idle(lane, true);
                session.advance(lines);
            }
            if let Some(time_ms) = quiet.time_ms(0, session.engine().watermark_ms()) {
                session.tick(time_ms, lines);
            }
        }
    };
    // Its place in the order is sure after the 3 s.
    look(&mut session, &mut quiet, 2_900, &mut lines);
    assert_eq!(rules(&mut lines), [0; 0]);
    look(&mut session, &mut quiet, 200, &mut lines);
    assert_eq!(rules(&mut lines), [0]);
    // Silent for 10 s of event time; the watermark is 3 s behind the event.
    look(&mut session, &mut quiet, 9_700, &mut lines);
    assert_eq!(rules(&mut lines), [0; 0]);
    look(&mut session, &mut quiet, 300, &mut lines);
    assert_eq!(rules(&mut lines), [1]);
    // It comes back, in order: nothing is late.
    assert!(quiet.record(lane));
    session.set_idle(lane, false);
    push(&mut session, 1, r#"{"ts":114000,"id":"a","lon":0,"lat":0}"#, &mut lines);
    session.finish(AtEnd::Drain, &mut lines);
    assert_eq!((rules(&mut lines), session.sources()[0].late), (vec![0, 1], 0));
}

#[test]
fn what_ran_out_of_time_on_a_quiet_stream_names_the_wall_clock() {
    let rules = "
groups:
  - name: g
    rules:
      - alert: Answered
        expr: |
          FROM pings
          PARTITION BY id
          PATTERN a -> b
          WITHIN 10 s
          ON TIMEOUT
          DEFINE a AS TRUE, b AS id = 'nobody'
          MEASURES a.time AS asked, b.time AS answered
      - alert: Confirmed
        expr: |
          FROM pings
          PARTITION BY id
          PATTERN last -> !next FOR 5 s
          WITHIN UNBOUNDED
          CLOCK WALL
";
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let mut quiet = Quiet::new(clock.clone());
    let mut session = session(rules);
    let lane = session.add_partition("pings", &StreamSchema::default(), Format::Ndjson, 0, 0).unwrap();
    quiet.add(lane, 0, Some(500), true);
    let (mut lines, mut letters) = (Lines::default(), Letters::default());
    for (offset, (ts, id)) in [(100_000, "a"), (106_000, "b")].into_iter().enumerate() {
        let mut chunk = Chunk::new();
        let record = format!(r#"{{"ts":{ts},"id":"{id}","lon":0,"lat":0}}"#);
        chunk.push(0, offset as u64, record.as_bytes(), 1_000);
        session.push(lane, &chunk, &mut letters);
        session.advance(&mut lines);
        quiet.record(lane);
    }
    // The stream isn't quiet, but it is live: the wall clock has come as far as the events.
    assert!(self::rules(&mut lines).is_empty() && quiet.is_live() && session.engine().waits_for_wall());
    session.tick(session.engine().watermark_ms(), &mut lines);
    let confirmed = lines.bytes.clone();
    assert_eq!(self::rules(&mut lines), [1]);
    assert!(String::from_utf8(confirmed).unwrap().contains(r#""end":"1970-01-01T00:01:45Z","clock":"wall""#));
    clock.advance(ms(4_100));
    quiet.newly_idle().into_iter().for_each(|lane| session.set_idle(lane, true));
    session.tick(quiet.time_ms(0, session.engine().watermark_ms()).unwrap(), &mut lines);
    let text = String::from_utf8(lines.bytes.clone()).unwrap();
    assert_eq!(self::rules(&mut lines), [0], "{text}");
    for part in
        [r#""status":"timed_out""#, r#""clock":"wall""#, r#""answered":null"#, r#""end":"1970-01-01T00:01:50Z""#]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    quiet.set_caught_up(lane, false);
    assert!(!quiet.is_live());
}
