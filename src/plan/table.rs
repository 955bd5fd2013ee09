//! Reference tables that rules look up.

/// A reference table that rules name; its index in the plan is its number in expressions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TablePlan {
    /// Its name.
    pub name: String,
    /// Its columns; the index is the column's number in expressions. Of a table that nobody declared only those that rules read.
    pub columns: Vec<String>,
}
