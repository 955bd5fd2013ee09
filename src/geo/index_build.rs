//! Builds the index: splits cells, level by level, until each has little to test or memory has reached its bound.
//!
//! Cells are widened by [`SLACK_DEG`] when edges are sorted into them, which is far more than the rounding of the sorting
//! itself, so an edge that passes through a cell is never missed; one that is kept needlessly does no harm.

use std::collections::VecDeque;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

use super::edge::Edge;
use super::fence::Fence;
use super::index::{
    BASE, CELLS, Index, LEVEL_SHIFT, LIST_COUNT, NODE, Node, ONE, SIDE_BITS, STEP_BITS, TEST, UNIT_BITS, UP,
    VERTICES_MANY, VERTICES_SHIFT,
};
use super::index_place::{Area, Content, Item, Live, Pending, Place, Slot, frames};
use super::leaf_grid::{LeafGrid, Rect, Segment, chain};

const SIDE: usize = 1 << SIDE_BITS;
const SLACK_DEG: f64 = 1e-9;
/// A cell is not split below this size.
const SMALLEST_CELL_DEG: f64 = 1e-7;
const MOST_LEVELS: u32 = 12;
/// A leaf with no more words than this to test is not split.
const LEAF_WORDS: usize = 12;
/// The grid has at most so many cells for each edge, and at least a sixteenth of that: most leaves are its cells, without a node.
const CELLS_PER_EDGE: usize = 2;
/// A grid of 2¹² cells per side would be 64 MiB.
const TOP_LEVELS_MOST: u32 = 5;
/// So many fences that contain a node are listed in its leaves instead, where a look-up finds them at no further cost.
const MOST_HANDED_DOWN: usize = 8;
/// Splitting stops when the lists have so many words per edge, and some for a start.
const WORDS_PER_EDGE: usize = 8;
const WORDS_AT_LEAST: usize = 1 << 16;
/// Vertices and heads included, lists then stay below what a cell can say.
const WORDS_AT_MOST: usize = 1 << 28;

pub(super) struct Builder {
    items: Vec<Item>,
    edges: Vec<Edge>,
    pub(super) index: Index,
    /// What is built: cells of the grid.
    area: Area,
    levels: u32,
    /// Words of the contents of pending nodes: they will be lists too.
    pending_words: usize,
    most_words: usize,
    /// Lists of fences without a test, to be shared by the leaves that have the same.
    known: HashMap<(u32, Vec<u32>), u32, FxBuildHasher>,
    segments: Vec<Segment>,
    vertices: Vec<u32>,
}

/// An edge that lies east of the columns before `columns`: its ends, as far as they are in the row.
struct East {
    columns: usize,
    lo: f64,
    hi: f64,
}

pub(super) fn build(fences: &[Fence]) -> Index {
    let mut builder = Builder::new(fences);
    builder.run();
    let mut index = builder.index;
    index.nodes.shrink_to_fit();
    index.lists.shrink_to_fit();
    index.built_words = index.words();
    index
}

impl Builder {
    fn new(fences: &[Fence]) -> Self {
        let (mut items, mut repeats) = (0, false);
        let mut bounds = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
        for fence in fences {
            let frames: SmallVec<[_; 2]> = fence.shape.parts().iter().flat_map(frames).collect();
            items += frames.len();
            repeats |= frames.len() > 1;
            for (_, [west, south, east, north]) in frames {
                bounds = [bounds[0].min(west), bounds[1].min(south), bounds[2].max(east), bounds[3].max(north)];
            }
        }
        let [west, south, east, north] = bounds;
        let units = (1u64 << UNIT_BITS) as f64;
        let index = Index {
            west,
            south,
            east,
            north,
            units_per_lon: units / (east - west),
            units_per_lat: units / (north - south),
            top_bits: 0,
            top: Vec::new(),
            nodes: Vec::new(),
            // A list is never at 0, which stands for none.
            lists: vec![0],
            repeats,
            room_words: 0,
            built_words: 0,
        };
        let mut builder = Self::of(index, Area { columns: 0..0, rows: 0..0 });
        builder.items.reserve(items);
        (0..).zip(fences).for_each(|(number, fence)| builder.add(number, fence, |_| true));
        let edges = builder.edges.len();
        let top_levels = (CELLS_PER_EDGE * edges.max(1)).ilog2() / (2 * SIDE_BITS);
        let top_bits = SIDE_BITS * top_levels.min(builder.levels).min(TOP_LEVELS_MOST);
        builder.area = Area { columns: 0..1 << top_bits, rows: 0..1 << top_bits };
        builder.index.top_bits = top_bits;
        // The first cell stands for what is outside of the grid.
        builder.index.top = vec![0; 1 + (1 << (2 * top_bits))];
        builder.index.room_words = (WORDS_AT_LEAST + WORDS_PER_EDGE * edges).min(WORDS_AT_MOST);
        builder.most_words = builder.index.room_words;
        builder
    }

