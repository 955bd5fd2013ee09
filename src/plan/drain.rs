//! Old versions of edited rules, which go on beside the new ones until what they had begun has come to its end.

use super::{Body, Mode, Plan, Rule, StreamOrigin, StreamPlan, Window, WindowKind};
use crate::model::{Schema, StreamId};

/// A rule of a plan that only ends what it has begun: an old version of the rule that has its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drain {
    /// The rule's index in the plan.
    pub rule: u32,
    /// Which of the name's old versions it is: they are numbered from 1 in the order in which they were edited.
    pub number: u32,
    /// A rule file with the rule alone, from which it can be checked again.
    pub text: String,
}

/// What an old version is known by where a name alone would be the new one's: no rule can be called that.
pub fn drain_name(name: &str, number: u32) -> String {
    format!("{name}@{number}")
}

impl Plan {
    /// What a rule drains as, if it is an old version.
    pub fn drain(&self, rule: u32) -> Option<&Drain> {
        self.drains.iter().find(|drain| drain.rule == rule)
    }

    /// A name that no other rule of the plan has: old versions have their number in it.
    pub fn known_as(&self, rule: u32) -> String {
        let name = self.rules.get(rule as usize).map_or("", |rule| rule.name.as_str());
        self.drain(rule).map_or_else(|| name.to_owned(), |drain| drain_name(name, drain.number))
    }

    /// The rule of this name, old versions aside.
    pub fn find(&self, name: &str) -> Option<usize> {
        let is_it = |(at, rule): (usize, &Rule)| rule.name == name && self.drain(at as u32).is_none();
        self.rules.iter().enumerate().position(is_it)
    }

    /// The rule that is known by this name.
    pub fn find_known(&self, known_as: &str) -> Option<usize> {
        (0..self.rules.len()).find(|&at| self.known_as(at as u32) == known_as)
    }

    /// The running rules that mean something else here, and whose open matches could come to an end as they would have.
    pub fn to_drain(&self, running: &Plan) -> Vec<u32> {
        let kept = self.kept(running);
        let stays = |at: u32| kept.contains(&Some(at));
        let rules = (0..).zip(&running.rules).filter(|(at, rule)| {
            let edited = running.drain(*at).is_none() && !stays(*at) && self.find(&rule.name).is_some();
            edited && self.keeps_from_draining(running, *at).is_none()
        });
        rules.map(|(at, _)| at).collect()
    }

