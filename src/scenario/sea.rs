//! The sea: vessels south of the Ionian islands, at 35.5° N, 18° E, with two made-up ports and a made-up border.
//!
//! Distances in the script are kilometres east and north of that point, speeds are knots.

use super::catalog::{Script, Setting, minute, minutes};
use super::draw::Draw;
use super::fence::{Fence, FenceFile, rectangle};
use super::plane::{Plane, Spot, bearing_tenths, km, regular};
use super::record::{Field, Record};
use super::stream::{Feed, Stream};
use super::track::{Habit, Pilot, Reporter, Sample};
use super::truth::Notes;

/// The sea's place on the earth.
pub(super) const WATERS: Plane =
    Plane { lon: 18_000_000, lat: 35_500_000, metres_lon: 90_729.360, metres_lat: 110_949.768 };

/// Milliseconds between reports.
const EVERY: i64 = 90_000;
/// A report in so many carries the vessel's name.
const NAME_EACH: u64 = 6;
/// The first MMSI; its first three digits belong to no country.
const FIRST_MMSI: i64 = 999_000_001;

/// Metres per second of a speed in knots.
pub(super) fn kn(speed: f64) -> f64 {
    speed * 1852.0 / 3600.0
}

/// The western edge of the border zone, kilometres east.
const BORDER_WEST: f64 = 28.0;
/// The border zone's south-west and north-east corners.
const BORDER: (Spot, Spot) = (km(BORDER_WEST, -30.0), km(40.0, 40.0));
/// The northern port's south-west and north-east corners.
const PORT: (Spot, Spot) = (km(-27.0, 19.0), km(-23.0, 22.0));

fn fences() -> Vec<FenceFile> {
    let name = |text| vec![("name", Field::Word(text))];
    let mole = vec![vec![rectangle(PORT.0, PORT.1), rectangle(km(-26.6, 21.2), km(-26.0, 21.6))]];
    let ports = [
        // The island in its north-west is not part of the port.
        Fence { id: "port-north", properties: name("Port North"), polygons: mole },
        Fence::simple("port-south", name("Port South"), regular(km(10.0, -34.0), 2500.0, 12)),
    ];
    let border = [Fence::simple("border-east", name("Eastern border zone"), rectangle(BORDER.0, BORDER.1))];
    vec![FenceFile::new("border", &WATERS, &border), FenceFile::new("ports", &WATERS, &ports)]
}

/// The vessels, in order of their numbers.
struct Fleet {
    setting: Setting,
    feeds: Vec<Box<dyn Feed>>,
}

impl Fleet {
    fn next_id(&self) -> String {
        (FIRST_MMSI + self.feeds.len() as i64).to_string()
    }

    fn add(&mut self, kind: &'static str, pilot: Pilot, silent: Vec<(i64, i64)>) {
        let number = self.feeds.len();
        let mmsi = FIRST_MMSI + number as i64;
        let name = Field::text(&format!("{} {}", kind.to_uppercase(), number + 1));
        let write = move |s: Sample| {
            let record = Record::new(s.t)
                .with("mmsi", Field::Int(mmsi))
                .at(s.position)
                .with("sog", Field::rounded(s.speed * 3600.0 / 1852.0, 1))
                .with("cog", Field::Fixed { units: bearing_tenths(s.leg.0, s.leg.1), places: 1 })
                .with("kind", Field::Word(kind));
            if s.number.is_multiple_of(NAME_EACH) { record.with("name", name.clone()) } else { record }
        };
        self.feeds.push(Box::new(Reporter {
            track: pilot.track(),
            habit: Habit { every: EVERY, blur: 8.0, share: 0.02, creep: kn(0.2), silent },
            plane: WATERS,
            draw: Draw::new(self.setting.seed, "sea.ais", number as u64),
            until: self.setting.until,
            write,
        }));
    }
}

