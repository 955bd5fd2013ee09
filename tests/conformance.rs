//! The checked answers of Flink CEP in `fixtures/conformance`: every case as a rule, run by the engine. The program that
//! shows single cases is `examples/conformance`; both are made of the same modules.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/conformance/case.rs"]
mod case;
#[path = "../examples/conformance/condition.rs"]
mod condition;
#[path = "../examples/conformance/run.rs"]
mod run;
#[path = "../examples/conformance/translate.rs"]
mod translate;
#[path = "../examples/conformance/unroll.rs"]
mod unroll;
#[path = "../examples/conformance/verdict.rs"]
mod verdict;

use case::Case;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use verdict::{Verdict, judge};

const FLINK: &str = include_str!("../docs/flink.md");

fn files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/conformance");
    let mut files: Vec<PathBuf> = dir.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json" || extension == "gz"));
    files.sort();
    assert!(files.len() >= 19, "{} files are too few to be all", files.len());
    files
}

fn cases() -> Vec<Case> {
    files().iter().flat_map(|path| case::read(path).unwrap()).collect()
}

#[test]
fn every_answer_is_flinks_or_another_one_for_a_reason_that_is_written_down() {
    let (mut failed, mut passed) = (Vec::new(), 0);
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    for case in cases() {
        let judged = judge(&case, false);
        match judged.verdict {
            Verdict::Passed => passed += 1,
            Verdict::Failed => failed.push(format!(
                "{}: expected {}; got {}; rule: {}\n    {}",
                case.name,
                judged.expected,
                judged.got,
                judged.text,
                case.story()
            )),
            Verdict::Deviates(why) | Verdict::Extends(why) => {
                for name in why.split("; ") {
                    *others.entry(name.to_owned()).or_default() += 1;
                }
            }
            Verdict::Skipped(_) => {}
        }
    }
    assert!(failed.is_empty(), "{} differ:\n{}", failed.len(), failed.join("\n"));
    assert!(passed >= 1_750, "only {passed} are as in Flink; besides {others:?}");
    for name in others.keys() {
        assert!(FLINK.contains(&format!("### {name}\n")), "docs/flink.md has no paragraph `### {name}`");
    }
}

#[test]
fn an_engine_saved_and_restored_after_every_event_answers_the_same() {
    for case in cases() {
        let (whole, pieces) = (judge(&case, false), judge(&case, true));
        assert_eq!((&whole.verdict, &whole.got), (&pieces.verdict, &pieces.got), "{}: {}", case.name, whole.text);
    }
}
