//! Files that are one document each: records are made of them, which are then decoded like any other JSON.
//!
//! A document is held whole, so its size is bounded. What no record can be made of is a record that says why, so that it is
//! counted and reaches the dead letters. Documents whose points have times of their own give their records in the order of these,
//! whatever the order in which tracks stand in the file.

mod features;
mod gpx;
mod moving;
#[cfg(test)]
mod tests;

pub use expand::{DOCUMENT_BYTES_MAX, Document, expand};

mod expand;
