use super::*;
use crate::{
    io::outbox::OutboxLogOptions,
    runtime::{clock::ManualClock, telemetry::Telemetry},
};
use std::{path::Path, thread};

const OPTIONS: OutboxLogOptions = OutboxLogOptions { segment_bytes: 400, keep_bytes: 100_000 };
const LIMITS: SpoolLimits = SpoolLimits { bytes: 1 << 20, memory_bytes: 1 << 20, full: WhenFull::Wait };

fn alert(id: u128) -> String {
    format!("{{\"type\":\"Feature\",\"id\":\"{id:032x}\",\"n\":{id}}}")
}

fn lines(ids: impl IntoIterator<Item = u128>) -> Lines {
    let mut lines = Lines::new();
    for id in ids {
        lines.push_with("R", |out| out.extend_from_slice(alert(id).as_bytes()));
    }
    lines
}

fn spool(dir: Option<&Path>, limits: SpoolLimits) -> (Arc<Spool>, Telemetry) {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(1_000));
    let telemetry = Telemetry::new(Arc::clone(&clock));
    let log = dir.map(|dir| OutboxLog::open(dir, OPTIONS).unwrap());
    (Arc::new(Spool::new("s", log, limits, telemetry.outbox("s"), clock)), telemetry)
}

fn take(spool: &Spool, count: usize) -> Vec<u128> {
    match spool.next(count, Some(Duration::ZERO)) {
        Next::Parcels(parcels) => {
            parcels.iter().for_each(|parcel| assert_eq!(parcel.line, alert(parcel.id).as_bytes()));
            parcels.iter().map(|parcel| parcel.id).collect()
        }
        _ => Vec::new(),
    }
}

#[track_caller]
fn assert_figure(telemetry: &Telemetry, line: &str) {
    let text = telemetry.render();
    assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
}

#[test]
fn what_a_killed_process_left_comes_first_and_what_is_found_again_not_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = spool(Some(dir.path()), LIMITS);
    first.push(&lines(0..30));
    assert_eq!(take(&first, 10).len(), 10);
    first.settle(10, &Fate::Acknowledged);
    assert_eq!(take(&first, 5), [10, 11, 12, 13, 14]);
    assert!(first.volatile().is_empty());
    drop(first);
    let (second, telemetry) = spool(Some(dir.path()), LIMITS);
    assert_figure(&telemetry, r#"geocep_outbox_alerts{sink="s"} 20.0"#);
    // The run goes on from a checkpoint of before: some of these were delivered, some wait.
    second.push(&lines(5..35));
    assert_figure(&telemetry, r#"geocep_outbox_known_total{sink="s"} 25"#);
    assert_eq!(take(&second, 100), (10..35).collect::<Vec<_>>());
    second.settle(100, &Fate::Acknowledged);
    second.ended();
    drop(second);
    // A run that came to its end is over: the next one means what it says.
    let (third, _) = spool(Some(dir.path()), LIMITS);
    third.push(&lines([7]));
    assert_eq!(take(&third, 100), [7]);
}

#[test]
fn more_than_memory_keeps_is_read_from_the_disk_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = spool(Some(dir.path()), SpoolLimits { bytes: u64::MAX, ..LIMITS });
    let long = "x".repeat(100_000);
    for id in 0..200u128 {
        let mut batch = Lines::new();
        let text = format!("{{\"type\":\"Feature\",\"id\":\"{id:032x}\",\"text\":\"{long}\"}}");
        batch.push_with("R", |out| out.extend_from_slice(text.as_bytes()));
        spool.push(&batch);
    }
    assert!(spool.lock().cached <= CACHE_BYTES);
    let mut found = Vec::new();
    while let Next::Parcels(parcels) = spool.next(7, Some(Duration::ZERO)) {
        found.extend(parcels.iter().map(|parcel| parcel.id));
        spool.settle(parcels.len(), &Fate::Acknowledged);
    }
    assert_eq!(found, (0..200).collect::<Vec<_>>());
    let state = spool.lock();
    assert_eq!((state.bytes, state.cached, state.volatile), (0, 0, 0));
}

#[test]
fn a_full_outbox_makes_the_engine_wait_or_drops_the_oldest_but_not_what_is_under_way() {
    let small = SpoolLimits { bytes: 1_000, ..LIMITS };
    let (waits, _) = spool(None, small);
    let other = Arc::clone(&waits);
    let pushing = thread::spawn(move || other.push(&lines(0..20)));
    let mut found = Vec::new();
    while found.len() < 20 {
        let taken = take(&waits, 3);
        assert!(waits.lock().bytes <= 1_000);
        waits.settle(taken.len(), &Fate::Acknowledged);
        found.extend(taken);
    }
    pushing.join().unwrap();
    assert_eq!(found, (0..20).collect::<Vec<_>>());

    let dir = tempfile::tempdir().unwrap();
    let (drops, telemetry) = spool(Some(dir.path()), SpoolLimits { full: WhenFull::DropOldest, ..small });
    drops.push(&lines(0..3));
    assert_eq!(take(&drops, 2), [0, 1]);
    drops.push(&lines(3..30));
    drops.settle(2, &Fate::Acknowledged);
    let left = take(&drops, 100);
    assert!(left.len() > 3 && left.last() == Some(&29), "{left:?}");
    let dropped = 30 - 2 - left.len();
    assert_figure(&telemetry, &format!("geocep_outbox_dropped_total{{sink=\"s\"}} {dropped}"));
    drop(drops);
    let (again, _) = spool(Some(dir.path()), small);
    assert_eq!(take(&again, 100), left);
}

#[test]
fn what_the_disk_does_not_take_waits_in_memory_for_the_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = spool(Some(dir.path()), LIMITS);
    spool.push(&lines([1]));
    // A directory where the next segment should be.
    for number in 2..5 {
        std::fs::create_dir(dir.path().join(format!("{number:012}.seg"))).unwrap();
    }
    spool.push(&lines(2..20));
    let volatile: usize = spool.volatile().iter().map(|lines| lines.len()).sum();
    let (alone, all) = spool.waiting();
    assert!(volatile > 5 && alone == volatile as u64 && all == 19, "{volatile} {alone} {all}");
    assert!(!spool.is_safe());
    assert_eq!(take(&spool, 100), (1..20).collect::<Vec<_>>());
    spool.settle(100, &Fate::Acknowledged);
    assert_eq!(spool.waiting(), (0, 0));
}

#[test]
fn abandoned_nobody_waits() {
    let (spool, _) = spool(None, SpoolLimits { bytes: 1, ..LIMITS });
    let other = Arc::clone(&spool);
    let pushing = thread::spawn(move || other.push(&lines(0..5)));
    spool.abandon();
    pushing.join().unwrap();
    assert!(!spool.nap(Duration::from_secs(60)));
    assert!(matches!(spool.next(1, None), Next::End));
    assert_eq!(spool.waiting(), (5, 5));
    let taken: usize = spool.volatile().iter().map(|lines| lines.len()).sum();
    assert_eq!(taken, 5);
}
