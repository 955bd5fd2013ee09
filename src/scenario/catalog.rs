//! The scenarios by name.

use super::draw::Draw;
use super::error::ScenarioError;
use super::fence::FenceFile;
use super::load::{Load, Uniform};
use super::stream::Stream;
use super::truth::{Notes, Truth};
use super::{air, city, regions, sea};
use std::str::FromStr;

/// When every scenario begins: 2 March 2026, 06:00 UTC, a Monday, in milliseconds since 1970.
pub const START: i64 = 1_772_431_200_000;

/// The longest run of a scripted scenario: seven days, in milliseconds.
const LONGEST: i64 = 7 * 24 * 3_600_000;

/// A scenario's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Name {
    /// A city with vehicles, orders and drivers; 90 minutes unless told.
    City,
    /// A sea with vessels and two ports; 6 hours unless told.
    Sea,
    /// Aircraft around an aerodrome; 60 minutes unless told.
    Air,
    /// Situations that show in clusters of cells: on land and at sea; 2 hours unless told.
    Regions,
    /// Uniform load over many keys.
    Keys,
}

impl Name {
    /// All scenarios.
    pub const ALL: [Name; 5] = [Name::City, Name::Sea, Name::Air, Name::Regions, Name::Keys];

    /// The name as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Name::City => "city",
            Name::Sea => "sea",
            Name::Air => "air",
            Name::Regions => "regions",
            Name::Keys => "keys",
        }
    }
}

impl FromStr for Name {
    type Err = ScenarioError;

    fn from_str(name: &str) -> Result<Self, ScenarioError> {
        if let Some(found) = Name::ALL.into_iter().find(|n| n.as_str() == name) {
            return Ok(found);
        }
        let nearest = Name::ALL
            .into_iter()
            .map(|n| (strsim::damerau_levenshtein(&name.to_lowercase(), n.as_str()), n.as_str()))
            .min()
            .filter(|&(edits, _)| edits <= 2)
            .map(|(_, n)| n);
        Err(ScenarioError::UnknownName { name: name.to_owned(), nearest })
    }
}

/// What a scenario is made from, beside its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// The seed; any number.
    pub seed: u64,
    /// How long the run is in event time, in milliseconds, up to seven days; the scenario's own length when absent.
    /// The scripted situations keep their times: a shorter run ends before some of them, in a longer one the ordinary
    /// traffic goes on. `keys` follows its [`Load`] instead.
    pub duration: Option<i64>,
    /// For `keys`: how much. Ignored by the others.
    pub load: Load,
}

/// A scenario, ready to be read.
#[derive(Debug)]
pub struct Scenario {
    /// Its streams, each to be read as often as one likes.
    pub streams: Vec<Stream>,
    /// Its fence files.
    pub fences: Vec<FenceFile>,
    /// What happens in it.
    pub truth: Truth,
}

/// What a script is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub(super) seed: u64,
    /// End of the run, exclusive.
    pub(super) until: i64,
}

/// What a script gives back.
pub(super) struct Script {
    pub(super) streams: Vec<Stream>,
    pub(super) fences: Vec<FenceFile>,
    pub(super) notes: Notes,
}

/// So many minutes after the scenario's start.
pub(super) fn minute(n: f64) -> i64 {
    START + minutes(n)
}

/// So many minutes in milliseconds.
pub(super) fn minutes(n: f64) -> i64 {
    (n * 60_000.0).round() as i64
}

impl Scenario {
    /// Makes the scenario of this name.
    ///
    /// # Errors
    /// When the duration or a number of the load is out of range.
    pub fn new(name: Name, options: &Options) -> Result<Self, ScenarioError> {
        let own = match name {
            Name::City => minutes(90.0),
            Name::Sea => minutes(360.0),
            Name::Air => minutes(60.0),
            Name::Regions => minutes(120.0),
            Name::Keys => return keys(options),
        };
        let duration = options.duration.unwrap_or(own);
        within("the duration in milliseconds", duration.into(), 1, LONGEST.into())?;
        let setting = Setting { seed: options.seed, until: START + duration };
        let script = match name {
            Name::City => city::script(setting),
            Name::Sea => sea::script(setting),
            Name::Air => air::script(setting),
            Name::Regions => regions::script(setting),
            Name::Keys => return keys(options),
        };
        Ok(Self::told(name, setting, script))
    }

    fn told(name: Name, setting: Setting, script: Script) -> Self {
        let truth = Truth {
            scenario: name.as_str(),
            seed: setting.seed,
            start: START,
            end: setting.until,
            situations: script.notes.situations,
            decoys: script.notes.decoys,
        };
        Self { streams: script.streams, fences: script.fences, truth: truth.settled() }
    }
}

fn keys(options: &Options) -> Result<Scenario, ScenarioError> {
    let load = options.load;
    within("the number of keys", load.keys.into(), 1, 1 << 32)?;
    within("the number of events", load.events.into(), 1, 1_000_000_000_000)?;
    within("the rate in events per second", load.rate.into(), 1, 1_000_000_000)?;
    let feed = Uniform {
        load,
        events: Draw::new(options.seed, "keys.events", 0),
        homes: Draw::new(options.seed, "keys.homes", 0),
    };
    let script = Script {
        streams: vec![Stream::new("events", vec![Box::new(feed)])],
        fences: Vec::new(),
        notes: Notes::default(),
    };
    Ok(Scenario::told(Name::Keys, Setting { seed: options.seed, until: load.end() }, script))
}

fn within(what: &'static str, given: i128, min: i128, max: i128) -> Result<(), ScenarioError> {
    if (min..=max).contains(&given) { Ok(()) } else { Err(ScenarioError::OutOfRange { what, given, min, max }) }
}
