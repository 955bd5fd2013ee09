//! A line as a message: its key, and headers by which a reader can choose without parsing it.

use rdkafka::message::{Header, OwnedHeaders};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The header with the transactional id and epoch of a message that was sent exactly once.
pub(super) const EPOCH_HEADER: &str = "geocep-epoch";
/// The header with the alert's id.
pub(super) const ID_HEADER: &str = "id";

/// What a message's key is, which decides on its partition: messages of one key keep their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KafkaKey {
    /// The values of the alert's key, joined by `|`; of a rule without PARTITION BY its name.
    #[default]
    Entity,
    /// The rule's name.
    Rule,
    /// None: messages are spread over the partitions.
    None,
}

#[derive(Deserialize)]
struct Feature<'a> {
    #[serde(borrow)]
    properties: Properties<'a>,
}

/// What headers and keys are made of.
#[derive(Deserialize)]
struct Properties<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    rule: Cow<'a, str>,
    #[serde(borrow)]
    rule_version: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    key: Map<String, Value>,
}

/// A message's key and headers.
pub(super) struct Envelope {
    pub(super) key: Option<Vec<u8>>,
    pub(super) headers: OwnedHeaders,
}

impl Envelope {
    /// Of a line that was given this key. What isn't an alert keeps that key and gets no headers of an alert's.
    pub(super) fn of(line: &[u8], given: &[u8], key: KafkaKey) -> Self {
        let alert = serde_json::from_slice::<Feature<'_>>(line).ok().map(|feature| feature.properties);
        let mut headers = OwnedHeaders::new_with_capacity(6);
        if let Some(alert) = &alert {
            let named = [
                (ID_HEADER, &alert.id),
                ("rule", &alert.rule),
                ("rule_version", &alert.rule_version),
                ("status", &alert.status),
            ];
            for (name, text) in named {
                headers = headers.insert(Header { key: name, value: Some(text.as_bytes()) });
            }
            headers = headers.insert(Header { key: "content-type", value: Some("application/geo+json") });
        }
        let entity = alert.as_ref().filter(|alert| !alert.key.is_empty()).map(|alert| joined(&alert.key));
        let key = match key {
            KafkaKey::None => None,
            KafkaKey::Rule => Some(given.to_vec()),
            KafkaKey::Entity => Some(entity.unwrap_or_else(|| given.to_vec())),
        };
        Self { key, headers }
    }
}

fn joined(key: &Map<String, Value>) -> Vec<u8> {
    let part = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    key.values().map(part).collect::<Vec<_>>().join("|").into_bytes()
}

/// The id of an alert's line; none where it is no alert.
pub fn alert_id(line: &[u8]) -> Option<String> {
    serde_json::from_slice::<Feature<'_>>(line).ok().map(|feature| feature.properties.id.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::message::Headers;

    const LINE: &[u8] = br#"{"type":"Feature","id":"ab","geometry":null,"properties":{"id":"ab","rule":"Br \"x\"","rule_version":"7","status":"firing","labels":{},"key":{"vehicle":"v3","n":4},"measures":{}}}"#;

    #[test]
    fn an_alert_is_keyed_by_its_entity_and_says_in_headers_what_it_is() {
        let envelope = Envelope::of(LINE, b"Br", KafkaKey::Entity);
        assert_eq!(envelope.key.as_deref(), Some(&b"v3|4"[..]));
        let found: Vec<(String, Option<Vec<u8>>)> =
            envelope.headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect();
        let text = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
        let expected = [
            text("id", "ab"),
            text("rule", "Br \"x\""),
            text("rule_version", "7"),
            text("status", "firing"),
            text("content-type", "application/geo+json"),
        ];
        assert_eq!(found, expected);
        assert_eq!(Envelope::of(LINE, b"Br", KafkaKey::Rule).key.as_deref(), Some(&b"Br"[..]));
        assert_eq!(Envelope::of(LINE, b"Br", KafkaKey::None).key, None);
        assert_eq!(alert_id(LINE).as_deref(), Some("ab"));
    }

    #[test]
    fn what_is_no_alert_keeps_the_key_it_was_given() {
        let envelope = Envelope::of(b"17", b"k", KafkaKey::Entity);
        assert_eq!((envelope.key.as_deref(), envelope.headers.count()), (Some(&b"k"[..]), 0));
        assert_eq!(alert_id(b"17"), None);
    }
}
