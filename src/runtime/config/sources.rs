//! Sources: where events come from.

use super::{
    ConfigError, kafka,
    node::Node,
    push::{HttpInput, MqttInput, read_http, read_mqtt},
    schema::{self, StreamSchema},
};
use crate::{
    io::{KafkaOptions, source::KafkaLayout},
    model::{TimeMs, parse_time},
    wire::{Format, RECORD_BYTES_MAX, infer},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A source of events: a stream that rules read by its name.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceConfig {
    /// What its records hold.
    pub schema: StreamSchema,
    /// Whether the schema was declared; otherwise it may be guessed from a file.
    pub declared: bool,
    /// Where they come from.
    pub input: Input,
    /// How much events of a partition may be out of order, milliseconds; default 0.
    pub disorder_ms: i64,
    /// After how much silence a partition no longer holds time back, milliseconds; `None`: never. Default 30 s.
    pub idle_timeout_ms: Option<i64>,
    /// The longest record that is accepted, bytes; default 1 MiB.
    pub record_bytes_max: usize,
}

/// Where records come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A file or a directory of files.
    File(FileInput),
    /// The process's input.
    Stdin {
        /// How records are written; `None`: looked at.
        format: Option<Format>,
    },
    /// A Kafka topic.
    Kafka(KafkaInput),
    /// Batches of JSON lines that are posted to the API.
    Http(HttpInput),
    /// Topics of an MQTT broker; payloads are JSON.
    Mqtt(MqttInput),
}

/// A file or a directory.
#[derive(Clone, Debug, PartialEq)]
pub struct FileInput {
    /// The file, or a directory whose files are partitions.
    pub path: PathBuf,
    /// How records are written; `None`: by the name, else looked at.
    pub format: Option<Format>,
    /// Whether to wait for more at the end.
    pub follow: bool,
    /// With `follow`, where to start.
    pub start: TailStart,
    /// With `follow`, how often to look for more, milliseconds; default 250.
    pub poll_ms: u64,
}

/// Where following a file starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TailStart {
    /// At its beginning.
    #[default]
    Beginning,
    /// With what is written from now on.
    End,
}

/// A Kafka topic.
#[derive(Clone, Debug, PartialEq)]
pub struct KafkaInput {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// The consumer group; default `geocep`.
    pub group: String,
    /// Where a group without a position starts.
    pub start: KafkaStart,
    /// How messages become records; default JSON.
    pub layout: KafkaLayout,
    /// Further settings of librdkafka, as they are.
    pub options: KafkaOptions,
}

/// Where a consumer group without a position starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KafkaStart {
    /// With the oldest message.
    #[default]
    Earliest,
    /// With the next message.
    Latest,
    /// With the first message of this time or later.
    At(TimeMs),
}

/// The default of `idle_timeout`.
const IDLE_TIMEOUT_MS: i64 = 30_000;

pub(super) fn read(
    node: &Node<'_>,
    schemas: &BTreeMap<String, StreamSchema>,
    base: &Path,
) -> Result<SourceConfig, ConfigError> {
    let mut fields = node.fields()?;
    let given = fields.get("schema");
    let schema = match &given {
        None => StreamSchema::default(),
        Some(name) if name.is_text() => {
            let known: Vec<_> = schemas.keys().map(|name| format!("`{name}`")).collect();
            let unknown = || name.wrong(format!("one of the schemas {}", known.join(", ")));
            schemas.get(name.text()?).cloned().ok_or_else(unknown)?
        }
        Some(inline) => schema::read(inline)?,
    };
    let inputs = ["file", "stdin", "kafka", "http", "mqtt"].map(|kind| fields.given(kind).map(|node| (kind, node)));
    let mut inputs = inputs.into_iter().flatten();
    let input = match (inputs.next(), inputs.next()) {
        (Some(("file", file)), None) => Input::File(read_file(&file, base)?),
        (Some(("stdin", stdin)), None) => Input::Stdin { format: read_stdin(&stdin)? },
        (Some(("kafka", kafka)), None) => Input::Kafka(read_kafka(&kafka, base)?),
        (Some(("http", http)), None) => Input::Http(read_http(&http)?),
        (Some(("mqtt", mqtt)), None) => Input::Mqtt(read_mqtt(&mqtt, base)?),
        _ => return Err(node.wrong("a source with one of `file`, `stdin`, `kafka`, `http`, `mqtt`")),
    };
    let disorder_ms = fields.get("disorder").map_or(Ok(0), |span| span.span_ms())?;
    let idle_timeout_ms = match fields.get("idle_timeout") {
        None => Some(IDLE_TIMEOUT_MS),
        Some(never) if never.text().is_ok_and(|text| text == "never") => None,
        Some(span) => Some(span.span_ms()?),
    };
    let record_bytes_max = match fields.get("record_bytes_max") {
        None => RECORD_BYTES_MAX,
        Some(node) => match node.bytes()? {
            bytes @ 1..=1_073_741_824 => bytes as usize,
            _ => return Err(node.wrong("a size from 1 byte to 1 GiB")),
        },
    };
    fields.done()?;
    let format = match &input {
        Input::File(file) => file.format.or_else(|| Format::of_name(&file.path.to_string_lossy())),
        Input::Stdin { format } => *format,
        Input::Kafka(kafka) => Some(kafka.layout.format()),
        Input::Http(_) | Input::Mqtt(_) => None,
    };
    if let Some(Format::Ais(messages)) = format {
        // What messages have is known, with types and units.
        if let Some(schema) = &given {
            return Err(schema.wrong("no schema: the fields of AIS are fixed"));
        }
        let schema = StreamSchema { open: false, ..infer(std::iter::empty(), Format::Ais(messages)).into() };
        return Ok(SourceConfig { schema, declared: true, input, disorder_ms, idle_timeout_ms, record_bytes_max });
    }
    Ok(SourceConfig { schema, declared: given.is_some(), input, disorder_ms, idle_timeout_ms, record_bytes_max })
}

