//! The ring road: vehicles that circle it counter-clockwise, and a jam that grows against their direction.

use super::zones::{CENTRE, RING};
use super::{Fleet, kmh};
use crate::scenario::catalog::{Setting, minute};
use crate::scenario::draw::Draw;
use crate::scenario::plane::{Spot, sin_cos};
use crate::scenario::track::Pilot;
use crate::scenario::truth::Notes;
use std::f64::consts::TAU;

const VEHICLES: usize = 18;
/// Milliseconds between reports.
const EVERY: i64 = 60_000;
/// Milliseconds between knots; a vehicle drives straight in between, some 100 m.
const STEP: i64 = 6_000;
/// The jam's minutes: it grows all the while, then is gone at once.
const JAM: (f64, f64) = (20.0, 60.0);
/// Where the jam begins, in metres along the road from its easternmost point.
const HEAD: f64 = 14_000.0;
/// How fast the jam's tail moves upstream.
const GROWTH_KMH: f64 = 7.0;

/// Length of the jam at an instant, in metres.
fn jam_length(t: i64) -> f64 {
    if (minute(JAM.0)..minute(JAM.1)).contains(&t) {
        kmh(GROWTH_KMH) * (t - minute(JAM.0)) as f64 / 1000.0
    } else {
        0.0
    }
}

/// The place so many metres along the road.
fn place(along: f64) -> Spot {
    let (sin, cos) = sin_cos(along / RING);
    CENTRE.off(RING * cos, RING * sin)
}

pub(super) fn script(setting: Setting, fleet: &mut Fleet, notes: &mut Notes) {
    let round = TAU * RING;
    for n in 0..VEHICLES {
        let mut draw = Draw::new(setting.seed, "city.ring", n as u64);
        let free = kmh(draw.between(62.0, 70.0));
        let slow = kmh(draw.between(5.0, 8.5));
        let mut along = round * (n as f64 + draw.between(0.0, 0.5)) / VEHICLES as f64;
        let mut pilot = Pilot::new(minute(0.0), place(along));
        pilot.status(if draw.below(3) == 0 { "ride" } else { "free" });
        while pilot.now() < setting.until {
            let behind_head = (HEAD - along).rem_euclid(round);
            let speed = if behind_head < jam_length(pilot.now()) { slow } else { free };
            along = (along + speed * STEP as f64 / 1000.0) % round;
            // The chord is a hair shorter than the arc; the vehicle takes it at its own speed.
            pilot.go(place(along), speed);
        }
        fleet.add(pilot.track(), EVERY);
    }
    notes.situation("jam", "ring", (minute(JAM.0), minute(JAM.1)), "speeds under 10 km/h; the tail moves upstream");
}
