//! Prometheus' Alertmanager: `POST /api/v2/alerts`.
//!
//! | Alertmanager | geocep |
//! | --- | --- |
//! | `labels` | `alertname`: the rule; the rule's labels; the fields of the key (named `key_…` where a label has the name); those of the configuration, where nothing else has the name |
//! | `annotations` | the rule's annotations; `geocep_id`, `geocep_status`, `geocep_start`, `geocep_end`; each measure as `measure_…` |
//! | `startsAt` | the alert's `start`, not later than now |
//! | `endsAt` | now and `active_for` |
//! | `generatorURL` | that of the configuration |
//!
//! To Alertmanager an alert is what has the same labels, so the next one of a rule and key goes on with the one before. The id isn't a label: each alert
//! would be a group of its own. An alert says that something happened, not for how long it lasts; so it ends after `active_for`, unless it comes again.
//! Alertmanager forgets alerts when it is restarted, so those that haven't ended are said again, as Prometheus does.

use super::{Answer, Parcel, Post, Receiver};
use crate::{
    model::{format_time, parse_time},
    wire::AlertId,
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, time::Duration};

/// So many alerts are said again at most; further ones are said once.
const ACTIVE_MAX: usize = 10_000;

/// What Alertmanager is told beside the alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertmanagerOptions {
    /// How long an alert that doesn't come again is shown, in milliseconds.
    pub active_ms: i64,
    /// How often alerts that haven't ended are said again; none: never.
    pub resend: Option<Duration>,
    /// Further labels.
    pub labels: Vec<(String, String)>,
    /// Where a click on an alert leads.
    pub generator_url: Option<String>,
    /// How many alerts a request may have.
    pub batch: usize,
}

/// Posts alerts to an Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    post: Post,
    options: AlertmanagerOptions,
    /// What was taken and hasn't ended, by its labels: when it ends, and what was said.
    active: BTreeMap<String, (i64, Value)>,
}

impl Alertmanager {
    /// Posts to `/api/v2/alerts`, which `post` has to lead to.
    pub fn new(post: Post, options: AlertmanagerOptions) -> Self {
        Self { post, options, active: BTreeMap::new() }
    }

    /// The address of an Alertmanager's alerts, from that of the Alertmanager.
    pub fn address(url: &str) -> String {
        let base = url.trim_end_matches('/');
        if base.ends_with("/api/v2/alerts") { base.to_owned() } else { format!("{base}/api/v2/alerts") }
    }

    fn say(&self, alerts: &[Value]) -> Answer {
        let body = Value::from(alerts).to_string();
        self.post.post("application/json", None, body.as_bytes())
    }

    /// Keeps what is to be said again.
    fn keep(&mut self, alerts: Vec<Value>, ends_ms: i64) {
        if self.options.resend.is_none() {
            return;
        }
        for alert in alerts {
            let labels = alert.get("labels").map(Value::to_string).unwrap_or_default();
            if self.active.len() < ACTIVE_MAX || self.active.contains_key(&labels) {
                self.active.insert(labels, (ends_ms, alert));
            }
        }
    }
}

impl Receiver for Alertmanager {
    fn batch(&self) -> usize {
        self.options.batch.max(1)
    }

    fn deliver(&mut self, parcels: &[Parcel], wall_ms: i64) -> Answer {
        let ends_ms = wall_ms.saturating_add(self.options.active_ms);
        let alerts: Option<Vec<Value>> =
            parcels.iter().map(|parcel| alert(parcel, &self.options, wall_ms, ends_ms)).collect();
        let Some(alerts) = alerts else {
            return Answer::Refused { why: "the line is no alert".to_owned() };
        };
        let answer = self.say(&alerts);
        if answer == Answer::Taken {
            self.keep(alerts, ends_ms);
        }
        answer
    }

    fn reminds_every(&self) -> Option<Duration> {
        self.options.resend
    }

    fn remind(&mut self, wall_ms: i64) {
        self.active.retain(|_, (ends_ms, _)| *ends_ms > wall_ms);
        let alerts: Vec<Value> = self.active.values().map(|(_, alert)| alert.clone()).collect();
        for alerts in alerts.chunks(self.options.batch.max(1)) {
            // Everybody has them already: what fails is said again next time.
            if self.say(alerts) != Answer::Taken {
                return;
            }
        }
    }
}

