//! Values at run time.

use super::{Text, TimeMs};
use crate::geo::{Cell, FenceIx, Polygons, Position, Property};
use std::{cmp::Ordering, sync::Arc};

/// One geofence: which set (an index into the world's fence sets) and which fence of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FenceRef {
    /// Index of the fence set in the program's world.
    pub set: u16,
    /// The fence in that set; indices ascend with ids.
    pub fence: FenceIx,
}

/// Several fences of one set, ascending, without a duplicate. Up to three are held in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fences {
    /// At most three.
    Few {
        /// Index of the fence set.
        set: u16,
        /// How many of `ix` count.
        len: u8,
        /// The fences; those past `len` are zero.
        ix: [u32; 3],
    },
    /// More than three.
    Many(Arc<(u16, Vec<u32>)>),
}

impl Fences {
    /// The fences `ix` of `set`, which ascend.
    pub fn new(set: u16, fences: &[FenceIx]) -> Self {
        let mut ix = [0; 3];
        match ix.get_mut(..fences.len()) {
            Some(place) => {
                for (to, from) in place.iter_mut().zip(fences) {
                    *to = from.0;
                }
                Self::Few { set, len: fences.len() as u8, ix }
            }
            None => Self::Many(Arc::new((set, fences.iter().map(|fence| fence.0).collect()))),
        }
    }

    /// The set that they are of.
    pub fn set(&self) -> u16 {
        match self {
            Self::Few { set, .. } => *set,
            Self::Many(many) => many.0,
        }
    }

    /// Their indices, ascending.
    pub fn as_slice(&self) -> &[u32] {
        match self {
            Self::Few { len, ix, .. } => ix.get(..usize::from(*len)).unwrap_or(ix),
            Self::Many(many) => &many.1,
        }
    }

    /// Those that are not in `other`; with `other` absent, all.
    pub fn minus(&self, other: Option<&Fences>) -> Fences {
        let other = other.map_or(&[][..], Fences::as_slice);
        let rest: Vec<FenceIx> =
            self.as_slice().iter().filter(|ix| other.binary_search(ix).is_err()).map(|&ix| FenceIx(ix)).collect();
        Fences::new(self.set(), &rest)
    }

    /// Those of both.
    pub fn plus(&self, other: &Fences) -> Fences {
        let mut all: Vec<FenceIx> = self.as_slice().iter().chain(other.as_slice()).map(|&ix| FenceIx(ix)).collect();
        all.sort_unstable();
        all.dedup();
        Fences::new(self.set(), &all)
    }

    /// The one with the lowest id.
    pub fn lowest(&self) -> Option<FenceRef> {
        self.as_slice().first().map(|&ix| FenceRef { set: self.set(), fence: FenceIx(ix) })
    }
}

/// A value of a field or an expression.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Absent or unknown.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number, in the unit that its type says.
    Float(f64),
    /// Text.
    Text(Text),
    /// An instant.
    Time(TimeMs),
    /// A span of time.
    Duration(TimeMs),
    /// A position.
    Point(Position),
    /// An H3 cell.
    Cell(Cell),
    /// A geofence.
    Fence(FenceRef),
    /// Geofences of one set.
    Fences(Fences),
    /// Several values.
    List(Arc<Vec<Value>>),
    /// Polygons.
    Geometry(Arc<Polygons>),
}

// Rows of values are copied on the hot path: growth is a decision.
const _: () = assert!(size_of::<Value>() == 24);

impl Value {
    /// Whether it has nothing to give back when it goes.
    #[inline]
    fn is_flat(&self) -> bool {
        match self {
            Self::Text(text) => text.is_inline(),
            Self::Fences(fences) => matches!(fences, Fences::Few { .. }),
            Self::List(_) | Self::Geometry(_) => false,
            _ => true,
        }
    }

    /// Drops it. Most values have nothing to give back; here that is seen without a call, which counts where rows are many.
    #[inline]
    pub(crate) fn discard(self) {
        if self.is_flat() {
            std::mem::forget(self);
        }
    }

    /// Becomes a copy of another value, in place.
    #[inline]
    pub(crate) fn become_copy(&mut self, of: &Self) {
        let copy = match of {
            // Numbers and positions are most of what is kept of events.
            Self::Float(x) => Self::Float(*x),
            Self::Point(position) => Self::Point(*position),
            other => other.clone(),
        };
        std::mem::replace(self, copy).discard();
    }

    /// Text from a string slice.
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// As a number: ints, floats, and the milliseconds of times and durations.
    #[inline]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Float(x) => Some(*x),
            Self::Int(x) | Self::Time(x) | Self::Duration(x) => Some(*x as f64),
            _ => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The order of two values of one kind (ints and floats are one kind); `None` for null and for unlike kinds.
    pub fn compare(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) | (Self::Time(a), Self::Time(b)) | (Self::Duration(a), Self::Duration(b)) => {
                Some(a.cmp(b))
            }
            (Self::Int(_) | Self::Float(_), Self::Int(_) | Self::Float(_)) => {
                self.number()?.partial_cmp(&other.number()?)
            }
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Cell(a), Self::Cell(b)) => Some(a.cmp(b)),
            (Self::Fence(a), Self::Fence(b)) => Some(a.cmp(b)),
            (Self::Point(_), Self::Point(_))
            | (Self::Fences(_), Self::Fences(_))
            | (Self::List(_), Self::List(_))
            | (Self::Geometry(_), Self::Geometry(_)) => (self == other).then_some(Ordering::Equal),
            _ => None,
        }
    }

    /// Bytes on the heap that this value holds on to.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.heap_bytes(),
            Self::Fences(Fences::Many(many)) => 48 + many.1.len() * 4,
            Self::List(list) => 48 + list.iter().map(|value| 24 + value.heap_bytes()).sum::<usize>(),
            Self::Geometry(polygons) => 64 + polygons.corners() * 16,
            _ => 0,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    /// A number that is not finite is no measurement: it becomes null.
    fn from(value: f64) -> Self {
        if value.is_finite() { Self::Float(value) } else { Self::Null }
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<&Property> for Value {
    fn from(property: &Property) -> Self {
        match property {
            Property::Null => Self::Null,
            Property::Bool(value) => Self::Bool(*value),
            Property::Int(value) => Self::Int(*value),
            Property::Float(value) => Self::Float(*value),
            Property::Text(value) => Self::text(value),
        }
    }
}
