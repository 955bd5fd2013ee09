//! From configured sources and sinks to open ones.

use super::{
    config::{
        AlertSinkConfig, Delivery, FileSinkConfig, Input, KafkaStart, MqttBroker, MqttInput, MqttTlsConfig,
        QueueConfig, SourceConfig, TailStart,
    },
    http_sink::{HttpSink, open_http_sink},
};
use crate::{
    engine::checkpoint::{Place, Position},
    io::{
        mqtt::{MqttConnection, MqttTls, MqttTlsError},
        sink::{
            FileSink, KafkaSink, KafkaTransactionOptions, KafkaTransactions, MqttSink, Rotation, Sink, SinkError,
            StdoutSink, TransactionError,
        },
        source::{
            Durable, FileOptions, FileSource, Intake, IntakeOptions, IntakeSource, JournalError, KafkaCheckpoint,
            KafkaLag, KafkaSource, KafkaSourceOptions, MqttSource, MqttSourceOptions, Source, SourceError, TailOptions,
            TailSource, partitions,
        },
    },
};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// What checkpoints have to do with a source.
#[derive(Debug, Default)]
pub struct Resumption {
    /// Where the last run was in its partitions.
    pub places: Vec<Place>,
    /// Where there are checkpoints: what is told of durable offsets.
    pub durable: Option<Durable>,
    /// Of Kafka: what is told how much is yet to be read.
    pub lag: KafkaLag,
    /// Where there are checkpoints: where what is pushed is kept until they have it.
    pub log: Option<Log>,
}

/// The log of a source that is pushed to us.
#[derive(Clone, Debug)]
pub struct Log {
    /// Its directory.
    pub dir: PathBuf,
    /// How many checkpoints are kept, whose oldest the log has to reach back to.
    pub retain: usize,
}

impl Resumption {
    /// The partition's number of a file, and where the last run was in it. A file that it didn't know gets a number that none has.
    fn of_file(&self, path: &Path, at: usize, only: bool, taken: &mut u32) -> (u32, Option<&Position>) {
        if self.places.is_empty() {
            return (at as u32, None);
        }
        // By its name: the way to its directory depends on where the process was started.
        let is_it = |place: &&Place| match &place.position {
            Some(Position::File { path: saved, .. }) => {
                Path::new(saved).file_name() == path.file_name() || (only && self.places.len() == 1)
            }
            _ => false,
        };
        match self.places.iter().find(is_it) {
            Some(place) => (place.partition, place.position.as_ref()),
            None => {
                let known = self.places.iter().map(|place| place.partition.saturating_add(1)).max().unwrap_or(0);
                let number = known.saturating_add(*taken);
                *taken += 1;
                // Of one file that had not been read yet the number is known.
                (if only { 0 } else { number }, None)
            }
        }
    }
}

/// An open source and the number of its partition, if it brings one.
pub type Numbered = (u32, Box<dyn Source>);

/// Opens a source: one reader per file of a directory, each a partition of its own number; otherwise one reader. Kafka's
/// reader brings all partitions of a topic. What the last run has read isn't read again.
///
/// # Errors
/// A file or directory can't be read, or isn't the one that was read; an option of Kafka's is wrong.
pub fn open_source(name: &str, config: &SourceConfig, resume: &Resumption) -> Result<Vec<Numbered>, SourceError> {
    let record_bytes_max = config.record_bytes_max;
    match &config.input {
        Input::Stdin { format } => {
            let options = FileOptions { format: *format, partition: 0, record_bytes_max, ..FileOptions::default() };
            Ok(vec![(0, Box::new(FileSource::stdin(options)))])
        }
        Input::File(file) => {
            // A file that is followed may be yet to come.
            let paths = match file.follow && !file.path.is_dir() {
                true => vec![file.path.clone()],
                false => partitions(&file.path)?,
            };
            let (only, mut taken) = (paths.len() == 1, 0);
            let mut sources: Vec<Numbered> = Vec::new();
            for (at, path) in paths.iter().enumerate() {
                let (partition, from) = resume.of_file(path, at, only, &mut taken);
                let format = file.format;
                let source: Box<dyn Source> = if file.follow {
                    let (from_end, poll) = (file.start == TailStart::End, Duration::from_millis(file.poll_ms));
                    let options = TailOptions { format, partition, record_bytes_max, from_end, poll };
                    match from {
                        Some(from) => Box::new(TailSource::resume(path, options, from)?),
                        None => Box::new(TailSource::new(path, options)),
                    }
                } else {
                    let options = FileOptions { format, partition, record_bytes_max, ..FileOptions::default() };
                    match from {
                        Some(from) => Box::new(FileSource::resume(path, options, from)?),
                        None => Box::new(FileSource::open(path, options)?),
                    }
                };
                sources.push((partition, source));
            }
            Ok(sources)
        }
        Input::Http(http) => Ok(vec![(0, Box::new(open_intake(name, config, &http.queue, resume)?.1))]),
        Input::Mqtt(mqtt) => Ok(vec![(0, Box::new(open_mqtt(name, config, mqtt, resume)?.1))]),
        Input::Kafka(kafka) => {
            let options = KafkaSourceOptions {
                brokers: kafka.brokers.clone(),
                topic: kafka.topic.clone(),
                group: kafka.group.clone(),
                latest: kafka.start == KafkaStart::Latest,
                since_ms: match kafka.start {
                    KafkaStart::At(since_ms) => Some(since_ms),
                    _ => None,
                },
                layout: kafka.layout.clone(),
                record_bytes_max,
                options: kafka.options.clone(),
                lag: resume.lag.clone(),
                checkpoint: resume.durable.clone().map(|durable| KafkaCheckpoint {
                    from: resume.places.iter().filter_map(next_offset).collect(),
                    durable,
                }),
            };
            Ok(vec![(0, Box::new(KafkaSource::connect(options)?))])
        }
    }
}

