//! What kinds of references there are: which rules answer them, which rows they expect, and how an alert becomes such a row.

use super::{
    parameter::{number_after, replace, replace_all, span_in},
    rows::Row,
};
use geocep::model::{format_time, parse_time};
use serde_json::Value;
use std::path::Path;

/// A kind of reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `geofence_transitions.json`
    Transitions,
    /// `gaps.json`
    Gaps,
    /// `*_counts_*.json`
    Counts,
    /// `*_hot_*.json`
    Hot,
    /// `speeding.json`
    Speeding,
    /// `cell_speed.json`
    CellSpeed,
    /// `route_deviation.json`
    Deviation,
    /// `rendezvous.json`
    Rendezvous,
    /// `berlinmod_queries.json`
    Berlinmod,
    /// `*_clusters_*.json`
    Clusters,
    /// `*_regions_*.json`
    Regions,
    /// Any other: the rules can't say it yet.
    NotCovered,
}

/// Rules to run for a reference, and what their alerts should be.
pub(super) struct Case {
    /// What tells it from the reference's other cases; may be empty.
    pub(super) part: String,
    /// The rule file's text, with the reference's parameters.
    pub(super) rules: String,
    /// The rule whose alerts are the answer; empty: every rule's are.
    pub(super) rule: &'static str,
    /// The alerts that count: those that timed out, the others, or both.
    pub(super) timed_out: Option<bool>,
    /// How an alert is read.
    pub(super) row: fn(&Value) -> Option<Row>,
    /// The rows expected.
    pub(super) expected: Vec<Row>,
}

impl Kind {
    /// By the name of the file.
    pub(crate) fn of(path: &Path) -> Self {
        match path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default() {
            "geofence_transitions" => Self::Transitions,
            "gaps" => Self::Gaps,
            "speeding" => Self::Speeding,
            "cell_speed" => Self::CellSpeed,
            "route_deviation" => Self::Deviation,
            "rendezvous" => Self::Rendezvous,
            "berlinmod_queries" => Self::Berlinmod,
            stem if stem.split('_').any(|word| word == "counts") => Self::Counts,
            stem if stem.split('_').any(|word| word == "hot") => Self::Hot,
            stem if stem.split('_').any(|word| word == "clusters") => Self::Clusters,
            stem if stem.split('_').any(|word| word == "regions") => Self::Regions,
            _ => Self::NotCovered,
        }
    }

