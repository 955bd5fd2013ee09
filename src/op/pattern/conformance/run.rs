//! Feeds a case's events to its program, as the files' two modes say.

use super::{
    Scratch,
    case::{Case, Expected},
    translate::{Translated, value},
};
use crate::{
    expr::{Env, Nothing, World},
    model::{Clock, Emission, EmissionKind, EventId, EventRef, Header, Key, Reader, StreamId, TimeMs, Value, Writer},
    op::pattern::KeyState,
};
use serde_json::{Map, Value as Json};
use std::{collections::BTreeMap, fmt};

pub(super) type Taken = BTreeMap<String, Vec<String>>;

/// What came out; all sorted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    matches: Vec<(String, Taken)>,
    timeouts: Vec<(TimeMs, Taken)>,
    late: Vec<String>,
}

impl Answer {
    pub(super) fn expected(expect: &Expected) -> Self {
        let at = expect.match_at.iter().cloned().chain(std::iter::repeat(String::new()));
        let matches = at.zip(expect.matches.iter().cloned()).collect();
        let timeouts = expect.timeouts.iter().map(|timeout| (timeout.ts, timeout.partial.clone())).collect();
        Answer { matches, timeouts, late: expect.late.clone() }.sorted()
    }

    /// The matches alone.
    pub(super) fn matches(&self) -> &[(String, Taken)] {
        &self.matches
    }

    fn sorted(mut self) -> Self {
        self.matches.sort();
        self.timeouts.sort();
        self.late.sort();
        self
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = |taken: &Taken| {
            taken.iter().map(|(var, ids)| format!("{var}={}", ids.join(","))).collect::<Vec<_>>().join(" ")
        };
        for (at, found) in &self.matches {
            write!(f, "[{} @{at}] ", taken(found))?;
        }
        for (at, partial) in &self.timeouts {
            write!(f, "timeout [{} @{at}] ", taken(partial))?;
        }
        write!(f, "late {:?}", self.late)
    }
}

/// Runs a case. `saving`: the state is written and read after every event.
pub(super) fn run(case: &Case, translated: &Translated, saving: bool) -> Answer {
    let mut feed = Feed {
        translated,
        saving,
        keys: BTreeMap::new(),
        scratch: Scratch::default(),
        answer: Answer { matches: Vec::new(), timeouts: Vec::new(), late: Vec::new() },
    };
    match case.mode.as_str() {
        "nfa" => feed.in_order(case),
        _ => feed.by_watermark(case),
    }
    feed.answer.sorted()
}

struct Feed<'t> {
    translated: &'t Translated,
    saving: bool,
    keys: BTreeMap<String, KeyState>,
    scratch: Scratch,
    answer: Answer,
}

fn text(event: &Map<String, Json>, name: &str) -> String {
    event.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn time(event: &Map<String, Json>, name: &str) -> Option<TimeMs> {
    event.get(name).and_then(Json::as_i64)
}

impl Feed<'_> {
    fn in_order(&mut self, case: &Case) {
        for event in &case.events {
            self.event(event, "", text(event, "id"));
        }
        if let Some(to) = case.final_watermark {
            self.advance(to, "end");
        }
    }

    fn by_watermark(&mut self, case: &Case) {
        let mut waiting: Vec<&Map<String, Json>> = Vec::new();
        let mut watermark = TimeMs::MIN;
        let end = Map::from_iter([("watermark".to_owned(), Json::from(TimeMs::MAX))]);
        for event in case.events.iter().chain([&end]) {
            let Some(to) = time(event, "watermark") else {
                match time(event, "ts").unwrap_or_default() <= watermark {
                    true => self.answer.late.push(text(event, "id")),
                    false => waiting.push(event),
                }
                continue;
            };
            watermark = to;
            let tie = |event: &Map<String, Json>| {
                case.tie_break_field.as_ref().and_then(|field| event.get(field)?.as_f64()).unwrap_or_default()
            };
            waiting.sort_by(|a, b| time(a, "ts").cmp(&time(b, "ts")).then(tie(a).total_cmp(&tie(b))));
            let due = waiting.partition_point(|event| time(event, "ts").unwrap_or_default() <= to);
            for event in waiting.drain(..due).collect::<Vec<_>>() {
                let at = time(event, "ts").unwrap_or_default().to_string();
                self.event(event, &text(event, "key"), at);
            }
            self.advance(to, &to.to_string());
        }
    }

    fn event(&mut self, event: &Map<String, Json>, key: &str, at: String) {
        let values: Vec<Value> =
            self.translated.fields.iter().map(|field| event.get(field).map_or(Value::Null, value)).collect();
        let mut state = self.keys.remove(key).unwrap_or_default();
        let mut out = Vec::new();
        let time_ms = time(event, "ts").unwrap_or_default();
        with_env(&values, time_ms, |env| {
            self.translated.program.step(&mut state, &mut self.scratch, 0, env, &mut out);
        });
        if !state.is_idle() {
            self.keys.insert(key.to_owned(), self.saved(state));
        }
        self.collect(&out, &at);
    }

    fn advance(&mut self, to: TimeMs, at: &str) {
        let mut out = Vec::new();
        for state in self.keys.values_mut() {
            with_env(&[], to, |env| {
                let program = &self.translated.program;
                program.advance(state, &mut self.scratch, to, Clock::Event, env, &mut out);
            });
            assert!(state.deadline().is_none_or(|deadline| deadline > to));
        }
        self.collect(&out, at);
    }

    fn saved(&self, state: KeyState) -> KeyState {
        if !self.saving {
            return state;
        }
        let write = |state: &KeyState| {
            let mut writer = Writer::new();
            state.save(&mut writer);
            writer.into_bytes()
        };
        let bytes = write(&state);
        let mut reader = Reader::new(&bytes);
        let loaded = KeyState::load(&self.translated.program, &mut reader).unwrap();
        assert!(reader.is_done());
        assert_eq!(write(&loaded), bytes, "what is loaded saves as the same bytes");
        loaded
    }

    fn collect(&mut self, out: &[Emission], at: &str) {
        for emission in out {
            let mut taken = Taken::new();
            for event in &emission.taken {
                let var = &self.translated.variables[usize::from(event.var)];
                let EventId::Field(id) = &event.id else { panic!("an event without an id") };
                taken.entry(var.clone()).or_default().push(id.to_string());
            }
            match emission.kind {
                EmissionKind::Match => self.answer.matches.push((at.to_owned(), taken)),
                _ => self.answer.timeouts.push((emission.time_ms, taken)),
            }
        }
    }
}

/// Lends what the kernel looks at.
fn with_env(values: &[Value], time_ms: TimeMs, work: impl FnOnce(&Env<'_>)) {
    let (key, world) = (Key::new([]), World::default());
    let header = Header { time_ms, partition: 0, offset: 0 };
    let event = EventRef { stream: StreamId(0), header, values };
    work(&Env { event, extra: &[], previous: None, computed: (&[], &[]), key: &key, bound: &Nothing, world: &world });
}
