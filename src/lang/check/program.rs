//! All rules of a run: names over all files, the order, every rule, and the plan.

use super::{
    catalog::Catalog,
    cluster,
    drain::Old,
    feedback::{self, Circle, Member},
    follow,
    graph::{self, Parsed},
    output, rule,
    streams::Streams,
};
use crate::{
    lang::{
        diag::{Code, Diagnostic, FileDiagnostic, nearest},
        file::{RuleFile, RuleKind},
    },
    model::{Field, Schema, Type},
    plan::{Plan, StreamOrigin},
};
use std::collections::{BTreeMap, BTreeSet};

/// What came of a check: a plan unless there is an error, and everything there is to say.
#[derive(Debug)]
pub struct Checked {
    /// The meaning of all rules; none while any of them is wrong.
    pub plan: Option<Plan>,
    /// Errors and warnings, by file and place.
    pub diagnostics: Vec<Finding>,
}

/// A diagnostic and the file that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The index of the file among those checked.
    pub file: usize,
    /// What is wrong, and where in the file.
    pub diagnostic: FileDiagnostic,
}

impl Checked {
    /// Whether nothing stands against running.
    pub fn is_sound(&self) -> bool {
        self.plan.is_some()
    }
}

/// Checks rule files against what they may name.
///
/// Mistakes of the files' own shape are the reader's ([`RuleFile::parse`]); where it gave any errors nothing may run even
/// if this check finds none. Cost: the text of all rules, times the inputs of each.
pub fn check(files: &[RuleFile], catalog: &Catalog) -> Checked {
    check_after(files, catalog, &Plan::default())
}

/// The same for rules that are to take the place of `running` ones: streams, fields and fence sets keep their numbers, and
/// sources that no rule reads any more stay, so that states and waiting events of rules that are unchanged still fit.
///
/// Old versions that run go on in the plan, and running rules that mean something else now become such.
pub fn check_after(files: &[RuleFile], catalog: &Catalog, running: &Plan) -> Checked {
    let mut olds = Old::of(running);
    let checked = check_with(files, catalog, running, &olds);
    let edited = checked.plan.as_ref().map(|plan| plan.to_drain(running)).unwrap_or_default();
    if edited.is_empty() {
        return checked;
    }
    olds.extend(Old::fresh(running, &edited));
    let with_edited = check_with(files, catalog, running, &olds);
    if with_edited.is_sound() { with_edited } else { checked }
}

