//! Rule texts in, plans out.

use super::{Catalog, Checked, FenceSetInfo, TableInfo, check};
use crate::{
    lang::{
        diag::{FileDiagnostic, Style},
        file::RuleFile,
    },
    model::{Field, Schema, Type, Unit},
    plan::{Body, Plan, Rule},
};
use std::fmt::Write;

/// The configuration of these tests, and of `fixtures/rules-bad`.
pub(super) fn catalog() -> Catalog {
    let km_h = Type::Quantity(Unit::KilometrePerHour);
    let source = |name: &str, fields: &[(&str, Type)]| {
        let fields: Vec<Field> = fields.iter().map(|(name, ty)| Field { name: (*name).to_owned(), ty: *ty }).collect();
        let position = fields.iter().position(|field| field.ty == Type::Point).map(|at| at as u16);
        (name.to_owned(), Schema { fields, position, id: None, open: false })
    };
    let set = |name: &str, properties: &[(&str, Type)]| FenceSetInfo {
        name: name.to_owned(),
        properties: properties.iter().map(|(name, ty)| ((*name).to_owned(), *ty)).collect(),
        open: false,
    };
    Catalog {
        sources: vec![
            source(
                "pings",
                &[
                    ("vehicle", Type::Text),
                    ("position", Type::Point),
                    ("speed", km_h),
                    ("course", Type::Quantity(Unit::Degree)),
                    ("status", Type::Text),
                    ("fuel", Type::Float),
                    ("seq", Type::Int),
                    ("sent", Type::Time),
                ],
            ),
            source("orders", &[("order_id", Type::Text), ("position", Type::Point), ("price", Type::Float)]),
            source(
                "drivers",
                &[("vehicle", Type::Text), ("position", Type::Point), ("speed", Type::Quantity(Unit::Knot))],
            ),
            source("sensors", &[("vehicle", Type::Text), ("speed", Type::Text), ("value", Type::Float)]),
        ],
        fence_sets: Some(vec![
            set("airports", &[("name", Type::Text), ("speed_limit", km_h)]),
            set("ports", &[("name", Type::Text)]),
        ]),
        tables: Some(tables()),
        ..Catalog::default()
    }
}

/// Of these tests, and of `fixtures/rules-bad`.
fn tables() -> Vec<TableInfo> {
    let table = |name: &str, key: &[&str], columns: &[(&str, Type)]| TableInfo {
        name: name.to_owned(),
        columns: columns.iter().map(|(name, ty)| ((*name).to_owned(), *ty)).collect(),
        key: key.iter().map(|&name| name.to_owned()).collect(),
    };
    vec![
        table("vehicles", &["id"], &[("id", Type::Text), ("capacity", Type::Int), ("depot", Type::Point)]),
        table("tariffs", &["zone", "class"], &[("zone", Type::Text), ("class", Type::Int), ("fee", Type::Float)]),
    ]
}

fn run(text: &str, catalog: &Catalog) -> (Checked, String) {
    let (file, found) = RuleFile::parse("rules.yaml", text);
    let file = file.expect("a rule file");
    let checked = check(std::slice::from_ref(&file), catalog);
    let all = found.iter().chain(checked.diagnostics.iter().map(|finding| &finding.diagnostic));
    let rendered: Vec<String> = all.map(|d: &FileDiagnostic| file.render(d, Style::Plain)).collect();
    (checked, rendered.join("\n\n"))
}

/// A file with one alert of this expression.
fn one_rule(expr: &str) -> String {
    let lines: String = expr.lines().map(|line| format!("          {}\n", line.trim())).collect();
    format!("groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: |\n{lines}")
}

pub(super) fn plan_of(expr: &str) -> Plan {
    let (checked, messages) = run(&one_rule(expr), &catalog());
    checked.plan.unwrap_or_else(|| panic!("{expr}\n{messages}"))
}

/// What is said of an expression.
pub(super) fn said_of(expr: &str) -> String {
    run(&one_rule(expr), &catalog()).1
}

/// A plan in few lines.
fn show(plan: &Plan) -> String {
    let mut out = String::new();
    for (at, stream) in plan.streams.iter().enumerate() {
        let fields: Vec<String> =
            stream.schema.fields.iter().map(|field| format!("{}: {}", field.name, field.ty)).collect();
        let _ = writeln!(out, "stream {at} {} level {} ({})", stream.name, stream.level, fields.join(", "));
    }
    let _ = writeln!(out, "fence sets {:?}", plan.fence_sets);
    for rule in &plan.rules {
        show_rule(rule, &mut out);
    }
    out
}

