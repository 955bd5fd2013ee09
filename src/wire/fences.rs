//! GeoJSON (RFC 7946) to fences.
//!
//! A feature is a fence: a geometry, an id, and properties. Polygons are areas, a line with a `width` (metres) is a corridor and a point
//! with a `radius` (metres) a circle; a line without a width is one to cross or to be near to. With `valid_from` and `valid_to`
//! (RFC 3339, or milliseconds since 1970) it is there from the first to before the second. Everything that is wrong is reported, not only the
//! first thing, each with the feature's place in the file, its id and, for a geometry, the place in its coordinates. The
//! coordinates are read by hand since a general reader doesn't say where they are wrong.
//!
//! Heights in positions and `bbox` members are ignored, as the standard allows.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::geo::{Fence, Place, Position, Property, Shape, ShapeError, Validity};
use crate::model::parse_time;

/// How to read fences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FenceOptions {
    /// The property that is the fence's id. By default the feature's own `id`, else its property `id`.
    pub id_property: Option<String>,
    /// Skip features with mistakes and report them, rather than refuse the file.
    pub lenient: bool,
    /// Features with one id are one fence, with the properties of the first; by default a second one is a mistake.
    pub merge: bool,
}

/// What was read.
#[derive(Debug, Clone)]
pub struct FencesRead {
    /// The fences in the order of the file.
    pub fences: Vec<Fence>,
    /// Why features were skipped; empty unless lenient.
    pub skipped: Vec<FenceFileError>,
}

/// What is wrong with a fence file.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FenceFileError {
    /// Not JSON.
    #[error("not valid JSON at line {line}, column {column}: {reason}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What the parser says.
        reason: String,
    },
    /// JSON, but neither a FeatureCollection nor a Feature.
    #[error("expected a GeoJSON `FeatureCollection` or `Feature`, found {found}")]
    NotFeatures {
        /// What is there.
        found: String,
    },
    /// Coordinates in another reference system than WGS 84.
    #[error(
        "the coordinate reference system `{0}` is not supported; convert the file to WGS 84 longitude and latitude"
    )]
    Crs(String),
    /// Something is wrong with one feature.
    #[error("`features[{index}]`{}: {reason}", id.as_ref().map(|id| format!(" (id `{id}`)")).unwrap_or_default())]
    Feature {
        /// Its place in the file, from 0.
        index: usize,
        /// Its id, if it has a usable one.
        id: Option<String>,
        /// What is wrong.
        reason: Box<FeatureReason>,
    },
}

/// What is wrong with a feature.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FeatureReason {
    /// Not an object of type Feature.
    #[error("expected a GeoJSON `Feature`, found {0}")]
    NotFeature(String),
    /// No id where it is looked for.
    #[error("no id: {0}")]
    NoId(String),
    /// An id that is neither text nor number, or is empty.
    #[error("the id {0} is neither a number nor a text of at least one character")]
    BadId(String),
    /// An id that an earlier feature has.
    #[error("the id is already that of `features[{first}]`")]
    DuplicateId {
        /// The earlier feature.
        first: usize,
    },
    /// Properties that are no object.
    #[error("`properties` is {0}, not an object or null")]
    Properties(String),
    /// `valid_from` or `valid_to` that is no time.
    #[error(
        "the property `{name}` is {found}, expected a time such as `2026-01-01T00:00:00Z`, or milliseconds since 1970"
    )]
    Validity {
        /// The property.
        name: &'static str,
        /// What is there.
        found: String,
    },
    /// A fence that ends before it begins.
    #[error("`valid_to` is not after `valid_from`, so the fence would never be there")]
    NeverValid,
    /// A width or radius that is no number.
    #[error("the property `{name}` is {found}, expected metres")]
    Metres {
        /// The property.
        name: &'static str,
        /// What is there.
        found: String,
    },
    /// No geometry.
    #[error("the feature has no geometry; a fence needs one, a `Polygon` for instance")]
    NoGeometry,
    /// A geometry that can't be a fence, or not yet.
    #[error("a geometry of type {found} can't be a fence{hint}")]
    Unsupported {
        /// The type.
        found: String,
        /// What else the user may expect, or nothing.
        hint: &'static str,
    },
    /// Coordinates of another form than the type asks for.
    #[error("`{place}` is {found}, not {wanted}")]
    Coordinates {
        /// Where.
        place: Place,
        /// What is there.
        found: String,
        /// What should be.
        wanted: &'static str,
    },
    /// Coordinates that are no shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// Reads fences from the bytes of a GeoJSON document: a FeatureCollection, or a single Feature.
