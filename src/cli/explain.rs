//! `geocep explain`: what rules mean. The plan of each rule, its automaton, and where its alerts come from.

use super::options::{ConfigOptions, fail, print, say, warn};
use crate::{
    engine::{Engine, Inline, Options},
    expr::{Expr, Node},
    model::StreamId,
    plan::{Body, OutputField, Plan, RegionField, Role, Rule, RuleKind, StreamOrigin, TablePlan},
    runtime::project::{Loaded, Project, ProjectError},
};
use clap::Args;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::PathBuf,
    sync::Arc,
};

/// Arguments of `geocep explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Rule files or directories [default: those of the configuration]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigOptions,
    /// Print Graphviz graphs: the streams, then the automaton of each pattern
    #[arg(long)]
    dot: bool,
    /// Draw what each transition of a region means as SVG files, and read no rules
    #[arg(long, value_name = "DIR", conflicts_with_all = ["rules", "dot"])]
    transitions: Option<PathBuf>,
}

/// Explains rule files.
pub(super) fn run(args: &ExplainArgs) -> u8 {
    if let Some(dir) = &args.transitions {
        return match super::transitions::write(dir) {
            Ok(()) => 0,
            Err(error) => fail(&error, 1),
        };
    }
    let loaded = Loaded::read(&args.config.request(&args.rules));
    let project = match loaded.and_then(|loaded| loaded.check(&BTreeMap::new(), true)) {
        Ok(project) => project,
        Err(ProjectError::Rules { rendered, .. }) => {
            say(format_args!("{}", rendered.trim_end()));
            return 1;
        }
        Err(error) => return fail(&error, error.exit_code()),
    };
    warn(&project);
    let (plan, world) = (Arc::clone(&project.plan), Arc::clone(&project.world));
    let engine = match Engine::new(plan, world, Options::default(), Box::new(Inline)) {
        Ok(engine) => engine,
        Err(error) => return fail(&error, 1),
    };
    print(&if args.dot { dot(&project.plan, &engine) } else { text(&project, &engine) });
    0
}

fn text(project: &Project, engine: &Engine) -> String {
    let mut text = String::new();
    for (ix, rule) in project.plan.rules.iter().enumerate() {
        // Writing to a string can't fail.
        let _ = explain_rule(&mut text, &project.plan, rule, ix, engine);
    }
    text
}

fn explain_rule(text: &mut String, plan: &Plan, rule: &Rule, ix: usize, engine: &Engine) -> std::fmt::Result {
    let kind = if rule.kind == RuleKind::Alert { "alert" } else { "stream" };
    writeln!(text, "{kind} {} (group {}, version {})", rule.name, rule.group, rule.version)?;
    for line in rule.canonical.lines() {
        writeln!(text, "  | {line}")?;
    }
    for (at, input) in rule.inputs.iter().enumerate() {
        let Some(stream) = plan.streams.get(input.stream.0 as usize) else { continue };
        let fields: Vec<String> = stream
            .schema
            .fields
            .iter()
            .enumerate()
            .map(|(at, field)| format!("${at} {}: {}", field.name, field.ty))
            .collect();
        let back = rule.back.as_ref().filter(|back| back.inputs.iter().any(|input| usize::from(*input) == at));
        let origin = match (stream.origin, back) {
            (StreamOrigin::Source, _) => "source".to_owned(),
            (StreamOrigin::Rule(_), None) => "rule".to_owned(),
            (StreamOrigin::Rule(_), Some(back)) => {
                format!("rule, fed back in at most {} hops of an instant", back.hops)
            }
        };
        writeln!(text, "  reads {} ({origin}) {}", stream.name, fields.join(", "))?;
        let kept = match rule.looks_back() {
            0 | 1 => "kept for the next event".to_owned(),
            depth => format!("kept of the last {depth} events"),
        };
        for (what, exprs) in [
            ("before", input.before.as_slice()),
            ("shared", &input.computed),
            ("key", &input.key),
            ("after", input.after.as_slice()),
            (&kept, &input.prev),
            ("order within an instant", rule.order.get(at).map(Vec::as_slice).unwrap_or_default()),
        ] {
            if !exprs.is_empty() {
                let exprs: Vec<String> = exprs.iter().map(ToString::to_string).collect();
                writeln!(text, "    {what}: {}", exprs.join(" ; "))?;
            }
        }
        let reached = engine.reached(ix as u32, at as u32).unwrap_or_default();
        writeln!(text, "    {}", reach(reached, &stream.name))?;
    }
    if let Some(part) = rule.follow.as_ref().and_then(|follow| rule.key.get(usize::from(follow.part))) {
        writeln!(
            text,
            "  follows {}: what is open of one goes on where it was absorbed, and in what was split off",
            part.name
        )?;
    }
    if let Some(through) = &rule.through {
        let set = plan.fence_sets.get(usize::from(through.set)).map_or("?", String::as_str);
        writeln!(text, "  through {set}: one event per fence concerned")?;
    }
    for table in tables(rule) {
        let Some(TablePlan { name, columns }) = plan.tables.get(usize::from(table)) else { continue };
        let columns: Vec<String> = columns.iter().enumerate().map(|(at, name)| format!("column {at} {name}")).collect();
        writeln!(text, "  looks up {name} (table.{table}) {}", columns.join(", "))?;
    }
    if rule.unnest.is_some() {
        writeln!(text, "  unnest: one output for each element of a list")?;
    }
    match rule.once.map(|once| once.every_ms) {
        Some(Some(every_ms)) => writeln!(text, "  once: the first output of each key, and again after {every_ms} ms")?,
        Some(None) => writeln!(text, "  once: the first output of each key; every key that had one is remembered")?,
        None => {}
    }
    let key: Vec<String> = rule.key.iter().map(|part| format!("{}: {}", part.name, part.ty)).collect();
    writeln!(text, "  partitions: {}", if key.is_empty() { "one".to_owned() } else { key.join(", ") })?;
    if let Body::Pattern(pattern) = &rule.body {
        for (at, variable) in pattern.variables.iter().enumerate() {
            for condition in variable.conditions.iter().flatten() {
                writeln!(text, "  v{at} {} when {condition}", variable.name)?;
            }
        }
    }
    if let Some((class, why)) = engine.class(ix as u32) {
        writeln!(text, "  work per event: {class}: {why}")?;
    }
    if let Some((words, _)) = engine.explain(ix as u32) {
        for line in words.lines() {
            writeln!(text, "  {line}")?;
        }
    }
    if let Some(having) = &rule.having {
        writeln!(text, "  having {having}")?;
    }
    let says = |field: &OutputField| {
        let as_it_is = field.exprs.first().is_some_and(|expr| expr.to_string().starts_with("region."));
        as_it_is && RegionField::named(&field.name).is_some()
    };
    let of_region: Vec<&str> =
        rule.outputs.iter().filter(|field| says(field)).map(|field| field.name.as_str()).collect();
    if !of_region.is_empty() {
        writeln!(text, "  says of each region: {}", of_region.join(", "))?;
    }
    for field in rule.outputs.iter().filter(|field| field.role == Role::Measure && !says(field)) {
        let expr = field.exprs.first().map(ToString::to_string).unwrap_or_default();
        writeln!(text, "  gives {}: {} = {expr}", field.name, field.ty)?;
    }
    writeln!(text, "  lineage: {}\n", lineage(plan, rule).join(" ← "))
}

