//! A mover's path through space and time, and the reports that it sends on the way.

use super::draw::Draw;
use super::plane::{Plane, Spot};
use super::record::Record;
use super::stream::Feed;

/// From this instant on, until the next knot: straight on at a steady speed.
#[derive(Debug, Clone, Copy)]
struct Knot {
    t: i64,
    spot: Spot,
    /// Feet.
    alt: f64,
    /// Metres per second towards the next knot.
    speed: f64,
    status: &'static str,
}

/// Where a mover is when, from its first knot to its last.
#[derive(Debug, Clone)]
pub(super) struct Track {
    knots: Vec<Knot>,
}

/// Writes a track by moving along it.
#[derive(Debug, Clone)]
pub(super) struct Pilot {
    knots: Vec<Knot>,
    here: Knot,
}

impl Pilot {
    /// Begins at this time (milliseconds since 1970 UTC) and place.
    pub(super) fn new(t: i64, spot: Spot) -> Self {
        Self { knots: Vec::new(), here: Knot { t, spot, alt: 0.0, speed: 0.0, status: "" } }
    }

    /// Begins with this altitude in feet.
    pub(super) fn at_altitude(mut self, feet: f64) -> Self {
        self.here.alt = feet;
        self
    }

    /// The time that the script has come to.
    pub(super) fn now(&self) -> i64 {
        self.here.t
    }

    /// The place that the script has come to.
    pub(super) fn spot(&self) -> Spot {
        self.here.spot
    }

    /// Has this status from here on.
    pub(super) fn status(&mut self, status: &'static str) -> &mut Self {
        self.here.status = status;
        self
    }

    /// Goes straight to a place at a speed in metres per second.
    pub(super) fn go(&mut self, to: Spot, speed: f64) -> &mut Self {
        self.climb(to, self.here.alt, speed)
    }

    /// Goes straight to a place and to an altitude in feet, at a ground speed in metres per second.
    pub(super) fn climb(&mut self, to: Spot, feet: f64, speed: f64) -> &mut Self {
        let took = (self.here.spot.distance(to) / speed * 1000.0).round() as i64;
        self.knots.push(Knot { speed, ..self.here });
        self.here = Knot { t: self.here.t + took, spot: to, alt: feet, ..self.here };
        self
    }

    /// Stands still for so many milliseconds.
    pub(super) fn stay(&mut self, ms: i64) -> &mut Self {
        self.knots.push(Knot { speed: 0.0, ..self.here });
        self.here.t += ms.max(0);
        self
    }

    /// Stands still until an instant, if that is still to come.
    pub(super) fn stay_until(&mut self, t: i64) -> &mut Self {
        self.stay(t - self.here.t)
    }

    /// The path so far.
    pub(super) fn track(mut self) -> Track {
        self.knots.push(Knot { speed: 0.0, ..self.here });
        Track { knots: self.knots }
    }
}

/// What a mover is like at one instant, before it is written in the stream's own fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) t: i64,
    /// Number of the report, silent ones included.
    pub(super) number: u64,
    /// Micro-degrees with the receiver's error.
    pub(super) position: (i64, i64),
    /// Metres per second, with the sensor's error.
    pub(super) speed: f64,
    /// Displacement of the leg: the direction of travel; zero when it stands.
    pub(super) leg: (f64, f64),
    /// Feet.
    pub(super) alt: f64,
    pub(super) status: &'static str,
}

/// How often and how exactly a mover reports.
#[derive(Debug, Clone)]
pub(super) struct Habit {
    /// Milliseconds between reports; each is up to an eighth of it late.
    pub(super) every: i64,
    /// Error of position: at most so many metres each way.
    pub(super) blur: f64,
    /// Error of speed as a share of it.
    pub(super) share: f64,
    /// A standing mover shows a speed from 0 to this, in metres per second.
    pub(super) creep: f64,
    /// Spans without reports, `[from, to)`.
    pub(super) silent: Vec<(i64, i64)>,
}

/// A mover that reports along its track until the run's end.
pub(super) struct Reporter<F> {
    pub(super) track: Track,
    pub(super) habit: Habit,
    pub(super) plane: Plane,
    pub(super) draw: Draw,
    /// End of the run, exclusive.
    pub(super) until: i64,
    /// Writes a sample in the fields of the stream.
    pub(super) write: F,
}

/// Draws that one report may take: when, x, y, speed.
const DRAWS: u64 = 4;

impl<F: Fn(Sample) -> Record + Send + Sync> Feed for Reporter<F> {
    fn records(&self) -> Box<dyn Iterator<Item = Record> + Send + '_> {
        let mut leg = 0;
        let first = self.track.knots.first().map_or(self.until, |knot| knot.t);
        let phase = self.draw.below_at(u64::MAX, self.habit.every.unsigned_abs()) as i64;
        let times = (0u64..).map(move |number| {
            let late = self.draw.below_at(number * DRAWS, self.habit.every.unsigned_abs() / 8) as i64;
            (number, first + phase + number as i64 * self.habit.every + late)
        });
        let last = self.track.knots.last().map_or(first, |knot| knot.t).min(self.until);
        Box::new(
            times
                .take_while(move |&(_, t)| t < last)
                .filter(|&(_, t)| !self.habit.silent.iter().any(|&(from, to)| (from..to).contains(&t)))
                .filter_map(move |(number, t)| self.sample(number, t, &mut leg))
                .map(|sample| (self.write)(sample)),
        )
    }
}

impl<F> Reporter<F> {
    fn sample(&self, number: u64, t: i64, leg: &mut usize) -> Option<Sample> {
        while self.track.knots.get(*leg + 1).is_some_and(|next| next.t <= t) {
            *leg += 1;
        }
        let (from, to) = (self.track.knots.get(*leg)?, self.track.knots.get(*leg + 1)?);
        let share = (t - from.t) as f64 / (to.t - from.t) as f64;
        let (dx, dy) = (to.spot.x - from.spot.x, to.spot.y - from.spot.y);
        let error = |n| self.draw.between_at(number * DRAWS + n, -1.0, 1.0);
        let spot = from.spot.off(dx * share + self.habit.blur * error(1), dy * share + self.habit.blur * error(2));
        let speed = if from.speed == 0.0 {
            self.habit.creep * (1.0 + error(3)) / 2.0
        } else {
            from.speed * (1.0 + self.habit.share * error(3))
        };
        Some(Sample {
            t,
            number,
            position: self.plane.micro(spot),
            speed,
            leg: (dx, dy),
            alt: from.alt + (to.alt - from.alt) * share,
            status: from.status,
        })
    }
}
