//! Two roads from west to east, each with a jam: in the north its tail grows against the traffic, in the south its head goes on
//! with it.

use crate::scenario::catalog::{Setting, minute};
use crate::scenario::city::{TOWN, kmh};
use crate::scenario::draw::Draw;
use crate::scenario::plane::Spot;
use crate::scenario::record::{Field, Record};
use crate::scenario::stream::Feed;
use crate::scenario::track::{Habit, Pilot, Reporter, Sample};
use crate::scenario::truth::Notes;

/// Metres east where the roads begin and end, and north where they are.
const ROAD: (f64, f64) = (-7_000.0, 5_500.0);
const NORTH: f64 = 8_800.0;
const SOUTH: f64 = -10_500.0;
/// Milliseconds between vehicles that come, and the minutes from and to which they do.
const HEADWAY: i64 = 75_000;
const TRAFFIC: (f64, f64) = (5.0, 80.0);
/// The jams' minutes: they grow all the while, then are gone at once.
const JAM: (f64, f64) = (25.0, 62.0);
const GROWTH_KMH: f64 = 7.0;
/// Where the northern jam's head and the southern one's tail stay, metres east.
const HEAD: f64 = 3_000.0;
const TAIL: f64 = -4_000.0;
/// Milliseconds between reports.
const EVERY: i64 = 60_000;
/// Milliseconds between knots.
const STEP: i64 = 6_000;

/// From where to where the traffic is slow at an instant, in metres east; nothing where there is no jam.
fn jam(is_north: bool, t: i64) -> Option<(f64, f64)> {
    if !(minute(JAM.0)..minute(JAM.1)).contains(&t) {
        return None;
    }
    let long = kmh(GROWTH_KMH) * (t - minute(JAM.0)) as f64 / 1000.0;
    Some(if is_north { (HEAD - long, HEAD) } else { (TAIL, TAIL + long) })
}

/// The reports of all vehicles.
pub(super) fn pings(setting: Setting, notes: &mut Notes) -> Vec<Box<dyn Feed>> {
    let mut feeds = Vec::new();
    for (is_north, name) in [(true, 'n'), (false, 's')] {
        let mut number = 0;
        while minute(TRAFFIC.0) + number * HEADWAY < minute(TRAFFIC.1).min(setting.until) {
            feeds.push(vehicle(setting, is_north, number, &format!("{name}{:02}", number + 1)));
            number += 1;
        }
    }
    let span = (minute(JAM.0), minute(JAM.1));
    notes.situation("jam_upstream", "north", span, "under 9 km/h between a fixed head and a tail that moves upstream");
    notes.decoy("jam_upstream", "south", span, "as slow and as long, but it grows in the direction of travel");
    feeds
}

fn vehicle(setting: Setting, is_north: bool, number: i64, id: &str) -> Box<dyn Feed> {
    let label = if is_north { "regions.north" } else { "regions.south" };
    let mut draw = Draw::new(setting.seed, label, number.unsigned_abs());
    let (free, slow) = (kmh(draw.between(60.0, 70.0)), kmh(draw.between(5.5, 8.5)));
    let y = if is_north { NORTH } else { SOUTH };
    let mut x = ROAD.0;
    let mut pilot = Pilot::new(minute(TRAFFIC.0) + number * HEADWAY + draw.below(8_000) as i64, Spot { x, y });
    pilot.status("free");
    while x < ROAD.1 && pilot.now() < setting.until {
        let is_slow = jam(is_north, pilot.now()).is_some_and(|(from, to)| (from..to).contains(&x));
        let speed = if is_slow { slow } else { free };
        x += speed * STEP as f64 / 1000.0;
        pilot.go(Spot { x, y }, speed);
    }
    let id = Field::text(id);
    Box::new(Reporter {
        track: pilot.track(),
        habit: Habit { every: EVERY, blur: 6.0, share: 0.03, creep: kmh(2.5), silent: Vec::new() },
        plane: TOWN,
        draw: Draw::new(setting.seed, label, 1_000 + number.unsigned_abs()),
        until: setting.until,
        write: move |s: Sample| {
            Record::new(s.t)
                .with("vehicle", id.clone())
                .at(s.position)
                .with("speed", Field::rounded(s.speed * 3.6, 1))
                .with("status", Field::Word(s.status))
        },
    })
}
