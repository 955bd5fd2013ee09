//! Half: the kernels. Windows, aggregates, pattern automata, fences passed through. Knows no text.

pub mod aggregate;
pub mod pattern;
pub mod through;
pub mod window;
