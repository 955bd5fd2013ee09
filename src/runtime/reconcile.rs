//! What was matched against what sinks have: for each sink and rule how many alerts are acknowledged, wait, are missing or came twice.
//!
//! It reads what is on disk and changes nothing, so it may be asked while the daemon runs: the logs of outboxes, files that sinks wrote, and
//! files that somebody made of what a receiver got.

use super::{
    config::{AlertSinkConfig, Config, FileSinkConfig},
    http_sink::outboxes_dir,
};
use crate::{
    io::outbox::{Fate, OutboxError, Record, read_log},
    wire::AlertId,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

/// What an alert came to at a sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How often the sink has acknowledged it.
    pub acknowledged: u64,
    /// It is in the sink's outbox.
    pub waiting: bool,
    /// Why it was given up.
    pub given_up: Option<GivenUp>,
}

/// Why an alert was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// It is in the dead letters, for this reason.
    Dead(String),
    /// It made room for newer ones.
    Dropped,
}

/// Alerts by id, with their rules.
pub type Alerts = BTreeMap<AlertId, String>;

/// What is known of a sink.
#[derive(Clone, Debug, Default)]
pub struct SinkRecord {
    /// Its name.
    pub name: String,
    /// Every alert that it is known to have been given.
    pub alerts: BTreeMap<AlertId, (String, Standing)>,
    /// How many alerts its outbox has had that it no longer knows of.
    pub forgotten: u64,
}

/// Counts of a sink and rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Alerts that were matched.
    pub matched: u64,
    /// Of these, those that the sink has.
    pub acknowledged: u64,
    /// Those that wait in its outbox.
    pub waiting: u64,
    /// All others.
    pub missing: u64,
    /// Those of the missing that are in the dead letters.
    pub dead: u64,
    /// Those of the missing that made room for newer ones.
    pub dropped: u64,
    /// Alerts that the sink has more than once.
    pub doubled: u64,
    /// Alerts that the sink has and that were not matched.
    pub strange: u64,
}

/// An alert that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The sink.
    pub sink: String,
    /// The rule.
    pub rule: String,
    /// The alert.
    pub id: AlertId,
    /// `missing`, `doubled` or `strange`.
    pub what: &'static str,
    /// Why, or how often.
    pub detail: String,
}

/// The answer.
#[derive(Clone, Debug, Default)]
pub struct Reconciled {
    /// By sink and rule.
    pub counts: BTreeMap<(String, String), Counts>,
    /// Alerts that are missing, came twice, or weren't matched.
    pub findings: Vec<Finding>,
    /// What the answer doesn't cover.
    pub notes: Vec<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// A file can't be read.
    #[error("can't read `{}`: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// An outbox can't be read.
    #[error("{0}")]
    Outbox(#[from] OutboxError),
    /// Of no sink anything is known.
    #[error(
        "of no sink of alerts it can be known what it has: webhooks and Alertmanagers have outboxes, files can be read; for others name a file with `--acknowledged SINK=FILE`"
    )]
    Nothing,
}

