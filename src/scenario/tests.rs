//! Each script is held to its own truth by small hand-written rules, for several seeds.

use super::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const SEEDS: [u64; 6] = [0, 1, 7, 42, 1234, u64::MAX];
const MINUTE: i64 = 60_000;

fn make(name: Name, seed: u64) -> Scenario {
    Scenario::new(name, &Options { seed, ..Options::default() }).unwrap()
}

fn text(scenario: &Scenario) -> String {
    let mut text = scenario.truth.to_json();
    for stream in &scenario.streams {
        stream.records().for_each(|record| record.write_line(&mut text));
    }
    scenario.fences.iter().for_each(|fence| text.push_str(&fence.text));
    text
}

#[derive(Clone)]
struct Report {
    t: i64,
    lon: f64,
    lat: f64,
    rest: Value,
}

impl Report {
    fn number(&self, field: &str) -> f64 {
        self.rest[field].as_f64().unwrap()
    }

    fn metres(&self, other: &Report) -> f64 {
        let (dx, dy) = ((self.lon - other.lon) * self.lat.to_radians().cos(), self.lat - other.lat);
        (dx * dx + dy * dy).sqrt() * 111_195.0
    }
}

/// The reports of a stream per entity, read back from their lines.
fn tracks(scenario: &Scenario, stream: &str, id: &str) -> BTreeMap<String, Vec<Report>> {
    let mut tracks: BTreeMap<String, Vec<Report>> = BTreeMap::new();
    for record in scenario.streams.iter().find(|s| s.name() == stream).unwrap().records() {
        let mut line = String::new();
        record.write_line(&mut line);
        let rest: Value = serde_json::from_str(&line).unwrap();
        let entity = rest[id].as_str().map_or_else(|| rest[id].to_string(), str::to_owned);
        let (lon, lat) = (rest["lon"].as_f64().unwrap(), rest["lat"].as_f64().unwrap());
        tracks.entry(entity).or_default().push(Report { t: record.ts, lon, lat, rest });
    }
    tracks
}

/// The ids of the fences of a file that a report lies in, by the even-odd rule over all rings.
fn fences_at(scenario: &Scenario, file: &str, at: &Report) -> BTreeSet<String> {
    let text = &scenario.fences.iter().find(|f| f.name == file).unwrap().text;
    let file: Value = serde_json::from_str(text).unwrap();
    let mut found = BTreeSet::new();
    for feature in file["features"].as_array().unwrap() {
        let geometry = &feature["geometry"];
        let polygons = match geometry["type"].as_str().unwrap() {
            "Polygon" => vec![geometry["coordinates"].clone()],
            _ => geometry["coordinates"].as_array().unwrap().clone(),
        };
        let rings = polygons.iter().flat_map(|polygon| polygon.as_array().unwrap());
        let crossings: usize = rings.map(|ring| crossings(ring.as_array().unwrap(), at)).sum();
        if crossings % 2 == 1 {
            found.insert(feature["id"].as_str().unwrap().to_owned());
        }
    }
    found
}

fn crossings(ring: &[Value], at: &Report) -> usize {
    assert_eq!(ring.first(), ring.last(), "rings are closed");
    let corner = |v: &Value| (v[0].as_f64().unwrap(), v[1].as_f64().unwrap());
    let crosses = |pair: &[Value]| {
        let ((x0, y0), (x1, y1)) = (corner(&pair[0]), corner(&pair[1]));
        (y0 > at.lat) != (y1 > at.lat) && at.lon < x0 + (at.lat - y0) / (y1 - y0) * (x1 - x0)
    };
    ring.windows(2).filter(|pair| crosses(pair)).count()
}

fn entities(list: &[Situation], situation: &str) -> BTreeSet<String> {
    list.iter().filter(|s| s.situation == situation).map(|s| s.entity.clone()).collect()
}

/// Pairs of neighbouring reports further apart than `limit` milliseconds.
fn gaps(track: &[Report], limit: i64) -> impl Iterator<Item = (&Report, &Report)> {
    track.windows(2).map(|w| (&w[0], &w[1])).filter(move |(a, b)| b.t - a.t > limit)
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
    for name in Name::ALL {
        let first = text(&make(name, 42));
        assert!(first == text(&make(name, 42)), "{name:?}");
        assert!(first != text(&make(name, 43)), "{name:?}");
    }
}