    /// For some of the cells of an index, whose lists then may have as many words again as a new one's.
    pub(super) fn of(index: Index, area: Area) -> Self {
        let smallest = (index.east - index.west).min(index.north - index.south).max(SMALLEST_CELL_DEG);
        let levels = ((smallest / SMALLEST_CELL_DEG).log2() / f64::from(SIDE_BITS)) as u32;
        Self {
            items: Vec::new(),
            edges: Vec::new(),
            area,
            levels: levels.clamp(1, MOST_LEVELS),
            pending_words: 0,
            most_words: (index.lists.len() + index.room_words).min(WORDS_AT_MOST),
            index,
            known: HashMap::default(),
            segments: Vec::new(),
            vertices: Vec::new(),
        }
    }

    /// Adds a fence's polygons where their box is wanted; fences come in the order of their numbers.
    pub(super) fn add(&mut self, fence: u32, of: &Fence, wanted: impl Fn([f64; 4]) -> bool) {
        for part in of.shape.parts() {
            let first_edge = self.edges.len() as u32;
            let wanted: SmallVec<[bool; 2]> =
                frames(part).filter(|(_, bounds)| wanted(*bounds)).map(|(shifted, _)| shifted).collect();
            if wanted.is_empty() {
                continue;
            }
            // The ray never meets horizontal edges.
            self.edges.extend(part.edges().filter(|edge| edge.y_lo < edge.y_hi));
            let end_edge = self.edges.len() as u32;
            self.items.extend(wanted.into_iter().map(|shifted| Item { fence, shifted, first_edge, end_edge }));
        }
    }

    /// Fills the cells of the area, which are empty, with what was added.
    pub(super) fn run(&mut self) {
        let mut queue = VecDeque::new();
        if !self.items.is_empty() {
            let content = self.everything();
            self.pending_words = content.words();
            let place = Place { slot: Slot::Top, level: 0, column: 0, row: 0 };
            queue.push_back(Pending { place, content, up: 0 });
        }
        while let Some(pending) = queue.pop_front() {
            self.pending_words -= pending.content.words();
            self.split(&pending, &mut queue);
        }
    }

    fn everything(&self) -> Content {
        let mut content = Content::default();
        for (number, item) in (0u32..).zip(&self.items) {
            content.edges.extend(item.first_edge..item.end_edge);
            content.live.push(Live { item: number, base: false, edges_end: content.edges.len(), toggles_end: 0 });
        }
        content
    }

    /// Makes cells of the cell, or a leaf if they would take more memory than there is.
    fn split(&mut self, pending: &Pending, queue: &mut VecDeque<Pending>) {
        let Pending { place, content, up } = pending;
        let mut up = *up;
        let rows: [_; SIDE] = std::array::from_fn(|row| self.split_row(place, content, row));
        let words: usize = rows.iter().flatten().map(Content::words).sum();
        let fits = self.index.lists.len() + self.pending_words + words <= self.most_words;
        if place.level > 0 && !fits {
            return self.finish(*place, content, up);
        }
        let level = place.level + 1;
        let node = (SIDE_BITS * level > self.index.top_bits).then(|| {
            let node = self.index.nodes.len();
            self.set(*place, NODE | node as u32);
            self.index.nodes.push(Node([0; CELLS]));
            node
        });
        let handed_down = if content.inside.len() <= MOST_HANDED_DOWN {
            content.inside.as_slice()
        } else {
            up = self.add_plain_list(content.inside.clone(), up);
            &[]
        };
        for (cell, mut content) in rows.into_iter().flatten().enumerate() {
            if !handed_down.is_empty() {
                content.inside.extend_from_slice(handed_down);
                content.inside.sort_unstable();
            }
            let slot = node.map_or(Slot::Top, |node| Slot::Node(node, cell));
            let column = place.column * SIDE as u32 + (cell % SIDE) as u32;
            let row = place.row * SIDE as u32 + (cell / SIDE) as u32;
            let place = Place { slot, level, column, row };
            if node.is_none() && self.cells(&place).and(&self.area).is_empty() {
                continue;
            }
            let words = content.words();
            if words <= LEAF_WORDS || level >= self.levels {
                self.finish(place, &content, up);
                continue;
            }
            self.pending_words += words;
            queue.push_back(Pending { place, content, up });
        }
    }

