//! What a case's answer means: the same, a deviation that was decided on, or a failure.
//!
//! Each deviation has its paragraph in `docs/flink.md`, under the name that is given here. What counts as one follows from how a
//! pattern is made, never from a case's name.

use crate::{
    case::{Case, Element, Skip, Taken},
    run::{Answer, Found, plan, run},
    translate::{Reading, follows_loop, is_forgotten, translate},
};
use std::collections::BTreeSet;

const TIMES: &str = "times(n, window)";
const BOUND: &str = "bound on a loop or group";
const ABSENCE: &str = "absence at the end of a group";
/// What Flink ignores without a word.
const IGNORED: [&str; 2] = [BOUND, ABSENCE];

/// How a case came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As in Flink.
    Passed,
    /// Otherwise than in Flink, for reasons that are written down under these names.
    Deviates(String),
    /// Flink refuses what this language allows on purpose.
    Extends(String),
    /// It doesn't apply.
    Skipped(String),
    /// Otherwise than in Flink, and nobody knows why.
    Failed,
}

/// A case's verdict, and what there is to show of it.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    /// The rule's text, where there is one.
    pub(crate) text: String,
    pub(crate) expected: String,
    pub(crate) got: String,
}

/// Runs a case and compares. `saving`: see [`run`].
pub(crate) fn judge(case: &Case, saving: bool) -> Judged {
    let expected = Answer::expected(&case.expect);
    let shown = match &case.expect.error {
        Some(error) => format!("{error}; {expected}"),
        None => expected.to_string(),
    };
    let judged =
        |verdict, text: &str, got: String| Judged { verdict, text: text.to_owned(), expected: shown.clone(), got };
    let translated = match translate(case, Reading::Plain) {
        Ok(translated) => translated,
        Err(why) => return judged(Verdict::Failed, "", why),
    };
    let answer = match plan(&translated) {
        Ok(plan) => run(case, &translated, &plan, saving).map_err(|error| (true, error)),
        Err(said) => Err((false, said)),
    };
    let text = translated.text.as_str();
    match answer {
        Err((compiled, said)) => judged(refused(case, compiled), text, said),
        Ok(answer) => {
            let answer = answer.like(&expected);
            let verdict = compare(case, &expected, &answer);
            judged(verdict, text, answer.to_string())
        }
    }
}

fn stage(case: &Case) -> Option<&str> {
    case.expect.error.as_deref().map(|error| error.split(':').next().unwrap_or_default())
}

fn endless(case: &Case) -> bool {
    case.expect.error.as_deref().is_some_and(|error| error.contains("EndlessLoop"))
}

/// The verdict where there is no plan, or (`compiled`) no run.
fn refused(case: &Case, compiled: bool) -> Verdict {
    match stage(case) {
        Some("compile") if !compiled => Verdict::Passed,
        Some("runtime") if endless(case) => Verdict::Deviates("empty loop".to_owned()),
        _ => deviates(&quirks(case)),
    }
}

fn deviates(quirks: &[&str]) -> Verdict {
    match quirks {
        [] => Verdict::Failed,
        quirks => Verdict::Deviates(quirks.join("; ")),
    }
}

fn compare(case: &Case, expected: &Answer, answer: &Answer) -> Verdict {
    if case.monotone == Some(false) {
        return match is_same(case, expected, answer) == Some(false) && case.expect.error.is_none() {
            true => Verdict::Passed,
            false => Verdict::Skipped("times go back".to_owned()),
        };
    }
    let error = case.expect.error.as_deref().unwrap_or_default();
    match stage(case) {
        Some("compile") if !is_meant(error) => Verdict::Deviates("internal error".to_owned()),
        Some("compile") => match wider(case) {
            found if found.is_empty() => Verdict::Failed,
            found => Verdict::Extends(found.join("; ")),
        },
        Some(_) if endless(case) => Verdict::Deviates("empty loop".to_owned()),
        Some(_) if error.contains("Could not skip") => missed(case, expected, answer),
        Some(_) => Verdict::Deviates("internal error".to_owned()),
        None => match is_same(case, expected, answer) {
            Some(false) => Verdict::Passed,
            Some(true) => Verdict::Deviates("deadlines in order".to_owned()),
            None => explained(case, expected),
        },
    }
}

