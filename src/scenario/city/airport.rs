//! The airport queue: vehicles that come in, wait, and leave with or without a ride.

use super::zones::{AIRPORT_GATE, AIRPORT_STAND};
use super::{Fleet, kmh};
use crate::scenario::catalog::{Setting, minute, minutes};
use crate::scenario::draw::Draw;
use crate::scenario::plane::km;
use crate::scenario::track::Pilot;
use crate::scenario::truth::Notes;

/// How a vehicle's visit goes.
#[derive(Clone, Copy)]
enum Visit {
    /// Waits 23 to 30 minutes and goes without a ride.
    Abandons,
    /// Waits 10 minutes and goes.
    Leaves,
    /// Gets a ride after 9 to 14 minutes.
    Rides,
    /// Waits 50 minutes: longer than any match of 45 minutes.
    Stays,
    /// Circles in the fence for half an hour, never slower than 10 km/h.
    Circles,
}

/// Visits in order of arrival, with the minute at which each sets off.
const VISITS: [(f64, Visit); 9] = [
    (2.0, Visit::Abandons),
    (4.0, Visit::Leaves),
    (6.0, Visit::Stays),
    (12.0, Visit::Rides),
    (17.0, Visit::Abandons),
    (23.0, Visit::Circles),
    (29.0, Visit::Leaves),
    (36.0, Visit::Abandons),
    (45.0, Visit::Rides),
];

/// Milliseconds between reports.
const EVERY: i64 = 30_000;

pub(super) fn script(setting: Setting, fleet: &mut Fleet, notes: &mut Notes) {
    for (n, (start, visit)) in VISITS.into_iter().enumerate() {
        let mut draw = Draw::new(setting.seed, "city.airport", n as u64);
        let id = fleet.next_id();
        let mut pilot = Pilot::new(minute(start), km(5.0, 1.2));
        // A place of its own in the queue, and a lane of its own on the road.
        let lane = draw.between(-60.0, 60.0);
        let gate = AIRPORT_GATE.off(0.0, lane);
        let stand = AIRPORT_STAND.off(n as f64 * 15.0, lane);
        pilot.status("free").go(gate.off(-900.0, 0.0), kmh(draw.between(44.0, 52.0))).go(gate, kmh(38.0));
        let entered = pilot.now();
        pilot.go(stand, kmh(30.0));
        let mut leaves_with = "free";
        pilot.status("waiting");
        match visit {
            Visit::Abandons => {
                pilot.stay(minutes(draw.between(23.0, 30.0)));
            }
            Visit::Leaves => {
                pilot.stay(minutes(10.0));
            }
            Visit::Rides => {
                leaves_with = "ride";
                pilot.stay(minutes(draw.between(9.0, 14.0)));
            }
            Visit::Stays => {
                pilot.stay(minutes(50.0));
            }
            Visit::Circles => {
                pilot.status("free");
                let until = pilot.now() + minutes(23.0);
                while pilot.now() < until {
                    pilot.go(stand.off(400.0, 100.0), kmh(14.0)).go(stand.off(400.0, -100.0), kmh(12.0));
                    pilot.go(stand, kmh(14.0));
                }
            }
        }
        pilot.status(leaves_with).go(gate, kmh(draw.between(28.0, 36.0)));
        let left = pilot.now();
        pilot.go(gate.off(-900.0, 0.0), kmh(40.0)).go(km(5.5, -1.5), kmh(45.0)).go(km(6.5, -4.0), kmh(42.0));
        fleet.add(pilot.track(), EVERY);
        let span = (entered, left);
        match visit {
            Visit::Abandons => {
                notes.situation("queue_abandoned", &id, span, "waited over 20 minutes and left without a ride");
            }
            Visit::Leaves => notes.decoy("queue_abandoned", &id, span, "left after some 12 minutes"),
            Visit::Rides => notes.decoy("queue_abandoned", &id, span, "got a ride within 17 minutes"),
            Visit::Stays => notes.decoy("queue_abandoned", &id, span, "left after more than 45 minutes"),
            Visit::Circles => notes.decoy("queue_abandoned", &id, span, "was inside for half an hour but never slow"),
        }
    }
}