fn show_rule(rule: &Rule, out: &mut String) {
    let _ = writeln!(out, "\n{:?} {} {}", rule.kind, rule.name, rule.version);
    let _ = writeln!(out, "  {}", rule.canonical);
    let keys: Vec<String> = rule
        .key
        .iter()
        .map(|key| format!("{}: {}{}", key.name, key.ty, if key.through { " through" } else { "" }))
        .collect();
    let _ = writeln!(out, "  key {}", keys.join(", "));
    if let Some(through) = &rule.through {
        let _ = writeln!(out, "  through {}", through.set);
    }
    for input in &rule.inputs {
        let _ = writeln!(out, "  input {} stream {} position {:?}", input.name, input.stream.0, input.position_slot);
        let mut line = |word: &str, exprs: Vec<String>| {
            if !exprs.is_empty() {
                let _ = writeln!(out, "    {word} {}", exprs.join(" ; "));
            }
        };
        line("before", input.before.iter().map(ToString::to_string).collect());
        line("key", input.key.iter().map(ToString::to_string).collect());
        line("prev", input.prev.iter().map(ToString::to_string).collect());
        line("computed", input.computed.iter().map(ToString::to_string).collect());
        line("after", input.after.iter().map(ToString::to_string).collect());
    }
    let optional = |exprs: &[Option<crate::expr::Expr>]| -> String {
        let shown: Vec<String> =
            exprs.iter().map(|expr| expr.as_ref().map_or("none".to_owned(), ToString::to_string)).collect();
        shown.join(" ; ")
    };
    match &rule.body {
        Body::Filter => {
            let _ = writeln!(out, "  filter");
        }
        Body::Pattern(pattern) => {
            let _ = writeln!(
                out,
                "  pattern within {:?} skip {:?} clock {:?} timeout {}",
                pattern.within_ms, pattern.skip, rule.clock, pattern.on_timeout
            );
            for variable in &pattern.variables {
                let _ = writeln!(out, "    variable {} {}", variable.name, optional(&variable.conditions));
            }
            for element in &pattern.elements {
                let _ = writeln!(out, "    {element:?}");
            }
            for (input, retained) in pattern.retained.iter().enumerate() {
                let shown: Vec<String> = retained.iter().map(ToString::to_string).collect();
                let _ = writeln!(out, "    retained {input}: {}", shown.join(" ; "));
            }
            let _ = writeln!(out, "    track {:?}", pattern.track);
            for (var, aggregate) in &pattern.aggregates {
                let _ = writeln!(
                    out,
                    "    aggregate {var} {:?} {} -> {}",
                    aggregate.kind,
                    optional(&aggregate.args),
                    aggregate.ty
                );
            }
        }
        Body::Join(join) => {
            let _ = writeln!(out, "  join {} .. {} outer {}", join.lower_ms, join.upper_ms, join.outer);
        }
        Body::Cluster(cluster) => drop(writeln!(out, "  cluster {:?}", cluster.config)),
        Body::Latest(latest) => drop(writeln!(out, "  {latest:?}")),
        Body::Near(near) => {
            let _ = writeln!(out, "  {near:?}");
        }
        Body::Window(window) => {
            let _ = writeln!(out, "  window {:?}", window.kind);
            match &window.jitter {
                crate::plan::Jitter::Drawn { percent, by } => {
                    let by: Vec<String> = by.iter().flat_map(|by| &by.exprs).map(ToString::to_string).collect();
                    let _ = writeln!(out, "    jitter {percent}% by {}", by.join(" ; "));
                }
                other => {
                    let _ = writeln!(out, "    {other:?}");
                }
            }
            for aggregate in &window.aggregates {
                let _ = writeln!(
                    out,
                    "    aggregate {:?} {} filter {} -> {}",
                    aggregate.kind,
                    optional(&aggregate.args),
                    optional(&aggregate.filter),
                    aggregate.ty
                );
            }
        }
    }
    if let Some(having) = &rule.having {
        let _ = writeln!(out, "  having {having}");
    }
    for output in &rule.outputs {
        let exprs: Vec<String> = output.exprs.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "  output {}: {} {:?} {}", output.name, output.ty, output.role, exprs.join(" ; "));
    }
    for (name, template) in &rule.annotations {
        let _ = writeln!(out, "  annotation {name} {:?}", template.parts);
    }
}