    /// Makes a leaf of a cell.
    fn finish(&mut self, place: Place, content: &Content, up: u32) {
        let cell = match (content.live.as_slice(), content.inside.as_slice()) {
            ([], []) => up,
            ([], &[fence]) if up == 0 => ONE | fence,
            ([], inside) => self.add_plain_list(inside.to_vec(), up),
            _ => self.add_list(content, &place, up),
        };
        if cell != 0 {
            self.set(place, cell);
        }
    }

    fn set(&mut self, place: Place, cell: u32) {
        match place.slot {
            Slot::Node(node, at) => self.index.nodes[node].0[at] = cell,
            Slot::Top => {
                let Area { columns, rows } = self.cells(&place).and(&self.area);
                for row in rows {
                    let start = 1 + ((row << self.index.top_bits) | columns.start) as usize;
                    self.index.top[start..][..columns.len()].fill(cell);
                }
            }
        }
    }

    /// The grid's cells at a place that is not within one.
    fn cells(&self, place: &Place) -> Area {
        let bits = self.index.top_bits - SIDE_BITS * place.level;
        let range = |at: u32| at << bits..(at + 1) << bits;
        Area { columns: range(place.column), rows: range(place.row) }
    }

    /// The place of a cell of a level: that of the root's children is 1.
    fn rect(&self, level: u32, column: u32, row: u32) -> Rect {
        let cells = f64::from(1u32 << (SIDE_BITS * level));
        let width = (self.index.east - self.index.west) / cells;
        let height = (self.index.north - self.index.south) / cells;
        let (west, south) = (self.index.west + f64::from(column) * width, self.index.south + f64::from(row) * height);
        Rect { west, south, width, height }
    }

    fn split_row(&self, place: &Place, content: &Content, row: usize) -> [Content; SIDE] {
        let (column, row) = (place.column * SIDE as u32, place.row * SIDE as u32 + row as u32);
        let Rect { west, south, width, height } = self.rect(place.level + 1, column, row);
        let (y_min, y_max) = (south - SLACK_DEG, south + height + SLACK_DEG);

        let mut children: [Content; SIDE] = Default::default();
        let mut inherited = Vec::new();
        let mut east = Vec::new();
        let mut toggles = Vec::new();
        let (mut edges_start, mut toggles_start) = (0, 0);
        for live in &content.live {
            let item = &self.items[live.item as usize];
            let frame = if item.shifted { 360.0 } else { 0.0 };
            let mut base = live.base;
            inherited.clear();
            for &toggle in &content.toggles[toggles_start..live.toggles_end] {
                if toggle < y_min {
                    base = !base;
                } else if toggle <= y_max {
                    inherited.push(toggle);
                }
            }
            east.clear();
            let edge_counts: [usize; SIDE] = std::array::from_fn(|column| children[column].edges.len());
            for &number in &content.edges[edges_start..live.edges_end] {
                let edge = self.edges[number as usize];
                if edge.y_hi < y_min || edge.y_lo > y_max {
                    continue;
                }
                let (a, b) = (edge.x_at(edge.y_lo.max(y_min)), edge.x_at(edge.y_hi.min(y_max)));
                let first = ((a.min(b) - frame - SLACK_DEG - west) / width).floor().clamp(0.0, SIDE as f64) as usize;
                let end =
                    (((a.max(b) - frame + SLACK_DEG - west) / width).floor() + 1.0).clamp(0.0, SIDE as f64) as usize;
                if first > 0 {
                    east.push(East { columns: first, lo: edge.y_lo, hi: edge.y_hi });
                }
                (first..end).for_each(|column| children[column].edges.push(number));
            }
            (edges_start, toggles_start) = (live.edges_end, live.toggles_end);
            for (column, child) in children.iter_mut().enumerate() {
                let mut base = base;
                toggles.clear();
                toggles.extend_from_slice(&inherited);
                for edge in east.iter().filter(|edge| edge.columns > column) {
                    base ^= edge.lo < y_min;
                    toggles.extend((edge.lo >= y_min).then_some(edge.lo));
                    toggles.extend((edge.hi <= y_max).then_some(edge.hi));
                }
                keep_odd(&mut toggles, &mut child.toggles);
                let toggles_before = child.live.last().map_or(0, |live| live.toggles_end);
                if child.edges.len() > edge_counts[column] || child.toggles.len() > toggles_before {
                    let (edges_end, toggles_end) = (child.edges.len(), child.toggles.len());
                    child.live.push(Live { item: live.item, base, edges_end, toggles_end });
                } else if base {
                    child.inside.push(item.fence);
                }
            }
        }
        children
    }

