//! The thread that reads files anew, and the handle by which it is asked to.

use super::{
    answer::{Answer, ReloadError},
    swap::Swap,
    watch::{Stamps, Watch},
};
use crate::{
    expr::World,
    plan::{Plan, StreamOrigin},
    runtime::{
        config::{Config, StreamSchema},
        project::{DEFAULT_CONFIG, Loaded, ProjectError, Request},
        telemetry::Telemetry,
    },
};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};
use tokio::sync::{mpsc::Sender, oneshot};

/// How often it looks whether it is still needed, where no files are watched.
const REST: Duration = Duration::from_secs(5);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// SIGHUP.
    Signal,
    /// A file was changed.
    Files,
    /// The API.
    Api,
}

impl Trigger {
    fn name(self) -> &'static str {
        match self {
            Self::Signal => "SIGHUP",
            Self::Files => "files",
            Self::Api => "API",
        }
    }
}

struct Ask {
    trigger: Trigger,
    answer: Option<oneshot::Sender<Result<Answer, ReloadError>>>,
}

/// Asks for reloads. They are done one after the other.
#[derive(Clone, Debug)]
pub struct Reloads {
    asks: mpsc::Sender<Ask>,
}

/// What the thread starts with.
pub struct Setup {
    /// What was loaded, to be loaded again.
    pub request: Request,
    /// Schemas that were guessed at the start; they stay.
    pub guessed: BTreeMap<String, StreamSchema>,
    /// The configuration that runs: of a new edition only rules and fences are taken.
    pub config: Config,
    /// The rules that run.
    pub plan: Arc<Plan>,
    /// The fences that are there: what a reload leaves as it is needn't be made anew.
    pub world: Arc<World>,
    /// The fingerprint of what runs.
    pub hash: String,
    /// Where reloads are counted.
    pub telemetry: Arc<Telemetry>,
    /// The way to the engine.
    pub swaps: Sender<Swap>,
}

impl Reloads {
    /// Starts the thread. It ends with the engine, or when nobody can ask any more and no files are watched.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(setup: Setup) -> io::Result<Self> {
        let (asks, asked) = mpsc::channel();
        setup.telemetry.set_rules_hash(&setup.hash);
        let named = setup.request.config.clone();
        let file = named.or_else(|| Some(PathBuf::from(DEFAULT_CONFIG)).filter(|path| path.is_file()));
        let watch = Watch::new(Stamps::look(file.as_deref(), &setup.config));
        let worker = Worker { setup, file, watch };
        thread::Builder::new().name("reload".to_owned()).spawn(move || worker.run(&asked))?;
        Ok(Self { asks })
    }

    /// Asks for a reload; what came of it goes to the log.
    pub fn ask(&self, trigger: Trigger) {
        let _ = self.asks.send(Ask { trigger, answer: None });
    }

    /// Asks for a reload and waits for what came of it. May be dropped at any await point; the reload goes on.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub async fn reload(&self, trigger: Trigger) -> Result<Answer, ReloadError> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask { trigger, answer: Some(answer) }).map_err(|_| ReloadError::Stopping)?;
        answered.await.unwrap_or(Err(ReloadError::Stopping))
    }
}

struct Worker {
    setup: Setup,
    file: Option<PathBuf>,
    watch: Watch,
}

impl Worker {
    fn run(mut self, asked: &mpsc::Receiver<Ask>) {
        let every = self.setup.config.reload.watch_ms.map(Duration::from_millis);
        loop {
            match asked.recv_timeout(every.unwrap_or(REST)) {
                Ok(Ask { trigger, answer }) => {
                    let result = self.reload(trigger);
                    if let Some(answer) = answer {
                        let _ = answer.send(result);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    if every.is_some() && self.watch.has_changed(self.look()) {
                        // What came of it is in the log.
                        let _ = self.reload(Trigger::Files);
                    }
                }
            }
            if self.setup.swaps.is_closed() {
                return;
            }
        }
    }

    fn look(&self) -> Stamps {
        Stamps::look(self.file.as_deref(), &self.setup.config)
    }

    fn reload(&mut self, trigger: Trigger) -> Result<Answer, ReloadError> {
        // Before anything is read, so that what is written meanwhile counts as a change.
        let stamps = self.look();
        let result = self.swap();
        self.watch.set_read(stamps);
        match &result {
            Ok(answer) => {
                self.setup.telemetry.count_reload(true);
                self.setup.telemetry.set_rules_hash(&answer.hash);
                answer.log(trigger.name());
            }
            Err(ReloadError::Stopping) => {}
            Err(ReloadError::Refused(why)) => {
                self.setup.telemetry.count_reload(false);
                let why = why.trim_end();
                tracing::error!(trigger = trigger.name(), "reload refused, the running rules go on untouched:\n{why}");
            }
        }
        result
    }

    /// Reads and checks, and has the engine take it.
    fn swap(&mut self) -> Result<Answer, ReloadError> {
        let refused = |error: ProjectError| ReloadError::Refused(error.to_string());
        let mut warnings = Vec::new();
        let config = self.config(&mut warnings).map_err(refused)?;
        let (rules, world) = (&self.setup.request.rules, &self.setup.world);
        let loaded = Loaded::with_config(config, true, rules, false, Some(world)).map_err(refused)?;
        let hash = loaded.hash();
        let mut project = loaded.check_after(&self.setup.guessed, false, &self.setup.plan).map_err(refused)?;
        self.refuse_new_sources(&project.plan)?;
        warnings.append(&mut project.warnings);
        let (plan, world, config) = (Arc::clone(&project.plan), Arc::clone(&project.world), project.config.clone());
        let (answer, answered) = mpsc::channel();
        self.setup.swaps.blocking_send(Swap { project, answer }).map_err(|_| ReloadError::Stopping)?;
        let replaced = answered.recv().map_err(|_| ReloadError::Stopping)?.map_err(ReloadError::Refused)?;
        (self.setup.plan, self.setup.world, self.setup.config) = (plan, world, config);
        self.setup.hash.clone_from(&hash);
        Ok(Answer::new(hash, &replaced, warnings))
    }

    /// The running configuration with the rules and fences that its file names now.
    fn config(&self, warnings: &mut Vec<String>) -> Result<Config, ProjectError> {
        let overrides = &self.setup.request.overrides;
        let now = match &self.file {
            Some(path) => Config::load(path, overrides)?,
            None => Config::parse("{}", Path::new(""), overrides, &|name| std::env::var(name).ok())?,
        };
        let running = &self.setup.config;
        let merged = Config { rules: now.rules.clone(), geofences: now.geofences.clone(), ..running.clone() };
        if merged != now {
            let text = "the configuration has changed in other keys than `rules` and `geofences`: that takes a restart";
            warnings.push(format!("warning: {text}"));
        }
        Ok(merged)
    }

    /// Sources are opened at the start, so that their partitions have their place in the order.
    fn refuse_new_sources(&self, plan: &Plan) -> Result<(), ReloadError> {
        let sources = |plan: &Plan| -> Vec<String> {
            let sources = plan.streams.iter().filter(|stream| stream.origin == StreamOrigin::Source);
            sources.map(|stream| stream.name.clone()).collect()
        };
        let running = sources(&self.setup.plan);
        match sources(plan).iter().find(|name| !running.contains(name)) {
            None => Ok(()),
            Some(name) => Err(ReloadError::Refused(format!(
                "a rule reads the source `{name}`, which no rule has read since the start: opening it takes a restart"
            ))),
        }
    }
}
