use super::*;
use crate::geo::{FenceIx, Position};
use crate::model::{EventId, Fences, Unit};

struct Known;

impl Names for Known {
    fn fence_id(&self, fence: FenceRef) -> Option<&str> {
        ["JFK", "LGA"].get(fence.fence.0 as usize).copied()
    }
    fn stream_name(&self, stream: StreamId) -> Option<&str> {
        ["pings"].get(stream.0 as usize).copied()
    }
}

fn field(name: &str, ty: Type, role: FieldRole) -> AlertField {
    AlertField { name: name.to_owned(), ty, role }
}

fn shape() -> AlertShape {
    AlertShape {
        rule: "Queue\"Abandoned".to_owned(),
        version: "00ff".to_owned(),
        labels: vec![("team".to_owned(), "ops".to_owned()), ("severity".to_owned(), "warning".to_owned())],
        annotations: vec![(
            "summary".to_owned(),
            vec![
                Piece::Key,
                Piece::Text(" gave up at ".to_owned()),
                Piece::Field(1),
                Piece::Text(" after ".to_owned()),
                Piece::Field(2),
                Piece::Text(", ".to_owned()),
                Piece::Field(3),
                Piece::Text(", since ".to_owned()),
                Piece::Start,
            ],
        )],
        fields: vec![
            field("vehicle", Type::Text, FieldRole::Key),
            field("airport", Type::Fence, FieldRole::Measure),
            field("waited", Type::Duration, FieldRole::Measure),
            field("speed", Type::Quantity(Unit::KilometrePerHour), FieldRole::Measure),
            field("position", Type::Point, FieldRole::Implicit),
        ],
        variables: vec!["enter".to_owned(), "leave".to_owned()],
    }
}

fn at(lon: f64, lat: f64) -> Position {
    Position::new(lon, lat).unwrap()
}

fn taken(var: u16, offset: u64, position: Option<Position>) -> Taken {
    Taken { var, id: EventId::Offset { stream: StreamId(0), partition: 0, offset }, position }
}

fn values() -> Vec<Value> {
    let fence = Value::Fence(FenceRef { set: 0, fence: FenceIx(0) });
    vec![Value::text("cab 7"), fence, Value::Duration(1_265_250), Value::Float(4.5), Value::Point(at(5.0, 6.0))]
}

