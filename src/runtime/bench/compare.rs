//! A run against an earlier one, by what both printed as JSON.

use serde_json::Value;
use std::fmt::Write as _;

/// What tells lines of a run apart.
const NAMES: [&str; 7] = ["w", "mode", "par", "path", "pipeline", "share", "rule"];
/// Figures that are compared, and whether more is better.
const FIGURES: [(&str, bool); 16] = [
    ("kev_s", true),
    ("ns_per_event", false),
    ("peak_mib", false),
    ("achieved_rate", true),
    ("events/p50_us", false),
    ("events/p99_us", false),
    ("events/p999_us", false),
    ("events/p9999_us", false),
    ("events/max_us", false),
    ("alerts/p50_us", false),
    ("alerts/p99_us", false),
    ("alerts/p999_us", false),
    ("alerts/p9999_us", false),
    ("alerts/max_us", false),
    ("bytes_per_key", false),
    ("bytes_per_open", false),
];

/// A table of the figures of `now` over those of the same lines of `before`: both JSON objects, one a line, as `--json` prints them.
///
/// # Errors
/// A line of `before` that is no JSON object; none that is also in `now`.
pub fn compare(before: &str, now: &str) -> Result<String, String> {
    let (before, now) = (lines(before)?, lines(now)?);
    let mut text = String::new();
    for (name, now) in &now {
        let Some((_, before)) = before.iter().find(|(other, _)| other == name) else { continue };
        for (figure, more_is_better) in FIGURES {
            let (Some(old), Some(new)) = (number(before, figure), number(now, figure)) else { continue };
            if old <= 0.0 {
                continue;
            }
            let ratio = new / old;
            let judged = match (ratio > 1.0) == more_is_better {
                _ if (0.97..=1.03).contains(&ratio) => "the same",
                true => "better",
                false => "worse",
            };
            // Writing to a text can't fail.
            let _ = writeln!(text, "{name:40} {figure:16} {old:12.1} {new:12.1} {ratio:7.2}  {judged}");
        }
    }
    match text.is_empty() {
        true => Err("the earlier run has no line of the same workload, mode, way or rate".to_owned()),
        false => Ok(format!("{:40} {:16} {:>12} {:>12} {:>7}\n{text}", "", "", "before", "now", "ratio")),
    }
}

fn lines(text: &str) -> Result<Vec<(String, Value)>, String> {
    let line = |(at, line): (usize, &str)| {
        let value: Value = serde_json::from_str(line).map_err(|error| format!("line {}: {error}", at + 1))?;
        if !value.is_object() {
            return Err(format!("line {}: it is no JSON object", at + 1));
        }
        Ok((name(&value), value))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(line).collect()
}

fn name(line: &Value) -> String {
    let mut parts: Vec<String> = NAMES.iter().filter_map(|name| shown(line.get(name)?)).collect();
    // Rates of a sweep are what the machine can do; their shares are what is the same.
    if line.get("share").is_none_or(Value::is_null) {
        parts.extend(line.get("rate").and_then(shown).map(|rate| format!("{rate}/s")));
    }
    parts.join(" ")
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn number(line: &Value, figure: &str) -> Option<f64> {
    line.pointer(&format!("/{figure}"))?.as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_the_same_line_are_compared_and_others_left_out() {
        let before = r#"{"w":"w1","mode":"op","par":1,"kev_s":100.0,"ns_per_event":10.0,"peak_mib":0}
{"path":"file","pipeline":"rules","rate":50.0,"share":0.5,"alerts":{"p99_us":20}}
{"path":"file","pipeline":"rules","rate":50.0,"share":null,"alerts":{"p99_us":20}}"#;
        let now = r#"{"w":"w1","mode":"op","par":1,"kev_s":200.0,"ns_per_event":10.1,"peak_mib":7}
{"w":"w2","mode":"op","par":1,"kev_s":1.0}
{"path":"file","pipeline":"rules","rate":70.0,"share":0.5,"alerts":{"p99_us":40}}
{"path":"file","pipeline":"rules","rate":70.0,"share":null,"alerts":{"p99_us":40}}"#;
        let table = compare(before, now).unwrap();
        let lines: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["w1", "op", "1", "kev_s", "100.0", "200.0", "2.00", "better"]);
        assert_eq!(lines[1], ["w1", "op", "1", "ns_per_event", "10.0", "10.1", "1.01", "the", "same"]);
        assert_eq!(lines[2], ["file", "rules", "0.5", "alerts/p99_us", "20.0", "40.0", "2.00", "worse"]);
        assert_eq!(lines.len(), 3);
        assert!(compare(before, "{\"w\":\"w9\"}").is_err() && compare("7", now).is_err());
    }
}
