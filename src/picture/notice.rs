//! Alerts about regions, on the maps and in the lineage.

use super::{
    history::{Entry, Scene},
    map::Map,
    shape::short,
    svg::{Path, Svg},
};
use crate::model::TimeMs;
use std::collections::BTreeMap;

/// An alert about a region, or about several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// When it was decided.
    pub at_ms: TimeMs,
    /// The region; none: it names no single one.
    pub region: Option<String>,
    /// The rule's name.
    pub text: String,
}

/// The colour of all that is about alerts.
pub(super) const INK: &str = "#b00020";
/// So many are named above a map.
const NAMED_MAX: usize = 3;

/// What stands behind the time above a map.
pub(super) fn caption(notices: &[&Notice]) -> String {
    let name = |notice: &&Notice| match &notice.region {
        Some(region) => format!("{} {}", notice.text, short(region)),
        None => notice.text.clone(),
    };
    let mut text = notices.iter().take(NAMED_MAX).map(name).collect::<Vec<_>>().join(", ");
    if let Some(more) = notices.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// A ring at the centre of each region that an alert is about, with the rules' names below.
pub(super) fn rings(svg: &mut Svg, map: &Map, scene: &Scene<'_>, notices: &[&Notice]) {
    let mut of_region: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for notice in notices {
        if let Some(region) = &notice.region {
            of_region.entry(region).or_default().push(&notice.text);
        }
    }
    for Entry { shape, .. } in &scene.entries {
        let (Some(texts), Some(centre)) = (of_region.get(shape.id.as_str()), shape.centre) else { continue };
        let (x, y) = map.place(centre);
        mark(svg, (x, y), 6.0);
        let halo = "text-anchor=\"middle\" font-size=\"11\" stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\"";
        for (at, text) in texts.iter().take(NAMED_MAX).enumerate() {
            let style = format!("{halo} fill=\"{INK}\" font-weight=\"700\"");
            svg.text((x, y + 20.0 + 12.0 * at as f64), &style, text);
        }
    }
}

/// A diamond.
pub(super) fn mark(svg: &mut Svg, (x, y): (f64, f64), half: f64) {
    let mut path = Path::default();
    path.go((x, y - half));
    path.line((x + half, y));
    path.line((x, y + half));
    path.line((x - half, y));
    path.close();
    let d = path.finish();
    svg.element("path", &[("d", &d), ("fill", INK), ("stroke", "#fff")]);
}
