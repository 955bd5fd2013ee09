//! A flat map of what is drawn: longitudes shortened by the cosine of the middle latitude.

use super::shape::Polygon;
use crate::geo::MEAN_RADIUS_M;

/// Where degrees are on the paper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Map {
    /// The least longitude; lesser ones are those beyond ±180°.
    west: f64,
    /// The middle of the extent, in degrees, counted on from `west`.
    middle: (f64, f64),
    /// Pixels per degree of longitude and latitude.
    scale: (f64, f64),
    /// Pixels.
    size: (f64, f64),
}

/// Free space round what is drawn, as a share of the paper.
const MARGIN: f64 = 0.09;
/// Paper is at least this high and wide, in pixels, so that captions have room.
const SIDE_MIN: f64 = 200.0;
/// No extent is smaller than this, in degrees.
const SPAN_MIN: f64 = 1e-5;

impl Map {
    /// A map of all these polygons, at most so many pixels wide and high; without any, of the whole world.
    ///
    /// It is cut where most longitudes are free, so regions on both sides of ±180° lie side by side.
    pub fn around<'a>(polygons: impl IntoIterator<Item = &'a Polygon>, width_max: f64, height_max: f64) -> Self {
        let mut spans: Vec<(f64, f64)> = Vec::new();
        let (mut south, mut north) = (f64::INFINITY, f64::NEG_INFINITY);
        for ring in polygons.into_iter().filter_map(|polygon| polygon.first()) {
            let finite = || ring.iter().filter(|at| at[0].is_finite() && at[1].is_finite());
            let lons = finite().map(|at| at[0]);
            let (low, high) = lons.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), lon| (a.min(lon), b.max(lon)));
            if low <= high {
                spans.push((low, high));
            }
            for at in finite() {
                (south, north) = (south.min(at[1]), north.max(at[1]));
            }
        }
        if spans.is_empty() {
            spans.push((-180.0, 180.0));
            (south, north) = (-85.0, 85.0);
        }
        let (west, east) = extent(spans);
        let cosine = ((south + north) / 2.0).to_radians().cos().max(0.05);
        let (wide, high) = (((east - west) * cosine).max(SPAN_MIN), (north - south).max(SPAN_MIN));
        let free = 1.0 - 2.0 * MARGIN;
        let scale = (width_max * free / wide).min(height_max * free / high);
        let side = |span: f64, max: f64| (span * scale / free).max(SIDE_MIN.min(max)).min(max).round();
        Self {
            west,
            middle: ((west + east) / 2.0, (south + north) / 2.0),
            scale: (scale * cosine, scale),
            size: (side(wide, width_max), side(high, height_max)),
        }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (f64, f64) {
        self.size
    }

    /// Where a longitude and latitude is, in pixels from the top left corner.
    pub(super) fn place(&self, [lon, lat]: [f64; 2]) -> (f64, f64) {
        // A rounding to the west of the edge is no way round the world.
        let lon = if lon < self.west - 1e-9 { lon + 360.0 } else { lon };
        let (x, y) = ((lon - self.middle.0) * self.scale.0, (self.middle.1 - lat) * self.scale.1);
        (self.size.0 / 2.0 + x, self.size.1 / 2.0 + y)
    }

    /// Meridians (counted on from the west edge, so perhaps past 180) and parallels at round degrees, some four of them on the
    /// longer side, and how many decimals their degrees have.
    pub(super) fn graticule(&self) -> (Vec<f64>, Vec<f64>, usize) {
        let (wide, high) = (self.size.0 / self.scale.0, self.size.1 / self.scale.1);
        let wanted = wide.max(high) / 4.0;
        // 50, 20, 10, 5, … down to what the last decimal of a position is.
        let steps = (0..=6).rev().flat_map(|places| [1.0, 2.0, 5.0].map(|digit| (digit, places)));
        let fine = steps.map(|(digit, places)| (digit / 10f64.powi(places), places as usize));
        let coarse = [10.0, 20.0, 50.0].map(|step| (step, 0));
        let (step, places) = fine.chain(coarse).find(|(step, _)| *step >= wanted).unwrap_or((90.0, 0));
        let lines = |middle: f64, span: f64| {
            let (from, to) = (((middle - span / 2.0) / step).ceil(), ((middle + span / 2.0) / step).floor());
            // `as` saturates; the span is at most some twenty steps.
            (from as i64..=to as i64).take(24).map(|n| n as f64 * step).collect::<Vec<_>>()
        };
        let parallels = lines(self.middle.1, high).into_iter().filter(|lat| lat.abs() < 90.0).collect();
        (lines(self.middle.0, wide), parallels, places)
    }

    /// A round length for the scale bar, in metres, and how many pixels long it is: at most a quarter of the width.
    pub(super) fn bar(&self) -> (f64, f64) {
        let metres_per_pixel = MEAN_RADIUS_M.to_radians() / self.scale.1;
        let longest = metres_per_pixel * self.size.0 / 4.0;
        // 1, 2 and 5 times powers of ten.
        let mut metres = 1.0;
        for step in [2.0, 2.5, 2.0].into_iter().cycle().take(24) {
            if metres * step > longest {
                break;
            }
            metres *= step;
        }
        (metres, metres / metres_per_pixel)
    }
}

