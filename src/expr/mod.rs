//! Tool: typed expressions compiled to flat programs, and their evaluation.
//!
//! An [`Expr`] is built once by the checker (names are slots by then) and read-only afterwards; an [`Env`] lends it the
//! event, the previous event of the partition, the match or window at hand, and the [`World`] of fences and reference tables. Evaluation has no
//! effect, does not allocate on the common path, and gives null, never a panic, where an operand is null or a result is
//! not representable. Truth is three-valued as in SQL: unknown counts as false where a decision is due.

mod builder;
mod env;
mod eval;
pub mod func;
mod like;
mod part;
mod program;
mod quick;
mod show;
mod table;
mod world;

pub use builder::Builder;
pub use env::{Bound, Env, Nothing, Past, Previous};
pub use part::AgainstConst;
pub use program::{Arith, ArithKind, Compare, Expr, Node, NodeId, Pick, Turn, Var};
pub use table::{Table, TableError, TableRow};
pub use world::World;
