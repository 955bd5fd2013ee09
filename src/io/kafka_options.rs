//! Settings of librdkafka as a user gives them.

use rdkafka::ClientConfig;
use std::{collections::BTreeMap, fmt, ops::Deref};

/// A client tries again to reach a broker that is away after so many milliseconds at most; librdkafka's own 10 s are long where it is back.
const RECONNECT_MAX_MS: &str = "1000";

/// Settings of librdkafka by name. Shown, secrets are hidden.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KafkaOptions(BTreeMap<String, String>);

impl From<BTreeMap<String, String>> for KafkaOptions {
    fn from(options: BTreeMap<String, String>) -> Self {
        Self(options)
    }
}

impl Deref for KafkaOptions {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// What every client here begins with, before these further settings are made.
pub(super) fn kafka_client(brokers: &str, options: &BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("client.id", "geocep");
    // Who says at what to begin may begin with more.
    if !options.contains_key("reconnect.backoff.ms") {
        config.set("reconnect.backoff.max.ms", RECONNECT_MAX_MS);
    }
    config
}

/// Whether a setting's value may be shown.
fn is_secret(name: &str) -> bool {
    ["password", "secret", "token", "ssl.key.pem", "oauthbearer.config", "jaas"].iter().any(|part| name.contains(part))
}

impl fmt::Debug for KafkaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|(name, value)| (name, if is_secret(name) { "..." } else { value }));
        f.debug_map().entries(shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let pairs = [("sasl.password", "hush"), ("ssl.key.password", "hush"), ("linger.ms", "5")];
        let options = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = format!("{:?}", KafkaOptions::from(BTreeMap::from(options)));
        assert!(!text.contains("hush") && text.contains("\"linger.ms\": \"5\""), "{text}");
    }

    #[test]
    fn a_longer_pause_between_tries_can_be_asked_for() {
        let made = |options: &[(&str, &str)]| {
            let options = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            let mut config = kafka_client("b:1", &options);
            for (name, value) in &options {
                config.set(name, value);
            }
            config.create_native_config().is_ok().then(|| config.get("reconnect.backoff.max.ms").map(str::to_owned))
        };
        assert_eq!(made(&[]), Some(Some("1000".to_owned())));
        assert_eq!(made(&[("reconnect.backoff.ms", "5000")]), Some(None));
        assert_eq!(made(&[("reconnect.backoff.max.ms", "9000")]), Some(Some("9000".to_owned())));
    }
}
