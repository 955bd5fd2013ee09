//! Texts that nobody would write: no panic, and never both a plan and an error, or neither.

use super::Catalog;
use super::tests::{catalog, run_expr};
use proptest::prelude::*;

/// Names, values and calls that may stand in an expression, right and wrong.
fn leaf() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "speed",
        "fuel",
        "status",
        "seq",
        "position",
        "time",
        "sent",
        "fence",
        "fences",
        "vehicle",
        "cell",
        "a",
        "b.speed",
        "a.vehicle",
        "a.capacity",
        "b.fee",
        "b.vehicle",
        "a.fence",
        "b.fence.name",
        "pings.speed",
        "a.time",
        "b.position",
        "dwell",
        "passage",
        "window_end",
        "n",
        "NULL",
        "TRUE",
        "3",
        "2.5",
        "'x'",
        "5 km/h",
        "3 kn",
        "7 min",
        "2 km",
        "90 deg",
        "count(*)",
        "count(b)",
        "speed()",
        "gap()",
        "heading()",
        "TIME '2026-01-01T00:00:00Z'",
        "9223372036854775807",
        "airports",
        "-9223372036854775808",
    ])
    .prop_map(str::to_owned)
}

fn expression() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 24, 3, |inner| {
        let call = prop::sample::select(vec![
            "prev",
            "first",
            "last",
            "avg",
            "sum",
            "min",
            "max",
            "distinct",
            "inside",
            "entered",
            "exited",
            "abs",
            "h3",
            "parent",
            "lower",
            "coalesce",
            "point",
            "distance",
            "count",
            "path_length",
            "straightness",
            "stopped",
            "teleported",
            "dwell",
            "bucket",
            "nothing",
            "round",
        ]);
        let op = prop::sample::select(vec!["+", "-", "*", "/", "%", "<", "=", "!=", ">=", "AND", "OR"]);
        prop_oneof![
            (call.clone(), inner.clone()).prop_map(|(f, a)| format!("{f}({a})")),
            (call, inner.clone(), inner.clone()).prop_map(|(f, a, b)| format!("{f}({a}, {b})")),
            (inner.clone(), op, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            inner.clone().prop_map(|a| format!("NOT ({a})")),
            inner.clone().prop_map(|a| format!("({a}) IS NULL")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a}) IN ({b}, {c})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("CASE WHEN {a} THEN {b} ELSE {c} END")),
        ]
    })
}

/// A rule around three expressions.
fn rule() -> impl Strategy<Value = String> {
    let form = prop::sample::select(vec![
        "FROM pings WHERE $1 MEASURES $2 AS x, $3 AS y",
        "FROM pings, orders WHERE $1 PARTITION BY h3(position, 8) MEASURES $2 AS x, $3 AS y",
        "FROM pings PARTITION BY vehicle, $1 WHERE $2 MEASURES $3 AS x",
        "FROM pings THROUGH airports PARTITION BY vehicle, fence WHERE $1 MEASURES $2 AS x, $3 AS y",
        "FROM pings PARTITION BY vehicle WINDOW TUMBLING 5 min JITTER 50% BY $1 MEASURES $2 AS n, $3 AS m HAVING n > 3",
        "FROM pings, sensors PARTITION BY vehicle WINDOW TUMBLING 5 min OFFSET $1 MEASURES $2 AS n HAVING $3",
        "FROM pings PARTITION BY vehicle PATTERN a -> b+ WITHIN 5 min DEFINE a AS $1, b AS $2 MEASURES $3 AS x",
        "FROM pings PARTITION BY vehicle PATTERN a b* UNTIL $2 -> !c -> d WITHIN 5 min DEFINE a AS entered(airports), b AS $1, d AS exited(a.fence) MEASURES $3 AS x HAVING x",
        "FROM pings PARTITION BY vehicle PATTERN a{1,3} UNTIL $2 -> !(b -> c+) -> d WITHIN 5 min DEFINE a AS TRUE, b AS $1, c AS speed > a.speed, d AS exited(airports) MEASURES $3 AS x",
        "FROM pings a JOIN pings b ON a.vehicle = b.vehicle AND $1 WITHIN -5 min .. 10 min WHERE $2 MEASURES $3 AS x",
        "FROM pings a LEFT JOIN orders b ON $1 = $2 WITHIN 5 min MEASURES a.position, $3 AS x",
        "FROM orders a JOIN drivers b ON a.order_id = b.vehicle AND $1 = b.vehicle WITHIN 5 min WHERE $2 PARTITION BY $3",
        "FROM pings LOOKUP vehicles a ON a.id = $1 WHERE $2 PARTITION BY vehicle MEASURES $3 AS x, a.capacity AS y",
        "FROM pings LOOKUP tariffs b ON b.zone = $1 AND b.class = $2 LOOKUP vehicles a ON a.id = b.zone MEASURES a.depot, b.fee, $3 AS x",
        "FROM pings, orders PATTERN a -> b WITHIN 5 min DEFINE a FROM pings AS $1, b FROM orders AS $2 MEASURES $3 AS x",
        "FROM pings THROUGH airports PARTITION BY vehicle, fence PATTERN a -> b WITHIN 5 min DEFINE a AS $1, b AS $2 MEASURES $3 AS x",
    ]);
    (form, expression(), expression(), expression())
        .prop_map(|(form, a, b, c)| form.replace("$1", &a).replace("$2", &b).replace("$3", &c))
}

/// A rule with words left out, doubled and swapped.
fn mangled() -> impl Strategy<Value = String> {
    (rule(), prop::collection::vec((0usize..3, any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4))
        .prop_map(|(rule, changes)| {
            let mut words: Vec<String> = rule.split(' ').map(str::to_owned).collect();
            for (what, one, other) in changes {
                let (one, other) = (one.index(words.len()), other.index(words.len()));
                match what {
                    0 if words.len() > 1 => drop(words.remove(one)),
                    1 => words.insert(one, words[other].clone()),
                    _ => words.swap(one, other),
                }
            }
            words.join(" ")
        })
}

fn holds(text: &str) {
    for catalog in [catalog(), Catalog { open: true, ..Catalog::default() }] {
        let (planned, wrong) = run_expr(text, &catalog);
        assert_eq!(planned, !wrong, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_expressions_give_a_plan_or_an_error(text in rule()) {
        holds(&text);
    }

    #[test]
    fn mangled_rules_give_a_plan_or_an_error(text in mangled()) {
        holds(&text);
    }
}