#[test]
fn records_come_in_order_of_time_within_the_run() {
    for name in Name::ALL {
        let scenario = make(name, 42);
        for stream in &scenario.streams {
            let times: Vec<_> = stream.records().map(|record| record.ts).collect();
            assert!(!times.is_empty() && times.is_sorted(), "{name:?} {}", stream.name());
            assert!(times[0] >= scenario.truth.start && times[times.len() - 1] < scenario.truth.end, "{name:?}");
        }
    }
}

#[test]
fn a_longer_run_begins_like_a_shorter_one() {
    for name in [Name::City, Name::Sea, Name::Air, Name::Regions] {
        let run = |minutes: i64| {
            let options = Options { seed: 5, duration: Some(minutes * MINUTE), ..Options::default() };
            Scenario::new(name, &options).unwrap()
        };
        let (short, long) = (run(30), run(400));
        assert!(short.truth.situations.iter().all(|s| s.end < short.truth.end));
        assert!(short.truth.situations.len() < long.truth.situations.len());
        for (a, b) in short.streams.iter().zip(&long.streams) {
            let early = b.records().take_while(|r| r.ts < short.truth.end);
            assert!(a.records().eq(early), "{name:?} {}", a.name());
        }
    }
}

#[test]
fn a_run_has_bounds() {
    let options = |duration| Options { duration: Some(duration), ..Options::default() };
    for bad in [i64::MIN, -1, 0, 8 * 24 * 60 * MINUTE, i64::MAX] {
        assert!(matches!(Scenario::new(Name::City, &options(bad)), Err(ScenarioError::OutOfRange { .. })));
    }
    assert!(Scenario::new(Name::Air, &options(1)).unwrap().truth.situations.is_empty());
}

#[test]
fn the_queue_rule_finds_those_who_gave_up_and_no_others() {
    for seed in SEEDS {
        let scenario = make(Name::City, seed);
        let mut found = BTreeSet::new();
        for (vehicle, track) in tracks(&scenario, "pings", "vehicle") {
            let inside: Vec<bool> =
                track.iter().map(|ping| fences_at(&scenario, "airports", ping).contains("airport-east")).collect();
            let visits: Vec<_> = (1..track.len()).filter(|&n| inside[n] && !inside[n - 1]).collect();
            assert!(visits.len() <= 1 && !inside[0], "{vehicle} visits once, and begins outside");
            for enter in visits {
                let leave = (enter..track.len()).find(|&n| !inside[n]).unwrap();
                let waits = (enter + 1..leave).filter(|&n| track[n].number("speed") < 5.0).count();
                let span = track[leave].t - track[enter].t;
                assert!((span - 20 * MINUTE).abs() > MINUTE && (span - 45 * MINUTE).abs() > MINUTE, "clear of bounds");
                if waits >= 3 && span > 20 * MINUTE && span < 45 * MINUTE {
                    found.insert(vehicle.clone());
                }
            }
        }
        assert_eq!(found, entities(&scenario.truth.situations, "queue_abandoned"), "seed {seed}");
        assert_eq!(found.len(), 3);
        assert_eq!(entities(&scenario.truth.decoys, "queue_abandoned").len(), 6);
    }
}

#[test]
fn only_the_speeding_vehicle_breaks_a_limit() {
    for seed in SEEDS {
        let scenario = make(Name::City, seed);
        let zones = &scenario.fences.iter().find(|f| f.name == "zones").unwrap().text;
        let zones: Value = serde_json::from_str(zones).unwrap();
        let limits: BTreeMap<&str, f64> = zones["features"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| (f["id"].as_str().unwrap(), f["properties"]["speed_limit"].as_f64().unwrap()))
            .collect();
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        for (vehicle, track) in tracks(&scenario, "pings", "vehicle") {
            for ping in &track {
                let zones = fences_at(&scenario, "zones", ping);
                if zones.iter().any(|zone| ping.number("speed") > limits[zone.as_str()]) {
                    *found.entry(vehicle.clone()).or_default() += 1;
                }
            }
        }
        let expected = entities(&scenario.truth.situations, "speeding");
        assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), expected, "seed {seed}");
        assert!(found.values().all(|&pings| pings >= 10), "{found:?}");
    }
}

