//! Settings of librdkafka as a user gives them.

use std::{collections::BTreeMap, fmt, ops::Deref};

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
}
