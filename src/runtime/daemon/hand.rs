//! What the driver hands on: alerts and letters to the sinks, cuts to who writes checkpoints.

use super::{driver::Driver, keeper::Keeper};
use crate::{engine::checkpoint::Place, io::sink};
use std::sync::Arc;

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
            }
        };
        self.session.partitions().iter().map(place).collect()
    }

    /// Gives lines and letters to the sinks.
    pub(super) fn hand_on(&mut self) {
        self.hand_on_from(false);
    }

    /// The same, of lines that the wall clock brought about or that events did.
    pub(super) fn hand_on_from(&mut self, by_wall: bool) {
        if !self.lines.entries.is_empty() {
            let mut batch = sink::Lines::new();
            for (rule, place) in &self.lines.entries {
                let name = self.rules.get(*rule as usize).map_or("", String::as_str);
                let line = self.lines.bytes.get(place.clone()).unwrap_or_default();
                batch.push_with(name, |out| out.extend_from_slice(line));
            }
            self.lines.clear();
            let batch = Arc::new(batch);
            match &mut self.keeper {
                Some(keeper) => keeper.hand_on(batch, by_wall),
                None => self.outlets.alerts.iter().for_each(|outbox| outbox.push(&batch)),
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