/// West and east of what spans of longitudes (each within ±180°) cover, the widest gap left out; east counts on from west.
fn extent(mut spans: Vec<(f64, f64)>) -> (f64, f64) {
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let first = spans.first().map_or(0.0, |span| span.0);
    let (mut reached, mut widest) = (first, (f64::NEG_INFINITY, first, first));
    for &(low, high) in &spans {
        if low - reached > widest.0 {
            widest = (low - reached, reached, low);
        }
        reached = reached.max(high);
    }
    // Where two gaps are as wide as each other (the whole world), the map is cut at ±180°.
    if first + 360.0 - reached >= widest.0 {
        return (first, reached);
    }
    (widest.2, widest.1 + 360.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(west: f64, east: f64, south: f64, north: f64) -> Polygon {
        vec![vec![[west, south], [east, south], [east, north], [west, north], [west, south]]]
    }

    #[test]
    fn a_map_across_the_antimeridian_is_no_map_of_the_world() {
        let parts = [square(179.9, 180.0, 10.0, 10.1), square(-180.0, -179.9, 10.0, 10.1)];
        let map = Map::around(&parts, 600.0, 600.0);
        let (left, right) = (map.place([179.9, 10.0]), map.place([-179.9, 10.0]));
        assert!(right.0 - left.0 > 300.0 && right.0 < 600.0 && left.0 > 0.0, "{left:?} {right:?}");
        assert_eq!(map.place([180.0, 10.0]), map.place([-180.0, 10.0]));
    }

    #[test]
    fn all_that_is_drawn_is_on_the_paper_and_north_is_up() {
        for (west, east, south, north) in
            [(-74.1, -73.9, 40.6, 40.9), (0.0, 0.0, 0.0, 0.0), (-180.0, 180.0, -90.0, 90.0), (5.0, 9.0, 80.0, 80.1)]
        {
            let map = Map::around(&[square(west, east, south, north)], 700.0, 500.0);
            let (width, height) = map.size();
            for at in [[west, south], [east, north]] {
                let (x, y) = map.place(at);
                assert!((0.0..=width).contains(&x) && (0.0..=height).contains(&y), "{at:?}: {x} {y}");
            }
            assert!(map.place([west, north]).1 <= map.place([west, south]).1);
            assert!(width <= 700.0 && height <= 500.0);
        }
    }

    #[test]
    fn the_graticule_has_a_few_round_lines() {
        let map = Map::around(&[square(-74.1, -73.8, 40.6, 40.9)], 700.0, 500.0);
        let (meridians, parallels, places) = map.graticule();
        assert_eq!(parallels.len(), 4, "{parallels:?}");
        assert!((2..=6).contains(&meridians.len()) && places == 1, "{meridians:?}");
        let (meridians, parallels, _) = Map::around(&[], 600.0, 400.0).graticule();
        assert!(meridians.len() <= 10 && parallels.len() <= 10);
        let parts = [square(179.9, 180.0, 10.0, 10.1), square(-180.0, -179.9, 10.0, 10.1)];
        assert!(!Map::around(&parts, 600.0, 600.0).graticule().0.is_empty());
    }

    #[test]
    fn the_scale_bar_is_a_round_length_true_to_the_map() {
        let map = Map::around(&[square(10.0, 10.2, 50.0, 50.1)], 700.0, 500.0);
        let (metres, pixels) = map.bar();
        let (a, b) = (map.place([10.1, 50.0]), map.place([10.1, 50.1]));
        let metres_per_pixel = 11_119.5 / (a.1 - b.1);
        assert_eq!(metres, 2_000.0);
        assert!((pixels * metres_per_pixel / metres - 1.0).abs() < 1e-3);
    }

    #[test]
    fn without_regions_there_is_a_map_all_the_same() {
        let map = Map::around(&[], 600.0, 400.0);
        assert!(map.place([0.0, 0.0]).0.is_finite() && map.bar().1.is_finite());
    }
}
