//! People on foot: a crowd that gathers on a square and disperses, and one that marches and stays together.

use crate::scenario::catalog::{Setting, minute, minutes};
use crate::scenario::city::{TOWN, kmh};
use crate::scenario::draw::Draw;
use crate::scenario::plane::{Spot, km, sin_cos};
use crate::scenario::record::{Field, Record};
use crate::scenario::stream::Feed;
use crate::scenario::track::{Habit, Pilot, Reporter, Sample};
use crate::scenario::truth::Notes;

/// The middle of the square, and how far from it people stand, in metres each way.
const SQUARE: Spot = km(3.0, 3.5);
const REACH: f64 = 120.0;
const CROWD: u64 = 50;
/// The minutes in which they come, and in which they leave one after the other.
const COME: (f64, f64) = (4.0, 16.0);
const LEAVE: (f64, f64) = (60.0, 85.0);
/// Where the march begins, how far it goes, and the minutes in which it does.
const MARCH: Spot = km(-3.5, 3.5);
const MARCH_METRES: f64 = 1_000.0;
const MARCH_MINUTES: (f64, f64) = (30.0, 80.0);
const MARCHERS: u64 = 30;
const WIDTH: f64 = 80.0;
/// How far people go, in metres; they come from a fifth of it.
const FAR: f64 = 1_500.0;
/// Milliseconds between reports.
const EVERY: i64 = 150_000;
/// An angle that spreads directions evenly however many there are, in radians.
const GOLDEN: f64 = 2.399_963;

/// The reports of all people.
pub(super) fn people(setting: Setting, notes: &mut Notes) -> Vec<Box<dyn Feed>> {
    let mut feeds: Vec<Box<dyn Feed>> = Vec::new();
    for n in 0..CROWD {
        feeds.push(person(setting, n, stander(setting, n)));
    }
    for n in 0..MARCHERS {
        feeds.push(person(setting, CROWD + n, marcher(setting, n)));
    }
    let span = |(from, to): (f64, f64)| (minute(from), minute(to));
    notes.situation(
        "crowd_disperses",
        "square",
        span(LEAVE),
        "fifty people leave in all directions, one each half minute",
    );
    let marches = span(MARCH_MINUTES);
    notes.decoy("crowd_disperses", "march", marches, "thirty people leave the place, but together");
    notes.situation("group_moves", "march", marches, "thirty people walk a kilometre and stay together");
    notes.decoy("group_moves", "square", span((COME.1, LEAVE.0)), "fifty people move about on a square");
    feeds
}

fn away(n: u64) -> (f64, f64) {
    let (sin, cos) = sin_cos(GOLDEN * n as f64);
    (FAR * cos, FAR * sin)
}

/// Comes to the square, moves about on it, and leaves.
fn stander(setting: Setting, n: u64) -> Pilot {
    let mut draw = Draw::new(setting.seed, "regions.crowd", n);
    let share = n as f64 / CROWD as f64;
    let begin = minute(COME.0 + (COME.1 - COME.0) * share);
    let leaves = minute(LEAVE.0 + (LEAVE.1 - LEAVE.0) * share);
    let (x, y) = away(n);
    let mut pilot = Pilot::new(begin, SQUARE.off(x * 0.2, y * 0.2));
    while pilot.now() < leaves {
        let to = SQUARE.off(draw.between(-REACH, REACH), draw.between(-REACH, REACH));
        pilot.go(to, kmh(draw.between(2.0, 4.0)));
        let stay = minutes(draw.between(1.0, 4.0));
        pilot.stay(stay);
    }
    let (x, y) = away(n + 7);
    pilot.go(SQUARE.off(x, y), kmh(draw.between(4.0, 5.0)));
    pilot
}

/// Stands at its place in the column, walks with it, and stands again.
fn marcher(setting: Setting, n: u64) -> Pilot {
    let mut draw = Draw::new(setting.seed, "regions.march", n);
    let place = MARCH.off(draw.between(-WIDTH, WIDTH), draw.between(-WIDTH, WIDTH));
    let mut pilot = Pilot::new(minute(10.0), place);
    pilot.stay_until(minute(MARCH_MINUTES.0));
    let took = (MARCH_MINUTES.1 - MARCH_MINUTES.0) * 60.0;
    pilot.go(place.off(MARCH_METRES, 0.0), MARCH_METRES / took).stay_until(setting.until);
    pilot
}

fn person(setting: Setting, number: u64, pilot: Pilot) -> Box<dyn Feed> {
    let id = Field::text(&format!("p{:03}", number + 1));
    Box::new(Reporter {
        track: pilot.track(),
        habit: Habit { every: EVERY, blur: 5.0, share: 0.0, creep: 0.0, silent: Vec::new() },
        plane: TOWN,
        draw: Draw::new(setting.seed, "regions.people", number),
        until: setting.until,
        write: move |s: Sample| Record::new(s.t).with("phone", id.clone()).at(s.position),
    })
}