///
/// # Errors
/// Everything that is wrong. If lenient, only what concerns the whole document; wrong features are then in
/// [`FencesRead::skipped`].
pub fn read_fences(bytes: &[u8], options: &FenceOptions) -> Result<FencesRead, Vec<FenceFileError>> {
    let document = parse_document(bytes).map_err(|error| vec![error])?;
    let features = document_features(&document).map_err(|error| vec![error])?;
    let mut read = FencesRead { fences: Vec::new(), skipped: Vec::new() };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, feature) in features.iter().enumerate() {
        let id = feature.as_object().map(|feature| feature_id(feature, options)).transpose();
        let known = id.as_ref().ok().cloned().flatten();
        let mut reasons = Vec::new();
        let mut fence = None;
        match feature.as_object().filter(|object| type_of(object) == Some("Feature")) {
            None => reasons.push(FeatureReason::NotFeature(describe_typed(feature))),
            Some(object) => {
                reasons.extend(id.err());
                let properties = properties(object).map_err(|reason| reasons.push(reason));
                let valid = validity(object).map_err(|reason| reasons.push(reason));
                let shape = shape(object).map_err(|reason| reasons.push(reason));
                if let (Some(first), false) = (known.as_ref().and_then(|id| seen.get(id)), options.merge) {
                    reasons.push(FeatureReason::DuplicateId { first: *first });
                }
                if let (Some(id), Ok(properties), Ok(shape), Ok(valid), true) =
                    (known.clone(), properties, shape, valid, reasons.is_empty())
                {
                    fence = Some(Fence { id, properties, shape, valid });
                }
            }
        }
        if let Some(id) = &known {
            // In lenient reading the first usable feature with an id has it.
            if fence.is_some() || !options.lenient {
                seen.entry(id.clone()).or_insert(index);
            }
        }
        read.fences.extend(fence);
        let error = |reason| FenceFileError::Feature { index, id: known.clone(), reason: Box::new(reason) };
        read.skipped.extend(reasons.into_iter().map(error));
    }
    if options.merge {
        read.fences = merged(read.fences);
    }
    if read.skipped.is_empty() || options.lenient { Ok(read) } else { Err(read.skipped) }
}

/// The fences with those of one id made one: the first, with the shapes of all.
pub fn merged(fences: Vec<Fence>) -> Vec<Fence> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut groups: Vec<(Fence, Vec<Shape>)> = Vec::new();
    for fence in fences {
        match places.get(&fence.id).and_then(|&at| groups.get_mut(at)) {
            Some((_, more)) => more.push(fence.shape),
            None => {
                places.insert(fence.id.clone(), groups.len());
                groups.push((fence, Vec::new()));
            }
        }
    }
    let whole = |(fence, more): (Fence, Vec<Shape>)| {
        let Fence { id, properties, shape, valid } = fence;
        Fence { id, properties, shape: more.into_iter().fold(shape, Shape::with), valid }
    };
    groups.into_iter().map(whole).collect()
}

/// A JSON document.
pub(super) fn parse_document(bytes: &[u8]) -> Result<Value, FenceFileError> {
    // Some tools put a byte order mark first, which JSON doesn't know.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason).to_owned();
        FenceFileError::Json { line: error.line(), column: error.column(), reason }
    })
}

/// The features of a document.
pub(super) fn document_features(document: &Value) -> Result<&[Value], FenceFileError> {
    let wrong = |found: String| FenceFileError::NotFeatures { found };
    let Some(object) = document.as_object() else { return Err(wrong(describe(document))) };
    check_crs(object)?;
    match (type_of(object), object.get("features")) {
        (Some("FeatureCollection"), Some(Value::Array(features))) => Ok(features),
        (Some("FeatureCollection"), None) => Err(wrong("a `FeatureCollection` without `features`".into())),
        (Some("FeatureCollection"), Some(other)) => {
            Err(wrong(format!("a `FeatureCollection` whose `features` is {}", describe(other))))
        }
        (Some("Feature"), _) => Ok(std::slice::from_ref(document)),
        (Some("Polygon" | "MultiPolygon"), _) => {
            Err(wrong(format!("{}: wrap it in a `Feature` with an id", describe_typed(document))))
        }
        _ => Err(wrong(describe_typed(document))),
    }
}

