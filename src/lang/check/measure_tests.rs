//! What measures and conditions may look at beside the event: events before it, the match, its rows.

use super::tests::{plan_of, said_of};
use crate::plan::{Body, Pattern, Rule};

const KEYED: &str = "FROM pings PARTITION BY vehicle";

fn rule_of(expr: &str) -> Rule {
    plan_of(expr).rules.pop().unwrap()
}

fn pattern_of(clauses: &str) -> (Rule, Pattern) {
    let rule = rule_of(&format!("{KEYED} PATTERN a -> b+ WITHIN 1 h DEFINE a AS TRUE, {clauses}"));
    let Body::Pattern(pattern) = rule.body.clone() else { panic!("a pattern") };
    (rule, *pattern)
}

fn assert_refused(expr: &str, parts: &[&str]) {
    let said = said_of(expr);
    for part in parts {
        assert!(said.contains(part), "{expr}: {part} in\n{said}");
    }
}

#[test]
fn a_rule_keeps_as_many_events_as_its_farthest_look_back_needs() {
    for (looks, depth) in [("speed", 0), ("prev(speed)", 1), ("gap()", 1), ("prev(speed, 7) - prev(speed, 3)", 7)] {
        assert_eq!(rule_of(&format!("{KEYED} MEASURES {looks} AS x")).looks_back(), depth, "{looks}");
    }
    let (rule, pattern) = pattern_of("b AS speed > prev(speed, 4) MEASURES prev(fuel, 100) AS x");
    assert_eq!(rule.looks_back(), 100);
    assert_eq!(pattern.variables[1].conditions[0].as_ref().unwrap().to_string(), "(> $2 prev-4.0)");
    for n in ["0", "101", "-1"] {
        assert_refused(&format!("{KEYED} MEASURES prev(speed, {n}) AS x"), &["at most 100 events", "out of range"]);
    }
    assert_refused(&format!("{KEYED} MEASURES prev(speed, seq) AS x"), &["a whole constant"]);
    assert_refused(&format!("{KEYED} MEASURES prev(prev(speed)) AS x"), &["`prev(x, 2)` is of the event before"]);
}

#[test]
fn what_names_no_variable_is_of_all_events_of_the_match() {
    let (rule, pattern) = pattern_of(
        "b AS speed < avg(speed) AND seq > last(seq, 1) AND first(seq) < 3
         MEASURES count(*) AS n, count(b) AS bs, first(seq, 1) AS second, avg(speed) AS mean",
    );
    let over: Vec<u16> = pattern.aggregates.iter().map(|(var, _)| *var).collect();
    assert_eq!(over, [u16::MAX, u16::MAX, 1], "the mean is kept once");
    let condition = pattern.variables[1].conditions[0].as_ref().unwrap().to_string();
    // The event under test is the last; it is the first where nothing was taken before.
    let first = "(case (when (not (is-null any.first.time)) any.first.0) (when true $3) null)";
    let expected = format!("(and (< $2 aggregate.0) (> $3 any.last.0) (< {first} 3))");
    assert_eq!(condition, expected);
    let outputs: Vec<String> = rule.outputs.iter().map(|output| output.exprs[0].to_string()).collect();
    assert_eq!(outputs[1..5], ["aggregate.1", "aggregate.2", "any.first+1.0", "aggregate.0"]);
}

#[test]
fn first_and_last_with_a_filter_are_values_that_are_kept() {
    let (_, pattern) = pattern_of("b AS TRUE MEASURES last(b.speed) FILTER (WHERE b.fuel > 2) AS x");
    assert_eq!(pattern.aggregates.len(), 1);
    let two = "b AS TRUE MEASURES last(b.speed, 2) FILTER (WHERE b.fuel > 2) AS x";
    assert_refused(&format!("{KEYED} PATTERN a -> b+ WITHIN 1 h DEFINE a AS TRUE, {two}"), &["the very first or last"]);
}

#[test]
fn final_looks_at_the_end_of_a_match_that_is_put_out_row_by_row() {
    let measures = "b AS TRUE MEASURES FINAL sum(b.seq) AS f, RUNNING sum(b.seq) AS r, sum(b.seq) AS s,
                    CLASSIFIER() AS v, MATCH_NUMBER() AS n, FINAL last(seq) AS l";
    let outputs = |clauses: &str| {
        let (rule, pattern) = pattern_of(clauses);
        assert_eq!(pattern.aggregates.len(), 1, "one sum serves all");
        let outputs = rule.outputs.iter().map(|output| output.exprs[0].to_string());
        outputs.skip(1).take(6).collect::<Vec<_>>()
    };
    let one = ["aggregate.0", "aggregate.0", "aggregate.0", "classifier", "match-number", "any.last.1"];
    assert_eq!(outputs(measures), one);
    let all = ["(final aggregate.0)", "aggregate.0", "aggregate.0", "classifier", "match-number", "(final any.last.1)"];
    assert_eq!(outputs(&format!("{measures} ALL ROWS PER MATCH")), all);
}

#[test]
fn what_looks_at_a_match_says_so_where_there_is_none() {
    let pattern = format!("{KEYED} PATTERN a -> b+ WITHIN 1 h DEFINE a AS TRUE, b AS");
    let last = "`FINAL last(v.x)`";
    for (expr, part) in [
        (format!("{pattern} seq > FINAL last(b.seq)"), "isn't known while its events are tested"),
        (format!("{pattern} CLASSIFIER() = 'a'"), "asked before an event belongs to a match"),
        (format!("{pattern} TRUE MEASURES FINAL abs(b.seq) AS x"), last),
        (format!("{pattern} TRUE MEASURES classifier(1) AS x"), "takes no arguments"),
        (format!("{pattern} TRUE MEASURES match_number(*) AS x"), "`*` belongs to aggregates"),
        (format!("{pattern} TRUE MEASURES classifier AS x"), "`classifier()`"),
        (format!("{KEYED} MEASURES match_number() AS n"), "in MEASURES or HAVING of a rule with PATTERN"),
        (format!("{KEYED} WINDOW TUMBLING 5 min MEASURES FINAL count(*) AS n"), "belongs to the measures of a pattern"),
    ] {
        assert_refused(&expr, &[part]);
    }
    let running = format!("{pattern} seq > RUNNING first(b.seq)");
    assert_eq!(said_of(&running), "");
}
