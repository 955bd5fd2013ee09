//! A webhook: somebody's own HTTP endpoint.

use super::{Answer, Parcel, Post, Receiver};
use crate::wire::AlertId;
use xxhash_rust::xxh3::xxh3_128;

/// What a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookBody {
    /// One alert a request, as it stands in a file: `application/geo+json`.
    Single,
    /// A JSON list of alerts: `application/json`.
    Json,
    /// An alert a line: `application/x-ndjson`.
    Ndjson,
}

/// Posts alerts to an endpoint.
#[derive(Debug)]
pub struct Webhook {
    post: Post,
    body: WebhookBody,
    batch: usize,
}

impl Webhook {
    /// Posts at most `batch` alerts a request (one, where a body is one).
    pub fn new(post: Post, body: WebhookBody, batch: usize) -> Self {
        Self { post, body, batch }
    }
}

impl Receiver for Webhook {
    fn batch(&self) -> usize {
        if self.body == WebhookBody::Single { 1 } else { self.batch.max(1) }
    }

    fn deliver(&mut self, parcels: &[Parcel], _: i64) -> Answer {
        let (content_type, body) = body(self.body, parcels);
        self.post.post(content_type, Some(&key(parcels)), &body)
    }
}

/// The same for the same alerts in the same order, whenever they are sent: an alert's id, or a hash of several.
fn key(parcels: &[Parcel]) -> String {
    if let [parcel] = parcels {
        return AlertId(parcel.id).to_string();
    }
    let ids: Vec<u8> = parcels.iter().flat_map(|parcel| parcel.id.to_le_bytes()).collect();
    AlertId(xxh3_128(&ids)).to_string()
}

fn body(kind: WebhookBody, parcels: &[Parcel]) -> (&'static str, Vec<u8>) {
    let joined = |between: u8| {
        let lines: Vec<&[u8]> = parcels.iter().map(|parcel| parcel.line.as_slice()).collect();
        lines.join(&between)
    };
    match kind {
        WebhookBody::Single => ("application/geo+json", joined(b'\n')),
        WebhookBody::Ndjson => {
            let mut body = joined(b'\n');
            body.push(b'\n');
            ("application/x-ndjson", body)
        }
        WebhookBody::Json => {
            let mut body = b"[".to_vec();
            body.extend(joined(b','));
            body.push(b']');
            ("application/json", body)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_hold_the_lines_as_they_are_and_keys_are_of_their_ids() {
        let parcel = |id, line: &str| Parcel { id, rule: "R".to_owned(), line: line.as_bytes().to_vec(), put_ms: 0 };
        let parcels = [parcel(1, "{\"a\":1}"), parcel(255, "{\"a\":2}")];
        let text = |kind| String::from_utf8(body(kind, &parcels).1).unwrap();
        assert_eq!(text(WebhookBody::Ndjson), "{\"a\":1}\n{\"a\":2}\n");
        assert_eq!(text(WebhookBody::Json), "[{\"a\":1},{\"a\":2}]");
        assert_eq!(body(WebhookBody::Single, &parcels[..1]), ("application/geo+json", b"{\"a\":1}".to_vec()));
        assert_eq!(key(&parcels[1..]), "000000000000000000000000000000ff");
        assert_ne!(key(&parcels), key(&[parcels[1].clone(), parcels[0].clone()]));
    }
}