/// The numbers of the tables that a rule looks up: the row is a shared expression, found once per event.
fn tables(rule: &Rule) -> BTreeSet<u16> {
    let nodes = rule.inputs.iter().flat_map(|input| &input.computed).flat_map(Expr::nodes);
    let table = |node: &Node| if let Node::TableRow(table, _) = node { Some(*table) } else { None };
    nodes.filter_map(table).collect()
}

/// How the rule's events are found: what is looked up, or that it sees them all.
fn reach(alternatives: &[String], stream: &str) -> String {
    match alternatives {
        [] => format!("indexed: no event of {stream} can concern it"),
        all if all.iter().any(String::is_empty) => format!("looks at every event of {stream}"),
        some => format!("indexed: {}", some.join(" or ")),
    }
}

/// The rule, the rules that it reads, and so on down to the sources with the fields read of them.
fn lineage(plan: &Plan, rule: &Rule) -> Vec<String> {
    let mut steps = vec![rule.name.clone()];
    let others = rule.inputs.iter().enumerate().filter(|(input, _)| !rule.is_own(*input));
    let mut at: Vec<StreamId> = others.map(|(_, input)| input.stream).collect();
    // Rules that read each other are told of once.
    let round: BTreeSet<usize> = plan.circles().into_iter().flatten().collect();
    let goes_round = |stream: &StreamId| plan.maker(*stream).is_some_and(|rule| round.contains(&rule));
    let mut told = BTreeSet::new();
    // Otherwise a DAG: each round goes down a level, so this ends.
    while !at.is_empty() {
        at.sort();
        at.dedup();
        at.retain(|stream| !goes_round(stream) || told.insert(*stream));
        let mut next = Vec::new();
        let mut names = Vec::new();
        for stream in at.iter().filter_map(|id| plan.streams.get(id.0 as usize)) {
            match stream.origin {
                StreamOrigin::Source => {
                    let fields: Vec<&str> = stream.schema.fields.iter().map(|field| field.name.as_str()).collect();
                    names.push(format!("{}({})", stream.name, fields.join(", ")));
                }
                StreamOrigin::Rule(rule) => {
                    names.push(stream.name.clone());
                    let inputs = plan.rules.get(rule as usize).map(|rule| rule.inputs.as_slice()).unwrap_or_default();
                    // A rule may read itself.
                    next.extend(inputs.iter().map(|input| input.stream).filter(|read| !at.contains(read)));
                }
            }
        }
        steps.push(names.join(", "));
        at = next;
    }
    steps
}

fn dot(plan: &Plan, engine: &Engine) -> String {
    let mut text = String::from("digraph streams {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n");
    for stream in &plan.streams {
        let rule = match stream.origin {
            StreamOrigin::Rule(rule) => plan.rules.get(rule as usize),
            StreamOrigin::Source => None,
        };
        let shape = match rule.map(|rule| rule.kind) {
            None => "cylinder",
            Some(RuleKind::Stream) => "box",
            Some(RuleKind::Alert) => "octagon",
        };
        let _ = writeln!(text, "  \"{}\" [shape={shape}];", stream.name);
        let back = rule.and_then(|rule| rule.back.as_ref());
        for (at, input) in (0..).zip(rule.iter().flat_map(|rule| &rule.inputs)) {
            if let Some(from) = plan.streams.get(input.stream.0 as usize) {
                let is_back = back.is_some_and(|back| back.inputs.contains(&at));
                let style = if is_back { " [style=dashed]" } else { "" };
                let _ = writeln!(text, "  \"{}\" -> \"{}\"{style};", from.name, stream.name);
            }
        }
    }
    text.push_str("}\n");
    for ix in 0..plan.rules.len() {
        if let Some((_, Some(automaton))) = engine.explain(ix as u32) {
            text.push_str(automaton);
            text.push('\n');
        }
    }
    text
}
