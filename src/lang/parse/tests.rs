use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::lang::{
    ast::{Connector, Contiguity, ExprKind, GroupKind, JitterKind, Operator, Query, Step, Term, WindowKind, Within},
    diag::{Code, FileDiagnostic, Style, render},
    print::{print_expr, print_query},
};

/// Rules of the design, word for word.
const AIRPORT: &str = "FROM pings
PARTITION BY vehicle
PATTERN enter -> wait{3,} -> leave
WITHIN 45 min
DEFINE
  enter AS entered(airports),
  wait  AS speed < 5 km/h,
  leave AS exited(enter.fence) AND leave.time - enter.time > 20 min
MEASURES enter.fence AS airport, count(wait) AS pings, leave.time - enter.time AS waited
AFTER MATCH SKIP PAST LAST ROW
";
const CELLS: &str = "FROM orders, drivers
PARTITION BY h3(position, 8)
WINDOW TUMBLING 5 min JITTER 100% BY parent(h3(position, 8), 4)
MEASURES count(orders) AS demand, count(drivers) AS supply
";
const SURGE: &str = "FROM cells
CLUSTER BY cell WHERE demand >= 20 AND demand > 2 * supply
MIN CELLS 3 REACH 1 EXPIRE 15 min
MEASURES sum(demand) AS demand, sum(supply) AS supply
";
const SPREADING: &str = "FROM surge
PARTITION BY region
PATTERN start -> grow{3,}
WITHIN 30 min
DEFINE start AS transition = 'emerged',
       grow  AS grew AND area > 1.2 * prev(area)
";

/// More rules that must be read without complaint.
const FINE: &[&str] = &[
    AIRPORT,
    CELLS,
    SURGE,
    SPREADING,
    "FROM pings THROUGH airports PARTITION BY vehicle, fence",
    "FROM pings a NEAR pings b WITHIN 500 m AND 2 min PARTITION BY pair(a.id, b.id)",
    "FROM pings a NEAR pings b WITHIN 500 m LEAVE AT 700 m ON a.kind != b.kind EVERY 10 s MAX AGE 5 min ON TIMEOUT PATTERN x",
    "FROM a JOIN b ON a.key = b.key WITHIN -5 min .. 10 min LEFT JOIN c ON a.x = c.x",
    "FROM a p LEFT OUTER JOIN b q ON p.key = q.key WITHIN 1 min",
    "FROM a LOOKUP ports AS p ON a.port = p.id UNNEST fences AS f",
    "FROM p LATEST BY vehicle MAX AGE 10 min EMIT EVERY 1 min FOR UPDATED KEYS",
    "FROM p WHERE speed > 5 ONCE EVERY 1 h",
    "FROM p WHERE `WITHIN` = 3 AND every + day > size AND \"\" IS NULL",
    "from p partition by v pattern a b !c -> !d for 30 min -> e within 1 h",
    "FROM p PATTERN !a FOR 10 min WITHIN UNBOUNDED CLOCK EVENT OR WALL AT END DROP",
    "FROM p PATTERN a -> !(b -> c) -> d (x | y & z)",
    "FROM p PATTERN a+? STRICT EACH -> b{2,5}? ANY ->> c{,3} UNTIL speed > 3 -> d* WITHIN 5 min -> e WITHIN 3 s OF PREVIOUS WITHIN 1 h",
    "FROM p PATTERN a !b WITHIN 5 min OF PREVIOUS -> c -> !d WITHIN 3 s OF PREVIOUS WITHIN 1 h",
    "FROM p PATTERN (a -> b)+ (c | d e) -> (f & g) AFTER MATCH SKIP TO LAST a OR FAIL ALL ROWS PER MATCH",
    "FROM p WINDOW SESSION GAP 5 min MAX 2 h ALLOWED LATENESS 1 min EMIT EVERY 5 s HAVING n > 3 MEASURES count(*) AS n",
    "FROM p WINDOW RUNNING EXPIRE 1 d MEASURES count(*) AS n",
    "FROM p WINDOW COUNT 10 EVERY 5 EXPIRE 1 d MEASURES count(DISTINCT v) FILTER (WHERE speed > 3 kn) AS n",
    "FROM p WINDOW TUMBLING 1 d TIME ZONE 'Europe/Paris' JITTER NATURAL OFFSET 5 min",
    "FROM surge PARTITION BY city, region AS r FOLLOW parents PATTERN a -> b WITHIN 1 h FEEDBACK 2",
    "FROM p PATTERN a DEFINE a FROM surge AS CASE WHEN x = 1 THEN TRUE ELSE NOT y END ORDER BY time, f INTERPOLATE MAX GAP 5 min FEEDBACK 3",
    "FROM c CLUSTER BY cell WHERE n >= 20 COLD WHEN n < 10 MIN CELLS 3 REACH 1 DENSITY 3 WITHIN 1 EXPIRE 1 h EVERY 5 min OVERLAP BY WEIGHT SURVIVE 0.5 SPLIT 0.25 GROW 10% MOVE 0.3 DENSE 30% EMIT ALL",
    "FROM p WHERE time > TIME '2026-01-01T00:00:00Z' AND x NOT IN (1, 2) AND y NOT BETWEEN -3 AND 4 AND s LIKE 'a%' AND z IS NOT NULL",
    "FROM p MEASURES FINAL last(a.x, 2) AS x, a.fence.speed_limit",
    "-- a comment\nFROM p -- and another",
];