/// The 2008 version of GeoJSON allowed other reference systems.
fn check_crs(document: &Map<String, Value>) -> Result<(), FenceFileError> {
    match document.get("crs") {
        None | Some(Value::Null) => Ok(()),
        Some(crs) => {
            let name = crs.pointer("/properties/name").and_then(Value::as_str).unwrap_or("unknown");
            let fine = ["CRS84", "4326"].iter().any(|known| name.ends_with(known));
            if fine { Ok(()) } else { Err(FenceFileError::Crs(name.to_owned())) }
        }
    }
}

fn feature_id(feature: &Map<String, Value>, options: &FenceOptions) -> Result<String, FeatureReason> {
    let property = |name: &str| feature.get("properties").and_then(|properties| properties.get(name));
    let (value, looked_in) = match &options.id_property {
        Some(name) => (property(name), format!("the feature has no property `{name}`")),
        None => (
            feature.get("id").filter(|id| !id.is_null()).or_else(|| property("id")),
            "the feature has neither an `id` nor a property `id`".to_owned(),
        ),
    };
    match value {
        None | Some(Value::Null) => Err(FeatureReason::NoId(looked_in)),
        Some(Value::String(id)) if !id.is_empty() => Ok(id.clone()),
        Some(Value::Number(id)) => Ok(id.to_string()),
        Some(other) => Err(FeatureReason::BadId(describe(other))),
    }
}

fn properties(feature: &Map<String, Value>) -> Result<Vec<(String, Property)>, FeatureReason> {
    let properties = match feature.get("properties") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(properties)) => properties,
        Some(other) => return Err(FeatureReason::Properties(describe(other))),
    };
    Ok(properties.iter().map(|(name, value)| (name.clone(), property(value))).collect())
}

fn property(value: &Value) -> Property {
    match value {
        Value::Null => Property::Null,
        Value::Bool(value) => Property::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Property::Int(whole),
            None => number.as_f64().filter(|value| value.is_finite()).map_or(Property::Null, Property::Float),
        },
        Value::String(text) => Property::Text(text.clone()),
        nested => Property::Text(nested.to_string()),
    }
}

/// A property of a feature that is there and not null.
fn given<'a>(feature: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    feature.get("properties")?.get(name).filter(|value| !value.is_null())
}

fn validity(feature: &Map<String, Value>) -> Result<Validity, FeatureReason> {
    let time = |name: &'static str, otherwise: i64| {
        let Some(value) = given(feature, name) else { return Ok(otherwise) };
        let read = match value {
            Value::String(text) => parse_time(text).ok(),
            other => other.as_i64(),
        };
        read.ok_or_else(|| FeatureReason::Validity { name, found: describe(value) })
    };
    let Validity { from_ms, to_ms } = Validity::ALWAYS;
    let valid = Validity { from_ms: time("valid_from", from_ms)?, to_ms: time("valid_to", to_ms)? };
    if valid.from_ms < valid.to_ms { Ok(valid) } else { Err(FeatureReason::NeverValid) }
}

