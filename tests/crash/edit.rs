//! A rule that is edited while it has matches open, so that what an uninterrupted run finds is known whatever the moment of the edit.
//!
//! The old version begins matches with pings that say `old`, the new one with such that say `new`, and between these come some that begin none:
//! the edit is made while they come. So there have to be the old version's alerts of all pings and the new one's of all pings.

#![allow(dead_code, reason = "each test file uses a part of it")]

/// How many pings there are, and which are the first that say `gap` and `new`. The first `gap` is a `mark`, which an alert tells of.
pub(crate) const COUNT: usize = 3_000;
pub(crate) const GAP: usize = 1_000;
pub(crate) const NEW: usize = 1_600;

/// Rules before and after the edit.
pub(crate) fn rules(is_new: bool) -> String {
    let (begins, within) = if is_new { ("new", "29 min") } else { ("old", "30 min") };
    format!(
        "
groups:
  - name: edit
    rules:
      - alert: Trip
        expr: |
          FROM pings
          PARTITION BY vehicle
          PATTERN a -> b -> c
          WITHIN {within}
          DEFINE a AS status = '{begins}' AND speed > 60 km/h, b AS speed < 30 km/h, c AS speed > 88 km/h
          MEASURES a.speed AS begun, c.speed AS ended
          AFTER MATCH NO SKIP
      - alert: Mark
        expr: |
          FROM pings
          WHERE status = 'mark'
          PARTITION BY vehicle
      - alert: Minutes
        expr: |
          FROM pings
          PARTITION BY vehicle
          WINDOW TUMBLING 5 min
          MEASURES count(*) AS n, avg(speed) AS mean
"
    )
}

/// Vehicles and their pings, by time but for a second or two.
pub(crate) fn pings() -> Vec<(String, String)> {
    let mut random = 11_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let ping = |at: usize| {
        // Not the mark: what says `old` is all before it.
        let early = next(3) * 900 * u64::from(at != GAP);
        let (ts, vehicle, speed) = (10_000_000 + at as u64 * 1_000 - early, format!("v{}", next(20)), next(90));
        let status = match at {
            GAP => "mark",
            at if at < GAP => "old",
            at if at < NEW => "gap",
            _ => "new",
        };
        let line =
            format!(r#"{{"ts":{ts},"vehicle":"{vehicle}","status":"{status}","lon":10.0,"lat":50.0,"speed":{speed}}}"#);
        (vehicle, line)
    };
    (0..COUNT).map(ping).collect()
}