fn parsed(text: &str) -> Query {
    let (query, diagnostics) = parse_query(text);
    assert!(diagnostics.is_empty(), "{text}\n{diagnostics:#?}");
    query.expect("a query where there is no diagnostic")
}

fn codes(text: &str) -> Vec<&'static str> {
    parse_query(text).1.iter().map(|d| d.code.text()).collect()
}

fn steps(text: &str) -> Vec<Step> {
    match parsed(text).operator {
        Some(Operator::Pattern(clause)) => clause.pattern.steps,
        other => panic!("no pattern: {other:?}"),
    }
}

fn condition(text: &str) -> String {
    print_expr(&parsed(&format!("FROM p WHERE {text}")).where_.expect("the condition"))
}

#[test]
fn the_rules_of_the_design_are_read() {
    for text in FINE.iter().filter(|t| !t.contains("\"\"") && !t.contains("y & z")) {
        parsed(text);
    }
}

#[test]
fn the_airport_rule_has_the_parts_that_it_shows() {
    let query = parsed(AIRPORT);
    assert_eq!(query.from[0].stream.text, "pings");
    assert_eq!(query.measures.len(), 3);
    let Some(Operator::Pattern(clause)) = query.operator else { panic!("a pattern") };
    assert_eq!(clause.pattern.steps[1].quantifier.map(|q| (q.min, q.max)), Some((3, None)));
    assert!(matches!(clause.within, Some(Within::Duration(_))));
    assert_eq!(clause.define.len(), 3);
    let ExprKind::Binary { right, .. } = &clause.define[1].condition.kind else { panic!("a comparison") };
    let ExprKind::Number(quantity) = &right.kind else { panic!("a number") };
    assert_eq!(quantity.unit.as_ref().map(|u| u.value.as_str()), Some("km/h"));
    assert_eq!(&AIRPORT[quantity.span.range()], "5 km/h");
}

#[test]
fn jitter_may_be_drawn_from_another_value() {
    let Some(Operator::Window(window)) = parsed(CELLS).operator else { panic!("a window") };
    assert!(matches!(window.kind, WindowKind::Tumbling { .. }));
    let Some(JitterKind::Percent { by: Some(by), .. }) = window.jitter.map(|j| j.kind) else { panic!("BY") };
    assert_eq!(print_expr(&by), "parent(h3(position, 8), 4)");
}

#[test]
fn a_number_before_min_cells_has_no_unit() {
    let Some(Operator::Cluster(cluster)) = parsed("FROM c CLUSTER BY cell WHERE n >= 20 MIN CELLS 3").operator else {
        panic!("a cluster")
    };
    assert_eq!(print_expr(&cluster.hot), "n >= 20");
    assert_eq!(cluster.min_cells.map(|n| n.value), Some(3));
}

