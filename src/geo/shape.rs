//! A shape: one or more polygons with holes, prepared for point tests; or lines, which no point is in.
//!
//! Edges are straight in longitude and latitude, as in GeoJSON (RFC 7946, section 3.1.1). A point is in a shape if it is in
//! one of its polygons, and in a polygon if a ray to the east crosses an odd number of its edges; see
//! [`Shape::contains`] for borders. Polygons may cross the antimeridian and hold a pole.
//!
//! Cost: 16 bytes per vertex, and some 6 for the latitude bands that find the edges on a point's latitude.

use super::Position;
use super::area::ring_area_m2;
use super::border::Borders;
use super::crossing;
use super::edge::{Edge, Vertex, test_point};
use super::line::{corridor, unwrap_line};
use super::measure::{destination, geodesic_m};
use super::ring::Ring;
use super::shape_error::{Place, ShapeError};
use std::sync::OnceLock;

/// The most vertices that a shape may have.
pub const MAX_VERTICES: usize = 1_000_000;

/// A multi-polygon with holes on the WGS 84 ellipsoid.
#[derive(Debug, Clone)]
pub struct Shape {
    parts: Box<[Part]>,
    /// Lines without a width, unwrapped.
    lines: Box<[Box<[Vertex]>]>,
    /// Made when a distance is first asked for.
    borders: OnceLock<Borders>,
    area_m2: f64,
    centroid: Position,
}

/// One polygon.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) west: f64,
    pub(super) south: f64,
    pub(super) east: f64,
    pub(super) north: f64,
    /// All rings one after the other, each closed.
    vertices: Box<[Vertex]>,
    /// Where each ring ends in `vertices`; the first is the shell.
    ring_ends: Box<[u32]>,
    /// Bands per degree of latitude.
    bands_per_degree: f64,
    /// Where each band's edges start in `band_edges`; one more than there are bands.
    pub(super) band_starts: Box<[u32]>,
    /// Edges by the index of their first vertex.
    pub(super) band_edges: Box<[u32]>,
}

