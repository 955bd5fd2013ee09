//! Incremental aggregates, one per file; windows and the variables of patterns share them.
//!
//! An [`Accumulator`] takes values one at a time, forgets them, and can say its result at any moment. Null never counts.
//! Two of them merge: the result is that of the left one's values followed by the right one's, exactly for counts, whole
//! numbers, extremes, distinct, first and last, boxes, hulls and sketches, and to the last bits for sums of floats. No result depends on the order
//! of a hash. What an aggregate is *not*: it can't take a value back. Sliding
//! windows merge panes instead; of sets and sketches they keep a [`Running`] total, from which whole panes can be taken back.

mod accumulator;
#[cfg(test)]
mod accumulator_test;
mod approx_distinct;
mod avg;
mod bounding_box;
mod centroid;
mod collect;
mod compensated;
mod convex_hull;
mod count;
#[cfg(test)]
pub(crate) mod definition_test;
mod displacement;
mod distinct;
mod edge;
mod ewma;
mod extreme;
mod list;
mod path_length;
mod quantile;
mod running;
mod running_approx;
mod running_quantile;
mod running_set;
mod running_top;
mod stddev;
mod sum;
mod top_k;

pub use accumulator::Accumulator;
pub use running::Running;
