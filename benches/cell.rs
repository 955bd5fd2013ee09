//! What the H3 cell of a position costs: by `Cell::at`, and by h3o, which it has to agree with.
//!
//! `cargo bench --bench cell`. Positions all over the earth; the figures are nanoseconds per position, the least of some rounds. With `-- --verify 10`
//! ten million positions more are compared at all resolutions.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a benchmark reads the clock, prints, and may fail"
)]

use geocep::geo::{Cell, Position, Resolution};
use std::{hint::black_box, time::Instant};

const ROUNDS: usize = 20;
const POSITIONS: usize = 10_000;

struct Random(u64);

impl Random {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn position(&mut self) -> Position {
        let lat = (2.0 * self.share() - 1.0).asin().to_degrees();
        Position::new(360.0 * self.share() - 180.0, lat).unwrap()
    }
}

fn by_h3o(place: Position, resolution: u8) -> u64 {
    let resolution = h3o::Resolution::try_from(resolution).unwrap();
    h3o::LatLng::new(place.lat(), place.lon()).unwrap().to_cell(resolution).into()
}

fn own(place: Position, resolution: u8) -> u64 {
    Cell::at(place, Resolution::new(resolution.into()).unwrap()).number()
}

fn least(positions: &[Position], mut cell: impl FnMut(Position) -> u64) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for &position in positions {
            black_box(cell(position));
        }
        least = least.min(start.elapsed().as_nanos() as f64 / positions.len() as f64);
    }
    least
}

fn main() {
    let mut random = Random(42);
    let mut arguments = std::env::args().skip_while(|argument| argument != "--verify").skip(1);
    if let Some(millions) = arguments.next().and_then(|number| number.parse::<u64>().ok()) {
        for at in 0..millions * 1_000_000 {
            let (place, resolution) = (random.position(), (at % 16) as u8);
            assert_eq!(own(place, resolution), by_h3o(place, resolution), "{place:?} at {resolution}");
        }
        println!("{millions} million positions are in the cells that h3o says");
    }
    let positions: Vec<Position> = (0..POSITIONS).map(|_| random.position()).collect();
    println!("resolution  own ns  h3o ns");
    for r in [0, 5, 8, 9, 12, 15] {
        let own = least(&positions, |place| own(place, r));
        println!("{r:10}  {own:6.0}  {:6.0}", least(&positions, |place| by_h3o(place, r)));
    }
}
