//! Runs a case's rule over its events: parser, checker, compiler and engine, as a daemon would.

use crate::{
    case::{Case, Expected, Taken},
    translate::{STREAM, Translated, type_of},
};
use geocep::{
    engine::{AtEnd, Engine, Inline, Options, Output},
    expr::World,
    lang::{
        check::{Catalog, check},
        diag::Style,
        file::RuleFile,
    },
    model::{Batch, EmissionKind, EventId, Field, Header, Schema, StreamId, TimeMs, Type, Value},
    plan::{Body, Plan},
    time::PartitionIx,
};
use serde_json::{Map, Value as Json};
use std::{fmt, sync::Arc};

/// Something put out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    /// Of a time-out its deadline; a match has none.
    pub(crate) timeout_ms: Option<TimeMs>,
    pub(crate) taken: Taken,
    /// Where it was noticed: an event's id, `end` or a time; empty where nobody said.
    pub(crate) at: String,
}

/// What came out, sorted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) found: Vec<Found>,
    pub(crate) late: Vec<String>,
    /// Of the matches, where each was noticed and when it was decided. Nothing to compare.
    pub(crate) decided: Vec<(String, TimeMs)>,
}

impl Answer {
    /// What Flink gave.
    pub(crate) fn expected(expect: &Expected) -> Self {
        let at = |all: &[String], count: usize, n: usize| match all.len() == count {
            true => all.get(n).cloned().unwrap_or_default(),
            false => String::new(),
        };
        let matches = expect.matches.iter().enumerate().map(|(n, taken)| Found {
            timeout_ms: None,
            taken: taken.clone(),
            at: at(&expect.match_at, expect.matches.len(), n),
        });
        let timeouts = expect.timeouts.iter().enumerate().map(|(n, timeout)| Found {
            timeout_ms: Some(timeout.ts),
            taken: timeout.partial.clone(),
            at: at(&expect.timeout_at, expect.timeouts.len(), n),
        });
        let found = matches.chain(timeouts).collect();
        Answer { found, late: expect.late.clone(), decided: Vec::new() }.sorted()
    }

    fn sorted(mut self) -> Self {
        self.found.sort();
        self.late.sort();
        self
    }

    /// Without the places that the other doesn't know.
    pub(crate) fn like(mut self, other: &Answer) -> Self {
        for timeouts in [false, true] {
            let unknown = |found: &Found| found.timeout_ms.is_some() == timeouts && found.at.is_empty();
            if other.found.iter().any(unknown) {
                let of_kind = |found: &&mut Found| found.timeout_ms.is_some() == timeouts;
                self.found.iter_mut().filter(of_kind).for_each(|found| found.at.clear());
            }
        }
        self.sorted()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        for Found { timeout_ms, taken, at } in &self.found {
            let kind = timeout_ms.map_or(String::new(), |ms| format!("timeout {ms} "));
            let taken: Vec<String> = taken.iter().map(|(var, ids)| format!("{var}={}", ids.join(","))).collect();
            let place = if at.is_empty() { String::new() } else { format!(" @{at}") };
            parts.push(format!("{kind}[{}{place}]", taken.join(" ")));
        }
        if !self.late.is_empty() {
            parts.push(format!("late {}", self.late.join(",")));
        }
        f.write_str(if parts.is_empty() { "nothing" } else { "" })?;
        f.write_str(&parts.join(" "))
    }
}

/// The plan of a rule, or what the checker says.
///
/// # Errors
/// All messages, as `geocep check` shows them.
pub(crate) fn plan(translated: &Translated) -> Result<Arc<Plan>, String> {
    let text = format!(
        "groups:\n  - name: conformance\n    rules:\n      - alert: Case\n        expr: |\n          {}\n",
        translated.text
    );
    let (file, said) = RuleFile::parse("case.yaml", &text);
    let Some(file) = file else { return Err("no rule file".to_owned()) };
    let render = |diagnostic: &geocep::lang::diag::FileDiagnostic| file.render(diagnostic, Style::Plain);
    let checked = check(std::slice::from_ref(&file), &catalog(translated));
    let all = said.iter().chain(checked.diagnostics.iter().map(|finding| &finding.diagnostic));
    let errors: Vec<String> = all.filter(|diagnostic| diagnostic.is_error()).map(render).collect();
    match checked.plan {
        Some(plan) if errors.is_empty() => Ok(Arc::new(plan)),
        _ => Err(errors.join("\n")),
    }
}