/// Opens what holds records that are pushed, and the source that reads them.
///
/// # Errors
/// The log can't be opened.
pub fn open_intake(
    name: &str,
    config: &SourceConfig,
    queue: &QueueConfig,
    resume: &Resumption,
) -> Result<(Intake, IntakeSource), SourceError> {
    if resume.log.is_none() {
        tracing::warn!(
            source = name,
            "without checkpoints what is pushed is held in memory only: a crash loses what was taken and not worked on"
        );
    }
    let options = IntakeOptions {
        dir: resume.log.as_ref().map(|log| log.dir.clone()),
        from: resume.places.iter().find_map(next_offset).map_or(0, |(_, next)| next),
        waiting_bytes_max: queue.waiting_bytes_max,
        log_bytes_max: queue.log_bytes_max,
        durable: resume.durable.clone().unwrap_or_default(),
        retain: resume.log.as_ref().map_or(1, |log| log.retain),
    };
    let failed =
        |error: JournalError| SourceError::Log { name: name.to_owned(), error: error.to_string(), is_final: true };
    IntakeSource::open(name, &options, config.record_bytes_max).map_err(failed)
}

/// Opens a source of an MQTT broker, and what holds its records. It connects when it runs.
///
/// # Errors
/// The log can't be opened, or a file of certificates isn't one.
pub fn open_mqtt(
    name: &str,
    config: &SourceConfig,
    mqtt: &MqttInput,
    resume: &Resumption,
) -> Result<(Intake, MqttSource), SourceError> {
    let failed =
        |error: MqttTlsError| SourceError::Log { name: name.to_owned(), error: error.to_string(), is_final: true };
    let connection = mqtt_connection(name, &mqtt.broker).map_err(failed)?;
    let (intake, source) = open_intake(name, config, &mqtt.queue, resume)?;
    let options = MqttSourceOptions {
        connection,
        topics: mqtt.topics.clone(),
        qos: mqtt.qos,
        topic_field: mqtt.topic_field.clone(),
    };
    Ok((intake.clone(), MqttSource::new(options, intake, source)))
}

fn mqtt_connection(name: &str, broker: &MqttBroker) -> Result<MqttConnection, MqttTlsError> {
    let tls = |tls: &MqttTlsConfig| {
        let identity = tls.identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        MqttTls::new(tls.ca.as_deref(), identity)
    };
    Ok(MqttConnection {
        host: broker.host.clone(),
        port: broker.port,
        tls: broker.tls.as_ref().map(tls).transpose()?,
        client: broker.client.clone().unwrap_or_else(|| format!("geocep-{name}")),
        login: broker.login.as_ref().map(|(user, password)| (user.clone(), password.reveal().to_owned())),
        keep_alive: Duration::from_millis(broker.keep_alive_ms),
        packet_bytes_max: usize::try_from(broker.packet_bytes_max).unwrap_or(usize::MAX),
    })
}

fn next_offset(place: &Place) -> Option<(u32, u64)> {
    match place.position {
        Some(Position::Offset(next)) => Some((place.partition, next)),
        _ => None,
    }
}

/// An open sink of alerts.
pub enum AlertSink {
    /// One that takes lines.
    Lines(Box<dyn Sink>),
    /// One that posts them, from an outbox.
    Http(Box<HttpSink>),
}

/// Opens a sink of alerts; `outboxes` is the directory of outboxes, if there is one.
///
/// # Errors
/// The file can't be written; an option of Kafka's is wrong; see [`open_http_sink`].
pub fn open_alert_sink(config: &AlertSinkConfig, outboxes: Option<&Path>) -> Result<AlertSink, SinkError> {
    let lines: Box<dyn Sink> = match config {
        AlertSinkConfig::Stdout => Box::new(StdoutSink::new()),
        AlertSinkConfig::File(file) => Box::new(open_file_sink(file)?),
        AlertSinkConfig::Mqtt(mqtt) => {
            let failed =
                |error: MqttTlsError| SinkError::Write { name: mqtt.topic.clone(), error: io::Error::other(error) };
            Box::new(MqttSink::new(&mqtt.topic, mqtt_connection(&mqtt.topic, &mqtt.broker).map_err(failed)?)?)
        }
        AlertSinkConfig::Kafka(kafka) => {
            Box::new(KafkaSink::connect(&kafka.brokers, &kafka.topic, &kafka.options)?.keyed(kafka.key))
        }
        AlertSinkConfig::Http(http) => return Ok(AlertSink::Http(Box::new(open_http_sink(http, outboxes)?))),
    };
    Ok(AlertSink::Lines(lines))
}

