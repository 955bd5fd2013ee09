//! The closings as a picture: two panels over time, both with a logarithmic scale.

use crate::closings::Run;
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const PANEL: f64 = 170.0;
const LEFT: f64 = 70.0;
const COLOURS: [&str; 2] = ["#c0392b", "#2471a3"];

pub(crate) fn draw(runs: &[Run]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} 480\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        WIDTH + LEFT + 20.0
    );
    let closed = |run: &Run| run.spans.iter().map(|span| span.0 as f64).collect();
    let waited = |run: &Run| run.spans.iter().map(|span| span.1 as f64 / 1_000.0).collect();
    panel(&mut svg, 40.0, "windows closed per 100 ms", runs, (1.0, 1e6), &closed);
    panel(&mut svg, 270.0, "longest wait of an event, ms", runs, (0.01, 1e4), &waited);
    for (at, run) in runs.iter().enumerate() {
        let (x, name) = (LEFT + 200.0 * at as f64, run.name.replace('`', ""));
        let colour = COLOURS[at % 2];
        writeln!(svg, "<rect x=\"{x}\" y=\"8\" width=\"14\" height=\"4\" fill=\"{colour}\"/>").unwrap();
        writeln!(svg, "<text x=\"{}\" y=\"14\">{name}</text>", x + 20.0).unwrap();
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(
    svg: &mut String,
    top: f64,
    title: &str,
    runs: &[Run],
    (low, high): (f64, f64),
    of: &dyn Fn(&Run) -> Vec<f64>,
) {
    let y = |value: f64| top + PANEL * (1.0 - (value.max(low) / low).log10() / (high / low).log10());
    writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{title}</text>", top - 8.0).unwrap();
    let mut tick = low;
    while tick <= high * 1.001 {
        let (at, label) = (y(tick), if tick < 1.0 { format!("{tick:.2}") } else { format!("{tick:.0}") });
        writeln!(svg, "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>", LEFT + WIDTH)
            .unwrap();
        writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 6.0, at + 4.0).unwrap();
        tick *= 10.0;
    }
    let seconds = runs.first().map_or(1, |run| run.spans.len()) as f64 / 10.0;
    for minute in 0..=(seconds / 60.0) as usize {
        let x = LEFT + WIDTH * minute as f64 * 60.0 / seconds;
        writeln!(svg, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{minute} min</text>", top + PANEL + 16.0)
            .unwrap();
    }
    for (at, run) in runs.iter().enumerate() {
        let values = of(run);
        // The highest of each pixel's spans, so that no peak is lost.
        let width = values.len().div_ceil(WIDTH as usize).max(1);
        let points: Vec<String> = values
            .chunks(width)
            .enumerate()
            .map(|(ix, chunk)| {
                let x = LEFT + WIDTH * (ix * width) as f64 / values.len() as f64;
                format!("{x:.1},{:.1}", y(chunk.iter().copied().fold(0.0, f64::max)))
            })
            .collect();
        let colour = COLOURS[at % 2];
        writeln!(svg, "<polyline fill=\"none\" stroke=\"{colour}\" points=\"{}\"/>", points.join(" ")).unwrap();
    }
}
