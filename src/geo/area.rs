//! Areas on the WGS 84 ellipsoid of regions whose edges are straight in longitude and latitude.
//!
//! That is the region that the point test means: along an edge, latitude is a linear function of longitude. (A geodesic
//! between the same ends bulges poleward; for edges of a few kilometres the two don't differ noticeably.)
//!
//! By Green's theorem the area is `|∮ A(φ) dλ|`, where `A(φ) = b²/2 · (s / (1 − e²s²) + artanh(e·s) / e)`, `s = sin φ`, is
//! the area between the equator and φ per radian of longitude. Each edge is integrated by Gauss's rule with three points
//! per degree of latitude, which leaves no error above rounding.

use super::edge::Vertex;

const SEMI_MAJOR_M: f64 = 6_378_137.0;
const FLATTENING: f64 = 1.0 / 298.257_223_563;

/// The area in m² inside of a closed ring.
pub(super) fn ring_area_m2(vertices: &[Vertex]) -> f64 {
    let south = vertices.iter().map(|v| v[1]).fold(f64::INFINITY, f64::min);
    // Any constant may be subtracted from A, the ring being closed; this one keeps small rings precise.
    let base = area_to(south);
    vertices.windows(2).map(|pair| under_edge(pair[0], pair[1], base)).sum::<f64>().abs()
}

/// The area per radian of longitude from the equator to a latitude in degrees.
fn area_to(lat: f64) -> f64 {
    let e2 = FLATTENING * (2.0 - FLATTENING);
    let (e, b2) = (e2.sqrt(), SEMI_MAJOR_M * SEMI_MAJOR_M * (1.0 - e2));
    let s = lat.to_radians().sin();
    b2 / 2.0 * (s / (1.0 - e2 * s * s) + (e * s).atanh() / e)
}

fn under_edge(a: Vertex, b: Vertex, base: f64) -> f64 {
    let (dlon, dlat) = (b[0] - a[0], b[1] - a[1]);
    if dlon == 0.0 {
        return 0.0;
    }
    let pieces = dlat.abs().ceil().max(1.0);
    let offset = (3.0f64 / 5.0).sqrt() / 2.0;
    let mut mean = 0.0;
    for piece in 0..pieces as u32 {
        let at = |share: f64| area_to(a[1] + dlat * (f64::from(piece) + share) / pieces) - base;
        mean += (5.0 * at(0.5 - offset) + 8.0 * at(0.5) + 5.0 * at(0.5 + offset)) / 18.0;
    }
    dlon.to_radians() * mean / pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo::GeodesicArea;

    #[test]
    fn the_whole_world_has_the_known_area() {
        let world = [[-180.0, -90.0], [180.0, -90.0], [180.0, 90.0], [-180.0, 90.0], [-180.0, -90.0]];
        let area = ring_area_m2(&world);
        assert!((area / 510_065_621_724_088.4 - 1.0).abs() < 1e-12, "{area}");
    }

    #[test]
    fn a_small_ring_has_the_area_of_the_geodesic_polygon() {
        for lat in [-80.0, -33.3, 0.0, 51.0, 85.0] {
            let ring: Vec<[f64; 2]> = [[0.0, 0.0], [0.01, 0.002], [0.012, 0.009], [0.003, 0.008], [0.0, 0.0]]
                .iter()
                .map(|[x, y]| [10.0 + x, lat + y])
                .collect();
            let polygon = geo::Polygon::new(ring.iter().map(|v| (v[0], v[1])).collect::<Vec<_>>().into(), vec![]);
            let (ours, theirs) = (ring_area_m2(&ring), polygon.geodesic_area_unsigned());
            assert!((ours / theirs - 1.0).abs() < 1e-4, "{lat}: {ours} vs {theirs}");
        }
    }

    #[test]
    fn cutting_an_edge_does_not_change_the_area() {
        let whole = ring_area_m2(&[[0.0, 10.0], [40.0, 50.0], [0.0, 50.0], [0.0, 10.0]]);
        let cut = ring_area_m2(&[[0.0, 10.0], [13.7, 23.7], [40.0, 50.0], [0.0, 50.0], [0.0, 10.0]]);
        assert!((whole / cut - 1.0).abs() < 1e-12, "{whole} vs {cut}");
    }
}
