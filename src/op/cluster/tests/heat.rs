use super::super::*;
use crate::{
    geo::Cell,
    model::{Reader, Writer},
};

fn cell() -> Cell {
    "882a100d2dfffff".parse().unwrap()
}

fn heat(expire: Option<i64>, hits: u32, results: u32) -> Heat {
    Heat::new(expire, Confirm::new(hits, results).unwrap()).unwrap()
}

#[test]
fn a_result_counts_up_to_its_expiry_and_not_at_it() {
    let mut heat = heat(Some(100), 1, 1);
    assert!(heat.read(cell(), Reading::Hot, 0));
    assert_eq!(heat.next_expiry(), Some(100));
    assert!(heat.expire(99).is_empty());
    assert_eq!(heat.expire(100), [cell()]);
    assert!(heat.is_empty());
}

#[test]
fn a_result_at_the_instant_of_expiry_comes_first() {
    let mut heat = heat(Some(100), 1, 1);
    heat.read(cell(), Reading::Hot, 0);
    assert!(heat.read(cell(), Reading::Hot, 100));
    assert!(heat.expire(100).is_empty());
    assert_eq!(heat.next_expiry(), Some(200));
    assert_eq!(heat.expire(1_000), [cell()]);
}

#[test]
fn a_cell_that_came_again_and_again_is_listed_once() {
    let mut heat = heat(Some(100), 1, 1);
    for at in 0..50 {
        assert!(heat.read(cell(), Reading::Hot, at));
        assert!(!heat.read(cell(), Reading::Cold, at));
    }
    heat.read(cell(), Reading::Hot, 60);
    let mut ends = vec![];
    while let Some(at) = heat.next_expiry() {
        ends.extend(heat.expire(at).into_iter().map(|cell| (at, cell)));
    }
    assert_eq!(ends, [(160, cell())]);
}

#[test]
fn between_hot_and_cold_a_cell_stays_what_it_is() {
    let mut heat = heat(None, 1, 1);
    assert!(!heat.read(cell(), Reading::Between, 0));
    assert!(heat.read(cell(), Reading::Hot, 1));
    assert!(heat.read(cell(), Reading::Between, 2));
    assert!(!heat.read(cell(), Reading::Cold, 3));
    assert!(heat.is_empty() && heat.next_expiry().is_none());
}

#[test]
fn confirmation_needs_n_of_the_last_m_results() {
    use Reading::{Cold, Hot};
    let mut heat = heat(None, 2, 3);
    let readings = [Hot, Cold, Hot, Cold, Hot, Hot, Cold, Hot, Cold, Cold, Hot, Cold, Cold, Cold];
    let hot: Vec<bool> = (0..).zip(readings).map(|(at, reading)| heat.read(cell(), reading, at)).collect();
    let expected = [0, 0, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0].map(|hot| hot == 1);
    assert_eq!(hot, expected);
    assert!(heat.is_empty());
}

#[test]
fn numbers_out_of_range_are_refused() {
    for (hits, results) in [(0, 1), (2, 1), (1, 65), (0, 0)] {
        assert_eq!(Confirm::new(hits, results), Err(ClusterError::Confirm { hits, results }));
    }
    assert!(Confirm::new(64, 64).is_ok());
    assert_eq!(Heat::new(Some(0), Confirm::default()).unwrap_err(), ClusterError::Expire(0));
}

#[test]
fn saved_heat_goes_on_as_it_was() {
    let cells = cell().disk(2).unwrap();
    let mut heat_a = heat(Some(100), 2, 3);
    for (at, cell) in (0..).zip(&cells) {
        heat_a.read(*cell, Reading::Hot, at);
        heat_a.read(*cell, Reading::Hot, at + i64::from(at % 2 == 0) * 50);
    }
    let mut writer = Writer::new();
    heat_a.save(&mut writer);
    let bytes = writer.into_bytes();
    let mut heat_b = heat(Some(100), 2, 3);
    let mut reader = Reader::new(&bytes);
    heat_b.load(&mut reader).unwrap();
    assert!(reader.is_done());
    for at in 0..300 {
        assert_eq!(heat_a.expire(at), heat_b.expire(at), "{at}");
    }
    assert!(heat_a.is_empty() && heat_b.is_empty());
}
