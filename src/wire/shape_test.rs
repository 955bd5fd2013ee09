use super::*;
use crate::{
    model::{Reject, StreamId},
    wire::{FieldSource, PositionSource, RecordSchema, SlotSource, TimeSource, json::JsonDecoder},
};
use proptest::prelude::*;

fn field(name: &str, kind: FieldKind, required: bool) -> FieldSource {
    FieldSource { name: name.into(), path: name.into(), kind, required }
}

/// A field of each kind; the time, the longitude and what is checked are slots, too.
fn schema(position: bool) -> RecordSchema {
    let kinds = [
        ("a", FieldKind::Any, false),
        ("b", FieldKind::Text, true),
        ("c", FieldKind::Float(None), false),
        ("d", FieldKind::Int, false),
        ("e", FieldKind::Bool, false),
        ("f", FieldKind::Time(TimeUnit::Auto), false),
        ("g", FieldKind::Cell, false),
        ("h", FieldKind::Duration(1_000.0), false),
        ("ts", FieldKind::Any, false),
        ("lon", FieldKind::Float(None), false),
        ("geometry", FieldKind::Point, false),
    ];
    let slots = kinds.into_iter().map(|(name, kind, required)| SlotSource::Field(field(name, kind, required)));
    RecordSchema {
        time: TimeSource::default(),
        position: position.then(PositionSource::default),
        slots: std::iter::once(SlotSource::Position).chain(slots).collect(),
        checks: vec![field("i", FieldKind::Int, false), field("c", FieldKind::Any, false)],
    }
}

type Event = (i64, Vec<Value>);

fn event(batch: &Batch) -> Option<Event> {
    let event = batch.event(StreamId(0), 0)?;
    Some((event.header.time_ms, event.values.to_vec()))
}

/// What is made of a record by shapes or else the general way, what by the parser alone, and whether there was a shape.
fn decoded(decoder: &mut JsonDecoder, slow: &mut JsonDecoder, width: usize, record: &[u8]) -> [String; 2] {
    let (mut batch, mut other) = (Batch::new(width), Batch::new(width));
    let by_shape = decoder.decode_by_shape(record, &mut batch);
    assert_eq!(by_shape.is_some(), !batch.is_empty());
    let by_shape = by_shape.map(|()| shown(Ok(()), &batch));
    batch.clear();
    let outcome = decoder.decode(record, 0, 0, &mut batch);
    let found = shown(outcome, &batch);
    assert!(by_shape.is_none_or(|by_shape| by_shape == found));
    let expected = slow.decode_slowly(record, &mut other);
    [found, shown(expected, &other)]
}

/// As text, since minus zero equals zero.
fn shown(outcome: Result<(), Reject>, batch: &Batch) -> String {
    format!("{outcome:?} {:?}", event(batch))
}

