//! The air: aircraft around a made-up aerodrome at 45° N, 20° E, in kilometres, feet and knots.

use super::catalog::{START, Script, Setting, minute, minutes};
use super::draw::Draw;
use super::fence::{Fence, FenceFile};
use super::plane::{Plane, Spot, bearing_tenths, km, regular, sin_cos};
use super::record::{Field, Record};
use super::stream::{Feed, Stream};
use super::track::{Habit, Pilot, Reporter, Sample};
use super::truth::Notes;
use std::f64::consts::PI;

const SKY: Plane = Plane { lon: 20_000_000, lat: 45_000_000, metres_lon: 78_846.806, metres_lat: 111_131.779 };

/// Milliseconds between reports.
const EVERY: i64 = 10_000;
/// The aerodrome's elevation in feet; its runway lies east to west across the origin.
const ELEVATION: f64 = 300.0;
/// The radius of an aerodrome's fence in metres.
const ZONE: f64 = 9000.0;
/// Eastern end of the final approach, flown westwards, and the place where the wheels touch.
const FINAL: (Spot, Spot) = (km(22.0, 0.0), km(1.2, 0.0));

/// Metres per second of a speed in knots.
fn kt(speed: f64) -> f64 {
    speed * 1852.0 / 3600.0
}

fn fences() -> Vec<FenceFile> {
    let place = |name, feet| vec![("name", Field::Word(name)), ("elevation_ft", Field::Int(feet))];
    let aerodromes = [
        Fence::simple("XGEA", place("Midland", ELEVATION as i64), regular(km(0.0, 0.0), ZONE, 24)),
        Fence::simple("XGEB", place("Hillside", 1150), regular(km(-45.0, -38.0), ZONE, 24)),
    ];
    vec![FenceFile::new("aerodromes", &SKY, &aerodromes)]
}

/// The aircraft, in order of their numbers.
struct Fleet {
    setting: Setting,
    feeds: Vec<Box<dyn Feed>>,
}

impl Fleet {
    /// The 24-bit address that the next aircraft will have, in hexadecimal.
    fn next_id(&self) -> String {
        format!("{:06x}", 0xf0_0001 + self.feeds.len())
    }

    fn add(&mut self, pilot: Pilot, silent: Vec<(i64, i64)>) {
        let number = self.feeds.len();
        let icao = Field::text(&self.next_id());
        let callsign = Field::text(&format!("GEO{}", 101 + number));
        let write = move |s: Sample| {
            // Transponders report altitude in steps of 25 feet.
            let alt = (s.alt / 25.0).round() as i64 * 25;
            Record::new(s.t)
                .with("icao", icao.clone())
                .with("callsign", callsign.clone())
                .at(s.position)
                .with("alt_ft", Field::Int(alt))
                .with("gs_kt", Field::rounded(s.speed * 3600.0 / 1852.0, 0))
                .with("track", Field::Fixed { units: bearing_tenths(s.leg.0, s.leg.1), places: 1 })
        };
        self.feeds.push(Box::new(Reporter {
            track: pilot.track(),
            habit: Habit { every: EVERY, blur: 12.0, share: 0.01, creep: 0.0, silent },
            plane: SKY,
            draw: Draw::new(self.setting.seed, "air.adsb", number as u64),
            until: self.setting.until,
            write,
        }));
    }
}

pub(super) fn script(setting: Setting) -> Script {
    let mut fleet = Fleet { setting, feeds: Vec::new() };
    let mut notes = Notes::default();
    arrivals(&mut fleet, &mut notes);
    go_around(&mut fleet, &mut notes);
    departure(&mut fleet);
    holding(&mut fleet, &mut notes);
    lost(&mut fleet, &mut notes);
    overflights(&mut fleet);
    Script { streams: vec![Stream::new("adsb", fleet.feeds)], fences: fences(), notes }
}

/// Down to the final, along it, and onto the runway; then off it.
fn land(pilot: &mut Pilot) {
    let (outer, touch) = FINAL;
    pilot.climb(outer, 4000.0, kt(180.0)).climb(touch, ELEVATION, kt(140.0));
    pilot.go(km(-0.8, 0.0), kt(70.0));
}

fn arrivals(fleet: &mut Fleet, notes: &mut Notes) {
    for (n, (start, from)) in [(1.0, km(70.0, 25.0)), (20.0, km(66.0, -30.0))].into_iter().enumerate() {
        let mut draw = Draw::new(fleet.setting.seed, "air.arrival", n as u64);
        let mut pilot = Pilot::new(minute(start + draw.between(0.0, 2.0)), from).at_altitude(11_000.0);
        pilot.climb(from.off(-25_000.0, 0.0), 8000.0, kt(260.0));
        let began = pilot.now();
        land(&mut pilot);
        notes.situation("landing", &fleet.next_id(), (began, pilot.now()), "approached `XGEA` and landed");
        fleet.add(pilot, Vec::new());
    }
}

