//! Geofence sets from the files of the configuration.

use super::config::GeofenceConfig;
use crate::{
    geo::{Fence, FenceSet, Property},
    lang::check::FenceSetInfo,
    model::Type,
    wire::fences::{FenceOptions, merged, read_fences},
};
use std::{collections::BTreeMap, fs, path::Path};
use xxhash_rust::xxh3::Xxh3;

/// A loaded set, and what was skipped in lenient mode.
#[derive(Debug)]
pub struct LoadedFences {
    /// The set.
    pub set: FenceSet,
    /// What the check needs to know of it.
    pub info: FenceSetInfo,
    /// Why features were skipped, with their file.
    pub skipped: Vec<String>,
    /// A fingerprint of the files; 0 where there are none.
    pub hash: u64,
}

/// Reads a set from its file, or from all `.geojson` and `.json` files of its directory in order of name; what is the same as in
/// the set `before` needn't be made anew.
///
/// # Errors
/// Everything that is wrong with the files, a line each.
pub fn load_fences(name: &str, config: &GeofenceConfig, before: Option<&FenceSet>) -> Result<LoadedFences, String> {
    let options = FenceOptions { id_property: config.id.clone(), lenient: config.lenient, merge: config.merge };
    let (mut fences, mut skipped, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    let mut hash = Xxh3::new();
    for path in fence_files(&config.path).map_err(|error| format!("geofences `{name}`: {error}"))? {
        let shown = path.display();
        let bytes = fs::read(&path).map_err(|error| format!("geofences `{name}`: can't read `{shown}`: {error}"))?;
        hash.update(&bytes);
        match read_fences(&bytes, &options) {
            Ok(read) => {
                fences.extend(read.fences);
                skipped.extend(read.skipped.iter().map(|reason| format!("{shown}: {reason}")));
            }
            Err(errors) => wrong.extend(errors.iter().map(|error| format!("{shown}: {error}"))),
        }
    }
    if !wrong.is_empty() {
        let advice = if config.lenient { "" } else { "\n(`lenient: true` skips such features and counts them)" };
        return Err(format!("geofences `{name}`:\n  {}{advice}", wrong.join("\n  ")));
    }
    let fences = if config.merge { merged(fences) } else { fences };
    Ok(LoadedFences { hash: hash.digest(), ..set_of(name, fences, skipped, before)? })
}

/// A set of fences that are at hand, and why others were left out.
///
/// # Errors
/// What keeps them from being a set, in words.
pub fn fences_of(name: &str, fences: Vec<Fence>, skipped: Vec<String>) -> Result<LoadedFences, String> {
    set_of(name, fences, skipped, None)
}

fn set_of(
    name: &str,
    fences: Vec<Fence>,
    skipped: Vec<String>,
    before: Option<&FenceSet>,
) -> Result<LoadedFences, String> {
    let info = FenceSetInfo { name: name.to_owned(), properties: properties(&fences), open: false };
    let set = match before {
        Some(before) => before.edited(fences),
        None => FenceSet::new(fences),
    };
    let set = set.map_err(|error| format!("geofences `{name}`: {error}"))?;
    Ok(LoadedFences { set, info, skipped, hash: 0 })
}

/// The files of a set.
///
/// # Errors
/// The directory can't be read, or has none.
pub(super) fn fence_files(path: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).map_err(|error| format!("can't read `{}`: {error}", path.display()))?;
    let mut found: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|kind| kind == "geojson" || kind == "json"));
    found.sort();
    if found.is_empty() { Err(format!("no GeoJSON file in `{}`", path.display())) } else { Ok(found) }
}

/// The properties that any fence has, with their types: of whole numbers and fractions a float, else unlike ones are unknown.
fn properties(fences: &[Fence]) -> Vec<(String, Type)> {
    let mut types: BTreeMap<&str, Option<Type>> = BTreeMap::new();
    for (name, property) in fences.iter().flat_map(|fence| &fence.properties) {
        let ty = match property {
            Property::Null => None,
            Property::Bool(_) => Some(Type::Bool),
            Property::Int(_) => Some(Type::Int),
            Property::Float(_) => Some(Type::Float),
            Property::Text(_) => Some(Type::Text),
        };
        let known = types.entry(name).or_insert(ty);
        *known = match (*known, ty) {
            (known, None) => known,
            (None, ty) => ty,
            (Some(known), Some(ty)) if known == ty => Some(known),
            (Some(Type::Int), Some(Type::Float)) | (Some(Type::Float), Some(Type::Int)) => Some(Type::Float),
            _ => Some(Type::Any),
        };
    }
    types.into_iter().map(|(name, ty)| (name.to_owned(), ty.unwrap_or(Type::Any))).collect()
}
