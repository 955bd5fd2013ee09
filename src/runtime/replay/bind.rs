//! Which file feeds which stream, and what its records look like where nobody said so.

use crate::{
    io::source::{FileOptions, FileSource, Pulled, Source, partitions},
    runtime::{
        config::{Input, StreamSchema},
        project::Loaded,
    },
    wire::{Chunk, Format, infer},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// A file of a stream.
#[derive(Clone, Debug)]
pub struct BoundInput {
    /// The stream's name.
    pub source: String,
    /// The file; `-` is the process's input.
    pub path: PathBuf,
    /// How records are written; none: by name or look.
    pub format: Option<Format>,
    /// What the records hold.
    pub schema: StreamSchema,
    /// How far they may be out of order.
    pub disorder_ms: i64,
    /// The longest record that is accepted.
    pub record_bytes_max: usize,
}

/// All files of a replay.
#[derive(Clone, Debug, Default)]
pub struct Binding {
    /// The files, those of a stream in the order of their partitions.
    pub inputs: Vec<BoundInput>,
    /// Schemas that were guessed from the first records, by stream.
    pub guessed: BTreeMap<String, StreamSchema>,
}

/// How many records a guess looks at.
const GUESS_RECORDS: usize = 200;

/// Finds the files: those of `streams` (name and path), then `inputs`, each to the stream that its name names or to the only
/// one that rules read; without any, those of the configuration.
///
/// # Errors
/// What is wrong with which file, and what to do.
pub fn bind(loaded: &Loaded, streams: &[(String, PathBuf)], inputs: &[PathBuf]) -> Result<Binding, String> {
    bind_names(loaded, &loaded.source_names(), streams, inputs)
}

/// The same for streams of these names.
///
/// # Errors
/// As [`bind`].
pub fn bind_names(
    loaded: &Loaded,
    names: &[String],
    streams: &[(String, PathBuf)],
    inputs: &[PathBuf],
) -> Result<Binding, String> {
    let mut pairs: Vec<(String, PathBuf)> = Vec::new();
    for (name, path) in streams {
        if !names.contains(name) {
            return Err(format!("`--stream {name}=…`: no rule reads `{name}`; rules read {}", listed(names)));
        }
        pairs.push((name.clone(), path.clone()));
    }
    for path in inputs {
        let stem = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split('.').next());
        let named = names.iter().find(|name| Some(name.as_str()) == stem);
        let only = names.first().filter(|_| names.len() == 1);
        let name = named.or(only).ok_or_else(|| {
            let shown = path.display();
            format!("which stream does `{shown}` feed? say `--stream NAME={shown}`; rules read {}", listed(names))
        })?;
        pairs.push((name.clone(), path.clone()));
    }
    let from_command = !pairs.is_empty();
    if !from_command {
        for (name, source) in loaded.config.sources.iter().filter(|(name, _)| names.contains(name)) {
            match &source.input {
                Input::File(file) => pairs.push((name.clone(), file.path.clone())),
                Input::Stdin { .. } => pairs.push((name.clone(), PathBuf::from("-"))),
                Input::Kafka(_) => {
                    return Err(format!(
                        "the source `{name}` is a Kafka topic: replay reads files; say `--stream {name}=FILE`"
                    ));
                }
                Input::Http(_) | Input::Mqtt(_) => {
                    return Err(format!("what is pushed to `{name}` can't be replayed: say `--stream {name}=FILE`"));
                }
            }
        }
    }
    if pairs.is_empty() {
        return Err(format!(
            "nothing to read: name files, or sources in the configuration; rules read {}",
            listed(names)
        ));
    }
    let mut binding = Binding::default();
    for (name, path) in pairs {
        bind_one(loaded, &mut binding, name, &path, from_command)?;
    }
    Ok(binding)
}

fn bind_one(
    loaded: &Loaded,
    binding: &mut Binding,
    source: String,
    path: &Path,
    from_command: bool,
) -> Result<(), String> {
    let configured = loaded.config.sources.get(&source);
    let format = match configured.map(|source| &source.input) {
        Some(Input::File(file)) if !from_command => file.format,
        Some(Input::Stdin { format }) if !from_command => *format,
        _ => None,
    };
    let standard = FileOptions::default();
    let record_bytes_max = configured.map_or(standard.record_bytes_max, |source| source.record_bytes_max);
    let disorder_ms = configured.map_or(0, |source| source.disorder_ms);
    let is_stdin = path == Path::new("-");
    let files = if is_stdin { vec![path.to_owned()] } else { partitions(path).map_err(|error| error.to_string())? };
    for path in files {
        let schema = match (configured.filter(|source| source.declared), binding.guessed.get(&source)) {
            (Some(source), _) => source.schema.clone(),
            (None, Some(guessed)) => guessed.clone(),
            (None, None) if is_stdin => StreamSchema::default(),
            (None, None) => {
                let guessed = guess_schema(&path, format, record_bytes_max)?;
                binding.guessed.insert(source.clone(), guessed.clone());
                guessed
            }
        };
        let source = source.clone();
        binding.inputs.push(BoundInput { source, path, format, schema, disorder_ms, record_bytes_max });
    }
    if is_stdin && !configured.is_some_and(|source| source.declared) {
        binding.guessed.insert(source, StreamSchema::default());
    }
    Ok(())
}

/// Guesses a schema from a file's first records; of a directory from those of its first file.
///
/// # Errors
/// A file that can't be read, in words.
pub fn guess_schema(path: &Path, format: Option<Format>, record_bytes_max: usize) -> Result<StreamSchema, String> {
    let files = partitions(path).map_err(|error| error.to_string())?;
    let path = files.first().map_or(path, |path| path.as_path());
    let options = FileOptions { format, partition: 0, record_bytes_max, ..FileOptions::default() };
    let mut file = FileSource::open(path, options).map_err(|error| error.to_string())?;
    let format = file.format().map_err(|error| error.to_string())?;
    let mut chunk = Chunk::new();
    // A file that can't be read further is told of when it is replayed.
    while chunk.len() < GUESS_RECORDS && matches!(file.pull(&mut chunk, Duration::ZERO), Ok(Pulled::Records)) {}
    let records = chunk.records().take(GUESS_RECORDS).map(|record| record.bytes);
    Ok(infer(records, format).into())
}

fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "no source".to_owned() } else { names.join(", ") }
}
