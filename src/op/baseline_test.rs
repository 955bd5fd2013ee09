//! The baseline against its definition over the list of all values.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const D: TimeMs = 24 * HOUR_MS;
const W: TimeMs = 7 * D;

/// The definition, where no hour has more than four values.
fn naive(events: &[(TimeMs, f64)], now_ms: TimeMs, over_hours: i64) -> Option<(f64, f64)> {
    let hour = |at: TimeMs| at.div_euclid(HOUR_MS);
    let mut hours: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (at, x) in events.iter().filter(|(at, _)| hour(*at) < hour(now_ms) && hour(*at) >= hour(now_ms) - over_hours) {
        hours.entry(hour(*at)).or_default().push(*x);
    }
    let alike = |period: i64| {
        let found: Vec<Vec<f64>> =
            hours.iter().filter(|(at, _)| (hour(now_ms) - **at) % period == 0).map(|(_, xs)| xs.clone()).collect();
        (found.len() >= 3).then_some(found)
    };
    let found = alike(168).or_else(|| alike(24))?;
    let median = |of: &dyn Fn(f64) -> f64| {
        let mut all: Vec<f64> =
            found.iter().flat_map(|xs| xs.iter().flat_map(|x| vec![of(*x); 12 / xs.len()])).collect();
        all.sort_by(f64::total_cmp);
        (all[(all.len() - 1) / 2] + all[all.len() / 2]) / 2.0
    };
    let mid = median(&|x| x);
    Some((mid, median(&|x| (x - mid).abs())))
}

fn both(values: [Value; 2]) -> Option<(f64, f64)> {
    let [median, mad] = values;
    Some((median.number()?, mad.number()?))
}

fn saved(history: &History) -> Vec<u8> {
    let mut writer = Writer::new();
    history.save(&mut writer);
    writer.into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_baseline_is_the_median_of_the_hours_alike_each_of_one_weight(
        // Hours that often are alike, before and after 1970.
        places in prop::collection::btree_set((-30i64..30, 0i64..3, 0i64..4), 0..150),
        xs in prop::collection::vec(-100i32..100, 150), over_days in 3i64..30, cut in 0usize..150,
    ) {
        let over = over_days as u32 * 24;
        let events: Vec<(TimeMs, f64)> = places
            .into_iter()
            .zip(xs)
            .map(|((day, hour, quarter), x)| (day * D + hour * HOUR_MS + quarter * 900_000, f64::from(x)))
            .collect();
        let mut history = History::default();
        for (at, &(time_ms, x)) in events.iter().enumerate() {
            let expected = naive(&events[..at], time_ms, over_days * 24);
            prop_assert_eq!(both(history.usual(time_ms, over)), expected);
            history.add(time_ms, over, &Value::Float(x));
            if at == cut {
                history = History::load(&mut Reader::new(&saved(&history))).unwrap();
            }
        }
    }

    #[test]
    fn broken_state_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(mut history) = History::load(&mut Reader::new(&bytes)) {
            history.usual(0, 168);
            history.add(W, 168, &Value::Int(1));
            history.usual(2 * W, 168);
        }
    }

    #[test]
    fn one_odd_day_moves_nothing_out_of_what_the_others_had(
        weeks in prop::collection::vec(prop::collection::vec(80i32..120, 1..4), 3..8), odd in any::<f64>(),
    ) {
        prop_assume!(odd.is_finite());
        for place in 0..weeks.len() {
            let mut history = History::default();
            for (week, values) in weeks.iter().enumerate() {
                for (at, x) in values.iter().enumerate() {
                    let x = if week == place { odd } else { f64::from(*x) };
                    history.add(week as i64 * W + at as i64, 10 * 168, &Value::Float(x));
                }
            }
            let (median, mad) = both(history.usual(weeks.len() as i64 * W, 10 * 168)).unwrap();
            prop_assert!((80.0..120.0).contains(&median), "{median}");
            prop_assert!(mad <= 40.0, "{mad}");
        }
    }
}

#[test]
fn the_hour_of_the_week_counts_once_there_are_three_and_the_hour_of_the_day_before() {
    let mut history = History::default();
    let over = 28 * 24;
    // Noon each day for four weeks: 10 on working days, 50 on the seventh.
    for day in 0..28 {
        let usual = both(history.usual(day * D, over)).map(|(median, _)| median);
        let weekend = day % 7 == 6;
        let expected = match day {
            0..3 => None,
            3..21 => Some(10.0),
            _ => Some(if weekend { 50.0 } else { 10.0 }),
        };
        assert_eq!(usual, expected, "day {day}");
        history.add(day * D, over, &Value::Int(if weekend { 50 } else { 10 }));
    }
}

#[test]
fn an_hour_of_very_many_values_keeps_a_few_in_their_stead() {
    let mut history = History::default();
    for day in 0..3 {
        for i in 0..10_000 {
            history.add(day * D + i * 300, 168, &Value::Int(i));
        }
    }
    assert!(history.now.len() < ROOM && history.values.len() == 2 * KEPT);
    let (median, mad) = both(history.usual(3 * D, 168)).unwrap();
    // Of even numbers 0 … 9,999 an eighth, three, five and seven eighths.
    assert!((median - 5_000.0).abs() < 400.0 && (mad - 2_500.0).abs() < 1_500.0, "{median} {mad}");
    assert!(history.heap_bytes() < 2_000, "{}", history.heap_bytes());
}

#[test]
fn durations_stay_durations_and_texts_do_not_count() {
    let mut history = History::default();
    for (day, ms) in [1_000, 3_000, 2_000].into_iter().enumerate() {
        history.add(day as i64 * D, 168, &Value::Duration(ms));
        history.add(day as i64 * D, 168, &Value::text("x"));
    }
    assert_eq!(history.usual(3 * D, 168), [Value::Duration(2_000), Value::Duration(1_000)]);
}

#[test]
fn a_silent_key_is_over_when_its_last_hour_is_too_old_also_at_the_ends_of_time() {
    let mut history = History::default();
    assert_eq!(history.over_ms(72), None);
    history.add(HOUR_MS + 5, 72, &Value::Int(1));
    assert_eq!(history.over_ms(72), Some(74 * HOUR_MS));
    history.usual(74 * HOUR_MS, 72);
    assert_eq!(history.over_ms(72), None);
    for time_ms in [i64::MIN, i64::MIN + 1, 0, i64::MAX] {
        history.usual(time_ms, 72);
        history.add(time_ms, 72, &Value::Int(1));
    }
    assert!(history.over_ms(72).is_some());
}
