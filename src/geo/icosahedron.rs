//! The H3 cell of a position, without trigonometry beyond its direction.
//!
//! H3 lays a grid of hexagons on each face of an icosahedron, and the gnomonic projection takes great circles to straight lines there. So what is
//! needed is the direction of a position in space: the face is the one whose centre is nearest, which is the largest of twenty dot products; the place on
//! the face is two more, along two axes of the face, over that one. Turning the grid by 19.1° at every other resolution, and going from right
//! angles to the grid's 120°, are in the axes.
//!
//! A hexagon's digits come from the finest up. Two resolutions together are a grid seven times as wide that isn't turned, so that two digits hang
//! on the place modulo 7 alone, and one division by 7, exact, goes up. Digits then turn by as much as their base cell does, all by the same;
//! on a pentagon by how much depends on the first digit that isn't 0. By how much, on which face, is what h3o says of some points of each.
//!
//! The answer is h3o's, always: where rounding could decide, on the border of two cells or two faces and close to a face's centre, where h3o's own
//! rounding is coarser, none is given and h3o is to be asked. That is one position in ten thousand.

use h3o::{CellIndex, LatLng};
use std::sync::LazyLock;

/// The direction of a place: a point on the unit sphere.
type Direction = [f64; 3];

/// The faces, and what their base cells are.
pub(super) struct Icosahedron {
    /// Half of the faces' centres; the other half are opposite. By coordinate, as all are looked at.
    centres: [[f64; 10]; 3],
    /// The axes i and j of each face, for even resolutions and for odd ones.
    axes: [[[Direction; 2]; 20]; 2],
    /// By face and place among its base cells.
    homes: [[Home; PLACES]; 20],
}

/// A base cell as it is seen from a face.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Home {
    base: u8,
    /// By how many sixths of a turn digits turn, by the first that isn't 0.
    turns: [u8; 7],
}

/// A cell as it is seen from a face.
#[derive(Clone, Copy, Debug)]
struct Seen {
    face: usize,
    /// The place of its base cell.
    place: usize,
    /// As they are in a cell's number; unused ones are 0.
    digits: u64,
}

/// Nothing is known, as no sample was there.
const UNKNOWN: u8 = u8::MAX;
/// Coordinates of base cells are −2 to 2.
const PLACES: usize = 25;

/// How many cells of a resolution are as long as the unit sphere's radius, at a face's centre.
const SCALES: [f64; 16] = {
    // 2 / tan of the angle between a face's centre and its corner, which are two cells apart.
    let (mut scales, mut even, mut at) = ([0.0; 16], 2.618_033_988_749_895, 0);
    while at < 16 {
        scales[at] = if at % 2 == 0 { even } else { even * 2.645_751_311_064_590_6 };
        if at % 2 == 1 {
            even *= 7.0;
        }
        at += 1;
    }
    scales
};

/// How near to a border, as a share of the sphere's radius, h3o is asked: far more than what it may be off.
const NEAR: f64 = 4e-12;
/// Of directions as near as this to a face's centre (1.3 km) h3o's distance is rounded more coarsely: the cosine of the angle.
const CENTRAL: f64 = 1.0 - 2e-8;

/// The steps to the neighbours along i and j, by digit; digit 0 stays.
const STEPS: [[i32; 2]; 7] = [[0, 0], [-1, -1], [0, 1], [-1, 0], [1, 0], [0, -1], [1, 1]];
/// The digit of an odd resolution, by i + 2j modulo 7.
const DIGITS: [u8; 7] = [0, 4, 2, 6, 1, 5, 3];
/// 7 times this is 1, modulo 2³²: multiples of 7 are divided by it exactly.
const SEVENTH: i32 = 0xb6db_6db7_u32 as i32;

/// Two digits, and the place of their cell from that of its parent's parent.
#[derive(Clone, Copy)]
struct Pair {
    digits: u8,
    i: i8,
    j: i8,
}

/// By i and j modulo 7.
const PAIRS: [[Pair; 7]; 7] = {
    let mut pairs = [[Pair { digits: 0, i: 0, j: 0 }; 7]; 7];
    let mut coarse = 0;
    while coarse < 7 {
        let mut fine = 0;
        while fine < 7 {
            let ([a, b], [c, d]) = (STEPS[coarse], STEPS[fine]);
            // A step of the odd resolution is, on the even one, its product with 3 + ω, where ω is a third of a turn.
            let (i, j) = (3 * a - b + c, a + 2 * b + d);
            let digits = (coarse * 8 + fine) as u8;
            pairs[i.rem_euclid(7) as usize][j.rem_euclid(7) as usize] = Pair { digits, i: i as i8, j: j as i8 };
            fine += 1;
        }
        coarse += 1;
    }
    pairs
};

static ICOSAHEDRON: LazyLock<Icosahedron> = LazyLock::new(Icosahedron::new);

