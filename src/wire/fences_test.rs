use super::*;
use crate::geo::{FenceSet, Position};
use proptest::prelude::*;

const SQUARE: &str = r#"{"type":"Polygon","coordinates":[[[0,0],[2,0],[2,2],[0,2],[0,0]]]}"#;

fn feature(id: &str, geometry: &str) -> String {
    format!(r#"{{"type":"Feature","id":"{id}","properties":{{"kind":"zone"}},"geometry":{geometry}}}"#)
}

fn collection(features: &[String]) -> String {
    format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, features.join(","))
}

fn polygon_of(ring: &str) -> String {
    format!(r#"{{"type":"Polygon","coordinates":[{ring}]}}"#)
}

fn strict(text: &str) -> Result<Vec<Fence>, Vec<String>> {
    let read = read_fences(text.as_bytes(), &FenceOptions::default());
    read.map(|read| read.fences).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn errors(text: &str) -> Vec<String> {
    strict(text).unwrap_err()
}

fn geometry_error(geometry: &str) -> String {
    let mut errors = errors(&collection(&[feature("ok", SQUARE), feature("bad", geometry)]));
    assert_eq!(errors.len(), 1);
    errors.remove(0).strip_prefix("`features[1]` (id `bad`): ").unwrap().to_owned()
}

#[test]
fn features_become_fences_with_their_properties() {
    let text = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","id":7,"properties":{"b":true,"i":-3,"f":1.5,"s":"x","n":null,"list":[1, {"a":2}],"big":1e30},
         "geometry":{"type":"MultiPolygon","coordinates":[[[[0,0,5],[2,0,5],[2,2,5],[0,0,5]]],[[[5,5],[6,5],[6,6],[5,5]]]]}},
        {"type":"Feature","properties":{"id":"seven"},"geometry":{"type":"Polygon","coordinates":[[[0,0],[2,0],[2,2],[0,0]]]}}]}"#;
    let fences = strict(&format!("\u{feff}{text}")).unwrap();
    assert_eq!((fences[0].id.as_str(), fences[1].id.as_str()), ("7", "seven"));
    let properties = |name: &str| fences[0].property(name).cloned();
    assert_eq!(properties("b"), Some(Property::Bool(true)));
    assert_eq!(properties("i"), Some(Property::Int(-3)));
    assert_eq!(properties("f"), Some(Property::Float(1.5)));
    assert_eq!(properties("s"), Some(Property::Text("x".into())));
    assert_eq!(properties("n"), Some(Property::Null));
    assert_eq!(properties("list"), Some(Property::Text(r#"[1,{"a":2}]"#.into())));
    assert_eq!(properties("big"), Some(Property::Float(1e30)));
    assert_eq!(properties("other"), None);
    assert!(fences[0].shape.contains(Position::new(5.9, 5.5).unwrap()));
    assert_eq!(strict(&feature("one", SQUARE)).unwrap().len(), 1, "a single feature is a file as well");
    assert_eq!(strict(&collection(&[])).unwrap().len(), 0);
}

#[test]
fn the_id_may_be_any_property() {
    let text = r#"{"type":"Feature","id":"x","properties":{"zone":12},"geometry":null}"#.replace("null", SQUARE);
    let by = |name: &str| {
        read_fences(text.as_bytes(), &FenceOptions { id_property: Some(name.into()), ..FenceOptions::default() })
    };
    assert_eq!(by("zone").unwrap().fences[0].id, "12");
    assert_eq!(by("name").unwrap_err()[0].to_string(), "`features[0]`: no id: the feature has no property `name`");
}

#[test]
fn a_document_that_is_no_feature_collection_is_refused() {
    let text = collection(&[feature("a", SQUARE)]);
    let truncated = &errors(&text[..text.len() - 9])[0];
    assert!(truncated.starts_with("not valid JSON at line 1, column 1") && truncated.contains(": EOF while parsing"));
    assert!(errors("{\n\"type\": oops}")[0].starts_with("not valid JSON at line 2, column "));
    assert!(errors("")[0].starts_with("not valid JSON"));
    let expected = "expected a GeoJSON `FeatureCollection` or `Feature`, found ";
    for (text, found) in [
        (SQUARE, "`Polygon`: wrap it in a `Feature` with an id"),
        (r#"{"type":"Topology"}"#, "`Topology`"),
        ("{}", "an object without a `type`"),
        ("[1,2]", "`[1,2]`"),
        (r#"{"type":"FeatureCollection"}"#, "a `FeatureCollection` without `features`"),
        (r#"{"type":"FeatureCollection","features":{}}"#, "a `FeatureCollection` whose `features` is an object"),
    ] {
        assert_eq!(errors(text), [format!("{expected}{found}")]);
    }
    let crs = r#"{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::31370"}},"features":[]}"#;
    assert!(errors(crs)[0].contains("`urn:ogc:def:crs:EPSG::31370` is not supported"));
    assert!(strict(&crs.replace("EPSG::31370", "OGC:1.3:CRS84")).is_ok());
}

#[test]
fn broken_geometries_are_named_with_their_place() {
    let ring = |ring: &str| geometry_error(&polygon_of(ring));
    assert_eq!(ring("[[0,0],[1,0],[1,91],[0,0]]"), "at `coordinates[0][2]`: latitude `91` is not between -90 and 90");
    assert!(ring("[[0,0],[1,0],[1,1],[0,1]]").contains("`coordinates[0]` is not closed"));
    assert_eq!(
        ring("[[0,0],[2,2],[2,0],[0,2],[0,0]]"),
        "the edges that start at `coordinates[0][0]` and `coordinates[0][2]` cross at [1.0, 1.0]"
    );
    assert_eq!(
        ring(r#"[[0,0],[1,"0"],[1,1],[0,0]]"#),
        "`coordinates[0][1]` is `[1,\"0\"]`, not a position, [longitude, latitude]"
    );
    assert_eq!(ring("7"), "`coordinates[0]` is `7`, not an array of positions");
    assert_eq!(geometry_error(r#"{"type":"Polygon"}"#), "`coordinates` is null, not an array of rings");
    assert_eq!(geometry_error(r#"{"type":"Polygon","coordinates":[]}"#), "the polygon at `coordinates` has no ring");
    assert_eq!(
        geometry_error(r#"{"type":"MultiPolygon","coordinates":[[[[0]]]]}"#),
        "`coordinates[0][0][0]` is `[0]`, not a position, [longitude, latitude]"
    );
    assert_eq!(geometry_error("null"), "the feature has no geometry; a fence needs one, a `Polygon` for instance");
    assert_eq!(
        geometry_error(r#"{"type":"LineString","coordinates":[[0,0]]}"#),
        "the line at `coordinates` has 1 position; it needs at least 2"
    );
    assert!(
        geometry_error(r#"{"type":"Point","coordinates":[0,0]}"#).ends_with("without a property `radius`, in metres")
    );
    assert!(geometry_error("[]").starts_with("a geometry of type `[]` can't"));
}

#[test]
fn every_mistake_of_a_file_is_reported() {
    let text = collection(&[
        feature("a", SQUARE),
        feature("a", SQUARE),
        "{}".into(),
        feature("b", "null").replace("\"kind\"", "\"valid_from\""),
        feature("", SQUARE),
        feature("c", SQUARE).replace(r#"{"kind":"zone"}"#, "5"),
    ]);
    assert_eq!(
        errors(&text),
        [
            "`features[1]` (id `a`): the id is already that of `features[0]`",
            "`features[2]`: expected a GeoJSON `Feature`, found an object without a `type`",
            "`features[3]` (id `b`): the property `valid_from` is `\"zone\"`, expected a time such as `2026-01-01T00:00:00Z`, or milliseconds since 1970",
            "`features[3]` (id `b`): the feature has no geometry; a fence needs one, a `Polygon` for instance",
            "`features[4]`: the id `\"\"` is neither a number nor a text of at least one character",
            "`features[5]` (id `c`): `properties` is `5`, not an object or null",
        ]
    );
}

#[test]
fn lenient_reading_skips_what_is_broken() {
    let text = collection(&[feature("a", "null"), feature("a", SQUARE), feature("a", SQUARE), feature("b", SQUARE)]);
    let lenient = FenceOptions { lenient: true, ..FenceOptions::default() };
    let read = read_fences(text.as_bytes(), &lenient).unwrap();
    assert_eq!(read.fences.iter().map(|fence| fence.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let skipped: Vec<String> = read.skipped.iter().map(ToString::to_string).collect();
    assert!(skipped[0].starts_with("`features[0]` (id `a`): the feature has no geometry"));
    assert_eq!(skipped[1], "`features[2]` (id `a`): the id is already that of `features[1]`");
    assert!(FenceSet::new(read.fences).is_ok());
    assert!(read_fences(b"nonsense", &lenient).is_err());
}

proptest! {
    #[test]
    fn no_input_makes_the_reader_panic(cut in 0usize..400, replaced in 0usize..400, byte in any::<u8>()) {
        let text = collection(&[feature("a", SQUARE), feature("b", SQUARE)]);
        let mut bytes = text.into_bytes();
        let place = replaced % bytes.len();
        bytes[place] = byte;
        let _ = read_fences(&bytes, &FenceOptions::default());
        bytes.truncate(cut);
        let _ = read_fences(&bytes, &FenceOptions { lenient: true, ..FenceOptions::default() });
    }
}

#[test]
fn lines_points_and_times_are_fences_too() {
    let feature = |id: &str, geometry: &str, properties: &str| {
        format!(r#"{{"type":"Feature","id":"{id}","geometry":{geometry},"properties":{{{properties}}}}}"#)
    };
    let line = r#"{"type":"LineString","coordinates":[[10,50],[10,51]]}"#;
    let lines = r#"{"type":"MultiLineString","coordinates":[[[20,50],[20,51]],[[21,50],[21,51]]]}"#;
    let point = r#"{"type":"Point","coordinates":[30,50]}"#;
    let all = [
        feature("gate", line, ""),
        feature("lane", lines, r#""width":1000"#),
        feature("mast", point, r#""radius":500,"valid_from":"2026-01-01T00:00:00Z","valid_to":1767225700000"#),
    ];
    let text = format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, all.join(","));
    let read = read_fences(text.as_bytes(), &FenceOptions::default()).unwrap().fences;
    let contains = |at: usize, lon: f64, lat: f64| read[at].shape.contains(Position::new(lon, lat).unwrap());
    assert!(
        !contains(0, 10.0, 50.5) && contains(1, 20.0, 50.5) && contains(1, 21.006, 50.5) && !contains(1, 21.008, 50.5)
    );
    assert!(contains(2, 30.006, 50.0) && !contains(2, 30.008, 50.0));
    assert_eq!(read[2].valid, Validity { from_ms: 1_767_225_600_000, to_ms: 1_767_225_700_000 });
    let reason =
        |feature: String| read_fences(feature.as_bytes(), &FenceOptions::default()).unwrap_err()[0].to_string();
    let id = "`features[0]` (id `x`): ";
    assert_eq!(
        reason(feature("x", point, "")),
        format!("{id}a geometry of type `Point` can't be a fence without a property `radius`, in metres")
    );
    assert_eq!(
        reason(feature("x", line, r#""width":"wide""#)),
        format!("{id}the property `width` is `\"wide\"`, expected metres")
    );
    assert_eq!(
        reason(feature("x", line, r#""width":-1"#)),
        format!("{id}a corridor's width of `-1` m is not between 0 and 1,000,000 m")
    );
    assert!(reason(feature("x", line, r#""valid_from":"soon""#)).contains("expected a time such as"));
    assert!(reason(feature("x", line, r#""valid_from":2,"valid_to":2"#)).contains("never be there"));
    let twice = format!(
        r#"{{"type":"FeatureCollection","features":[{},{}]}}"#,
        feature("a", line, ""),
        feature("a", lines, "")
    );
    let merged =
        read_fences(twice.as_bytes(), &FenceOptions { merge: true, ..FenceOptions::default() }).unwrap().fences;
    assert!(merged.len() == 1 && merged[0].shape.vertex_count() == 6);
}
