//! SVG text: elements, numbers with one decimal, escaping.

use std::fmt::Write as _;

/// An SVG document that is being written.
#[derive(Debug, Default)]
pub(super) struct Svg {
    text: String,
}

impl Svg {
    /// A document of this size in pixels, on a light ground.
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut svg = Self::default();
        let (w, h) = (number(width), number(height));
        svg.raw(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             font-family=\"system-ui,sans-serif\" font-size=\"12\" fill=\"#222\">\n"
        ));
        svg.raw(&format!("<title>{}</title>\n", escape(title)));
        svg.raw(&format!("<rect width=\"{w}\" height=\"{h}\" fill=\"#fcfcfa\"/>\n"));
        svg
    }

    /// Adds markup as it is.
    pub(super) fn raw(&mut self, markup: &str) {
        self.text.push_str(markup);
    }

    /// An element without content.
    pub(super) fn element(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.open(name, attributes);
        // The tag was closed with `>`.
        self.text.truncate(self.text.trim_end().len() - 1);
        self.raw("/>\n");
    }

    /// The beginning of an element; [`Svg::close`] ends it.
    pub(super) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.raw(&format!("<{name}"));
        for (name, value) in attributes {
            // Writing to a string can't fail.
            let _ = write!(self.text, " {name}=\"{}\"", escape(value));
        }
        self.raw(">\n");
    }

    /// The end of an element.
    pub(super) fn close(&mut self, name: &str) {
        self.raw(&format!("</{name}>\n"));
    }

    /// A line of text at a place; `class` is further attributes, which must be markup already.
    pub(super) fn text(&mut self, (x, y): (f64, f64), attributes: &str, text: &str) {
        let space = if attributes.is_empty() { "" } else { " " };
        let (x, y) = (number(x), number(y));
        self.raw(&format!("<text x=\"{x}\" y=\"{y}\"{space}{attributes}>{}</text>\n", escape(text)));
    }

    /// A straight line.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), attributes: &str) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(number);
        self.raw(&format!("<path d=\"M{x1} {y1}L{x2} {y2}\" {attributes}/>\n"));
    }

    /// The whole document.
    pub(super) fn finish(mut self) -> String {
        self.raw("</svg>\n");
        self.text
    }
}

/// A number with at most one decimal: enough for pixels. What is no number is 0.
pub(super) fn number(value: f64) -> String {
    let tenths = (value * 10.0).round();
    if !tenths.is_finite() || tenths == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{:.1}", tenths / 10.0);
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// Text as it may stand in an element or an attribute. Characters that XML doesn't know become `�`.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A closed or open way through places; places that round to the one before are left out.
#[derive(Debug, Default)]
pub(super) struct Path {
    text: String,
    last: Option<(String, String)>,
}

impl Path {
    /// Goes there without a line.
    pub(super) fn go(&mut self, at: (f64, f64)) {
        self.last = None;
        self.step('M', at);
    }

    /// Draws a line to there.
    pub(super) fn line(&mut self, at: (f64, f64)) {
        self.step('L', at);
    }

    fn step(&mut self, letter: char, (x, y): (f64, f64)) {
        let place = (number(x), number(y));
        if self.last.as_ref() != Some(&place) {
            let _ = write!(self.text, "{letter}{} {}", place.0, place.1);
            self.last = Some(place);
        }
    }

    /// Back to where it began.
    pub(super) fn close(&mut self) {
        self.text.push('Z');
    }

    /// The value of the attribute `d`.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_decimal_at_most_and_no_minus_zero() {
        let shown: Vec<String> = [1.0, -0.04, 12.345, f64::NAN, -3.25, 1e9].into_iter().map(number).collect();
        assert_eq!(shown, ["1", "0", "12.3", "0", "-3.3", "1000000000"]);
    }

    #[test]
    fn markup_in_text_is_escaped() {
        assert_eq!(escape("<b a=\"1\">&'\u{0}\n"), "&lt;b a=&quot;1&quot;&gt;&amp;&#39;\u{fffd} ");
        let mut svg = Svg::new(1.0, 1.0, "</title><script>");
        svg.element("rect", &[("id", "\"/>")]);
        svg.text((0.0, 0.0), "", "a<b");
        let text = svg.finish();
        assert!(!text.contains("<script>") && text.contains("a&lt;b") && text.contains("<rect id=\"&quot;/&gt;\"/>"));
    }

    #[test]
    fn places_that_round_to_one_are_drawn_once() {
        let mut path = Path::default();
        path.go((0.0, 0.0));
        path.line((0.01, 0.02));
        path.line((5.0, 0.0));
        path.close();
        assert_eq!(path.finish(), "M0 0L5 0Z");
    }
}
