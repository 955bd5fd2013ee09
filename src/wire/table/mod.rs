//! Reference tables from the bytes of a file: CSV, GeoJSON, Parquet.
//!
//! Each format gives a grid of cells as they stand; the columns then get types, declared ones or those that all of their
//! cells fit (bool, int, float, else text), so that a table of one content always has one form, whatever its order.

mod csv;
mod error;
mod features;
mod grid;
mod kind;
mod parquet;
mod read;

#[cfg(test)]
mod tests;

pub use error::{TableFileError, TablePlace};
pub use read::{TableFormat, TableRead, TableSpec, read_table};
