//! What Kafka's sources and sinks have in common: how to get to a broker, and what of the client's settings is set.

use super::{ConfigError, node::Node};
use crate::io::KafkaOptions;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Settings of the client that keys of the configuration's own decide on.
const OURS: &[(&str, &str)] = &[
    ("transactional.id", "`delivery` and `transactional_id` decide"),
    ("enable.idempotence", "it is always on"),
    ("bootstrap.servers", "`brokers` has them"),
    ("group.id", "`group` is it"),
];

/// The keys `brokers`, `topic`, `tls`, `sasl` and `options`; the caller reads the others.
pub(super) struct Connection {
    pub(super) brokers: String,
    pub(super) topic: String,
    pub(super) options: KafkaOptions,
}

pub(super) fn read(fields: &mut super::node::Fields<'_>, base: &Path) -> Result<Connection, ConfigError> {
    let brokers = fields.need("brokers")?.name()?.to_owned();
    let topic = fields.need("topic")?.name()?.to_owned();
    let mut options = BTreeMap::new();
    let (tls, sasl) = (fields.get("tls"), fields.get("sasl"));
    let mut is_tls = false;
    if let Some(tls) = &tls {
        is_tls = read_tls(tls, base, &mut options)?;
    }
    if let Some(sasl) = &sasl {
        read_sasl(sasl, base, &mut options)?;
    }
    let protocol = match (is_tls, sasl.is_some()) {
        (false, false) => None,
        (true, false) => Some("ssl"),
        (false, true) => Some("sasl_plaintext"),
        (true, true) => Some("sasl_ssl"),
    };
    options.extend(protocol.map(|protocol| ("security.protocol".to_owned(), protocol.to_owned())));
    if let Some(node) = fields.get("options") {
        for (name, value) in node.named()? {
            if let Some((_, why)) = OURS.iter().find(|(ours, _)| *ours == name) {
                return Err(node.wrong(format!("options without `{name}`: {why}")));
            }
            let hidden = |_| hidden(&value, "a text, number or flag");
            let text = value.scalar().map_err(hidden)?;
            if needs_tls(&name, &text) {
                needs_build(&node, &name)?;
            }
            options.insert(name, text);
        }
    }
    Ok(Connection { brokers, topic, options: options.into() })
}

/// A value that may be a secret isn't repeated.
fn hidden(node: &Node<'_>, expected: &str) -> ConfigError {
    match node.wrong(expected) {
        ConfigError::Value { path, expected, .. } => {
            ConfigError::Value { path, found: "another kind of value".to_owned(), expected }
        }
        other => other,
    }
}

/// Whether this build has TLS.
const HAS_TLS: bool = cfg!(feature = "tls");

fn needs_tls(name: &str, value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    name.starts_with("ssl.")
        || (name == "security.protocol" && value.contains("ssl"))
        || (name.starts_with("sasl.mechanism") && value.starts_with("scram"))
}

fn needs_build(node: &Node<'_>, what: &str) -> Result<(), ConfigError> {
    match HAS_TLS {
        true => Ok(()),
        false => Err(hidden(
            node,
            &format!(
                "no `{what}`: this build has no TLS (nor SCRAM, which needs the same library); build it with `--features tls`"
            ),
        )),
    }
}

fn read_tls(node: &Node<'_>, base: &Path, options: &mut BTreeMap<String, String>) -> Result<bool, ConfigError> {
    if let Ok(flag) = node.flag() {
        if flag {
            needs_build(node, "tls")?;
        }
        return Ok(flag);
    }
    needs_build(node, "tls")?;
    let mut fields = node.fields()?;
    let files = [("ca", "ssl.ca.location"), ("certificate", "ssl.certificate.location"), ("key", "ssl.key.location")];
    for (key, name) in files {
        if let Some(file) = fields.get(key) {
            options.insert(name.to_owned(), base.join(file.name()?).display().to_string());
        }
    }
    if let Some(password) = secret(&mut fields, "key_password", "key_password_file", base)? {
        options.insert("ssl.key.password".to_owned(), password);
    }
    fields.done()?;
    Ok(true)
}

fn read_sasl(node: &Node<'_>, base: &Path, options: &mut BTreeMap<String, String>) -> Result<(), ConfigError> {
    let mut fields = node.fields()?;
    let mechanisms = [("plain", "PLAIN"), ("scram_sha_256", "SCRAM-SHA-256"), ("scram_sha_512", "SCRAM-SHA-512")];
    let mechanism = fields.get("mechanism");
    let name = mechanism.as_ref().map_or(Ok("PLAIN"), |mechanism| mechanism.choice(&mechanisms))?;
    if name != "PLAIN" {
        needs_build(mechanism.as_ref().unwrap_or(node), "scram")?;
    }
    options.insert("sasl.mechanism".to_owned(), name.to_owned());
    options.insert("sasl.username".to_owned(), fields.need("username")?.name()?.to_owned());
    match secret(&mut fields, "password", "password_file", base)? {
        Some(password) => options.insert("sasl.password".to_owned(), password),
        None => return Err(node.wrong("a mapping with `password` or `password_file`")),
    };
    fields.done()
}

/// A secret of the configuration, best from the environment, or of a file, whose last newline doesn't count.
fn secret(
    fields: &mut super::node::Fields<'_>,
    key: &'static str,
    file: &'static str,
    base: &Path,
) -> Result<Option<String>, ConfigError> {
    match (fields.get(key), fields.get(file)) {
        (Some(_), Some(node)) => Err(node.wrong(format!("none beside `{key}`"))),
        (Some(node), None) => {
            let expected = "a text, best from the environment: `${NAME}`";
            node.name().map(|text| Some(text.to_owned())).map_err(|_| hidden(&node, expected))
        }
        (None, Some(node)) => {
            let path: PathBuf = base.join(node.name()?);
            let text = std::fs::read_to_string(&path).map_err(|error| ConfigError::Read { path, error })?;
            Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
#[path = "kafka_test.rs"]
mod tests;