fn catalog(translated: &Translated) -> Catalog {
    let mut fields = vec![Field { name: "id".to_owned(), ty: Type::Text }];
    for (name, field) in translated.fields.iter().filter(|(name, _)| *name != "id") {
        // What differs from event to event is not declared: its type is known when it comes.
        fields.extend(type_of(field.kind).map(|ty| Field { name: name.clone(), ty }));
    }
    let schema = Schema { fields, position: None, id: Some(0), open: true };
    Catalog { sources: vec![(STREAM.to_owned(), schema)], fence_sets: Some(Vec::new()), ..Catalog::default() }
}

/// Runs a case. `saving`: after every event the engine is written, and a new one goes on from there.
///
/// # Errors
/// No program could be built, or what was saved couldn't be read.
pub(crate) fn run(case: &Case, translated: &Translated, plan: &Arc<Plan>, saving: bool) -> Result<Answer, String> {
    let held = case.mode == "operator";
    let engine = engine(plan, held)?;
    let mut feed =
        Feed { case, translated, plan, saving, held, engine, late: Vec::new(), answer: Answer::default(), offset: 0 };
    if held {
        feed.by_watermark()?
    } else {
        feed.in_order()?
    }
    let late = std::mem::take(&mut feed.late);
    feed.answer.late = late;
    Ok(feed.answer.sorted())
}

fn engine(plan: &Arc<Plan>, held: bool) -> Result<Engine, String> {
    let options = Options { eager: true, ..Options::default() };
    let world = Arc::new(World::default());
    let engine = Engine::new(Arc::clone(plan), world, options, Box::new(Inline));
    let mut engine = engine.map_err(|error| error.to_string())?;
    // Where only watermarks say how far time is, no event does.
    engine.add_partition(StreamId(0), 0, if held { TimeMs::MAX } else { 0 });
    Ok(engine)
}

struct Feed<'c> {
    case: &'c Case,
    translated: &'c Translated,
    plan: &'c Arc<Plan>,
    saving: bool,
    held: bool,
    engine: Engine,
    late: Vec<String>,
    answer: Answer,
    offset: u64,
}

const LANE: PartitionIx = PartitionIx(0);

type Event = Map<String, Json>;

fn time(event: &Event, name: &str) -> Option<TimeMs> {
    event.get(name).and_then(Json::as_i64)
}

