use proptest::prelude::*;

use super::*;
use crate::lang::{
    diag::{FileDiagnostic, Style, line_and_column, render},
    span::Span,
};

/// The rule file of the design, word for word.
const DESIGN: &str = r#"groups:
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
      - stream: cells                     # a derived stream, no alert
        expr: |
          FROM orders, drivers
          PARTITION BY h3(position, 8)
          WINDOW TUMBLING 5 min JITTER 100% BY parent(h3(position, 8), 4)
          MEASURES count(orders) AS demand, count(drivers) AS supply
      - stream: surge
        expr: |
          FROM cells
          CLUSTER BY cell WHERE demand >= 20 AND demand > 2 * supply
          MIN CELLS 3 REACH 1 EXPIRE 15 min
          MEASURES sum(demand) AS demand, sum(supply) AS supply
      - alert: SurgeSpreading
        expr: |
          FROM surge
          PARTITION BY region
          PATTERN start -> grow{3,}
          WITHIN 30 min
          DEFINE start AS transition = 'emerged',
                 grow  AS grew AND area > 1.2 * prev(area)
"#;

/// What a person sees of a file: its own mistakes, then those of its expressions.
fn shown(text: &str) -> String {
    let (file, mut diagnostics) = RuleFile::parse("rules.yaml", text);
    if let Some(file) = &file {
        diagnostics.extend(file.rules.iter().flat_map(|rule| rule.query().1));
    }
    let all: Vec<String> = diagnostics.iter().map(|d| render(d, "rules.yaml", text, Style::Plain)).collect();
    all.join("\n\n")
}

fn read(text: &str) -> RuleFile {
    let (file, diagnostics) = RuleFile::parse("rules.yaml", text);
    assert!(diagnostics.is_empty(), "{text}\n{diagnostics:#?}");
    file.expect("a file where there is no diagnostic")
}

/// A file with one rule whose `expr` is written in some way.
fn with_expr(expr: &str) -> String {
    format!("groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: {expr}\n        labels: {{a: b}}\n")
}

#[test]
fn the_file_of_the_design_is_read() {
    let file = read(DESIGN);
    let names: Vec<&str> = file.rules.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["QueueAbandoned", "cells", "surge", "SurgeSpreading"]);
    assert_eq!(file.rules[0].kind, RuleKind::Alert);
    assert_eq!(file.rules[1].kind, RuleKind::Stream);
    assert_eq!(file.rules[2].group, "marketplace");
    assert_eq!(file.rules[0].labels["severity"], "warning");
    let placeholders: Vec<&str> = file.rules[0].annotations["summary"]
        .parts
        .iter()
        .filter_map(|p| match p {
            TemplatePart::Placeholder { range, .. } => Some(&DESIGN[range.clone()]),
            TemplatePart::Text(_) => None,
        })
        .collect();
    assert_eq!(placeholders, ["key", "airport", "waited"]);
    for rule in &file.rules {
        let (query, diagnostics) = rule.query();
        assert!(query.is_some() && diagnostics.is_empty(), "{}: {diagnostics:#?}", rule.name);
        assert_eq!(&DESIGN[rule.name_range.clone()], rule.name);
    }
}

#[test]
fn every_word_of_an_expression_has_its_place_in_the_file() {
    for text in [
        DESIGN.to_owned(),
        DESIGN.replace('\n', "\r\n"),
        with_expr("|2\n          FROM p\n\n          WHERE a = 'é' AND b -- c\n\n"),
        with_expr("|- # comment\n\n         FROM p\n\t\n         WHERE a"),
        with_expr("|+\n         FROM p\n\n\n"),
        with_expr("FROM p WHERE a = 1 # not of it"),
        with_expr("'FROM p WHERE a = ''b'' AND c'"),
        with_expr("\"FROM p WHERE a = \\\"b\\\" AND c\""),
        with_expr("&x FROM p"),
        "groups: [{name: g, rules: [{alert: A, expr: \"FROM p\"}, {stream: b, expr: FROM q}]}]".to_owned(),
        "# c\ngroups:\n- rules:\n  - expr: |\n     FROM p\n     WHERE x\n    alert: A\n  - alert: B\n    expr: FROM p\n  name: g\n"
            .to_owned(),
    ] {
        // A tab on an otherwise empty line is no blank line to YAML.
        let text = text.replace("\n\t\n", "\n         \t\n");
        for rule in read(&text).rules {
            let mut at = 0;
            for word in rule.expr.split([' ', '\n', '\t', '"', '\'']) {
                let range = rule.expr_map.locate_range(at..at + word.len());
                assert_eq!(&text[range], word, "{text}");
                at += word.len() + 1;
            }
        }
    }
}

#[test]
fn line_and_column_are_those_of_the_yaml_file() {
    let file = read(DESIGN);
    let rule = &file.rules[0];
    let at = rule.expr.find("speed").unwrap() as u32;
    let (line, column) = rule.line_and_column(Span::new(at, at + 5), DESIGN);
    assert_eq!((line, column), (12, 22));
    assert_eq!(DESIGN.lines().nth(line - 1).unwrap().find("speed"), Some(column - 1));
    assert_eq!(line_and_column("é\nab", 99), (2, 3));
}

#[test]
fn rules_beside_a_bad_one_are_still_there() {
    let text = DESIGN.replace("stream: surge", "strem: surge");
    let (file, diagnostics) = RuleFile::parse("rules.yaml", &text);
    assert_eq!(file.expect("a file").rules.len(), 3);
    assert_eq!(diagnostics.iter().map(|d| d.code.text()).collect::<Vec<_>>(), ["E0603"]);
}