    /// Why an edited rule of the running plan can't end what it has begun under its old version, where that is so.
    pub fn keeps_from_draining(&self, running: &Plan, was: u32) -> Option<&'static str> {
        let rule = running.rules.get(was as usize)?;
        let now = self.find(&rule.name);
        let is_off = |rule: &Rule| rule.mode == Mode::Off;
        let in_circle = |plan: &Plan, at: usize| plan.circles().concat().contains(&at);
        if is_off(rule) || now.and_then(|now| self.rules.get(now)).is_some_and(is_off) {
            return Some("it is switched off");
        }
        // What goes round in a circle would go round in two.
        if rule.feedback.is_some() || in_circle(running, was as usize) || now.is_some_and(|now| in_circle(self, now)) {
            return Some("what it feeds back would come from two versions");
        }
        match &rule.body {
            // Its outputs of the instant at hand may still be on their way.
            Body::Filter | Body::Pattern(_) | Body::Join(_) => None,
            Body::Window(window) => match window.kind {
                WindowKind::Running { .. } => Some("WINDOW RUNNING has no end"),
                WindowKind::Custom { .. } => Some("when windows of a program's own are over isn't known"),
                _ => None,
            },
            // All of what they are asked for is now.
            Body::Cluster(_) => Some(
                "its cells, their neighbours or their measures are others, and regions have no end by which both versions could part",
            ),
            Body::Near(_) => Some(
                "who is near whom was known by other keys or other fields, and pairs would be put out by both versions",
            ),
            Body::Latest(_) => {
                Some("the rows that are known lack what is put out now, which comes with each key's next event")
            }
        }
    }

    /// Whether a rule has to know what one of `running` with this index has begun, of which it is an edited form: windows, where they are the
    /// same windows of the same keys, whatever is made of them; and the right events of a LEFT JOIN of the same keys.
    pub fn follows(&self, rule: &Rule, running: &Plan, was: u32) -> bool {
        let Some(old) = running.rules.get(was as usize) else { return false };
        let form = |rule: &Rule| {
            let inputs = rule.inputs.iter().map(|input| {
                let own = format!("{:?} {:?} {:?} {:?}", input.stream, input.id_slot, input.key, input.prev);
                // What is shared is known by its number.
                let shared = own.contains("Computed").then_some(&input.computed);
                format!("{own} {shared:?}")
            });
            let inputs: Vec<String> = inputs.collect();
            let body = match &rule.body {
                Body::Window(window) => {
                    let Window { kind, jitter, late_ms, .. } = &**window;
                    format!("{kind:?} {jitter:?} {}", late_ms.is_some())
                }
                Body::Join(_) => "join".to_owned(),
                _ => String::new(),
            };
            let of_rule = (&rule.key, &rule.through, &rule.order, &rule.baselines, rule.clock);
            format!("{inputs:?} {of_rule:?} {body}")
        };
        let knows = match &rule.body {
            Body::Window(_) => true,
            Body::Join(join) => join.outer,
            _ => false,
        };
        knows && form(rule) == form(old)
    }

    /// For each rule that begins to drain the one of `running` that it is: `kept` is what goes on whole.
    pub fn drained(&self, running: &Plan, kept: &[Option<u32>]) -> Vec<Option<u32>> {
        let drained = self.rules.iter().zip(0..).zip(kept).map(|((rule, at), is_kept)| {
            let number = self.drain(at).filter(|_| is_kept.is_none())?.number;
            let was = running.find(&rule.name)?;
            let others = self.drains.iter().filter(|drain| {
                let of = self.rules.get(drain.rule as usize);
                drain.number > number && of.is_some_and(|of| of.name == rule.name)
            });
            // The one that was edited last is the one that runs, unless that goes on.
            let is_it = others.count() == 0 && !kept.contains(&Some(was as u32));
            (is_it && self.is_same(rule, running, was, kept)).then_some(was as u32)
        });
        drained.collect()
    }

    /// The plan without the old versions that have these indices. Streams keep their numbers, rules don't.
    #[must_use]
    pub fn without(&self, over: &[u32]) -> Self {
        let mut plan = self.clone();
        let mut numbers = Vec::with_capacity(self.rules.len());
        plan.rules.clear();
        for (rule, at) in self.rules.iter().zip(0..) {
            let stays = !over.contains(&at) || self.drain(at).is_none();
            numbers.push(stays.then_some(plan.rules.len() as u32));
            plan.rules.extend(stays.then(|| rule.clone()));
        }
        let number = |rule: u32| numbers.get(rule as usize).copied().flatten();
        plan.drains.retain_mut(|drain| match number(drain.rule) {
            Some(rule) => {
                drain.rule = rule;
                true
            }
            None => false,
        });
        for stream in &mut plan.streams {
            if let StreamOrigin::Rule(rule) = stream.origin {
                match number(rule) {
                    Some(rule) => stream.origin = StreamOrigin::Rule(rule),
                    None => *stream = vacant(),
                }
            }
        }
        plan
    }

    /// The stream that an old version's outputs are events of, which is the new one's, and for each of its slots that of the
    /// output; none where the old version has nothing of that name and type.
    pub fn feeds(&self, rule: u32) -> Option<(StreamId, Vec<Option<u16>>)> {
        let old = self.drain(rule).and_then(|drain| self.rules.get(drain.rule as usize))?;
        let new = self.find(&old.name)? as u32;
        let at = self.streams.iter().position(|stream| stream.origin == StreamOrigin::Rule(new))?;
        let fields = &self.streams.get(at)?.schema.fields;
        let slots = fields.iter().map(|field| {
            let same = |output: &super::OutputField| output.name == field.name && output.ty == field.ty;
            old.outputs.iter().position(same).map(|slot| slot as u16)
        });
        Some((StreamId(at as u32), slots.collect()))
    }
}

/// A stream that nobody reads or makes any more: it only holds its number's place.
pub(super) fn vacant() -> StreamPlan {
    StreamPlan { name: String::new(), schema: Schema::default(), origin: StreamOrigin::Rule(u32::MAX), level: 0 }
}
