//! Fuzzing for a while: parser, checker and matcher under inputs that grow out of a corpus.
//!
//! `fixtures/fuzz/<target>` holds rule files, each with a comment that says over which events it runs. All of them run with every test. With
//! `GEOCEP_FUZZ_SECONDS=n` each target goes on for so long: a file is taken from the corpus (or made by the grammar of `pattern`), changed, crossed with
//! another, and tried. An input with an answer that was not seen before (other diagnostics, other outputs) joins the corpus
//! of the run, so that later inputs grow out of it; `GEOCEP_FUZZ_KEEP=1` writes it into `fixtures/fuzz` as well. What fails
//! is written there in any case, as `failed-….yaml`, and the test says so.
//!
//! `GEOCEP_FUZZ_SEED` makes a run again; without it each run has its own.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "how long a target goes on is a matter of the clock"
)]

use super::{
    RULE_SEEDS,
    common::{FIXTURES, fixture_config, load, root, rule_file},
    pattern::pattern_rule,
    try_rules,
    words::{RULE_WORDS, YAML_WORDS, change, changed},
};
use geocep::lang::{diag::Style, file::RuleFile, parse::parse_query, print::print_query};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use std::{
    collections::BTreeSet,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    time::{Duration, Instant},
};

/// No input may take longer: whatever it is, work is bounded.
const SLOWEST: Duration = Duration::from_secs(20);

/// Where the events of an input stand in its text.
const EVENTS: &str = "# events:";

fn folder(target: &str) -> PathBuf {
    root().join("fixtures/fuzz").join(target)
}

fn corpus(target: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder(target)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The numbers that events are made of.
fn numbers(text: &str) -> Vec<u32> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(EVENTS)).unwrap_or_default();
    line.split_whitespace().filter_map(|number| number.parse().ok()).take(200).collect()
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What a parser says of a text, without the places.
fn parse(text: &str) -> String {
    let (file, diagnostics) = RuleFile::parse("rules.yaml", text);
    let mut answer = format!("{} ", file.is_some());
    for diagnostic in &diagnostics {
        let _ = geocep::lang::diag::render(diagnostic, "rules.yaml", text, Style::Coloured);
        answer.push_str(diagnostic.code.text());
        answer.push(' ');
    }
    for rule in text.split("expr: |").skip(1).take(4) {
        let (query, diagnostics) = parse_query(rule);
        assert_eq!(query.is_some(), !diagnostics.iter().any(|diagnostic| diagnostic.is_error()));
        if let Some(query) = query {
            let printed = print_query(&query);
            let (again, _) = parse_query(&printed);
            let again = again.unwrap_or_else(|| panic!("what was printed is no rule: {printed}"));
            assert_eq!(print_query(&again), printed, "printed differently the second time");
        }
        for diagnostic in &diagnostics {
            answer.push_str(diagnostic.code.text());
            answer.push(' ');
        }
    }
    answer
}

/// What a check says of a text under the configuration of a fixture.
fn check(text: &str) -> String {
    let at = (hash(text) % FIXTURES.len() as u64) as usize;
    match load(&fixture_config(FIXTURES[at]), text) {
        Ok(project) => {
            project.plan.rules.iter().for_each(|rule| assert!(!format!("{rule:?}").is_empty()));
            "fine".to_owned()
        }
        Err(error) => {
            let error = error.to_string();
            // Codes stand in brackets.
            error
                .split('[')
                .skip(1)
                .filter_map(|rest| rest.split(']').next().filter(|code| is_code(code)))
                .map(|code| format!("{code} "))
                .collect()
        }
    }
}

