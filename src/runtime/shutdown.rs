//! Stopping: one token that every thread and task can look at or wait for, and the signals that trip it.
//!
//! The first SIGTERM or SIGINT asks for a graceful stop: sources pause, what is decided goes to the sinks, state is kept.
//! A second one means it: the process leaves at once, with the exit code that shells expect (128 + the signal's number).

use std::{io, sync::Arc};

use tokio::{sync::watch, task::JoinHandle};

/// Whether a stop was asked for. Clones share the answer; it never goes back to no.
#[derive(Clone, Debug)]
pub struct Shutdown {
    asked: Arc<watch::Sender<bool>>,
}

impl Shutdown {
    /// A token that nobody has tripped. Tokens that weren't cloned from each other are independent, so that the HTTP API
    /// can be stopped after everything else.
    pub fn new() -> Self {
        Self { asked: Arc::new(watch::Sender::new(false)) }
    }

    /// Asks for the stop; asking again changes nothing.
    pub fn request(&self) {
        self.asked.send_replace(true);
    }

    /// Whether the stop was asked for; cheap enough to look at once per batch.
    pub fn is_requested(&self) -> bool {
        *self.asked.borrow()
    }

    /// Waits until the stop is asked for; returns at once if it was. May be dropped at any await point.
    pub async fn requested(&self) {
        let mut asked = self.asked.subscribe();
        // INVARIANT: `self` holds the sender, so that the channel cannot close while this waits.
        let _ = asked.wait_for(|asked| *asked).await;
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

/// Trips `shutdown` at the first SIGTERM or SIGINT, and ends the process at the second. Call it inside a tokio runtime.
///
/// # Errors
/// When the signal handlers cannot be installed.
pub fn trip_on_signals(shutdown: Shutdown) -> io::Result<JoinHandle<()>> {
    let mut signals = Signals::install()?;
    Ok(tokio::spawn(async move {
        let first = signals.next().await;
        tracing::info!(signal = first.name, "stopping; a second signal ends the process at once");
        shutdown.request();
        let second = signals.next().await;
        tracing::warn!(signal = second.name, "second signal: leaving at once");
        std::process::exit(second.exit_code());
    }))
}

/// A signal that asks the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Signal {
    name: &'static str,
    number: i32,
}

impl Signal {
    const INTERRUPT: Signal = Signal { name: "SIGINT", number: 2 };
    #[cfg(unix)]
    const TERMINATE: Signal = Signal { name: "SIGTERM", number: 15 };

    fn exit_code(self) -> i32 {
        128 + self.number
    }
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::TERMINATE,
            _ = self.interrupt.recv() => Signal::INTERRUPT,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn install() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::INTERRUPT
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn every_clone_hears_the_request_early_or_late() {
        let shutdown = Shutdown::new();
        let other = shutdown.clone();
        assert!(!other.is_requested());
        let waiting = tokio::spawn(async move { other.requested().await });
        tokio::task::yield_now().await;
        shutdown.request();
        shutdown.request();
        tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
        tokio::time::timeout(Duration::from_secs(5), shutdown.clone().requested()).await.unwrap();
        assert!(shutdown.is_requested());
        assert!(!Shutdown::new().is_requested());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_real_sigterm_asks_for_a_stop_and_does_not_kill() {
        let shutdown = Shutdown::new();
        let task = trip_on_signals(shutdown.clone()).unwrap();
        let status = std::process::Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", std::process::id())])
            .status()
            .unwrap();
        assert!(status.success());
        tokio::time::timeout(Duration::from_secs(5), shutdown.requested()).await.unwrap();
        task.abort();
        assert_eq!(Signal::TERMINATE.exit_code(), 143);
    }
}