/// Opens a sink of alerts that is written exactly once; none where it is another. `instance` is what this process calls itself.
///
/// # Errors
/// An option of Kafka's is wrong.
pub fn open_transactions(
    config: &AlertSinkConfig,
    instance: &str,
) -> Result<Option<KafkaTransactions>, TransactionError> {
    let AlertSinkConfig::Kafka(kafka) = config else { return Ok(None) };
    let Delivery::ExactlyOnce { transactional_id } = &kafka.delivery else { return Ok(None) };
    KafkaTransactions::connect(KafkaTransactionOptions {
        brokers: kafka.brokers.clone(),
        topic: kafka.topic.clone(),
        id: transactional_id.clone(),
        key: kafka.key,
        instance: instance.to_owned(),
        options: kafka.options.clone(),
    })
    .map(Some)
}

/// Opens a file sink, also for late events and dead letters.
///
/// # Errors
/// The file can't be written.
pub fn open_file_sink(config: &FileSinkConfig) -> Result<FileSink, SinkError> {
    let rotation = config.rotate_bytes.map(|bytes| Rotation { bytes, keep: config.keep });
    FileSink::open(&config.path, rotation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{io::source::Pulled, runtime::config::Config, wire::Chunk};
    use std::fs;

    #[test]
    fn files_of_a_directory_keep_their_numbers_and_places_whatever_comes_between_them() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        let text = |from: i64| {
            let line = |ts| format!("{ts},x,1,2\n");
            format!("ts,id,lon,lat\n{}", (from..from + 3).map(line).collect::<String>())
        };
        let write = |name: &str, from: i64| fs::write(dir.path().join("in").join(name), text(from)).unwrap();
        let config = Config::parse("sources: { pings: { file: in } }", dir.path(), &[], &|_| None).unwrap();
        let config = &config.sources["pings"];
        write("b.csv", 100);
        write("d.csv", 200);
        let mut places = Vec::new();
        for (partition, mut source) in open_source("pings", config, &Resumption::default()).unwrap() {
            let mut chunk = Chunk::new();
            assert_eq!(source.pull(&mut chunk, Duration::ZERO).unwrap(), Pulled::Records);
            places.push(Place {
                source: "pings".to_owned(),
                partition,
                position: source.place(),
                ended: false,
                open: Vec::new(),
            });
        }
        // Before, between, and more of one that is known.
        write("a.csv", 300);
        write("c.csv", 400);
        let more = fs::read_to_string(dir.path().join("in/d.csv")).unwrap() + "203,y,1,2\n";
        fs::write(dir.path().join("in/d.csv"), more).unwrap();
        let mut found = Vec::new();
        for (partition, mut source) in
            open_source("pings", config, &Resumption { places: places.clone(), ..Resumption::default() }).unwrap()
        {
            let mut chunk = Chunk::new();
            let _ = source.pull(&mut chunk, Duration::ZERO).unwrap();
            let texts = chunk.records().map(|record| (record.begins, record.offset, record.bytes.len()));
            found.push((partition, texts.collect::<Vec<_>>()));
        }
        let whole = |length: usize| vec![(true, 0, 13), (false, 1, length), (false, 2, length), (false, 3, length)];
        let expected =
            [(2, whole(9)), (0, vec![(true, 0, 13)]), (3, whole(9)), (1, vec![(true, 0, 13), (false, 4, 9)])];
        assert_eq!(found, expected);
        // Another file under the name of one that was read.
        write("b.csv", 500);
        let error = open_source("pings", config, &Resumption { places, ..Resumption::default() }).err().unwrap();
        assert!(error.to_string().contains("is not the file that the checkpoint has read"), "{error}");
    }

    #[test]
    fn a_directory_opens_as_one_reader_per_file_each_a_partition() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        for name in ["b.ndjson", "a.ndjson"] {
            let text = "{\"ts\":1396324800000,\"lon\":1.5,\"lat\":2,\"base\":\"x\"}\n";
            fs::write(dir.path().join("in").join(name), text).unwrap();
        }
        let text = "sources: { pings: { file: in } }\nsinks: { alerts: [{ file: out/alerts.ndjson }] }";
        let config = Config::parse(text, dir.path(), &[], &|_| None).unwrap();
        let mut sources = open_source("pings", &config.sources["pings"], &Resumption::default()).unwrap();
        let mut chunk = Chunk::new();
        for (_, source) in &mut sources {
            assert_eq!(source.pull(&mut chunk, Duration::ZERO).unwrap(), Pulled::Records);
        }
        assert_eq!(chunk.records().map(|record| record.partition).collect::<Vec<_>>(), [0, 1]);
        assert!(open_alert_sink(&config.sinks.alerts[0], None).is_ok());
    }
}