    /// The rule file.
    pub(super) fn file(self) -> Option<&'static str> {
        match self {
            Self::Transitions => Some("transitions.yaml"),
            Self::Gaps => Some("gaps.yaml"),
            Self::Counts => Some("counts.yaml"),
            Self::Hot => Some("hot.yaml"),
            Self::Speeding => Some("speeding.yaml"),
            Self::CellSpeed => Some("cell_speed.yaml"),
            Self::Deviation => Some("route_deviation.yaml"),
            Self::Rendezvous => Some("rendezvous.yaml"),
            // All files of a directory.
            Self::Berlinmod => Some("../../rules/berlinmod"),
            // The kernel answers these by itself.
            Self::Clusters | Self::Regions | Self::NotCovered => None,
        }
    }

    /// What to run, by the reference and the text of the rule file.
    ///
    /// # Errors
    /// What is missing in the reference or in the rule file.
    pub(super) fn cases(self, reference: &Value, rules: &str) -> Result<Vec<Case>, String> {
        let what = reference.get("what").and_then(Value::as_str).unwrap_or_default();
        let case = |rules: String, rule, row, expected| Case {
            part: String::new(),
            rules,
            rule,
            timed_out: None,
            row,
            expected,
        };
        Ok(match self {
            Self::Transitions => vec![
                case(rules.to_owned(), "Transition", transition, rows(reference, "events", expected_transition)?),
                Case {
                    part: "still inside".to_owned(),
                    timed_out: Some(true),
                    ..case(
                        rules.to_owned(),
                        "StillInside",
                        still_inside,
                        rows(reference, "still_inside", expected_inside)?,
                    )
                },
            ],
            Self::Gaps => {
                let limit = span_in(what).ok_or("`what` names no span")?;
                let rules = replace(rules, "gap() > 30 min", &format!("gap() > {limit}"))?;
                vec![case(rules, "Gap", gap, rows(reference, "events", expected_gap)?)]
            }
            Self::Counts => {
                let rules = of_day(rules, reference, what)?;
                vec![case(rules, "Count", count, rows(reference, "counts", expected_count)?)]
            }
            Self::Hot => {
                let rules = of_day(rules, reference, what)?;
                let hot = reference.get("hot").and_then(Value::as_object).ok_or("no object `hot`")?;
                let of_size = |(size, list): (&String, &Value)| {
                    Ok(Case {
                        part: format!("n >= {size}"),
                        ..case(
                            replace(&rules, "n >= 3", &format!("n >= {size}"))?,
                            "Hot",
                            hot_cell,
                            list_rows(list, expected_count)?,
                        )
                    })
                };
                hot.iter().map(of_size).collect::<Result<_, String>>()?
            }
            Self::Speeding => {
                let limit = number_after(what, "speed > ").ok_or("`what` names no limit")?;
                let rules = replace_all(rules, &[("> 50", &format!("> {limit}")), ("<= 50", &format!("<= {limit}"))])?;
                vec![case(rules, "Speeding", speeding, rows(reference, "events", expected_run)?)]
            }
            Self::CellSpeed => {
                let rules = of_cells(rules, what, 9, 5)?;
                vec![case(rules, "CellSpeed", cell_speed, rows(reference, "cells", expected_speed)?)]
            }
            Self::Deviation => {
                let settings = reference.get("settings").and_then(Value::as_array).ok_or("no list `settings`")?;
                let of_setting = |setting: &Value| {
                    let number = |name: &str| setting.get(name).and_then(Value::as_i64).ok_or(format!("no `{name}`"));
                    let (limit, least) = (number("limit_m")?, number("at_least_ms")?);
                    let limits = [("30 m", format!("{limit} m")), ("30 s", format!("{least} ms"))];
                    let limits: Vec<_> = limits.iter().map(|(from, to)| (*from, to.as_str())).collect();
                    Ok(Case {
                        part: format!("more than {limit} m"),
                        ..case(
                            replace_all(rules, &limits)?,
                            "Deviation",
                            deviation,
                            rows(setting, "events", expected_deviation)?,
                        )
                    })
                };
                settings.iter().map(of_setting).collect::<Result<_, String>>()?
            }
            Self::Rendezvous => {
                vec![case(rules.to_owned(), "Rendezvous", rendezvous, rows(reference, "events", expected_rendezvous)?)]
            }
            Self::Berlinmod => {
                let counts = reference.pointer("/results/ellipsoid/output_rows").and_then(Value::as_object);
                let mut expected = Vec::new();
                for (name, count) in counts.ok_or("no object `output_rows`")? {
                    // `Q1-continuous` is answered by the rule `Q1Continuous`.
                    let (query, form) = name.split_once('-').ok_or("a query without a form")?;
                    let (first, rest) = form.split_at_checked(1).ok_or("a query without a form")?;
                    let rule = format!("{query}{}{rest}", first.to_uppercase());
                    if rules.contains(&format!("alert: {rule}")) {
                        let count = count.as_u64().ok_or("no count")?;
                        expected.extend((0..count).map(|_| Row::default().text(&rule)));
                    }
                }
                vec![case(rules.to_owned(), "", rule_alone, expected)]
            }
            Self::Clusters | Self::Regions | Self::NotCovered => Vec::new(),
        })
    }
}

