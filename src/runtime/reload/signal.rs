//! SIGHUP asks for a reload.

use super::reloads::{Reloads, Trigger};
use std::io;

/// Asks for a reload at each SIGHUP. Call it inside a tokio runtime.
///
/// # Errors
/// When the signal handler can't be installed.
#[cfg(unix)]
pub fn reload_on_hangup(reloads: Reloads) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            reloads.ask(Trigger::Signal);
        }
    });
    Ok(())
}

/// There is no such signal here.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn reload_on_hangup(_: Reloads) -> io::Result<()> {
    Ok(())
}