#[test]
fn records_of_a_shape_are_read_without_the_general_way() {
    let schema = schema(true);
    let width = schema.slots.len();
    let (mut decoder, mut slow) = (JsonDecoder::new(&schema), JsonDecoder::new(&schema));
    // Each pair is of one shape: the first teaches it.
    let pairs = [
        [
            r#"{"ts":1700000000003,"b":"v0000189","type":"move","lon":-58.536577,"lat":-34.495508,"c":15.2,"d":270}"#,
            r#"{"ts":"2026-01-01T00:00:00Z","b":"é","type":null,"lon":7,"lat":-73.98201751708984e-1,"c":1,"d":null}"#,
        ],
        [
            r#"{"time": 5, "ts": null, "b": "", "lat": 0.0, "lng": -0.0, "i": 3, "x": true, "a": false}"#,
            r#"{"time": 6, "ts": 7, "b": "a text that is not short at all", "lat": 1, "lng": 2, "i": 3.0, "x": -0.5, "a": 0.25}"#,
        ],
        [
            " {\"ts\":1,\"lon\":1,\"lat\":2,\"b\":\"1\",\"e\":true,\"g\":\"8828308281fffff\",\"h\":1.5,\"é\":0} ",
            " {\"ts\":2,\"lon\":3,\"lat\":4,\"b\":\"2\",\"e\":false,\"g\":null,\"h\":2,\"é\":\"é\"} ",
        ],
        // Where it differs from the last one only behind a value.
        [
            " {\"ts\":1,\"lon\":1,\"lat\":2,\"b\":\"1\",\"e\":true,\"d\":2}",
            " {\"ts\":2,\"lon\":3,\"lat\":4,\"b\":\"2\",\"e\":null,\"d\":3}",
        ],
    ];
    for (teaches, follows) in pairs.into_iter().map(|[a, b]| (a, b)) {
        let mut batch = Batch::new(width);
        assert_eq!(decoder.decode_by_shape(teaches.as_bytes(), &mut batch), None, "{teaches}");
        for record in [teaches, follows] {
            let [found, expected] = decoded(&mut decoder, &mut slow, width, record.as_bytes());
            assert_eq!(found, expected, "{record}");
        }
        assert_eq!(decoder.decode_by_shape(follows.as_bytes(), &mut batch), Some(()), "{follows}");
    }
}

#[test]
fn what_is_special_about_a_record_is_left_to_the_general_way() {
    let schema = schema(true);
    let width = schema.slots.len();
    let (mut decoder, mut slow) = (JsonDecoder::new(&schema), JsonDecoder::new(&schema));
    let known = r#"{"ts":1,"b":"x","lon":1,"lat":2,"c":3,"d":4,"x":5}"#;
    let mut batch = Batch::new(width);
    decoder.decode(known.as_bytes(), 0, 0, &mut batch).unwrap();
    let special = [
        known.replace("\"x\",", "\"\\u0078\","),
        known.replace("\"x\",", "\"x\n\","),
        known.replace("\"x\",", "null,"),
        known.replace("\"x\",", "7,"),
        known.replace("\"x\":5", "\"x\":[5]"),
        known.replace("\"x\":5", "\"x\":05"),
        known.replace("\"x\":5", "\"x\":5."),
        known.replace("\"x\":5", "\"x\":1e999"),
        known.replace("\"x\":5", "\"b\":\"y\""),
        known.replace("\"x\":5}", "\"x\":5} "),
        known.replace("\"x\":5}", "\"x\":5}}"),
        known.replace("\"x\":5}", "\"x\":5,}"),
        known.replace("\"x\":5}", "\"x\":5"),
        known.replace("\"x\":5}", "\"x\":5]"),
        known.replace(":1,", ":9e17,"),
        known.replace(":1,", ":-0,"),
        known.replace("\"ts\":1,", "\"ts\":null,"),
        known.replace("lon\":1", "lon\":181"),
        known.replace("lat\":2", "lat\":\"2\""),
        known.replace("lat\":2", "lat\":null"),
        known.replace("\"d\":4", "\"d\":4.5"),
        known.replace("\"d\":4", "\"d\":18446744073709551615"),
    ];
    for record in special {
        let before = batch.len();
        assert_eq!(decoder.decode_by_shape(record.as_bytes(), &mut batch), None, "{record}");
        assert_eq!(batch.len(), before);
        let [found, expected] = decoded(&mut decoder, &mut slow, width, record.as_bytes());
        assert_eq!(found, expected, "{record}");
    }
    // Not UTF-8, in a string that nobody needs.
    let [found, _] = decoded(
        &mut decoder,
        &mut JsonDecoder::new(&schema),
        width,
        b"{\"ts\":1,\"b\":\"x\",\"lon\":1,\"lat\":2,\"c\":3,\"d\":4,\"x\":\"\"}",
    );
    assert!(found.starts_with("Ok"));
    let bytes = b"{\"ts\":1,\"b\":\"x\",\"lon\":1,\"lat\":2,\"c\":3,\"d\":4,\"x\":\"\xff\"}";
    assert!(decoder.decode(bytes, 0, 0, &mut batch).is_err());
}