impl Feed<'_> {
    fn in_order(&mut self) -> Result<(), String> {
        for event in &self.case.events {
            self.push(event);
            self.engine.advance();
            self.collect(event.get("id").and_then(Json::as_str).unwrap_or_default())?;
        }
        if let Some(to) = self.case.final_watermark {
            self.tick(to, "end")?;
        }
        Ok(())
    }

    /// Events wait for a watermark, and then come in order of time.
    fn by_watermark(&mut self) -> Result<(), String> {
        let mut watermark = TimeMs::MIN;
        let mut tied: Vec<&Event> = Vec::new();
        for event in &self.case.events {
            if let Some(to) = time(event, "watermark") {
                watermark = watermark.max(to);
                self.release(&mut tied, to);
                // In Flink an event at the watermark is late, here one before it.
                self.tick(to.saturating_add(1), "")?;
                continue;
            }
            let at = time(event, "ts").unwrap_or_default();
            // Events of one instant come as they arrive; another order of theirs is the source's to make.
            match self.case.tie_break_field {
                Some(_) if at > watermark => tied.push(event),
                _ => self.push(event),
            }
        }
        self.release(&mut tied, TimeMs::MAX);
        self.engine.finish(AtEnd::Drain);
        self.collect("")
    }

    /// When Flink's operator notices what is decided at a time: it looks at the time of each event and at watermarks.
    fn noticed(&self, decided_ms: TimeMs, key: Option<&Json>) -> TimeMs {
        let of_key = |event: &&Event| event.get("key") == key;
        let events = self.case.events.iter().filter(|event| !event.contains_key("watermark")).filter(of_key);
        let times = events.filter_map(|event| time(event, "ts"));
        let watermarks = self.case.events.iter().filter_map(|event| time(event, "watermark"));
        times.chain(watermarks).filter(|at| *at >= decided_ms).min().unwrap_or(TimeMs::MAX)
    }

    fn release(&mut self, tied: &mut Vec<&Event>, to: TimeMs) {
        let Some(field) = &self.case.tie_break_field else { return };
        let tie = |event: &Event| event.get(field).and_then(Json::as_f64).unwrap_or_default();
        tied.sort_by(|a, b| time(a, "ts").cmp(&time(b, "ts")).then(tie(a).total_cmp(&tie(b))));
        let due = tied.partition_point(|event| time(event, "ts").unwrap_or_default() <= to);
        for event in tied.drain(..due).collect::<Vec<_>>() {
            self.push(event);
        }
    }

    fn tick(&mut self, to: TimeMs, at: &str) -> Result<(), String> {
        self.engine.set_idle(LANE, true);
        self.engine.tick(to);
        self.collect(at)
    }

    fn push(&mut self, event: &Event) {
        let schema = self.plan.streams.first().map(|stream| &stream.schema);
        let slots = schema.map(|schema| schema.fields.as_slice()).unwrap_or_default();
        let mut batch = Batch::new(slots.len());
        let header = Header { time_ms: time(event, "ts").unwrap_or_default(), partition: 0, offset: self.offset };
        self.offset += 1;
        batch.push(header, slots.iter().map(|field| value(field, event)));
        let mut late = Vec::new();
        self.engine.push(LANE, batch, &mut late);
        if !late.is_empty() {
            self.late.extend(event.get("id").and_then(Json::as_str).map(str::to_owned));
        }
    }

    /// Notes what came out.
    fn collect(&mut self, at: &str) -> Result<(), String> {
        let mut out = Vec::new();
        self.engine.take(&mut out);
        for output in out {
            self.note(&output, at)?;
        }
        if self.saving {
            let bytes = self.engine.save();
            self.engine = engine(self.plan, self.held)?;
            self.engine.restore(&bytes).map_err(|error| error.to_string())?;
            if self.engine.save() != bytes {
                return Err("what is restored saves as other bytes".to_owned());
            }
        }
        Ok(())
    }

    fn note(&mut self, output: &Output, at: &str) -> Result<(), String> {
        let body = self.plan.rules.first().map(|rule| &rule.body);
        let Some(Body::Pattern(pattern)) = body else { return Err("the rule is no pattern".to_owned()) };
        let mut taken = Taken::new();
        for event in &output.emission.taken {
            let name = pattern.variables.get(usize::from(event.var)).map_or("", |variable| &variable.name);
            let var = self.translated.variables.get(name).map_or(name, String::as_str);
            let EventId::Field(id) = &event.id else { return Err("an event without an id".to_owned()) };
            taken.entry(var.to_owned()).or_default().push(id.to_string());
        }
        let decided_ms = output.emission.time_ms;
        let at = match self.held {
            true => {
                let id = taken.values().flatten().next();
                let is = |event: &&Event| event.get("id").and_then(Json::as_str) == id.map(String::as_str);
                let key = self.case.events.iter().find(is).and_then(|event| event.get("key"));
                self.noticed(decided_ms, key).to_string()
            }
            false => at.to_owned(),
        };
        let timed_out = output.emission.kind == EmissionKind::TimedOut;
        if !timed_out {
            self.answer.decided.push((at.clone(), decided_ms));
        }
        self.answer.found.push(Found { timeout_ms: timed_out.then_some(decided_ms), taken, at });
        Ok(())
    }
}

/// Numbers are doubles in the files.
fn value(field: &Field, event: &Event) -> Value {
    match event.get(&field.name) {
        Some(Json::Bool(value)) => Value::Bool(*value),
        Some(Json::Number(number)) => number.as_f64().map_or(Value::Null, Value::from),
        Some(Json::String(text)) => Value::text(text),
        // The key of an event that names none.
        None if field.name == "key" => Value::text(""),
        _ => Value::Null,
    }
}