/// The number of the cell at degrees, of a resolution of at most 15; none: h3o is to be asked.
#[inline]
pub(super) fn cell_at(lat: f64, lon: f64, resolution: u8) -> Option<u64> {
    ICOSAHEDRON.cell(direction(lat, lon), resolution)
}

#[inline]
fn direction(lat: f64, lon: f64) -> Direction {
    let [(sin_lat, cos_lat), (sin_lon, cos_lon)] = sines([lat.to_radians(), lon.to_radians()]);
    [cos_lon * cos_lat, sin_lon * cos_lat, sin_lat]
}

/// Sines and cosines of two angles of at most half a turn, by their series: off by a few of the last bits, which is as good here, and two at
/// once take less than one of the library's.
#[inline]
fn sines(angles: [f64; 2]) -> [(f64, f64); 2] {
    const fn over_factorials<const TERMS: usize>(first: u32) -> [f64; TERMS] {
        let (mut terms, mut term, mut at, mut n) = ([0.0; TERMS], 1.0, 0, 0);
        while at < TERMS {
            while n < first + 2 * at as u32 {
                n += 1;
                term /= n as f64;
            }
            terms[at] = if at % 2 == 0 { -term } else { term };
            at += 1;
        }
        terms
    }
    // −1/3! + x²/5! − …, and −1/2! + x²/4! − …
    const SIN: [f64; 7] = over_factorials(3);
    const COS: [f64; 8] = over_factorials(2);
    // What π/2 is beyond its double.
    const REST: f64 = 6.123_233_995_736_766e-17;
    angles.map(|angle| {
        let (quarters, quarter) = nearest(angle * std::f64::consts::FRAC_2_PI);
        // Within an eighth of a turn.
        let x = angle - quarters * std::f64::consts::FRAC_PI_2 - quarters * REST;
        let square = x * x;
        let series = |terms: &[f64]| terms.iter().rev().fold(0.0, |sum, term| sum * square + term);
        let (sin, cos) = (x + x * square * series(&SIN), 1.0 + square * series(&COS));
        let (sin, cos) = if quarter & 1 == 0 { (sin, cos) } else { (cos, -sin) };
        if quarter & 2 == 0 { (sin, cos) } else { (-sin, -cos) }
    })
}

#[inline]
fn dot(a: Direction, b: Direction) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn along(a: f64, of: Direction, b: f64, and: Direction) -> Direction {
    [a * of[0] + b * and[0], a * of[1] + b * and[1], a * of[2] + b * and[2]]
}

fn unit(of: Direction) -> Direction {
    along(1.0 / dot(of, of).sqrt(), of, 0.0, of)
}

