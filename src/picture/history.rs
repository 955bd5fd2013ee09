//! Regions over time: what was said at each tick, and which regions there are then.

use super::{
    notice::Notice,
    shape::{Polygon, RegionShape},
};
use crate::model::TimeMs;
use std::collections::BTreeMap;

/// What one rule said of its regions, by tick.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The rule's name, or whatever the pictures are of.
    pub title: String,
    ticks: Vec<(TimeMs, Vec<RegionShape>)>,
    ticks_max: usize,
    left_out: usize,
    /// The first tick that was left out, and the last.
    not_kept: Option<(TimeMs, TimeMs)>,
    notices: Vec<Notice>,
    notices_left_out: usize,
}

/// At most so many alerts are kept.
const NOTICES_MAX: usize = 2_000;

/// One region in a scene.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// How it is, or was last.
    pub shape: &'a RegionShape,
    /// How it was at the tick before, if it was there.
    pub before: Option<&'a RegionShape>,
    /// Whether something was said of it at this tick; if not, it goes on as it was.
    pub is_news: bool,
}

/// The regions at one tick, those that end at it too, in order of their ids.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The tick.
    pub tick_ms: TimeMs,
    /// The regions.
    pub entries: Vec<Entry<'a>>,
}

impl History {
    /// An empty history that keeps at most so many ticks: the first ones.
    pub fn new(title: &str, ticks_max: usize) -> Self {
        Self { title: title.to_owned(), ticks_max, ..Self::default() }
    }

    /// Adds what was said of a region. Ticks ascend.
    pub fn add(&mut self, shape: RegionShape) {
        let has_room = self.ticks.len() < self.ticks_max;
        match self.ticks.last_mut() {
            Some((tick, shapes)) if *tick == shape.tick_ms => shapes.push(shape),
            _ if has_room => self.ticks.push((shape.tick_ms, vec![shape])),
            _ if self.not_kept.is_none_or(|(_, last)| last != shape.tick_ms) => {
                self.left_out += 1;
                let first = self.not_kept.map_or(shape.tick_ms, |(first, _)| first);
                self.not_kept = Some((first, shape.tick_ms));
            }
            _ => {}
        }
    }

    /// Adds an alert about a region.
    pub fn tell(&mut self, notice: Notice) {
        if self.notices.len() < NOTICES_MAX {
            self.notices.push(notice);
        } else {
            self.notices_left_out += 1;
        }
    }

    /// The alerts before the first tick that is left out, by time, and how many more there were.
    pub fn notices(&self) -> (Vec<&Notice>, usize) {
        let is_kept = |notice: &&Notice| self.not_kept.is_none_or(|(first, _)| notice.at_ms < first);
        let mut kept: Vec<&Notice> = self.notices.iter().filter(is_kept).collect();
        kept.sort();
        let left_out = self.notices.len() - kept.len() + self.notices_left_out;
        (kept, left_out)
    }

    /// The alerts from a tick, by its number, to the next.
    pub fn notices_at(&self, tick: usize) -> Vec<&Notice> {
        let tick_ms = |at: usize| self.ticks.get(at).map(|(tick_ms, _)| *tick_ms);
        let (Some(from), to) = (tick_ms(tick), tick_ms(tick + 1)) else { return Vec::new() };
        let (mut kept, _) = self.notices();
        kept.retain(|notice| notice.at_ms >= from && to.is_none_or(|to| notice.at_ms < to));
        kept
    }

    /// What a region looked like when it was last told of; nothing for one that never was.
    pub fn last_polygons(&self, id: &str) -> Vec<Polygon> {
        let mut said = self.ticks.iter().rev().flat_map(|(_, shapes)| shapes);
        said.find(|shape| shape.id == id).map(|shape| shape.polygons.clone()).unwrap_or_default()
    }

    /// How many ticks came after those that are kept.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.ticks.is_empty()
    }

    /// All that was said, by tick.
    pub fn ticks(&self) -> &[(TimeMs, Vec<RegionShape>)] {
        &self.ticks
    }

    /// Everything that was said of any region.
    pub fn shapes(&self) -> impl Iterator<Item = &RegionShape> {
        self.ticks.iter().flat_map(|(_, shapes)| shapes)
    }

    /// The regions at each tick: those of which something is said, and those that go on.
    pub fn scenes(&self) -> Vec<Scene<'_>> {
        let mut alive: BTreeMap<&str, &RegionShape> = BTreeMap::new();
        let mut scenes = Vec::with_capacity(self.ticks.len());
        for (tick_ms, shapes) in &self.ticks {
            let said: BTreeMap<&str, &RegionShape> = shapes.iter().map(|shape| (shape.id.as_str(), shape)).collect();
            let going_on = alive.iter().filter(|(id, _)| !said.contains_key(*id));
            let mut entries: Vec<Entry<'_>> =
                going_on.map(|(_, shape)| Entry { shape, before: Some(shape), is_news: false }).collect();
            entries.extend(said.iter().map(|(id, shape)| Entry {
                shape,
                before: alive.get(id).copied(),
                is_news: true,
            }));
            entries.sort_by(|a, b| a.shape.id.cmp(&b.shape.id));
            scenes.push(Scene { tick_ms: *tick_ms, entries });
            for (id, shape) in said {
                if shape.has_ended {
                    alive.remove(id);
                } else {
                    alive.insert(id, shape);
                }
            }
        }
        scenes
    }
}