#[test]
fn operators_bind_as_in_sql() {
    for (text, expected) in [
        ("a OR b AND NOT c = d + e * f", "a OR b AND NOT c = d + e * f"),
        ("(a OR b) AND (c)", "(a OR b) AND c"),
        ("a - (b - c) - d", "a - (b - c) - d"),
        ("-x * -5 km/h - -(3)", "-x * -5 km/h - -(3)"),
        ("NOT (a AND b)", "NOT (a AND b)"),
        ("x == 1 AND y <> 2", "x = 1 AND y != 2"),
        ("x between 1 and 2 and y", "x BETWEEN 1 AND 2 AND y"),
        ("5 km/h < dist / h", "5 km/h < dist / h"),
        ("5 km/ h(x)", "5 km / h(x)"),
        ("time - `end` > 5 min", "time - end > 5 min"),
        ("-9223372036854775808 = x", "-9223372036854775808 = x"),
        ("1e3 = 5e", "1000.0 = 5 e"),
    ] {
        assert_eq!(condition(text), expected, "{text}");
    }
}

#[test]
fn words_of_clauses_are_names_where_a_value_stands() {
    for text in ["start = 1", "time > day", "every + size > key", "min < cell", "once = window", "emit = cluster"] {
        assert_eq!(condition(text).replace('`', ""), text);
    }
    // … and end the clause before where a value has just ended.
    let query = parsed("FROM p WHERE once = emit ONCE");
    assert!(query.once.is_some());
}

#[test]
fn connectors_and_modifiers_are_told_apart() {
    let all = steps("FROM p PATTERN a b ->> c+ STRICT -> !d -> (e | f g){2,}? ANY EACH UNTIL (x) -> !h FOR 5 min");
    let connectors: Vec<_> = all.iter().filter_map(|s| s.connector).map(|c| c.value).collect();
    use Connector::{Any, Relaxed, Strict};
    assert_eq!(connectors, [Strict, Any, Relaxed, Relaxed, Relaxed]);
    assert_eq!(all[2].contiguity.map(|c| c.value), Some(Contiguity::Strict));
    assert!(all[3].negated.is_some() && all[5].absent_for.is_some());
    let Term::Group(group) = &all[4].term else { panic!("a group") };
    assert_eq!((group.kind, group.members.len()), (GroupKind::Alternation, 2));
    assert!(all[4].each.is_some() && all[4].until.is_some());
}

#[test]
fn within_at_the_end_of_a_pattern_is_the_clause() {
    assert!(steps("FROM p PATTERN a -> b{3} WITHIN 5 min")[1].within.is_none());
    assert!(steps("FROM p PATTERN a -> b{3} WITHIN 5 min MEASURES x")[1].within.is_none());
    assert!(steps("FROM p PATTERN a -> b{3} WITHIN 5 min WITHIN 1 h")[1].within.is_some());
    assert!(steps("FROM p PATTERN a{3} WITHIN 5 min -> b WITHIN 1 h")[0].within.is_some());
    assert!(steps("FROM p PATTERN a -> b WITHIN 5 min OF PREVIOUS")[1].within.as_ref().unwrap().of_previous);
}