fn read_format(node: Option<Node<'_>>) -> Result<Option<Format>, ConfigError> {
    let known = Format::NAMES.iter().map(|(name, format)| (*name, Some(*format)));
    let choices: Vec<(&str, Option<Format>)> = std::iter::once(("auto", None)).chain(known).collect();
    node.map_or(Ok(None), |node| node.choice(&choices))
}

fn read_file(node: &Node<'_>, base: &Path) -> Result<FileInput, ConfigError> {
    let (start, poll_ms) = (TailStart::default(), 250);
    if node.is_text() {
        return Ok(FileInput { path: base.join(node.name()?), format: None, follow: false, start, poll_ms });
    }
    let mut fields = node.fields()?;
    let path = base.join(fields.need("path")?.name()?);
    let format = read_format(fields.get("format"))?;
    let follow = fields.get("follow").map_or(Ok(false), |follow| follow.flag())?;
    let choices = [("beginning", TailStart::Beginning), ("end", TailStart::End)];
    let start = fields.get("start").map_or(Ok(start), |start| start.choice(&choices))?;
    let poll_ms = match fields.get("poll") {
        None => poll_ms,
        Some(node) => match node.span_ms()? {
            span_ms @ 1..=3_600_000 => span_ms as u64,
            _ => return Err(node.wrong("a duration from 1 ms to 1 h")),
        },
    };
    fields.done()?;
    let document = format.or_else(|| Format::of_name(&path.to_string_lossy()));
    if follow && matches!(document, Some(Format::Document(_))) {
        return Err(node.wrong("a format of lines: a file that is one document can't be followed"));
    }
    Ok(FileInput { path, format, follow, start, poll_ms })
}

fn read_stdin(node: &Node<'_>) -> Result<Option<Format>, ConfigError> {
    let mut fields = node.fields()?;
    let format = read_format(fields.get("format"))?;
    fields.done()?;
    Ok(format)
}

fn read_kafka(node: &Node<'_>, base: &Path) -> Result<KafkaInput, ConfigError> {
    let mut fields = node.fields()?;
    let kafka::Connection { brokers, topic, options } = kafka::read(&mut fields, base)?;
    let group = fields.get("group").map_or(Ok("geocep"), |group| group.name())?.to_owned();
    let start = fields.get("start").map_or(Ok(KafkaStart::default()), |start| read_start(&start))?;
    let layout = read_layout(&mut fields)?;
    fields.done()?;
    Ok(KafkaInput { brokers, topic, group, start, layout, options })
}

fn read_start(node: &Node<'_>) -> Result<KafkaStart, ConfigError> {
    match node.text() {
        Ok("earliest") => Ok(KafkaStart::Earliest),
        Ok("latest") => Ok(KafkaStart::Latest),
        Ok(text) if parse_time(text).is_ok_and(|at_ms| at_ms >= 0) => {
            Ok(KafkaStart::At(parse_time(text).unwrap_or_default()))
        }
        _ => Err(node.wrong("`earliest`, `latest` or a time such as `2026-01-31T06:00:00Z`")),
    }
}

fn read_layout(fields: &mut super::node::Fields<'_>) -> Result<KafkaLayout, ConfigError> {
    let format = match fields.get("format") {
        None => None,
        Some(node) if node.text().is_ok_and(|text| text == "json") => None,
        Some(node) => match read_format(Some(node.clone()))? {
            None | Some(Format::Ndjson) => None,
            Some(format @ (Format::Csv { .. } | Format::Ais(_) | Format::GeoJson)) => Some(format),
            Some(_) => {
                return Err(node.wrong("a format of single messages: json, csv, tsv, ais, ais-static, geojsonseq"));
            }
        },
    };
    let mut layout = KafkaLayout { format, ..KafkaLayout::default() };
    if let Some(Format::Csv { .. }) = format {
        let columns = fields.need("columns")?.items();
        layout.columns = columns.iter().map(|name| name.name().map(str::to_owned)).collect::<Result<_, _>>()?;
    } else if let Some(columns) = fields.get("columns") {
        return Err(columns.wrong("none but with `format: csv` or `tsv`"));
    }
    if let Some(node) = fields.get("fields").filter(|_| matches!(format, Some(Format::Ais(_) | Format::GeoJson))) {
        return Err(node.wrong("none but with `format: json`, `csv` or `tsv`"));
    }
    if let Some(node) = fields.get("fields") {
        let mut fields = node.fields()?;
        let name = |node: Node<'_>| node.name().map(str::to_owned);
        layout.key = fields.get("key").map(name).transpose()?;
        layout.timestamp = fields.get("timestamp").map(name).transpose()?;
        for (header, field) in fields.get("headers").map_or(Ok(Vec::new()), |headers| headers.named())? {
            layout.headers.insert(header, name(field)?);
        }
        fields.done()?;
    }
    Ok(layout)
}
