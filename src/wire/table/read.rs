//! From a file's cells to typed columns and rows.

use super::{
    TableFileError, TablePlace, csv, features,
    grid::Grid,
    kind::{as_text, kind},
    parquet,
};
use crate::{
    geo::Position,
    model::{TimeMs, Type, Value},
    wire::{
        layout::{Layout, Raw},
        record::{FieldKind, FieldSource, LAT_NAMES, LON_NAMES, PositionSource, RecordSchema, TimeUnit},
    },
};

/// Formats of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// Rows of text, the first with the columns' names.
    Csv {
        /// Between cells.
        delimiter: u8,
    },
    /// A FeatureCollection.
    GeoJson,
    /// Apache Parquet.
    Parquet,
}

/// What is declared of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableSpec {
    /// The columns of the key; at least one.
    pub key: Vec<String>,
    /// The column that says from when on a row holds.
    pub time: Option<(String, TimeUnit)>,
    /// The columns of `position`: as declared; none within: there is no position; none: by the usual names.
    pub position: Option<Option<PositionSource>>,
    /// Types of columns; the others' are inferred.
    pub fields: Vec<FieldSource>,
}

/// A table's content.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRead {
    /// Names and types.
    pub columns: Vec<(String, Type)>,
    /// The places of the key's columns.
    pub key: Vec<usize>,
    /// Rows in the order of the file: where each is, from when on it holds, its values.
    pub rows: Vec<(TablePlace, Option<TimeMs>, Vec<Value>)>,
}

/// More mistakes of one file are not told.
const WRONG_MAX: usize = 20;

/// Reads the bytes of a table's file.
///
/// # Errors
/// Everything that is wrong, up to some.
pub fn read_table(bytes: &[u8], format: TableFormat, spec: &TableSpec) -> Result<TableRead, Vec<TableFileError>> {
    let grid = match format {
        TableFormat::Csv { delimiter } => csv::grid(bytes, delimiter),
        TableFormat::GeoJson => features::grid(bytes),
        TableFormat::Parquet => parquet::grid(bytes),
    };
    let mut wrong = match grid {
        Ok(grid) => match typed(&grid, spec) {
            Ok(read) => return Ok(read),
            Err(wrong) => wrong,
        },
        Err(wrong) => wrong,
    };
    let more = wrong.len().saturating_sub(WRONG_MAX);
    wrong.truncate(WRONG_MAX);
    if more > 0 {
        wrong.push(TableFileError::File(format!("{more} more mistakes are not shown")));
    }
    Err(wrong)
}

/// Where a column's values come from.
enum Source {
    Cell(usize, FieldKind),
    Position(Place),
}

/// Where positions are.
enum Place {
    Degrees(usize, usize),
    Point(usize),
}

fn typed(grid: &Grid, spec: &TableSpec) -> Result<TableRead, Vec<TableFileError>> {
    let mut wrong: Vec<TableFileError> = Vec::new();
    if let Some((_, name)) = grid.names.iter().enumerate().find(|(at, name)| grid.column(name) != Some(*at)) {
        wrong.push(TableFileError::ColumnTwice(name.clone()));
    }
    let mut columns: Vec<(String, Type)> = Vec::new();
    let mut sources: Vec<Source> = Vec::new();
    for field in &spec.fields {
        match grid.need(&field.path, "declared in the configuration") {
            Ok(at) => {
                columns.push((field.name.clone(), field.kind.ty()));
                sources.push(Source::Cell(at, field.kind));
            }
            Err(error) => wrong.push(error),
        }
    }
    for (at, name) in grid.names.iter().enumerate() {
        if spec.fields.iter().any(|field| field.path == *name || field.name == *name) {
            continue;
        }
        let cells = grid.rows.iter().filter_map(|(_, cells)| cells.get(at));
        if let Some(kind) = kind(cells, grid.textual) {
            columns.push((name.clone(), kind.ty()));
            sources.push(Source::Cell(at, kind));
        }
    }
    match place(grid, spec) {
        Ok(Some(place)) if columns.iter().all(|(name, _)| name != features::POSITION) => {
            columns.push((features::POSITION.to_owned(), Type::Point));
            sources.push(Source::Position(place));
        }
        Ok(_) => {}
        Err(error) => wrong.push(error),
    }
    let mut key = Vec::new();
    for name in &spec.key {
        match columns.iter().position(|(known, _)| known == name) {
            Some(at) => key.push(at),
            None => wrong.extend(grid.need(name, "the table's key").err()),
        }
    }
    let time = spec.time.as_ref().and_then(|(name, unit)| match grid.need(name, "the table's time") {
        Ok(at) => Some((at, name, *unit)),
        Err(error) => {
            wrong.push(error);
            None
        }
    });
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let layout = Layout::new(&RecordSchema::default(), grid.textual);
    let mut rows = Vec::with_capacity(grid.rows.len());
    for (place, cells) in &grid.rows {
        let mut bad = |column: &str, reason: String| {
            wrong.push(TableFileError::Cell { place: *place, column: column.to_owned(), reason });
        };
        let from_ms = time.and_then(|(at, name, unit)| {
            let cell = cells.get(at).unwrap_or(&Raw::Absent);
            let found = layout.typed(cell, FieldKind::Time(unit));
            match found {
                Some(Value::Time(at_ms)) => Some(at_ms),
                _ => {
                    bad(name, format!("{}, where the time from which the row holds is expected", cell.describe()));
                    None
                }
            }
        });
        let mut values = Vec::with_capacity(sources.len());
        for (source, (name, ty)) in sources.iter().zip(&columns) {
            let value = match source {
                Source::Cell(at, kind) => value(&layout, cells.get(*at).unwrap_or(&Raw::Absent), *kind, *ty),
                Source::Position(place) => position(&layout, cells, place),
            };
            values.push(value.unwrap_or_else(|reason| {
                bad(name, reason);
                Value::Null
            }));
        }
        for &at in &key {
            if let (Some(Value::Null), Some((name, _))) = (values.get(at), columns.get(at)) {
                bad(name, "a row without a key can't be looked up".to_owned());
            }
        }
        rows.push((*place, from_ms, values));
    }
    if wrong.is_empty() { Ok(TableRead { columns, key, rows }) } else { Err(wrong) }
}

