//! What a picture needs to know of a region.

use crate::model::TimeMs;

/// A polygon: its shell, then its holes; longitude and latitude in degrees, cut at ±180° as GeoJSON is.
pub type Polygon = Vec<Vec<[f64; 2]>>;

/// One region at one tick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegionShape {
    /// Its id; it decides the colour.
    pub id: String,
    /// The tick.
    pub tick_ms: TimeMs,
    /// The external transition, in the word that rules use: `emerged`, `survived`, `split`, `split_off`, `absorbed`,
    /// `dissolved`.
    pub transition: String,
    /// The words of its internal changes: `grew`, `moved`, …
    pub flags: Vec<String>,
    /// How many cells it has; of one that ended, had.
    pub size: usize,
    /// Its boundary; of one that ended, what it was.
    pub polygons: Vec<Polygon>,
    /// Its centre, longitude and latitude in degrees.
    pub centre: Option<[f64; 2]>,
    /// The old regions that map to it, other than itself.
    pub parents: Vec<String>,
    /// The region that it is within now.
    pub absorbed_into: Option<String>,
    /// Whether it ended at this tick.
    pub has_ended: bool,
}

impl RegionShape {
    /// What is new about it in a few words; nothing where it goes on as it was.
    pub(super) fn news(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        match self.transition.as_str() {
            "survived" => {}
            "absorbed" => match &self.absorbed_into {
                Some(other) => words.push(format!("absorbed into {}", short(other))),
                None => words.push("absorbed".to_owned()),
            },
            "split_off" => words.push("split off".to_owned()),
            other => words.push(other.to_owned()),
        }
        words.extend(self.flags.iter().cloned());
        if self.transition == "survived" && !self.parents.is_empty() {
            let parents: Vec<&str> = self.parents.iter().map(|id| short(id)).collect();
            words.push(format!("took in {}", parents.join(", ")));
        }
        words.join(" · ")
    }
}

/// The digits that tell regions apart: of `1399004100000:882a100d2dfffff` it is `0d2d`, since a cell's number ends in digits `f`.
/// Of other ids their last characters.
pub(super) fn short(id: &str) -> &str {
    let cell = id.rsplit(':').next().unwrap_or(id);
    let digits = cell.trim_end_matches('f');
    let digits = if digits.is_empty() { cell } else { digits };
    let from = digits.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
    digits.get(from..).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_shortened_to_the_digits_that_differ() {
        assert_eq!(short("1399004100000:882a100d2dfffff"), "0d2d");
        assert_eq!(short("north"), "orth");
        assert_eq!(short("éàü"), "éàü");
        assert_eq!(short("ffff"), "ffff");
        assert_eq!(short(""), "");
    }

    #[test]
    fn news_name_the_transition_and_what_changed() {
        let mut shape = RegionShape { transition: "survived".to_owned(), ..RegionShape::default() };
        assert_eq!(shape.news(), "");
        shape.flags = vec!["grew".to_owned(), "denser".to_owned()];
        shape.parents = vec!["1:882a100d2dfffff".to_owned()];
        assert_eq!(shape.news(), "grew · denser · took in 0d2d");
        shape = RegionShape {
            transition: "absorbed".to_owned(),
            absorbed_into: Some("1:882a100d2dfffff".to_owned()),
            ..RegionShape::default()
        };
        assert_eq!(shape.news(), "absorbed into 0d2d");
    }
}
