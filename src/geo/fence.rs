//! Fences: shapes with an id and properties, and sets of them that tell which fences hold a position.

use thiserror::Error;

use super::border::Borders;
use super::index::Index;
use super::passage::Passed;
use super::way::Way;
use super::{Position, Shape};
use std::sync::OnceLock;

/// The most vertices that the fences of a set may have in all.
pub const MAX_SET_VERTICES: usize = 50_000_000;

/// The most fences of a set.
pub const MAX_SET_FENCES: usize = 1 << 24;

/// An index of no more words than this is in the processor's caches anyway.
const FEW_WORDS: usize = 1 << 16;

/// A value that a fence's property may have.
#[derive(Debug, Clone, PartialEq)]
pub enum Property {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number; finite.
    Float(f64),
    /// A text.
    Text(String),
}

/// When a fence is there: from the first instant to before the second, milliseconds since 1970. By default always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first instant.
    pub from_ms: i64,
    /// The first instant after it.
    pub to_ms: i64,
}

impl Validity {
    /// At all times.
    pub const ALWAYS: Self = Self { from_ms: i64::MIN, to_ms: i64::MAX };

    /// Whether it holds at an instant.
    #[inline]
    pub fn at(self, time_ms: i64) -> bool {
        self.from_ms <= time_ms && time_ms < self.to_ms
    }
}

impl Default for Validity {
    fn default() -> Self {
        Self::ALWAYS
    }
}

/// A named area with properties.
#[derive(Debug, Clone)]
pub struct Fence {
    /// The id, unique in its set.
    pub id: String,
    /// The properties in the order in which they were written; names are unique.
    pub properties: Vec<(String, Property)>,
    /// The area.
    pub shape: Shape,
    /// When it is there.
    pub valid: Validity,
}

/// A fence's number in its set. Fences are numbered in the order of their ids (by bytes), so the lowest id is the lowest
/// number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FenceIx(pub u32);

/// Fences by id, with an index by place. Immutable.
#[derive(Debug, Clone)]
pub struct FenceSet {
    // INVARIANT: ascending by id, no two the same.
    fences: Box<[Fence]>,
    index: Index,
    /// Whether any fence isn't there at some time.
    comes_and_goes: bool,
    /// Made when it is first asked which fence is nearest, or which lines are crossed.
    borders: OnceLock<Borders>,
}

/// Why fences are not a set.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FenceError {
    /// Two fences have the same id.
    #[error("there are two fences with the id `{0}`")]
    DuplicateId(String),
    /// More fences than the index can number.
    #[error("there are {given} fences, more than {limit}")]
    TooManyFences {
        /// How many there are.
        given: usize,
        /// How many there may be.
        limit: usize,
    },
    /// More vertices in all than the index can number.
    #[error("the fences have {given} positions in all, more than {limit}")]
    TooManyVertices {
        /// How many there are.
        given: usize,
        /// How many there may be.
        limit: usize,
    },
}

impl Fence {
    /// The value of a property.
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl FenceSet {
    /// A set of fences, in any order. Building the index takes some 0.1 ms per fence of a hundred vertices.
    ///
    /// # Errors
    /// An id that occurs twice; more than [`MAX_SET_FENCES`] fences or [`MAX_SET_VERTICES`] vertices in all.
    pub fn new(fences: Vec<Fence>) -> Result<Self, FenceError> {
        Self::of(fences, Index::new)
    }

    /// The same where most of the fences are this set's: what isn't near a fence that is new, gone or changed is taken over, so that one
    /// fence of ten thousand costs some milliseconds.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn edited(&self, fences: Vec<Fence>) -> Result<Self, FenceError> {
        Self::of(fences, |fences| self.index.edited(&self.fences, fences).unwrap_or_else(|| Index::new(fences)))
    }

