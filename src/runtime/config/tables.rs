//! Reference tables of the file.

use super::{ConfigError, node::Node, schema};
use crate::{
    model::TimeMs,
    wire::{
        FieldSource,
        table::{TableFormat, TableSpec},
    },
};
use std::path::{Path, PathBuf};

/// A reference table that rules look up.
#[derive(Clone, Debug, PartialEq)]
pub struct TableConfig {
    /// The file.
    pub path: PathBuf,
    /// Its format; `None`: by its name.
    pub format: Option<TableFormat>,
    /// Key, time, position, and the types that are declared.
    pub spec: TableSpec,
    /// How often the daemon looks whether the file has changed; `None`: never.
    pub reload_ms: Option<TimeMs>,
}

/// How often the daemon looks where nothing is said.
const RELOAD_MS: TimeMs = 30_000;

/// A table of the file.
pub(super) fn read(node: &Node<'_>, base: &Path) -> Result<TableConfig, ConfigError> {
    let mut fields = node.fields()?;
    let path = base.join(fields.need("path")?.name()?);
    let formats = [
        ("auto", None),
        ("csv", Some(TableFormat::Csv { delimiter: b',' })),
        ("tsv", Some(TableFormat::Csv { delimiter: b'\t' })),
        ("geojson", Some(TableFormat::GeoJson)),
        ("parquet", Some(TableFormat::Parquet)),
    ];
    let format = fields.get("format").map_or(Ok(None), |format| format.choice(&formats))?;
    let key: Vec<String> =
        fields.need("key")?.items().iter().map(|column| column.name().map(str::to_owned)).collect::<Result<_, _>>()?;
    if key.is_empty() {
        return Err(fields.need("key")?.wrong("the column, or a list of the columns, that rows are looked up by"));
    }
    let time = match fields.get("time") {
        Some(node) => {
            let time = schema::read_time(&node)?;
            match <[String; 1]>::try_from(time.fields) {
                Ok([column]) => Some((column, time.unit)),
                Err(_) => return Err(node.wrong("the column that says from when on a row holds")),
            }
        }
        None => None,
    };
    let position = fields.get("position").map(|position| schema::read_position(&position)).transpose()?;
    let mut declared: Vec<FieldSource> = Vec::new();
    if let Some(node) = fields.get("fields") {
        for (name, field) in node.named()? {
            declared.push(schema::read_field(name, &field)?);
        }
    }
    let reload_ms = match fields.get("reload") {
        None => Some(RELOAD_MS),
        Some(node) if node.text().is_ok_and(|text| text == "never") => None,
        Some(node) => Some(node.span_ms()?).filter(|&span_ms| span_ms > 0),
    };
    fields.done()?;
    Ok(TableConfig { path, format, spec: TableSpec { key, time, position, fields: declared }, reload_ms })
}
