//! Old versions of edited rules, which go on beside the new ones until what they had begun has come to its end.

use super::{Body, Mode, Plan, Rule, StreamOrigin, StreamPlan};
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
        let round = |plan: &Plan| plan.circles().concat();
        let (rounds, rounds_now) = (round(running), round(self));
        // What goes round in a circle would go round in two.
        let in_circle = |(at, rule): (u32, &Rule)| {
            let now = self.find(&rule.name);
            rounds.contains(&(at as usize)) || now.is_some_and(|now| rounds_now.contains(&now))
        };
        let goes_on = |rule: &Rule| {
            let now = self.find(&rule.name).and_then(|at| self.rules.get(at));
            rule.mode != Mode::Off && now.is_some_and(|now| now.mode != Mode::Off)
        };
        let rules = (0..)
            .zip(&running.rules)
            .filter(|(at, rule)| running.drain(*at).is_none() && !stays(*at) && goes_on(rule) && is_drainable(rule));
        let rules = rules.filter(|&(at, rule)| !in_circle((at, rule)));
        rules.map(|(at, _)| at).collect()
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

/// Whether a rule can end what it has begun without beginning anything more.
fn is_drainable(rule: &Rule) -> bool {
    // What is fed back to a rule would come from two versions.
    rule.feedback.is_none()
        && match &rule.body {
            // Its outputs of the instant at hand may still be on their way.
            Body::Filter | Body::Pattern(_) => true,
            // Who met nobody would be said to by both versions.
            Body::Join(join) => !join.outer,
            // Both versions would have results of one window, or all of what they are asked for is now.
            Body::Window(_) | Body::Cluster(_) | Body::Near(_) | Body::Latest(_) => false,
        }
}

/// A stream that nobody reads or makes any more: it only holds its number's place.
pub(super) fn vacant() -> StreamPlan {
    StreamPlan { name: String::new(), schema: Schema::default(), origin: StreamOrigin::Rule(u32::MAX), level: 0 }
}
