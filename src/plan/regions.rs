//! The numbers of a `CLUSTER BY` clause: how hot cells become regions, and how regions are followed.

use crate::geo::MAX_DISK;
use thiserror::Error;

/// The most rings that `REACH` and `DENSITY … WITHIN` may have: a cell then has 3,169 others around it.
pub const REACH_MAX: u32 = 32;

/// `CLUSTER BY …` without its conditions: how hot cells become regions, and how regions are followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// `REACH k`: hot cells at most `k` rings apart are neighbours. 1 … [`REACH_MAX`].
    pub reach: u32,
    /// `DENSITY n WITHIN k`: what makes a hot cell a core. Without it, every hot cell is one.
    pub density: Option<Density>,
    /// `MIN CELLS n`: a cluster of fewer cells is no region.
    pub min_cells: usize,
    /// `OVERLAP BY`.
    pub overlap: Overlap,
    /// The limits between one transition and another.
    pub limits: Limits,
}

/// `DENSITY n WITHIN k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Density {
    /// How many hot cells there must be, the cell itself counted, as DBSCAN's `minPts` does.
    pub cells: u32,
    /// At most so many rings away. 1 … [`REACH_MAX`].
    pub within: u32,
}

/// What `|X∩Y|` and `|X|` count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// Cells.
    #[default]
    Cells,
    /// The weights that the shared cells had in the old state. (A region without any weight is followed by its cells.)
    Weight,
    /// Members: those of the old region's cells that are in the new region's, wherever that is. A member may be in
    /// several regions; an old region then follows the one that holds most of its members.
    Members,
}

/// The limits of transitions and flags, each a share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// `SURVIVE`: an old region matches a new one above this overlap. 0.5 … less than 1.
    pub survive: f64,
    /// `SPLIT`: the least overlap of a part of a split. Above 0 … 1.
    pub split: f64,
    /// `GROW`: from this change of size on a region grew or shrank.
    pub grow: f64,
    /// `MOVE`: above this displacement, in radii of a circle of the old area, a region moved.
    pub shift: f64,
    /// `DENSE`: above this change of weight per cell a region became denser or sparser.
    pub dense: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { survive: 0.5, split: 0.25, grow: 0.1, shift: 0.3, dense: 0.3 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self { reach: 1, density: None, min_cells: 1, overlap: Overlap::Cells, limits: Limits::default() }
    }
}

impl Config {
    /// The configuration, if every number is in its range.
    ///
    /// # Errors
    /// The first number that isn't.
    pub fn checked(self) -> Result<Self, ClusterError> {
        const { assert!(REACH_MAX <= MAX_DISK) };
        let rings = |what, k: u32| match k {
            1..=REACH_MAX => Ok(()),
            _ => Err(ClusterError::Rings { what, given: k }),
        };
        rings("REACH", self.reach)?;
        if let Some(density) = self.density {
            rings("DENSITY", density.within)?;
            if density.cells == 0 {
                return Err(ClusterError::NoCells("DENSITY"));
            }
        }
        if self.min_cells == 0 {
            return Err(ClusterError::NoCells("MIN CELLS"));
        }
        let Limits { survive, split, grow, shift, dense } = self.limits;
        let share = |what, given: f64, fits: bool, expected| {
            if fits { Ok(()) } else { Err(ClusterError::Share { what, given, expected }) }
        };
        share("SURVIVE", survive, (0.5..1.0).contains(&survive), "at least 0.5 and less than 1")?;
        share("SPLIT", split, split > 0.0 && split <= 1.0, "more than 0 and at most 1")?;
        for (what, given) in [("GROW", grow), ("MOVE", shift), ("DENSE", dense)] {
            share(what, given, given.is_finite() && given > 0.0, "more than 0")?;
        }
        Ok(self)
    }
}

/// `CONFIRM n OF m`: against flicker, a cell is hot while at least `hits` of its last `results` results were hot. It turns
/// hot that much later, and a single cold result among hot ones doesn't tear a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirm {
    hits: u32,
    results: u32,
}

impl Confirm {
    /// n of m, 1 ≤ n ≤ m ≤ 64.
    ///
    /// # Errors
    /// Other numbers.
    pub fn new(hits: u32, results: u32) -> Result<Self, ClusterError> {
        let fits = hits >= 1 && hits <= results && results <= 64;
        fits.then_some(Self { hits, results }).ok_or(ClusterError::Confirm { hits, results })
    }

    /// n.
    pub fn hits(self) -> u32 {
        self.hits
    }

    /// m.
    pub fn results(self) -> u32 {
        self.results
    }
}

impl Default for Confirm {
    /// Each result counts at once.
    fn default() -> Self {
        Self { hits: 1, results: 1 }
    }
}

/// A number of the clause that is out of its range.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ClusterError {
    /// `REACH` or `DENSITY … WITHIN` out of 1 … [`REACH_MAX`].
    #[error("`{what}` of {given} rings is not between 1 and {REACH_MAX}")]
    Rings {
        /// The words of the clause.
        what: &'static str,
        /// The number of rings.
        given: u32,
    },
    /// A number of cells of 0.
    #[error("`{0}` of no cells means nothing")]
    NoCells(&'static str),
    /// A share out of its range.
    #[error("`{what}` is {given}, it must be {expected}")]
    Share {
        /// The word of the clause.
        what: &'static str,
        /// The share.
        given: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// `CONFIRM n OF m` out of 1 ≤ n ≤ m ≤ 64.
    #[error("`CONFIRM` {hits} of {results} must be at least 1, and at most all of up to 64 results")]
    Confirm {
        /// n.
        hits: u32,
        /// m.
        results: u32,
    },
    /// `EXPIRE` that isn't positive.
    #[error("`EXPIRE` of {0} ms must be more than 0")]
    Expire(i64),
    /// `EVERY` that isn't positive.
    #[error("`EVERY` of {0} ms must be more than 0")]
    Every(i64),
}
