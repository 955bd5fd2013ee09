//! What can be wrong with a clause.

use super::REACH_MAX;
use thiserror::Error;

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
