//! Cells of the H3 grid: hexagons (and twelve pentagons per resolution) that cover the earth at sixteen sizes.

use std::fmt;
use std::str::FromStr;

use h3o::{CellIndex, LatLng};
use thiserror::Error;

use super::{Position, icosahedron::cell_at};

/// The largest `k` of [`Cell::disk`]: its 3k² + 3k + 1 cells are then some 3 million.
pub const MAX_DISK: u32 = 1_000;

/// A resolution of the grid, 0 (some 1,100 km edge length) to 15 (half a metre).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resolution(u8);

/// A cell of the H3 grid: always a valid one. Cells order by their 64-bit number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell(u64);

/// What can be wrong with cells.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CellError {
    /// A resolution other than 0–15.
    #[error("h3 resolution `{0}` is not between 0 and 15")]
    Resolution(i64),
    /// A text that is no cell's number in hexadecimal.
    #[error("`{0}` is not an h3 cell")]
    Text(String),
    /// A number that is no cell.
    #[error("`{0:x}` is not an h3 cell")]
    Number(u64),
    /// The parent asked for is finer than the cell.
    #[error("a cell of resolution {cell} has no parent of resolution {parent}")]
    FinerParent {
        /// The resolution of the cell.
        cell: u8,
        /// The resolution asked for.
        parent: u8,
    },
    /// Cells of one resolution were asked for.
    #[error("the cells are of several resolutions")]
    MixedResolutions,
    /// A disk larger than [`MAX_DISK`].
    #[error("a disk of {given} rings of cells is more than {limit}")]
    DiskTooLarge {
        /// The radius asked for, in cells.
        given: u32,
        /// The largest allowed.
        limit: u32,
    },
}

impl Resolution {
    /// A resolution from a number.
    ///
    /// # Errors
    /// The number isn't in 0–15.
    pub fn new(resolution: i64) -> Result<Self, CellError> {
        match u8::try_from(resolution) {
            Ok(r) if r <= 15 => Ok(Self(r)),
            _ => Err(CellError::Resolution(resolution)),
        }
    }

    /// The number, 0–15.
    pub fn value(self) -> u8 {
        self.0
    }

    fn inner(self) -> h3o::Resolution {
        h3o::Resolution::try_from(self.0).expect("a resolution is 0-15, checked when it was made")
    }
}

impl Cell {
    /// The cell that holds a position, at a resolution.
    pub fn at(position: Position, resolution: Resolution) -> Self {
        let known = cell_at(position.lat(), position.lon(), resolution.0);
        known.map_or_else(|| Self::by_h3o(position, resolution), Self)
    }

    /// The same, from the library.
    #[cold]
    fn by_h3o(position: Position, resolution: Resolution) -> Self {
        let place = LatLng::new(position.lat(), position.lon()).expect("a position is finite");
        Self(place.to_cell(resolution.inner()).into())
    }

    /// A cell from its 64-bit number.
    ///
    /// # Errors
    /// The number is no cell.
    pub fn new(number: u64) -> Result<Self, CellError> {
        CellIndex::try_from(number).map(|_| Self(number)).map_err(|_| CellError::Number(number))
    }

    /// The 64-bit number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The cell's resolution.
    pub fn resolution(self) -> Resolution {
        // Four bits of the number.
        Resolution((self.0 >> 52 & 0xf) as u8)
    }

    /// The cell of a coarser (or the same) resolution that this one belongs to.
    ///
    /// # Errors
    /// The resolution is finer than the cell's own.
    pub fn parent(self, resolution: Resolution) -> Result<Self, CellError> {
        let parent = self.inner().parent(resolution.inner());
        parent
            .map(|cell| Self(cell.into()))
            .ok_or(CellError::FinerParent { cell: self.resolution().0, parent: resolution.0 })
    }

    /// The centre.
    pub fn centre(self) -> Position {
        position(LatLng::from(self.inner()))
    }

    /// The boundary's corners, anticlockwise, the first not repeated: 6 for most cells, up to 10 where a cell crosses an
    /// edge of the icosahedron. Longitudes jump where a cell lies across ±180°.
    pub fn boundary(self) -> Vec<Position> {
        self.inner().boundary().iter().copied().map(position).collect()
    }

    /// The cell's area in m², on the sphere that H3 is defined on.
    pub fn area_m2(self) -> f64 {
        self.inner().area_m2()
    }

    /// How many steps on the grid it is to a cell of the same resolution; nothing where H3 can't tell: for cells of other resolutions, very
    /// far ones, and some with a pentagon in between.
    pub fn steps_to(self, other: Self) -> Option<u32> {
        let steps = self.inner().grid_distance(other.inner()).ok()?;
        u32::try_from(steps).ok()
    }

    /// All cells exactly `k` steps away, in ascending order.
    ///
    /// # Errors
    /// `k` is over [`MAX_DISK`].
    pub fn ring(self, k: u32) -> Result<Vec<Self>, CellError> {
        let mut ring = self.disk(k)?;
        if let Some(nearer) = k.checked_sub(1) {
            let nearer = self.disk(nearer)?;
            ring.retain(|cell| nearer.binary_search(cell).is_err());
        }
        Ok(ring)
    }

    /// All cells at most `k` steps away, this one included, in ascending order.
    ///
    /// # Errors
    /// `k` is over [`MAX_DISK`].
    pub fn disk(self, k: u32) -> Result<Vec<Self>, CellError> {
        if k > MAX_DISK {
            return Err(CellError::DiskTooLarge { given: k, limit: MAX_DISK });
        }
        let mut cells: Vec<Self> = self.inner().grid_disk_safe(k).map(|cell| Self(cell.into())).collect();
        cells.sort_unstable();
        cells.dedup();
        Ok(cells)
    }