fn check_with(files: &[RuleFile], catalog: &Catalog, running: &Plan, olds: &[Old]) -> Checked {
    let mut run = Run { files, catalog, running, findings: Vec::new() };
    let rules = run.parse();
    let order = graph::order(&rules);
    for (at, diagnostic) in &order.circles {
        if let Some(parsed) = rules.get(*at) {
            run.add(parsed.file, parsed.rule.place(diagnostic.clone()));
        }
    }
    let mut streams = run.sources(&rules, olds);
    let mut plan = Plan { fence_sets: running.fence_sets.clone(), tables: running.tables.clone(), ..Plan::default() };
    let mut sound = order.circles.is_empty();
    for unit in &order.units {
        let read: Vec<&Parsed<'_>> = unit.iter().filter_map(|&at| rules.get(at)).collect();
        let sound_of = |at: &usize| order.in_circle.get(*at) != Some(&true);
        let circle = match unit.len() {
            0 | 1 => Circle::default(),
            _ => {
                let members: Vec<Member<'_>> = read
                    .iter()
                    .zip(unit)
                    .map(|(parsed, at)| (parsed.rule, parsed.query.as_ref().filter(|_| sound_of(at))))
                    .collect();
                feedback::add_circle(
                    &members,
                    (&mut streams, catalog),
                    (&plan.fence_sets, &plan.tables),
                    plan.rules.len(),
                )
            }
        };
        for &at in unit {
            let Some(parsed) = rules.get(at) else { continue };
            // Who reads the rule reads its old versions, too. What comes to a circle from outside is not one of its rules.
            let mut olds_level = 0;
            for old in olds.iter().filter(|old| circle.is_none() && old.name() == parsed.rule.name) {
                olds_level = olds_level.max(old.add(&mut streams, catalog, &mut plan).unwrap_or(0));
            }
            let in_circle = order.in_circle.get(at) == Some(&true);
            let query = parsed.query.as_ref().filter(|_| !in_circle);
            let number = plan.rules.len() as u32;
            let is_own =
                circle.is_none() && query.is_some_and(|query| feedback::reads_itself(&parsed.rule.name, query));
            if let (Some(query), true) = (query, is_own) {
                feedback::add_own(
                    parsed.rule,
                    query,
                    (&mut streams, catalog),
                    (&plan.fence_sets, &plan.tables),
                    number,
                );
            }
            let outcome = query.map(|query| {
                let (sets, tables) = (&mut plan.fence_sets, &mut plan.tables);
                rule::check_rule(parsed.rule, query, &mut streams, catalog, sets, tables)
            });
            let mut checked = None;
            if let Some(outcome) = outcome {
                checked = outcome.rule;
                for diagnostic in outcome.diagnostics {
                    run.add(parsed.file, parsed.rule.place(diagnostic));
                }
                for diagnostic in outcome.in_file {
                    run.add(parsed.file, diagnostic);
                }
            }
            if let (Some(rule), Some(query)) = (&mut checked, query) {
                let mut wrong = follow::resolve(rule, query, &plan.rules, &streams);
                wrong.extend(feedback::resolve(rule, query, &streams, &circle));
                for diagnostic in wrong {
                    checked = None;
                    run.add(parsed.file, parsed.rule.place(diagnostic));
                }
            }
            if query.is_some() && checked.is_none() && !run.findings.iter().any(|finding| finding.diagnostic.is_error())
            {
                // No way here is known; but a rule must never be dropped in silence.
                let diagnostic = FileDiagnostic::new(
                    Code::Unsupported,
                    parsed.rule.name_range.clone(),
                    "this rule can't be planned",
                );
                run.add(parsed.file, diagnostic.with_help("please report it with the rule's text"));
            }
            sound &= checked.is_some();
            let level = checked.iter().flat_map(|rule| &rule.inputs).map(|input| streams.level(input.stream)).max();
            // It waits until an instant is complete, as rules do that read rules.
            let waits = u32::from(checked.as_ref().is_some_and(|rule| !rule.order.is_empty()));
            let schema = checked.as_ref().map(|rule| output::schema(&rule.outputs));
            let level = (level.unwrap_or(0) + 1 + waits).max(olds_level);
            match streams.find(&parsed.rule.name).filter(|_| is_own || !circle.is_none()) {
                Some(own) => streams.set_level(own, level),
                None => streams.add_derived(&parsed.rule.name, number, level, schema),
            }
            plan.rules.extend(checked);
        }
        circle.set_levels(&mut streams, &plan.rules);
    }
    run.unused(&rules);
    run.findings.sort_by(|a, b| {
        (a.file, a.diagnostic.range.start, a.diagnostic.code).cmp(&(
            b.file,
            b.diagnostic.range.start,
            b.diagnostic.code,
        ))
    });
    let wrong = run.findings.iter().any(|finding| finding.diagnostic.is_error());
    plan.rules.iter_mut().for_each(|rule| cluster::leave_unread(rule, &streams));
    plan.streams = streams.finish();
    Checked { plan: (sound && !wrong).then(|| plan.after(running)), diagnostics: run.findings }
}

struct Run<'a> {
    files: &'a [RuleFile],
    catalog: &'a Catalog,
    /// What runs so far; empty at the start.
    running: &'a Plan,
    findings: Vec<Finding>,
}

impl<'a> Run<'a> {
    fn add(&mut self, file: usize, diagnostic: FileDiagnostic) {
        self.findings.push(Finding { file, diagnostic });
    }