impl Shape {
    /// A shape of one polygon: the shell, then the holes, each ring a list of `[lon, lat]`, closed, in either direction.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn polygon<R: AsRef<[[f64; 2]]>>(rings: &[R]) -> Result<Self, ShapeError> {
        check_size(rings.iter().map(|ring| ring.as_ref().len()).sum())?;
        Self::of_parts(vec![Part::new(rings, None)?])
    }

    /// A shape of several polygons, which may touch or overlap: the union counts (the area, however, is their sum).
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn multi_polygon<P: AsRef<[R]>, R: AsRef<[[f64; 2]]>>(polygons: &[P]) -> Result<Self, ShapeError> {
        check_size(polygons.iter().flat_map(|rings| rings.as_ref()).map(|ring| ring.as_ref().len()).sum())?;
        let parts = polygons.iter().enumerate().map(|(i, rings)| Part::new(rings.as_ref(), Some(i)));
        Self::of_parts(parts.collect::<Result<_, _>>()?)
    }

    /// A circle: a polygon whose `corners` lie on the geodesic circle of `radius_m` metres, the first due north.
    ///
    /// Being inscribed it is a little smaller than the circle: with 64 corners its edges come in by 0.12 % of the radius.
    ///
    /// # Errors
    /// The radius is not in (0, 9,000,000] m, or the corners are not 3 … 10,000.
    pub fn circle(centre: Position, radius_m: f64, corners: usize) -> Result<Self, ShapeError> {
        if !(radius_m > 0.0 && radius_m <= 9_000_000.0) {
            return Err(ShapeError::Radius(radius_m));
        }
        if !(3..=10_000).contains(&corners) {
            return Err(ShapeError::Corners(corners));
        }
        let corner = |i: usize| {
            let place = destination(centre, -360.0 * i as f64 / corners as f64, radius_m);
            [place.lon(), place.lat()]
        };
        let mut ring: Vec<Vertex> = (0..corners).map(corner).collect();
        ring.push(ring[0]);
        Self::polygon(&[ring])
    }

    /// Lines, each a list of `[lon, lat]`. No position is in them: they are there to be crossed, and to be near to.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn lines<L: AsRef<[[f64; 2]]>>(lines: &[L]) -> Result<Self, ShapeError> {
        let lines = unwrapped(lines)?;
        let middle = |line: &[Vertex]| line.get(line.len() / 2).copied();
        let [lon, lat] = lines.first().and_then(|line| middle(line)).ok_or(ShapeError::Empty)?;
        let lines: Box<[Box<[Vertex]>]> = lines.into_iter().map(Vec::into_boxed_slice).collect();
        let borders = OnceLock::new();
        Ok(Self { parts: Box::default(), lines, borders, area_m2: 0.0, centroid: Position::wrapped(lon, lat) })
    }

    /// Corridors: what is no farther from a line than half of `width_m` metres. Made of a polygon for each edge with round ends, which
    /// overlap, so that the area counts places near a bend more than once.
    ///
    /// # Errors
    /// The width is not in (0, 1,000,000] m, or the first other thing that is wrong, with its place.
    pub fn corridor<L: AsRef<[[f64; 2]]>>(lines: &[L], width_m: f64) -> Result<Self, ShapeError> {
        if !(width_m > 0.0 && width_m <= 1_000_000.0) {
            return Err(ShapeError::Width(width_m));
        }
        let lines = unwrapped(lines)?;
        let polygons: Vec<_> = lines.iter().flat_map(|line| corridor(line, width_m / 2.0)).map(|ring| [ring]).collect();
        Self::multi_polygon(&polygons)
    }

    fn of_parts(parts: Vec<Part>) -> Result<Self, ShapeError> {
        if parts.is_empty() {
            return Err(ShapeError::Empty);
        }
        let area_m2 = parts.iter().map(Part::area_m2).sum();
        let centroid = centroid(&parts);
        Ok(Self { parts: parts.into(), lines: Box::default(), borders: OnceLock::new(), area_m2, centroid })
    }

    /// The polygons and lines of both as one shape, with the centre of this one.
    pub fn with(self, other: Shape) -> Self {
        let (mut parts, mut lines) = (self.parts.into_vec(), self.lines.into_vec());
        parts.extend(other.parts);
        lines.extend(other.lines);
        let area_m2 = self.area_m2 + other.area_m2;
        Self { parts: parts.into(), lines: lines.into(), borders: OnceLock::new(), area_m2, centroid: self.centroid }
    }

    /// The geodesic distance in metres to the shape: 0 inside of it, else to the nearest point of its border or its lines.
    pub fn distance_m(&self, position: Position) -> f64 {
        if self.contains(position) {
            return 0.0;
        }
        self.border_m(position)
    }

    /// The geodesic distance in metres to the nearest point of the border or the lines, from inside, too.
    pub fn border_m(&self, position: Position) -> f64 {
        let borders = self.borders.get_or_init(|| Borders::new(self.edges_of(0)));
        // A shape has an edge; one in which nothing is near would be as far as its centre.
        borders.nearest(position, |_| true).map_or_else(|| geodesic_m(position, self.centroid), |(_, metres)| metres)
    }

    /// All edges, each with `owner`, in order of their parts and lines.
    pub(super) fn edges_of(&self, owner: u32) -> impl Iterator<Item = (u32, Vertex, Vertex, bool)> + '_ {
        let of_parts = self.parts.iter().flat_map(Part::edges);
        let of_parts = of_parts.map(move |edge| (owner, [edge.x_lo, edge.y_lo], [edge.x_hi, edge.y_hi], false));
        let of_lines = self.lines.iter().flat_map(|line| line.windows(2));
        of_parts.chain(of_lines.map(move |pair| (owner, pair[0], pair[1], true)))
    }

    /// Whether a position is in the shape.
    ///
    /// Planar, even-odd, in degrees as written: no projection, no tolerance, exact for the doubles that it is given. Borders
    /// are half open: a position on a western or southern border is in, on an eastern or northern one it is out (at a corner
    /// both rules apply: the point just north-east of it decides). So a position on the border that two tiling polygons share
    /// is in exactly one of them. Coordinates below 1e-100 degrees count as 0. Longitude 180 counts as −180; the north pole is in the shapes that reach it.
    pub fn contains(&self, position: Position) -> bool {
        let (x, y) = test_point(position);
        self.parts.iter().any(|part| part.contains(x, y) || part.contains(x + 360.0, y))
    }

    /// The area in m² on the WGS 84 ellipsoid, with edges straight in longitude and latitude. Overlaps of a multi-polygon's
    /// polygons count twice.
    pub fn area_m2(&self) -> f64 {
        self.area_m2
    }

    /// The centre of area in the plane of longitude and latitude. Good for a label; not the ellipsoid's centre of area, and
    /// not always inside.
    pub fn centroid(&self) -> Position {
        self.centroid
    }

    /// The number of vertices, the repeated first of each ring included.
    pub fn vertex_count(&self) -> usize {
        let of_parts: usize = self.parts.iter().map(|part| part.vertices.len()).sum();
        of_parts + self.lines.iter().map(|line| line.len()).sum::<usize>()
    }

    /// The rings of each polygon, shell first, each closed. Longitudes of a polygon across the antimeridian go on beyond
    /// 180°.
    pub fn rings(&self) -> impl Iterator<Item = impl Iterator<Item = &[[f64; 2]]>> {
        self.parts.iter().map(Part::rings)
    }

    /// The memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let part = |p: &Part| {
            size_of::<Part>()
                + size_of_val(&*p.vertices)
                + 4 * (p.ring_ends.len() + p.band_starts.len() + p.band_edges.len())
        };
        let lines: usize = self.lines.iter().map(|line| size_of_val(&**line)).sum();
        size_of::<Self>() + self.parts.iter().map(part).sum::<usize>() + lines
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