/// Every kind of mistake once, with what a person reads. Update with `INSTA_UPDATE=always`, and read them.
#[test]
fn diagnostics_are_as_recorded() {
    let rule = |lines: &str| format!("groups:\n  - name: g\n    rules:\n{lines}");
    let cases: &[(&str, String)] = &[
        ("not_yaml", "groups:\n  - name: g\n   rules: []\n".into()),
        ("tab", "groups:\n\t- name: g\n".into()),
        ("empty_file", "# nothing\n".into()),
        ("a_list", "- name: g\n".into()),
        ("empty_lists", "groups:\n  - name: g\n    rules: []\n  - name: h\n    rules:\n".into()),
        ("no_groups", "groups: []\n".into()),
        (
            "unknown_keys",
            rule("      - alert: A\n        exprs: x\n        interval: 5\n        labls: {}\n        record: x\n"),
        ),
        (
            "unknown_top_keys",
            "group:\n  - name: g\ngroups:\n  - nam: g\n    rules: [{alert: A, expr: FROM p, labels: {a: 1}}]\n".into(),
        ),
        ("key_twice", rule("      - alert: A\n        expr: FROM p\n        expr: FROM q\n")),
        ("missing", "groups:\n  - rules:\n      - alert: A\n".into()),
        (
            "bad_names",
            rule(
                "      - alert: A B\n        expr: FROM p\n      - stream: 5\n        expr: FROM p\n      - stream: ''\n        expr: FROM p\n",
            ),
        ),
        (
            "twice",
            rule(
                "      - alert: A\n        expr: FROM p\n      - stream: A\n        expr: FROM p\n  - name: g\n    rules: [{alert: B, expr: FROM p}]\n",
            ),
        ),
        ("alert_and_stream", rule("      - alert: A\n        stream: b\n        expr: FROM p\n      - expr: FROM p\n")),
        ("folded", rule("      - alert: A\n        expr: >\n          FROM p\n          WHERE x\n")),
        (
            "lost",
            rule(
                "      - alert: A\n        expr: FROM p\n          WHERE x\n      - alert: B\n        expr: \"FROM p \\x41\"\n      - alert: C\n        expr: &c FROM p\n      - alert: D\n        expr: *c\n",
            ),
        ),
        (
            "templates",
            rule(
                "      - alert: A\n        expr: FROM p\n        annotations:\n          a: \"{{ x\"\n          b: 'it''s {{ x | upper }}'\n          c: |\n            one\n            {{ }} two }}\n          d: >\n            {{ a b }}\n",
            ),
        ),
        (
            "later_keys",
            rule(
                "      - alert: A\n        expr: FROM p\n        for: 5 min\n        mode: shadow\n        limits: {runs: 5}\n      - alert: B\n        expr: FROM p\n        mode: on\n      - alert: C\n        expr: FROM p\n        mode: active\n      - stream: d\n        expr: FROM p\n        mode: shadow\n      - stream: e\n        expr: FROM p\n        mode: off\n",
            ),
        ),
        (
            "shapes",
            rule(
                "      - alert: A\n        expr: [FROM, p]\n        labels: x\n        annotations: {a: [1]}\n      - just a text\n",
            ),
        ),
        (
            "in_a_block",
            rule(
                "      - alert: A\n        # a comment\n        expr: |\n\n          FROM p\n          WHERE spëëd = 5 AND\n          DEFINE a AS x,\n            b AS (y\n        labels: {a: b}\n",
            ),
        ),
        ("in_quotes", rule("      - {alert: A, expr: 'FROM p WHERE a = ''b'' AND'}\n")),
    ];
    for (name, text) in cases {
        let shown = shown(text);
        assert!(!shown.is_empty(), "{name} is read without complaint");
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(*name, shown);
        });
    }
}

fn check_any(text: &str) {
    let (file, diagnostics) = RuleFile::parse("rules.yaml", text);
    let check = |d: &FileDiagnostic| {
        assert!(d.range.start <= d.range.end && d.range.end <= text.len(), "{text}: {d:?}");
        assert!(render(d, "rules.yaml", text, Style::Coloured).contains("rules.yaml"));
    };
    diagnostics.iter().for_each(check);
    for rule in file.into_iter().flat_map(|f| f.rules) {
        rule.query().1.iter().for_each(check);
        // A place that is claimed is the right one.
        for (at, c) in rule.expr.char_indices().filter(|(_, c)| c.is_alphanumeric()) {
            let range = rule.expr_map.locate_range(at..at + c.len_utf8());
            assert_eq!(text.get(range), Some(c.to_string().as_str()), "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_answered_without_panic(text in any::<String>()) {
        check_any(&text);
    }

    #[test]
    fn yaml_signs_in_any_order_are_answered_without_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "groups:", "\n", "\n  ", "\n    ", "- ", "name: ", "rules:", "alert: A", "expr: ", "|", ">", "'", "\"", "{", "}",
            "[", "]", ",", ": ", "# c", "&a ", "*a", "FROM p", "\t", "\r\n", "é", "\\", "{{ ", "labels:", "|2\n", "---\n",
        ]), 0..40),
    ) {
        check_any(&words.concat());
    }

    #[test]
    fn a_fine_file_with_slips_is_answered_without_panic(
        slips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3_u8), 1..5),
    ) {
        let mut text = DESIGN.to_owned();
        for (at, other, kind) in slips {
            let at = text.floor_char_boundary(at.index(text.len() + 1));
            match kind {
                0 => text.insert_str(at, [" ", "\n", "\t", "'", "\"", "{", "#", ": ", "- ", "é", "|", "\r"][other.index(12)]),
                1 if at < text.len() => { text.remove(at); }
                _ => {
                    let end = text.floor_char_boundary((at + other.index(30)).min(text.len()));
                    text.replace_range(at..end.max(at), "");
                }
            }
        }
        check_any(&text);
    }
}
