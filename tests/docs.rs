//! The documentation says what the code does: its examples check, its tables are those of the code.
//!
//! Blocks of `docs/language.md`, `docs/flink.md` and `README.md`:
//!
//! | block | what must hold |
//! | --- | --- |
//! | `yaml` that begins with `groups:` | a rule file without a complaint |
//! | `yaml` with `sources:` at the start of a line | a configuration that can be read; the language page's is that of its examples |
//! | `sql` | one rule's expression, without a complaint |
//! | `sql warns` | an expression that can run, with a warning |
//! | `sql wrong` | an expression that is refused |
//! | `sql unsupported` | expressions, blank lines between them, each refused as not supported yet |
//!
//! Tables between `<!-- begin x -->` and `<!-- end x -->` are made from the code: `UPDATE_GOLDEN=1` writes them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use geocep::{
    engine::{AtEnd, Inline, Options},
    expr::{
        World,
        func::{self, Param, Returns},
    },
    lang::{
        check::{self, Catalog, FenceSetInfo, TableInfo, check},
        diag::{FileDiagnostic, Style},
        file::RuleFile,
    },
    model::{Dimension, TIME_UNITS, Type, Unit, Value, format_duration},
    plan::{Plan, RegionField},
    runtime::{
        config::Config,
        project::Project,
        session::{Letters, Lines, Session},
    },
    wire::{Chunk, Format},
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

const LANGUAGE: &str = include_str!("../docs/language.md");
const README: &str = include_str!("../README.md");
const FLINK: &str = include_str!("../docs/flink.md");

fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A block between fences: its words after the back-ticks, its line, its text.
struct Block<'t> {
    info: &'t str,
    line: usize,
    text: String,
}

fn blocks(document: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (at, line) in document.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(info), None) => open = Some(Block { info, line: at + 1, text: String::new() }),
            (Some(_), Some(block)) => found.push(block),
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is never closed");
    found
}

fn config_of(text: &str) -> Config {
    let variable = |_: &str| Some("value".to_owned());
    Config::parse(text, Path::new(""), &[], &variable).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The configuration of the language page's examples, with the properties that its fence files would have.
fn catalog() -> Catalog {
    let block = blocks(LANGUAGE).into_iter().find(|block| block.info == "yaml" && block.text.starts_with("sources:"));
    let config = config_of(&block.expect("the page shows its configuration").text);
    let properties = |name: &str| match name {
        "zones" => vec![("speed_limit".to_owned(), Type::Float), ("name".to_owned(), Type::Text)],
        _ => vec![("name".to_owned(), Type::Text)],
    };
    let sets = config.geofences.keys();
    let sets = sets.map(|name| FenceSetInfo { name: name.clone(), properties: properties(name), open: false });
    let columns = |name: &str| match name {
        "vehicles" => vec![("id", Type::Text), ("capacity", Type::Int), ("depot", Type::Point)],
        _ => vec![("vehicle", Type::Text), ("driver", Type::Text), ("since", Type::Time)],
    };
    let tables = config.tables.iter().map(|(name, table)| TableInfo {
        name: name.clone(),
        columns: columns(name).into_iter().map(|(column, ty)| (column.to_owned(), ty)).collect(),
        key: table.spec.key.clone(),
    });
    Catalog {
        sources: config.sources.iter().map(|(name, source)| (name.clone(), source.schema.catalog())).collect(),
        fence_sets: Some(sets.collect()),
        tables: Some(tables.collect()),
        ..Catalog::default()
    }
}

/// The plan of a rule file, if it has one, and what is said of it.
fn checked(text: &str) -> (Option<Plan>, Vec<(bool, String)>) {
    let (file, mut said) = RuleFile::parse("example.yaml", text);
    let Some(file) = file else { return (None, vec![(true, "no rule file".to_owned())]) };
    let checked = check(std::slice::from_ref(&file), &catalog());
    said.extend(checked.diagnostics.into_iter().map(|finding| finding.diagnostic));
    let render = |diagnostic: &FileDiagnostic| (diagnostic.is_error(), file.render(diagnostic, Style::Plain));
    let plan = checked.plan.filter(|_| said.iter().all(|diagnostic| !diagnostic.is_error()));
    (plan, said.iter().map(render).collect())
}

fn rule_file(expr: &str) -> String {
    let lines: String = expr.lines().map(|line| format!("          {line}\n")).collect();
    format!("groups:\n  - name: g\n    rules:\n      - alert: Example\n        expr: |\n{lines}")
}

fn said(all: &[(bool, String)]) -> String {
    all.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n\n")
}

fn unless(holds: bool, complaint: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(complaint()) }
}

