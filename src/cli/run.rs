//! `geocep run`: the daemon.

use super::{
    log::{Log, log_to_stderr},
    options::{ConfigOptions, fail, say, warn},
};
use crate::{
    api::{ApiConfig, ApiState, Token, serve},
    runtime::{
        clock::SystemClock,
        config::{self, Input, StreamSchema},
        daemon::{Daemon, old_versions},
        project::{DEFAULT_CONFIG, Loaded},
        reload::reload_on_hangup,
        replay::guess_schema,
        shutdown::{Shutdown, trip_on_signals},
    },
};
use clap::Args;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use tokio::task::JoinHandle;

/// How long the API may take to end after everything else.
const API_GRACE: Duration = Duration::from_secs(1);

/// Arguments of `geocep run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    config: ConfigOptions,
}

/// Runs the daemon until its sources have ended or a signal stops it.
pub(super) fn run(args: &RunArgs) -> u8 {
    match start(args) {
        Ok(summary) => {
            say(format_args!("{}", summary.trim_end()));
            0
        }
        Err((message, code)) => fail(&message.trim_end(), code),
    }
}

fn start(args: &RunArgs) -> Result<String, (String, u8)> {
    log_to_stderr("info", Log::Dated).map_err(|error| (error, 2))?;
    if args.config.config.is_none() && !Path::new(DEFAULT_CONFIG).is_file() {
        let text = format!("there is no `{DEFAULT_CONFIG}` here: the daemon needs a file that names sources and rules");
        return Err((format!("{text}; name it with `-c FILE` (docs/configuration.md has every key)"), 2));
    }
    let request = args.config.request(&[]);
    let loaded = Loaded::read(&request).map_err(|error| (error.to_string(), error.exit_code()))?;
    let (guessed, hash) = (guess(&loaded), loaded.hash());
    let olds = old_versions(&loaded.config);
    let project = loaded.check_after(&guessed, false, &olds).map_err(|error| (error.to_string(), error.exit_code()))?;
    warn(&project);
    let api = api_config(&project.config.api).map_err(|error| (error, 2))?;
    let rules = project.plan.rules.len();
    let mut daemon = Daemon::open(project, guessed, Arc::new(SystemClock::new()))
        .map_err(|error| (error.to_string(), error.exit_code()))?;

    let no_thread = |error| (format!("can't start a thread: {error}"), 1);
    let reloads = daemon.reloads(request, hash).map_err(no_thread)?;
    let edge = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("edge").enable_all().build();
    let edge = edge.map_err(no_thread)?;
    let (shutdown, api_end) = (Shutdown::new(), Shutdown::new());
    let state = Arc::new(
        ApiState::new(Arc::clone(daemon.telemetry()))
            .with_reloads(reloads.clone())
            .with_doors(daemon.doors().clone())
            .with_bulletin(Arc::clone(daemon.bulletin())),
    );
    let serving = edge.block_on(async {
        trip_on_signals(shutdown.clone()).map_err(|error| (format!("can't listen for signals: {error}"), 1))?;
        reload_on_hangup(reloads).map_err(|error| (format!("can't listen for signals: {error}"), 1))?;
        let Some(api) = api else { return Ok(None) };
        let (address, task) = serve(api, state, api_end.clone()).await.map_err(|error| (error.to_string(), 2))?;
        tracing::info!("the API listens on http://{address}");
        Ok::<Option<JoinHandle<()>>, (String, u8)>(Some(task))
    })?;
    tracing::info!(rules, "running");
    let result = daemon.run(&shutdown);
    api_end.request();
    if let Some(task) = serving {
        let _ = edge.block_on(async { tokio::time::timeout(API_GRACE, task).await });
    }
    edge.shutdown_background();
    result.map_err(|error| (error.to_string(), error.exit_code()))
}

/// Schemas of files that are there and of which nothing is declared. What can't be guessed stays open.
fn guess(loaded: &Loaded) -> BTreeMap<String, StreamSchema> {
    let undeclared = loaded.config.sources.iter().filter(|(_, source)| !source.declared);
    let guesses = undeclared.filter_map(|(name, source)| match &source.input {
        Input::File(file) => {
            let schema = guess_schema(&file.path, file.format, source.record_bytes_max).ok()?;
            // Of an empty file nothing is known yet.
            let known = schema.position.is_some() || !schema.fields.is_empty();
            known.then(|| (name.clone(), schema))
        }
        _ => None,
    });
    guesses.collect()
}

/// How the API is served; none where it isn't.
fn api_config(config: &config::ApiConfig) -> Result<Option<ApiConfig>, String> {
    if !config.enabled {
        return Ok(None);
    }
    let token = config.token.as_ref().map(|token| Token::new(token.reveal())).transpose();
    let token = token.map_err(|error| format!("`api.token`: {error}"))?;
    Ok(Some(ApiConfig { listen: config.listen.to_string(), token, ..ApiConfig::default() }))
}
