//! A map of the regions at one tick, or several of them side by side.

use super::{
    colour::Colour,
    history::{Entry, Scene},
    label::{Labels, degrees, length, moment, width},
    map::Map,
    notice::{self, Notice},
    shape::{Polygon, short},
    svg::{Path, Svg, escape, number},
};

/// A few characters at a place: what a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Longitude and latitude in degrees.
    pub at: [f64; 2],
    /// What stands there.
    pub text: String,
}

/// What lies under the regions of every panel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Backdrop {
    /// Drawn as faint lines.
    pub polygons: Vec<Polygon>,
}

/// One map.
#[derive(Clone, Debug)]
pub struct Panel<'a> {
    /// What stands above it; none: the time.
    pub caption: Option<String>,
    /// The regions.
    pub scene: &'a Scene<'a>,
    /// What stands in it beside the regions.
    pub marks: Vec<Mark>,
    /// Alerts about them.
    pub notices: Vec<&'a Notice>,
}

/// Pixels above a panel, for its caption, and between panels.
const CAPTION: f64 = 20.0;
const GAP: f64 = 14.0;
/// Pixels above everything, for the title.
const TITLE: f64 = 24.0;
/// At most so many regions of a panel have a label: the largest of those of which there is news.
const LABELS_MAX: usize = 24;
/// An arrow shorter than this, in pixels, isn't drawn.
const ARROW_MIN: f64 = 5.0;

