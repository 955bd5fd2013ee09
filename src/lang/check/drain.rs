//! Old versions of edited rules, checked beside the new ones: each is known by its text alone, so that a reload and a restart make
//! the same of it. One that no longer means anything (a fence set is gone, a rule that it read) is left out: nobody wrote it
//! into a file that could be mended.

use super::{
    catalog::Catalog,
    feedback, follow,
    graph::{self, Parsed},
    output, rule,
    streams::Streams,
};
use crate::{
    lang::{diag::FileDiagnostic, file::RuleFile},
    plan::{Drain, Mode, Plan, Rule, RuleKind, Template, TemplatePart, drain_name},
};
use serde_json::{Map, Value, json};

/// An old version on its way into a plan.
pub(super) struct Old {
    file: RuleFile,
    number: u32,
    text: String,
}

impl Old {
    /// The old versions that a plan has.
    pub(super) fn of(running: &Plan) -> Vec<Self> {
        running.drains.iter().filter_map(|drain| Self::read(drain.text.clone(), drain.number)).collect()
    }

    /// Those of the running plan's rules with these indices, which are the newest of their names.
    pub(super) fn fresh(running: &Plan, rules: &[u32]) -> Vec<Self> {
        let rules = rules.iter().filter_map(|&at| running.rules.get(at as usize));
        let fresh = rules.filter_map(|rule| {
            let of = |drain: &&Drain| running.rules.get(drain.rule as usize).is_some_and(|of| of.name == rule.name);
            let number = running.drains.iter().filter(of).map(|drain| drain.number).max().unwrap_or(0);
            Self::read(text_of(rule), number.checked_add(1)?)
        });
        fresh.collect()
    }

    fn read(text: String, number: u32) -> Option<Self> {
        let (file, diagnostics) = RuleFile::parse("", &text);
        let file = file.filter(|_| !diagnostics.iter().any(FileDiagnostic::is_error))?;
        (file.rules.len() == 1).then_some(Self { file, number, text })
    }

    /// The name that it shares with the new version.
    pub(super) fn name(&self) -> &str {
        self.file.rules.first().map_or("", |rule| rule.name.as_str())
    }

    /// The streams that it reads.
    pub(super) fn reads(&self) -> Vec<String> {
        let query = self.parsed().and_then(|parsed| parsed.query);
        query.iter().flat_map(graph::reads).map(|name| name.text.clone()).collect()
    }

    /// It with its expression read.
    fn parsed(&self) -> Option<Parsed<'_>> {
        let rule = self.file.rules.first()?;
        let (query, diagnostics) = rule.query();
        let query = query.filter(|_| !diagnostics.iter().any(FileDiagnostic::is_error))?;
        Some(Parsed { file: 0, rule, query: Some(query) })
    }

    /// Adds it to a plan whose streams are those that it reads; how far it is from the sources. None where it doesn't mean anything there.
    pub(super) fn add(&self, streams: &mut Streams, catalog: &Catalog, plan: &mut Plan) -> Option<u32> {
        let Parsed { rule: written, query, .. } = self.parsed()?;
        let query = query?;
        // A rule that it reads may come only after the new version now.
        let named = graph::reads(&query).all(|name| streams.find(&name.text).is_some());
        if !named || feedback::reads_itself(&written.name, &query) {
            return None;
        }
        // What a rule that doesn't go in has asked for is taken back.
        let (mut trial, mut sets, mut tables) = (streams.clone(), plan.fence_sets.clone(), plan.tables.clone());
        let outcome = rule::check_rule(written, &query, &mut trial, catalog, &mut sets, &mut tables);
        let mut rule = outcome.rule?;
        if !follow::resolve(&mut rule, &query, &plan.rules, &trial).is_empty() {
            return None;
        }
        let far = rule.inputs.iter().map(|input| trial.level(input.stream)).max().unwrap_or(0);
        let level = far + 1 + u32::from(!rule.order.is_empty());
        let number = plan.rules.len() as u32;
        trial.add_derived(&drain_name(&rule.name, self.number), number, level, Some(output::schema(&rule.outputs)));
        (*streams, plan.fence_sets, plan.tables) = (trial, sets, tables);
        plan.drains.push(Drain { rule: number, number: self.number, text: self.text.clone() });
        plan.rules.push(rule);
        Some(level)
    }
}

/// A rule file with this rule alone, which is checked to a rule with the same version. The reader of rule files wants places that it can
/// find again, so that texts stand in blocks.
fn text_of(rule: &Rule) -> String {
    let kind = if rule.kind == RuleKind::Alert { "alert" } else { "stream" };
    let (group, name, expr) = (json!(rule.group), &rule.name, &rule.canonical);
    let mut text =
        format!("groups:\n  - name: {group}\n    rules:\n      - {kind}: {name}\n        expr: |\n          {expr}\n");
    if rule.mode == Mode::Shadow {
        text.push_str("        mode: shadow\n");
    }
    let mut limits = Map::new();
    let bounds =
        [("partial_matches", rule.limits.partial_matches), ("matches_per_event", rule.limits.matches_per_event)];
    limits.extend(bounds.into_iter().filter_map(|(key, bound)| Some((key.to_owned(), json!(bound?)))));
    let labels: Map<String, Value> = rule.labels.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
    for (key, map) in [("limits", limits), ("labels", labels)] {
        if !map.is_empty() {
            text.push_str(&format!("        {key}: {}\n", Value::Object(map)));
        }
    }
    if !rule.annotations.is_empty() {
        text.push_str("        annotations:\n");
    }
    for (name, template) in &rule.annotations {
        let template = written(rule, template);
        // What a block would change stands in quotes.
        let plain = !template.is_empty() && !template.starts_with([' ', '\n']) && !template.ends_with('\n');
        let value = match plain {
            true => format!("|-\n            {}", template.replace('\n', "\n            ")),
            false => json!(template).to_string(),
        };
        text.push_str(&format!("          {name}: {value}\n"));
    }
    text
}

/// An annotation as it is written in a rule file.
fn written(rule: &Rule, template: &Template) -> String {
    let part = |part: &TemplatePart| match part {
        TemplatePart::Text(text) => text.clone(),
        TemplatePart::Field(slot) => {
            let name = rule.outputs.get(usize::from(*slot)).map_or("", |output| output.name.as_str());
            format!("{{{{ {name} }}}}")
        }
        TemplatePart::Key => "{{ key }}".to_owned(),
        TemplatePart::Rule => "{{ rule }}".to_owned(),
        TemplatePart::Start => "{{ start }}".to_owned(),
        TemplatePart::End => "{{ end }}".to_owned(),
        TemplatePart::Label(label) => format!("{{{{ labels.{label} }}}}"),
    };
    template.parts.iter().map(part).collect()
}