/// Comes down to 400 feet above the runway, goes up again, flies a circuit and lands.
fn go_around(fleet: &mut Fleet, notes: &mut Notes) {
    let id = fleet.next_id();
    let mut pilot = Pilot::new(minute(8.0), km(60.0, 8.0)).at_altitude(9000.0);
    pilot.climb(FINAL.0, 4000.0, kt(200.0));
    pilot.climb(km(3.0, 0.0), ELEVATION + 400.0, kt(140.0));
    let lowest = pilot.now();
    pilot.climb(km(-9.0, 0.0), 3000.0, kt(160.0));
    let climbed = pilot.now();
    pilot.climb(km(-12.0, 6.0), 4000.0, kt(180.0)).go(km(20.0, 9.0), kt(200.0)).go(km(26.0, 4.0), kt(180.0));
    land(&mut pilot);
    fleet.add(pilot, Vec::new());
    let note = "descended to 400 ft above `XGEA`, climbed to 3,000 ft, landed at the second approach";
    notes.situation("go_around", &id, (lowest, climbed), note);
}

fn departure(fleet: &mut Fleet) {
    let mut draw = Draw::new(fleet.setting.seed, "air.departure", 0);
    let mut pilot = Pilot::new(minute(5.0 + draw.between(0.0, 1.0)), km(1.4, 0.0)).at_altitude(ELEVATION);
    pilot.go(km(-0.6, 0.0), kt(110.0)).climb(km(-12.0, 0.0), 3500.0, kt(180.0));
    pilot.climb(km(-70.0, 20.0), 14_000.0, kt(290.0));
    fleet.add(pilot, Vec::new());
}

/// Four rounds of a racetrack at 8,000 feet, then an approach.
fn holding(fleet: &mut Fleet, notes: &mut Notes) {
    let id = fleet.next_id();
    let fix = km(38.0, 16.0);
    let (radius, leg) = (2200.0, 7000.0);
    let speed = kt(210.0);
    let mut pilot = Pilot::new(minute(12.0), fix.off(45_000.0, 0.0)).at_altitude(12_000.0);
    pilot.climb(fix, 8000.0, kt(250.0));
    let from = pilot.now();
    for _ in 0..4 {
        // Westwards over the fix, a right turn, eastwards, a right turn back to it.
        half_turn(&mut pilot, 1.0, radius, speed);
        pilot.go(pilot.spot().off(leg, 0.0), speed);
        half_turn(&mut pilot, -1.0, radius, speed);
        pilot.go(fix, speed);
    }
    let to = pilot.now();
    land(&mut pilot);
    fleet.add(pilot, Vec::new());
    notes.situation("holding", &id, (from, to), "four rounds of a racetrack at 8,000 ft");
}

/// Half a circle to the right, from heading west (`side` 1) or east (`side` -1), in chords of 30 degrees.
fn half_turn(pilot: &mut Pilot, side: f64, radius: f64, speed: f64) {
    let centre = pilot.spot().off(0.0, side * radius);
    for n in 1..=6 {
        let (sin, cos) = sin_cos(PI * f64::from(n) / 6.0);
        pilot.go(centre.off(-side * radius * sin, -side * radius * cos), speed);
    }
}

/// A slow cruise northwards, not heard for 12 minutes; and one not heard for 3.
fn lost(fleet: &mut Fleet, notes: &mut Notes) {
    let note = "no report for 12 minutes in cruise";
    for (x, start, silence) in [(-18.0, 10.0, 12.0), (-30.0, 22.0, 3.0)] {
        let id = fleet.next_id();
        let mut pilot = Pilot::new(minute(start), km(x, -110.0)).at_altitude(17_000.0);
        pilot.go(km(x + 6.0, 110.0), kt(240.0));
        let span = (minute(start + 9.0), minute(start + 9.0 + silence));
        fleet.add(pilot, vec![span]);
        if silence > 10.0 {
            notes.situation("contact_lost", &id, span, note);
        } else {
            notes.decoy("contact_lost", &id, span, "no report for 3 minutes");
        }
    }
}

/// High traffic, one aircraft each ten minutes as long as the run goes on.
fn overflights(fleet: &mut Fleet) {
    let mut n = 0;
    while START + minutes(10.0) * n < fleet.setting.until {
        let mut draw = Draw::new(fleet.setting.seed, "air.over", n.unsigned_abs());
        let side = if n % 2 == 0 { 1.0 } else { -1.0 };
        let start = START + minutes(10.0) * n + minutes(draw.between(0.0, 4.0));
        let from = km(-100.0 * side, draw.between(-40.0, 40.0));
        let mut pilot = Pilot::new(start, from).at_altitude(33_000.0 + 1000.0 * draw.below(5) as f64);
        pilot.go(Spot { x: -from.x, y: from.y + draw.between(-20_000.0, 20_000.0) }, kt(draw.between(430.0, 470.0)));
        fleet.add(pilot, Vec::new());
        n += 1;
    }
}