#[test]
fn the_jam_grows_upstream_and_then_ends() {
    for seed in SEEDS {
        let scenario = make(Name::City, seed);
        let mut slow: BTreeMap<i64, BTreeSet<u64>> = BTreeMap::new();
        for ping in tracks(&scenario, "pings", "vehicle").into_values().flatten() {
            let on_ring = fences_at(&scenario, "zones", &ping).contains("ring");
            if on_ring && ping.number("speed") < 10.0 {
                let at = h3o::LatLng::new(ping.lat, ping.lon).unwrap().to_cell(h3o::Resolution::Eight);
                slow.entry((ping.t - START) / (10 * MINUTE)).or_default().insert(at.into());
            }
        }
        let cells: Vec<_> = slow.iter().map(|(window, cells)| (*window, cells.len())).collect();
        assert_eq!(cells.iter().map(|c| c.0).collect::<Vec<_>>(), [2, 3, 4, 5], "seed {seed}: {cells:?}");
        assert!(cells.windows(2).all(|w| w[0].1 < w[1].1) && cells[3].1 >= 5, "seed {seed}: {cells:?}");
    }
}

#[test]
fn only_the_dark_vessel_is_silent_for_two_hours_in_the_border_zone() {
    for seed in SEEDS {
        let scenario = make(Name::Sea, seed);
        let tracks = tracks(&scenario, "ais", "mmsi");
        let dark = |(_, track): &(&String, &Vec<Report>)| gaps(track, 120 * MINUTE).next().is_some();
        let found: BTreeSet<_> = tracks.iter().filter(dark).map(|(id, _)| id.clone()).collect();
        assert_eq!(found, entities(&scenario.truth.situations, "dark_near_border"));
        for (before, after) in found.iter().flat_map(|id| gaps(&tracks[id], 120 * MINUTE)) {
            for report in [before, after] {
                assert!(fences_at(&scenario, "border", report).contains("border-east"), "seed {seed}");
            }
        }
        let short: BTreeSet<_> =
            tracks.iter().filter(|(_, t)| gaps(t, 15 * MINUTE).next().is_some()).map(|(id, _)| id.clone()).collect();
        let decoys = entities(&scenario.truth.decoys, "dark_near_border");
        assert_eq!(short, found.union(&decoys).cloned().collect());
    }
}

#[test]
fn only_the_two_tankers_meet() {
    for seed in SEEDS {
        let scenario = make(Name::Sea, seed);
        let mut together: BTreeMap<(String, String), i64> = BTreeMap::new();
        let tracks = tracks(&scenario, "ais", "mmsi");
        let latest = |track: &[Report], t: i64| {
            let n = track.partition_point(|r| r.t <= t);
            n.checked_sub(1).map(|n| track[n].clone()).filter(|r| t - r.t < 5 * MINUTE)
        };
        for t in (scenario.truth.start..scenario.truth.end).step_by(MINUTE as usize) {
            let heard: Vec<_> = tracks.iter().filter_map(|(id, track)| Some((id, latest(track, t)?))).collect();
            for (n, (a, at)) in heard.iter().enumerate() {
                for (b, bt) in &heard[n + 1..] {
                    let slow = at.number("sog") < 3.0 && bt.number("sog") < 3.0;
                    if slow && at.metres(bt) < 500.0 && fences_at(&scenario, "ports", at).is_empty() {
                        *together.entry(((*a).clone(), (*b).clone())).or_default() += 1;
                    }
                }
            }
        }
        let truth = scenario.truth.situations.iter().find(|s| s.situation == "rendezvous").unwrap();
        let pair = (truth.entity.clone(), truth.with.clone().unwrap());
        assert_eq!(together.keys().collect::<Vec<_>>(), [&pair], "seed {seed}");
        assert!((42..=54).contains(&together[&pair]), "seed {seed}: {together:?}");
    }
}

