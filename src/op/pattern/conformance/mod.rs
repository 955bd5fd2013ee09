//! The checked answers of Flink CEP in `fixtures/conformance`, run against the kernel without any rule text.

mod case;
mod run;
mod translate;

use super::Scratch;
use case::{Case, Expected};
use run::{Answer, run};
use std::{collections::BTreeMap, io::Read as _};
use translate::translate;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, &include_bytes!(concat!("../../../../fixtures/conformance/", $name))[..])),*]
    };
}

fn files() -> [(&'static str, &'static [u8]); 19] {
    files![
        "flink_AfterMatchSkipITCase.json",
        "flink_AfterMatchSkipITCase_extra.json",
        "flink_CEPITCase.json",
        "flink_CEPOperatorTest.json",
        "flink_GreedyITCase.json",
        "flink_GroupITCase.json",
        "flink_IterativeConditionsITCase.json",
        "flink_NFAITCase.json",
        "flink_NFAITCase_extra.json",
        "flink_NFATest.json",
        "flink_NotPatternITCase.json",
        "flink_SameElementITCase.json",
        "flink_TimesOrMoreITCase.json",
        "flink_TimesRangeITCase.json",
        "flink_UntilConditionITCase.json",
        "flink_rejects.json",
        "quirks.json",
        "random_1.json.gz",
        "random_1_flink_internal_errors.json",
    ]
}

/// The cases of a file.
fn cases(name: &str, bytes: &[u8]) -> Vec<Case> {
    let mut text = String::new();
    if name.ends_with(".gz") {
        flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes.to_vec()).unwrap();
    }
    serde_json::from_str(&text).unwrap()
}

/// Cases whose answers are others here on purpose, though the files don't call them suspect, and why.
fn deviates(case: &Case) -> Option<&'static str> {
    // Flink puts the bound on the wrong states (`quirks.json`, quant_window); here it is first to last repetition.
    if case.has_loop_window() {
        return Some("quantifier_window");
    }
    // Two windows end between two events. Flink ends them at once, so a match of the first ends nothing of the second, and
    // what comes out depends on when somebody looks at the time; here what is due first is done first.
    (case.name == "NotPatternITCase.testNotFollowedByWithinAtEndAfterMatch").then_some("two_deadlines_at_once")
}

/// How a case came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Same,
    Differs,
    Refused,
}

fn judge(case: &Case, saving: bool) -> (Verdict, String) {
    let translated = match translate(case) {
        Ok(translated) => translated,
        Err(why) => return (Verdict::Refused, why),
    };
    let answer = run(case, &translated, saving);
    let wanted = Answer::expected(&case.expect);
    match answer == wanted {
        true => (Verdict::Same, String::new()),
        false => (Verdict::Differs, format!("  expected {wanted}\n  got      {answer}")),
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the numbers per file are of interest, and shown on demand only")]
fn every_answer_that_flink_gives_by_design_is_given_here() {
    let (mut failures, mut suspects) = (Vec::new(), BTreeMap::<String, [usize; 2]>::new());
    for (name, bytes) in files() {
        let (mut passed, mut checked, mut same, mut suspect, mut erring) = (0, 0, 0, 0, 0);
        for mut case in cases(name, bytes) {
            let (verdict, text) = judge(&case, false);
            if let (Some(why), true) = (deviates(&case), case.suspect.is_empty()) {
                case.suspect.push(format!("{why}, unmarked"));
            }
            if !case.suspect.is_empty() {
                suspect += 1;
                same += usize::from(verdict == Verdict::Same);
                for what in &case.suspect {
                    suspects.entry(what.clone()).or_default()[usize::from(verdict != Verdict::Same)] += 1;
                }
                if std::env::var_os("SHOW_SUSPECTS").is_some() && verdict != Verdict::Same {
                    println!("{name} {} {:?} {verdict:?}\n{}\n{text}", case.name, case.suspect, case.text());
                }
            } else if case.expect.error.is_some() {
                erring += 1;
            } else {
                checked += 1;
                passed += usize::from(verdict == Verdict::Same);
                if verdict != Verdict::Same {
                    failures.push(format!("{name} {} {verdict:?}\n{}\n{text}", case.name, case.text()));
                }
            }
        }
        println!("{name}: {passed} of {checked}; suspect {same} of {suspect} the same; {erring} errors");
    }
    println!("suspect, same and not: {suspects:?}");
    let shown: Vec<_> = failures
        .iter()
        .skip(std::env::var("SKIP").map_or(0, |skip| skip.parse().unwrap_or(0)))
        .take(12)
        .map(String::as_str)
        .collect();
    assert!(failures.is_empty(), "{} answers differ:\n{}", failures.len(), shown.join("\n"));
}

#[test]
fn saving_and_loading_between_any_two_events_changes_nothing() {
    for (name, bytes) in files() {
        for case in cases(name, bytes) {
            assert_eq!(judge(&case, true), judge(&case, false), "{name} {}", case.name);
        }
    }
}

#[test]
fn what_flink_refuses_for_its_meaning_is_refused() {
    let (name, bytes) =
        ("flink_rejects.json", files().iter().find(|(name, _)| *name == "flink_rejects.json").unwrap().1);
    let mut accepted = Vec::new();
    for case in cases(name, bytes) {
        let refused = judge(&case, false).0 == Verdict::Refused;
        if refused != matches!(&case.expect, Expected { error: Some(_), .. }) {
            accepted.push(case.name);
        }
    }
    // Greedy, STRICT and ANY say less of a single element or a group but are no contradiction, an optional element may
    // follow a greedy loop, a bound on one step may be longer than the window, and a skip may name any variable. An absence
    // after an optional element ends the ways on that it is on.
    assert_eq!(
        accepted,
        [
            "rejects.not_after_optional_notNext",
            "rejects.not_after_optional_notFollowedBy",
            "rejects.greedy_on_group",
            "rejects.greedy_on_single",
            "rejects.greedy_with_combinations",
            "rejects.optional_after_greedy",
            "rejects.combinations_on_single",
            "rejects.consecutive_on_single",
            "rejects.prev_window_larger_than_whole",
            "rejects.skip_to_var_inside_group",
        ]
    );
}
