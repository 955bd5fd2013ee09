//! What can be wrong with a shape's coordinates, and where.

use thiserror::Error;

use super::PositionError;

/// Where in a geometry's coordinates something is: shown as `coordinates[0][1][5]`, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The polygon, where the geometry is a multi-polygon.
    pub polygon: Option<usize>,
    /// The ring, where it concerns one; 0 is the shell.
    pub ring: Option<usize>,
    /// The position in the ring, where it concerns one.
    pub position: Option<usize>,
}

/// Why coordinates are not a shape.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ShapeError {
    /// A multi-polygon without a polygon.
    #[error("there is no polygon")]
    Empty,
    /// A polygon without a ring.
    #[error("the polygon at `{place}` has no ring")]
    NoRing {
        /// The polygon.
        place: Place,
    },
    /// A ring of fewer than four positions.
    #[error("the ring at `{place}` has {given} positions; it needs at least 4, the last the same as the first")]
    TooFewPositions {
        /// The ring.
        place: Place,
        /// How many positions it has.
        given: usize,
    },
    /// A line of fewer than two positions.
    #[error("the line at `{place}` has {given} position{}; it needs at least 2", if *given == 1 { "" } else { "s" })]
    ShortLine {
        /// The line.
        place: Place,
        /// How many positions it has.
        given: usize,
    },
    /// A corridor's width that is not positive, or more than 1,000 km.
    #[error("a corridor's width of `{0}` m is not between 0 and 1,000,000 m")]
    Width(f64),
    /// A ring whose last position is not its first.
    #[error(
        "the ring at `{place}` is not closed: it starts at {first:?} and ends at {last:?}; repeat the first position at the end"
    )]
    NotClosed {
        /// The ring.
        place: Place,
        /// Its first position, lon and lat.
        first: [f64; 2],
        /// Its last position.
        last: [f64; 2],
    },
    /// Numbers that are no position.
    #[error("at `{place}`: {source}")]
    Position {
        /// The position.
        place: Place,
        /// What is wrong with it.
        source: PositionError,
    },
    /// Two edges of one polygon cross.
    #[error("the edges that start at `{first}` and `{second}` cross at {at:?}")]
    SelfCrossing {
        /// The start of one edge.
        first: Place,
        /// The start of the other.
        second: Place,
        /// About where, lon and lat in degrees.
        at: [f64; 2],
    },
    /// A ring that encloses nothing, or a polygon that is all hole.
    #[error("the ring at `{place}` encloses no area")]
    NoArea {
        /// The ring.
        place: Place,
    },
    /// A ring that goes round a pole more than once.
    #[error("the ring at `{place}` goes round a pole more than once")]
    HoldsPole {
        /// The ring.
        place: Place,
    },
    /// A ring wider than the earth.
    #[error("the ring at `{place}` is more than 360 degrees wide")]
    TooWide {
        /// The ring.
        place: Place,
    },
    /// A hole that is not inside of its polygon's shell.
    #[error("the hole at `{place}` is not inside of its polygon")]
    HoleOutside {
        /// The hole.
        place: Place,
    },
    /// A hole in a hole.
    #[error("the hole at `{place}` is inside of the hole at `{outer}`; make it a polygon of its own")]
    NestedHole {
        /// The inner hole.
        place: Place,
        /// The outer hole.
        outer: Place,
    },
    /// More vertices than [`MAX_VERTICES`](super::MAX_VERTICES).
    #[error("the shape has {given} positions, more than {limit}")]
    TooManyVertices {
        /// How many it has.
        given: usize,
        /// How many it may have.
        limit: usize,
    },
    /// A circle's radius that is not positive, or more than 9,000 km.
    #[error("a circle's radius of `{0}` m is not between 0 and 9,000,000 m")]
    Radius(f64),
    /// Too few or too many corners for a circle.
    #[error("a circle of `{0}` corners is not between 3 and 10,000")]
    Corners(usize),
}

impl Place {
    pub(super) fn at(self, position: usize) -> Self {
        Self { position: Some(position), ..self }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("coordinates")?;
        for index in [self.polygon, self.ring, self.position].into_iter().flatten() {
            write!(f, "[{index}]")?;
        }
        Ok(())
    }
}
