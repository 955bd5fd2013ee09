//! `geocep simulate`: writes a scenario's streams, fences and truth into a directory.

use crate::scenario::{Load, Name, Options, Scenario, ScenarioError, Stream};
use clap::Args;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Make a seeded scenario: event streams, fences, and what happens in them
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// Which one: city, sea, air, regions or keys
    pub scenario: String,
    /// The same seed gives the same bytes
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Where to write; made if it doesn't exist [default: ./SCENARIO]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How long in event time, such as `45min` or `2h` [default: the scenario's own]
    #[arg(long, value_name = "D", value_parser = parse_duration)]
    pub duration: Option<i64>,
    /// `keys`: how many keys
    #[arg(long, value_name = "N", default_value_t = Load::default().keys)]
    pub keys: u64,
    /// `keys`: how many events [default: 100000, or what the duration asks for]
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    pub events: Option<u64>,
    /// `keys`: events per second of event time
    #[arg(long, value_name = "N", default_value_t = Load::default().rate)]
    pub rate: u64,
    /// Write into a directory that isn't empty; files of the same names are replaced, others stay
    #[arg(long)]
    pub force: bool,
}

/// Why nothing, or not all, was written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SimulateError {
    /// The scenario can't be made as asked.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The directory holds something already.
    #[error("`{}` is not empty: choose another directory, or write into it with --force", .0.display())]
    NotEmpty(PathBuf),
    /// The path is not a directory.
    #[error("`{}` is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// A file or directory can't be read or written.
    #[error("can't write `{}`: {error}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl SimulateError {
    /// The command's exit code: 2 for a wrong request, 1 when writing failed.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            SimulateError::Io { .. } => 1,
            _ => 2,
        }
    }
}

/// Makes the scenario and writes `<stream>.ndjson`, `<fences>.geojson` and `truth.json`; a summary goes to stderr.
///
/// # Errors
/// When the scenario is unknown or can't be made, the directory isn't empty and `force` is off, or writing fails.
pub fn run(args: &SimulateArgs) -> Result<(), SimulateError> {
    let name: Name = args.scenario.parse()?;
    let scenario = Scenario::new(name, &options(args))?;
    let dir = args.out.clone().unwrap_or_else(|| PathBuf::from(name.as_str()));
    prepare(&dir, args.force)?;
    let mut log = io::stderr().lock();
    for stream in &scenario.streams {
        let path = dir.join(stream.name()).with_extension("ndjson");
        let events = write_stream(stream, &path).map_err(|error| SimulateError::Io { path: path.clone(), error })?;
        // A closed stderr is no reason to stop.
        let _ = writeln!(log, "{}: {events} events", path.display());
    }
    let fences = scenario.fences.iter().map(|f| (dir.join(f.name).with_extension("geojson"), f.text.clone()));
    for (path, text) in fences.chain([(dir.join("truth.json"), scenario.truth.to_json())]) {
        fs::write(&path, text).map_err(|error| SimulateError::Io { path: path.clone(), error })?;
        let _ = writeln!(log, "{}", path.display());
    }
    Ok(())
}

fn options(args: &SimulateArgs) -> Options {
    let of_duration = |ms: i64| (u128::from(ms.unsigned_abs()) * u128::from(args.rate)).div_ceil(1000);
    let events = match (args.events, args.duration) {
        (Some(events), _) => events,
        (None, Some(ms)) => u64::try_from(of_duration(ms)).unwrap_or(u64::MAX),
        (None, None) => Load::default().events,
    };
    Options { seed: args.seed, duration: args.duration, load: Load { keys: args.keys, events, rate: args.rate } }
}

fn prepare(dir: &Path, force: bool) -> Result<(), SimulateError> {
    let failed = |error| SimulateError::Io { path: dir.to_owned(), error };
    if dir.exists() && !dir.is_dir() {
        return Err(SimulateError::NotADirectory(dir.to_owned()));
    }
    fs::create_dir_all(dir).map_err(failed)?;
    if !force && fs::read_dir(dir).map_err(failed)?.next().is_some() {
        return Err(SimulateError::NotEmpty(dir.to_owned()));
    }
    Ok(())
}

fn write_stream(stream: &Stream, path: &Path) -> io::Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 16, File::create(path)?);
    let mut line = String::new();
    let mut events = 0;
    for record in stream.records() {
        line.clear();
        record.write_line(&mut line);
        out.write_all(line.as_bytes())?;
        events += 1;
    }
    out.flush()?;
    Ok(events)
}