fn hold_to_its_word(document: &str, block: &Block<'_>) -> Result<(), String> {
    let place = format!("{document}, line {}", block.line);
    let (plan, complaints) = match block.info {
        "yaml" if block.text.lines().any(|line| line.starts_with("sources:")) => {
            drop(config_of(&block.text));
            return Ok(());
        }
        "yaml" => checked(&block.text),
        "text" | "sh" | "json" | "" => return Ok(()),
        _ => checked(&rule_file(&block.text)),
    };
    let refused = |text: &str| text.contains("not supported yet");
    match block.info {
        "yaml" | "sql" => unless(plan.is_some() && complaints.is_empty(), || format!("{place}\n{}", said(&complaints))),
        "sql warns" => unless(plan.is_some() && !complaints.is_empty(), || format!("{place}\n{}", said(&complaints))),
        "sql wrong" => {
            unless(plan.is_none(), || format!("{place} is no longer refused"))?;
            unless(!refused(&said(&complaints)), || format!("{place}\n{}", said(&complaints)))
        }
        "sql unsupported" => {
            let mut wrong = Vec::new();
            for expr in block.text.split("\n\n") {
                let (plan, complaints) = checked(&rule_file(expr));
                let errors: Vec<_> = complaints.iter().filter(|(error, _)| *error).collect();
                if plan.is_some() || errors.is_empty() || !errors.iter().all(|(_, text)| refused(text)) {
                    wrong.push(format!(
                        "{place}: `{}` isn't refused for this alone\n{}",
                        expr.trim(),
                        said(&complaints)
                    ));
                }
            }
            unless(wrong.is_empty(), || wrong.join("\n\n"))
        }
        other => Err(format!("{place}: nobody looks at a block of kind `{other}`")),
    }
}

fn hold_all(document: &str, blocks: &[Block<'_>]) {
    let wrong: Vec<String> = blocks.iter().filter_map(|block| hold_to_its_word(document, block).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn examples_of_the_language_page_do_what_is_said_of_them() {
    let all = blocks(LANGUAGE);
    assert!(all.iter().filter(|block| block.info == "sql").count() >= 12, "the page has lost its examples");
    hold_all("docs/language.md", &all);
}

#[test]
fn examples_of_the_page_for_flinks_users_check() {
    hold_all("docs/flink.md", &blocks(FLINK));
}

#[test]
fn examples_of_the_readme_check() {
    hold_all("README.md", &blocks(README));
}

/// The constant that an expression is.
fn constant(expr: &str) -> Value {
    let text = rule_file(&format!("FROM pings MEASURES {expr} AS result"));
    let (plan, complaints) = checked(&text);
    let plan = plan.unwrap_or_else(|| panic!("{}", said(&complaints)));
    let output = plan.rules[0].outputs.iter().find(|output| output.name == "result").expect("a measure is an output");
    output.exprs[0].as_const().unwrap_or_else(|| panic!("`{expr}` is no constant")).clone()
}

#[test]
fn every_functions_example_gives_what_it_says() {
    for function in func::all() {
        let (call, result) = function.example;
        assert!(call.contains(function.name), "{} has an example of something else", function.name);
        let (given, expected) = (constant(call), constant(result));
        let same = match (given.number(), expected.number()) {
            (Some(given), Some(expected)) => given == expected,
            _ => given == expected,
        };
        assert!(same, "{call} gives {given:?}, not {expected:?}");
        assert!(!given.is_null() || result == "NULL", "{call} gives null");
    }
}

/// Rows of `| name | example | …`, whose first cell is a call of the function.
fn calls(table: &str) -> Vec<String> {
    let text = between(LANGUAGE, table);
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.split('`').nth(1).expect("a row begins with its call").to_owned()).collect()
}

#[test]
fn functions_that_look_around_are_all_listed_and_check() {
    let listed = calls("around");
    for name in check::CONTEXT_FUNCTIONS {
        assert!(listed.iter().any(|call| call.starts_with(&format!("{name}("))), "`{name}` is not in the table");
    }
    for call in &listed {
        let text = rule_file(&format!("FROM pings PARTITION BY vehicle MEASURES {call} AS result"));
        let (plan, complaints) = checked(&text);
        assert!(plan.is_some(), "{}", said(&complaints));
    }
}

#[test]
fn aggregates_are_all_listed_and_check_over_windows_and_variables() {
    let (both, over_windows) = (calls("aggregates"), calls("window_aggregates"));
    let listed: Vec<&String> = both.iter().chain(&over_windows).collect();
    for (name, kind) in check::AGGREGATES {
        let row = listed.iter().any(|call| call.starts_with(&format!("{name}(")));
        assert_eq!(row, kind.is_some(), "`{name}` in the table of aggregates");
    }
    let over_window =
        |call: &str| format!("FROM pings PARTITION BY vehicle WINDOW TUMBLING 1 h MEASURES {call} AS result");
    for call in over_windows {
        let (plan, complaints) = checked(&rule_file(&over_window(&call)));
        assert!(plan.is_some(), "{}", said(&complaints));
    }
    for call in &both {
        let over_window = over_window(call);
        let of_variable = call.replace("(speed", "(v.speed").replace("(*", "(v").replace("(position", "(v.position");
        let of_variable = of_variable.replace("DISTINCT status", "DISTINCT v.status").replace("(status", "(v.status");
        let over_variable = format!(
            "FROM pings PARTITION BY vehicle PATTERN v+ -> w WITHIN 1 h\n\
             DEFINE v AS speed > 1 km/h, w AS speed = 0 km/h MEASURES {of_variable} AS result"
        );
        for expr in [over_window, over_variable] {
            let (plan, complaints) = checked(&rule_file(&expr));
            assert!(plan.is_some(), "{}", said(&complaints));
        }
    }
}

fn between<'t>(document: &'t str, name: &str) -> &'t str {
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let from = document.find(&begin).unwrap_or_else(|| panic!("no marker {begin}")) + begin.len();
    let to = document[from..].find(&end).unwrap_or_else(|| panic!("no marker {end}")) + from;
    &document[from..to]
}

