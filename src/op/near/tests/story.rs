//! Short stories of two.

use super::kit::{Run, near};
use crate::{
    geo::{Position, destination},
    plan,
};

fn at(metres: f64) -> Position {
    destination(Position::new(4.0, 52.0).unwrap(), 90.0, metres)
}

/// Time, encounter and time together of what was said.
fn told(run: &Run) -> Vec<(i64, &str, i64)> {
    run.said.iter().map(|said| (said.0, said.3.as_str(), said.5)).collect()
}

#[test]
fn they_part_beyond_leave_at_and_not_before() {
    let mut run = Run::new(&near());
    run.ping((0, 0, 1, at(0.0), 0.0));
    for (step, metres) in [600.0, 499.0, 699.0, 701.0, 600.0].into_iter().enumerate() {
        run.ping((0, 1_000 * (step as i64 + 1), 2, at(metres), 0.0));
    }
    assert_eq!(told(&run), [(2_000, "approached", 0), (3_000, "together", 1_000), (4_000, "separated", 2_000)]);
}

#[test]
fn who_falls_silent_is_parted_by_a_timer_and_forgotten() {
    let mut run = Run::new(&near());
    run.ping((0, 0, 1, at(0.0), 0.0));
    run.ping((0, 10_000, 2, at(100.0), 0.0));
    assert_eq!(run.deadline(), Some(60_001));
    run.advance(60_000);
    assert_eq!(told(&run), [(10_000, "approached", 0)]);
    run.advance(60_001);
    assert_eq!(told(&run)[1..], [(60_001, "separated", 50_001)]);
    assert!(run.said[1].6, "a timer says so");
    run.advance(70_001);
    assert!(run.is_idle());
}

#[test]
fn a_grid_of_time_looks_after_the_events_of_its_instant() {
    let mut run = Run::new(&plan::Near { every_ms: Some(10_000), ..near() });
    run.ping((0, 3_000, 1, at(0.0), 0.0));
    run.ping((0, 10_000, 2, at(100.0), 0.0));
    run.advance(10_000);
    assert_eq!(told(&run), []);
    run.advance(10_001);
    assert_eq!(told(&run), [(10_000, "approached", 0)]);
    run.advance(i64::MAX);
    let last = told(&run).last().copied();
    assert_eq!((told(&run).len(), last), (7, Some((70_000, "separated", 60_000))));
    assert!(run.is_idle());
}

#[test]
fn the_end_of_time_is_an_end() {
    for every_ms in [None, Some(10_000)] {
        let mut run = Run::new(&plan::Near { every_ms, ..near() });
        run.ping((0, i64::MAX - 3, 1, at(0.0), 0.0));
        run.ping((0, i64::MAX - 2, 2, at(100.0), 0.0));
        run.advance(i64::MAX);
        run.advance(i64::MAX);
        let mut early = Run::new(&plan::Near { every_ms, ..near() });
        early.ping((0, i64::MIN, 1, at(0.0), 0.0));
        early.ping((0, i64::MIN + 5, 2, at(100.0), 0.0));
        early.advance(i64::MAX);
        assert!(early.is_idle());
    }
}
