//! What is logged, and where: to stderr, as `GEOCEP_LOG` says.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// The environment variable that says what is logged: `debug`, `warn`, `info,geocep::io=debug`.
const LOG: &str = "GEOCEP_LOG";

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    /// With its time and place: a daemon's.
    Dated,
    /// The level and the words: a command's that a person waits for.
    Plain,
}

/// Sends the log to stderr, `standard` and above where the environment says nothing.
///
/// # Errors
/// The environment variable says something that can't be understood.
pub(super) fn log_to_stderr(standard: &str, log: Log) -> Result<(), String> {
    let filter = match std::env::var(LOG) {
        Ok(text) => EnvFilter::try_new(&text).map_err(|error| format!("the environment variable `{LOG}`: {error}"))?,
        Err(_) => EnvFilter::new(standard),
    };
    let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
    // Fails only where one is set already.
    let _ = match log {
        Log::Dated => lines.try_init(),
        Log::Plain => lines.without_time().with_target(false).try_init(),
    };
    Ok(())
}
