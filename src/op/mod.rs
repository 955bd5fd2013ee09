//! Half: the kernels. Windows, aggregates, pattern automata, fences passed through. Knows no text.

pub mod pattern;