/// What Alertmanager is told of an alert; none: the line is none.
fn alert(parcel: &Parcel, options: &AlertmanagerOptions, wall_ms: i64, ends_ms: i64) -> Option<Value> {
    let line: Value = serde_json::from_slice(&parcel.line).ok()?;
    let properties = line.get("properties")?;
    let members = |name: &str| properties.get(name).and_then(Value::as_object).into_iter().flatten();
    let word = |name: &str| properties.get(name).and_then(Value::as_str);
    let mut labels = Map::new();
    let mut label = |name: &str, value: Option<String>| {
        // To Alertmanager an empty label is none.
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            labels.insert(name.to_owned(), Value::from(value));
        }
    };
    label("alertname", Some(parcel.rule.clone()));
    for (name, value) in members("labels").filter(|(name, _)| *name != "alertname") {
        label(&label_name(name), text(value));
    }
    for (name, value) in members("key") {
        let name = label_name(name);
        let is_taken = name == "alertname" || members("labels").any(|(label, _)| label_name(label) == name);
        label(&if is_taken { format!("key_{name}") } else { name }, text(value));
    }
    for (name, value) in &options.labels {
        let name = label_name(name);
        if !labels.contains_key(&name) && !value.is_empty() {
            labels.insert(name, Value::from(value.as_str()));
        }
    }
    let mut annotations = Map::new();
    let own = members("annotations").map(|(name, value)| (label_name(name), text(value)));
    let measures = members("measures").map(|(name, value)| (format!("measure_{}", label_name(name)), text(value)));
    let geocep = [
        ("geocep_id", Some(AlertId(parcel.id).to_string())),
        ("geocep_status", word("status").map(str::to_owned)),
        ("geocep_start", word("start").map(str::to_owned)),
        ("geocep_end", word("end").map(str::to_owned)),
    ];
    let geocep = geocep.into_iter().map(|(name, value)| (name.to_owned(), value));
    for (name, value) in own.chain(measures).chain(geocep) {
        if let Some(value) = value {
            annotations.insert(name, Value::from(value));
        }
    }
    let start_ms = word("start").and_then(|start| parse_time(start).ok()).unwrap_or(parcel.put_ms);
    let mut alert = json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": format_time(start_ms.min(wall_ms)),
        "endsAt": format_time(ends_ms),
    });
    if let (Some(url), Some(alert)) = (&options.generator_url, alert.as_object_mut()) {
        alert.insert("generatorURL".to_owned(), Value::from(url.as_str()));
    }
    Some(alert)
}

/// A value as a label or annotation has it: text as it is, the rest as JSON; null is none.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A name that every Alertmanager takes: letters, digits and underscores, no digit at the beginning.
fn label_name(name: &str) -> String {
    let mut plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if plain.is_empty() || plain.starts_with(|c: char| c.is_ascii_digit()) {
        plain.insert(0, '_');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> AlertmanagerOptions {
        AlertmanagerOptions {
            active_ms: 300_000,
            resend: None,
            labels: vec![("site".to_owned(), "north".to_owned()), ("severity".to_owned(), "none".to_owned())],
            generator_url: Some("https://example.org/map".to_owned()),
            batch: 64,
        }
    }

    const LINE: &str = r#"{"type":"Feature","id":"00000000000000000000000000000abc","geometry":null,"properties":{"id":"00000000000000000000000000000abc","rule":"Queue","rule_version":"1","status":"firing","severity":"page","labels":{"severity":"page","team-a":"ops","alertname":"x"},"key":{"zone":"A1","cell":null,"severity":3,"n":2.5},"start":"2026-03-02T06:00:00Z","end":"2026-03-02T06:05:00Z","measures":{"n":7,"at":{"lon":1,"lat":2}},"annotations":{"summary":"7 wait"},"events":[]}}"#;

    #[test]
    fn an_alert_is_mapped_as_the_documentation_says() {
        let parcel = Parcel { id: 0xabc, rule: "Queue".to_owned(), line: LINE.as_bytes().to_vec(), put_ms: 0 };
        let now_ms = parse_time("2026-03-02T06:05:01Z").unwrap();
        let body = alert(&parcel, &options(), now_ms, now_ms + 300_000).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap());
        // A clock that is set back, and a time that has yet to come.
        let early = alert(&parcel, &options(), 1_000, 2_000).unwrap();
        assert_eq!(
            (&early["startsAt"], &early["endsAt"]),
            (&json!("1970-01-01T00:00:01Z"), &json!("1970-01-01T00:00:02Z"))
        );
        assert_eq!(alert(&Parcel { line: b"{}".to_vec(), ..parcel }, &options(), 0, 0), None);
    }

    #[test]
    fn what_is_not_over_is_said_again_and_what_is_over_is_not() {
        use crate::io::receiver::post::tests::{answering, plain};
        const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        const NO: &str = "HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let (address, serving) = answering(&[NO, OK, OK, OK]);
        let options = AlertmanagerOptions { active_ms: 1_000, resend: Some(Duration::from_secs(1)), ..options() };
        let mut manager = Alertmanager::new(Post::new(plain(&format!("http://{address}"))).unwrap(), options);
        let parcel = |id, line: String| Parcel { id, rule: "Queue".to_owned(), line: line.into_bytes(), put_ms: 0 };
        let (first, other) = (parcel(1, LINE.to_owned()), parcel(2, LINE.replace("A1", "B2")));
        assert!(matches!(manager.deliver(std::slice::from_ref(&first), 0), Answer::Later { .. }));
        assert_eq!(manager.deliver(std::slice::from_ref(&first), 0), Answer::Taken);
        // The same labels again, and others.
        assert_eq!(manager.deliver(&[first, other], 500), Answer::Taken);
        manager.remind(1_200);
        manager.remind(1_600);
        let asked = serving.join().unwrap();
        let said = |request: &String| -> Vec<Value> {
            serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
        };
        let again = said(&asked[3]);
        let zones: Vec<&Value> = again.iter().map(|alert| &alert["labels"]["zone"]).collect();
        assert_eq!(zones, ["A1", "B2"]);
        assert_eq!(again[0]["endsAt"], "1970-01-01T00:00:01.5Z");
    }

    #[test]
    fn names_are_those_that_every_alertmanager_takes() {
        assert_eq!(["zone", "a-b.c", "1st", "", "é"].map(label_name), ["zone", "a_b_c", "_1st", "_", "_"]);
        assert_eq!(Alertmanager::address("http://am:9093/"), "http://am:9093/api/v2/alerts");
        assert_eq!(Alertmanager::address("http://am/x/api/v2/alerts"), "http://am/x/api/v2/alerts");
    }
}
