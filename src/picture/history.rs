//! Regions over time: what was said at each tick, and which regions there are then.

use super::shape::{Polygon, RegionShape};
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
    last_left_out: Option<TimeMs>,
}

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
            _ if self.last_left_out != Some(shape.tick_ms) => {
                self.left_out += 1;
                self.last_left_out = Some(shape.tick_ms);
            }
            _ => {}
        }
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
