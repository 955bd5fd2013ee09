//! Sinks: where alerts, late events and dead letters go.

use super::{
    ConfigError, StateConfig,
    http_sinks::{self, HttpSinkConfig},
    kafka,
    node::Node,
    push::{MqttSinkConfig, read_mqtt_sink},
};
use crate::io::{KafkaOptions, sink::KafkaKey};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Where outputs go.
#[derive(Clone, Debug, PartialEq)]
pub struct SinksConfig {
    /// Each alert goes to all of them; default `[stdout]`.
    pub alerts: Vec<AlertSinkConfig>,
    /// Each alert of a rule in shadow mode goes to all of these; default none: they are only counted.
    pub shadow: Vec<AlertSinkConfig>,
    /// Events that came after the watermark had passed them; counted either way.
    pub late: Option<FileSinkConfig>,
    /// Records that became no event; counted either way.
    pub dead_letter: Option<FileSinkConfig>,
}

impl Default for SinksConfig {
    fn default() -> Self {
        Self { alerts: vec![AlertSinkConfig::Stdout], shadow: Vec::new(), late: None, dead_letter: None }
    }
}

impl SinksConfig {
    /// Those that post to a receiver.
    pub fn http(&self) -> impl Iterator<Item = &HttpSinkConfig> {
        self.alerts.iter().chain(&self.shadow).filter_map(|sink| match sink {
            AlertSinkConfig::Http(http) => Some(&**http),
            _ => None,
        })
    }
}

/// A sink of alerts.
#[derive(Clone, Debug, PartialEq)]
pub enum AlertSinkConfig {
    /// The process's output.
    Stdout,
    /// A file.
    File(FileSinkConfig),
    /// A Kafka topic.
    Kafka(KafkaSinkConfig),
    /// A topic of an MQTT broker.
    Mqtt(MqttSinkConfig),
    /// A webhook or an Alertmanager.
    Http(Box<HttpSinkConfig>),
}

/// A file that lines are appended to.
#[derive(Clone, Debug, PartialEq)]
pub struct FileSinkConfig {
    /// The file; its directories are made.
    pub path: PathBuf,
    /// The size past which it is renamed to `NAME.1` (and that to `NAME.2` …) and begun anew; `None`: never.
    pub rotate_bytes: Option<u64>,
    /// How many renamed files are kept; default 5.
    pub keep: u32,
}

/// What a sink promises.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// No alert is lost; after a crash some come twice, with the same id.
    #[default]
    AtLeastOnce,
    /// Whoever reads what is committed sees each alert once.
    ExactlyOnce {
        /// Under which it is known to Kafka; default `geocep-TOPIC`.
        transactional_id: String,
    },
}

/// A Kafka topic that alerts are written to.
#[derive(Clone, Debug, PartialEq)]
pub struct KafkaSinkConfig {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// What messages are keyed by.
    pub key: KafkaKey,
    /// What it promises.
    pub delivery: Delivery,
    /// Further settings of librdkafka, as they are.
    pub options: KafkaOptions,
}

impl SinksConfig {
    /// Sinks of alerts that are written exactly once, with their places in the file.
    fn exactly_once(&self) -> impl Iterator<Item = (String, &KafkaSinkConfig, &str)> {
        let place = |list: &'static str| move |(at, sink)| (format!("sinks.{list}.{at}.kafka"), sink);
        let alerts = self.alerts.iter().enumerate().map(place("alerts"));
        alerts.chain(self.shadow.iter().enumerate().map(place("shadow"))).filter_map(|(path, sink)| match sink {
            AlertSinkConfig::Kafka(kafka) => match &kafka.delivery {
                Delivery::ExactlyOnce { transactional_id } => Some((path, kafka, transactional_id.as_str())),
                Delivery::AtLeastOnce => None,
            },
            _ => None,
        })
    }

    /// Whether what was asked for can be had.
    ///
    /// # Errors
    /// Exactly once without checkpoints, or under an id that another sink has.
    pub(super) fn check(&self, state: &StateConfig) -> Result<(), ConfigError> {
        let mut ids = BTreeMap::new();
        for (path, kafka, id) in self.exactly_once() {
            if !state.enabled {
                return Err(ConfigError::Value {
                    path: format!("{path}.delivery"),
                    found: "`exactly_once`".to_owned(),
                    expected:
                        "`at_least_once` with `state.enabled: false`: what was sent is only known from checkpoints"
                            .to_owned(),
                });
            }
            if let Some(first) = ids.insert((&kafka.brokers, id), path.clone()) {
                return Err(ConfigError::Value {
                    path: format!("{path}.transactional_id"),
                    found: format!("`{id}`"),
                    expected: format!("another one: it is that of `{first}`, and each sink needs its own"),
                });
            }
        }
        Ok(())
    }
}