/// Whether it is how a code is written.
fn is_code(text: &str) -> bool {
    text.len() < 40 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// What a run over events says, whole and moved.
fn run(text: &str) -> String {
    let outcome = try_rules(text, &numbers(text), 2);
    outcome.map_or(String::new(), |alerts| format!("{}", (alerts + 1).ilog2()))
}

/// Replays the corpus and then goes on for as long as is asked for.
fn fuzz(target: &str, fresh: &BoxedStrategy<String>, attempt: fn(&str) -> String) {
    let seconds = std::env::var("GEOCEP_FUZZ_SECONDS").ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let seed = std::env::var("GEOCEP_FUZZ_SEED").ok().and_then(|text| text.parse::<u64>().ok());
    let seed = seed.unwrap_or_else(|| hash(&format!("{:?}", std::time::SystemTime::now())));
    let keep = std::env::var_os("GEOCEP_FUZZ_KEEP").is_some();
    let mut all = corpus(target);
    let mut seen = BTreeSet::new();
    // An answer is words; one with a word that was never heard is new.
    let mut is_new = |answer: &str| {
        let before = seen.len();
        seen.extend(answer.split_whitespace().map(str::to_owned));
        seen.len() > before
    };
    for text in &all {
        is_new(&tried(target, text, attempt));
    }
    let replayed = all.len();
    all.extend(RULE_SEEDS.iter().cloned());
    let mut bytes = [0u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
    let grown = grown();
    let (begin, mut tries) = (Instant::now(), 0u64);
    while begin.elapsed() < Duration::from_secs(seconds) {
        tries += 1;
        let draw = |runner: &mut TestRunner| any::<u64>().new_tree(runner).unwrap().current();
        let text = if draw(&mut runner) % 3 == 0 {
            fresh.new_tree(&mut runner).unwrap().current()
        } else {
            let at = draw(&mut runner) as usize % all.len();
            let other = draw(&mut runner) as usize % all.len();
            let (changes, events) = grown.new_tree(&mut runner).unwrap().current();
            let mut text = all[at].clone();
            if draw(&mut runner) % 4 == 0 {
                text = crossed(&text, &all[other], draw(&mut runner));
            }
            let lines = text.lines().filter(|line| !line.trim().starts_with(EVENTS));
            let text: String = lines.flat_map(|line| [line, "\n"]).collect();
            let text = String::from_utf8_lossy(&changed(text.as_bytes(), &changes)).into_owned();
            format!("{text}\n{EVENTS}{events}\n")
        };
        let answer = tried(target, &text, attempt);
        if text.len() < 20_000 && is_new(&answer) {
            if keep {
                fs::create_dir_all(folder(target)).unwrap();
                fs::write(folder(target).join(format!("{:016x}.yaml", hash(&text))), &text).unwrap();
            }
            all.push(text);
        }
    }
    eprintln!("{target}: {replayed} kept, {tries} tries, {} kinds of answers, seed {seed}", seen.len());
}

/// Tries an input; a panic or an endless case is written down.
fn tried(target: &str, text: &str, attempt: fn(&str) -> String) -> String {
    let begin = Instant::now();
    let answer = catch_unwind(AssertUnwindSafe(|| attempt(text)));
    let slow = begin.elapsed() > SLOWEST;
    if let (Ok(answer), false) = (&answer, slow) {
        return answer.clone();
    }
    let path = folder(target).join(format!("failed-{:016x}.yaml", hash(text)));
    fs::create_dir_all(folder(target)).unwrap();
    fs::write(&path, text).unwrap();
    panic!(
        "{target}: {} ({} s): {}",
        path.display(),
        begin.elapsed().as_secs(),
        if slow { "too slow" } else { "panicked" }
    );
}

/// The head of one text and the tail of another.
fn crossed(one: &str, other: &str, at: u64) -> String {
    let cut = |text: &str, at: u64| {
        let places: Vec<usize> = text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at).collect();
        places.get(at as usize % places.len().max(1)).copied().unwrap_or_default()
    };
    format!("{}{}", &one[..cut(one, at)], &other[cut(other, at >> 20)..])
}

/// Changes, and the numbers of events.
fn grown() -> BoxedStrategy<(Vec<super::words::Change>, String)> {
    let changes = prop_oneof![4 => change(RULE_WORDS), 1 => change(YAML_WORDS)];
    (proptest::collection::vec(changes, 0..6), events()).boxed()
}

fn events() -> impl Strategy<Value = String> {
    let numbers = proptest::collection::vec(0..1_000_000u32, 0..40);
    numbers.prop_map(|numbers| numbers.iter().map(|number| format!(" {number}")).collect())
}

/// Pattern rules by the grammar.
fn patterns() -> BoxedStrategy<String> {
    let rule = |(expr, events): (String, String)| format!("{}{EVENTS}{events}\n", rule_file(&[("alert", "A", &expr)]));
    (pattern_rule(), events()).prop_map(rule).boxed()
}

/// Words of the language in any order.
fn words() -> BoxedStrategy<String> {
    let words = proptest::collection::vec(proptest::sample::select(RULE_WORDS), 0..40);
    words
        .prop_map(|words| {
            let expr = format!("FROM pings {}", words.join(" ").replace(['\n', '\t', '\0'], " "));
            rule_file(&[("alert", "A", &expr)])
        })
        .boxed()
}

#[test]
fn the_parser_answers_whatever_it_reads_for_as_long_as_one_likes() {
    fuzz("parser", &prop_oneof![patterns(), words()].boxed(), parse);
}

#[test]
fn the_checker_answers_whatever_it_reads_for_as_long_as_one_likes() {
    fuzz("checker", &prop_oneof![patterns(), words()].boxed(), check);
}

#[test]
fn the_matcher_gives_one_answer_moved_or_not_for_as_long_as_one_likes() {
    fuzz("matcher", &patterns(), run);
}