    /// The same area in the fewest cells: where all children of a cell are there, the cell itself, again and again. The
    /// cells must be of one resolution; doubles count once. Ascending.
    ///
    /// # Errors
    /// Cells of several resolutions.
    pub fn compacted(cells: impl IntoIterator<Item = Self>) -> Result<Vec<Self>, CellError> {
        let mut cells: Vec<CellIndex> = cells.into_iter().map(Self::inner).collect();
        cells.sort_unstable();
        cells.dedup();
        CellIndex::compact(&mut cells).map_err(|_| CellError::MixedResolutions)?;
        let mut compacted: Vec<Self> = cells.into_iter().map(|cell| Self(cell.into())).collect();
        compacted.sort_unstable();
        Ok(compacted)
    }

    /// The cells of a resolution that these, of it or coarser, are made of: what [`compacted`](Self::compacted) was made from. Ascending. None
    /// where one is finer, or they are more than `limit`.
    pub fn uncompacted(cells: &[Self], resolution: Resolution, limit: usize) -> Option<Vec<Self>> {
        let wanted = h3o::Resolution::try_from(resolution.value()).ok()?;
        let mut found = Vec::new();
        for cell in cells {
            if cell.resolution() > resolution {
                return None;
            }
            let count = cell.inner().children_count(wanted);
            if count > limit.saturating_sub(found.len()) as u64 {
                return None;
            }
            found.extend(cell.inner().children(wanted).map(|child| Self(child.into())));
        }
        found.sort_unstable();
        found.dedup();
        Some(found)
    }

    pub(super) fn inner(self) -> CellIndex {
        CellIndex::try_from(self.0).expect("a cell's number is valid, checked when it was made")
    }
}

pub(super) fn position(place: LatLng) -> Position {
    Position::wrapped(place.lng(), place.lat())
}

/// The usual hexadecimal form: 15 lower-case digits.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Cell {
    type Err = CellError;

    fn from_str(text: &str) -> Result<Self, CellError> {
        let wrong = || CellError::Text(text.to_owned());
        // `from_str_radix` would take a sign.
        if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        u64::from_str_radix(text, 16).ok().and_then(|number| Self::new(number).ok()).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::haversine_m;
    use proptest::prelude::*;

    #[test]
    fn the_cell_of_a_known_place_is_the_published_one() {
        // The Statue of Liberty, the example of H3's own documentation.
        let cell = Cell::at(Position::new(-74.044444, 40.689167).unwrap(), Resolution::new(10).unwrap());
        assert_eq!(cell.to_string(), "8a2a1072b59ffff");
        assert_eq!(cell.disk(1).unwrap().len(), 7);
    }

    #[test]
    fn wrong_texts_numbers_and_resolutions_are_refused() {
        for text in ["", "+8a2a1072b59ffff", "8a2a1072b59fff", "zz", "ffffffffffffffffff"] {
            assert!(text.parse::<Cell>().is_err(), "{text}");
        }
        assert_eq!(Cell::new(0), Err(CellError::Number(0)));
        for r in [-1, 16, i64::MAX, i64::MIN, 256] {
            assert_eq!(Resolution::new(r), Err(CellError::Resolution(r)));
        }
        let cell = "8a2a1072b59ffff".parse::<Cell>().unwrap();
        assert_eq!(cell.parent(Resolution(11)), Err(CellError::FinerParent { cell: 10, parent: 11 }));
        assert!(cell.disk(MAX_DISK + 1).is_err());
    }

    proptest! {
        #[test]
        fn text_parent_centre_and_disk_agree(lon in -180.0..=180.0, lat in -90.0..=90.0, r in 0i64..=15, k in 0u32..4) {
            let resolution = Resolution::new(r).unwrap();
            let place = Position::new(lon, lat).unwrap();
            let cell = Cell::at(place, resolution);
            prop_assert_eq!(cell.to_string().parse::<Cell>().unwrap(), cell);
            prop_assert_eq!(cell.resolution(), resolution);
            prop_assert_eq!(cell.parent(resolution).unwrap(), cell);
            prop_assert_eq!(Cell::at(cell.centre(), resolution), cell);
            let reach = cell.boundary().iter().map(|&c| haversine_m(cell.centre(), c)).fold(0.0, f64::max);
            prop_assert!(haversine_m(place, cell.centre()) <= reach * 1.01);
            let disk = cell.disk(k).unwrap();
            prop_assert!(disk.contains(&cell) && disk.len() <= (3 * k * k + 3 * k + 1) as usize);
        }
    }

    #[test]
    fn a_ring_is_what_a_disk_adds_and_so_many_steps_away() {
        let cell = Cell::at(Position::new(4.0, 52.0).unwrap(), Resolution::new(8).unwrap());
        assert_eq!(cell.ring(0), Ok(vec![cell]));
        for k in 1..6 {
            let ring = cell.ring(k).unwrap();
            assert_eq!(ring.len(), 6 * k as usize);
            assert!(ring.iter().all(|other| cell.steps_to(*other) == Some(k)), "{k}");
        }
        assert_eq!(cell.steps_to(cell.parent(Resolution::new(7).unwrap()).unwrap()), None);
        assert!(cell.ring(MAX_DISK + 1).is_err());
    }
}