#[test]
fn clauses_come_in_any_order() {
    let a = parsed("FROM p PARTITION BY v PATTERN a WITHIN 1 h DEFINE a AS x MEASURES count(a) AS n");
    let b = parsed("MEASURES count(a) AS n DEFINE a AS x WITHIN 1 h PATTERN a PARTITION BY v FROM p");
    assert_eq!(print_query(&a), print_query(&b));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = "FROM p PARTITION vehicle PATTERN a -> b{3,1} WITHIN soon
        DEFINE a AS speed >, b AS (x > 3, c AS d = = 1 MEASURES count(a AS n, avg(a.x) AS m AFTER MATCH SKIP";
    assert_eq!(
        codes(text),
        ["E0101", "E0113", "E0101", "E0101", "E0105", "E0101", "E0105", "E0101"],
        "{:#?}",
        parse_query(text).1
    );
}

#[test]
fn nesting_and_chains_are_bounded() {
    for open in ["(", "f(", "NOT ", "- ", "CASE WHEN "] {
        let text = format!("FROM p WHERE {}", open.repeat(20_000 / open.len()));
        assert!(codes(&text).contains(&"E0116"), "{open}");
    }
    let chain = format!("FROM p WHERE x{}", " + x".repeat(10_000));
    assert_eq!(codes(&chain), ["E0116"]);
    let groups = format!("FROM p PATTERN {}", "(".repeat(20_000));
    assert_eq!(codes(&groups), ["E0116"]);
    let fine = format!("FROM p WHERE {}x{}", "(".repeat(60), ")".repeat(60));
    parsed(&fine);
    assert_eq!(codes(&"x".repeat(TEXT_MAX_BYTES + 1)), ["E0117"]);
}

#[test]
fn hostile_text_is_read_to_its_end() {
    // Not how fast it is, but that it ends: exponential work never would, and a debug build on a busy machine needs a second.
    let limit = Duration::from_secs(20);
    for piece in [
        "(",
        "a(",
        "!",
        "a -> (",
        "'",
        "`",
        "DEFINE a AS ",
        "WITHIN 5 ",
        ", ",
        "€",
        "€ ",
        "é ",
        "\"",
        "`a ",
        "FROM a ",
        "x AS y, ",
        "(1, ",
    ] {
        let text = piece.repeat(TEXT_MAX_BYTES / piece.len());
        let cpu = timed(|| parse_query(&text));
        assert!(cpu < limit, "{piece}: {cpu:?}");
        let cpu = timed(|| {
            parse_query(&format!("FROM p PATTERN a DEFINE {}", &text[..text.floor_char_boundary(TEXT_MAX_BYTES / 2)]))
        });
        assert!(cpu < limit, "DEFINE {piece}: {cpu:?}");
    }
}

#[expect(clippy::disallowed_types, reason = "a test measures; the parser doesn't")]
fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = std::time::Instant::now();
    let _ = work();
    start.elapsed()
}

/// Every kind of mistake once, with what a person reads. Update with `INSTA_UPDATE=always`, and read them.
#[test]
fn diagnostics_are_as_recorded() {
    let cases: &[(&str, &str)] = &[
        ("unexpected_token", "FROM pings\nWHERE speed >\nPARTITION BY vehicle"),
        ("strange_characters", "FROM pings WHERE speed > 5 € AND name = \"x\";"),
        ("unclosed_text", "FROM pings\nWHERE name = 'abc\nPARTITION BY v"),
        ("large_number", "FROM pings WHERE x = 99999999999999999999 AND y = 1e999"),
        ("unclosed_call", "FROM p MEASURES count(wait AS pings, avg(wait.speed) AS mean"),
        ("unclosed_at_the_end", "FROM p\nWHERE (speed > 3"),
        ("clause_twice", "FROM p WHERE a = 1\nWHERE b = 2"),
        ("no_from", "PARTITION BY v PATTERN a"),
        ("clause_alone", "FROM p WITHIN 5 min DEFINE a AS x"),
        ("two_operators", "FROM p PATTERN a WITHIN 1 h WINDOW TUMBLING 5 min"),
        ("misspelt_clause", "FROM p\nPATERN a -> b\nDEFIN a AS x\nMESURES count(a) AS n"),
        (
            "misspelt_after_number",
            "FROM p WHERE speed > 5\nPARTITON BY v PATTERN a WITHIN 5 min\nMESURES count(a) AS n",
        ),
        ("no_stream", "FROM\nWHERE x = 1 AND"),
        ("missing_comma", "FROM p WINDOW TUMBLING 5 min MEASURES count(a) AS n sum(b) AS m, avg() AS"),
        ("not_a_clause_of_ours", "SELECT x FROM p GROUP BY y"),
        ("case", "FROM p WHERE CASE WHEN a THEN b = 1 AND x IS 5 AND y IN 3"),
        ("joins", "FROM a NEAR b LEAVE AT 5 m JOIN c WITHIN 5 min .. 6 min"),
        ("cluster", "FROM c CLUSTER BY cell MIN CELLS 3"),
        ("unknown_clause", "FROM p GROUP BY x"),
        ("word_of_another_clause", "FROM p JITTER 100%"),
        ("measure_without_name", "FROM p PATTERN a MEASURES count(a), sum(a.x) AS s"),
        ("chained_comparison", "FROM p WHERE 1 < x < 3"),
        ("bad_quantifiers", "FROM p PATTERN a{3,1} -> b{0} -> c{} -> d++"),
        ("bad_steps", "FROM p PATTERN !a+ -> b FOR 5 min -> c EACH -> d+ STRICT ANY WITHIN 1 h"),
        ("any_before_absence", "FROM p PATTERN a ->> !b -> c"),
        ("alternation_outside", "FROM p PATTERN a -> b | c\nWITHIN 1 h"),
        ("mixed_group", "FROM p PATTERN (a | b & c)"),
        ("until_without_parentheses", "FROM p PATTERN a+ UNTIL x > 3 `b` -> c"),
        ("too_deep", "FROM p WHERE ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((x"),
        ("empty", "  -- nothing\n"),
        (
            "definitions",
            "FROM p PATTERN a -> b -> c DEFINE a AS x > , b y = 1, c AS z = 2 d AS w, e AS (v,\nMEASURES a.x AS x",
        ),
        ("keyword_as_name", "FROM p MEASURES count(a) AS where, x AS `from`"),
        ("foreign_operators", "FROM p WHERE a && !b || c"),
        ("window", "FROM p WINDOW TUMBLNG 5 min"),
        ("window_without_kind", "FROM p WINDOW 5 min JITTER 10"),
        ("skip", "FROM p PATTERN a AFTER MATCH SKIP TO a"),
        ("within", "FROM p PATTERN a WITHIN forever"),
        ("extra_parenthesis", "FROM p WHERE (a = 1)) AND b = 2"),
        ("dangling_comma", "FROM p PATTERN a DEFINE a AS x,\nMEASURES a.x AS x,\nHAVING x > 1"),
    ];
    for (name, text) in cases {
        let (query, diagnostics) = parse_query(text);
        assert!(query.is_none(), "{name} is read without error");
        let shown: Vec<String> = diagnostics
            .into_iter()
            .map(|d| {
                let range = d.span.range();
                render(&FileDiagnostic::placed(d, range), "rule", text, Style::Plain)
            })
            .collect();
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(*name, shown.join("\n\n"));
        });
    }
}

