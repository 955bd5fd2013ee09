//! GPX: each point of a track is a record. Waypoints and routes have no times and are passed over.

use super::{expand::Parts, features::text};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use serde_json::{Map, Value as Json};

/// Elements in one another, at most.
const DEPTH_MAX: usize = 64;

/// The largest text of an element that is kept, bytes.
const TEXT_MAX: usize = 4_096;

#[derive(Default)]
struct State {
    /// The names of the elements that are open.
    open: Vec<String>,
    /// What was read of the text of the innermost one.
    text: String,
    /// The track's name or number, and how many of its segments have begun.
    track: Option<String>,
    segment: u64,
    /// The point that is open, and how deep its element is.
    point: Option<(Map<String, Json>, usize)>,
}

pub(super) fn read(bytes: &[u8], parts: &mut Parts) {
    let Some(text) = text(bytes, parts) else { return };
    let mut reader = Reader::from_str(text);
    let mut state = State::default();
    loop {
        let found = reader.read_event();
        let at = reader.buffer_position();
        let done = match found {
            Ok(Event::Start(element)) => state.begin(&element, parts),
            Ok(Event::Empty(element)) => state.begin(&element, parts).map(|()| state.end(parts)),
            Ok(Event::End(_)) => {
                state.end(parts);
                Ok(())
            }
            Ok(Event::Text(text)) => {
                state.say(&text);
                Ok(())
            }
            Ok(Event::CData(text)) => {
                state.say(&text);
                Ok(())
            }
            Ok(Event::GeneralRef(name)) => {
                let known = match &*name {
                    "amp" => "&",
                    "lt" => "<",
                    "gt" => ">",
                    "quot" => "\"",
                    "apos" => "'",
                    _ => "",
                };
                match name.resolve_char_ref() {
                    Ok(Some(sign)) => state.say(sign.encode_utf8(&mut [0; 4])),
                    _ => state.say(known),
                }
                Ok(())
            }
            Ok(Event::Eof) if state.open.is_empty() => return,
            Ok(Event::Eof) => Err(format!("`{}` is never closed", state.open.join("/"))),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = done {
            let from = usize::try_from(at).unwrap_or(usize::MAX).saturating_sub(100).min(bytes.len());
            let shown = bytes.get(from..).unwrap_or_default();
            let shown = String::from_utf8_lossy(shown.get(..200).unwrap_or(shown));
            parts.fault(shown, format!("no GPX from byte {at} on: {why}"));
            return;
        }
    }
}

impl State {
    fn begin(&mut self, element: &BytesStart<'_>, parts: &mut Parts) -> Result<(), String> {
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("elements deeper than {DEPTH_MAX}"));
        }
        let name = element.local_name().as_ref().to_owned();
        if self.open.is_empty() && name != "gpx" {
            return Err(format!("the document is a `{name}`"));
        }
        match name.as_str() {
            "trk" => (self.track, self.segment) = (None, 0),
            "trkseg" => self.segment += 1,
            "trkpt" => {
                // One in another is none, and the outer one is over.
                self.put(parts);
                let mut point = Map::new();
                for attribute in element.attributes() {
                    let attribute = attribute.map_err(|error| error.to_string())?;
                    let name = attribute.key.local_name().as_ref().to_owned();
                    if name == "lat" || name == "lon" {
                        point.insert(name, number_or_text(&attribute.value));
                    }
                }
                if let Some(track) = &self.track {
                    point.insert("track".to_owned(), track.as_str().into());
                }
                point.insert("segment".to_owned(), self.segment.into());
                self.point = Some((point, self.open.len()));
            }
            _ => {}
        }
        self.open.push(name);
        self.text.clear();
        Ok(())
    }

    fn say(&mut self, text: &str) {
        if self.text.len() + text.len() <= TEXT_MAX {
            self.text.push_str(text);
        }
    }

    fn end(&mut self, parts: &mut Parts) {
        let Some(name) = self.open.pop() else { return };
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        match &mut self.point {
            Some((_, depth)) if *depth == self.open.len() => self.put(parts),
            // Of an element with others in it nothing is left here.
            Some((point, _)) if !text.is_empty() => {
                let value = if name == "time" { text.into() } else { number_or_text(text) };
                point.entry(name).or_insert(value);
            }
            Some(_) => {}
            None => {
                let of_track = self.open.last().is_some_and(|outer| outer == "trk");
                // A number stands in for a name, whichever comes first.
                if of_track && !text.is_empty() && (name == "name" || (name == "number" && self.track.is_none())) {
                    self.track = Some(text.to_owned());
                }
            }
        }
    }

    fn put(&mut self, parts: &mut Parts) {
        if let Some((point, _)) = self.point.take() {
            parts.record(point);
        }
    }
}

fn number_or_text(text: &str) -> Json {
    let text = text.trim();
    let number = text.parse::<f64>().ok().filter(|_| !text.bytes().any(|byte| byte.is_ascii_alphabetic()));
    match (text.parse::<i64>(), number.and_then(serde_json::Number::from_f64)) {
        (Ok(whole), _) => whole.into(),
        (_, Some(number)) => Json::Number(number),
        _ => text.into(),
    }
}
