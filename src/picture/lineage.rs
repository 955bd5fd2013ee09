//! Regions through time: time to the right, a lane per region, as thick as it has cells; joins where one is absorbed, forks
//! where one splits.

use super::{
    colour::Colour,
    history::History,
    label::{hour, moment},
    notice::{self, Notice},
    shape::{RegionShape, short},
    svg::{Path, Svg, escape, number},
};
use crate::model::TimeMs;
use std::collections::BTreeMap;

/// Pixels: the whole width, the edges, the height of a lane.
const WIDTH: f64 = 1_000.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 26.0;
const LANE: f64 = 34.0;
/// Half the thickness of the largest region's band, and of the smallest that is drawn.
const HALF_MAX: f64 = 14.0;
const HALF_MIN: f64 = 1.2;
/// Regions beyond these lanes aren't drawn, and that is said.
const LANES_MAX: usize = 150;
/// At most so many alerts are drawn.
const NOTICES_MAX: usize = 200;
/// A lane is free again for another region after it has been empty for this share of the time.
const REST: f64 = 0.05;

/// One region's life.
struct Life<'a> {
    /// What was said of it, in order of time.
    said: Vec<&'a RegionShape>,
    /// When it was no more; of one that goes on, the end of the history.
    end_ms: TimeMs,
    lane: usize,
}

/// Draws the lives of all regions of a history.
pub fn lineage(history: &History) -> String {
    let ticks = history.ticks();
    let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else {
        let mut svg = Svg::new(WIDTH, TOP + BOTTOM, &history.title);
        svg.text((14.0, 20.0), "", &format!("{}: no regions", history.title));
        return svg.finish();
    };
    // The state before the first tick is drawn as well: what emerged at it grows out of nothing.
    let step = ticks.windows(2).map(|pair| pair[1].0.saturating_sub(pair[0].0)).min().unwrap_or(60_000).max(1);
    let span = (first.0.saturating_sub(step), last.0);
    let (lives, left_out) = lives(history, span);
    let lanes = lives.values().map(|life| life.lane + 1).max().unwrap_or(0);
    let height = TOP + lanes as f64 * LANE + BOTTOM;
    let title = format!("{}, {} to {}", history.title, moment(first.0), moment(last.0));
    let mut svg = Svg::new(WIDTH, height, &title);
    svg.text((14.0, 19.0), "font-weight=\"600\" font-size=\"13\"", &title);
    let paper = Paper {
        span,
        height,
        most: history.shapes().map(|shape| shape.size).max().unwrap_or(1).max(1),
        // What happened between two ticks is drawn just before the later one.
        before: ticks.iter().map(|(tick, _)| (*tick, tick.saturating_sub(step))).collect(),
    };
    axis(&mut svg, &paper);
    for (id, life) in &lives {
        joints(&mut svg, &paper, &lives, id, life);
    }
    for (id, life) in &lives {
        band(&mut svg, &paper, id, life);
    }
    for (id, life) in &lives {
        words(&mut svg, &paper, id, life);
    }
    let (notices, left_out_notices) = history.notices();
    notices.iter().take(NOTICES_MAX).for_each(|notice| alert(&mut svg, &paper, &lives, notice));
    let left_out_notices = left_out_notices + notices.len().saturating_sub(NOTICES_MAX);
    let left_out_ticks = history.left_out();
    if left_out + left_out_ticks + left_out_notices > 0 {
        let mut text = format!("not drawn: {left_out} more regions, {left_out_ticks} later ticks");
        if left_out_notices > 0 {
            text.push_str(&format!(", {left_out_notices} more alerts"));
        }
        svg.text((WIDTH - RIGHT, 19.0), "text-anchor=\"end\" fill=\"#a33\"", &text);
    }
    svg.finish()
}

