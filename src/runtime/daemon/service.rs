//! From a checked project to a daemon that runs, and to its end.

#![allow(clippy::result_large_err, reason = "made at most once, at the start")]

use super::{
    DaemonError,
    driver::{Driver, Outcome},
    exact::{self, Exact},
    feed::Feed,
    hand::by_arrival,
    keeper::{Keeper, Outboxes},
    outbox::Outbox,
    outlet::Outlet,
    quiet::Quiet,
    report::Report,
    sinks::{Sinks, start_sinks},
    state::Found,
    store::{self, Store},
    tables::Tables,
};
use crate::{
    engine::{AtEnd, Executor, Inline, Options, Spilling, checkpoint::Undelivered},
    io::{
        sink::{self, Sink},
        source::{Intake, Source},
    },
    plan::{Mode, StreamOrigin},
    runtime::{
        bulletin::{Bulletin, BulletinLimits},
        clock::Clock,
        config::{AlertSinkConfig, Input, SinksConfig, StreamSchema},
        connect::{AlertSink, Numbered, open_alert_sink, open_file_sink, open_mqtt, open_source},
        executor::Threads,
        http_sink::{outboxes_dir, warn_of_orphans},
        intake::{Door, Doors},
        project::{Project, Request},
        reload::{Reloads, Setup, Swap},
        replay::Summary,
        session::{Letters, Lines, Session},
        shutdown::Shutdown,
        telemetry::{ComponentKind, Telemetry, Watched},
    },
};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, atomic::AtomicBool, mpsc},
    thread,
    time::Duration,
};
use tokio::sync::mpsc::Receiver;

/// How long sinks may take to get rid of what they have after a stop.
const SINK_GRACE: Duration = Duration::from_secs(10);
/// How long the last transaction may take at least, whatever the other sinks took.
const LAST_GRACE: Duration = Duration::from_secs(5);
/// How often the main thread looks whether a stop takes too long.
const WATCH: Duration = Duration::from_millis(50);

/// A daemon whose sources and sinks are open.
pub struct Daemon {
    project: Project,
    schemas: BTreeMap<String, StreamSchema>,
    telemetry: Arc<Telemetry>,
    bulletin: Arc<Bulletin>,
    clock: Arc<dyn Clock>,
    session: Session,
    sources: Vec<(String, Vec<Numbered>)>,
    found: Option<Found>,
    exact: Exact,
    spilling: Option<Spilling>,
    alerts: Vec<AlertSink>,
    shadow: Vec<AlertSink>,
    late: Option<Box<dyn Sink>>,
    dead: Option<Box<dyn Sink>>,
    swaps: Option<Receiver<Swap>>,
    doors: Doors,
    intakes: Vec<(String, Intake)>,
}

