use super::*;
use crate::runtime::{
    clock::ManualClock,
    config::WhenFull,
    daemon::spool::SpoolLimits,
    telemetry::{ComponentKind, ComponentState, Telemetry},
};
use std::{
    fs,
    sync::{Mutex, PoisonError},
    thread,
};

/// Answers what it was told to, then takes all.
struct Scripted {
    answers: Vec<Answer>,
    batch: usize,
    asked: Arc<Mutex<Vec<Vec<u128>>>>,
    clock: Arc<ManualClock>,
}

impl Receiver for Scripted {
    fn batch(&self) -> usize {
        self.batch
    }

    fn deliver(&mut self, parcels: &[Parcel], _: i64) -> Answer {
        self.asked.lock().unwrap().push(parcels.iter().map(|parcel| parcel.id).collect());
        // Half a minute an attempt.
        self.clock.advance(Duration::from_secs(30));
        self.answers.pop().unwrap_or(Answer::Taken)
    }
}

fn later(after_ms: Option<u64>) -> Answer {
    Answer::Later { trouble: Trouble::Server, why: "broken".to_owned(), after: after_ms.map(Duration::from_millis) }
}

fn refused() -> Answer {
    Answer::Refused { why: "no".to_owned() }
}

struct Ran {
    asked: Vec<Vec<u128>>,
    dead: Vec<Value>,
    metrics: String,
    state: ComponentState,
}

/// Delivers alerts 0 to `count`.
fn run(answers: &[Answer], batch: usize, count: u128, attempts: Option<u64>, age_ms: Option<i64>) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(1_000_000));
    let telemetry = Telemetry::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let limits = SpoolLimits { bytes: 1 << 20, memory_bytes: 1 << 20, full: WhenFull::Wait };
    let figures = telemetry.outbox("s");
    let spool = Arc::new(Spool::new("s", None, limits, figures.clone(), Arc::clone(&clock) as Arc<dyn Clock>));
    let asked = Arc::new(Mutex::default());
    let answers = answers.iter().rev().cloned().collect();
    let receiver = Scripted { answers, batch, asked: Arc::clone(&asked), clock: Arc::clone(&clock) };
    let retry = RetryConfig { attempts, age_ms, longest_ms: 100, statuses: Vec::new() };
    let dead = dir.path().join("dead.ndjson");
    let reports = CourierReports {
        figures: telemetry.sink("s"),
        outbox: figures,
        watched: telemetry.health().watch(ComponentKind::Sink, "s"),
        clock,
        shutdown: Shutdown::new(),
    };
    let file = FileSink::open(&dead, None).unwrap();
    let courier = Courier::new("s", Arc::clone(&spool), Box::new(receiver), retry, Some(file), reports);
    let mut lines = Lines::new();
    for id in 0..count {
        let line = format!("{{\"type\":\"Feature\",\"id\":\"{id:032x}\"}}");
        lines.push_with("R", |out| out.extend_from_slice(line.as_bytes()));
    }
    spool.push(&lines);
    spool.close();
    thread::spawn(move || courier.work()).join().unwrap();
    let dead = fs::read_to_string(dead).unwrap();
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ran {
        asked,
        dead: dead.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        metrics: telemetry.render(),
        state: telemetry.health().components()[0].state,
    }
}

fn ids(dead: &[Value]) -> Vec<&str> {
    dead.iter().map(|letter| letter["alert"]["id"].as_str().unwrap().trim_start_matches('0')).collect()
}

#[test]
fn it_tries_again_in_order_until_all_is_taken() {
    let ran = run(&[later(None), later(Some(1)), Answer::Taken, later(None)], 2, 5, None, None);
    assert_eq!(ran.asked, [vec![0, 1], vec![0, 1], vec![0, 1], vec![2, 3], vec![2, 3], vec![4]]);
    assert!(ran.dead.is_empty());
    assert_eq!(ran.state, ComponentState::Ended);
    for line in [
        r#"geocep_outbox_attempts_total{sink="s"} 6"#,
        r#"geocep_outbox_failures_total{sink="s",kind="server"} 3"#,
        r#"geocep_sink_written_total{sink="s"} 5"#,
        r#"geocep_outbox_alerts{sink="s"} 0.0"#,
    ] {
        assert!(ran.metrics.lines().any(|found| found == line), "{line}\n{}", ran.metrics);
    }
}

#[test]
fn of_a_request_that_is_refused_each_alert_is_tried_alone() {
    let ran = run(&[refused(), Answer::Taken, refused(), later(None), Answer::Taken], 3, 4, None, None);
    assert_eq!(ran.asked, [vec![0, 1, 2], vec![0], vec![1], vec![2], vec![2], vec![3]]);
    assert_eq!(ids(&ran.dead), ["1"]);
    assert_eq!((&ran.dead[0]["reason"], &ran.dead[0]["attempts"]), (&json!("no"), &json!(1)));
    assert!(ran.metrics.contains("geocep_outbox_dead_total{sink=\"s\"} 1\n"), "{}", ran.metrics);
}

#[test]
fn what_was_tried_often_or_long_enough_is_given_up_and_the_next_go_on() {
    let ran = run(&[later(None), later(None), later(None)], 2, 3, Some(3), None);
    assert_eq!(ran.asked, [vec![0, 1], vec![0, 1], vec![0, 1], vec![2]]);
    assert_eq!(ids(&ran.dead), ["", "1"]);
    assert_eq!(ran.dead[0]["reason"], "broken");
    // Half a minute an attempt: after the second it is a minute old.
    let ran = run(&[later(None), later(None)], 1, 2, None, Some(60_000));
    assert_eq!(ran.asked, [[0], [0], [1]]);
    assert_eq!(ran.dead[0]["given_up"], "1970-01-01T00:17:40Z");
}

#[test]
fn a_receiver_that_wants_to_be_left_alone_is() {
    let clock = crate::runtime::clock::SystemClock::new();
    let began = clock.monotonic();
    let ran = run(&[later(Some(400))], 1, 1, None, None);
    assert_eq!(ran.asked.len(), 2);
    assert!(clock.monotonic().saturating_sub(began) >= Duration::from_millis(400));
}
