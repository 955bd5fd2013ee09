//! Sinks that are written exactly once: from the configuration to threads that commit.

use super::{
    committer::{Committer, SavedSink},
    epochs::Epochs,
    hand::Aside,
    outlet::Reports,
};
use crate::{
    engine::checkpoint::{SinkEpochs, Undelivered},
    io::sink::{KafkaTransactions, TransactionError},
    model::format_time,
    runtime::{
        clock::Clock,
        config::{AlertSinkConfig, SinksConfig},
        connect::open_transactions,
        shutdown::Shutdown,
        telemetry::{ComponentKind, Telemetry},
    },
};
use std::{io, sync::Arc, time::Duration};

/// Those that are configured, and whether their alerts are those of rules in shadow mode.
pub(super) type Exact = Vec<(Aside, KafkaTransactions)>;

/// Opens them. What else is configured stays with those who asked.
///
/// # Errors
/// An option of Kafka's is wrong.
pub(super) fn open(sinks: &SinksConfig, clock: &dyn Clock) -> Result<Exact, TransactionError> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let began = format_time(clock.wall_ms());
    let instance = format!("process {} on {} since {began}", std::process::id(), host.trim());
    let mut all = Vec::new();
    for (list, aside) in [(&sinks.alerts, Aside::No), (&sinks.shadow, Aside::Yes)] {
        for sink in list {
            all.extend(open_transactions(sink, &instance)?.map(|sink| (aside, sink)));
        }
    }
    Ok(all)
}

/// Those that are written at least once.
pub(super) fn others(sinks: &[AlertSinkConfig]) -> impl Iterator<Item = &AlertSinkConfig> {
    sinks.iter().filter(|sink| {
        !matches!(sink, AlertSinkConfig::Kafka(kafka) if kafka.delivery != crate::runtime::config::Delivery::AtLeastOnce)
    })
}

/// Starts their threads, and waits until each knows what was committed by an earlier run: nothing is read before, so that no epoch gets a
/// number that was used. What a checkpoint has of them is taken out of `epochs` and `undelivered`. None where it came to a stop before.
///
/// # Errors
/// The system has no thread left.
pub(super) fn start(
    exact: Exact,
    epochs: &mut Vec<SinkEpochs>,
    undelivered: &mut Vec<Undelivered>,
    telemetry: &Telemetry,
    shutdown: &Shutdown,
) -> io::Result<(Vec<Committer>, Option<Vec<Epochs>>)> {
    let mut committers = Vec::new();
    let mut asides = Vec::new();
    for (aside, transactions) in exact {
        let at = epochs.iter().position(|sink| sink.id == transactions.id());
        let saved = at.map(|at| epochs.remove(at));
        let name = transactions.topic().to_owned();
        let at = undelivered.iter().position(|sink| saved.is_none() && sink.sink == name);
        let saved =
            SavedSink { epochs: saved, undelivered: at.map(|at| undelivered.remove(at).lines).unwrap_or_default() };
        let watched = telemetry.health().watch(ComponentKind::Sink, &name);
        let reports = Reports { figures: telemetry.sink(&name), watched, shutdown: shutdown.clone() };
        committers.push(Committer::start(&name, transactions, saved, reports)?);
        asides.push(aside);
    }
    // What was written exactly once, and no longer is: whether it was committed isn't asked any more.
    for SinkEpochs { sink, waiting, .. } in epochs.drain(..) {
        let lines = waiting.into_iter().flat_map(|epoch| epoch.lines).collect();
        undelivered.push(Undelivered { sink, lines });
    }
    let mut opened = Vec::new();
    for (committer, aside) in committers.iter().zip(asides) {
        let Some(found) = committer.open(shutdown) else { return Ok((committers, None)) };
        opened.push(Epochs::new(&committer.sink, &committer.id, aside, Arc::clone(&committer.queue), found));
    }
    Ok((committers, Some(opened)))
}

/// Waits until everything is committed; what is to be said where that isn't so.
pub(super) fn finish(committers: &[Committer], deadline: Duration, clock: &dyn Clock) -> Vec<String> {
    committers.iter().for_each(|committer| committer.queue.close());
    let left = |committer: &Committer| committer.finish(deadline.saturating_sub(clock.monotonic()));
    committers.iter().filter_map(left).collect()
}
