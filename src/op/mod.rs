//! Half: the kernels. Windows, aggregates, pattern automata, fences passed through, regions, joins. Knows no text.

pub mod aggregate;
pub mod baseline;
pub mod cluster;
pub mod foreseen;
pub mod join;
pub mod latest;
pub mod near;
mod passage;
pub mod pattern;
pub mod through;
pub mod window;
