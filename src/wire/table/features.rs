//! GeoJSON: a feature is a row, its properties are the columns.

use super::{TableFileError, TablePlace, grid::Grid};
use crate::wire::{
    fences::{document_features, parse_document},
    layout::Raw,
};
use serde_json::Value as Json;

/// The column of point features.
pub(super) const POSITION: &str = "position";

/// Reads all features. Columns are the properties that any feature has, in the order in which they first appear; a feature's own
/// `id`, where no property has that name; and, of points, `position`.
pub(super) fn grid(bytes: &[u8]) -> Result<Grid, Vec<TableFileError>> {
    let said = |error: crate::wire::fences::FenceFileError| vec![TableFileError::File(error.to_string())];
    let document = parse_document(bytes).map_err(said)?;
    let features = document_features(&document).map_err(said)?;
    let mut grid = Grid::default();
    let mut wrong = Vec::new();
    let any_id = features.iter().any(|feature| matches!(feature.get("id"), Some(Json::String(_) | Json::Number(_))));
    for (at, feature) in features.iter().enumerate() {
        let place = TablePlace::Feature(at);
        if feature.get("type").and_then(Json::as_str) != Some("Feature") {
            wrong.push(TableFileError::Row { place, reason: "not a GeoJSON `Feature`".to_owned() });
            continue;
        }
        let mut row = vec![Raw::Absent; grid.names.len()];
        let mut set = |name: &str, value: Raw| {
            let at = grid.names.iter().position(|known| known == name).unwrap_or_else(|| {
                grid.names.push(name.to_owned());
                row.push(Raw::Absent);
                grid.names.len() - 1
            });
            if let Some(cell) = row.get_mut(at).filter(|cell| **cell == Raw::Absent) {
                *cell = value;
            }
        };
        match feature.get("properties") {
            Some(Json::Object(properties)) => properties.iter().for_each(|(name, value)| set(name, raw(value))),
            None | Some(Json::Null) => {}
            Some(_) => wrong.push(TableFileError::Row { place, reason: "`properties` is no object".to_owned() }),
        }
        if let (true, Some(id)) = (any_id, feature.get("id")) {
            set("id", raw(id));
        }
        if let Some(geometry) = feature.get("geometry").filter(|geometry| geometry["type"] == "Point") {
            let number = |at: usize| geometry["coordinates"][at].as_f64();
            match (number(0), number(1)) {
                (Some(lon), Some(lat)) => set(POSITION, Raw::Point(lon, lat)),
                _ => wrong.push(TableFileError::Row { place, reason: "a point without two coordinates".to_owned() }),
            }
        }
        grid.rows.push((place, row));
    }
    let width = grid.names.len();
    grid.rows.iter_mut().for_each(|(_, row)| row.resize(width, Raw::Absent));
    if wrong.is_empty() { Ok(grid) } else { Err(wrong) }
}

fn raw(value: &Json) -> Raw {
    match value {
        Json::Null => Raw::Null,
        Json::Bool(value) => Raw::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => Raw::Int(number),
            (_, Some(number), _) => Raw::Big(number),
            (_, _, Some(number)) => Raw::Float(number),
            _ => Raw::Other("a number beyond all bounds"),
        },
        Json::String(text) => Raw::Text(text.as_str().into()),
        Json::Array(_) => Raw::Other("a list"),
        Json::Object(_) => Raw::Other("an object"),
    }
}
