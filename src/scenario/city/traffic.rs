//! Ordinary traffic in the centre, a vehicle that speeds, and the drivers.

use super::zones::{CENTRE, NORTH};
use super::{Fleet, TOWN, kmh};
use crate::scenario::catalog::{START, Setting, minute, minutes};
use crate::scenario::draw::Draw;
use crate::scenario::plane::{Spot, km};
use crate::scenario::record::{Field, Record};
use crate::scenario::stream::Feed;
use crate::scenario::track::{Habit, Pilot, Reporter, Sample, Track};
use crate::scenario::truth::Notes;

const WANDERERS: u64 = 8;
const DRIVERS: u64 = 20;

/// Vehicles that keep to every limit, and one that doesn't.
pub(super) fn vehicles(setting: Setting, fleet: &mut Fleet, notes: &mut Notes) {
    for n in 0..WANDERERS {
        // Stays within 1.8 km of the middle, where the limit is 30 km/h, and under 28 km/h.
        fleet.add(wander(setting, ("city.wander", n), 1250.0, (14.0, 27.0)), 60_000);
    }
    across_north(fleet, notes, 15.0, 74.0);
    across_north(fleet, notes, 32.0, 44.0);
}

/// From west to east through the zone `north` and back out of the town, at a speed in km/h.
fn across_north(fleet: &mut Fleet, notes: &mut Notes, start: f64, speed: f64) {
    let id = fleet.next_id();
    let (west, east, y) = (NORTH.0.x, NORTH.1.x, 6200.0);
    let mut pilot = Pilot::new(minute(start), Spot { x: west - 2500.0, y });
    pilot.status("ride").go(Spot { x: west, y }, kmh(45.0));
    let entered = pilot.now();
    pilot.go(Spot { x: east, y }, kmh(speed));
    let span = (entered, pilot.now());
    pilot.go(Spot { x: east + 2500.0, y }, kmh(45.0));
    fleet.add(pilot.track(), 20_000);
    if speed > 50.0 {
        notes.situation("speeding", &id, span, "over 70 km/h through the zone `north`, limit 50");
    } else {
        notes.decoy("speeding", &id, span, "the same way at 44 km/h");
    }
}

/// From one random place to the next in a square around the middle, with short halts.
fn wander(setting: Setting, (label, number): (&str, u64), reach: f64, speeds: (f64, f64)) -> Track {
    let mut draw = Draw::new(setting.seed, label, number);
    let mut pilot = Pilot::new(START, within(reach, &mut draw));
    while pilot.now() < setting.until {
        pilot.status(if draw.below(2) == 0 { "free" } else { "ride" });
        pilot.go(within(reach, &mut draw), kmh(draw.between(speeds.0, speeds.1)));
        pilot.stay(minutes(draw.between(0.1, 1.5)));
    }
    pilot.track()
}

/// A random place in the square that reaches so many metres each way from the middle.
fn within(reach: f64, draw: &mut Draw) -> Spot {
    CENTRE.off(draw.between(-reach, reach), draw.between(-reach, reach))
}

/// Drivers who offer rides: they keep to the centre, so the south is short of them when the surge comes.
pub(super) fn drivers(setting: Setting) -> Vec<Box<dyn Feed>> {
    let mut tracks: Vec<Track> =
        (0..DRIVERS).map(|n| wander(setting, ("city.driver", n), 3000.0, (15.0, 35.0))).collect();
    // One driver stands in the south all day: some supply there, far too little.
    let mut pilot = Pilot::new(START, km(0.6, -5.6));
    pilot.stay_until(setting.until);
    tracks.push(pilot.track());
    tracks.into_iter().zip(0..).map(|(track, n)| driver(setting, track, n)).collect()
}

fn driver(setting: Setting, track: Track, n: u64) -> Box<dyn Feed> {
    let id = Field::text(&format!("d{:02}", n + 1));
    Box::new(Reporter {
        track,
        habit: Habit { every: 120_000, blur: 6.0, share: 0.0, creep: 0.0, silent: Vec::new() },
        plane: TOWN,
        draw: Draw::new(setting.seed, "city.drivers", n),
        until: setting.until,
        write: move |s: Sample| Record::new(s.t).with("driver", id.clone()).at(s.position),
    })
}
