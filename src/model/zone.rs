//! Time zones: what the clocks of a place show. From the IANA database that is built in, never from the machine's, so that a
//! replay elsewhere agrees.

use super::TimeMs;
use jiff::{
    SignedDuration, Timestamp, civil,
    tz::{TimeZone, TimeZoneDatabase},
};

/// A place whose clocks go alike, by its name in the IANA time zone database.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// The zone of this name, such as `Europe/Paris`, in any case; `None` if the database has none.
    pub fn new(name: &str) -> Option<Self> {
        let rules = TimeZoneDatabase::bundled().get(name).ok()?;
        let name = rules.iana_name().unwrap_or(name).to_owned();
        Some(Self { name, rules })
    }

    /// The name, as the database writes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All names, in no order that means anything.
    pub fn names() -> Vec<String> {
        TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect()
    }

    /// What the clocks show at the instant, in milliseconds from when they showed 1970-01-01 00:00; `None` outside of the
    /// years −9999 to 9999.
    pub fn clock_ms(&self, at_ms: TimeMs) -> Option<i64> {
        let shown = self.rules.to_datetime(Timestamp::from_millisecond(at_ms).ok()?);
        i64::try_from(shown.duration_since(EPOCH).as_millis()).ok()
    }

    /// The instant at which the clocks show this. Where they show it twice, the first; where they leave it out, the instant
    /// at which they would show it had they not been put forward yet. `None` outside of the years −9999 to 9999.
    pub fn instant_ms(&self, clock_ms: i64) -> Option<TimeMs> {
        let shown = EPOCH.checked_add(SignedDuration::from_millis(clock_ms)).ok()?;
        let at = self.rules.to_ambiguous_timestamp(shown).compatible().ok()?;
        Some(at.as_millisecond())
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

const EPOCH: civil::DateTime = civil::datetime(1970, 1, 1, 0, 0, 0, 0);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::parse_time;

    #[test]
    fn clocks_are_put_back_and_forward() {
        let paris = Zone::new("europe/paris").unwrap();
        assert_eq!(paris.name(), "Europe/Paris");
        let at = |text: &str| parse_time(text).unwrap();
        let shown = |text: &str| parse_time(&format!("{text}Z")).unwrap();
        // 2026-03-29: 02:00 is not shown; 2026-10-25: 02:30 is shown twice.
        assert_eq!(paris.clock_ms(at("2026-03-29T01:00:00Z")), Some(shown("2026-03-29T03:00:00")));
        assert_eq!(paris.instant_ms(shown("2026-03-29T02:00:00")), Some(at("2026-03-29T01:00:00Z")));
        assert_eq!(paris.instant_ms(shown("2026-10-25T02:30:00")), Some(at("2026-10-25T00:30:00Z")));
        assert_eq!(paris.clock_ms(at("2026-10-25T01:30:00Z")), Some(shown("2026-10-25T02:30:00")));
        assert!(Zone::new("Europe/Pariss").is_none() && Zone::names().len() > 300);
        assert_eq!((paris.clock_ms(i64::MAX), paris.instant_ms(i64::MIN)), (None, None));
    }
}