/// Where the positions are, if the table has any.
fn place(grid: &Grid, spec: &TableSpec) -> Result<Option<Place>, TableFileError> {
    const WHY: &str = "the table's position";
    let Some(declared) = &spec.position else {
        let named = |names: &[&str]| {
            let fits = |name: &&str| grid.names.iter().position(|known| known.eq_ignore_ascii_case(name));
            names.iter().find_map(fits)
        };
        return Ok(named(LON_NAMES).zip(named(LAT_NAMES)).map(|(lon, lat)| Place::Degrees(lon, lat)));
    };
    let Some(PositionSource { lon, lat, geometry }) = declared else { return Ok(None) };
    if let Some(name) = geometry.first() {
        return Ok(Some(Place::Point(grid.need(name, WHY)?)));
    }
    let (Some(lon), Some(lat)) = (lon.first(), lat.first()) else { return Ok(None) };
    Ok(Some(Place::Degrees(grid.need(lon, WHY)?, grid.need(lat, WHY)?)))
}

fn value(layout: &Layout, cell: &Raw, kind: FieldKind, ty: Type) -> Result<Value, String> {
    if matches!(cell, Raw::Absent | Raw::Null) {
        return Ok(Value::Null);
    }
    if kind == FieldKind::Text
        && let Some(text) = as_text(cell)
    {
        return Ok(Value::text(&text));
    }
    layout.typed(cell, kind).ok_or_else(|| match cell {
        Raw::Point(lon, lat) if ty == Type::Point => off_the_earth(*lon, *lat),
        _ => format!("{}, expected {ty}", cell.describe()),
    })
}

fn off_the_earth(lon: f64, lat: f64) -> String {
    format!("({lon}, {lat}) is no position on the earth")
}

fn position(layout: &Layout, cells: &[Raw], place: &Place) -> Result<Value, String> {
    let cell = |at: &usize| cells.get(*at).unwrap_or(&Raw::Absent);
    let missing = |cell: &Raw| matches!(cell, Raw::Absent | Raw::Null);
    let (lon, lat) = match place {
        Place::Point(at) => match cell(at) {
            Raw::Point(lon, lat) => (*lon, *lat),
            other if missing(other) => return Ok(Value::Null),
            other => return Err(format!("{}, expected a point", other.describe())),
        },
        Place::Degrees(lon, lat) => {
            let (lon, lat) = (cell(lon), cell(lat));
            if missing(lon) && missing(lat) {
                return Ok(Value::Null);
            }
            match (layout.number(lon), layout.number(lat)) {
                (Some(lon), Some(lat)) => (lon, lat),
                _ => return Err(format!("{} and {}, expected degrees", lon.describe(), lat.describe())),
            }
        }
    };
    let found = Position::new(lon, lat).map_err(|_| off_the_earth(lon, lat))?;
    Ok(Value::Point(found))
}
