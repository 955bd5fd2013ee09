//! What the driver hands on: alerts and letters to the sinks, cuts to who writes checkpoints.

use super::{
    driver::{Driver, Outlets},
    keeper::Keeper,
    outbox::Outbox,
};
use crate::{
    engine::checkpoint::Place,
    io::sink,
    plan::{Plan, Rule},
};
use std::sync::Arc;

/// Whether lines are of rules in shadow mode, which have sinks of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aside {
    No,
    Yes,
}

impl Outlets {
    /// Where lines go.
    pub(super) fn of(&self, aside: Aside) -> &[Arc<Outbox>] {
        match aside {
            Aside::No => &self.alerts,
            Aside::Yes => &self.shadow,
        }
    }
}

/// For each rule whether what it puts out depends on when events arrive: another run that reads the same would not find that.
pub(super) fn by_arrival(plan: &Plan) -> Vec<bool> {
    let mut all: Vec<bool> = plan.rules.iter().map(Rule::by_arrival).collect();
    // A rule comes after those that it reads, but for circles.
    loop {
        let before = all.clone();
        for (at, rule) in plan.rules.iter().enumerate() {
            let mut reads = rule.inputs.iter().filter_map(|input| plan.maker(input.stream));
            if reads.any(|read| all.get(read) == Some(&true))
                && let Some(is) = all.get_mut(at)
            {
                *is = true;
            }
        }
        if all == before {
            return all;
        }
    }
}

impl Driver {
    /// Takes a checkpoint if one is due: between two advances, with everything handed on.
    pub(super) fn keep(&mut self) {
        if !self.keeper.as_mut().is_some_and(Keeper::is_due) {
            return;
        }
        let began = self.clock.monotonic();
        let (cut, places) = (self.session.cut(), self.all_places());
        let pause = self.clock.monotonic().saturating_sub(began);
        if let Some(keeper) = &mut self.keeper {
            keeper.keep(cut, places, pause);
        }
    }

    /// How far each of the session's partitions was read, in its order.
    pub(super) fn all_places(&self) -> Vec<Place> {
        let place = |name: &(String, u32)| {
            let feed = self.feeds.iter().find(|feed| feed.source == name.0 && feed.lanes.contains_key(&name.1));
            Place {
                source: name.0.clone(),
                partition: name.1,
                position: self.places.get(name).cloned(),
                ended: feed.is_none_or(|feed| feed.ended),
                open: self.session.open_of(&name.0, name.1),
            }
        };
        self.session.partitions().iter().map(place).collect()
    }

    /// Gives lines and letters to the sinks.
    pub(super) fn hand_on(&mut self) {
        self.hand_on_from(false);
    }

    /// The same, of lines that the wall clock brought about or that events did.
    pub(super) fn hand_on_from(&mut self, mut by_wall: bool) {
        if !self.lines.entries.is_empty() {
            let mut batches = [sink::Lines::new(), sink::Lines::new()];
            for (rule, place) in &self.lines.entries {
                let at = *rule as usize;
                let name = self.rules.get(at).map_or("", String::as_str);
                let line = self.lines.bytes.get(place.clone()).unwrap_or_default();
                let aside = usize::from(self.shadows.get(at) == Some(&true));
                batches
                    .get_mut(aside)
                    .into_iter()
                    .for_each(|batch| batch.push_with(name, |out| out.extend_from_slice(line)));
                by_wall |= self.by_arrival.get(at) == Some(&true);
            }
            self.lines.clear();
            for (batch, to) in batches.into_iter().zip([Aside::No, Aside::Yes]).filter(|(batch, _)| !batch.is_empty()) {
                let batch = Arc::new(batch);
                match &mut self.keeper {
                    Some(keeper) => keeper.hand_on(batch, to, by_wall),
                    None => self.outlets.of(to).iter().for_each(|outbox| outbox.push(&batch)),
                }
            }
        }
        for sample in self.letters.samples.drain(..) {
            tracing::warn!("{sample}");
        }
        let letters = [(&self.outlets.late, &mut self.letters.late), (&self.outlets.dead, &mut self.letters.dead)];
        for (outbox, letters) in letters {
            if let Some(outbox) = outbox.as_ref().filter(|_| !letters.is_empty()) {
                let mut batch = sink::Lines::new();
                for line in letters.split_inclusive(|byte| *byte == b'\n') {
                    batch.push_with("", |out| out.extend_from_slice(line));
                }
                outbox.push(&Arc::new(batch));
            }
            letters.clear();
        }
    }
}