const DESIGN: &str = r#"
groups:
  - name: airport
    rules:
      - alert: QueueAbandoned
        expr: |
          FROM pings
          PARTITION BY vehicle
          PATTERN enter -> wait{3,} -> leave
          WITHIN 45 min
          DEFINE
            enter AS entered(airports),
            wait  AS speed < 5 km/h,
            leave AS exited(enter.fence) AND leave.time - enter.time > 20 min
          MEASURES enter.fence AS airport, count(wait) AS pings, leave.time - enter.time AS waited
          AFTER MATCH SKIP PAST LAST ROW
        labels: { severity: warning }
        annotations:
          summary: "{{ key }} gave up the queue at {{ airport }} after {{ waited }}"
  - name: marketplace
    rules:
      - stream: cells
        expr: |
          FROM orders, drivers
          PARTITION BY h3(position, 8)
          WINDOW TUMBLING 5 min JITTER 100% BY parent(h3(position, 8), 4)
          MEASURES count(orders) AS demand, count(drivers) AS supply
      - alert: Short
        expr: |
          FROM cells WHERE demand > 2 * supply
"#;

#[test]
fn the_designs_examples_become_plans() {
    let (checked, messages) = run(DESIGN, &catalog());
    let plan = checked.plan.unwrap_or_else(|| panic!("{messages}"));
    assert_eq!(messages, "");
    insta::assert_snapshot!(show(&plan));
}

/// The only alert of a plan.
fn rule_of(expr: &str) -> Rule {
    plan_of(expr).rules.pop().unwrap()
}

fn where_of(condition: &str) -> String {
    let rule = rule_of(&format!("FROM pings WHERE {condition}"));
    rule.inputs[0].before.as_ref().map_or("always".to_owned(), ToString::to_string)
}

#[test]
fn where_stands_before_the_partition_or_after_it_and_never_in_both() {
    let placed = |expr: &str| {
        let plan = plan_of(expr);
        let input = &plan.rules[0].inputs[0];
        (input.before.is_some(), input.after.is_some())
    };
    let key = "PARTITION BY vehicle";
    assert_eq!(placed(&format!("FROM pings WHERE status = 'free' {key}")), (true, false));
    for looks_back in ["prev(speed) > 3 km/h", "gap() > 1 min", "speed() > 3 kn", "entered(ports)"] {
        let expr = format!("FROM pings WHERE status = 'free' AND {looks_back} {key}");
        assert_eq!(placed(&expr), (false, true), "{expr}");
    }
    assert_eq!(placed("FROM pings THROUGH ports WHERE status = 'free' PARTITION BY vehicle, fence"), (false, true));
    assert_eq!(placed("FROM pings PARTITION BY vehicle"), (false, false));
}

#[test]
fn a_where_that_looks_back_is_asked_as_a_whole_afterwards() {
    let rule = rule_of(
        "FROM pings PARTITION BY vehicle WHERE speed > 5 km/h AND gap() > 1 min AND (fuel < 1.0 OR entered(ports))",
    );
    let input = &rule.inputs[0];
    assert!(input.before.is_none());
    let after = input.after.as_ref().unwrap().to_string();
    assert_eq!(after, "(and (> $2 5) (> (- time prev.time) 1min) (or (< $3 1) (any (without @0 prev.0))))");
    assert_eq!(input.computed[0].to_string(), "(locate set.0 $0)");
    assert_eq!(input.prev[0].to_string(), "@0");
}

#[test]
fn a_constant_is_converted_to_the_fields_unit_when_the_rule_is_checked() {
    // pings.speed is in km/h: slot 1 beside the position.
    assert_eq!(where_of("speed > 10 m/s"), "(> $1 36)");
    assert_eq!(where_of("10 m/s < speed"), "(< 36 $1)");
    assert_eq!(where_of("speed BETWEEN 1 m/s AND 10 m/s"), "(and (>= $1 3.6) (<= $1 36))");
    assert_eq!(where_of("speed IN (10 m/s, 5 km/h)"), "(in $1 36 5)");
    assert_eq!(where_of("distance(position, point(4, 52)) < 2 km").split(' ').next_back(), Some("2000)"));
}

#[test]
fn what_is_constant_is_computed_when_the_rule_is_checked() {
    assert_eq!(where_of("time - sent > 5 * 60 s"), "(> (- time $1) 5min)");
    assert_eq!(where_of("time - sent > 0.5 * 3 h"), "(> (- time $1) 1h30min)");
    assert_eq!(where_of("speed > 10 km / 30 min"), "(> $1 20)");
    assert_eq!(where_of("seq > 2 AND TRUE"), "(> $1 2)");
    assert_eq!(where_of("fuel > abs(-3)"), "(> $1 3)");
    assert_eq!(where_of("sent > TIME '2026-01-01T00:00:00Z'"), "(> $1 2026-01-01T00:00:00Z)");
}

