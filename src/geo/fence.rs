//! Fences: shapes with an id and properties, and sets of them that tell which fences hold a position.

use thiserror::Error;

use super::index::Index;
use super::{Position, Shape};

/// The most vertices that the fences of a set may have in all.
pub const MAX_SET_VERTICES: usize = 50_000_000;

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

/// A named area with properties.
#[derive(Debug, Clone)]
pub struct Fence {
    /// The id, unique in its set.
    pub id: String,
    /// The properties in the order in which they were written; names are unique.
    pub properties: Vec<(String, Property)>,
    /// The area.
    pub shape: Shape,
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
}

/// Why fences are not a set.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FenceError {
    /// Two fences have the same id.
    #[error("there are two fences with the id `{0}`")]
    DuplicateId(String),
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
    /// An id that occurs twice; more than [`MAX_SET_VERTICES`] vertices in all.
    pub fn new(mut fences: Vec<Fence>) -> Result<Self, FenceError> {
        let given = fences.iter().map(|fence| fence.shape.vertex_count()).sum();
        if given > MAX_SET_VERTICES {
            return Err(FenceError::TooManyVertices { given, limit: MAX_SET_VERTICES });
        }
        fences.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some(pair) = fences.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(FenceError::DuplicateId(pair[0].id.clone()));
        }
        let index = Index::new(&fences);
        Ok(Self { fences: fences.into(), index })
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
