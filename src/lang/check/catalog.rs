//! What a rule may name beside other rules: the sources and geofence sets of the configuration.

use crate::model::{Schema, Type};

/// The environment of the rules.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// The declared sources, by name; the order counts for nothing.
    pub sources: Vec<(String, Schema)>,
    /// The geofence sets; none when nobody declared any: then every name is taken for a set, with unknown properties.
    pub fence_sets: Option<Vec<FenceSetInfo>>,
    /// The reference tables; none when nobody declared any: then every name is taken for a table, with unknown columns.
    pub tables: Option<Vec<TableInfo>>,
    /// The windows that an embedding program adds to the built-in ones, by name; the daemon has none.
    pub windows: Vec<String>,
    /// No configuration was given: a stream that nobody declared is taken for a source with any fields, and that is said.
    pub open: bool,
}

/// A geofence set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FenceSetInfo {
    /// Its name in rules.
    pub name: String,
    /// The properties that its fences have, and their types; `id` is always there.
    pub properties: Vec<(String, Type)>,
    /// The list of properties is not complete: any name is accepted.
    pub open: bool,
}

/// A reference table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableInfo {
    /// Its name in rules.
    pub name: String,
    /// Its columns and their types.
    pub columns: Vec<(String, Type)>,
    /// The columns that it is looked up by, all of them.
    pub key: Vec<String>,
}

impl Catalog {
    /// The schema of a declared source.
    pub(super) fn source(&self, name: &str) -> Option<&Schema> {
        self.sources.iter().find(|(source, _)| source == name).map(|(_, schema)| schema)
    }

    /// The geofence set of this name: `Err` where there is none, `Ok(None)` where nothing is known of it.
    pub(super) fn fence_set(&self, name: &str) -> Result<Option<&FenceSetInfo>, ()> {
        match &self.fence_sets {
            None => Ok(None),
            Some(sets) => sets.iter().find(|set| set.name == name).map(Some).ok_or(()),
        }
    }

    /// The table of this name: `Err` where there is none, `Ok(None)` where nothing is known of it.
    pub(super) fn table(&self, name: &str) -> Result<Option<&TableInfo>, ()> {
        match &self.tables {
            None => Ok(None),
            Some(tables) => tables.iter().find(|table| table.name == name).map(Some).ok_or(()),
        }
    }

    /// The names of the geofence sets.
    pub(super) fn fence_set_names(&self) -> impl Iterator<Item = &str> {
        self.fence_sets.iter().flatten().map(|set| set.name.as_str())
    }
}
