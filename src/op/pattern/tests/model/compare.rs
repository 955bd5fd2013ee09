//! The kernel against the model.

use super::{
    super::{
        super::{KeyState, Program},
        kit::{Partition, input},
    },
    after::{Output, check},
    case::{Case, What},
    condition::Event,
    enumerate::{When, answer},
    generate::{cases, event, skips},
    scope::{covers, has_bounds, is_ambiguous},
};
use crate::{
    model::{Emission, EmissionKind, EventId, Value, Writer},
    plan::{Connect, Skip},
};
use proptest::{prelude::*, test_runner::RngSeed};
use std::collections::BTreeSet;

/// More readings than this and a case is left out.
const READINGS_MAX: usize = 400;

/// The kernel's outputs; `reload` says before which events the state is saved and loaded.
fn run(case: &Case, reload: &dyn Fn(usize) -> bool) -> Option<Vec<Output>> {
    let program = Program::new(&case.plan(), &[input()], &[], None).ok()?;
    let mut partition = Partition::of(program);
    let mut outputs = Vec::new();
    for (at, event) in case.events.iter().enumerate() {
        if reload(at) {
            save_and_load(&mut partition);
        }
        partition.advance(event.time_ms);
        collect(&mut partition, &mut outputs, |emission| When::Time(emission.time_ms));
        partition.event(event.kind, event.time_ms, Value::Int(event.value));
        collect(&mut partition, &mut outputs, |_| When::Event(at));
    }
    if reload(case.events.len()) {
        save_and_load(&mut partition);
    }
    partition.advance(i64::MAX);
    collect(&mut partition, &mut outputs, |emission| When::Time(emission.time_ms));
    Some(outputs)
}

fn collect(partition: &mut Partition, outputs: &mut Vec<Output>, when: impl Fn(&Emission) -> When) {
    for emission in partition.out.drain(..) {
        let place = |id: &EventId| match id {
            EventId::Offset { offset, .. } => *offset as usize,
            EventId::Field(_) => panic!("events have no id field"),
        };
        outputs.push(Output {
            when: when(&emission),
            timed_out: emission.kind == EmissionKind::TimedOut,
            taken: emission.taken.iter().map(|taken| (taken.var, place(&taken.id))).collect(),
        });
    }
}

/// Saves and loads; saving what was loaded gives the same bytes.
fn save_and_load(partition: &mut Partition) {
    let bytes = |state: &KeyState| {
        let mut writer = Writer::new();
        state.save(&mut writer);
        writer.into_bytes()
    };
    let saved = bytes(&partition.state);
    partition.reload();
    assert_eq!(saved, bytes(&partition.state), "what was loaded is saved otherwise");
}

/// Compares, where the model covers the case. Whether it did.
fn compare(case: &Case) -> Result<bool, TestCaseError> {
    if !covers(case) {
        return Ok(false);
    }
    let Some(mut outputs) = run(case, &|_| false) else { return Ok(false) };
    let Some(mut answer) = answer(case, READINGS_MAX) else { return Ok(false) };
    if is_ambiguous(case) {
        answer.matches.sort();
        answer.matches.dedup();
        let mut seen = BTreeSet::new();
        outputs.retain(|output| seen.insert(output.clone()));
    }
    // A bound on a step or a loop ends partial matches as well; when exactly, is not said here.
    let bounds = has_bounds(case);
    if bounds && !matches!(case.skip, Skip::NoSkip | Skip::Eager) {
        return Ok(false);
    }
    match check(case, &answer, &outputs, !bounds) {
        Ok(()) => Ok(true),
        Err(why) => {
            let outputs: Vec<String> = outputs.iter().map(|output| format!("\n    {output:?}")).collect();
            Err(TestCaseError::fail(format!("{why}\n  the kernel says{}", outputs.concat())))
        }
    }
}