/// Rules over cells and windows, with resolution and size as `what` has them: "H3 res 8 counts, 15 minute tumbling windows".
fn of_cells(rules: &str, what: &str, resolution: u8, minutes: u32) -> Result<String, String> {
    let found = number_after(what, "H3 res ").ok_or("`what` names no H3 resolution")?;
    let size = span_in(what).ok_or("`what` names no window")?;
    let rules = replace(rules, &format!("h3(position, {resolution})"), &format!("h3(position, {found})"))?;
    replace(&rules, &format!("TUMBLING {minutes} min"), &format!("TUMBLING {size}"))
}

/// The same for a part of the events; without `from_ts` and `to_ts` all of them.
fn of_day(rules: &str, reference: &Value, what: &str) -> Result<String, String> {
    let time = |name: &str, default: &str| {
        reference.get(name).and_then(Value::as_i64).map_or_else(|| default.to_owned(), format_time)
    };
    let rules = replace(rules, "2014-05-02T04:00:00Z", &time("from_ts", "0001-01-01T00:00:00Z"))?;
    of_cells(&replace(&rules, "2014-05-03T04:00:00Z", &time("to_ts", "9999-01-01T00:00:00Z"))?, what, 8, 15)
}

fn rows(reference: &Value, name: &str, row: fn(&[Value]) -> Option<Row>) -> Result<Vec<Row>, String> {
    list_rows(reference.get(name).ok_or_else(|| format!("no `{name}`"))?, row)
}

fn list_rows(list: &Value, row: fn(&[Value]) -> Option<Row>) -> Result<Vec<Row>, String> {
    let list = list.as_array().ok_or("rows are no list")?;
    let read =
        |value: &Value| value.as_array().and_then(|row_of| row(row_of)).ok_or_else(|| format!("no row: {value}"));
    list.iter().map(read).collect()
}

fn expected_transition(columns: &[Value]) -> Option<Row> {
    let [ts, id, fence, what, dwell, line] = columns else { return None };
    Some(Row::default().json(ts).id(id).id(fence).json(what).json(dwell).json(line))
}

fn expected_inside(columns: &[Value]) -> Option<Row> {
    let [id, fence, since] = columns else { return None };
    Some(Row::default().id(id).id(fence).json(since))
}

fn expected_gap(columns: &[Value]) -> Option<Row> {
    let [id, since, until, gap, metres] = columns else { return None };
    Some(Row::default().id(id).json(since).json(until).json(gap).rounded(metres.as_f64()?, 3))
}

fn expected_count(columns: &[Value]) -> Option<Row> {
    let [start, cell, count] = columns else { return None };
    Some(Row::default().json(start).json(cell).json(count))
}

/// The largest speed is one that a sensor said: it is as it stands.
fn expected_run(columns: &[Value]) -> Option<Row> {
    let [id, since, until, pings, top] = columns else { return None };
    Some(Row::default().id(id).json(since).json(until).json(pings).rounded(top.as_f64()?, 9))
}

fn expected_speed(columns: &[Value]) -> Option<Row> {
    let [start, cell, pings, ids, mean] = columns else { return None };
    Some(Row::default().json(start).json(cell).json(pings).json(ids).rounded(mean.as_f64()?, 6))
}

fn rule_alone(alert: &Value) -> Option<Row> {
    Some(Row::default().text(alert.get("rule")?.as_str()?))
}

/// The reference measures in a plane, on a sphere; rules do on the ellipsoid. So distances are compared to half a hundredth, by their
/// logarithms.
fn expected_deviation(columns: &[Value]) -> Option<Row> {
    let [id, label, since, until, pings, most] = columns else { return None };
    let row = Row::default().id(id).json(label).json(since).json(until).json(pings);
    Some(row.rounded(most.as_f64()?.ln(), 2))
}

