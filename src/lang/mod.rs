//! Half: the language. Rule files, the DSL's grammar, its checks and its diagnostics. Ends at a checked plan; runs nothing.

pub mod ast;
pub mod check;
pub mod diag;
pub mod file;
pub mod parse;
pub mod print;
pub mod span;
