//! Fishing vessels: twelve that gather on a bank one after the other, five that pass in a column, three that stay three.

use crate::scenario::catalog::{Setting, minute};
use crate::scenario::draw::Draw;
use crate::scenario::plane::{Spot, bearing_tenths, km, sin_cos};
use crate::scenario::record::{Field, Record};
use crate::scenario::sea::{WATERS, kn};
use crate::scenario::stream::Feed;
use crate::scenario::track::{Habit, Pilot, Reporter, Sample};
use crate::scenario::truth::Notes;
use std::f64::consts::TAU;

/// The bank: near the middle of an H3 cell of resolution 6.
const BANK: Spot = km(2.51, -0.46);
/// Metres each way from its middle in which they fish.
const REACH: f64 = 1_600.0;
const FLEET: u64 = 12;
/// The first arrives at this minute, one more each so many minutes.
const ARRIVALS: (f64, f64) = (20.0, 5.0);
/// Where three vessels have been all the time.
const TRIO: Spot = km(-24.0, -14.0);
/// Milliseconds between reports.
const EVERY: i64 = 180_000;
/// The first MMSI; its first three digits belong to no country.
const FIRST_MMSI: i64 = 999_000_101;

/// The reports of all vessels.
pub(super) fn ais(setting: Setting, notes: &mut Notes) -> Vec<Box<dyn Feed>> {
    let mut feeds: Vec<Box<dyn Feed>> = Vec::new();
    for n in 0..FLEET {
        let arrival = minute(ARRIVALS.0 + ARRIVALS.1 * n as f64);
        let speed = kn(9.0);
        let set_out = minute(2.0);
        let way = speed * (arrival - set_out) as f64 / 1000.0;
        let (sin, cos) = sin_cos(TAU * 5.0 * n as f64 / FLEET as f64);
        let mut pilot = Pilot::new(set_out, BANK.off(way * cos, way * sin));
        pilot.go(BANK, speed);
        fish(setting, ("regions.fleet", n), BANK, &mut pilot);
        feeds.push(vessel(setting, feeds.len(), "fishing", pilot));
    }
    let gathered = minute(ARRIVALS.0 + ARRIVALS.1 * (FLEET - 1) as f64);
    let span = (minute(ARRIVALS.0), gathered);
    notes.situation("fleet_gathers", "bank", span, "twelve vessels come to fish in one place, one each 5 minutes");
    for (kind, count, y, speed) in [("fishing", 5, 16.0, 9.0), ("cargo", 4, -26.0, 13.0)] {
        for n in 0..count {
            let from = km(-22.0 - 1.5 * f64::from(n), y);
            let mut pilot = Pilot::new(minute(0.0), from);
            pilot.go(from.off(60_000.0, 2_000.0), kn(speed));
            feeds.push(vessel(setting, feeds.len(), kind, pilot));
        }
    }
    notes.decoy(
        "fleet_gathers",
        "column",
        (minute(0.0), minute(110.0)),
        "five fishing vessels and four ships that pass",
    );
    let passing = (minute(0.0), minute(115.0));
    notes.situation("convoy", "column", passing, "five fishing vessels sail one behind the other, 1.5 km apart");
    notes.situation("convoy", "ships", passing, "four ships sail one behind the other, 1.5 km apart");
    notes.decoy("convoy", "bank", span, "twelve vessels sail, each by itself, and meet where they fish");
    for n in 0..3 {
        let mut pilot = Pilot::new(minute(0.0), TRIO);
        fish(setting, ("regions.trio", n), TRIO, &mut pilot);
        feeds.push(vessel(setting, feeds.len(), "fishing", pilot));
    }
    notes.decoy(
        "fleet_gathers",
        "trio",
        (minute(0.0), minute(110.0)),
        "three vessels fish in one place from the start",
    );
    feeds
}

/// Goes to and fro about a place, at the speed at which nets are drawn.
fn fish(setting: Setting, (label, number): (&str, u64), about: Spot, pilot: &mut Pilot) {
    let mut draw = Draw::new(setting.seed, label, number);
    while pilot.now() < setting.until {
        let to = about.off(draw.between(-REACH, REACH), draw.between(-REACH, REACH));
        pilot.go(to, kn(draw.between(2.0, 3.5)));
    }
}

fn vessel(setting: Setting, number: usize, kind: &'static str, pilot: Pilot) -> Box<dyn Feed> {
    let mmsi = FIRST_MMSI + number as i64;
    Box::new(Reporter {
        track: pilot.track(),
        habit: Habit { every: EVERY, blur: 8.0, share: 0.02, creep: kn(0.2), silent: Vec::new() },
        plane: WATERS,
        draw: Draw::new(setting.seed, "regions.ais", number as u64),
        until: setting.until,
        write: move |s: Sample| {
            Record::new(s.t)
                .with("mmsi", Field::Int(mmsi))
                .at(s.position)
                .with("sog", Field::rounded(s.speed * 3600.0 / 1852.0, 1))
                .with("cog", Field::Fixed { units: bearing_tenths(s.leg.0, s.leg.1), places: 1 })
                .with("kind", Field::Word(kind))
        },
    })
}
