//! Files in, columns and rows out.

use super::*;
use crate::{
    model::{Type, Unit, Value},
    wire::{FieldKind, FieldSource, PositionSource, TimeUnit},
};
use ::parquet::{
    data_type::{ByteArrayType, DoubleType, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use proptest::prelude::*;
use std::sync::Arc;

const CSV: TableFormat = TableFormat::Csv { delimiter: b',' };

fn spec(key: &[&str]) -> TableSpec {
    TableSpec { key: key.iter().map(|&name| name.to_owned()).collect(), ..TableSpec::default() }
}

fn types(read: &TableRead) -> Vec<(&str, Type)> {
    read.columns.iter().map(|(name, ty)| (name.as_str(), *ty)).collect()
}

fn said(bytes: &[u8], format: TableFormat, spec: &TableSpec) -> Vec<String> {
    read_table(bytes, format, spec).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_column_has_the_narrowest_type_that_all_of_its_cells_fit() {
    let text = "id,n,x,on,code,phone,mixed,none\na,1,1,true,007,+49,1,\nb,-2,2.5,False,8,1,x,\nc,,3,,9,2,true,\n";
    let read = read_table(text.as_bytes(), CSV, &spec(&["id"])).unwrap();
    let expected = [
        ("id", Type::Text),
        ("n", Type::Int),
        ("x", Type::Float),
        ("on", Type::Bool),
        ("code", Type::Text),
        ("phone", Type::Text),
        ("mixed", Type::Text),
        ("none", Type::Text),
    ];
    assert_eq!(types(&read), expected);
    let (place, from_ms, values) = &read.rows[0];
    assert_eq!((*place, *from_ms), (TablePlace::Line(2), None));
    let row = [
        Value::text("a"),
        Value::Int(1),
        Value::Float(1.0),
        Value::Bool(true),
        Value::text("007"),
        Value::text("+49"),
        Value::text("1"),
        Value::Null,
    ];
    assert_eq!(values[..], row);
}

#[test]
fn declared_columns_have_names_types_and_units_of_their_own() {
    let field =
        |name: &str, path: &str, kind| FieldSource { name: name.into(), path: path.into(), kind, required: false };
    let mut spec = spec(&["id"]);
    spec.fields =
        vec![field("top", "max", FieldKind::Float(Some(Unit::KilometrePerHour))), field("id", "id", FieldKind::Text)];
    spec.time = Some(("since".to_owned(), TimeUnit::Seconds));
    spec.position = Some(Some(PositionSource { lon: vec!["x".into()], lat: vec!["y".into()], geometry: Vec::new() }));
    let read = read_table(b"since;id;max;x;y\n10;1;80;4.5;52\n20;2;;;\n", TableFormat::Csv { delimiter: b';' }, &spec);
    let read = read.unwrap();
    let (top, point) = (Type::Quantity(Unit::KilometrePerHour), Type::Point);
    let expected = [
        ("top", top),
        ("id", Type::Text),
        ("since", Type::Int),
        ("x", Type::Float),
        ("y", Type::Int),
        ("position", point),
    ];
    assert_eq!(types(&read), expected);
    assert_eq!(read.key, [1]);
    assert_eq!((read.rows[0].1, &read.rows[0].2[1]), (Some(10_000), &Value::text("1")));
    assert!(matches!(read.rows[0].2[5], Value::Point(_)) && read.rows[1].2[5] == Value::Null);
}

#[test]
fn mistakes_are_told_with_line_and_column() {
    let id = spec(&["id"]);
    assert_eq!(said(b"", CSV, &id), ["the file is empty: its first row names the columns"]);
    assert_eq!(said(b"id,id\n", CSV, &id), ["two columns are named `id`"]);
    assert_eq!(
        said(b"name\nx\n", CSV, &id),
        ["there is no column `id`, which is the table's key; its columns are `name`"]
    );
    assert_eq!(said(b"id,n\r\n\"a\r\nb\",1\r\n\r\nc\r\n", CSV, &id), ["line 5: the row has 1 columns, the header 2"]);
    assert_eq!(said(b"id,n\n,1\n", CSV, &id), ["line 2, column `id`: a row without a key can't be looked up"]);
    assert_eq!(said(b"id\n\xff\n", CSV, &id), ["line 2: not UTF-8"]);
    assert_eq!(
        said(b"id,lon,lat\na,200,1\n", CSV, &id),
        ["line 2, column `position`: (200, 1) is no position on the earth"]
    );
    let timed = TableSpec { time: Some(("since".to_owned(), TimeUnit::Auto)), ..spec(&["id"]) };
    assert_eq!(
        said(b"id,since\na,soon\nb,\n", CSV, &timed),
        [
            "line 2, column `since`: a string (`soon`), where the time from which the row holds is expected",
            "line 3, column `since`: null, where the time from which the row holds is expected",
        ]
    );
    let many = format!("id,n\n{}", ",1\n".repeat(100));
    assert_eq!(said(many.as_bytes(), CSV, &id).last().unwrap(), "80 more mistakes are not shown");
}

#[test]
fn a_feature_is_a_row_and_a_point_its_position() {
    let text = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","id":7,"geometry":{"type":"Point","coordinates":[4.5,52]},"properties":{"name":"A","n":1,"tags":[1]}},
        {"type":"Feature","id":8,"geometry":null,"properties":{"n":2.5}}]}"#;
    let read = read_table(text.as_bytes(), TableFormat::GeoJson, &spec(&["id"])).unwrap();
    let expected = [("name", Type::Text), ("n", Type::Float), ("id", Type::Int), ("position", Type::Point)];
    assert_eq!(types(&read), expected, "lists are no values that rules read");
    assert_eq!(read.rows[1].2, [Value::Null, Value::Float(2.5), Value::Int(8), Value::Null]);
    assert_eq!(
        said(br#"{"type":"FeatureCollection","features":[3]}"#, TableFormat::GeoJson, &spec(&["id"])),
        ["`features[0]`: not a GeoJSON `Feature`"]
    );
    assert_eq!(said(b"{\n ]", TableFormat::GeoJson, &spec(&["id"])).len(), 1);
    let off = text.replace("[4.5,52]", "[400,52]");
    assert_eq!(
        said(off.as_bytes(), TableFormat::GeoJson, &spec(&["id"])),
        ["`features[0]`, column `position`: (400, 52) is no position on the earth"]
    );
}

/// A Parquet file with a text, a number and an instant, the second row without the number.
fn parquet() -> Vec<u8> {
    let schema = "message t { required binary id (UTF8); optional double x; required int64 at (TIMESTAMP_MILLIS); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::default())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&["a".into(), "b".into()], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(&[1.5], Some(&[1, 0]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[1_000, 2_000], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn parquet_columns_keep_their_types() {
    let timed = TableSpec { time: Some(("at".to_owned(), TimeUnit::Auto)), ..spec(&["id"]) };
    let read = read_table(&parquet(), TableFormat::Parquet, &timed).unwrap();
    assert_eq!(types(&read), [("id", Type::Text), ("x", Type::Float), ("at", Type::Time)]);
    assert_eq!(read.rows[0].2, [Value::text("a"), Value::Float(1.5), Value::Time(1_000)]);
    assert_eq!((read.rows[1].1, &read.rows[1].2[1]), (Some(2_000), &Value::Null));
    assert!(said(b"PAR1", TableFormat::Parquet, &timed)[0].starts_with("no readable Parquet: "));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn damaged_files_are_refused_or_read_and_never_end_the_process(
        at in any::<prop::sample::Index>(),
        bits in 1u8..,
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = parquet();
        let place = at.index(bytes.len());
        bytes[place] ^= bits;
        let _ = read_table(&bytes, TableFormat::Parquet, &spec(&["id"]));
        let _ = read_table(&bytes[..cut.index(bytes.len())], TableFormat::Parquet, &spec(&["id"]));
        let _ = read_table(&bytes, CSV, &spec(&["id"]));
        let _ = read_table(&bytes, TableFormat::GeoJson, &spec(&["id"]));
    }

    #[test]
    fn the_order_of_rows_changes_no_type(
        cells in prop::collection::vec("-?[0-9]{1,3}|[0-9]\\.[0-9]|true|x|", 1..8),
        seed in any::<u64>(),
    ) {
        let table = |cells: &[String]| {
            let rows: String = cells.iter().map(|cell| format!("k,{cell}\n")).collect();
            let read = read_table(format!("id,c\n{rows}").as_bytes(), CSV, &spec(&["id"])).unwrap();
            read.columns
        };
        let mut other = cells.clone();
        other.sort_by_key(|cell| cell.bytes().fold(seed, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())));
        prop_assert_eq!(table(&cells), table(&other));
    }
}
