//! What a person reads about a rule that is wrong: a code, a place, what was expected, and help.

mod code;
mod diagnostic;
mod render;
mod suggest;

pub use code::{Code, Severity};
pub use diagnostic::Diagnostic;
pub use render::{FileDiagnostic, Style, line_and_column, render};
pub use suggest::nearest;