/// What Flink ignores is left out of the pattern: where the answer is Flink's then, that is all that differs.
fn explained(case: &Case, expected: &Answer) -> Verdict {
    let mut found = quirks(case);
    let again = translate(case, Reading::Flink).and_then(|translated| {
        let plan = plan(&translated)?;
        run(case, &translated, &plan, false)
    });
    let same = |answer: Answer| is_same(case, expected, &answer.like(expected)).is_some();
    if again.is_ok_and(same) {
        found.retain(|name| {
            IGNORED.contains(name) || *name == TIMES && case.any(|all, at, _| is_bounded_group(all, at))
        });
    }
    deviates(&found)
}

fn is_bounded_group(elements: &[Element], at: usize) -> bool {
    elements.get(at).is_some_and(|element| element.group.is_some() && element.quant.window_ms.is_some())
}

/// `OR FAIL`: Flink's job ends at a match that has no event to skip to, or begins with it; a rule counts it and goes on. The
/// matches before are the same, and there is such a match.
fn missed(case: &Case, expected: &Answer, answer: &Answer) -> Verdict {
    let before = expected.found.iter().all(|found| answer.found.contains(found));
    let missed = |found: &Found| found.timeout_ms.is_none() && misses(case, &found.taken);
    match before && answer.found.iter().any(missed) {
        true => Verdict::Passed,
        false => deviates(&quirks(case)),
    }
}

fn misses(case: &Case, taken: &Taken) -> bool {
    let Some(Skip { kind, var: Some(var), .. }) = &case.skip else { return false };
    let Some(ids) = taken.get(var) else { return true };
    let to = if kind == "skip_to_last" { ids.last() } else { ids.first() };
    let place = |id: &String| {
        let is =
            |event: &&serde_json::Map<String, serde_json::Value>| event.get("id").is_some_and(|its| its == id.as_str());
        let at = case.events.iter().position(|event| is(&event));
        (at.and_then(|at| case.events[at].get("ts")?.as_i64()), at)
    };
    taken.values().flatten().min_by_key(|id| place(id)) == to
}

/// Whether two answers are the same; if so, whether only for the order of deadlines.
///
/// Flink looks at the clock before an event, at all that is due by then. So a bound that is over when the partial match comes
/// under it is noticed there with the next event or, at the end of a case, never; here at once, as Flink's own operator does.
/// Where the places say more than that, it is another answer.
///
/// What is due in one look Flink ends together: a match decided by an earlier deadline drops nothing that has a later one, and
/// of two deadlines of one partial match the later may count. Here they are worked off in order.
fn is_same(case: &Case, expected: &Answer, answer: &Answer) -> Option<bool> {
    let mut missing = expected.found.clone();
    let mut extra = Vec::new();
    for found in &answer.found {
        match missing.iter().position(|other| other == found) {
            Some(at) => drop(missing.swap_remove(at)),
            None => extra.push(found),
        }
    }
    if expected.late != answer.late {
        return None;
    }
    let place = |id: &str| {
        let at = case.events.iter().position(|event| event.get("id").is_some_and(|its| its == id));
        at.unwrap_or(case.events.len())
    };
    let bounded = case.any(|all, at, _| all[at].within_prev_ms.is_some() || all[at].quant.window_ms.is_some());
    let last = case.events.len().saturating_sub(1);
    let mut in_order = false;
    // A match that time decides, where several deadlines were due in one look: which of them drops which is the question.
    let waits = case.pattern.last().is_some_and(Element::is_negated);
    let together = |found: &Found| {
        let noticed = |other: &&Found| other.at == found.at;
        let timeouts = answer.found.iter().chain(&expected.found).filter(noticed).filter_map(|other| other.timeout_ms);
        let decided = answer.decided.iter().filter(|(at, _)| *at == found.at).map(|(_, decided)| *decided);
        let due: BTreeSet<i64> = timeouts.chain(decided).collect();
        case.skips() && waits && found.timeout_ms.is_none() && due.len() > 1
    };
    for found in extra {
        let before = |other: &Found| bounded && place(&found.at) < place(&other.at);
        let same = |other: &Found| other.taken == found.taken && other.timeout_ms == found.timeout_ms && before(other);
        let sooner = |other: &Found| {
            let at = other.at == found.at || before(other);
            other.taken == found.taken && at && found.timeout_ms.is_some() && found.timeout_ms < other.timeout_ms
        };
        if let Some(at) = missing.iter().position(same) {
            missing.swap_remove(at);
        } else if let Some(at) = missing.iter().position(sooner) {
            missing.swap_remove(at);
            in_order = true;
        } else if together(found) {
            in_order = true;
        } else if !(bounded && found.timeout_ms.is_some() && place(&found.at) == last) {
            return None;
        }
    }
    let dropped = |found: &Found| {
        let before = |decided: i64| found.timeout_ms.is_some_and(|timeout| decided < timeout);
        case.skips() && answer.decided.iter().any(|(at, decided)| *at == found.at && before(*decided))
    };
    if !missing.iter().all(|found| dropped(found) || together(found)) {
        return None;
    }
    Some(in_order || !missing.is_empty())
}