/// Each region with its lane: the nearest free one to its parent's, else the highest.
fn lives(history: &History, span: (TimeMs, TimeMs)) -> (BTreeMap<&str, Life<'_>>, usize) {
    let rest = (span.1.saturating_sub(span.0) as f64 * REST) as TimeMs;
    let mut lives: BTreeMap<&str, Life<'_>> = BTreeMap::new();
    // By lane: until when it is taken.
    let mut lanes: Vec<TimeMs> = Vec::new();
    let mut left_out: Vec<&str> = Vec::new();
    for (tick, shapes) in history.ticks() {
        for shape in shapes {
            if !lives.contains_key(shape.id.as_str()) {
                let parent = shape.parents.iter().find_map(|id| lives.get(id.as_str())).map(|life| life.lane);
                let near = parent.unwrap_or(0);
                let free = (0..lanes.len()).filter(|&lane| lanes[lane] < *tick).min_by_key(|&lane| lane.abs_diff(near));
                let lane = free.unwrap_or(lanes.len());
                if lane >= LANES_MAX {
                    left_out.push(&shape.id);
                    continue;
                }
                if lane == lanes.len() {
                    lanes.push(TimeMs::MAX);
                }
                lanes[lane] = TimeMs::MAX;
                lives.insert(&shape.id, Life { said: Vec::new(), end_ms: span.1, lane });
            }
            let Some(life) = lives.get_mut(shape.id.as_str()) else { continue };
            life.said.push(shape);
            if shape.has_ended {
                life.end_ms = *tick;
                if let Some(until) = lanes.get_mut(life.lane) {
                    *until = tick.saturating_add(rest);
                }
            }
        }
    }
    left_out.sort_unstable();
    left_out.dedup();
    (lives, left_out.len())
}

/// Where instants and lanes are.
struct Paper {
    span: (TimeMs, TimeMs),
    height: f64,
    /// The most cells of any region.
    most: usize,
    /// By tick: where what led to it begins.
    before: BTreeMap<TimeMs, TimeMs>,
}

impl Paper {
    fn x(&self, at_ms: TimeMs) -> f64 {
        let (from, to) = (self.span.0 as f64, self.span.1 as f64);
        let share = (at_ms as f64 - from) / (to - from).max(1.0);
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, life: &Life<'_>) -> f64 {
        TOP + (life.lane as f64 + 0.5) * LANE
    }

    /// By the area: four times as many cells are twice as thick.
    fn half(&self, size: usize) -> f64 {
        HALF_MIN + (HALF_MAX - HALF_MIN) * (size as f64 / self.most as f64).sqrt()
    }

    fn tick_before(&self, tick: TimeMs) -> TimeMs {
        self.before.get(&tick).copied().unwrap_or(tick)
    }
}

fn axis(svg: &mut Svg, paper: &Paper) {
    const MINUTE: TimeMs = 60_000;
    let steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map(|minutes| minutes * MINUTE);
    let wanted = paper.span.1.saturating_sub(paper.span.0) / 12;
    // Past half a day in whole days.
    let days = (wanted / (1_440 * MINUTE) + 1) * 1_440 * MINUTE;
    let step = steps.into_iter().find(|&step| step >= wanted).unwrap_or(days);
    let mut next = paper.span.0.checked_sub(paper.span.0.rem_euclid(step)).and_then(|at| at.checked_add(step));
    while let Some(at) = next.filter(|at| *at <= paper.span.1) {
        let x = paper.x(at);
        svg.line((x, TOP - 4.0), (x, paper.height - BOTTOM + 4.0), "stroke=\"#e6e6e0\"");
        svg.text((x, paper.height - 9.0), "text-anchor=\"middle\" font-size=\"10\" fill=\"#666\"", &hour(at));
        next = at.checked_add(step);
    }
}

/// The band of a region: its cells from tick to tick.
fn band(svg: &mut Svg, paper: &Paper, id: &str, life: &Life<'_>) {
    let y = paper.y(life);
    let mut outline: Vec<(f64, f64)> = Vec::new();
    let Some(first) = life.said.first() else { return };
    let mut last = first.size;
    // What emerged tapers in from the tick before; what was split off begins at its full size.
    let begin = if first.transition == "emerged" {
        (paper.tick_before(first.tick_ms), 0.0)
    } else {
        (first.tick_ms, paper.half(first.size))
    };
    outline.push((paper.x(begin.0), begin.1));
    for shape in &life.said {
        if shape.has_ended {
            // Its last look until the tick before; then it joins another (drawn apart), or tapers out.
            outline.push((paper.x(paper.tick_before(shape.tick_ms)), paper.half(last)));
            if shape.absorbed_into.is_none() && shape.transition != "split" {
                outline.push((paper.x(shape.tick_ms), 0.0));
            }
        } else {
            // Between two outputs that aren't of neighbouring ticks nothing changed.
            let since = paper.tick_before(shape.tick_ms);
            if outline.last().is_some_and(|at| paper.x(since) > at.0 + 0.05) {
                outline.push((paper.x(since), paper.half(last)));
            }
            outline.push((paper.x(shape.tick_ms), paper.half(shape.size)));
            last = shape.size;
        }
    }
    if life.said.last().is_some_and(|shape| !shape.has_ended) {
        outline.push((paper.x(life.end_ms), paper.half(last)));
    }
    let mut path = Path::default();
    for (at, &(x, half)) in outline.iter().enumerate() {
        if at == 0 { path.go((x, y - half)) } else { path.line((x, y - half)) }
    }
    for &(x, half) in outline.iter().rev() {
        path.line((x, y + half));
    }
    path.close();
    let colour = Colour::of(id);
    svg.open("g", &[]);
    svg.raw(&format!(
        "<title>{}, up to {} cells</title>\n",
        escape(id),
        life.said.iter().map(|it| it.size).max().unwrap_or(0)
    ));
    svg.element("path", &[("d", &path.finish()), ("fill", &colour.fill()), ("fill-opacity", "0.8")]);
    svg.close("g");
}