/// Compares. `matched` are files of alerts that should have arrived; without any it is all that some sink was given. `acknowledged` are files of
/// what a receiver has got, by the sink's name: they count in place of what is known of it here. Sinks of rules in shadow mode are compared with
/// one another.
///
/// # Errors
/// Something can't be read, or nothing is known.
pub fn reconcile(
    config: &Config,
    matched: &[PathBuf],
    acknowledged: &[(String, PathBuf)],
) -> Result<Reconciled, ReconcileError> {
    let mut answer = Reconciled::default();
    let mut given: BTreeMap<&str, SinkRecord> = BTreeMap::new();
    for (name, path) in acknowledged {
        let record = given.entry(name).or_insert_with(|| SinkRecord { name: name.clone(), ..SinkRecord::default() });
        record.take_file(path)?;
    }
    let (mut sinks, mut asides) = (Vec::new(), Vec::new());
    let has_log = config.state.enabled;
    let all = config.sinks.alerts.iter().map(|sink| (sink, false));
    for (sink, is_aside) in all.chain(config.sinks.shadow.iter().map(|sink| (sink, true))) {
        let list = if is_aside { &mut asides } else { &mut sinks };
        let (name, record) = match sink {
            AlertSinkConfig::Http(http) if has_log => {
                let dir = outboxes_dir(&config.state.dir).join(&http.name);
                (http.name.clone(), Some(of_log(&http.name, &dir)?))
            }
            AlertSinkConfig::File(file) => (file.path.display().to_string(), Some(of_files(file)?)),
            AlertSinkConfig::Http(http) => (http.name.clone(), None),
            AlertSinkConfig::Kafka(kafka) => (kafka.topic.clone(), None),
            AlertSinkConfig::Mqtt(mqtt) => (mqtt.topic.clone(), None),
            AlertSinkConfig::Stdout => ("stdout".to_owned(), None),
        };
        match record {
            _ if acknowledged.iter().any(|(given, _)| *given == name) => list.extend(given.remove(name.as_str())),
            Some(record) => list.push(record),
            None => answer.notes.push(format!("what `{name}` has isn't known here: `--acknowledged {name}=FILE`")),
        }
    }
    // Named for a sink that isn't configured (any more): one of alerts.
    sinks.extend(given.into_values());
    if sinks.is_empty() && asides.is_empty() {
        return Err(ReconcileError::Nothing);
    }
    let given_to = |sinks: &[SinkRecord]| -> Alerts {
        sinks.iter().flat_map(|sink| &sink.alerts).map(|(id, (rule, _))| (*id, rule.clone())).collect()
    };
    let mut all = Alerts::new();
    for path in matched {
        read_alerts(path, |id, rule| drop(all.insert(id, rule)))?;
    }
    if matched.is_empty() {
        all = given_to(&sinks);
    }
    sinks.iter().for_each(|sink| answer.compare(&all, sink));
    // Those of rules in shadow mode are in no file of what was matched.
    let all = given_to(&asides);
    asides.iter().for_each(|sink| answer.compare(&all, sink));
    Ok(answer)
}

impl Reconciled {
    /// How many alerts are missing at some sink.
    pub fn missing(&self) -> u64 {
        self.counts.values().map(|counts| counts.missing).sum()
    }

    fn compare(&mut self, matched: &Alerts, sink: &SinkRecord) {
        if sink.forgotten > 0 {
            let text = "alerts: those of them that were matched count as missing";
            self.notes
                .push(format!("the outbox of `{}` no longer knows of its first {} {text}", sink.name, sink.forgotten));
        }
        let nothing = Standing::default();
        for (id, rule) in matched {
            let standing = sink.alerts.get(id).map_or(&nothing, |(_, standing)| standing);
            let counts = self.counts.entry((sink.name.clone(), rule.clone())).or_default();
            counts.matched += 1;
            counts.acknowledged += u64::from(standing.acknowledged > 0);
            counts.doubled += u64::from(standing.acknowledged > 1);
            let is_missing = standing.acknowledged == 0 && !standing.waiting;
            counts.waiting += u64::from(standing.acknowledged == 0 && standing.waiting);
            counts.missing += u64::from(is_missing);
            let why = match &standing.given_up {
                Some(GivenUp::Dead(why)) => format!("in the dead letters: {why}"),
                Some(GivenUp::Dropped) => "it made room for newer ones".to_owned(),
                None => "the sink was never given it".to_owned(),
            };
            if is_missing {
                counts.dead += u64::from(matches!(standing.given_up, Some(GivenUp::Dead(_))));
                counts.dropped += u64::from(matches!(standing.given_up, Some(GivenUp::Dropped)));
                self.find(sink, rule, *id, "missing", why);
            }
            if standing.acknowledged > 1 {
                self.find(sink, rule, *id, "doubled", format!("{} times", standing.acknowledged));
            }
        }
        let strange =
            sink.alerts.iter().filter(|(id, (_, standing))| standing.acknowledged > 0 && !matched.contains_key(id));
        for (id, (rule, _)) in strange {
            self.counts.entry((sink.name.clone(), rule.clone())).or_default().strange += 1;
            self.find(sink, rule, *id, "strange", "the sink has it, and it was not matched".to_owned());
        }
    }

    fn find(&mut self, sink: &SinkRecord, rule: &str, id: AlertId, what: &'static str, detail: String) {
        self.findings.push(Finding { sink: sink.name.clone(), rule: rule.to_owned(), id, what, detail });
    }
}

impl SinkRecord {
    fn take_file(&mut self, path: &Path) -> Result<(), ReconcileError> {
        read_alerts(path, |id, rule| {
            let (_, standing) = self.alerts.entry(id).or_insert_with(|| (rule, Standing::default()));
            standing.acknowledged += 1;
        })
    }
}

