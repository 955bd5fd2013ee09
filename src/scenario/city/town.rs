//! The town as a whole: its place, its fleet, and what happens in it.

use super::super::catalog::{Script, Setting};
use super::super::draw::Draw;
use super::super::plane::Plane;
use super::super::record::{Field, Record};
use super::super::stream::{Feed, Stream};
use super::super::track::{Habit, Reporter, Sample, Track};
use super::super::truth::Notes;
use super::{airport, ring, surge, traffic, zones};

/// The town's place on the earth.
pub(in crate::scenario) const TOWN: Plane =
    Plane { lon: 10_000_000, lat: 50_000_000, metres_lon: 71_695.726, metres_lat: 111_229.062 };

/// Metres per second of a speed in km/h.
pub(in crate::scenario) fn kmh(speed: f64) -> f64 {
    speed / 3.6
}

/// Everything that the town does.
pub(in crate::scenario) fn script(setting: Setting) -> Script {
    let mut notes = Notes::default();
    let mut pings = Fleet { setting, feeds: Vec::new() };
    airport::script(setting, &mut pings, &mut notes);
    ring::script(setting, &mut pings, &mut notes);
    traffic::vehicles(setting, &mut pings, &mut notes);
    let orders: Vec<Box<dyn Feed>> = vec![Box::new(surge::orders(setting, &mut notes))];
    let streams = vec![
        Stream::new("pings", pings.feeds),
        Stream::new("orders", orders),
        Stream::new("drivers", traffic::drivers(setting)),
    ];
    Script { streams, fences: zones::files(&TOWN), notes }
}

/// The vehicles that report to `pings`, in order of their numbers.
pub(super) struct Fleet {
    setting: Setting,
    feeds: Vec<Box<dyn Feed>>,
}

impl Fleet {
    /// The id that the next vehicle will have.
    pub(super) fn next_id(&self) -> String {
        format!("v{:02}", self.feeds.len() + 1)
    }

    /// Adds a vehicle with a report each `every` milliseconds.
    pub(super) fn add(&mut self, track: Track, every: i64) {
        let id = Field::text(&self.next_id());
        let write = move |s: Sample| {
            Record::new(s.t)
                .with("vehicle", id.clone())
                .at(s.position)
                .with("speed", Field::rounded(s.speed * 3.6, 1))
                .with("status", Field::Word(s.status))
        };
        self.feeds.push(Box::new(Reporter {
            track,
            habit: Habit { every, blur: 6.0, share: 0.03, creep: kmh(2.5), silent: Vec::new() },
            plane: TOWN,
            draw: Draw::new(self.setting.seed, "city.pings", self.feeds.len() as u64),
            until: self.setting.until,
            write,
        }));
    }
}