/// Draws panels in rows of so many, all by the same map, in reading order.
pub fn panels(title: &str, map: &Map, backdrop: &Backdrop, columns: usize, panels: &[Panel<'_>]) -> String {
    let columns = columns.clamp(1, panels.len().max(1));
    let rows = panels.len().div_ceil(columns);
    let (wide, high) = map.size();
    let full = (
        (columns as f64 * (wide + GAP) + GAP).max(width(title) * 1.3 + 2.0 * GAP),
        TITLE + rows as f64 * (CAPTION + high + GAP),
    );
    let mut svg = Svg::new(full.0, full.1, title);
    svg.text((GAP, 17.0), "font-weight=\"600\" font-size=\"13\"", title);
    for (at, panel) in panels.iter().enumerate() {
        let (column, row) = (at % columns, at / columns);
        let corner = (GAP + column as f64 * (wide + GAP), TITLE + row as f64 * (CAPTION + high + GAP) + CAPTION);
        let caption = panel.caption.clone().unwrap_or_else(|| moment(panel.scene.tick_ms));
        svg.text((corner.0, corner.1 - 6.0), "fill=\"#555\"", &caption);
        if !panel.notices.is_empty() {
            let style = format!("fill=\"{}\" font-weight=\"700\"", notice::INK);
            svg.text(
                (corner.0 + width(&caption) * 1.15 + 12.0, corner.1 - 6.0),
                &style,
                &notice::caption(&panel.notices),
            );
        }
        let [x, y, w, h] = [corner.0, corner.1, wide, high].map(number);
        // Within an element of its own nothing is drawn past the edge.
        svg.open("svg", &[("x", &x), ("y", &y), ("width", &w), ("height", &h)]);
        draw(&mut svg, map, backdrop, panel);
        svg.close("svg");
    }
    svg.finish()
}

fn draw(svg: &mut Svg, map: &Map, backdrop: &Backdrop, panel: &Panel<'_>) {
    let [w, h] = [map.size().0 - 1.0, map.size().1 - 1.0].map(number);
    svg.raw(&format!("<rect x=\".5\" y=\".5\" width=\"{w}\" height=\"{h}\" fill=\"#fff\" stroke=\"#ddd\"/>\n"));
    if !backdrop.polygons.is_empty() {
        let (_, rim) = paths(map, &backdrop.polygons);
        svg.element("path", &[("d", &rim), ("fill", "none"), ("stroke", "#e2e2dc")]);
    }
    if backdrop.polygons.is_empty() {
        graticule(svg, map);
    }
    let entries = &panel.scene.entries;
    // Those that ended last, as a dashed line: others lie where they were.
    let (ended, alive): (Vec<&Entry<'_>>, Vec<&Entry<'_>>) = entries.iter().partition(|entry| entry.shape.has_ended);
    for entry in alive.into_iter().chain(ended) {
        region(svg, map, entry);
    }
    for entry in entries {
        arrow(svg, map, entry);
    }
    for mark in &panel.marks {
        let (x, y) = map.place(mark.at);
        let style = "text-anchor=\"middle\" font-size=\"10\" fill=\"#666\"";
        svg.text((x, y + 3.5), style, &mark.text);
    }
    labels(svg, map, panel);
    notice::rings(svg, map, panel.scene, &panel.notices);
    scale_bar(svg, map);
}

/// A few meridians and parallels, with their degrees at the left and upper edge.
fn graticule(svg: &mut Svg, map: &Map) {
    let (wide, high) = map.size();
    let style = "font-size=\"9\" fill=\"#999\"";
    let (meridians, parallels, places) = map.graticule();
    for lon in meridians {
        let (x, _) = map.place([lon, 0.0]);
        svg.line((x, 1.0), (x, high - 1.0), "stroke=\"#efefea\"");
        svg.text((x + 2.0, 10.0), style, &degrees(if lon > 180.0 { lon - 360.0 } else { lon }, ['E', 'W'], places));
    }
    for lat in parallels {
        let (_, y) = map.place([0.0, lat]);
        svg.line((1.0, y), (wide - 1.0, y), "stroke=\"#efefea\"");
        svg.text((3.0, y - 2.0), style, &degrees(lat, ['N', 'S'], places));
    }
}

/// The area, and the way round it. Where polygons were cut at ±180° there is an area on both sides and no line between them.
fn paths(map: &Map, polygons: &[Polygon]) -> (String, String) {
    let (mut area, mut rim) = (Path::default(), Path::default());
    for ring in polygons.iter().flatten() {
        let is_cut = |a: &[f64; 2], b: &[f64; 2]| a[0].abs() == 180.0 && a[0] == b[0];
        let has_cut = ring.windows(2).any(|side| is_cut(&side[0], &side[1]));
        let Some((first, rest)) = ring.split_first() else { continue };
        area.go(map.place(*first));
        rim.go(map.place(*first));
        for (from, to) in ring.iter().zip(rest) {
            if to != first || has_cut {
                area.line(map.place(*to));
                match has_cut && is_cut(from, to) {
                    true => rim.go(map.place(*to)),
                    false => rim.line(map.place(*to)),
                }
            }
        }
        area.close();
        if !has_cut {
            rim.close();
        }
    }
    (area.finish(), rim.finish())
}

fn region(svg: &mut Svg, map: &Map, entry: &Entry<'_>) {
    let shape = entry.shape;
    let colour = Colour::of(&shape.id);
    let (area, rim) = paths(map, &shape.polygons);
    let (fill, ink) = (colour.fill(), colour.ink());
    svg.open("g", &[]);
    let news = shape.news();
    let about = if entry.is_news && !news.is_empty() { format!("{}: {news}", shape.id) } else { shape.id.clone() };
    svg.raw(&format!("<title>{}, {} cells</title>\n", escape(&about), shape.size));
    let opacity = if shape.has_ended { "0.1" } else { "0.5" };
    let of_area = [("d", area.as_str()), ("fill", &fill), ("fill-opacity", opacity), ("fill-rule", "evenodd")];
    let dash = if shape.has_ended { "4 3" } else { "none" };
    let of_rim = [("stroke", ink.as_str()), ("stroke-width", "1.3"), ("stroke-dasharray", dash)];
    if area == rim {
        svg.element("path", &[&of_area[..], &of_rim[..]].concat());
    } else {
        svg.element("path", &of_area);
        svg.element("path", &[&[("d", rim.as_str()), ("fill", "none")], &of_rim[..]].concat());
    }
    if let Some(before) = entry.before.filter(|before| entry.is_news && before.polygons != shape.polygons) {
        let (_, rim) = paths(map, &before.polygons);
        svg.element("path", &[("d", &rim), ("fill", "none"), ("stroke", &ink), ("stroke-dasharray", "2 3")]);
    }
    svg.close("g");
}

/// From where the region's centre was to where it is.
fn arrow(svg: &mut Svg, map: &Map, entry: &Entry<'_>) {
    let Entry { shape, before: Some(before), is_news: true } = entry else { return };
    let (Some(from), Some(to)) = (before.centre, shape.centre) else { return };
    let (from, to) = (map.place(from), map.place(to));
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let long = dx.hypot(dy);
    if shape.has_ended || long < ARROW_MIN {
        return;
    }
    let (ux, uy) = (dx / long, dy / long);
    let head = 6.0_f64.min(long);
    let neck = (to.0 - ux * head, to.1 - uy * head);
    let mut path = Path::default();
    path.go(to);
    path.line((neck.0 - uy * head * 0.5, neck.1 + ux * head * 0.5));
    path.line((neck.0 + uy * head * 0.5, neck.1 - ux * head * 0.5));
    path.close();
    svg.line(from, neck, "stroke=\"#222\" stroke-width=\"1.6\"");
    svg.element("path", &[("d", &path.finish()), ("fill", "#222")]);
}

fn labels(svg: &mut Svg, map: &Map, panel: &Panel<'_>) {
    let mut entries: Vec<&Entry<'_>> = panel.scene.entries.iter().collect();
    entries.sort_by_key(|entry| (!entry.is_news, std::cmp::Reverse(entry.shape.size)));
    let mut places = Labels::new(map.size());
    for entry in entries.into_iter().take(LABELS_MAX) {
        let shape = entry.shape;
        let Some(centre) = shape.centre else { continue };
        let news = if entry.is_news { shape.news() } else { String::new() };
        let name = short(&shape.id);
        let high = if news.is_empty() { 13.0 } else { 26.0 };
        let (x, y) = map.place(centre);
        // Above the region, so that it hides neither its shape nor the arrow.
        let y = top(map, &shape.polygons).unwrap_or(y) - high - 2.0;
        let (x, y) = places.put((x, y), (width(name).max(width(&news)) + 4.0, high));
        let ink = Colour::of(&shape.id).ink();
        let halo = "text-anchor=\"middle\" font-size=\"11\" stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\"";
        svg.text((x, y + 10.5), &format!("{halo} fill=\"{ink}\" font-weight=\"700\""), name);
        if !news.is_empty() {
            svg.text((x, y + 23.0), &format!("{halo} fill=\"{ink}\""), &news);
        }
    }
}

fn top(map: &Map, polygons: &[Polygon]) -> Option<f64> {
    let places = polygons.iter().flatten().flatten().map(|&at| map.place(at).1);
    places.reduce(f64::min)
}

fn scale_bar(svg: &mut Svg, map: &Map) {
    let (metres, long) = map.bar();
    let y = map.size().1 - 9.0;
    svg.line((9.0, y), (9.0 + long, y), "stroke=\"#555\" stroke-width=\"2\"");
    let halo = "font-size=\"10\" fill=\"#555\" stroke=\"#fff\" stroke-width=\"2.5\" paint-order=\"stroke\"";
    svg.text((9.0, y - 4.0), halo, &length(metres));
}