    fn of(mut fences: Vec<Fence>, index: impl FnOnce(&[Fence]) -> Index) -> Result<Self, FenceError> {
        let given = fences.iter().map(|fence| fence.shape.vertex_count()).sum();
        if given > MAX_SET_VERTICES {
            return Err(FenceError::TooManyVertices { given, limit: MAX_SET_VERTICES });
        }
        if fences.len() > MAX_SET_FENCES {
            return Err(FenceError::TooManyFences { given: fences.len(), limit: MAX_SET_FENCES });
        }
        fences.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some(pair) = fences.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(FenceError::DuplicateId(pair[0].id.clone()));
        }
        let index = index(&fences);
        let comes_and_goes = fences.iter().any(|fence| fence.valid != Validity::ALWAYS);
        Ok(Self { fences: fences.into(), index, comes_and_goes, borders: OnceLock::new() })
    }

    /// The same as [`locate`](Self::locate), of the fences that are there at an instant (milliseconds since 1970).
    #[inline]
    pub fn locate_at(&self, position: Position, time_ms: i64, found: &mut Vec<FenceIx>) {
        self.locate(position, found);
        self.retain_at(time_ms, found);
    }

    /// Whether some fence isn't there at all times.
    #[inline]
    pub fn comes_and_goes(&self) -> bool {
        self.comes_and_goes
    }

    /// Takes out of `found` the fences that aren't there at an instant.
    #[inline]
    pub fn retain_at(&self, time_ms: i64, found: &mut Vec<FenceIx>) {
        if self.comes_and_goes {
            found.retain(|&fence| self.is_there(fence, time_ms));
        }
    }

    fn is_there(&self, fence: FenceIx, time_ms: i64) -> bool {
        self.get(fence).is_some_and(|fence| fence.valid.at(time_ms))
    }

    fn borders(&self) -> &Borders {
        let edges = || (0u32..).zip(&self.fences).flat_map(|(number, fence)| fence.shape.edges_of(number));
        self.borders.get_or_init(|| Borders::new(edges()))
    }

    /// The fence nearest to a position at an instant, and the geodesic distance to it in metres: 0 inside of a fence, else that to the
    /// nearest point of its border or lines. Of several as near the one with the lowest id.
    pub fn nearest_at(&self, position: Position, time_ms: i64) -> Option<(FenceIx, f64)> {
        let mut found = Vec::new();
        self.locate_at(position, time_ms, &mut found);
        if let Some(&inside) = found.first() {
            return Some((inside, 0.0));
        }
        let there = |fence: u32| !self.comes_and_goes || self.is_there(FenceIx(fence), time_ms);
        self.borders().nearest(position, there).map(|(fence, metres)| (FenceIx(fence), metres))
    }

    /// The lines that the way between two positions crosses at an instant, and whether to the left of the line, seen along it; ascending.
    /// The way is the shorter one, straight in longitude and latitude.
    pub fn crossed_at(&self, from: Position, to: Position, time_ms: i64) -> Vec<(FenceIx, bool)> {
        let crossed = self.borders().crossed(from, to).into_iter();
        crossed
            .map(|line| (FenceIx(line.owner), line.to_left))
            .filter(|&(line, _)| self.is_there(line, time_ms))
            .collect()
    }

    /// The fences of an instant that a way goes into or out of between two positions, ascending, each with where it does.
    pub fn passed_at(&self, way: &Way, ends: (Position, Position), time_ms: i64) -> Vec<Passed> {
        let mut found = Vec::new();
        self.index.along(way, &mut found);
        let there = found.into_iter().map(FenceIx).filter(|&fence| self.is_there(fence, time_ms));
        let passed = there.filter_map(|fence| {
            let (starts_inside, turns) = self.get(fence)?.shape.passages(way, ends);
            (!turns.is_empty()).then_some(Passed { fence, starts_inside, turns })
        });
        passed.collect()
    }

    /// Puts into `found`, in place of what it holds, every fence that contains the position, ascending.
    ///
    /// The answer is that of [`Shape::contains`] for each fence; the cost doesn't depend on how many there are elsewhere.
    #[inline]
    pub fn locate(&self, position: Position, found: &mut Vec<FenceIx>) {
        self.index.locate(&self.fences, position, found);
    }

    /// Locates many positions: calls `each` with the index of each position, in order, and the fences that contain it,
    /// ascending. `found` is lent as a buffer. Where fences are so many that they don't fit the processor's caches this is
    /// about twice as fast as [`locate`](Self::locate) for each.
    pub fn locate_each(&self, positions: &[Position], found: &mut Vec<FenceIx>, each: impl FnMut(usize, &[FenceIx])) {
        self.index.locate_each(&self.fences, positions, found, each);
    }

    /// Fetches from memory what [`locate`](Self::locate) will look at for these positions, side by side; changes nothing.
    pub fn fetch(&self, positions: &[Position]) {
        if self.index.words() > FEW_WORDS {
            self.index.fetch(positions);
        }
    }

    /// Whether one fence contains the position. A number that isn't in the set contains nothing.
    pub fn contains(&self, fence: FenceIx, position: Position) -> bool {
        self.get(fence).is_some_and(|fence| fence.shape.contains(position))
    }

    /// A fence by number.
    pub fn get(&self, fence: FenceIx) -> Option<&Fence> {
        self.fences.get(fence.0 as usize)
    }

    /// A fence's number by id.
    pub fn find(&self, id: &str) -> Option<FenceIx> {
        self.fences.binary_search_by(|fence| fence.id.as_str().cmp(id)).ok().map(|i| FenceIx(i as u32))
    }

    /// The fences in the order of their numbers, that is, of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (FenceIx, &Fence)> {
        self.fences.iter().enumerate().map(|(i, fence)| (FenceIx(i as u32), fence))
    }

    /// How many fences there are.
    pub fn len(&self) -> usize {
        self.fences.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.fences.is_empty()
    }

    /// The memory it takes, in bytes, about: shapes, properties and index.
    pub fn bytes(&self) -> usize {
        let text = |value: &Property| if let Property::Text(text) = value { text.len() } else { 0 };
        let own = |fence: &Fence| {
            let properties = fence.properties.iter();
            let properties =
                properties.map(|(k, v)| size_of::<(String, Property)>() + k.len() + text(v)).sum::<usize>();
            size_of::<Fence>() - size_of::<Shape>() + fence.id.len() + properties + fence.shape.bytes()
        };
        size_of::<Self>() + self.fences.iter().map(own).sum::<usize>() + self.index.bytes()
    }

    #[cfg(test)]
    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// The memory that the index alone takes, in bytes.
    pub fn index_bytes(&self) -> usize {
        self.index.bytes()
    }
}