fn expected_rendezvous(columns: &[Value]) -> Option<Row> {
    let [a, b, since, until, ticks, nearest, farthest] = columns else { return None };
    let row = Row::default().id(a).id(b).json(since).json(until).json(ticks);
    Some(row.rounded(nearest.as_f64()?, 3).rounded(farthest.as_f64()?, 3))
}

fn rendezvous(alert: &Value) -> Option<Row> {
    let row = Row::default().id(key(alert, "a")).id(key(alert, "b"));
    let row = row.int(time(measure(alert, "since"))?).int(time(measure(alert, "until"))?);
    let row = row.json(measure(alert, "ticks"));
    Some(row.rounded(measure(alert, "nearest").as_f64()?, 3).rounded(measure(alert, "farthest").as_f64()?, 3))
}

fn transition(alert: &Value) -> Option<Row> {
    let what = match measure(alert, "passage").as_str()? {
        "entered" => "enter",
        "exited" => "exit",
        _ => return None,
    };
    let row = Row::default().int(time(alert.get("end")?)?).id(key(alert, "id")).id(key(alert, "fence")).text(what);
    let row = match measure(alert, "dwell") {
        Value::Null => row.json(&Value::Null),
        dwell => row.int(span(dwell)?),
    };
    // `pings:0:1234` is record 1234 of the first file.
    let event = alert.get("events")?.get(0)?.get("id")?.as_str()?;
    Some(row.int(event.strip_prefix("pings:0:")?.parse().ok()?))
}

fn still_inside(alert: &Value) -> Option<Row> {
    Some(Row::default().id(key(alert, "id")).id(key(alert, "fence")).int(time(alert.get("start")?)?))
}

fn gap(alert: &Value) -> Option<Row> {
    let row = Row::default().id(key(alert, "id")).int(time(measure(alert, "since"))?).int(time(alert.get("end")?)?);
    Some(row.int(span(measure(alert, "gap"))?).rounded(measure(alert, "metres").as_f64()?, 3))
}

fn count(alert: &Value) -> Option<Row> {
    Some(Row::default().int(time(alert.get("start")?)?).json(key(alert, "cell")).json(measure(alert, "n")))
}

fn hot_cell(alert: &Value) -> Option<Row> {
    Some(Row::default().int(time(measure(alert, "since"))?).json(key(alert, "cell")).json(measure(alert, "n")))
}

fn speeding(alert: &Value) -> Option<Row> {
    let row = Row::default().id(key(alert, "id"));
    let row = row.int(time(measure(alert, "since"))?).int(time(measure(alert, "until"))?);
    Some(row.json(measure(alert, "pings")).rounded(measure(alert, "top").as_f64()?, 9))
}

fn deviation(alert: &Value) -> Option<Row> {
    let row = Row::default().id(key(alert, "id")).json(measure(alert, "label"));
    let row = row.int(time(measure(alert, "since"))?).int(time(measure(alert, "until"))?);
    Some(row.json(measure(alert, "pings")).rounded(measure(alert, "most").as_f64()?.ln(), 2))
}

fn cell_speed(alert: &Value) -> Option<Row> {
    let row = Row::default().int(time(alert.get("start")?)?).json(key(alert, "cell"));
    let row = row.json(measure(alert, "n")).json(measure(alert, "ids"));
    Some(row.rounded(measure(alert, "mean").as_f64()?, 6))
}

fn key<'a>(alert: &'a Value, name: &str) -> &'a Value {
    alert.get("key").and_then(|key| key.get(name)).unwrap_or(&Value::Null)
}

fn measure<'a>(alert: &'a Value, name: &str) -> &'a Value {
    alert.get("measures").and_then(|measures| measures.get(name)).unwrap_or(&Value::Null)
}

/// RFC 3339 → milliseconds.
fn time(value: &Value) -> Option<i64> {
    parse_time(value.as_str()?).ok()
}

/// Seconds → milliseconds.
fn span(value: &Value) -> Option<i64> {
    Some((value.as_f64()? * 1_000.0).round() as i64)
}