/// Lines as they are kept; of a single one places in errors don't name a line.
fn unwrapped<L: AsRef<[[f64; 2]]>>(lines: &[L]) -> Result<Vec<Vec<Vertex>>, ShapeError> {
    if lines.is_empty() {
        return Err(ShapeError::Empty);
    }
    check_size(lines.iter().map(|line| line.as_ref().len()).sum())?;
    let place = |i| Place { polygon: (lines.len() > 1).then_some(i), ring: None, position: None };
    lines.iter().enumerate().map(|(i, line)| unwrap_line(line.as_ref(), place(i))).collect()
}

fn check_size(given: usize) -> Result<(), ShapeError> {
    if given > MAX_VERTICES { Err(ShapeError::TooManyVertices { given, limit: MAX_VERTICES }) } else { Ok(()) }
}

/// The parts' centres of area in the plane, weighted by planar area. The parts' frames are at most a turn apart: each is
/// moved to the side of the first where it is nearest.
fn centroid(parts: &[Part]) -> Position {
    let mut sums = [0.0f64; 3];
    let mut first = None;
    for part in parts {
        let (area, mut x, y) = part.planar_moments();
        let origin = *first.get_or_insert(x);
        if x - origin > 180.0 {
            x -= 360.0;
        } else if x - origin < -180.0 {
            x += 360.0;
        }
        sums = [sums[0] + area, sums[1] + area * x, sums[2] + area * y];
    }
    Position::wrapped(sums[1] / sums[0], sums[2] / sums[0])
}