    /// Reads every expression; of rules with one name the first counts.
    fn parse(&mut self) -> Vec<Parsed<'a>> {
        let mut rules: Vec<Parsed<'a>> = Vec::new();
        for (file, rule) in self.files.iter().enumerate().flat_map(|(at, file)| file.rules.iter().map(move |r| (at, r)))
        {
            let (query, diagnostics) = rule.query();
            let wrong = diagnostics.iter().any(FileDiagnostic::is_error);
            for diagnostic in diagnostics {
                self.add(file, diagnostic);
            }
            let twice = rules.iter().find(|other| other.rule.name == rule.name).map(|other| other.file);
            if let Some(first) = twice {
                let path = self.files.get(first).map_or("", |file| file.path.as_str());
                let message = format!("there is a rule `{}` in `{path}` already", rule.name);
                self.add(file, FileDiagnostic::new(Code::StreamTwice, rule.name_range.clone(), message));
                continue;
            }
            if self.catalog.source(&rule.name).is_some() {
                let message = format!("`{}` is the name of a source", rule.name);
                let diagnostic = FileDiagnostic::new(Code::StreamTwice, rule.name_range.clone(), message);
                self.add(file, diagnostic.with_help("a rule's name is its stream's, and must be its own"));
            }
            rules.push(Parsed { file, rule, query: query.filter(|_| !wrong) });
        }
        rules
    }

    /// The sources that rules read, by name; unknown ones are reported.
    fn sources(&mut self, rules: &[Parsed<'_>], olds: &[Old]) -> Streams {
        let of_old: Vec<String> = olds.iter().flat_map(Old::reads).collect();
        let is_source =
            |name: &&str| self.catalog.source(name).is_some() && !rules.iter().any(|rule| rule.rule.name == **name);
        let mut names: BTreeSet<&str> = of_old.iter().map(String::as_str).filter(is_source).collect();
        for parsed in rules {
            for name in parsed.query.iter().flat_map(graph::reads) {
                let is_rule = rules.iter().any(|other| other.rule.name == name.text);
                if is_rule || names.contains(name.text.as_str()) {
                    continue;
                }
                let known = self.catalog.source(&name.text).is_some();
                if known || self.catalog.open {
                    names.insert(&name.text);
                }
                if !known {
                    let diagnostic = self.undeclared(rules, name);
                    self.add(parsed.file, parsed.rule.place(diagnostic));
                }
            }
        }
        let running = self.running.streams.iter().filter(|stream| stream.origin == StreamOrigin::Source);
        let known: BTreeMap<&str, &Schema> = running.map(|stream| (stream.name.as_str(), &stream.schema)).collect();
        let is_rule = |name: &str| rules.iter().any(|rule| rule.rule.name == name);
        names.extend(known.keys().filter(|name| !is_rule(name)));
        let mut streams = Streams::default();
        for name in names {
            let known = known.get(name).copied();
            match self.catalog.source(name) {
                Some(schema) => streams.add_source(name, schema, known),
                None => streams.add_source(name, &open_schema(), known),
            }
        }
        streams
    }

    fn undeclared(&self, rules: &[Parsed<'_>], name: &crate::lang::ast::Name) -> Diagnostic {
        let sources = self.catalog.sources.iter().map(|(source, _)| source.as_str());
        let known: Vec<&str> = sources.chain(rules.iter().map(|rule| rule.rule.name.as_str())).collect();
        let near = nearest(&name.text, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let mut diagnostic = match self.catalog.open {
            true => Diagnostic::new(
                Code::UndeclaredStream,
                name.span,
                format!("nobody declares the stream `{}`: it is taken for a source with any fields", name.text),
            ),
            false => Diagnostic::new(Code::UnknownStream, name.span, format!("there is no stream `{}`", name.text)),
        };
        diagnostic.help = Some(near.unwrap_or_else(|| match (self.catalog.open, known.is_empty()) {
            (true, _) => "with a configuration (`-c`) its fields and units can be checked".to_owned(),
            (false, true) => "declare it under `sources` in the configuration".to_owned(),
            (false, false) => {
                let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                format!("sources and rules give {}", names.join(", "))
            }
        }));
        diagnostic
    }

    /// A derived stream that nobody reads is computed for nothing.
    fn unused(&mut self, rules: &[Parsed<'_>]) {
        for parsed in rules.iter().filter(|parsed| parsed.rule.kind == RuleKind::Stream) {
            let name = &parsed.rule.name;
            let read = rules.iter().flat_map(|other| other.query.iter().flat_map(graph::reads));
            // A rule that can't be read may well be the reader.
            if read.into_iter().any(|read| read.text == *name) || rules.iter().any(|other| other.query.is_none()) {
                continue;
            }
            let message = format!("no rule reads the stream `{name}`");
            let diagnostic = FileDiagnostic::new(Code::UnusedVariable, parsed.rule.name_range.clone(), message);
            self.add(parsed.file, diagnostic.with_help("if its outputs are wanted, make it an `alert:`"));
        }
    }
}

/// Of a stream that nobody declared only the position is known.
fn open_schema() -> Schema {
    Schema {
        fields: vec![Field { name: "position".to_owned(), ty: Type::Point }],
        position: Some(0),
        id: None,
        open: true,
    }
}
