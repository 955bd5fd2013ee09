//! Reference tables from the files of the configuration.

#![allow(clippy::disallowed_types, reason = "a file's own time says whether it changed")]

use super::config::TableConfig;
use crate::{
    expr::{Table, TableError, TableRow},
    lang::check::TableInfo,
    wire::table::{TableFormat, TablePlace, TableRead, TableSpec, read_table},
};
use flate2::read::MultiGzDecoder;
use std::{fs, io::Read, path::Path, sync::Arc, time::SystemTime};

/// A loaded table.
#[derive(Clone, Debug)]
pub struct LoadedTable {
    /// The rows.
    pub table: Arc<Table>,
    /// What the check needs to know of it.
    pub info: TableInfo,
    /// What the file was when it was read.
    pub stamp: Option<Stamp>,
}

/// When a file was changed last, and its size: another one is another content.
pub type Stamp = (SystemTime, u64);

/// A table's file as it is now, if it is there.
pub fn stamp(config: &TableConfig) -> Option<Stamp> {
    let found = fs::metadata(&config.path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// Reads a table from its file.
///
/// # Errors
/// Everything that is wrong with the file, a line each.
pub fn load_table(name: &str, config: &TableConfig) -> Result<LoadedTable, String> {
    let shown = config.path.display();
    let format = config.format.or_else(|| format_of(&config.path)).ok_or_else(|| {
        format!(
            "table `{name}`: nobody knows the format of `{shown}` by its name\n(end it with .csv, .tsv, .geojson or .parquet, or write `format`)"
        )
    })?;
    // Before the content: what is written while it is read makes another stamp, and is read again.
    let stamp = stamp(config);
    let bytes = read_file(&config.path).map_err(|error| format!("table `{name}`: can't read `{shown}`: {error}"))?;
    let read = read_table(&bytes, format, &config.spec).map_err(|wrong| {
        let lines: Vec<String> = wrong.iter().map(|error| format!("{shown}: {error}")).collect();
        format!("table `{name}`:\n  {}", lines.join("\n  "))
    })?;
    let (table, info) =
        table_of(name, read, &config.spec).map_err(|error| format!("table `{name}`: {shown}: {error}"))?;
    Ok(LoadedTable { table: Arc::new(table), info, stamp })
}

/// Reads a changed table again: its columns must be those that rules were checked with.
///
/// # Errors
/// What is wrong with the file, or which of its columns is another now.
pub fn reload_table(name: &str, config: &TableConfig, before: &Table) -> Result<LoadedTable, String> {
    let loaded = load_table(name, config)?;
    let (old, new) = (before.columns(), loaded.table.columns());
    if old == new {
        return Ok(loaded);
    }
    let differs = old.iter().find(|column| !new.contains(column)).or(new.iter().find(|column| !old.contains(column)));
    let column = differs.map_or(String::new(), |(column, _)| format!(" (`{column}`)"));
    Err(format!(
        "table `{name}`: {}: its columns{column} are others than those that the rules were checked with\n(declare types under `fields`, or start again)",
        config.path.display()
    ))
}

fn table_of(name: &str, read: TableRead, spec: &TableSpec) -> Result<(Table, TableInfo), String> {
    let TableRead { columns, key, rows } = read;
    let places: Vec<TablePlace> = rows.iter().map(|(place, ..)| *place).collect();
    let rows = rows.into_iter().map(|(_, from_ms, values)| TableRow { from_ms, values }).collect();
    let info = TableInfo { name: name.to_owned(), columns: columns.clone(), key: spec.key.clone() };
    let table = Table::new(columns, &key, rows).map_err(|error| {
        let place = |at: usize| places.get(at).map_or(String::new(), ToString::to_string);
        match error {
            TableError::Twice { first, second, versioned } => {
                let advice = if versioned { "" } else { "\n(`time` names the column of a table that has versions)" };
                format!("{}: the key is already that of {}{advice}", place(second), place(first))
            }
            TableError::NoKey { row } => format!("{}: {error}", place(row)),
            TableError::TooMany => error.to_string(),
        }
    })?;
    Ok((table, info))
}

/// The format that a file's name tells, `.gz` at its end left out.
fn format_of(path: &Path) -> Option<TableFormat> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    Some(match name.rsplit_once('.')?.1 {
        "csv" => TableFormat::Csv { delimiter: b',' },
        "tsv" => TableFormat::Csv { delimiter: b'\t' },
        "geojson" | "json" => TableFormat::GeoJson,
        "parquet" => TableFormat::Parquet,
        _ => return None,
    })
}

/// A file's bytes, unpacked where they are gzip.
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let bytes = fs::read(path)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(&bytes[..]).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}