/// The same few cases in every run, so that a rare kind that nobody has judged yet (see `scope`) doesn't stop other work; with
/// `PROPTEST_CASES` as many as it says, others each time.
fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let rng_seed = if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(2_026) };
    let cases = asked.unwrap_or(4_000);
    ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 20_000,
        rng_seed,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_match_of_the_definition_is_found_and_no_other(case in cases(Just(Skip::NoSkip), 7)) {
        compare(&case)?;
    }

    #[test]
    fn what_a_match_ends_is_what_the_definition_says(case in cases(skips(), 7)) {
        compare(&case)?;
    }

    #[test]
    fn saving_and_loading_anywhere_changes_nothing(
        case in cases(prop_oneof![Just(Skip::NoSkip), skips()], 12),
        at in any::<prop::sample::Index>(),
    ) {
        let at = at.index(case.events.len() + 1);
        let plain = run(&case, &|_| false);
        prop_assert_eq!(&plain, &run(&case, &|now| now == at));
        if case.events.len() <= 6 {
            prop_assert_eq!(&plain, &run(&case, &|_| true));
        }
    }

    #[test]
    fn what_no_variable_can_take_changes_nothing_in_a_relaxed_pattern(
        case in cases(prop_oneof![Just(Skip::NoSkip), skips()], 10),
        noise in prop::collection::vec((any::<prop::sample::Index>(), event()), 1..4),
    ) {
        let strict = case.any(&|piece| {
            piece.connect == Connect::Strict || (!piece.is_once() && piece.inner == Connect::Strict)
        });
        // At the end of a pattern any event may open the wait for the window's end, as in Flink; and what must not occur may be
        // strict inside.
        let absent = case.any(&|piece| matches!(piece.what, What::Not(_, None) | What::Never(..)));
        if strict || absent || !covers(&case) {
            return Ok(());
        }
        let mut noisy = case.clone();
        for (at, _) in &noise {
            let at = at.index(noisy.events.len() + 1);
            let time_ms = noisy.events.get(at).or(noisy.events.last()).map_or(0, |event| event.time_ms);
            noisy.events.insert(at, Event { kind: 'z', time_ms, value: 0 });
        }
        let places: Vec<usize> = (0..noisy.events.len()).filter(|&at| noisy.events[at].kind != 'z').collect();
        let moved = |outputs: Vec<Output>| -> Vec<Output> {
            let place = |output: Output| Output {
                when: match output.when { When::Event(at) => When::Event(places[at]), other => other },
                taken: output.taken.iter().map(|&(var, at)| (var, places[at])).collect(),
                ..output
            };
            outputs.into_iter().map(place).collect()
        };
        // Of what a bound on a step ends it is open whether it counts as timed out.
        let bounds = has_bounds(&case);
        let set = |outputs: Option<Vec<Output>>| {
            outputs.map(|all| all.into_iter().filter(|output| !(bounds && output.timed_out)).collect::<BTreeSet<_>>())
        };
        let plain = run(&case, &|_| false).map(moved);
        prop_assert_eq!(set(plain), set(run(&noisy, &|_| false)));
    }
}

#[test]
fn enough_of_the_random_patterns_are_compared_and_match_something() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (mut compared, mut found) = (0, 0);
    let tries = 500;
    for _ in 0..tries {
        let case = cases(Just(Skip::NoSkip), 7).new_tree(&mut runner).unwrap().current();
        if matches!(compare(&case), Ok(true)) {
            compared += 1;
            found += usize::from(answer(&case, READINGS_MAX).is_some_and(|answer| !answer.matches.is_empty()));
        }
    }
    assert!(compared > tries / 4 && found > tries / 10, "{compared} of {tries} compared, {found} with a match");
}

/// Many small failing cases at once, for whoever works on the kernel: `SURVEY=n` says from how many random cases.
#[test]
#[expect(clippy::print_stdout, reason = "a list for people, on demand only")]
fn survey_of_what_differs() {
    use proptest::{
        strategy::{Strategy, ValueTree},
        test_runner::TestRunner,
    };
    let Some(tries) = std::env::var("SURVEY").ok().and_then(|text| text.parse::<u32>().ok()) else { return };
    let mut runner = TestRunner::deterministic();
    let kinds = prop_oneof![Just(Skip::NoSkip), skips()].boxed();
    let mut seen = BTreeSet::new();
    for _ in 0..tries {
        let mut tree = cases(kinds.clone(), 7).new_tree(&mut runner).unwrap();
        let fails = |case: &Case| compare(case).err();
        if fails(&tree.current()).is_none() {
            continue;
        }
        let (mut best, mut steps) = (tree.current(), 0);
        let mut more = tree.simplify();
        while more && steps < 5_000 {
            steps += 1;
            let case = tree.current();
            more = match fails(&case) {
                Some(_) => {
                    best = case;
                    tree.simplify()
                }
                None => tree.complicate(),
            };
        }
        let text = format!("{best:?}");
        if seen.insert(text.lines().nth(1).unwrap_or_default().to_owned()) {
            println!("{text}{:?}\n", fails(&best));
        }
    }
    println!("{} kinds of differences", seen.len());
}
