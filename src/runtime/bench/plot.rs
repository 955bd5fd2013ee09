//! Latencies over the rate as a picture.

use super::LatencyOutcome;
use crate::runtime::telemetry::LatencySummary;
use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 80.0;
const TOP: f64 = 40.0;
/// From one way's panel to the next.
const STEP: f64 = HEIGHT + 80.0;

type Quantile = (&'static str, &'static str, fn(&LatencySummary) -> u64);

const QUANTILES: [Quantile; 5] = [
    ("p50", "#2471a3", |summary| summary.p50_us),
    ("p99", "#1e8449", |summary| summary.p99_us),
    ("p99.9", "#b7950b", |summary| summary.p999_us),
    ("p99.99", "#ca6f1e", |summary| summary.p9999_us),
    ("max", "#c0392b", |summary| summary.max_us),
];

/// An SVG: a panel for each way, quantiles of the alerts' latency over events per second, those of the empty pipeline dashed. Where there
/// were no alerts, of the events.
pub fn plot(outcomes: &[LatencyOutcome]) -> String {
    let mut paths: Vec<&str> = Vec::new();
    for outcome in outcomes {
        if !paths.contains(&outcome.path) {
            paths.push(outcome.path);
        }
    }
    let (width, height) = (LEFT + WIDTH + 90.0, TOP + STEP * paths.len() as f64);
    // Writing to a text can't fail, here and below.
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for (at, path) in paths.iter().enumerate() {
        let of_path: Vec<&LatencyOutcome> = outcomes.iter().filter(|outcome| outcome.path == *path).collect();
        panel(&mut svg, TOP + STEP * at as f64, path, &of_path);
    }
    svg.push_str("</svg>\n");
    svg
}

fn summary(outcome: &LatencyOutcome) -> Option<LatencySummary> {
    outcome.alerts.or(outcome.events)
}

fn panel(svg: &mut String, top: f64, path: &str, outcomes: &[&LatencyOutcome]) {
    let most = outcomes.iter().map(|outcome| outcome.rate).fold(f64::MIN_POSITIVE, f64::max);
    let longest = outcomes.iter().filter_map(|outcome| summary(outcome)).map(|summary| summary.max_us).max();
    let decades = (longest.unwrap_or(1).max(10) as f64).log10().ceil();
    let y = |us: f64| top + HEIGHT * (1.0 - us.max(1.0).log10() / decades);
    let x = |rate: f64| LEFT + WIDTH * rate / most;
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{path}: latency from the intended time</text>", top - 10.0);
    for decade in 0..=decades as i32 {
        let at = y(10f64.powi(decade));
        let label = match decade {
            0..=2 => format!("{} µs", 10u32.pow(decade as u32)),
            3..=5 => format!("{} ms", 10u32.pow(decade as u32 - 3)),
            _ => format!("{} s", 10f64.powi(decade - 6)),
        };
        let (end, label_x) = (LEFT + WIDTH, LEFT - 6.0);
        let _ = writeln!(svg, "<line x1=\"{LEFT}\" x2=\"{end}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>");
        let _ = writeln!(svg, "<text x=\"{label_x}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", at + 4.0);
    }
    for part in 0..=4 {
        let rate = most * f64::from(part) / 4.0;
        let (at, under) = (x(rate), top + HEIGHT + 18.0);
        let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{under}\" text-anchor=\"middle\">{rate:.0}/s</text>");
    }
    for (at, (name, colour, of)) in QUANTILES.iter().enumerate() {
        let (legend, label_y) = (LEFT + WIDTH + 12.0, top + 14.0 + 18.0 * at as f64);
        let _ = writeln!(svg, "<text x=\"{legend}\" y=\"{label_y}\" fill=\"{colour}\">{name}</text>");
        for (pipeline, dashes) in [("rules", ""), ("empty", " stroke-dasharray=\"4 4\" opacity=\"0.6\"")] {
            let of_pipeline = outcomes.iter().filter(|outcome| outcome.pipeline == pipeline);
            let points: Vec<String> = of_pipeline
                .filter_map(|outcome| Some(format!("{:.1},{:.1}", x(outcome.rate), y(of(&summary(outcome)?) as f64))))
                .collect();
            let points = points.join(" ");
            let _ = writeln!(svg, "<polyline fill=\"none\" stroke=\"{colour}\"{dashes} points=\"{points}\"/>");
        }
    }
}