/// A number of metres among the properties.
fn metres(feature: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, FeatureReason> {
    let read = |value: &Value| value.as_f64().ok_or_else(|| FeatureReason::Metres { name, found: describe(value) });
    given(feature, name).map(read).transpose()
}

/// Corners of a circle: its edges come in by 0.12 % of the radius.
const CIRCLE_CORNERS: usize = 64;

fn circle(centre: &Value, radius_m: f64, place: Place) -> Result<Shape, FeatureReason> {
    let [lon, lat] = position(centre, place)?;
    let centre = Position::new(lon, lat).map_err(|source| ShapeError::Position { place, source })?;
    Ok(Shape::circle(centre, radius_m, CIRCLE_CORNERS)?)
}

fn shape(feature: &Map<String, Value>) -> Result<Shape, FeatureReason> {
    let geometry = match feature.get("geometry") {
        None | Some(Value::Null) => return Err(FeatureReason::NoGeometry),
        Some(geometry) => geometry,
    };
    let kind = geometry.as_object().and_then(type_of);
    let coordinates = || geometry.get("coordinates").unwrap_or(&Value::Null);
    let root = Place { polygon: None, ring: None, position: None };
    match kind {
        Some("Polygon") => Ok(Shape::polygon(&polygon(coordinates(), root)?)?),
        Some("MultiPolygon") => {
            let polygons = array(coordinates(), root, "an array of polygons")?;
            let read = |(i, value)| polygon(value, Place { polygon: Some(i), ..root });
            Ok(Shape::multi_polygon(&polygons.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?)?)
        }
        Some(kind @ ("LineString" | "MultiLineString")) => {
            let lines = match kind {
                "LineString" => vec![positions(coordinates(), root)?],
                _ => {
                    let lines = array(coordinates(), root, "an array of lines")?.iter().enumerate();
                    lines
                        .map(|(i, line)| positions(line, Place { polygon: Some(i), ..root }))
                        .collect::<Result<_, _>>()?
                }
            };
            Ok(match metres(feature, "width")? {
                Some(width_m) => Shape::corridor(&lines, width_m)?,
                None => Shape::lines(&lines)?,
            })
        }
        Some(kind @ ("Point" | "MultiPoint")) => {
            let Some(radius_m) = metres(feature, "radius")? else {
                let hint = " without a property `radius`, in metres";
                return Err(FeatureReason::Unsupported { found: describe_typed(geometry), hint });
            };
            if kind == "Point" {
                return circle(coordinates(), radius_m, root);
            }
            let centres = array(coordinates(), root, "an array of positions")?.iter().enumerate();
            let circles = centres.map(|(i, centre)| circle(centre, radius_m, Place { position: Some(i), ..root }));
            let circles: Vec<Shape> = circles.collect::<Result<_, _>>()?;
            circles.into_iter().reduce(Shape::with).ok_or(FeatureReason::Shape(ShapeError::Empty))
        }
        _ => {
            let hint = match kind {
                Some("GeometryCollection") => "; make each geometry a feature of its own",
                _ => ": polygons, lines and circles can, a circle being a point with a `radius`",
            };
            Err(FeatureReason::Unsupported { found: describe_typed(geometry), hint })
        }
    }
}

fn polygon(value: &Value, place: Place) -> Result<Vec<Vec<[f64; 2]>>, FeatureReason> {
    let rings = array(value, place, "an array of rings")?.iter().enumerate();
    rings.map(|(i, value)| positions(value, Place { ring: Some(i), ..place })).collect()
}

/// The positions of a ring or a line.
fn positions(value: &Value, place: Place) -> Result<Vec<[f64; 2]>, FeatureReason> {
    let positions = array(value, place, "an array of positions")?.iter().enumerate();
    positions.map(|(i, value)| position(value, Place { position: Some(i), ..place })).collect()
}

fn position(value: &Value, place: Place) -> Result<[f64; 2], FeatureReason> {
    let numbers = value.as_array().map(Vec::as_slice).unwrap_or_default();
    match (numbers.first().and_then(Value::as_f64), numbers.get(1).and_then(Value::as_f64)) {
        (Some(lon), Some(lat)) => Ok([lon, lat]),
        _ => {
            let wanted = "a position, [longitude, latitude]";
            Err(FeatureReason::Coordinates { place, found: describe(value), wanted })
        }
    }
}

fn array<'a>(value: &'a Value, place: Place, wanted: &'static str) -> Result<&'a [Value], FeatureReason> {
    let wrong = || FeatureReason::Coordinates { place, found: describe(value), wanted };
    value.as_array().map(Vec::as_slice).ok_or_else(wrong)
}

fn type_of(object: &Map<String, Value>) -> Option<&str> {
    object.get("type").and_then(Value::as_str)
}

/// A value in a few words, its `type` member first of all.
fn describe_typed(value: &Value) -> String {
    match value.as_object().map(type_of) {
        Some(Some(kind)) => format!("`{}`", shorten(kind)),
        Some(None) => "an object without a `type`".to_owned(),
        None => describe(value),
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        other => format!("`{}`", shorten(&other.to_string())),
    }
}

/// Long texts are cut: a message is for reading.
fn shorten(text: &str) -> String {
    const MOST: usize = 40;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

#[cfg(test)]
#[path = "fences_test.rs"]
mod tests;
