//! Parquet: its columns are typed already.

use super::{TableFileError, TablePlace, grid::Grid};
use crate::wire::layout::Raw;
use bytes::Bytes;
use parquet::{
    errors::ParquetError,
    file::{reader::FileReader, serialized_reader::SerializedFileReader},
    record::Field,
};

const DAY_MS: i64 = 86_400_000;

/// Reads all rows. Nested columns (groups, lists, maps) are no values that rules could read.
pub(super) fn grid(bytes: &[u8]) -> Result<Grid, Vec<TableFileError>> {
    // Bytes of a user's file must not end the process, whatever a reader that isn't ours does with them.
    let read = std::panic::catch_unwind(|| read(bytes));
    let wrong = |why: &str| vec![TableFileError::File(format!("no readable Parquet: {why}"))];
    match read {
        Ok(read) => read.map_err(|error| wrong(&error.to_string())),
        Err(_) => Err(wrong("it is damaged")),
    }
}

fn read(bytes: &[u8]) -> Result<Grid, ParquetError> {
    let reader = SerializedFileReader::new(Bytes::copy_from_slice(bytes))?;
    let schema = reader.metadata().file_metadata().schema();
    let names = schema.get_fields().iter().map(|field| field.name().to_owned()).collect();
    let mut grid = Grid { names, rows: Vec::new(), textual: false };
    for (at, row) in reader.get_row_iter(None)?.enumerate() {
        let cells = row?.into_columns().into_iter().map(|(_, field)| raw(&field)).collect();
        grid.rows.push((TablePlace::Row(at + 1), cells));
    }
    Ok(grid)
}

fn raw(field: &Field) -> Raw {
    match field {
        Field::Null => Raw::Null,
        Field::Bool(value) => Raw::Bool(*value),
        Field::Byte(number) => Raw::Int((*number).into()),
        Field::Short(number) => Raw::Int((*number).into()),
        Field::Int(number) => Raw::Int((*number).into()),
        Field::Long(number) => Raw::Int(*number),
        Field::UByte(number) => Raw::Int((*number).into()),
        Field::UShort(number) => Raw::Int((*number).into()),
        Field::UInt(number) => Raw::Int((*number).into()),
        Field::ULong(number) => i64::try_from(*number).map_or(Raw::Big(*number), Raw::Int),
        Field::Float16(number) => Raw::Float(f64::from(*number)),
        // The shortest decimal of a single is what its writer meant: 0.1, not 0.10000000149011612.
        Field::Float(number) => Raw::Float(number.to_string().parse().unwrap_or(f64::from(*number))),
        Field::Double(number) => Raw::Float(*number),
        // Written out, so that no digit is lost before it is read as a number.
        Field::Decimal(_) => field.to_string().parse().map_or(Raw::Other("a decimal"), Raw::Float),
        Field::Str(text) => Raw::Text(text.as_str().into()),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Raw::Text(text.into()),
            Err(_) => Raw::Other("bytes"),
        },
        Field::Date(days) => Raw::Time(i64::from(*days).saturating_mul(DAY_MS)),
        Field::TimestampMillis(at_ms) => Raw::Time(*at_ms),
        Field::TimestampMicros(at_us) => Raw::Time(at_us.div_euclid(1_000)),
        Field::TimeMillis(_) | Field::TimeMicros(_) => Raw::Other("a time of day"),
        Field::Group(_) => Raw::Other("a group"),
        Field::ListInternal(_) => Raw::Other("a list"),
        Field::MapInternal(_) => Raw::Other("a map"),
    }
}
