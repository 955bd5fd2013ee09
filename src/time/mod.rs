//! Tool: event time. Watermarks per source partition, bounded disorder, and the merge into one total order.
//!
//! [`Merge`] takes batches of all partitions of all source streams and gives their events back in the order that is in
//! the data: (event time, stream, partition, offset). The order, and what is late, don't depend on how the arrivals of
//! different partitions interleave, as long as none is called idle: idleness and the wall clock are inputs of their own,
//! which a run logs. There is no clock in here.

mod lane;
mod merge;
mod released;
mod watermark;

#[cfg(test)]
mod tests;

pub use merge::{Late, Merge, PartitionIx};
pub use released::Released;
pub use watermark::Watermark;
