//! Polygons as values: what a boundary is where it travels.

/// Polygons, each its shell and then its holes, each ring its corners as longitude and latitude in degrees. Whoever makes them
/// sees to what GeoJSON asks of rings; [`outline`](super::outline) does.
#[derive(Clone, Debug, PartialEq)]
pub struct Polygons(Vec<Vec<Vec<[f64; 2]>>>);

impl Polygons {
    /// These polygons; none where a corner isn't on a map of longitudes −180 … 180 and latitudes −90 … 90.
    pub fn new(polygons: Vec<Vec<Vec<[f64; 2]>>>) -> Option<Self> {
        let polygons = Self(polygons);
        let fits = |[lon, lat]: [f64; 2]| lon.abs() <= 180.0 && lat.abs() <= 90.0;
        if polygons.all_corners().all(fits) { Some(polygons) } else { None }
    }

    /// The polygons.
    pub fn as_slice(&self) -> &[Vec<Vec<[f64; 2]>>] {
        &self.0
    }

    /// How many corners all rings have.
    pub fn corners(&self) -> usize {
        self.0.iter().flatten().map(Vec::len).sum()
    }

    /// The corners of all rings, one after another.
    pub fn all_corners(&self) -> impl Iterator<Item = [f64; 2]> + '_ {
        self.0.iter().flatten().flatten().copied()
    }
}