impl Daemon {
    /// Opens all sources that rules read, and all sinks. `guessed` are schemas of sources that the configuration doesn't declare.
    ///
    /// # Errors
    /// A source or sink that can't be opened, or nothing to read.
    pub fn open(
        project: Project,
        guessed: BTreeMap<String, StreamSchema>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DaemonError> {
        let engine = project.config.engine;
        let shards = engine.shards.unwrap_or(1).max(1);
        let options = Options { shards, key_groups: engine.key_groups, seed: engine.seed, eager: true };
        let executor: Box<dyn Executor> = if shards == 1 { Box::new(Inline) } else { Box::<Threads>::default() };
        let mut session = Session::new(&project, options.clone(), executor)?;
        let is_source = |stream: &&crate::plan::StreamPlan| stream.origin == StreamOrigin::Source;
        let read: Vec<&str> =
            project.plan.streams.iter().filter(is_source).map(|stream| stream.name.as_str()).collect();
        let telemetry = Arc::new(Telemetry::new(Arc::clone(&clock)));
        let spilling =
            store::open(&project.config.state, &mut session).map_err(|error| DaemonError::State(error.to_string()))?;
        let found = Found::open(&project.config, &read, &options, &mut session, &telemetry)
            .map_err(|error| DaemonError::State(error.to_string()))?;
        let mut sources = Vec::new();
        let mut schemas = guessed;
        let mut stdin: Option<&String> = None;
        let (mut doors, mut intakes) = (Doors::new(), Vec::new());
        for (name, config) in &project.config.sources {
            if !read.contains(&name.as_str()) {
                tracing::warn!(source = name, "no rule reads this source: it is left alone");
                continue;
            }
            if matches!(config.input, Input::Stdin { .. })
                && let Some(first) = stdin.replace(name)
            {
                return Err(DaemonError::StdinTwice { first: first.clone(), second: name.clone() });
            }
            schemas.entry(name.clone()).or_insert_with(|| config.schema.clone());
            if matches!(&config.input, Input::File(file) if file.follow && file.path.is_dir()) {
                tracing::warn!(
                    source = name,
                    "of this directory the files that are there now are followed: one that comes later is read from the next start on"
                );
            }
            let mut resume = found.as_ref().map(|found| found.resumption(name)).unwrap_or_default();
            if matches!(config.input, Input::Kafka(_)) {
                resume.lag = telemetry.lag_of(name);
            }
            let failed = |error| DaemonError::Source { name: name.clone(), error: Box::new(error) };
            let opened = match &config.input {
                Input::Http(http) => {
                    if !project.config.api.enabled {
                        return Err(DaemonError::NoListener { name: name.clone() });
                    }
                    let (door, source) = Door::open(name, config, http, &resume).map_err(failed)?;
                    intakes.push((name.clone(), door.intake().clone()));
                    doors.insert(name.clone(), Arc::new(door));
                    vec![(0, Box::new(source) as Box<dyn Source>)]
                }
                Input::Mqtt(mqtt) => {
                    let (intake, source) = open_mqtt(name, config, mqtt, &resume).map_err(failed)?;
                    intakes.push((name.clone(), intake));
                    vec![(0, Box::new(source) as Box<dyn Source>)]
                }
                _ => open_source(name, config, &resume).map_err(failed)?,
            };
            sources.push((name.clone(), opened));
        }
        if sources.is_empty() {
            return Err(DaemonError::NoSource { streams: read.join(", ") });
        }
        let SinksConfig { alerts, shadow, late, dead_letter } = &project.config.sinks;
        let exact = exact::open(&project.config.sinks, clock.as_ref()).map_err(Box::new)?;
        if found.is_none() && !exact.is_empty() {
            return Err(DaemonError::NoCheckpoints);
        }
        let failed = |what| move |error| DaemonError::Sink { what, error: Box::new(error) };
        let file =
            |config, what| open_file_sink(config).map(|sink| Box::new(sink) as Box<dyn Sink>).map_err(failed(what));
        let outboxes = project.config.state.enabled.then(|| outboxes_dir(&project.config.state.dir));
        let open = |sinks: &[AlertSinkConfig], what| {
            let open = |sink| open_alert_sink(sink, outboxes.as_deref()).map_err(failed(what));
            exact::others(sinks).map(open).collect::<Result<Vec<_>, _>>()
        };
        let (alerts, shadow) = (open(alerts, "alerts")?, open(shadow, "shadow alerts")?);
        if let Some(outboxes) = &outboxes {
            warn_of_orphans(outboxes, project.config.sinks.http());
        }
        let late = late.as_ref().map(|config| file(config, "late events")).transpose()?;
        let dead = dead_letter.as_ref().map(|config| file(config, "dead letters")).transpose()?;
        let bulletin = Arc::new(Bulletin::new(BulletinLimits::default(), telemetry.readers()));
        let swaps = None;
        Ok(Self {
            project,
            schemas,
            telemetry,
            bulletin,
            clock,
            session,
            sources,
            found,
            exact,
            spilling,
            alerts,
            shadow,
            late,
            dead,
            swaps,
            doors,
            intakes,
        })
    }

    /// Lets rules and fences be exchanged while it runs: `request` is what was loaded, and is loaded again when somebody asks, or
    /// when its files change; `hash` is its fingerprint.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn reloads(&mut self, request: Request, hash: String) -> io::Result<Reloads> {
        let (sender, swaps) = tokio::sync::mpsc::channel(1);
        self.swaps = Some(swaps);
        Reloads::start(Setup {
            request,
            guessed: self.schemas.clone(),
            config: self.project.config.clone(),
            plan: Arc::clone(&self.project.plan),
            world: Arc::clone(&self.project.world),
            hash,
            telemetry: Arc::clone(&self.telemetry),
            swaps: sender,
        })
    }

    /// Gives alerts to this sink, too.
    pub fn add_alert_sink(&mut self, sink: Box<dyn Sink>) {
        self.alerts.push(AlertSink::Lines(sink));
    }

    /// Where records are handed in by HTTP, by source.
    pub fn doors(&self) -> &Doors {
        &self.doors
    }

    /// What the daemon says about itself.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// The latest alerts, for those who watch.
    pub fn bulletin(&self) -> &Arc<Bulletin> {
        &self.bulletin
    }