/// A duration such as `90s`, `45 min`, `2h` or `1d`, in milliseconds.
fn parse_duration(text: &str) -> Result<i64, String> {
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let unit = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(String::from("expected a whole number and ms, s, min, h or d, such as `45min`")),
    };
    let number: i64 = number.parse().map_err(|_| String::from("expected a whole number before the unit"))?;
    number.checked_mul(unit).ok_or_else(|| String::from("too long"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        simulate: SimulateArgs,
    }

    fn args(words: &[&str]) -> Result<SimulateArgs, clap::Error> {
        Cli::try_parse_from(std::iter::once(&"simulate").chain(words)).map(|cli| cli.simulate)
    }

    fn run_in(dir: &Path, words: &[&str]) -> Result<(), SimulateError> {
        let mut args = args(words).unwrap();
        args.out = Some(dir.to_owned());
        run(&args)
    }

    fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    /// With `UPDATE_FIXTURES=1` in the environment the committed files are written anew instead.
    #[test]
    fn committed_fixtures_are_what_the_generator_makes_with_seed_42() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        for name in ["city", "sea", "air", "regions"] {
            let committed = fixtures.join(name);
            if std::env::var_os("UPDATE_FIXTURES").is_some_and(|v| v == "1") {
                run_in(&committed, &[name, "--seed", "42", "--force"]).unwrap();
            }
            let made = tempfile::tempdir().unwrap();
            run_in(made.path(), &[name, "--seed", "42"]).unwrap();
            let (made, mut committed) = (files(made.path()), files(&committed));
            // What was written by hand stands beside it.
            committed.retain(|(name, _)| made.iter().any(|(other, _)| other == name));
            let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&made), names(&committed), "{name}");
            for ((file, made), (_, committed)) in made.iter().zip(&committed) {
                assert!(made == committed, "fixtures/{name}/{file} differs: see fixtures/README.md");
            }
        }
    }

    #[test]
    fn a_directory_in_use_is_left_alone_without_force() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine.txt"), "mine").unwrap();
        let words = ["keys", "--events", "3"];
        let refused = run_in(dir.path(), &words).unwrap_err();
        assert!(matches!(refused, SimulateError::NotEmpty(_)), "{refused}");
        assert_eq!(files(dir.path()).len(), 1);
        run_in(dir.path(), &[&words[..], &["--force"]].concat()).unwrap();
        let names: Vec<_> = files(dir.path()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["events.ndjson", "mine.txt", "truth.json"]);
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = run_in(file.path(), &["air", "--force"]).unwrap_err();
        assert!(matches!(refused, SimulateError::NotADirectory(_)), "{refused}");
        assert_eq!(refused.exit_code(), 2);
    }

    #[test]
    fn an_unknown_scenario_gets_the_nearest_name() {
        let dir = tempfile::tempdir().unwrap();
        let error = run_in(dir.path(), &["ctiy"]).unwrap_err();
        assert_eq!(error.to_string(), "there is no scenario `ctiy`: did you mean `city`?");
        let error = run_in(dir.path(), &["volcano"]).unwrap_err();
        assert_eq!(error.to_string(), "there is no scenario `volcano`: choose city, sea, air, regions or keys");
        assert!(files(dir.path()).is_empty());
    }

    #[test]
    fn durations_carry_a_unit() {
        assert_eq!(parse_duration("45min"), Ok(2_700_000));
        assert_eq!(parse_duration(" 2 h "), Ok(7_200_000));
        for bad in ["", "h", "5", "-5s", "1.5h", "9223372036854775807d", "5 weeks", "é"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_duration_sets_the_number_of_events_of_the_load() {
        let load = |words: &[&str]| options(&args(words).unwrap()).load.events;
        assert_eq!(load(&["keys", "--duration", "3s", "--rate", "500"]), 1_500);
        assert_eq!(load(&["keys", "--events", "7"]), 7);
        assert!(args(&["keys", "--events", "7", "--duration", "3s"]).is_err());
        assert!(matches!(
            run_in(tempfile::tempdir().unwrap().path(), &["keys", "--rate", "0"]),
            Err(SimulateError::Scenario(ScenarioError::OutOfRange { .. }))
        ));
    }
}