pub(super) fn script(setting: Setting) -> Script {
    let mut fleet = Fleet { setting, feeds: Vec::new() };
    let mut notes = Notes::default();
    lanes(&mut fleet, &mut notes);
    port_call(&mut fleet, &mut notes);
    rendezvous(&mut fleet, &mut notes);
    crossing(&mut fleet, &mut notes);
    dark(&mut fleet, &mut notes);
    loitering(&mut fleet, &mut notes);
    Script { streams: vec![Stream::new("ais", fleet.feeds)], fences: fences(), notes }
}

/// Cargo vessels that go to and fro, each on a lane of its own; the first one is not heard for 20 minutes once.
fn lanes(fleet: &mut Fleet, notes: &mut Notes) {
    for (n, y) in [3.0, 8.0, -8.0].into_iter().enumerate() {
        let mut draw = Draw::new(fleet.setting.seed, "sea.lane", n as u64);
        let speed = kn(draw.between(10.0, 14.0));
        let mut pilot = Pilot::new(minute(0.0), km(draw.between(-35.0, 0.0), y));
        while pilot.now() < fleet.setting.until {
            pilot.go(km(25.0, y + 1.0), speed).go(km(-38.0, y), speed);
        }
        let gap = (minute(200.0), minute(220.0));
        let silent = if n == 0 { vec![gap] } else { Vec::new() };
        if n == 0 {
            notes.decoy("dark_near_border", &fleet.next_id(), gap, "a gap of 20 minutes, and far from the border");
        }
        fleet.add("cargo", pilot, silent);
    }
}

/// A cargo vessel comes in, is moored for 90 minutes beside another one, and leaves.
fn port_call(fleet: &mut Fleet, notes: &mut Notes) {
    let mut draw = Draw::new(fleet.setting.seed, "sea.port", 0);
    let berth = km(-25.0, 20.4);
    let gate = Spot { x: PORT.0.x, y: 20_000.0 };
    let id = fleet.next_id();
    let mut pilot = Pilot::new(minute(draw.between(5.0, 25.0)), gate.off(-18_000.0, 6_000.0));
    pilot.go(gate, kn(11.0));
    let entered = pilot.now();
    pilot.go(berth, kn(4.5));
    let moored = pilot.now();
    pilot.stay(minutes(90.0));
    let sailed = pilot.now();
    pilot.go(gate, kn(5.0));
    let left = pilot.now();
    pilot.go(gate.off(-12_000.0, 9_000.0), kn(12.0));
    fleet.add("cargo", pilot, Vec::new());
    notes.situation("port_call", &id, (entered, left), "entered `port-north`, was moored for 90 minutes, left");

    let other = fleet.next_id();
    let mut pilot = Pilot::new(minute(0.0), berth.off(260.0, 40.0));
    pilot.stay_until(fleet.setting.until);
    fleet.add("tanker", pilot, Vec::new());
    notes.decoy("rendezvous", &id, (moored, sailed), "moored near each other, but in a port, and one is no tanker");
    notes.decoy_with(&other);
}

/// Two tankers meet at sea, drift side by side for 50 minutes, 250 m apart, and part.
fn rendezvous(fleet: &mut Fleet, notes: &mut Notes) {
    let meet = km(-12.0, -20.0);
    let beside = meet.off(0.0, 250.0);
    let drift: (f64, f64) = (2000.0, -300.0);
    let met = minute(120.0);
    let starts = [km(-38.0, -14.0), km(8.0, -13.0)];
    let ends = [km(-30.0, -30.0), km(5.0, -19.0)];
    let ids = [fleet.next_id(), (FIRST_MMSI + fleet.feeds.len() as i64 + 1).to_string()];
    let mut parted = met;
    for ((from, to), spot) in starts.into_iter().zip(ends).zip([meet, beside]) {
        // Slows down in the last kilometre, to arrive with the other.
        let towards = 1000.0 / from.distance(spot);
        let near = spot.off((from.x - spot.x) * towards, (from.y - spot.y) * towards);
        let slow = (1000.0 / kn(3.0) * 1000.0).round() as i64;
        let fast = (from.distance(near) / kn(9.0) * 1000.0).round() as i64;
        let mut pilot = Pilot::new(met - slow - fast, from);
        pilot.go(near, kn(9.0)).go(spot, kn(3.0));
        let way = (drift.0 * drift.0 + drift.1 * drift.1).sqrt();
        pilot.go(spot.off(drift.0, drift.1), way / 3000.0);
        parted = pilot.now();
        pilot.go(to, kn(9.0));
        fleet.add("tanker", pilot, Vec::new());
    }
    let note = "two tankers within 500 m at under 2 knots for 50 minutes, far from any port";
    notes.situation("rendezvous", &ids[0], (met, parted), note);
    notes.situation_with(&ids[1]);
}

