//! Text to syntax tree, with nom: first tokens, then clauses over tokens.
//!
//! It judges grammar only; names, types and units are for the check. All mistakes of a text are reported at once: after
//! one, the parser goes on at the next entry of a list or at the next clause. Cost is linear in the text: the grammar is
//! decided by a few tokens of look-ahead and never tries a long alternative twice. Nesting, the height of expressions
//! and the text's length are bounded, so that recursion here and over the tree is safe.

mod clause;
mod cluster;
mod draft;
mod expr;
mod from;
mod input;
mod literal;
mod pattern;
mod query;
mod recover;
mod step;
mod token;
mod window;

pub use query::parse_query;

pub(in crate::lang) use clause::needs_back_ticks;

/// The longest text of one expression, in bytes.
pub const TEXT_MAX_BYTES: usize = 64 * 1024;

/// The most diagnostics that one text gives: the first ones.
pub const DIAGNOSTICS_MAX: usize = 50;

/// How deep parentheses, calls, cases and groups may nest.
pub const NESTING_MAX: u32 = 64;

/// The greatest height of one expression's tree: also the longest chain of `a AND b AND …`.
pub const HEIGHT_MAX: u32 = 256;

#[cfg(test)]
mod tests;
