use super::super::*;
use crate::{
    geo::Cell,
    model::{Reader, TimeMs, Writer},
};
use proptest::prelude::*;

fn centre() -> Cell {
    "882a100d2dfffff".parse().unwrap()
}

fn tracker(expire: Option<TimeMs>, every: Option<TimeMs>, emit: Emit) -> Tracker {
    Tracker::new(Config::default(), Timing { expire, every, emit, ..Timing::default() }).unwrap()
}

fn hot(tracker: &mut Tracker, cell: Cell, at: TimeMs) {
    tracker.result(cell, Reading::Hot, Load::default(), at);
}

/// Closes what is due before `until`, and `until` itself.
fn close_up_to(tracker: &mut Tracker, until: TimeMs) -> Vec<(TimeMs, &'static str, usize)> {
    let mut lines = Vec::new();
    while let Some(at) = tracker.next().filter(|&at| at <= until) {
        let records = tracker.close(at);
        lines.extend(records.iter().map(|record| (record.tick, record.transition.name(), record.look.size)));
    }
    lines
}

#[test]
fn without_every_each_instant_with_changes_is_a_tick() {
    let mut tracker = tracker(Some(50), None, Emit::Changes);
    hot(&mut tracker, centre(), 7);
    assert_eq!(tracker.next(), Some(7));
    assert_eq!(close_up_to(&mut tracker, 7), [(7, "emerged", 1)]);
    assert_eq!(tracker.next(), Some(57));
    assert_eq!(close_up_to(&mut tracker, 1_000), [(57, "dissolved", 1)]);
    assert!(tracker.is_empty() && tracker.next().is_none());
}

#[test]
fn ticks_lie_on_whole_multiples_and_come_after_results_and_expiries() {
    let mut tracker = tracker(Some(95), Some(100), Emit::Changes);
    let cells = centre().disk(1).unwrap();
    hot(&mut tracker, cells[0], -150);
    assert_eq!(close_up_to(&mut tracker, -100), [(-100, "emerged", 1)]);
    // It expires at -55, and that is seen at 0, together with the result of that instant.
    assert!(close_up_to(&mut tracker, -1).is_empty());
    hot(&mut tracker, cells[1], 0);
    assert_eq!(close_up_to(&mut tracker, 0), [(0, "dissolved", 1), (0, "emerged", 1)]);
    // One that expires at the tick itself isn't there any more.
    hot(&mut tracker, cells[1], 5);
    hot(&mut tracker, cells[2], 60);
    assert_eq!(close_up_to(&mut tracker, 100).last().map(|line| line.2), Some(1));
}

#[test]
fn all_repeats_regions_at_each_tick_and_ends_with_them() {
    let mut tracker = tracker(Some(250), Some(100), Emit::All);
    hot(&mut tracker, centre(), 10);
    let lines: Vec<(TimeMs, &str)> = close_up_to(&mut tracker, 10_000).iter().map(|line| (line.0, line.1)).collect();
    assert_eq!(lines, [(100, "emerged"), (200, "survived"), (300, "dissolved")]);
    assert!(tracker.next().is_none());
}

#[test]
fn a_speed_is_that_of_one_tick_however_long_nothing_changed() {
    for emit in [Emit::All, Emit::Changes] {
        let mut tracker = tracker(None, Some(1_000), emit);
        hot(&mut tracker, centre(), 1_000);
        close_up_to(&mut tracker, 9_000);
        let other = centre().disk(1).unwrap().into_iter().find(|cell| *cell != centre()).unwrap();
        hot(&mut tracker, other, 9_500);
        let records = tracker.close(10_000);
        assert_eq!(records[0].speed_mps, records[0].displacement_m);
        assert!(records[0].flags.grew && records[0].age_ms() == 9_000);
    }
}

#[test]
fn times_that_mean_nothing_are_refused() {
    let timing = Timing { every: Some(0), ..Timing::default() };
    assert_eq!(Tracker::new(Config::default(), timing).unwrap_err(), ClusterError::Every(0));
}

proptest! {
    #[test]
    fn the_order_within_an_instant_does_not_matter_and_a_restart_neither(
        instants in prop::collection::vec((1i64..40, prop::collection::btree_map(0usize..19, 0u8..3, 0..8)), 1..20),
        expire in prop::option::of(1i64..120), every in prop::option::of(1i64..60), all in any::<bool>(),
        hits in 1u32..=2, restart in 0usize..20,
    ) {
        let emit = if all { Emit::All } else { Emit::Changes };
        let confirm = Confirm::new(hits, 2).unwrap();
        let new = || Tracker::new(Config::default(), Timing { expire, every, confirm, emit }).unwrap();
        let (mut one, mut other) = (new(), new());
        let cells = centre().disk(2).unwrap();
        let reading = |heat: u8| [Reading::Cold, Reading::Between, Reading::Hot][usize::from(heat)];
        let mut now = 0;
        let clear = |mut records: Vec<Record>| {
            records.iter_mut().for_each(|record| record.cluster = None);
            records
        };
        for (i, (pause, results)) in instants.into_iter().enumerate() {
            now += pause;
            for tracker in [&mut one, &mut other] {
                while let Some(at) = tracker.next().filter(|&at| at < now) {
                    tracker.close(at);
                }
            }
            for (&cell, &heat) in &results {
                one.result(cells[cell], reading(heat), Load::default(), now);
            }
            for (&cell, &heat) in results.iter().rev() {
                other.result(cells[cell], reading(heat), Load::default(), now);
            }
            let bytes = |tracker: &Tracker| {
                let mut writer = Writer::new();
                tracker.save(&mut writer);
                writer.into_bytes()
            };
            prop_assert_eq!(bytes(&one), bytes(&other));
            if i == restart {
                let saved = bytes(&other);
                other = new();
                other.load(&mut Reader::new(&saved)).unwrap();
            }
            prop_assert_eq!(clear(one.close(now)), clear(other.close(now)));
            prop_assert!(one.next().is_none_or(|next| next > now));
        }
    }
}

proptest! {
    #[test]
    fn broken_state_is_an_error_or_another_state_and_never_a_panic(
        heats in prop::collection::vec(0..19usize, 0..12),
        cut in 0..2_000usize,
        flips in prop::collection::vec((0..2_000usize, any::<u8>()), 0..4),
        noise in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let cells = centre().disk(2).unwrap();
        let new = || tracker(Some(90), Some(20), Emit::All);
        let mut whole = new();
        for (at, cell) in heats.into_iter().enumerate() {
            let load = Load { weight: 2.0, members: vec![1], values: vec![crate::model::Value::Int(3)] };
            whole.result(cells[cell], Reading::Hot, load, at as TimeMs);
        }
        whole.close(20);
        whole.result(cells[0], Reading::Cold, Load::default(), 21);
        let mut writer = Writer::new();
        whole.save(&mut writer);
        let mut bytes = writer.into_bytes();
        for (at, flip) in flips {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= flip;
            }
        }
        bytes.truncate(cut);
        for bytes in [bytes, noise] {
            let mut read = new();
            if read.load(&mut Reader::new(&bytes)).is_ok() {
                read.result(cells[3], Reading::Hot, Load::default(), 30);
                for _ in 0..20 {
                    let Some(at) = read.next() else { break };
                    read.close(at);
                }
            }
        }
    }
}
