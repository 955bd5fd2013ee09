//! From coordinates as written to a ring in one unbroken frame of longitudes.
//!
//! A step of more than 180° of longitude is taken the other way, across the antimeridian; the ring is then continued
//! beyond ±180° ("unwrapped") and moved by whole turns so that its west end lies in [−180, 180). A ring that doesn't cross
//! keeps its doubles as they were written.
//!
//! A ring that goes round a pole is closed along the antimeridian over the pole that is nearer to the middle of its latitudes; which
//! side is meant isn't told by its direction, since too many files are written the other way round.
//!
//! One exception: many a world map's frame is written with steps of exactly 360°, from −180 to 180. If unwrapping such a
//! ring leaves no width or goes round a pole, it is taken as written.

use super::Position;
use super::edge::{Vertex, not_tiny};
use super::line::shorter_way;
use super::shape_error::{Place, ShapeError};

/// A closed ring (last vertex = first) whose west end is in [−180, 180).
#[derive(Debug, Clone)]
pub(super) struct Ring {
    pub(super) vertices: Vec<Vertex>,
    pub(super) west: f64,
    pub(super) east: f64,
}

impl Ring {
    /// Checks and unwraps. `place` says which ring it is, for errors.
    pub(super) fn new(written: &[Vertex], place: Place) -> Result<Self, ShapeError> {
        for (i, &[lon, lat]) in written.iter().enumerate() {
            Position::new(lon, lat).map_err(|source| ShapeError::Position { place: place.at(i), source })?;
        }
        let (Some(&first), Some(&last)) = (written.first(), written.last()) else {
            return Err(ShapeError::TooFewPositions { place, given: 0 });
        };
        if first != last {
            return Err(ShapeError::NotClosed { place, first, last });
        }
        if written.len() < 4 {
            return Err(ShapeError::TooFewPositions { place, given: written.len() });
        }
        let written: Vec<Vertex> = written.iter().map(|v| v.map(not_tiny)).collect();
        let unwrapped = match unwrap(&written) {
            Some(ring) if ring.east > ring.west => ring,
            _ if only_whole_turns(&written) => Self::spanning(written),
            Some(_) => return Err(ShapeError::NoArea { place }),
            None => round_pole(&written).ok_or(ShapeError::HoldsPole { place })?,
        };
        let ring = unwrapped.moved_into_range();
        if ring.east - ring.west > 360.0 {
            return Err(ShapeError::TooWide { place });
        }
        Ok(ring)
    }

    fn spanning(vertices: Vec<Vertex>) -> Self {
        let west = vertices.iter().map(|v| v[0]).fold(f64::INFINITY, f64::min);
        let east = vertices.iter().map(|v| v[0]).fold(f64::NEG_INFINITY, f64::max);
        Self { vertices, west, east }
    }

    fn moved_into_range(self) -> Self {
        let turns = ((self.west + 180.0) / 360.0).floor();
        if turns == 0.0 { self } else { self.moved(-360.0 * turns) }
    }

    /// The ring, some degrees further east.
    pub(super) fn moved(self, by: f64) -> Self {
        Self::spanning(self.vertices.into_iter().map(|[x, y]| [x + by, y]).collect())
    }

    /// Twice the planar area in square degrees, positive if anticlockwise.
    pub(super) fn doubled_area(&self) -> f64 {
        let [x0, y0] = self.vertices[0];
        self.edges().map(|(a, b)| (a[0] - x0) * (b[1] - y0) - (b[0] - x0) * (a[1] - y0)).sum()
    }

    /// The edges in order.
    pub(super) fn edges(&self) -> impl Iterator<Item = (Vertex, Vertex)> + '_ {
        self.vertices.windows(2).map(|pair| (pair[0], pair[1]))
    }
}

/// The ring with every step at most 180° wide; nothing if it then doesn't close, that is if it goes round a pole.
fn unwrap(written: &[Vertex]) -> Option<Ring> {
    let mut turns = 0.0f64;
    let mut before = written.first()?[0];
    let mut vertices = Vec::with_capacity(written.len());
    for &[lon, lat] in written {
        let step = lon - before;
        if step > 180.0 {
            turns -= 1.0;
        } else if step < -180.0 {
            turns += 1.0;
        }
        vertices.push([lon + 360.0 * turns, lat]);
        before = lon;
    }
    (turns == 0.0).then(|| Ring::spanning(vertices))
}

/// A ring that goes round a pole once, from −180° to 180° and back over the pole.
fn round_pole(written: &[Vertex]) -> Option<Ring> {
    let mut ring: Vec<Vertex> = Vec::with_capacity(written.len() + 4);
    for &[lon, lat] in written {
        ring.push([ring.last().map_or(lon, |&[before, _]| before + shorter_way(before, lon)), lat]);
    }
    let (first, last) = (*ring.first()?, *ring.last()?);
    if (last[0] - first[0]).abs() != 360.0 {
        return None;
    }
    if last[0] < first[0] {
        ring.reverse();
    }
    // Eastward now. It is cut where it first meets the antimeridian, and what is before that comes after the rest.
    ring.pop();
    let west = ring.first()?[0];
    let seam = ((west + 180.0) / 360.0).ceil() * 360.0 - 180.0;
    let mut turned: Vec<Vertex> = ring.iter().chain(ring.iter()).copied().collect();
    turned[ring.len()..].iter_mut().for_each(|vertex| vertex[0] += 360.0);
    turned.push([west + 720.0, ring.first()?[1]]);
    let at = |lon: f64| {
        let pair = turned.windows(2).find(|pair| pair[0][0] <= lon && lon < pair[1][0])?;
        let share = (lon - pair[0][0]) / (pair[1][0] - pair[0][0]);
        Some([lon, pair[0][1] + (pair[1][1] - pair[0][1]) * share])
    };
    let cut = at(seam)?;
    let inner = turned.iter().filter(|vertex| vertex[0] > seam && vertex[0] < seam + 360.0);
    let lats = written.iter().map(|vertex| vertex[1]);
    let (south, north) = lats.fold((90.0f64, -90.0f64), |(south, north), lat| (south.min(lat), north.max(lat)));
    let pole = if south + north < 0.0 { -90.0 } else { 90.0 };
    let mut closed = vec![cut];
    closed.extend(inner);
    closed.extend([[seam + 360.0, cut[1]], [seam + 360.0, pole], [seam, pole], cut]);
    Some(Ring::spanning(closed))
}

/// Whether the ring has steps of more than 180° and each is of exactly 360°.
fn only_whole_turns(written: &[Vertex]) -> bool {
    let wide = || written.windows(2).map(|pair| (pair[1][0] - pair[0][0]).abs()).filter(|&step| step > 180.0);
    wide().next().is_some() && wide().all(|step| step == 360.0)
}
