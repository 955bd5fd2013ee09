//! A message as a record: its value, with what else it has as more fields.

use crate::wire::Format;
use rdkafka::{
    Message,
    message::{BorrowedMessage, Headers},
};
use std::{borrow::Cow, collections::BTreeMap};

/// How a topic's messages become records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KafkaLayout {
    /// How values are written; none: JSON.
    pub format: Option<Format>,
    /// The columns of values that are rows.
    pub columns: Vec<String>,
    /// The field that the message's key becomes, as a text.
    pub key: Option<String>,
    /// The field that the message's time becomes, milliseconds since 1970.
    pub timestamp: Option<String>,
    /// Fields that headers become, as texts, by the header's name. Of a header that stands twice the last counts.
    pub headers: BTreeMap<String, String>,
}

/// What a message has beside its value.
#[derive(Debug, Default)]
struct Beside<'a> {
    key: Option<&'a [u8]>,
    timestamp: Option<i64>,
    headers: BTreeMap<&'a str, &'a [u8]>,
}

impl KafkaLayout {
    /// How records are written.
    pub fn format(&self) -> Format {
        self.format.unwrap_or(Format::Ndjson)
    }

    /// Where values are rows, the row that names their columns.
    pub(super) fn header(&self) -> Option<Vec<u8>> {
        let Some(Format::Csv { delimiter }) = self.format else { return None };
        let mut row = Vec::new();
        let more = self.key.iter().chain(&self.timestamp).chain(self.headers.values());
        for (at, name) in self.columns.iter().chain(more).enumerate() {
            if at > 0 {
                row.push(delimiter);
            }
            cell(&mut row, name.as_bytes());
        }
        Some(row)
    }

    fn is_bare(&self) -> bool {
        self.key.is_none() && self.timestamp.is_none() && self.headers.is_empty()
    }

    /// A message's record.
    pub(super) fn record<'a>(&self, message: &'a BorrowedMessage<'_>) -> Cow<'a, [u8]> {
        let value = message.payload().unwrap_or_default();
        if self.is_bare() {
            return Cow::Borrowed(value);
        }
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        let beside = Beside {
            key: message.key(),
            timestamp: message.timestamp().to_millis(),
            headers: headers.filter_map(|header| Some((header.key, header.value?))).collect(),
        };
        self.joined(value, &beside)
    }

    fn joined<'a>(&self, value: &'a [u8], beside: &Beside<'_>) -> Cow<'a, [u8]> {
        match self.format {
            Some(Format::Csv { delimiter }) => self.row(value, beside, delimiter),
            _ => self.object(value, beside),
        }
    }

    /// The fields behind those that an object has: of one that stands twice the last counts. What isn't an object stays as it is, for
    /// the decoder to reject.
    fn object<'a>(&self, value: &'a [u8], beside: &Beside<'_>) -> Cow<'a, [u8]> {
        let Some(inner) = value.trim_ascii_end().strip_suffix(b"}") else { return Cow::Borrowed(value) };
        let mut joined = inner.to_vec();
        let mut first = inner.trim_ascii_end().ends_with(b"{");
        let mut put = |name: &str, json: String| {
            if !std::mem::take(&mut first) {
                joined.push(b',');
            }
            joined.extend_from_slice(text(name.as_bytes()).as_bytes());
            joined.push(b':');
            joined.extend_from_slice(json.as_bytes());
        };
        if let Some(name) = &self.key {
            put(name, beside.key.map_or_else(null, text));
        }
        if let Some(name) = &self.timestamp {
            put(name, beside.timestamp.map_or_else(null, |at| at.to_string()));
        }
        for (header, name) in &self.headers {
            put(name, beside.headers.get(header.as_str()).map_or_else(null, |value| text(value)));
        }
        joined.push(b'}');
        Cow::Owned(joined)
    }

    fn row<'a>(&self, value: &'a [u8], beside: &Beside<'_>, delimiter: u8) -> Cow<'a, [u8]> {
        let mut joined = value.trim_ascii_end().to_vec();
        let mut put = |value: &[u8]| {
            joined.push(delimiter);
            cell(&mut joined, value);
        };
        if self.key.is_some() {
            put(beside.key.unwrap_or_default());
        }
        if self.timestamp.is_some() {
            put(beside.timestamp.map(|at| at.to_string()).unwrap_or_default().as_bytes());
        }
        for header in self.headers.keys() {
            put(beside.headers.get(header.as_str()).copied().unwrap_or_default());
        }
        Cow::Owned(joined)
    }
}

fn null() -> String {
    "null".to_owned()
}

/// Bytes as a JSON text; what isn't UTF-8 in them is replaced.
fn text(bytes: &[u8]) -> String {
    serde_json::Value::from(String::from_utf8_lossy(bytes).into_owned()).to_string()
}

/// A cell, in quotes where it needs them.
fn cell(row: &mut Vec<u8>, value: &[u8]) {
    if value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/ ".contains(byte)) {
        return row.extend_from_slice(value);
    }
    row.push(b'"');
    for &byte in value {
        if byte == b'"' {
            row.push(b'"');
        }
        row.push(byte);
    }
    row.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout(format: Option<Format>) -> KafkaLayout {
        KafkaLayout {
            format,
            columns: vec!["ts".to_owned(), "a b".to_owned()],
            key: Some("k".to_owned()),
            timestamp: Some("sent".to_owned()),
            headers: BTreeMap::from([
                ("x-tenant".to_owned(), "tenant".to_owned()),
                ("none".to_owned(), "n".to_owned()),
            ]),
        }
    }

    fn beside() -> Beside<'static> {
        Beside { key: Some(b"v\"1"), timestamp: Some(7), headers: BTreeMap::from([("x-tenant", &b"acme, inc"[..])]) }
    }

    #[test]
    fn an_object_gets_key_time_and_headers_as_fields() {
        let joined = |value: &[u8]| String::from_utf8(layout(None).joined(value, &beside()).into_owned()).unwrap();
        let more = r#""k":"v\"1","sent":7,"n":null,"tenant":"acme, inc"}"#;
        assert_eq!(joined(b"{\"a\":1} \n"), format!("{{\"a\":1,{more}"));
        assert_eq!(joined(b"{ }"), format!("{{ {more}"));
        assert_eq!(joined(b"[1]"), "[1]");
        assert_eq!(joined(b""), "");
    }

    #[test]
    fn a_row_gets_them_as_cells_behind_its_own() {
        let layout = layout(Some(Format::CSV));
        assert_eq!(layout.header().unwrap(), b"ts,a b,k,sent,n,tenant");
        assert_eq!(&*layout.joined(b"1,2\r\n", &beside()), b"1,2,\"v\"\"1\",7,,\"acme, inc\"");
        assert_eq!(KafkaLayout::default().header(), None);
    }

    proptest! {
        #[test]
        fn what_was_no_object_becomes_none(value in "[{}\\[\\]:,\"a1 ]{0,12}") {
            let is_object = |bytes: &[u8]| serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(bytes).is_ok();
            let joined = layout(None).joined(value.as_bytes(), &beside()).into_owned();
            prop_assert_eq!(is_object(value.as_bytes()), is_object(&joined));
        }
    }
}