fn hold_table(name: &str, made: &str) {
    hold_table_of("docs/language.md", LANGUAGE, name, made);
}

fn hold_table_of(file: &str, text: &str, name: &str, made: &str) {
    let path = root(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        // Read again: the tests of both tables may write.
        let document = fs::read_to_string(&path).unwrap();
        let written = between(&document, name);
        if written != made {
            let start = written.as_ptr() as usize - document.as_ptr() as usize;
            let new = format!("{}{made}{}", &document[..start], &document[start + written.len()..]);
            fs::write(&path, new).unwrap();
        }
        return;
    }
    assert_eq!(between(text, name), made, "the table `{name}`; UPDATE_GOLDEN=1 cargo test --test docs writes it");
}

fn type_name(ty: Type) -> String {
    ty.to_string()
}

#[test]
fn the_tables_are_those_of_the_code() {
    let mut functions = "| function | gives | what it does | example |\n| --- | --- | --- | --- |\n".to_owned();
    for function in func::all() {
        let first_optional = function.params.len() - function.optional;
        let params = function.params.iter().enumerate().map(|(at, param)| {
            let name = match param {
                Param::Is(ty) => type_name(*ty),
                Param::Number => "number".to_owned(),
                Param::Same => "any".to_owned(),
            };
            if at >= first_optional { format!("[{name}]") } else { name }
        });
        let mut params: Vec<String> = params.collect();
        if function.variadic {
            params.push("…".to_owned());
        }
        let gives = match function.returns {
            Returns::Is(ty) => type_name(ty),
            Returns::LikeFirst => "as its first argument".to_owned(),
        };
        let (call, result) = function.example;
        let name = function.name;
        let doc = function.doc;
        functions.push_str(&format!("| `{name}({})` | {gives} | {doc} | `{call}` = `{result}` |\n", params.join(", ")));
    }
    hold_table("functions", &functions);

    let mut fields = "| field | type | what |\n| --- | --- | --- |\n".to_owned();
    for field in RegionField::ALL {
        fields.push_str(&format!("| `{}` | {} | {} |\n", field.name(), type_name(field.ty()), field.doc()));
    }
    hold_table("region", &fields);

    let mut units = "| kind | units |\n| --- | --- |\n".to_owned();
    let spans = TIME_UNITS.iter().map(|(symbol, span_ms)| match *symbol {
        "ms" | "s" => format!("`{symbol}`"),
        _ => format!("`{symbol}` ({})", if *symbol == "w" { "7 d".to_owned() } else { smaller(*span_ms) }),
    });
    units.push_str(&format!("| duration | {} |\n", spans.collect::<Vec<_>>().join(", ")));
    for dimension in [Dimension::Length, Dimension::Speed, Dimension::Angle, Dimension::Area] {
        let all = Unit::ALL.iter().filter(|unit| unit.dimension() == dimension);
        let all: Vec<String> = all.map(|unit| format!("`{}`", unit.symbol())).collect();
        units.push_str(&format!("| {} | {} |\n", dimension.name(), all.join(", ")));
    }
    hold_table("units", &units);
}

