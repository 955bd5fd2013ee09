//! Small documents, whole and broken.

use super::{Document, expand};
use crate::wire::Chunk;

/// Each record, or why there is none.
fn records(document: Document, text: &str) -> Vec<Result<String, String>> {
    let mut chunk = Chunk::new();
    expand(document, text.as_bytes(), 3, 1_000, &mut chunk);
    let read = |record: crate::wire::Record<'_>| match record.fault() {
        Some(reject) => Err(reject.detail),
        None => Ok(String::from_utf8(record.bytes.to_vec()).unwrap()),
    };
    assert!(chunk.records().enumerate().all(|(at, record)| (record.partition, record.offset) == (3, at as u64)));
    chunk.records().map(read).collect()
}

fn moving(feature: &str) -> Vec<Result<String, String>> {
    records(Document::MovingFeatures, feature)
}

#[test]
fn instants_of_all_moving_points_come_in_the_order_of_time() {
    let prism = |id: &str, times: &str| {
        format!(
            r#"{{"type":"Feature","id":"{id}","temporalGeometry":{{"type":"MovingPoint","datetimes":{times},"coordinates":[[1,2],[3,4]]}}}}"#
        )
    };
    let text =
        format!(r#"{{"type":"FeatureCollection","features":[{},{}]}}"#, prism("a", "[10,30]"), prism("b", "[20,40]"));
    let expected = [("a", 10, "1", "2"), ("b", 20, "1", "2"), ("a", 30, "3", "4"), ("b", 40, "3", "4")];
    let expected =
        expected.map(|(id, ts, lon, lat)| Ok(format!(r#"{{"id":"{id}","ts":{ts},"lon":{lon},"lat":{lat}}}"#)));
    assert_eq!(moving(&text), expected);
}

#[test]
fn properties_are_what_their_interpolation_says_between_their_instants() {
    let of = |how: &str, values: &str| {
        let text = format!(
            r#"{{"type":"Feature","temporalGeometry":{{"type":"MovingPoint","datetimes":[0,5,10],"coordinates":[[1,2],[1,2],[1,2]]}},
                "temporalProperties":[{{"datetimes":[0,10],"v":{{"values":{values},"interpolation":"{how}"}}}}]}}"#
        );
        let value = |record: Result<String, String>| {
            serde_json::from_str::<serde_json::Value>(&record.unwrap()).unwrap()["v"].to_string()
        };
        moving(&text).into_iter().map(value).collect::<Vec<_>>()
    };
    assert_eq!(of("Linear", "[1,2]"), ["1", "1.5", "2"]);
    assert_eq!(of("Step", "[1,2]"), ["1", "1", "2"]);
    assert_eq!(of("Discrete", "[1,2]"), ["1", "null", "2"]);
    assert_eq!(of("Linear", r#"["x",2]"#), ["\"x\"", "null", "2"]);
}

#[test]
fn what_is_no_moving_point_says_so_and_leaves_the_others_alone() {
    let said = |feature: &str| {
        let good =
            r#"{"type":"Feature","temporalGeometry":{"type":"MovingPoint","datetimes":[1],"coordinates":[[1,2]]}}"#;
        let text = format!(r#"{{"type":"FeatureCollection","features":[{feature},{good}]}}"#);
        let found = moving(&text);
        assert_eq!((found.len(), found[1].is_ok()), (2, true), "{found:?}");
        found[0].clone().unwrap_err()
    };
    let point = |rest: &str| {
        format!(r#"{{"type":"Feature","temporalGeometry":{{"type":"MovingPoint","coordinates":[[1,2]]{rest}}}}}"#)
    };
    assert_eq!(said(&point("")), "feature 1: it has no list `datetimes`");
    assert_eq!(said(&point(r#","datetimes":[1,2]"#)), "feature 1: it has 2 `datetimes` and 1 of `coordinates`");
    let crs = r#","datetimes":[1],"crs":{"type":"Name","properties":{"name":"urn:ogc:def:crs:EPSG::3857"}}"#;
    assert!(said(&point(crs)).contains("EPSG::3857"));
    assert!(said("3").contains("no object"));
    assert!(said(r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]}}"#).contains("`Point`"));
    let [Err(broken)] = &moving(r#"{"type":"FeatureCollection","features":[{}"#)[..] else { panic!() };
    assert!(broken.starts_with("no GeoJSON"), "{broken}");
}

#[test]
fn a_gpx_file_that_breaks_off_gives_its_points_and_says_where() {
    let text = "<gpx><trk><name>n</name><trkseg><trkpt lon='1' lat='2'><time>2026-01-01T00:00:00Z</time><ele>5</ele></trkpt><trkpt lat='3'";
    let found = records(Document::Gpx, text);
    assert_eq!(
        found[0],
        Ok(r#"{"lon":1,"lat":2,"track":"n","segment":1,"time":"2026-01-01T00:00:00Z","ele":5}"#.to_owned())
    );
    assert!(matches!(&found[1..], [Err(why)] if why.starts_with("no GPX from byte ")), "{found:?}");
    assert!(
        matches!(&records(Document::Gpx, "<kml></kml>")[..], [Err(why)] if why.contains("the document is a `kml`"))
    );
    let deep = format!("<gpx>{}", "<a>".repeat(1_000));
    assert!(matches!(&records(Document::Gpx, &deep)[..], [Err(why)] if why.contains("deeper")));
}