/// Two tankers pass each other at 300 m and full speed.
fn crossing(fleet: &mut Fleet, notes: &mut Notes) {
    let ids = [fleet.next_id(), (FIRST_MMSI + fleet.feeds.len() as i64 + 1).to_string()];
    let (speed, met, y) = (kn(12.0), minute(100.0), 14_000.0);
    for (side, y) in [(-1.0, y), (1.0, y + 300.0)] {
        let way = 20_000.0;
        let mut pilot = Pilot::new(met - (way / speed * 1000.0).round() as i64, Spot { x: side * way, y });
        pilot.go(Spot { x: -side * way, y }, speed);
        fleet.add("tanker", pilot, Vec::new());
    }
    notes.decoy("rendezvous", &ids[0], (met - 33_000, met + 33_000), "within 500 m for a minute, at full speed");
    notes.decoy_with(&ids[1]);
}

/// A fishing vessel enters the border zone, is silent for two hours and twenty minutes, and is heard there again.
fn dark(fleet: &mut Fleet, notes: &mut Notes) {
    let mut draw = Draw::new(fleet.setting.seed, "sea.dark", 0);
    let id = fleet.next_id();
    let mut pilot = Pilot::new(minute(draw.between(10.0, 20.0)), km(10.0, 28.0));
    pilot.go(km(BORDER_WEST, 25.0), kn(9.0)).go(km(31.0, 24.0), kn(7.0));
    let from = pilot.now();
    let silence = 140.0;
    // A dozen kilometres within the zone, unseen.
    pilot.go(km(34.5, 12.0), 12_500.0 / (silence * 60.0)).stay_until(from + minutes(silence));
    let to = pilot.now();
    pilot.go(km(BORDER_WEST, 10.5), kn(7.0)).go(km(12.0, 18.0), kn(9.0));
    fleet.add("fishing", pilot, vec![(from, to)]);
    notes.situation("dark_near_border", &id, (from, to), "no report for over two hours, inside `border-east`");
}

/// A fishing vessel goes round in a circle of 1.2 km for three hours.
fn loitering(fleet: &mut Fleet, notes: &mut Notes) {
    let mut draw = Draw::new(fleet.setting.seed, "sea.loiter", 0);
    let id = fleet.next_id();
    let circle = regular(km(5.0, 33.0), 1200.0, 12);
    let mut pilot = Pilot::new(minute(draw.between(25.0, 40.0)), km(-8.0, 27.0));
    pilot.go(circle[0], kn(9.0));
    let from = pilot.now();
    for corner in circle.iter().cycle().skip(1) {
        pilot.go(*corner, kn(draw.between(1.4, 2.4)));
        if pilot.now() >= from + minutes(180.0) {
            break;
        }
    }
    let to = pilot.now();
    pilot.go(km(-10.0, 38.0), kn(9.0));
    fleet.add("fishing", pilot, Vec::new());
    notes.situation("loitering", &id, (from, to), "under 3 knots within 1.3 km of one place for three hours");
}