    /// Runs until all sources have ended or `shutdown` is asked for; the summary for people.
    ///
    /// # Errors
    /// [`DaemonError::Ended`] where something went wrong on the way, and what comes of the system's lack of threads.
    pub fn run(self, shutdown: &Shutdown) -> Result<String, DaemonError> {
        let health = Arc::clone(self.telemetry.health());
        let engine = health.watch(ComponentKind::Engine, "engine");
        let sinks = Sinks { alerts: self.alerts, shadow: self.shadow, late: self.late, dead: self.dead };
        let (mut outlets, all) = start_sinks(sinks, &self.telemetry, &self.clock, shutdown)?;
        if self.project.config.api.enabled {
            outlets.alerts.push(Arc::new(Outbox::shown(Arc::clone(&self.bulletin))));
        }
        let mut places = BTreeMap::new();
        let mut keeper = None;
        let mut committers = Vec::new();
        if let Some(mut found) = self.found {
            let Found { epochs, undelivered, .. } = &mut found;
            let (threads, opened) = exact::start(self.exact, epochs, undelivered, &self.telemetry, shutdown)?;
            committers = threads;
            let Some(epochs) = opened else {
                let failures = exact::finish(&committers, self.clock.monotonic(), self.clock.as_ref());
                all.iter().for_each(|outlet| outlet.outbox.abandon());
                let text = "stopped before a topic that is written exactly once had answered: nothing was read";
                return match failures.is_empty() {
                    true => Ok(text.to_owned()),
                    false => Err(DaemonError::Ended(failures.join("\n"))),
                };
            };
            let outboxes: Outboxes =
                all.iter().map(|outlet| (outlet.name.clone(), Arc::clone(&outlet.outbox))).collect();
            send_again(&found.undelivered, &outboxes);
            let known = found
                .places
                .iter()
                .filter_map(|place| Some(((place.source.clone(), place.partition), place.position.clone()?)));
            places = known.collect();
            let setting = found.setting(&self.project.config, &self.telemetry);
            let watched = health.watch(ComponentKind::State, "checkpoints");
            let alerts = (outlets.alerts.clone(), outlets.shadow.clone());
            keeper = Some(Keeper::start(setting, outboxes, alerts, epochs, watched, Arc::clone(&self.clock))?);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let plan = Arc::clone(&self.project.plan);
        let streams: Vec<&str> = self.sources.iter().map(|(name, _)| name.as_str()).collect();
        let mut driver = Driver {
            tables: Tables::watch(&self.project)?,
            feeds: Vec::new(),
            quiet: Quiet::new(Arc::clone(&self.clock)),
            outlets,
            report: Report::new(
                Arc::clone(&self.telemetry),
                Arc::clone(&self.clock),
                Arc::clone(&plan),
                &self.session,
                streams.into_iter(),
            )
            .with_intakes(self.intakes),
            summary: Summary::start(),
            telemetry: Arc::clone(&self.telemetry),
            clock: Arc::clone(&self.clock),
            shutdown: shutdown.clone(),
            stop: Arc::clone(&stop),
            rules: plan.rules.iter().map(|rule| rule.name.clone()).collect(),
            by_arrival: by_arrival(&plan),
            shadows: plan.rules.iter().map(|rule| rule.mode == Mode::Shadow).collect(),
            lanes: Vec::new(),
            lines: Lines::default(),
            letters: Letters::default(),
            swaps: self.swaps.unwrap_or_else(|| tokio::sync::mpsc::channel(1).1),
            failures: Vec::new(),
            keeper,
            store: self.spilling.map(|spilling| Store::watch(spilling, &self.telemetry)),
            places,
            session: self.session,
        };
        for (name, sources) in self.sources {
            let Some(config) = self.project.config.sources.get(&name) else { continue };
            let several = sources.len() > 1;
            for (number, source) in sources {
                let shown = if several { format!("{name}/{number}") } else { name.clone() };
                let watched = health.watch(ComponentKind::Source, &shown);
                let schema = self.schemas.get(&name).unwrap_or(&config.schema).clone();
                let feed = Feed::start(&name, config, schema, number, source, watched, Arc::clone(&stop))?;
                let many = matches!(config.input, Input::Kafka(_));
                driver.feeds.push(feed);
                if !many {
                    driver.add_lane(driver.feeds.len() - 1, number);
                }
            }
        }
        let (sender, ended) = mpsc::channel();
        let thread = thread::Builder::new().name("engine".to_owned()).spawn(move || {
            engine.ready();
            let outcome = driver.run();
            engine.stopping();
            // The handle goes along: while the sinks still write, a probe needn't restart the process.
            let _ = sender.send((outcome, engine));
        })?;
        let mut outcome = wait(&ended, &all, shutdown, self.clock.as_ref());
        let mut failures = Vec::new();
        let mut summary = String::new();
        let mut keeper = None;
        let mut is_at_end = false;
        match &mut outcome {
            Some((Ok(Outcome { summary: text, failures: found, keeper: last, at_end }), _)) => {
                is_at_end = *at_end == AtEnd::Drain;
                summary.clone_from(text);
                failures.clone_from(found);
                keeper = last.take();
            }
            Some((Err(error), _)) => failures.push(format!("the engine can't run: {error}")),
            None => failures.push("the engine broke down: please report this with the lines above".to_owned()),
        }
        let _ = thread.join();
        self.bulletin.close();
        let deadline = self.clock.monotonic() + SINK_GRACE;
        all.iter().for_each(|outlet| outlet.outbox.close());
        for outlet in &all {
            let unwritten = outlet.finish(deadline.saturating_sub(self.clock.monotonic()));
            if unwritten > 0 {
                failures.push(format!("the sink `{}` did not take {unwritten} lines", outlet.name));
            }
            // After a stop there is a next run. Where all sources have ended somebody may think that all is done.
            let left = outlet.outbox.left();
            if left > 0 && !shutdown.is_requested() {
                let text = "alerts: they stay in its outbox, and the next run sends them";
                failures.push(format!("the sink `{}` did not take {left} {text}", outlet.name));
            }
        }
        let is_over = failures.is_empty() && !shutdown.is_requested() && !matches!(keeper, Some((_, Some(_))));
        if is_over {
            all.iter().for_each(|outlet| outlet.outbox.ended());
        }
        // Only now it is known what the sinks have.
        match keeper {
            // What fired only because a source failed isn't sent exactly once: a restart begins before it.
            Some((mut keeper, Some((cut, places)))) if !is_at_end || failures.is_empty() => {
                let is_kept = keeper.keep_last(cut, places);
                let text = "the last checkpoint could not be written: a restart begins with the one before";
                failures.extend((!is_kept).then(|| text.to_owned()));
                let deadline = deadline.max(self.clock.monotonic() + LAST_GRACE);
                failures.extend(exact::finish(&committers, deadline, self.clock.as_ref()));
                if is_at_end && failures.is_empty() { keeper.forget() } else { keeper.leave() }
            }
            Some((keeper, None)) if failures.is_empty() => keeper.forget(),
            Some((keeper, _)) => keeper.leave(),
            None => {}
        }
        if let Some((_, engine)) = outcome {
            engine.ended();
        }
        match failures.is_empty() {
            true => Ok(summary),
            false => Err(DaemonError::Ended(format!("{}\n{summary}", failures.join("\n")))),
        }
    }
}

/// Gives the sinks what they had not acknowledged when the last checkpoint was taken.
fn send_again(undelivered: &[Undelivered], outboxes: &Outboxes) {
    for Undelivered { sink, lines } in undelivered.iter().filter(|undelivered| !undelivered.lines.is_empty()) {
        let Some((_, outbox)) = outboxes.iter().find(|(name, _)| name == sink) else {
            tracing::error!(sink, lines = lines.len(), "it is gone, and had not acknowledged these lines");
            continue;
        };
        tracing::info!(sink, lines = lines.len(), "sending again what had not been acknowledged");
        let mut batch = sink::Lines::new();
        for (key, line) in lines {
            batch.push_with(key, |out| out.extend_from_slice(line));
        }
        outbox.push(&Arc::new(batch));
    }
}

/// What the driver's thread leaves behind: how it went, and its place among the parts.
type Ended = (io::Result<Outcome>, Watched);

/// Waits for the driver. Once a stop was asked for, sinks that take nothing may hold it up only so long. None where it broke down.
fn wait(ended: &mpsc::Receiver<Ended>, outlets: &[Outlet], shutdown: &Shutdown, clock: &dyn Clock) -> Option<Ended> {
    let mut asked: Option<Duration> = None;
    loop {
        match ended.recv_timeout(WATCH) {
            Ok(outcome) => return Some(outcome),
            Err(mpsc::RecvTimeoutError::Disconnected) => return None,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        if shutdown.is_requested() {
            let since = *asked.get_or_insert_with(|| clock.monotonic());
            if clock.monotonic().saturating_sub(since) >= SINK_GRACE {
                outlets.iter().for_each(|outlet| outlet.outbox.abandon());
            }
        }
    }
}
