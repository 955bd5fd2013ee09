//! A FeatureCollection: each feature is a record, as it stands.

use super::expand::{Part, Parts};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What of a document matters here.
#[derive(Deserialize)]
pub(super) struct Collection<'a> {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(borrow)]
    pub(super) features: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub(super) crs: Option<&'a RawValue>,
}

/// The features of a document: of a collection all, else the document itself.
pub(super) fn features<'a>(text: &'a str, parts: &mut Parts) -> Vec<&'a str> {
    let collection: Collection<'a> = match serde_json::from_str(text) {
        Ok(collection) => collection,
        Err(error) => {
            parts.fault(beginning(text), format!("no GeoJSON: {error}"));
            return Vec::new();
        }
    };
    match (collection.kind.as_str(), collection.features) {
        ("FeatureCollection", Some(features)) => features.into_iter().map(RawValue::get).collect(),
        ("FeatureCollection", None) => {
            parts.fault("", "the FeatureCollection has no `features`");
            Vec::new()
        }
        _ => vec![text],
    }
}

pub(super) fn text<'a>(bytes: &'a [u8], parts: &mut Parts) -> Option<&'a str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            parts.fault("", format!("the document is not UTF-8 from byte {} on", error.valid_up_to()));
            None
        }
    }
}

pub(super) fn read(bytes: &[u8], parts: &mut Parts) {
    let Some(text) = text(bytes, parts) else { return };
    for feature in features(text, parts) {
        parts.0.push(Part::Record(None, feature.to_owned()));
    }
}

/// What is shown of a part that isn't read.
pub(super) fn beginning(text: &str) -> &str {
    text.char_indices().nth(200).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}