    /// Writes a leaf's list; where it is.
    fn add_list(&mut self, content: &Content, place: &Place, up: u32) -> u32 {
        let rect = self.rect(place.level, place.column, place.row);
        let below_step = UNIT_BITS - SIDE_BITS * place.level - STEP_BITS;
        let start = self.add_head(content.live.len() + content.inside.len(), below_step, up);
        let lists = &mut self.index.lists;
        let mut inside = content.inside.iter().copied().peekable();
        let (mut edges_start, mut toggles_start) = (0, 0);
        for live in &content.live {
            let item = &self.items[live.item as usize];
            while let Some(fence) = inside.next_if(|&fence| fence <= item.fence) {
                lists.push(fence);
            }
            let frame = if item.shifted { 360.0 } else { 0.0 };
            let grid = LeafGrid::new(rect, frame);
            self.segments.clear();
            for &number in &content.edges[edges_start..live.edges_end] {
                grid.cut(self.edges[number as usize], &mut self.segments);
            }
            for pair in content.toggles[toggles_start..live.toggles_end].chunks(2) {
                self.segments.push(grid.toggle(pair[0], pair.get(1).copied()));
            }
            self.vertices.clear();
            chain(&self.segments, &mut self.vertices);
            let entry = item.fence | TEST | if live.base { BASE } else { 0 };
            let count = self.vertices.len() as u32;
            lists.push(entry | count.min(VERTICES_MANY) << VERTICES_SHIFT);
            lists.extend((count >= VERTICES_MANY).then_some(count));
            lists.append(&mut self.vertices);
            (edges_start, toggles_start) = (live.edges_end, live.toggles_end);
        }
        lists.extend(inside);
        start
    }

    fn add_head(&mut self, entries: usize, below_step: u32, up: u32) -> u32 {
        let start = self.index.lists.len() as u32;
        let head = (entries as u32 & LIST_COUNT) | ((below_step / 2) << LEVEL_SHIFT);
        self.index.lists.push(if up == 0 { head } else { head | UP });
        self.index.lists.extend((up != 0).then_some(up));
        start
    }

    /// Writes a list of fences that need no test; where it is.
    fn add_plain_list(&mut self, fences: Vec<u32>, up: u32) -> u32 {
        let key = (up, fences);
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let start = self.add_head(key.1.len(), 0, up);
        self.index.lists.extend_from_slice(&key.1);
        self.known.insert(key, start);
        start
    }
}

/// Moves the values that occur an odd number of times, once each and ascending.
fn keep_odd(values: &mut [f64], kept: &mut Vec<f64>) {
    values.sort_unstable_by(f64::total_cmp);
    let start = kept.len();
    for &value in values.iter() {
        if kept.len() > start && kept.last() == Some(&value) {
            kept.pop();
        } else {
            kept.push(value);
        }
    }
}