#[test]
fn arithmetic_has_the_units_of_its_operands() {
    let rule = rule_of(
        "FROM pings PARTITION BY vehicle
         MEASURES speed * gap() AS way, distance(prev(position), position) / gap() AS pace, sent - time AS lag,
                  (sent - time) / 1 min AS minutes, speed / 2 AS half, time + 3 h AS later, seq / 2 AS part, 5 km / speed AS lasts,
                  CASE WHEN seq > 3 THEN 1 ELSE 2.5 END AS some, -course AS back",
    );
    let types: Vec<String> = rule.outputs.iter().map(|output| format!("{} {}", output.name, output.ty)).collect();
    assert_eq!(
        types,
        [
            "vehicle string",
            "way length (m)",
            "pace speed (m/s)",
            "lag duration",
            "minutes float",
            "half speed (km/h)",
            "later time",
            "part float",
            "lasts duration",
            "some float",
            "back angle (deg)",
            "position point"
        ]
    );
}

#[test]
fn a_bare_name_is_the_field_of_any_stream_and_null_where_there_is_none() {
    let rule = rule_of("FROM pings, drivers AS d PARTITION BY vehicle MEASURES speed, fuel, d.speed AS own");
    let shown: Vec<String> = rule
        .outputs
        .iter()
        .map(|output| output.exprs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ; "))
        .collect();
    assert_eq!(shown, ["key.0 ; key.0", "$2 ; (scale 1.852 $2)", "$3 ; null", "null ; $2", "$0 ; $0"]);
}

#[test]
fn first_and_last_count_the_event_under_test_in_its_own_condition() {
    let rule = rule_of(
        "FROM pings PARTITION BY vehicle PATTERN a -> b+ WITHIN 5 min
         DEFINE a AS TRUE, b AS last(b.speed) > last(b.speed, 1) AND first(b.seq) > 3 AND avg(b.speed) < a.speed",
    );
    let Body::Pattern(pattern) = &rule.body else { panic!("no pattern") };
    let condition = pattern.variables[1].conditions[0].as_ref().unwrap().to_string();
    assert_eq!(
        condition,
        "(and (> $2 v1.last.0) (> (case (when (not (is-null v1.first.time)) v1.first.1) (when true $3) null) 3) (< aggregate.0 v0.last.0))"
    );
}

#[test]
fn the_fingerprint_is_of_the_meaning_of_the_text_not_its_layout() {
    let one = rule_of("FROM pings WHERE speed > 5 km/h -- slow\n").version;
    assert_eq!(one, rule_of("from pings\nwhere speed  >  5 km/h").version);
    assert_ne!(one, rule_of("FROM pings WHERE speed > 6 km/h").version);
    assert_eq!(one.len(), 16);
}

#[test]
fn without_a_configuration_streams_are_taken_as_they_come() {
    let open = Catalog { open: true, ..Catalog::default() };
    let text = one_rule(
        "FROM pings PARTITION BY vehicle WHERE speed > 5 km/h AND entered(zones) MEASURES fence.kind AS kind, speed",
    );
    let (checked, messages) = run(&text, &open);
    assert!(messages.starts_with("warning[W0104]"), "{messages}");
    insta::assert_snapshot!(show(&checked.plan.unwrap()));
}

#[test]
fn a_rule_that_cannot_be_read_does_not_spoil_those_that_read_it() {
    let text = "groups:\n  - name: g\n    rules:\n      - stream: a\n        expr: |\n          FROM pings WHERE sped > 5 km/h\n      - alert: B\n        expr: |\n          FROM a WHERE anything > 5 km/h AND spede() > 3\n";
    let (checked, messages) = run(text, &catalog());
    assert!(checked.plan.is_none());
    assert_eq!(messages.matches("error[").count(), 2, "{messages}");
}

#[test]
fn every_form_of_rule_has_its_plan() {
    let rules = [
        "FROM pings THROUGH airports PARTITION BY vehicle, fence PATTERN a -> b{2,} -> c WITHIN 1 h
         DEFINE a AS passage = 'entered', b AS speed < fence.speed_limit, c AS passage = 'exited' AND dwell > 10 min
         MEASURES fence.name AS name, last(b.speed, 1) AS s, c.dwell AS stay",
        "FROM pings, orders PATTERN a -> b WITHIN 5 min ON TIMEOUT CLOCK EVENT OR WALL
         DEFINE a FROM pings AS speed > 5 km/h, b FROM orders AS price > 3 MEASURES b.price AS p, path_length(a) AS way",
        "FROM pings PARTITION BY vehicle PATTERN !a FOR 10 min DEFINE a AS TRUE MEASURES vehicle",
        "FROM pings PARTITION BY vehicle PATTERN a (b ->> c){2,3} STRICT EACH -> d+? UNTIL seq > 9 WITHIN 1 min OF PREVIOUS
         WITHIN 1 h DEFINE a AS TRUE, b AS fuel > a.fuel, c AS TRUE, d AS speed() > 3 kn AFTER MATCH SKIP TO LAST d OR FAIL",
        "FROM pings PARTITION BY vehicle WINDOW TUMBLING 1 h OFFSET -10 min
         MEASURES vehicle, count(*) AS n, avg(speed) FILTER (WHERE seq > 1) AS mean, count(DISTINCT status) AS states, max(gap()) AS pause
         HAVING n > 2",
    ];
    let mut shown = String::new();
    for rule in rules {
        shown += &show(&plan_of(rule));
        shown += "\n";
    }
    insta::assert_snapshot!(shown);
}

/// Whether a rule has a plan, and whether it has an error.
pub(super) fn run_expr(expr: &str, catalog: &Catalog) -> (bool, bool) {
    let (file, found) = RuleFile::parse("rules.yaml", &one_rule(expr));
    let Some(file) = file else { return (false, true) };
    // A rule that the reader left out has been complained of.
    let mut wrong = found.iter().any(FileDiagnostic::is_error);
    let checked = check(&[file], catalog);
    wrong |= checked.diagnostics.iter().any(|finding| finding.diagnostic.is_error());
    (checked.plan.is_some() && !found.iter().any(FileDiagnostic::is_error), wrong)
}

#[test]
fn the_librarys_examples_give_what_they_say() {
    let value = |expr: &str| {
        let rule = rule_of(&format!("FROM pings MEASURES {expr} AS x"));
        rule.outputs[0].exprs[0].as_const().unwrap_or_else(|| panic!("{expr} is no constant")).clone()
    };
    for function in crate::expr::func::all() {
        let (call, result) = function.example;
        let (left, right) = (value(call), value(result));
        assert_eq!(left.compare(&right), Some(std::cmp::Ordering::Equal), "{call} gives {left:?}, not {right:?}");
    }
}

#[test]
fn fences_and_cells_compare_with_their_ids_as_text() {
    let rule =
        rule_of("FROM pings WHERE inside(ports) AND fence = 'rotterdam' AND h3(position, 8) = '88283082a3fffff'");
    let condition = rule.inputs[0].before.as_ref().unwrap().to_string();
    assert!(condition.contains("(= (id (lowest @0)) 'rotterdam')"), "{condition}");
    assert!(condition.contains("(= (h3 $0 8) Cell("), "{condition}");
}

#[test]
fn the_fence_of_the_previous_event_is_that_of_the_same_condition() {
    let rule = rule_of(
        "FROM pings PARTITION BY vehicle PATTERN a -> b WITHIN 5 min
         DEFINE a AS inside(ports) AND prev(fence) = fence, b AS inside(airports) AND prev(fence) = fence",
    );
    let kept: Vec<String> = rule.inputs[0].prev.iter().map(ToString::to_string).collect();
    assert_eq!(kept, ["(lowest @0)", "(lowest @1)"]);
}

#[test]
fn what_must_not_occur_may_be_a_sequence_that_looks_at_the_match() {
    let rule = rule_of(
        "FROM pings PARTITION BY vehicle PATTERN a? -> !(b -> c{2} | d) FOR 5 min -> (!e -> f)+ -> !(b2 & c2)
         WITHIN 1 h DEFINE a AS seq = 1, b AS speed > a.speed, c AS seq = 3, d AS seq = 4, e AS seq = 5, f AS seq = 6",
    );
    let Body::Pattern(pattern) = &rule.body else { panic!("no pattern") };
    let terms: Vec<String> = pattern.elements.iter().map(|element| format!("{:?}", element.term)).collect();
    assert!(
        terms[1].starts_with("Not { term: Alternation(") && terms[1].ends_with("for_ms: Some(300000) }"),
        "{terms:?}"
    );
    assert!(terms[2].starts_with("Group([Element { connect: Relaxed, term: Not {"), "{terms:?}");
    assert!(terms[3].starts_with("Not { term: Permutation("), "{terms:?}");
}
