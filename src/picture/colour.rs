//! A colour for each id: the same in every picture and on every run, whatever else is there.

use xxhash_rust::xxh3::xxh3_64;

/// A hue, and how light it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour {
    /// Degrees, 0 … 359.
    hue: u16,
    /// Percent.
    light: u16,
}

/// Hues that the eye tells apart side by side, yellow left out: it is hard to see on a light ground.
const HUES: [u16; 14] = [2, 24, 38, 84, 124, 152, 174, 194, 210, 230, 256, 280, 304, 334];
/// Each in two strengths.
const LIGHTS: [u16; 2] = [44, 56];

impl Colour {
    /// The colour of an id.
    pub(super) fn of(id: &str) -> Self {
        let count = (HUES.len() * LIGHTS.len()) as u64;
        let at = ((u128::from(xxh3_64(id.as_bytes())) * u128::from(count)) >> 64) as usize;
        Self { hue: HUES[at % HUES.len()], light: LIGHTS[at / HUES.len() % LIGHTS.len()] }
    }

    /// For areas and bands.
    pub(super) fn fill(self) -> String {
        hex(self.hue, 0.65, f64::from(self.light) / 100.0)
    }

    /// For outlines and words: the same hue, darker.
    pub(super) fn ink(self) -> String {
        hex(self.hue, 0.7, 0.28)
    }
}

/// `#rrggbb` of a hue in degrees, saturation and lightness from 0 to 1 (CSS Color 3, section 4.2.4).
fn hex(hue: u16, saturation: f64, light: f64) -> String {
    let spread = saturation * light.min(1.0 - light);
    let channel = |shift: f64| {
        let k = (shift + f64::from(hue) / 30.0).rem_euclid(12.0);
        let value = light - spread * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        (value * 255.0).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", channel(0.0), channel(8.0), channel(4.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_become_the_known_colours() {
        assert_eq!(hex(0, 1.0, 0.5), "#ff0000");
        assert_eq!(hex(120, 1.0, 0.25), "#008000");
        assert_eq!(hex(210, 0.0, 1.0), "#ffffff");
    }

    #[test]
    fn an_id_keeps_its_colour_and_most_ids_have_different_ones() {
        let ids: Vec<String> = (0..20).map(|n| format!("1399004100000:882a100d{n:02x}fffff")).collect();
        let mut colours: Vec<String> = ids.iter().map(|id| Colour::of(id).fill()).collect();
        assert_eq!(colours[3], Colour::of(&ids[3]).fill());
        colours.sort();
        colours.dedup();
        assert!(colours.len() >= 10, "{}", colours.len());
    }
}