impl Part {
    fn new<R: AsRef<[[f64; 2]]>>(rings: &[R], polygon: Option<usize>) -> Result<Self, ShapeError> {
        let place = |ring: Option<usize>| Place { polygon, ring, position: None };
        let (written_shell, written_holes) = rings.split_first().ok_or(ShapeError::NoRing { place: place(None) })?;
        let shell = Ring::new(written_shell.as_ref(), place(Some(0)))?;
        let mut area = shell.doubled_area().abs();
        let mut flat = (area == 0.0).then_some(0);
        let (west, east) = (shell.west, shell.east);
        let mut vertices = shell.vertices;
        let mut ring_ends = vec![vertices.len() as u32];
        for (i, written) in written_holes.iter().enumerate() {
            let mut hole = Ring::new(written.as_ref(), place(Some(i + 1)))?;
            if hole.west < west {
                hole = hole.moved(360.0);
            }
            if hole.west < west || hole.east > east {
                return Err(ShapeError::HoleOutside { place: place(Some(i + 1)) });
            }
            area -= hole.doubled_area().abs();
            if hole.doubled_area() == 0.0 {
                flat = flat.or(Some(i + 1));
            }
            vertices.extend_from_slice(&hole.vertices);
            ring_ends.push(vertices.len() as u32);
        }
        let south = vertices.iter().map(|v| v[1]).fold(f64::INFINITY, f64::min);
        let north = vertices.iter().map(|v| v[1]).fold(f64::NEG_INFINITY, f64::max);
        let mut part = Self {
            west,
            south,
            east,
            north,
            vertices: vertices.into(),
            ring_ends: ring_ends.into(),
            bands_per_degree: 0.0,
            band_starts: Box::default(),
            band_edges: Box::default(),
        };
        part.make_bands();
        part.check_crossings(place(None))?;
        if let Some(ring) = flat {
            return Err(ShapeError::NoArea { place: place(Some(ring)) });
        }
        part.check_holes(place(None))?;
        if area <= 0.0 {
            return Err(ShapeError::NoArea { place: place(Some(0)) });
        }
        Ok(part)
    }

    /// Chooses bands so fine that few edges share one, yet so coarse that an edge is in four at most on average.
    fn make_bands(&mut self) {
        let edges: Vec<u32> = self.edge_starts().collect();
        let mut count = (edges.len() / 2).clamp(1, 1 << 16);
        loop {
            self.bands_per_degree = count as f64 / (self.north - self.south);
            let refs: usize = edges.iter().map(|&i| self.bands_of(i, count)).map(|(lo, hi)| hi - lo + 1).sum();
            if count == 1 || refs <= 4 * edges.len() {
                break;
            }
            count /= 2;
        }
        let mut starts = vec![0u32; count + 1];
        for &i in &edges {
            let (lo, hi) = self.bands_of(i, count);
            (lo..=hi).for_each(|band| starts[band + 1] += 1);
        }
        for band in 0..count {
            starts[band + 1] += starts[band];
        }
        let mut filled = starts.clone();
        let mut band_edges = vec![0u32; starts[count] as usize];
        for &i in &edges {
            let (lo, hi) = self.bands_of(i, count);
            for next in &mut filled[lo..=hi] {
                band_edges[*next as usize] = i;
                *next += 1;
            }
        }
        self.band_starts = starts.into();
        self.band_edges = band_edges.into();
    }

    fn bands_of(&self, edge: u32, count: usize) -> (usize, usize) {
        let edge = self.edge(edge);
        (self.band(edge.y_lo, count), self.band(edge.y_hi, count))
    }

    /// The band of a latitude. Never falls as the latitude grows, so that an edge's bands hold every latitude within it.
    #[inline]
    pub(super) fn band(&self, y: f64, count: usize) -> usize {
        (((y - self.south) * self.bands_per_degree) as usize).min(count - 1)
    }

    fn check_crossings(&self, place: Place) -> Result<(), ShapeError> {
        let bands = self.band_starts.windows(2).map(|pair| &self.band_edges[pair[0] as usize..pair[1] as usize]);
        match crossing::find(&self.vertices, bands, |edge| self.vertex_after(edge)) {
            None => Ok(()),
            Some(found) => Err(ShapeError::SelfCrossing {
                first: self.place_of(found.first, place),
                second: self.place_of(found.second, place),
                at: [Position::wrapped(found.at[0], found.at[1]).lon(), found.at[1]],
            }),
        }
    }

    fn check_holes(&self, place: Place) -> Result<(), ShapeError> {
        let of_ring = |ring: usize| Place { ring: Some(ring), ..place };
        let rings: Vec<(&[Vertex], [f64; 4])> = self.rings().map(|ring| (ring, bounds(ring))).collect();
        for (i, &(hole, inner)) in rings.iter().enumerate().skip(1) {
            if !crossing::is_inside(hole, rings[0].0) {
                return Err(ShapeError::HoleOutside { place: of_ring(i) });
            }
            for (j, &(other, outer)) in rings.iter().enumerate().skip(1) {
                let within =
                    inner[0] >= outer[0] && inner[1] >= outer[1] && inner[2] <= outer[2] && inner[3] <= outer[3];
                if i != j && within && crossing::is_inside(hole, other) {
                    return Err(ShapeError::NestedHole { place: of_ring(i), outer: of_ring(j) });
                }
            }
        }
        Ok(())
    }