/// An alert: on the lane of its region, of none at the upper edge.
fn alert(svg: &mut Svg, paper: &Paper, lives: &BTreeMap<&str, Life<'_>>, notice: &Notice) {
    let life = notice.region.as_deref().and_then(|region| lives.get(region));
    let (x, y) = (paper.x(notice.at_ms), life.map_or(TOP - 4.0, |life| paper.y(life)));
    svg.open("g", &[]);
    svg.raw(&format!("<title>{}, {}</title>\n", escape(&notice.text), moment(notice.at_ms)));
    notice::mark(svg, (x, y), 4.0);
    let halo = "font-size=\"10\" stroke=\"#fcfcfa\" stroke-width=\"2.5\" paint-order=\"stroke\" text-anchor=\"end\"";
    svg.text((x - 6.0, y + 3.5), &format!("{halo} fill=\"{}\"", notice::INK), &notice.text);
    svg.close("g");
}

/// From the lane of a region to that of another, between two ticks: where it was absorbed, and where parts were split off.
fn joints(svg: &mut Svg, paper: &Paper, lives: &BTreeMap<&str, Life<'_>>, id: &str, life: &Life<'_>) {
    for shape in &life.said {
        let tick = shape.tick_ms;
        let before = paper.tick_before(tick);
        let colour = Colour::of(id);
        if let Some(into) = shape.absorbed_into.as_deref().and_then(|into| lives.get(into)) {
            joint(
                svg,
                (paper.x(before), paper.y(life)),
                (paper.x(tick), paper.y(into)),
                paper.half(shape.size),
                colour,
            );
        }
        if shape.transition == "split_off" {
            for parent in shape.parents.iter().filter_map(|parent| lives.get(parent.as_str())) {
                let from = (paper.x(before), paper.y(parent));
                joint(svg, from, (paper.x(tick), paper.y(life)), paper.half(shape.size), colour);
            }
        }
    }
}

fn joint(svg: &mut Svg, from: (f64, f64), to: (f64, f64), half: f64, colour: Colour) {
    let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(number);
    let middle = number((from.0 + to.0) / 2.0);
    let d = format!("M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}");
    let wide = number((half * 2.0).min(12.0));
    let (fill, ends) = (colour.fill(), [("stroke-opacity", "0.55"), ("fill", "none")]);
    svg.element("path", &[&[("d", d.as_str()), ("stroke", &fill), ("stroke-width", &wide)], &ends[..]].concat());
}

/// The id where the life begins, and a word where it ends or splits.
fn words(svg: &mut Svg, paper: &Paper, id: &str, life: &Life<'_>) {
    let (Some(first), Some(last)) = (life.said.first(), life.said.last()) else { return };
    let y = paper.y(life);
    let ink = Colour::of(id).ink();
    let halo = "font-size=\"10\" stroke=\"#fcfcfa\" stroke-width=\"2.5\" paint-order=\"stroke\"";
    let begin = paper.x(if first.transition == "emerged" { paper.tick_before(first.tick_ms) } else { first.tick_ms });
    svg.text(
        (begin - 3.0, y + 3.5),
        &format!("{halo} text-anchor=\"end\" fill=\"{ink}\" font-weight=\"700\""),
        short(id),
    );
    for shape in life.said.iter().filter(|shape| shape.transition == "split" && !shape.has_ended) {
        svg.text((paper.x(shape.tick_ms) + 2.0, y - 8.0), &format!("{halo} fill=\"{ink}\""), "split");
    }
    if last.transition == "dissolved" {
        let x = paper.x(last.tick_ms);
        let mut path = Path::default();
        for (dx, dy) in [(-3.0, -3.0), (3.0, -3.0)] {
            path.go((x + dx, y + dy));
            path.line((x - dx, y - dy));
        }
        svg.element("path", &[("d", &path.finish()), ("stroke", &ink), ("fill", "none")]);
    }
}
