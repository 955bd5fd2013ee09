//! The index of a set of which some fences are others: what they don't touch stays as it is.
//!
//! The words of the index are copied, which costs no more than reading them. Then the cells of the grid that a changed fence touches, as it
//! was or as it is, are made anew of all fences there; their old lists stay where they are, unused, until there are so many of them that all is
//! made anew. If fences have come or gone, others have new numbers, and these are written on the way.

use super::fence::Fence;
use super::index::{FENCE, Index, LIST_COUNT, NODE, Node, ONE, UNIT_BITS, UP, VERTICES_MANY, VERTICES_SHIFT};
use super::index_build::Builder;
use super::index_place::{Area, frames};
use super::shape::Shape;
use std::cmp::Ordering;

/// At least so many changes are made one by one; and one for so many fences.
const CHANGES: usize = 16;
const FENCES_PER_CHANGE: usize = 64;
/// Cells that are made anew are at most one in so many, and some more.
const CELLS_PER_EDITED: usize = 8;
const CELLS_AT_LEAST: usize = 4_096;
/// Words that a small index may grow by.
const WORDS_AT_LEAST: usize = 1 << 14;

/// What is different in another set.
struct Changes {
    /// The new number of each old fence; 0 for those that are gone.
    numbers: Vec<u32>,
    /// Where something was that isn't there any more, or is now that wasn't: west, south, east, north.
    boxes: Vec<[f64; 4]>,
}

impl Changes {
    /// Both are in the order of their ids.
    fn between(old: &[Fence], new: &[Fence]) -> Self {
        let mut changes = Self { numbers: Vec::with_capacity(old.len()), boxes: Vec::new() };
        let (mut left, mut right) = (old.iter().peekable(), (0..).zip(new).peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => return changes,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some((_, new))) => old.id.cmp(&new.id),
            };
            let old = if order.is_le() { left.next() } else { None };
            let new = if order.is_ge() { right.next() } else { None };
            if old.is_some() {
                changes.numbers.push(new.map_or(0, |(number, _)| number));
            }
            let (old, new) = (old.map(|old| &old.shape), new.map(|(_, new)| &new.shape));
            if old.zip(new).is_none_or(|(old, new)| old.parts() != new.parts()) {
                [old, new].into_iter().flatten().for_each(|shape| changes.boxes.extend(boxes(shape)));
            }
        }
    }
}

fn boxes(shape: &Shape) -> impl Iterator<Item = [f64; 4]> {
    shape.parts().iter().flat_map(frames).map(|(_, bounds)| bounds)
}

impl Index {
    /// The index of other fences, of this one for the old ones; none where it is as well made anew. Both are in the order of their ids.
    pub(super) fn edited(&self, old: &[Fence], new: &[Fence]) -> Option<Self> {
        let Changes { numbers, boxes } = Changes::between(old, new);
        if boxes.len() > CHANGES + old.len() / FENCES_PER_CHANGE || self.words() > 2 * self.built_words + WORDS_AT_LEAST
        {
            return None;
        }
        let areas = boxes.iter().map(|bounds| self.area(*bounds)).collect::<Option<Vec<_>>>()?;
        let cells: usize = areas.iter().map(|area| area.columns.len() * area.rows.len()).sum();
        if cells > CELLS_AT_LEAST + self.top.len() / CELLS_PER_EDITED {
            return None;
        }
        let mut index = self.roomy();
        if numbers.iter().zip(0..).any(|(new, old)| *new != old) {
            index.renumber(&numbers);
        }
        index.repeats |= new.iter().any(|fence| fence.shape.parts().iter().flat_map(frames).nth(1).is_some());
        Some(areas.into_iter().fold(index, |index, area| index.with_area_of(area, new)))
    }

    /// A copy, with some room for more.
    fn roomy(&self) -> Self {
        fn roomy<T: Copy>(words: &[T]) -> Vec<T> {
            let mut copy = Vec::with_capacity(words.len() + words.len() / 32 + 1_024);
            copy.extend_from_slice(words);
            copy
        }
        Self { nodes: roomy(&self.nodes), lists: roomy(&self.lists), top: self.top.clone(), ..*self }
    }

    /// The cells of the grid that a box touches, and one more on each side; none if it isn't within the index.
    fn area(&self, [west, south, east, north]: [f64; 4]) -> Option<Area> {
        if !(west >= self.west && east <= self.east && south >= self.south && north <= self.north) {
            return None;
        }
        let side = 1u32 << self.top_bits;
        let cells = |low: f64, high: f64, units: f64| {
            let cell =
                |degrees: f64| ((degrees * units) as u64 >> (UNIT_BITS - self.top_bits)).min(u64::from(side)) as u32;
            cell(low).saturating_sub(1)..(cell(high) + 2).min(side)
        };
        let columns = cells(west - self.west, east - self.west, self.units_per_lon);
        Some(Area { columns, rows: cells(south - self.south, north - self.south, self.units_per_lat) })
    }

    /// The same with these cells made anew.
    fn with_area_of(mut self, area: Area, fences: &[Fence]) -> Self {
        for row in area.rows.clone() {
            let start = 1 + ((row << self.top_bits) | area.columns.start) as usize;
            self.top[start..][..area.columns.len()].fill(0);
        }
        // Fences that are next to it do no harm, and none that is in it may be missed: a cell more on each side.
        let degrees = |cell: f64, low: f64, high: f64| low + cell * (high - low) / f64::from(1u32 << self.top_bits);
        let lon = |cell: f64| degrees(cell, self.west, self.east);
        let lat = |cell: f64| degrees(cell, self.south, self.north);
        let (west, east) = (lon(f64::from(area.columns.start) - 1.0), lon(f64::from(area.columns.end) + 1.0));
        let (south, north) = (lat(f64::from(area.rows.start) - 1.0), lat(f64::from(area.rows.end) + 1.0));
        let mut builder = Builder::of(self, area);
        for (number, fence) in (0..).zip(fences) {
            builder.add(number, fence, |[w, s, e, n]| w <= east && e >= west && s <= north && n >= south);
        }
        builder.run();
        builder.index
    }

    /// Gives fences other numbers, in the same order.
    fn renumber(&mut self, numbers: &[u32]) {
        let new = |word: u32| (word & !FENCE) | numbers.get((word & FENCE) as usize).copied().unwrap_or(0);
        let nodes = self.nodes.iter_mut().flat_map(|Node(cells)| cells);
        for cell in self.top.iter_mut().chain(nodes).filter(|cell| **cell & (NODE | ONE) == ONE) {
            *cell = new(*cell);
        }
        // Lists lie one after the other; the first word is none.
        let mut at = 1;
        while let Some(&head) = self.lists.get(at) {
            at += if head & UP == 0 { 1 } else { 2 };
            for _ in 0..head & LIST_COUNT {
                let Some(entry) = self.lists.get_mut(at) else { return };
                *entry = new(*entry);
                at += match *entry >> VERTICES_SHIFT {
                    VERTICES_MANY => 2 + self.lists.get(at + 1).map_or(0, |&count| count as usize),
                    count => 1 + count as usize,
                };
            }
        }
    }
}