    /// The vertex after the end of an edge: where that closes its ring, the ring's second.
    fn vertex_after(&self, edge: u32) -> Vertex {
        let ring = self.ring_ends.partition_point(|&end| end <= edge);
        let start = if ring == 0 { 0 } else { self.ring_ends[ring - 1] };
        let closes = edge + 2 == self.ring_ends[ring];
        self.vertices[if closes { start + 1 } else { edge + 2 } as usize]
    }

    fn place_of(&self, vertex: usize, place: Place) -> Place {
        let ring = self.ring_ends.partition_point(|&end| end as usize <= vertex);
        let start = if ring == 0 { 0 } else { self.ring_ends[ring - 1] as usize };
        Place { ring: Some(ring), position: Some(vertex - start), ..place }
    }

    fn rings(&self) -> impl Iterator<Item = &[Vertex]> {
        let starts = std::iter::once(0).chain(self.ring_ends.iter().map(|&end| end as usize));
        starts.zip(&self.ring_ends).map(|(start, &end)| &self.vertices[start..end as usize])
    }

    /// The first vertex of every edge.
    fn edge_starts(&self) -> impl Iterator<Item = u32> + '_ {
        let starts = std::iter::once(0).chain(self.ring_ends.iter().copied());
        starts.zip(&self.ring_ends).flat_map(|(start, &end)| start..end.saturating_sub(1))
    }

    #[inline]
    pub(super) fn edge(&self, start: u32) -> Edge {
        Edge::new(self.vertices[start as usize], self.vertices[start as usize + 1])
    }

    /// All edges, horizontal ones too.
    pub(super) fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        self.edge_starts().map(|start| self.edge(start))
    }

    #[inline]
    pub(super) fn contains(&self, x: f64, y: f64) -> bool {
        if !(x >= self.west && x <= self.east && y >= self.south && y <= self.north) {
            return false;
        }
        let band = self.band(y, self.band_starts.len() - 1);
        let edges = &self.band_edges[self.band_starts[band] as usize..self.band_starts[band + 1] as usize];
        edges.iter().fold(false, |inside, &edge| inside ^ self.edge(edge).counts(x, y))
    }

    fn area_m2(&self) -> f64 {
        let mut areas = self.rings().map(ring_area_m2);
        let shell = areas.next().unwrap_or(0.0);
        shell - areas.sum::<f64>()
    }

    /// Area in square degrees, and the centre of area.
    fn planar_moments(&self) -> (f64, f64, f64) {
        let [x0, y0] = self.vertices[0];
        let mut sums = [0.0f64; 3];
        for (i, ring) in self.rings().enumerate() {
            let mut of_ring = [0.0f64; 3];
            for pair in ring.windows(2) {
                let ([ax, ay], [bx, by]) = ([pair[0][0] - x0, pair[0][1] - y0], [pair[1][0] - x0, pair[1][1] - y0]);
                let cross = ax * by - bx * ay;
                of_ring = [of_ring[0] + cross, of_ring[1] + cross * (ax + bx), of_ring[2] + cross * (ay + by)];
            }
            // The shell adds, holes take away, whichever way they run.
            let sign = if (of_ring[0] < 0.0) == (i == 0) { -1.0 } else { 1.0 };
            (0..3).for_each(|k| sums[k] += sign * of_ring[k]);
        }
        (sums[0] / 2.0, x0 + sums[1] / (3.0 * sums[0]), y0 + sums[2] / (3.0 * sums[0]))
    }
}

fn bounds(ring: &[Vertex]) -> [f64; 4] {
    ring.iter().fold([f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY], |b, v| {
        [b[0].min(v[0]), b[1].min(v[1]), b[2].max(v[0]), b[3].max(v[1])]
    })
}

#[cfg(test)]
#[path = "shape_test.rs"]
mod tests;