/// A file sink's file and those that it was rotated to.
fn of_files(config: &FileSinkConfig) -> Result<SinkRecord, ReconcileError> {
    let mut record = SinkRecord { name: config.path.display().to_string(), ..SinkRecord::default() };
    let rotated = config.rotate_bytes.map_or(0, |_| config.keep);
    let numbered = (1..=rotated).map(|number| {
        let mut name = config.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    });
    for path in std::iter::once(config.path.clone()).chain(numbered) {
        match record.take_file(&path) {
            Err(ReconcileError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
            taken => taken?,
        }
    }
    Ok(record)
}

/// What an outbox's log says of the last run: what runs that came to their end have left before isn't compared.
fn of_log(name: &str, dir: &Path) -> Result<SinkRecord, ReconcileError> {
    let mut by_number: BTreeMap<u64, (u64, AlertId, String, Standing)> = BTreeMap::new();
    let mut run = 0u64;
    let report = read_log(dir, |record, _, _, _| match record {
        Record::Put { number, id, rule, .. } => {
            let standing = Standing { waiting: true, ..Standing::default() };
            by_number.insert(number, (run, AlertId(id), rule.to_owned(), standing));
        }
        Record::Settled { first, last, fate, .. } if first <= last => {
            for (.., standing) in
                by_number.range_mut(first..=last).map(|(_, entry)| entry).filter(|entry| entry.3.waiting)
            {
                standing.waiting = false;
                match &fate {
                    Fate::Acknowledged => standing.acknowledged = 1,
                    Fate::Dead(why) => standing.given_up = Some(GivenUp::Dead(why.clone())),
                    Fate::Dropped => standing.given_up = Some(GivenUp::Dropped),
                }
            }
        }
        Record::Settled { .. } => {}
        Record::Ended => run += 1,
    })?;
    let last = by_number.values().map(|(run, ..)| *run).max().unwrap_or(0);
    let forgotten = report.segments.first().map_or(0, |segment| segment.first);
    let mut record = SinkRecord { name: name.to_owned(), alerts: BTreeMap::new(), forgotten };
    for (_, id, rule, standing) in by_number.into_values().filter(|(run, ..)| *run == last) {
        let (_, known) = record.alerts.entry(id).or_insert_with(|| (rule, Standing::default()));
        known.acknowledged += standing.acknowledged;
        known.waiting |= standing.waiting;
        known.given_up = standing.given_up.or(known.given_up.take());
    }
    Ok(record)
}

/// The alerts of a file, one a line; lines that are none (a piece that a kill left behind) are passed over.
fn read_alerts(path: &Path, mut take: impl FnMut(AlertId, String)) -> Result<(), ReconcileError> {
    let failed = |error| ReconcileError::File { path: path.to_owned(), error };
    let mut lines = BufReader::new(File::open(path).map_err(failed)?);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).map_err(failed)? > 0 {
        if let Some((id, rule)) = id_and_rule(&line) {
            take(id, rule);
        }
        line.clear();
    }
    Ok(())
}