pub(super) fn read(node: &Node<'_>, base: &Path) -> Result<SinksConfig, ConfigError> {
    let mut fields = node.fields()?;
    let mut sinks = SinksConfig::default();
    if let Some(alerts) = fields.get("alerts") {
        sinks.alerts = alerts.items().iter().map(|sink| read_alert_sink(sink, base)).collect::<Result<_, _>>()?;
    }
    if let Some(shadow) = fields.get("shadow") {
        sinks.shadow = shadow.items().iter().map(|sink| read_alert_sink(sink, base)).collect::<Result<_, _>>()?;
    }
    sinks.late = fields.get("late").map(|late| read_lines(&late, base)).transpose()?;
    sinks.dead_letter = fields.get("dead_letter").map(|letters| read_lines(&letters, base)).transpose()?;
    fields.done()?;
    let mut names = BTreeSet::new();
    for http in sinks.http() {
        if !names.insert(&http.name) {
            let expected =
                "a name of its own for each webhook and Alertmanager: their outboxes are called so".to_owned();
            return Err(ConfigError::Value {
                path: "sinks".to_owned(),
                found: format!("two sinks `{}`", http.name),
                expected,
            });
        }
    }
    Ok(sinks)
}

fn read_alert_sink(node: &Node<'_>, base: &Path) -> Result<AlertSinkConfig, ConfigError> {
    let expected = "`stdout` or a mapping with one of `stdout`, `file`, `kafka`, `mqtt`, `webhook`, `alertmanager`";
    if node.is_text() {
        return if node.text()? == "stdout" { Ok(AlertSinkConfig::Stdout) } else { Err(node.wrong(expected)) };
    }
    if let Some(http) = http_sinks::read(node, base)? {
        return Ok(AlertSinkConfig::Http(Box::new(http)));
    }
    let mut fields = node.fields()?;
    if let Some(mqtt) = fields.given("mqtt") {
        fields.done()?;
        return read_mqtt_sink(&mqtt, base).map(AlertSinkConfig::Mqtt);
    }
    let sinks = [fields.given("stdout"), fields.given("file"), fields.given("kafka")];
    fields.done()?;
    match &sinks {
        [Some(stdout), None, None] => {
            let mut fields = stdout.fields()?;
            never_exactly_once(fields.get("delivery"), "stdout")?;
            fields.done().map(|()| AlertSinkConfig::Stdout)
        }
        [None, Some(file), None] => read_file(file, base).map(AlertSinkConfig::File),
        [None, None, Some(kafka)] => read_kafka(kafka, base).map(AlertSinkConfig::Kafka),
        _ => Err(node.wrong(expected)),
    }
}

const DELIVERIES: &[(&str, bool)] = &[("at_least_once", false), ("exactly_once", true)];

/// What a sink other than Kafka may say of delivery.
fn never_exactly_once(node: Option<Node<'_>>, what: &str) -> Result<(), ConfigError> {
    match node {
        Some(node) if node.choice(DELIVERIES)? => Err(node.wrong(format!(
            "`at_least_once`: {what} has no transactions, so that a restart can't know what arrived; only a Kafka topic takes alerts exactly once"
        ))),
        _ => Ok(()),
    }
}

fn read_kafka(node: &Node<'_>, base: &Path) -> Result<KafkaSinkConfig, ConfigError> {
    let mut fields = node.fields()?;
    let kafka::Connection { brokers, topic, options } = kafka::read(&mut fields, base)?;
    let keys = [("entity", KafkaKey::Entity), ("rule", KafkaKey::Rule), ("none", KafkaKey::None)];
    let key = fields.get("key").map_or(Ok(KafkaKey::default()), |key| key.choice(&keys))?;
    let is_exact = fields.get("delivery").map_or(Ok(false), |delivery| delivery.choice(DELIVERIES))?;
    let given = fields.get("transactional_id");
    let delivery = match (is_exact, &given) {
        (false, Some(id)) => return Err(id.wrong("none without `delivery: exactly_once`")),
        (false, None) => Delivery::AtLeastOnce,
        (true, _) => {
            let id = given.as_ref().map(|id| id.name().map(str::to_owned)).transpose()?;
            Delivery::ExactlyOnce { transactional_id: id.unwrap_or_else(|| format!("geocep-{topic}")) }
        }
    };
    fields.done()?;
    Ok(KafkaSinkConfig { brokers, topic, key, delivery, options })
}

/// `late: path`, `late: {path: …}` or `late: {file: …}`.
pub(super) fn read_lines(node: &Node<'_>, base: &Path) -> Result<FileSinkConfig, ConfigError> {
    if !node.is_text()
        && let Some(file) = node.fields()?.get("file")
    {
        let mut fields = node.fields()?;
        fields.get("file");
        fields.done()?;
        return read_file(&file, base);
    }
    read_file(node, base)
}

fn read_file(node: &Node<'_>, base: &Path) -> Result<FileSinkConfig, ConfigError> {
    if node.is_text() {
        return Ok(FileSinkConfig { path: base.join(node.name()?), rotate_bytes: None, keep: 5 });
    }
    let mut fields = node.fields()?;
    let path = base.join(fields.need("path")?.name()?);
    let rotate_bytes = fields.get("rotate").map(|size| size.bytes()).transpose()?;
    let keep = fields.get("keep").map_or(Ok(5), |keep| keep.number(1, 1_000))? as u32;
    never_exactly_once(fields.get("delivery"), "a file")?;
    fields.done()?;
    Ok(FileSinkConfig { path, rotate_bytes, keep })
}