/// Whether Flink means to refuse a pattern.
fn is_meant(error: &str) -> bool {
    ["MalformedPattern", "UnsupportedOperation", "IllegalArgument"].iter().any(|kind| error.contains(kind))
}

/// The decided quirks that a pattern's parts show.
fn quirks(case: &Case) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut add = |name: &'static str, is: bool| {
        if is {
            found.push(name);
        }
    };
    add(TIMES, case.any(|all, at, _| all[at].quant.window_ms.is_some()));
    let forgotten =
        |all: &[Element], at: usize, depth: usize| is_forgotten(all, at, depth == 0) && follows_loop(all, at);
    add("absences in a row", case.any(forgotten));
    let bounded = case.any(|all, at, _| all[at].within_prev_ms.is_some());
    let before_1970 =
        || case.events.iter().any(|event| event.get("ts").and_then(|ts| ts.as_i64()).is_some_and(|ts| ts <= 0));
    add("missing timer", case.mode == "operator" && (bounded || before_1970()));
    // The rest is for cases that say themselves that their answer is doubtful.
    if case.suspect.is_empty() {
        return found;
    }
    let mut add = |name: &'static str, is: bool| {
        if is {
            found.push(name);
        }
    };
    let inside = |all: &[Element], at: usize, depth: usize| depth > 0 || at + 1 < all.len();
    add("greedy before an element", case.any(|all, at, depth| all[at].quant.greedy && inside(all, at, depth)));
    add(
        BOUND,
        case.any(|all, at, _| all[at].within_prev_ms.is_some() && (all[at].group.is_some() || all[at].is_quantified())),
    );
    add(ABSENCE, case.any(|all, at, depth| depth > 0 && at + 1 == all.len() && all[at].is_negated()));
    found
}

/// What this language allows and Flink doesn't, of the parts of a pattern.
fn wider(case: &Case) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut add = |name: &'static str, is: bool| {
        if is {
            found.push(name);
        }
    };
    let greedy = |element: &Element| element.quant.greedy;
    add("greedy group", case.any(|all, at, _| greedy(&all[at]) && all[at].group.is_some()));
    add("greedy single", case.any(|all, at, _| greedy(&all[at]) && !all[at].is_quantified()));
    add(
        "greedy combinations",
        case.any(|all, at, _| greedy(&all[at]) && all[at].quant.inner.as_deref() == Some("any")),
    );
    add("optional after greedy", case.any(|all, at, _| at > 0 && all[at].is_optional() && greedy(&all[at - 1])));
    add(
        "absence after an optional part",
        case.any(|all, at, _| at > 0 && all[at].is_negated() && !all[at - 1].is_negated() && all[at - 1].is_optional()),
    );
    add("until on a counted loop", case.any(|all, at, _| all[at].quant.until.is_some() && all[at].quant.max.is_some()));
    let window = case.within_ms.unwrap_or(i64::MAX);
    let longer = |ms: Option<i64>| ms.is_some_and(|ms| ms > window);
    add(
        "a step's bound above the window",
        case.any(|all, at, _| longer(all[at].within_prev_ms) || longer(all[at].quant.window_ms)),
    );
    let top = |var: &Option<String>| case.pattern.iter().any(|element| element.var == *var);
    let var = case.skip.as_ref().map(|skip| skip.var.clone()).filter(Option::is_some);
    add("skip to a variable in a group", var.is_some_and(|var| !top(&var)));
    found
}
