//! Cells as a file has them.

use super::{TableFileError, TablePlace};
use crate::wire::layout::Raw;

/// All cells of a file. A row has as many as there are names.
#[derive(Debug, Default)]
pub(super) struct Grid {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<(TablePlace, Vec<Raw>)>,
    /// Whether everything comes as text.
    pub(super) textual: bool,
}

impl Grid {
    /// The place of a column.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// The place of a column that has to be there.
    pub(super) fn need(&self, name: &str, why: &'static str) -> Result<usize, TableFileError> {
        self.column(name).ok_or_else(|| {
            let columns: Vec<String> = self.names.iter().map(|name| format!("`{name}`")).collect();
            TableFileError::NoColumn { column: name.to_owned(), why, columns: columns.join(", ") }
        })
    }
}