fn id_and_rule(line: &[u8]) -> Option<(AlertId, String)> {
    let alert: Value = serde_json::from_slice(line).ok()?;
    let id = u128::from_str_radix(alert.get("id")?.as_str()?, 16).ok()?;
    Some((AlertId(id), alert.get("properties")?.get("rule")?.as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::outbox::{OutboxLog, OutboxLogOptions};
    use std::fs;

    fn alert(id: u128) -> String {
        format!("{{\"type\":\"Feature\",\"id\":\"{id:032x}\",\"properties\":{{\"rule\":\"R\"}}}}\n")
    }

    #[test]
    fn what_is_missing_waits_or_came_twice_is_told_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let text = "sinks: { alerts: [stdout, { file: out.ndjson }, { webhook: { url: 'http://x' } }] }";
        let config = Config::parse(text, dir.path(), &[], &|_| None).unwrap();
        let options = OutboxLogOptions { segment_bytes: 1 << 20, keep_bytes: 1 << 20 };
        let (mut log, _) = OutboxLog::open(&dir.path().join("geocep-state/outbox/webhook"), options).unwrap();
        // A run that came to its end is none of the last one's business.
        log.put(0, 1, "R", b"x").unwrap();
        log.settle(0, (0, 0), Fate::Acknowledged, 1).unwrap();
        log.ended().unwrap();
        for id in (1..6u128).chain([2]) {
            log.put(0, id, "R", b"x").unwrap();
        }
        log.settle(0, (1, 2), Fate::Acknowledged, 3).unwrap();
        log.settle(0, (3, 3), Fate::Dead("it answered 422".to_owned()), 4).unwrap();
        log.settle(0, (4, 4), Fate::Dropped, 5).unwrap();
        log.settle(0, (6, 6), Fate::Acknowledged, 5).unwrap();
        fs::write(dir.path().join("out.ndjson"), (1..7).map(alert).collect::<String>() + "{\"type\":\"Fea").unwrap();
        let answer = reconcile(&config, &[], &[]).unwrap();
        let counts = |sink: &str| answer.counts[&(sink.to_owned(), "R".to_owned())];
        let hook = counts("webhook");
        let expected =
            Counts { matched: 6, acknowledged: 2, waiting: 1, missing: 3, dead: 1, dropped: 1, doubled: 1, strange: 0 };
        assert_eq!(hook, expected);
        let file = dir.path().join("out.ndjson").display().to_string();
        assert_eq!((counts(&file).acknowledged, counts(&file).missing), (6, 0));
        assert_eq!(answer.missing(), 3);
        let found: Vec<String> = answer
            .findings
            .iter()
            .map(|finding| format!("{} {} {}", finding.what, finding.id.0, finding.detail))
            .collect();
        let expected = [
            "doubled 2 2 times",
            "missing 3 in the dead letters: it answered 422",
            "missing 4 it made room for newer ones",
            "missing 6 the sink was never given it",
        ];
        assert_eq!(found, expected);
        assert_eq!(answer.notes, ["what `stdout` has isn't known here: `--acknowledged stdout=FILE`"]);
    }

    #[test]
    fn sinks_of_shadows_are_compared_with_one_another() {
        let dir = tempfile::tempdir().unwrap();
        let text =
            "sinks: { alerts: [{ file: a.ndjson }], shadow: [{ file: b.ndjson }, { webhook: { url: 'http://x' } }] }";
        let config = Config::parse(text, dir.path(), &[], &|_| None).unwrap();
        let options = OutboxLogOptions { segment_bytes: 1 << 20, keep_bytes: 1 << 20 };
        let (mut log, _) = OutboxLog::open(&dir.path().join("geocep-state/outbox/webhook"), options).unwrap();
        log.put(0, 7, "R", b"x").unwrap();
        let write = |name: &str, ids: &[u128]| {
            fs::write(dir.path().join(name), ids.iter().map(|id| alert(*id)).collect::<String>()).unwrap();
        };
        write("a.ndjson", &[1, 2]);
        write("b.ndjson", &[7, 8]);
        let answer = reconcile(&config, &[], &[]).unwrap();
        let counts = |sink: &str| answer.counts[&(sink.to_owned(), "R".to_owned())];
        let path = |name: &str| dir.path().join(name).display().to_string();
        assert_eq!((counts(&path("a.ndjson")).matched, counts(&path("a.ndjson")).missing), (2, 0));
        assert_eq!((counts(&path("b.ndjson")).matched, counts(&path("b.ndjson")).acknowledged), (2, 2));
        let hook = counts("webhook");
        assert_eq!((hook.matched, hook.waiting, hook.missing), (2, 1, 1));
        // What was matched of alerts says nothing of them.
        write("matched", &[1, 2, 3]);
        let answer = reconcile(&config, &[dir.path().join("matched")], &[]).unwrap();
        assert_eq!(answer.missing(), 2);
    }

    #[test]
    fn files_that_somebody_made_count_in_place_of_what_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::parse("sinks: { alerts: [stdout] }", dir.path(), &[], &|_| None).unwrap();
        assert!(matches!(reconcile(&config, &[], &[]), Err(ReconcileError::Nothing)));
        let path = |name: &str, ids: &[u128]| {
            let path = dir.path().join(name);
            fs::write(&path, ids.iter().map(|id| alert(*id)).collect::<String>()).unwrap();
            path
        };
        let matched = path("matched", &[1, 2, 3]);
        let got = path("got", &[2, 9, 2]);
        let answer = reconcile(&config, &[matched], &[("stdout".to_owned(), got)]).unwrap();
        let counts = answer.counts[&("stdout".to_owned(), "R".to_owned())];
        assert_eq!((counts.matched, counts.acknowledged, counts.missing), (3, 1, 2));
        assert_eq!((counts.doubled, counts.strange), (1, 1));
        assert!(answer.notes.is_empty());
    }
}
