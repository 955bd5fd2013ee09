use super::*;
use crate::runtime::{
    clock::SystemClock,
    telemetry::{ComponentKind, ComponentState, Telemetry},
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::Mutex;

/// What a sink answers to a call, until it has run out of answers and takes all.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Disk,
    /// Takes so many lines of the call.
    Away(usize),
    Gone,
}

struct Scripted {
    answers: Vec<Answer>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Sink for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn write(&mut self, lines: &Lines) -> Result<(), SinkError> {
        let name = "scripted".to_owned();
        let mut taken = self.taken.lock().unwrap();
        let mut take = |count: usize| {
            taken.extend(lines.iter().take(count).map(|(_, line)| String::from_utf8_lossy(line).into_owned()));
        };
        // A poisoned line is refused wherever it stands.
        if let Some(at) = lines.iter().position(|(_, line)| line == b"poison") {
            take(at);
            let error = KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge);
            return Err(SinkError::Kafka { name, error });
        }
        match self.answers.pop() {
            Some(Answer::Disk) => Err(SinkError::Write { name, error: io::Error::other("full") }),
            Some(Answer::Away(count)) => {
                take(count);
                Err(SinkError::Away { name, taken: count, unacknowledged: 1 })
            }
            Some(Answer::Gone) => Err(SinkError::Closed { name }),
            None => {
                take(usize::MAX);
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

struct Run {
    outlet: Outlet,
    taken: Arc<Mutex<Vec<String>>>,
    telemetry: Telemetry,
    shutdown: Shutdown,
}

fn run(answers: &[Answer], batches: &[&[&str]]) -> Run {
    let telemetry = Telemetry::new(Arc::new(SystemClock::new()));
    let (taken, shutdown) = (Arc::default(), Shutdown::new());
    let sink = Scripted { answers: answers.iter().rev().copied().collect(), taken: Arc::clone(&taken) };
    let watched = telemetry.health().watch(ComponentKind::Sink, "s");
    let reports = Reports { figures: telemetry.sink("s"), watched, shutdown: shutdown.clone() };
    let outlet = Outlet::start("s", Box::new(sink), 1_000, reports).unwrap();
    for batch in batches {
        let mut lines = Lines::new();
        for line in *batch {
            lines.push_with("", |out| out.extend_from_slice(line.as_bytes()));
        }
        outlet.outbox.push(&Arc::new(lines));
    }
    Run { outlet, taken, telemetry, shutdown }
}

impl Run {
    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

#[test]
fn a_batch_that_failed_is_written_again_without_what_was_taken() {
    let run = run(&[Answer::Disk, Answer::Away(2), Answer::Away(0), Answer::Away(1)], &[&["a", "b", "c", "d"], &["e"]]);
    assert_eq!(run.outlet.finish(Duration::from_secs(20)), 0);
    assert_eq!(run.taken(), ["a", "b", "c", "d", "e"]);
    let metrics = run.telemetry.render();
    assert!(metrics.contains("geocep_sink_written_total{sink=\"s\"} 5"), "{metrics}");
    assert!(metrics.contains("geocep_sink_errors_total{sink=\"s\"} 4"), "{metrics}");
    assert_eq!(run.telemetry.health().components()[0].state, ComponentState::Ended);
    assert!(!run.shutdown.is_requested());
}

#[test]
fn a_line_that_is_refused_for_good_holds_nobody_up_and_is_told() {
    let run = run(&[], &[&["a", "poison", "b"], &["c"]]);
    assert_eq!(run.outlet.finish(Duration::from_secs(20)), 1);
    let mut taken = run.taken();
    taken.dedup();
    // The one before it may come twice.
    assert_eq!(taken, ["a", "b", "c"]);
}

#[test]
fn without_a_reader_the_run_is_asked_to_stop_and_nothing_is_missed() {
    let run = run(&[Answer::Gone], &[&["a"]]);
    for _ in 0..500 {
        if run.shutdown.is_requested() {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    assert!(run.shutdown.is_requested());
    run.outlet.outbox.push(&Arc::new(part(&Lines::new(), 0, 0)));
    assert_eq!(run.outlet.finish(Duration::from_secs(20)), 0);
}

#[test]
fn a_sink_that_never_recovers_is_given_up_in_time() {
    let run = run(&[Answer::Disk; 100], &[&["a", "b"]]);
    assert_eq!(run.outlet.finish(Duration::from_millis(300)), 2);
    assert_eq!(run.telemetry.health().components()[0].state, ComponentState::Failed);
}