/// A unit of time in the next smaller one.
fn smaller(span_ms: i64) -> String {
    match span_ms {
        60_000 => "60 s".to_owned(),
        3_600_000 => "60 min".to_owned(),
        86_400_000 => "24 h".to_owned(),
        other => format_duration(other),
    }
}

/// Runs a pattern over events such as `a1 b2:7`: kind, time in seconds, and x. Each variable takes the events of its name.
fn alerts_of(pattern: &str, measures: &str, events: &str) -> Vec<serde_json::Value> {
    let mut names: Vec<char> = Vec::new();
    // Words of the language are upper-case in the table; what is left are variables and units of time.
    let steps = pattern.replace("(kind = 'u')", "");
    let letters: Vec<char> = steps.chars().collect();
    for (at, &name) in letters.iter().enumerate().filter(|(_, name)| name.is_ascii_lowercase()) {
        let unit = at >= 2 && letters[at - 1] == ' ' && letters[at - 2].is_ascii_digit();
        if !unit && !names.contains(&name) {
            names.push(name);
        }
    }
    let defined: Vec<String> = names.iter().map(|name| format!("{name} AS kind = '{name}'")).collect();
    let bounded = pattern.rsplit_once(" WITHIN ").is_some_and(|(_, rest)| !rest.contains("->") && !rest.contains("OF"));
    let within = if bounded { "" } else { "WITHIN UNBOUNDED" };
    let measures = if measures.is_empty() { String::new() } else { format!("MEASURES {measures}") };
    let expr = format!("FROM e PARTITION BY k PATTERN {pattern} {within} DEFINE {} {measures}", defined.join(", "));
    let fields = "n: string, k: string, kind: string, x: int";
    let schema =
        format!("sources: {{ e: {{ schema: {{ id: n, position: none, fields: {{ {fields} }} }}, file: e }} }}");
    let config = config_of(&schema);
    let schema = config.sources["e"].schema.clone();
    let (file, _) = RuleFile::parse("example.yaml", &rule_file(&expr));
    let file = file.expect("a rule file");
    let catalog = Catalog { sources: vec![("e".to_owned(), schema.catalog())], ..Catalog::default() };
    let checked = check(std::slice::from_ref(&file), &catalog);
    let plan = checked.plan.unwrap_or_else(|| {
        let all: Vec<_> = checked.diagnostics.iter().map(|f| file.render(&f.diagnostic, Style::Plain)).collect();
        panic!("{}", all.join("\n"))
    });
    let world = Arc::new(World::new(Vec::new()));
    let project = Project {
        config: Config::embedded(),
        plan: Arc::new(plan),
        world,
        table_stamps: Default::default(),
        warnings: Vec::new(),
    };
    let mut session = Session::new(&project, Options::default(), Box::new(Inline)).unwrap();
    let lane = session.add_partition("e", &schema, Format::Ndjson, 0, 0).unwrap();
    let mut chunk = Chunk::new();
    for (at, event) in events.split_whitespace().enumerate() {
        let (kind, rest) = event.split_at(1);
        let (second, x) = rest.split_once(':').unwrap_or((rest, "null"));
        let fields = format!(r#""n":"{kind}{second}","k":"k","kind":"{kind}","x":{x}"#);
        let record = format!(r#"{{{fields},"time":"1970-01-01T00:00:{second:0>2}Z"}}"#);
        chunk.push(0, at as u64, record.as_bytes(), 1_000);
    }
    let (mut lines, mut letters) = (Lines::default(), Letters::default());
    session.push(lane, &chunk, &mut letters);
    assert!(letters.dead.is_empty(), "{}", letters.samples.join("\n"));
    session.finish(AtEnd::Drain, &mut lines);
    let text = String::from_utf8(lines.bytes).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The matches of a pattern.
fn matches_of(pattern: &str, events: &str) -> String {
    let mut found = Vec::new();
    for alert in alerts_of(pattern, "", events) {
        let properties = &alert["properties"];
        let taken = properties["events"].as_array().unwrap().iter();
        let mut taken: Vec<String> = taken.map(|event| event["id"].as_str().unwrap().to_owned()).collect();
        let end = &properties["end"].as_str().unwrap()["1970-01-01T00:00:".len()..];
        let end = end.trim_end_matches('Z').trim_start_matches('0');
        if taken.last().is_none_or(|last| &last[1..] != end) {
            taken.push(format!("(at {end})"));
        }
        if properties["status"] == "timed_out" {
            taken.push("timed out".to_owned());
        }
        found.push(taken.join(" "));
    }
    if found.is_empty() { "none".to_owned() } else { found.join("; ") }
}

/// The measures of a pattern's outputs.
fn outputs_of(pattern: &str, measures: &str, events: &str) -> String {
    let outputs = alerts_of(pattern, measures, events).into_iter().map(|alert| {
        let measures = alert["properties"]["measures"].as_object().unwrap().clone();
        let measures = measures.into_iter().map(|(name, value)| match value {
            serde_json::Value::String(text) => format!("{name} {text}"),
            value => format!("{name} {value}"),
        });
        measures.collect::<Vec<_>>().join(", ")
    });
    let outputs: Vec<String> = outputs.collect();
    if outputs.is_empty() { "none".to_owned() } else { outputs.join("; ") }
}

#[test]
fn tables_of_measures_are_what_outputs_say() {
    let mut made = String::new();
    for line in between(LANGUAGE, "measures").lines() {
        let cells: Vec<&str> = line.split('`').collect();
        match cells.as_slice() {
            [_, pattern, _, measures, _, events, _] => {
                let found = outputs_of(&pattern.replace("\\|", "|"), measures, events);
                made.push_str(&format!("| `{pattern}` | `{measures}` | `{events}` | {found} |\n"));
            }
            _ => made.push_str(&format!("{line}\n")),
        }
    }
    hold_table("measures", &made);
}

#[test]
fn tables_of_matches_are_what_the_matcher_gives() {
    let tables = ["operators", "loops", "absences", "skips"].map(|table| ("docs/language.md", LANGUAGE, table));
    for (file, text, table) in tables.into_iter().chain([("docs/flink.md", FLINK, "differs")]) {
        let mut made = String::new();
        for line in between(text, table).lines() {
            let cells: Vec<&str> = line.split('`').collect();
            match cells.as_slice() {
                [start, pattern, middle, events, _] if start.starts_with('|') => {
                    let found = matches_of(&pattern.replace("\\|", "|"), events);
                    made.push_str(&format!("{start}`{pattern}`{middle}`{events}` | {found} |\n"));
                }
                _ => made.push_str(&format!("{line}\n")),
            }
        }
        hold_table_of(file, text, table, &made);
    }
}

#[test]
fn the_instructions_in_the_page_on_performance_are_those_that_are_held() {
    let stored: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(root("benches/instructions.json")).unwrap()).unwrap();
    let stored = stored["instructions"].as_object().unwrap();
    let page = fs::read_to_string(root("docs/performance.md")).unwrap();
    let (mut made, mut told) = (String::new(), 0);
    for line in between(&page, "instructions").lines() {
        let case = line.trim_start_matches("| ").split_once(": ").map(|(name, _)| name);
        let count = case.and_then(|name| stored.get(name)).and_then(serde_json::Value::as_u64);
        // The heading has no case.
        match (count, line.rsplitn(3, '|').nth(2)) {
            (Some(count), Some(before)) => {
                let count =
                    if count < 1_000 { count.to_string() } else { format!("{},{:03}", count / 1_000, count % 1_000) };
                made.push_str(&format!("{before}| {count} |\n"));
                told += 1;
            }
            _ => made.push_str(&format!("{line}\n")),
        }
    }
    assert_eq!(told, stored.len(), "each case of benches/instructions.json is in the table");
    hold_table_of("docs/performance.md", &page, "instructions", &made);
}
