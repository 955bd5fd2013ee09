//! From configured sources and sinks to open ones.

use super::config::{AlertSinkConfig, FileSinkConfig, Input, KafkaStart, SourceConfig, TailStart};
use crate::io::{
    sink::{FileSink, KafkaSink, Rotation, Sink, SinkError, StdoutSink},
    source::{
        FileOptions, FileSource, KafkaSource, KafkaSourceOptions, Source, SourceError, TailOptions, TailSource,
        partitions,
    },
};
use std::time::Duration;

/// Opens a source: one reader per file of a directory, each a partition of its own number; otherwise one reader. Kafka's
/// reader brings all partitions of a topic.
///
/// # Errors
/// A file or directory can't be read; an option of Kafka's is wrong.
pub fn open_source(config: &SourceConfig) -> Result<Vec<Box<dyn Source>>, SourceError> {
    let record_bytes_max = config.record_bytes_max;
    match &config.input {
        Input::Stdin { format } => {
            let options = FileOptions { format: *format, partition: 0, record_bytes_max };
            Ok(vec![Box::new(FileSource::stdin(options))])
        }
        Input::File(file) => {
            // A file that is followed may be yet to come.
            let paths = match file.follow && !file.path.is_dir() {
                true => vec![file.path.clone()],
                false => partitions(&file.path)?,
            };
            let open = |(partition, path): (usize, &std::path::PathBuf)| -> Result<Box<dyn Source>, SourceError> {
                let (format, partition) = (file.format, partition as u32);
                if file.follow {
                    let (from_end, poll) = (file.start == TailStart::End, Duration::from_millis(file.poll_ms));
                    let options = TailOptions { format, partition, record_bytes_max, from_end, poll };
                    return Ok(Box::new(TailSource::new(path, options)));
                }
                let options = FileOptions { format, partition, record_bytes_max };
                Ok(Box::new(FileSource::open(path, options)?))
            };
            paths.iter().enumerate().map(open).collect()
        }
        Input::Kafka(kafka) => {
            let options = KafkaSourceOptions {
                brokers: kafka.brokers.clone(),
                topic: kafka.topic.clone(),
                group: kafka.group.clone(),
                latest: kafka.start == KafkaStart::Latest,
                record_bytes_max,
                options: kafka.options.clone(),
            };
            Ok(vec![Box::new(KafkaSource::connect(options)?)])
        }
    }
}

/// Opens a sink of alerts.
///
/// # Errors
/// The file can't be written; an option of Kafka's is wrong.
pub fn open_alert_sink(config: &AlertSinkConfig) -> Result<Box<dyn Sink>, SinkError> {
    Ok(match config {
        AlertSinkConfig::Stdout => Box::new(StdoutSink::new()),
        AlertSinkConfig::File(file) => Box::new(open_file_sink(file)?),
        AlertSinkConfig::Kafka(kafka) => Box::new(KafkaSink::connect(&kafka.brokers, &kafka.topic, &kafka.options)?),
    })
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
    fn a_directory_opens_as_one_reader_per_file_each_a_partition() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        for name in ["b.ndjson", "a.ndjson"] {
            let text = "{\"ts\":1396324800000,\"lon\":1.5,\"lat\":2,\"base\":\"x\"}\n";
            fs::write(dir.path().join("in").join(name), text).unwrap();
        }
        let text = "sources: { pings: { file: in } }\nsinks: { alerts: [{ file: out/alerts.ndjson }] }";
        let config = Config::parse(text, dir.path(), &[], &|_| None).unwrap();
        let mut sources = open_source(&config.sources["pings"]).unwrap();
        let mut chunk = Chunk::new();
        for source in &mut sources {
            assert_eq!(source.pull(&mut chunk, Duration::ZERO).unwrap(), Pulled::Records);
        }
        assert_eq!(chunk.records().map(|record| record.partition).collect::<Vec<_>>(), [0, 1]);
        assert!(open_alert_sink(&config.sinks.alerts[0]).is_ok());
    }
}