#[test]
fn one_vessel_calls_at_a_port_and_one_loiters() {
    for seed in SEEDS {
        let scenario = make(Name::Sea, seed);
        let (mut calls, mut loiters) = (BTreeSet::new(), BTreeSet::new());
        for (id, track) in tracks(&scenario, "ais", "mmsi") {
            let inside: Vec<bool> = track.iter().map(|r| !fences_at(&scenario, "ports", r).is_empty()).collect();
            let enters = inside.windows(2).filter(|w| !w[0] && w[1]).count();
            let leaves = inside.windows(2).filter(|w| w[0] && !w[1]).count();
            if enters == 1 && leaves == 1 {
                calls.insert(id.clone());
            }
            let slow = |r: &&Report| r.number("sog") < 3.0 && r.number("sog") > 0.5;
            let near = |r: &Report| {
                let hours = track.iter().filter(|o| (r.t..r.t + 150 * MINUTE).contains(&o.t));
                hours.filter(slow).filter(|o| o.metres(r) < 3000.0).count() > 90
            };
            if track.iter().any(near) {
                loiters.insert(id);
            }
        }
        assert_eq!(calls, entities(&scenario.truth.situations, "port_call"), "seed {seed}");
        assert_eq!(loiters, entities(&scenario.truth.situations, "loitering"), "seed {seed}");
    }
}

#[test]
fn only_one_aircraft_is_lost_and_one_goes_around() {
    for seed in SEEDS {
        let scenario = make(Name::Air, seed);
        let (mut lost, mut around) = (BTreeSet::new(), BTreeSet::new());
        for (id, track) in tracks(&scenario, "adsb", "icao") {
            if gaps(&track, 10 * MINUTE).next().is_some() {
                lost.insert(id.clone());
            }
            let near = |r: &Report| fences_at(&scenario, "aerodromes", r).contains("XGEA");
            let low = track.iter().position(|r| near(r) && r.number("alt_ft") < 1500.0 && r.number("gs_kt") > 120.0);
            let came_down = low.is_some_and(|n| track[..n].iter().any(|r| r.number("alt_ft") > 5000.0));
            if came_down && track[low.unwrap()..].iter().any(|r| near(r) && r.number("alt_ft") > 2500.0) {
                around.insert(id);
            }
        }
        assert_eq!(lost, entities(&scenario.truth.situations, "contact_lost"), "seed {seed}");
        assert_eq!(around, entities(&scenario.truth.situations, "go_around"), "seed {seed}");
    }
}

#[test]
fn reported_speed_and_course_agree_with_the_positions() {
    let scenario = make(Name::Sea, 42);
    let (mut moves, mut off) = (0, 0);
    for track in tracks(&scenario, "ais", "mmsi").into_values() {
        for (a, b) in track.windows(2).map(|w| (&w[0], &w[1])).filter(|(a, b)| b.t - a.t < 3 * MINUTE) {
            let knots = a.metres(b) / (b.t - a.t) as f64 * 3_600_000.0 / 1_852_000.0 * 1000.0;
            moves += 1;
            off += usize::from((knots - a.number("sog")).abs() > 0.6 + 0.03 * knots);
        }
    }
    // Reports on both sides of a turn or a stop are the only ones that may differ.
    assert!(off * 12 < moves, "{off} of {moves}");
}

#[test]
fn the_load_is_even_in_time_and_over_keys() {
    let load = Load { keys: 50, events: 20_000, rate: 4_000 };
    let scenario = Scenario::new(Name::Keys, &Options { seed: 9, load, ..Options::default() }).unwrap();
    let tracks = tracks(&scenario, "events", "id");
    assert_eq!(tracks.len(), 50);
    assert!(tracks.values().all(|events| (300..500).contains(&events.len())));
    let times: Vec<_> = scenario.streams[0].records().map(|r| r.ts - START).collect();
    assert_eq!((times.len(), times[0], times[19_999]), (20_000, 0, 4_999));
    assert!(times.chunks(4).all(|ms| ms[0] == ms[3]));
}