fn line(shape: AlertShape, values: &[Value], taken: &[Taken], kind: EmissionKind) -> String {
    let key = Key::new(values.first());
    let output = Output {
        kind,
        start_ms: 0,
        end_ms: 1_265_250,
        key: &key,
        values,
        taken,
        row: None,
        clock: None,
        revision: 0,
        dropped: 0,
    };
    let mut out = Vec::new();
    AlertEncoder::new(shape).encode(&output, &Known, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn an_alert_is_a_feature_on_a_line() {
    let taken = [taken(0, 3, Some(at(1.0, 2.0))), taken(1, 5, Some(at(1.5, 2.0)))];
    let line = line(shape(), &values(), &taken, EmissionKind::Match);
    let id = line.get(24..56).unwrap();
    let expected = format!(
        concat!(
            r#"{{"type":"Feature","id":"{id}","geometry":{{"type":"LineString","coordinates":[[1.0,2.0],[1.5,2.0]]}},"#,
            r#""properties":{{"id":"{id}","rule":"Queue\"Abandoned","rule_version":"00ff","status":"firing","#,
            r#""severity":"warning","labels":{{"team":"ops","severity":"warning"}},"key":{{"vehicle":"cab 7"}},"#,
            r#""start":"1970-01-01T00:00:00Z","end":"1970-01-01T00:21:05.25Z","#,
            r#""measures":{{"airport":"JFK","waited":1265.25,"speed":4.5}},"#,
            r#""annotations":{{"summary":"cab 7 gave up at JFK after 21 min 5 s, 4.5 km/h, since 1970-01-01T00:00:00Z"}},"#,
            r#""events":[{{"variable":"enter","id":"pings:0:3"}},{{"variable":"leave","id":"pings:0:5"}}]}}}}"#,
            "\n"
        ),
        id = id
    );
    assert_eq!(line, expected);
    assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

#[test]
fn the_geometry_is_what_the_alert_is_about() {
    let geometry = |values: &[Value], taken: &[Taken]| {
        let line = line(shape(), values, taken, EmissionKind::TimedOut);
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["properties"]["status"], "timed_out");
        json["geometry"].to_string()
    };
    let here = Some(at(1.0, 2.0));
    let one = r#"{"type":"Point","coordinates":[1.0,2.0]}"#;
    assert_eq!(geometry(&values(), &[taken(0, 1, here)]), one);
    assert_eq!(geometry(&values(), &[taken(0, 1, here), taken(0, 2, here)]), one);
    assert_eq!(geometry(&values(), &[taken(0, 1, None)]), r#"{"type":"Point","coordinates":[5.0,6.0]}"#);
    assert_eq!(geometry(&values()[..2], &[]), "null");
    let cell = crate::geo::Cell::new(0x8828308281fffff).unwrap();
    assert!(geometry(&[Value::Cell(cell)], &[taken(0, 1, here)]).starts_with(r#"{"type":"Polygon""#));
}

#[test]
fn an_id_depends_on_what_the_alert_is_about_and_on_nothing_else() {
    let id = |shape: AlertShape, taken: &[Taken], start_ms: i64| {
        let values = values();
        let key = Key::new(values.first());
        let output = Output {
            kind: EmissionKind::Match,
            start_ms,
            end_ms: 9,
            key: &key,
            values: &values,
            taken,
            row: None,
            clock: None,
            revision: 0,
            dropped: 0,
        };
        AlertEncoder::new(shape).id(&output, &Known).to_string()
    };
    let base = id(shape(), &[taken(0, 1, None)], 0);
    // Frozen: a change of the layout doubles the alerts of everyone who restarts with it.
    assert_eq!(base, "c0b00cae6ddf8f5cd29349f09c8c9fc2");
    let other_words = AlertShape { labels: Vec::new(), annotations: Vec::new(), ..shape() };
    assert_eq!(id(other_words, &[taken(0, 1, Some(at(0.0, 0.0)))], 0), base);
    let edited = AlertShape { version: "00fe".to_owned(), ..shape() };
    assert_ne!(id(edited, &[taken(0, 1, None)], 0), base);
    assert_ne!(id(shape(), &[taken(1, 1, None)], 0), base);
    assert_ne!(id(shape(), &[taken(0, 2, None)], 0), base);
    assert_ne!(id(shape(), &[taken(0, 1, None)], 1), base);
}

#[test]
fn every_kind_of_value_is_json() {
    let fences = Fences::new(0, &[FenceIx(0), FenceIx(1), FenceIx(7)]);
    let cases = [
        (Value::Null, "null"),
        (Value::Bool(true), "true"),
        (Value::Float(0.1), "0.1"),
        (Value::Float(1e21), "1e+21"),
        (Value::Time(-1), r#""1969-12-31T23:59:59.999Z""#),
        (Value::Cell(crate::geo::Cell::new(0x8828308281fffff).unwrap()), r#""8828308281fffff""#),
        (Value::Fences(fences), r#"["JFK","LGA",null]"#),
        (Value::List(vec![Value::Int(1), Value::List(vec![].into()), Value::text("a\n")].into()), r#"[1,[],"a\n"]"#),
        (Value::Point(at(1.0, -2.0)), r#"{"type":"Point","coordinates":[1.0,-2.0]}"#),
    ];
    for (value, expected) in cases {
        let mut out = Vec::new();
        write_value(&mut out, &value, &Known);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn rows_of_a_match_have_ids_of_their_own_and_name_the_match() {
    let (key, values) = (Key::new(values().first()), values());
    let all: Arc<[Taken]> = vec![taken(0, 3, None), taken(1, 5, None)].into();
    let other: Arc<[Taken]> = vec![taken(0, 3, None), taken(1, 6, None)].into();
    let mut encoder = AlertEncoder::new(shape());
    let mut id = |taken: &[Taken], row: Option<Row>| {
        let kind = EmissionKind::Match;
        let output = Output {
            kind,
            start_ms: 0,
            end_ms: 9,
            key: &key,
            values: &values,
            taken,
            row: row.as_ref(),
            clock: None,
            revision: 0,
            dropped: 0,
        };
        let mut line = Vec::new();
        let id = encoder.encode(&output, &Known, &mut line);
        (id, String::from_utf8(line).unwrap())
    };
    let (whole, line) = id(&all, None);
    assert!(!line.contains(r#""row":"#));
    let mut row = |of: &Arc<[Taken]>, number: u32| {
        let own = &of[number as usize - 1..number as usize];
        id(own, Some(Row { number, of: Arc::clone(of) }))
    };
    let ((first, line), (second, _), (shared, _)) = (row(&all, 1), row(&all, 2), row(&other, 1));
    assert!(line.contains(&format!(r#""match":"{whole}","row":1,"#)), "{line}");
    assert!(line.contains(r#""events":[{"variable":"enter","id":"pings:0:3"}]"#), "{line}");
    let ids = std::collections::BTreeSet::from([whole, first, second, shared]);
    assert_eq!(ids.len(), 4, "also where two matches share an event");
    assert_eq!(row(&all, 1).0, first, "whatever was written before");
}

#[test]
fn an_alert_tells_what_a_limit_dropped_before_it() {
    let (values, key) = (values(), Key::new(values().first()));
    let output = Output {
        kind: EmissionKind::Match,
        start_ms: 0,
        end_ms: 9,
        key: &key,
        values: &values,
        taken: &[],
        row: None,
        clock: None,
        revision: 0,
        dropped: 3,
    };
    let mut out = Vec::new();
    AlertEncoder::new(shape()).encode(&output, &Known, &mut out);
    let line = String::from_utf8(out).unwrap();
    assert!(line.contains(r#","truncated":true,"dropped":3,"events":["#), "{line}");
}
