//! Rule files: YAML groups of rules, whose expressions and templates keep their places in the file.
//!
//! The YAML library gives values without places. So the text is scanned a second time for where keys and scalars
//! stand, and what is found there is held against the library's value before any place is trusted.
//! No file is opened here: the caller hands over the text.

mod flow;
mod outline;
mod places;
mod read;
mod rule;
mod scalar;
mod source_map;
mod template;

pub use places::{Places, Step};
pub use rule::{Rule, RuleFile, RuleKind};
pub use source_map::SourceMap;
pub use template::{Template, TemplatePart};

#[cfg(test)]
mod tests;