#[test]
fn every_grammar_code_is_given_by_some_text() {
    // The codes of the recorded diagnostics above, and the two that need a long text.
    let all: Vec<Code> = Code::ALL.iter().copied().filter(|c| c.text().starts_with("E01")).collect();
    assert_eq!(all.len(), 18);
}

fn check_any(text: &str) {
    let (query, diagnostics) = parse_query(text);
    assert_eq!(query.is_some(), !diagnostics.iter().any(|d| d.is_error()), "{text}");
    for d in diagnostics {
        assert!(d.span.start <= d.span.end && d.span.end as usize <= text.len(), "{text}: {d:?}");
        let range = d.span.range();
        let shown = render(&FileDiagnostic::placed(d, range), "rule", text, Style::Plain);
        assert!(shown.contains("rule:"));
    }
    if let Some(query) = query {
        let canonical = print_query(&query);
        assert_eq!(print_query(&parsed(&canonical)), canonical, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered_without_panic(text in any::<String>()) {
        check_any(&text);
    }

    #[test]
    fn a_fine_rule_with_slips_is_answered_without_panic(
        which in 0..FINE.len(),
        slips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4_u8), 1..6),
    ) {
        let mut text = FINE[which].to_owned();
        for (at, other, kind) in slips {
            let mut at = at.index(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match kind {
                0 => text.truncate(at),
                1 => text.insert_str(at, [" ", "(", ")", ",", "'", "`", "->", "AS", "5", "€", "!", "."][other.index(12)]),
                2 if at < text.len() => { text.remove(at); }
                _ => {
                    let donor = FINE[other.index(FINE.len())];
                    let words: Vec<&str> = donor.split(' ').collect();
                    text.insert_str(at, words[other.index(words.len())]);
                }
            }
        }
        check_any(&text);
    }

    #[test]
    fn words_of_the_language_in_any_order_are_answered_without_panic(
        words in prop::collection::vec(prop::sample::select(
            FINE.iter().flat_map(|t| t.split_inclusive([' ', ',', '(', ')'])).collect::<Vec<_>>()), 0..40),
    ) {
        check_any(&words.concat());
    }
}

#[test]
fn a_join_that_there_is_not_is_no_alias_and_says_what_to_write_instead() {
    for (word, help) in
        [("RIGHT", "the other way round"), ("FULL OUTER", "write two rules"), ("right outer", "LEFT JOIN")]
    {
        for alias in ["", "a "] {
            let text = format!("FROM pings {alias}{word} JOIN orders b ON pings.id = b.id WITHIN 1 min");
            let (query, diagnostics) = parse_query(&text);
            let said = format!("{diagnostics:?}");
            assert!(query.is_none() && said.contains("begins no clause") && said.contains(help), "{text}: {said}");
        }
    }
}
