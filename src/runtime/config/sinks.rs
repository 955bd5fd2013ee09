//! Sinks: where alerts, late events and dead letters go.

use super::{
    ConfigError,
    http_sinks::{self, HttpSinkConfig},
    node::Node,
    push::{MqttSinkConfig, read_mqtt_sink},
    sources::read_options,
};
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

/// A Kafka topic that alerts are written to, keyed by the rule's name.
#[derive(Clone, Debug, PartialEq)]
pub struct KafkaSinkConfig {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// Further settings of librdkafka, as they are.
    pub options: BTreeMap<String, String>,
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
        return read_mqtt_sink(&mqtt).map(AlertSinkConfig::Mqtt);
    }
    let sinks = [fields.given("stdout"), fields.given("file"), fields.given("kafka")];
    fields.done()?;
    match &sinks {
        [Some(stdout), None, None] => stdout.fields()?.done().map(|()| AlertSinkConfig::Stdout),
        [None, Some(file), None] => read_file(file, base).map(AlertSinkConfig::File),
        [None, None, Some(kafka)] => {
            let mut fields = kafka.fields()?;
            let brokers = fields.need("brokers")?.name()?.to_owned();
            let topic = fields.need("topic")?.name()?.to_owned();
            let options = read_options(fields.get("options"))?;
            fields.done()?;
            Ok(AlertSinkConfig::Kafka(KafkaSinkConfig { brokers, topic, options }))
        }
        _ => Err(node.wrong(expected)),
    }
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
    fields.done()?;
    Ok(FileSinkConfig { path, rotate_bytes, keep })
}
