//! Rule texts in, plans out.

use super::{Catalog, Checked, FenceSetInfo, check};
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
pub(crate) fn catalog() -> Catalog {
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
        open: false,
    }
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

fn messages_of(expr: &str) -> String {
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
                pattern.within_ms, pattern.skip, pattern.clock, pattern.on_timeout
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
fn one() {
    let e = std::env::var("RULE").unwrap_or_else(|_| "FROM pings WHERE sped > 5".to_owned());
    let (checked, messages) = run(&one_rule(&e), &catalog());
    println!("{messages}");
    if let Some(plan) = checked.plan {
        println!("{}", show(&plan));
    }
}