#[test]
fn a_record_ends_where_it_ends_whatever_comes_behind_it() {
    let schema = schema(false);
    let mut decoder = JsonDecoder::new(&schema);
    let record = r#"{"ts":1,"b":"x"}"#;
    for round in 0..2 {
        for length in 0..=record.len() + 2 {
            let behind = format!("{record}{record}");
            let mut batch = Batch::new(schema.slots.len());
            let found = decoder.decode_ahead((behind.as_bytes(), length, true), (0, 0), &mut batch);
            assert_eq!(found.is_ok(), length == record.len(), "{round}: {length}");
        }
    }
}

#[test]
fn many_shapes_cost_their_room_and_no_more() {
    let schema = schema(false);
    let mut decoder = JsonDecoder::new(&schema);
    let mut batch = Batch::new(schema.slots.len());
    for at in 0..20_000 {
        let record = format!(r#"{{"ts":{at},"b":"x","k{at}":1}}"#);
        decoder.decode(record.as_bytes(), 0, 0, &mut batch).unwrap();
    }
    assert_eq!(batch.len(), 20_000);
    // Shapes of long ago have made room.
    let record = br#"{"b":"x","ts":1}"#;
    for _ in 0..2 * REFUSED_MAX {
        decoder.decode(record, 0, 0, &mut batch).unwrap();
    }
    assert_eq!(decoder.decode_by_shape(record, &mut batch), Some(()));
}

proptest! {
    #[test]
    fn by_shape_or_not_the_event_and_the_error_are_the_same(
        shapes in prop::collection::vec(
            prop::collection::vec((prop::sample::select(&["ts", "time", "b", "lon", "lng", "lat", "a", "c", "d", "e", "f", "g", "h", "i", "x", "é", "geometry", "\\u0061"][..]), prop::sample::select(&[":", ": ", " :"][..])), 1..7),
            1..4,
        ),
        values in prop::collection::vec(
            prop_oneof![
                8 => "-?(0|[1-9][0-9]{0,18})(\\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?",
                2 => "-?[0-9]{1,6}(\\.[0-9]{1,6})?",
                1 => "[0-9.eE+-]{1,6}",
                4 => "\"[a-zé0-9]{0,24}\"",
                1 => "\"[a-z\\\\\"\n]{0,6}\"",
                1 => "\"20[0-9]{2}-0[0-9]-1[0-9]T0[0-9]:00:00(\\.[0-9]{1,4})?(Z|\\+01:00)\"",
                2 => prop::sample::select(&["true", "false", "null", "nul", "[]", "{}", "[1,2]", "\"8828308281fffff\""][..]).prop_map(str::to_owned),
            ],
            1..40,
        ),
        position: bool,
        cuts in prop::collection::vec(prop_oneof![9 => Just(0usize), 1 => 1usize..40], 12),
    ) {
        let schema = schema(position);
        let width = schema.slots.len();
        let (mut decoder, mut slow) = (JsonDecoder::new(&schema), JsonDecoder::new(&schema));
        let mut values = values.iter().cycle();
        for (turn, cut) in cuts.into_iter().enumerate() {
            let Some(shape) = shapes.get(turn % shapes.len()) else { continue };
            let members = shape.iter().map(|(key, colon)| format!("\"{key}\"{colon}{}", values.next().map_or("", String::as_str)));
            // Half of the records have what they need for sure.
            let needed = if turn % 2 == 0 { "\"t\":5,\"b\":\"x\",\"latitude\":1.5,\"longitude\":2," } else { "" };
            let mut record = format!("{{{needed}{}}}", members.collect::<Vec<_>>().join(","));
            record.truncate(record.char_indices().rev().nth(cut).map_or(record.len(), |(at, last)| at + last.len_utf8()));
            let [found, expected] = decoded(&mut decoder, &mut slow, width, record.as_bytes());
            prop_assert_eq!(found, expected, "{}", record);
        }
    }
}