fn cross(a: Direction, b: Direction) -> Direction {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// The nearest whole number, for numbers well below 2⁵¹, and the same as an integer if it is below 2³¹.
#[inline]
fn nearest(number: f64) -> (f64, i32) {
    // Nothing behind the point fits beside 2⁵², and the number itself is in the lowest bits.
    const WHOLE: f64 = 6_755_399_441_055_744.0;
    let shifted = number + WHOLE;
    (shifted - WHOLE, shifted.to_bits() as i32)
}

/// The remainder by 7 of a number between −2²⁸ and 2²⁸.
#[inline]
fn modulo_7(number: i32) -> usize {
    let positive = number.wrapping_add(7 << 26) as u32;
    // 2³² / 7, a bit more: not enough more to matter below 10⁹.
    let sevenths = ((u64::from(positive) * 613_566_757) >> 32) as u32;
    positive.wrapping_sub(sevenths.wrapping_mul(7)) as usize
}

impl Icosahedron {
    fn new() -> Self {
        let corners: Vec<Direction> = CellIndex::base_cells()
            .filter(|cell| cell.is_pentagon())
            .map(LatLng::from)
            .map(|corner| direction(corner.lat(), corner.lng()))
            .collect();
        let mut faces: Vec<[Direction; 3]> = Vec::with_capacity(20);
        // Neighbours' cosine is 0.45, others' is below 0.
        let near = |a: Direction, b: Direction| dot(a, b) > 0.2;
        for (at, &a) in corners.iter().enumerate() {
            let later = || corners.iter().skip(at + 1).copied().filter(|&b| near(a, b));
            for b in later() {
                // Anticlockwise from outside, and each once.
                faces.extend(later().filter(|&c| near(b, c) && dot(cross(a, b), c) > 0.1).map(|c| [a, b, c]));
            }
        }
        let centre = |[a, b, c]: [Direction; 3]| unit(along(1.0, along(1.0, a, 1.0, b), 1.0, c));
        let upper: Vec<[Direction; 3]> = {
            let mut upper: Vec<[Direction; 3]> = Vec::with_capacity(10);
            for &face in &faces {
                if upper.iter().all(|&other| dot(centre(other), centre(face)) > -0.99) {
                    upper.push(face);
                }
            }
            upper
        };
        let mut grid = Self {
            centres: [[0.0; 10]; 3],
            axes: [[[[0.0; 3]; 2]; 20]; 2],
            homes: [[Home { base: UNKNOWN, turns: [UNKNOWN; 7] }; PLACES]; 20],
        };
        let mut samples = Vec::new();
        for (at, &face) in upper.iter().take(10).enumerate() {
            let opposite = |corner: Direction| along(-1.0, corner, 0.0, corner);
            // Seen from outside the opposite goes the other way round.
            let below = [face[0], face[2], face[1]].map(opposite);
            for (coordinates, value) in grid.centres.iter_mut().zip(centre(face)) {
                coordinates[at] = value;
            }
            for (number, face) in [(at, face), (at + 10, below)] {
                let middle = centre(face);
                let x = unit(along(1.0, face[0], -dot(face[0], middle), middle));
                let y = cross(middle, x);
                // Odd resolutions are turned by an angle whose tangent is √3 / 5.
                let (cos, sin) = (2.5 / 7f64.sqrt(), 0.75f64.sqrt() / 7f64.sqrt());
                let turned = [(x, y), (along(cos, x, sin, y), along(cos, y, -sin, x))];
                for (axes, (x, y)) in grid.axes.iter_mut().zip(turned) {
                    axes[number] = [along(1.0, x, 1.0 / 3f64.sqrt(), y), along(2.0 / 3f64.sqrt(), y, 0.0, y)];
                }
                samples.extend(places_on(face));
            }
        }
        for sample in samples {
            grid.learn(sample);
        }
        grid
    }

    /// Sees what h3o says of a place.
    fn learn(&mut self, place: Direction) {
        const FINE: u8 = 4;
        let (lat, lon) = (place[2].asin().to_degrees(), place[1].atan2(place[0]).to_degrees());
        let (Some(seen), Ok(at)) = (self.see(direction(lat, lon), FINE), LatLng::new(lat, lon)) else { return };
        let cell = at.to_cell(h3o::Resolution::Four);
        let number = u64::from(cell) & used(FINE);
        let Some(turns) = (0..6).find(|&turns| turned(seen.digits, turns, FINE) == number) else { return };
        let Some(home) = self.homes.get_mut(seen.face).and_then(|homes| homes.get_mut(seen.place)) else { return };
        home.base = cell.base_cell().into();
        match first_digit(seen.digits) {
            // Nothing turns.
            0 => {}
            first if cell.base_cell().is_pentagon() => home.turns[first] = turns,
            _ => home.turns = [turns; 7],
        }
        home.turns[0] = 0;
    }

    #[inline]
    fn cell(&self, place: Direction, resolution: u8) -> Option<u64> {
        let seen = self.see(place, resolution)?;
        let home = self.homes.get(seen.face)?.get(seen.place)?;
        let turns = *home.turns.get(first_digit(seen.digits))?;
        if home.base == UNKNOWN || turns == UNKNOWN {
            return None;
        }
        let digits = turned(seen.digits, turns, resolution);
        let unused = (1 << (45 - 3 * u64::from(resolution))) - 1;
        Some(1 << 59 | u64::from(resolution) << 52 | u64::from(home.base) << 45 | digits | unused)
    }

    /// The cell at a direction as seen from its face; none close to a border.
    #[inline]
    fn see(&self, place: Direction, resolution: u8) -> Option<Seen> {
        let (face, height) = self.face(place)?;
        let scale = *SCALES.get(usize::from(resolution))?;
        let [i_axis, j_axis] = self.axes.get(usize::from(resolution % 2))?.get(face)?;
        let per_height = scale / height;
        let (a, b) = (dot(place, *i_axis) * per_height, dot(place, *j_axis) * per_height);
        let (i, j) = hexagon(a, b, NEAR * scale)?;
        let (digits, i, j) = digits(i, j, resolution);
        // From −2 to 2.
        let (i, j) = ((i + 2) as u32, (j + 2) as u32);
        (i < 5 && j < 5).then_some(Seen { face, place: (5 * i + j) as usize, digits })
    }

    /// The face at a direction, and the cosine of the angle to its centre; none on the edge of two and close to a centre.
    #[inline]
    fn face(&self, place: Direction) -> Option<(usize, f64)> {
        let [xs, ys, zs] = &self.centres;
        let mut cosines = [0.0; 10];
        for (((cosine, x), y), z) in cosines.iter_mut().zip(xs).zip(ys).zip(zs) {
            *cosine = dot(place, [*x, *y, *z]);
        }
        // Numbers above 0 order as their bits do, of which the last few tell which it is.
        let (mut best, mut second) = (0, 0);
        for (at, cosine) in (0..).zip(cosines) {
            let size = cosine.abs().to_bits() & !15 | at;
            second = second.max(size.min(best));
            best = best.max(size);
        }
        let at = (best & 15) as usize;
        let cosine = *cosines.get(at)?;
        let face = if cosine > 0.0 { at } else { at + 10 };
        let is_clear = cosine.abs() - f64::from_bits(second) > NEAR && cosine.abs() < CENTRAL;
        is_clear.then_some((face, cosine.abs()))
    }
}

/// The hexagon that holds a point of the grid; none where it is nearer than `near` to the border.
#[inline]
fn hexagon(a: f64, b: f64, near: f64) -> Option<(i32, i32)> {
    let ((mut whole_a, mut i), (mut whole_b, mut j)) = (nearest(a), nearest(b));
    let (whole_c, k) = nearest(a - b);
    if i - j != k {
        // Of three that belong together the one that was rounded most follows the others.
        let (off_a, off_b, off_c) = ((a - whole_a).abs(), (b - whole_b).abs(), (a - b - whole_c).abs());
        if off_a > off_b && off_a > off_c {
            (whole_a, i) = (whole_b + whole_c, j + k);
        } else if off_b > off_c {
            (whole_b, j) = (whole_a - whole_c, i - k);
        }
    }
    let (a, b) = (a - whole_a, b - whole_b);
    // Twice the distances along the ways to the neighbours, which are half way at 1.
    let inside = 1.0 - 2.0 * near;
    let is_inside = (2.0 * a - b).abs() < inside && (2.0 * b - a).abs() < inside && (a + b).abs() < inside;
    is_inside.then_some((i, j))
}

/// The digits of a hexagon of a resolution, and its ancestor among the base cells.
#[inline]
fn digits(mut i: i32, mut j: i32, resolution: u8) -> (u64, i32, i32) {
    let mut shift = 45 - 3 * u32::from(resolution);
    let mut digits = 0;
    if resolution % 2 == 1 {
        let digit = DIGITS[modulo_7(i + 2 * j)];
        let [step_i, step_j] = STEPS[usize::from(digit)];
        (i, j) = (i - step_i, j - step_j);
        (i, j) = ((3 * i - j).wrapping_mul(SEVENTH), (i + 2 * j).wrapping_mul(SEVENTH));
        digits = u64::from(digit) << shift;
        shift += 3;
    }
    while shift < 45 {
        let pair = PAIRS[modulo_7(i)][modulo_7(j)];
        i = (i - i32::from(pair.i)).wrapping_mul(SEVENTH);
        j = (j - i32::from(pair.j)).wrapping_mul(SEVENTH);
        digits |= u64::from(pair.digits) << shift;
        shift += 6;
    }
    (digits, i, j)
}

/// The bits of a number's digits down to a resolution.
#[inline]
fn used(resolution: u8) -> u64 {
    let unused = 45 - 3 * u32::from(resolution);
    ((1 << 45) - 1) >> unused << unused
}

/// The first digit that isn't 0; 0: there is none.
#[inline]
fn first_digit(digits: u64) -> usize {
    let shift = (63 - (digits | 1).leading_zeros()) / 3 * 3;
    (digits >> shift & 7) as usize
}

/// All digits turned by so many sixths of a turn, anticlockwise. A third of a turn is a digit's bits moved round, and half a turn all of them the other way.
#[inline]
fn turned(digits: u64, turns: u8, resolution: u8) -> u64 {
    const LOWEST: u64 = 0o111_111_111_111_111;
    let right = || digits >> 1 & (3 * LOWEST) | (digits & LOWEST) << 2;
    let left = || digits << 1 & (6 * LOWEST) | digits >> 2 & LOWEST;
    let (digits, half) = match turns {
        1 => (left(), true),
        2 => (right(), false),
        3 => (digits, true),
        4 => (left(), false),
        5 => (right(), true),
        _ => (digits, false),
    };
    if !half {
        return digits;
    }
    // A digit that is 0 stays so.
    let some = (digits | digits >> 1 | digits >> 2) & LOWEST & used(resolution);
    digits ^ (some * 7)
}

/// Places all over a face, most of them near its edges, where other faces' base cells reach in.
fn places_on(corners: [Direction; 3]) -> Vec<Direction> {
    const SIDE: u32 = 14;
    let mut places = Vec::new();
    for a in 0..=SIDE {
        for b in 0..=SIDE - a {
            let c = SIDE - a - b;
            // A bit aside of where borders are; and at the edge a bit inside.
            let weight = |n: u32, aside: f64| f64::from(n) * 0.997 + aside;
            let place = along(weight(a, 0.02), corners[0], weight(b, 0.03), corners[1]);
            places.push(unit(along(1.0, place, weight(c, 0.04), corners[2])));
        }
    }
    places
}

#[cfg(test)]
#[path = "icosahedron_test.rs"]
mod tests;
