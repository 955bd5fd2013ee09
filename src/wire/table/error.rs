//! What is wrong with a table's file, and where.

use std::fmt;

/// A place in a table's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TablePlace {
    /// A line, from 1: where the row begins.
    Line(u64),
    /// A feature of a collection, from 0.
    Feature(usize),
    /// A row of a format without lines, from 1.
    Row(usize),
}

impl fmt::Display for TablePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Feature(at) => write!(f, "`features[{at}]`"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// A mistake in a table's file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableFileError {
    /// The file as a whole.
    #[error("{0}")]
    File(String),
    /// A column that has to be there.
    #[error("there is no column `{column}`, which is {why}; its columns are {columns}")]
    NoColumn {
        /// The name.
        column: String,
        /// What it is wanted for.
        why: &'static str,
        /// Those that are there.
        columns: String,
    },
    /// Two columns of one name.
    #[error("two columns are named `{0}`")]
    ColumnTwice(String),
    /// A row that isn't one.
    #[error("{place}: {reason}")]
    Row {
        /// Where.
        place: TablePlace,
        /// What is wrong with it.
        reason: String,
    },
    /// A cell.
    #[error("{place}, column `{column}`: {reason}")]
    Cell {
        /// Where.
        place: TablePlace,
        /// Its column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
}
