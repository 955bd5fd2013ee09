//! Records by HTTP: what is answered with 200 is never lost, whenever the daemon is killed.
//! `GEOCEP_KILLS=50 cargo test --test ingest` is the long form.

#![allow(clippy::unwrap_used, clippy::disallowed_types, reason = "a test talks to a real process and a real clock")]

#[path = "common/run.rs"]
mod run;

use run::{SCHEMA, SEEN, Scene, TOKEN, get, ping, post};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

fn config(more: &str) -> String {
    format!(
        "
sources:
  pings: {{ http: {{ queue: 1 MiB }}, {SCHEMA} }}
rules: rules.yaml
sinks: {{ alerts: {{ file: out.ndjson }} }}
state: {{ interval: 20 ms }}
api: {{ listen: '127.0.0.1:0', token: {TOKEN} }}
{more}
"
    )
}

#[test]
fn killed_at_random_moments_it_loses_nothing_that_it_answered_for() {
    let kills = std::env::var("GEOCEP_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(6);
    let scene = Scene::new(&config(""), SEEN);
    let taken: Mutex<BTreeSet<u64>> = Mutex::default();
    let next = AtomicU64::new(0);
    for _ in 0..kills {
        let pause = Duration::from_millis(30 + scene.random(250));
        let daemon = scene.start(&[]);
        let address = daemon.api();
        let stop = Arc::new(AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let batch: Vec<u64> = (0..5).map(|_| next.fetch_add(1, Ordering::Relaxed)).collect();
                        let text: String = batch.iter().map(|&n| ping(n)).collect();
                        if let Some((200, _)) = post(&address, &text) {
                            taken.lock().unwrap().extend(batch);
                        }
                    }
                });
            }
            thread::sleep(pause);
            daemon.kill();
            stop.store(true, Ordering::Relaxed);
        });
    }
    let taken = taken.into_inner().unwrap();
    assert!(taken.len() > 50, "{}", taken.len());
    let daemon = scene.start(&[]);
    scene.until("all that was taken", || taken.is_subset(&scene.numbers()).then_some(()));
    daemon.terminate();
    let (lines, numbers) = scene.alerts();
    assert_eq!(lines.len(), numbers.len(), "an event that came again has the alert that it had");
    assert!(scene.log().contains("going on from a checkpoint"));
}

#[test]
fn an_answer_says_what_was_wrong_with_which_line_and_who_may_not_is_refused() {
    let scene = Scene::new(&config("").replace("sinks: {", "sinks: { dead_letter: dead.ndjson,"), SEEN);
    let daemon = scene.start(&[]);
    let address = daemon.api();
    let body = format!("{}\n\r\nnot json\n{}{{\"ts\":1,\"id\":\"x\"}}\n", ping(1).trim(), ping(2));
    let (status, answer) = post(&address, &body).unwrap();
    let answer: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(
        (status, &answer["accepted"], &answer["rejected"], &answer["durable"]),
        (200, &2.into(), &2.into(), &true.into())
    );
    let wrong =
        |at: usize| (answer["errors"][at]["line"].as_u64(), answer["errors"][at]["reason"].as_str().unwrap_or(""));
    assert_eq!((wrong(0), wrong(1)), ((Some(3), "syntax"), (Some(5), "missing_position")));
    scene.until("alerts", || (scene.numbers() == BTreeSet::from([1, 2])).then_some(()));
    scene.until("letters", || {
        std::fs::read_to_string(scene.path("dead.ndjson")).ok().filter(|text| text.lines().count() == 2)
    });

    let ask = |path: &str, headers: &str, body: &[u8]| {
        run::ask(&address, &format!("POST {path} HTTP/1.1\r\n{headers}"), body).unwrap()
    };
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let lines = format!("{token}Content-Type: application/x-ndjson");
    let path = "/api/v1/ingest/pings";
    assert_eq!(ask(path, "Content-Type: application/x-ndjson", b"").0, 401);
    assert_eq!(ask(path, &format!("{token}Content-Type: text/plain"), b"{}").0, 415);
    assert_eq!(ask(path, token.trim_end(), b"{}").0, 415);
    assert_eq!(ask(path, &format!("{lines}\r\nContent-Encoding: br"), b"{}").0, 415);
    assert_eq!(ask(path, &format!("{lines}\r\nContent-Encoding: gzip"), b"no gzip").0, 400);
    assert_eq!(ask("/api/v1/ingest/others", &lines, b"{}").0, 404);
    assert_eq!(ask(path, &lines, &vec![b' '; (4 << 20) + 1]).0, 413);
    assert_eq!(get(&address, path).0, 405);
    let (status, answer) = ask(path, &lines, b"\n\n");
    assert!(status == 200 && answer.contains("\"accepted\":0"), "{answer}");

    let pack = |text: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut packed, text).unwrap();
        packed.finish().unwrap()
    };
    let packed = format!("{lines}\r\nContent-Encoding: gzip");
    let (status, answer) = ask(path, &packed, &pack(ping(3).as_bytes()));
    assert!(status == 200 && answer.contains("\"accepted\":1"), "{answer}");
    // A bomb: 40 MiB of blanks in some 40 KiB.
    assert_eq!(ask(path, &packed, &pack(&vec![b' '; 40 << 20])).0, 413);
    let pretty = ping(4).replace(',', ",\n  ");
    let (status, answer) =
        ask(path, &format!("{token}Content-Type: application/json; charset=utf-8"), pretty.as_bytes());
    assert!(status == 200 && answer.contains("\"accepted\":1"), "{answer}");
    scene.until("four alerts", || (scene.numbers() == BTreeSet::from([1, 2, 3, 4])).then_some(()));
    daemon.terminate();
}

#[test]
fn without_checkpoints_a_stop_that_was_asked_for_loses_nothing_and_the_log_says_what_a_crash_does() {
    let scene = Scene::new(&config("").replace("interval: 20 ms", "enabled: false"), SEEN);
    let mut daemon = scene.start(&[]);
    let address = daemon.api();
    assert!(daemon.log().contains("held in memory only"), "{}", daemon.log());
    for n in 0..50 {
        let (status, answer) = post(&address, &ping(n)).unwrap();
        assert!(status == 200 && answer.contains("\"durable\":false"), "{answer}");
    }
    daemon.signal();
    assert_eq!(daemon.wait(), 0);
    assert_eq!(scene.numbers(), (0..50).collect());
}

#[test]
fn a_source_may_be_open_to_the_machine_and_one_without_a_listener_is_refused() {
    let scene =
        Scene::new(&config("").replace("queue: 1 MiB", "token: none").replace(&format!(", token: {TOKEN}"), ""), SEEN);
    let daemon = scene.start(&[]);
    let address = daemon.api();
    assert_eq!(post(&address, &ping(1)).unwrap().0, 200);
    daemon.terminate();
    let mut daemon = scene.start(&["--set", "sources.pings.http.token=required"]);
    assert_eq!(post(&daemon.api(), &ping(2)).unwrap().0, 403, "nobody configured a token");
    daemon.signal();
    daemon.wait();
    let mut daemon = scene.start(&["--set", "api.enabled=false"]);
    assert_eq!(daemon.wait(), 2);
    assert!(daemon.log().contains("takes records by HTTP, and `api.enabled` is false"), "{}", daemon.log());
}
