//! A source on a thread of its own, held back by a bounded channel.

use super::{Opened, Pulled, Source, SourceError};
use crate::{engine::checkpoint::Position, wire::Chunk};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};

/// How long a source waits before it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long to wait before trying again after an error that may pass; doubled with each up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// How long a source sleeps while there is no room; some chunks wait for whoever makes room, so that this costs no time.
const NAP: Duration = Duration::from_millis(1);
/// After so many of them it is told to hold (2 s), and then each time after so many more (half a second). On a machine that is busy with other
/// things a nap takes several times as long, and whoever it reads from may take it for dead after some seconds.
const NAPS_MAX: u32 = 2_000;
const HOLD_NAPS: u32 = 500;

/// What comes from a source's thread.
#[derive(Debug)]
pub enum Delivery {
    /// It is open: the first delivery, but for troubles.
    Opened(Opened),
    /// Records, and where they end, if the source can tell.
    Records(Chunk, Option<Position>),
    /// It works, and nothing has come for a moment; said once between other deliveries.
    Idle,
    /// Of its partitions these have been read to their present end, and the others haven't.
    CaughtUp(Vec<u32>),
    /// It can't be read just now; it is tried again.
    Trouble(SourceError),
    /// It can't be read any further: the last delivery.
    Failed(SourceError),
    /// It has no more: the last delivery.
    End,
}

/// A source that runs.
#[derive(Debug)]
pub struct RunningSource {
    /// What it delivers; dropping it ends the thread. Waits in tasks (`recv`) and threads (`blocking_recv`).
    pub deliveries: Receiver<Delivery>,
    /// Its thread, to be joined when a source should have committed its place. A thread that waits for a pipe ends only
    /// with the pipe or the process.
    pub thread: JoinHandle<()>,
}

/// Starts a source on a thread. At most `capacity` deliveries wait (at least 1); the source then waits, too. It ends when
/// `stop` is set, within a fraction of a second.
///
/// # Errors
/// The system has no thread left.
pub fn spawn(mut source: Box<dyn Source>, capacity: usize, stop: Arc<AtomicBool>) -> io::Result<RunningSource> {
    let (sender, deliveries) = channel(capacity.max(1));
    let name = format!("source {}", source.name());
    let thread = thread::Builder::new().name(name).spawn(move || {
        let mut retry = RETRY_MIN;
        let (mut opened, mut idle) = (false, false);
        let mut pause = Duration::ZERO;
        while !stop.load(Ordering::Relaxed) && !sender.is_closed() {
            if !pause.is_zero() && !source.is_back() {
                let nap = pause.min(PATIENCE);
                thread::sleep(nap);
                pause -= nap;
                continue;
            }
            pause = Duration::ZERO;
            let delivery = if opened { pull(source.as_mut()) } else { open(source.as_mut()) };
            match &delivery {
                Delivery::Trouble(_) => {
                    pause = retry;
                    retry = (retry * 2).min(RETRY_MAX);
                }
                Delivery::Opened(_) => (opened, retry) = (true, RETRY_MIN),
                _ => retry = RETRY_MIN,
            }
            let repeated = idle && matches!(delivery, Delivery::Idle);
            idle = matches!(delivery, Delivery::Idle);
            let last = matches!(delivery, Delivery::End | Delivery::Failed(_));
            if !repeated && (!send(&sender, source.as_mut(), delivery, &stop) || last) {
                return;
            }
            source.delivered();
            if let Some(partitions) = source.caught_up()
                && !send(&sender, source.as_mut(), Delivery::CaughtUp(partitions), &stop)
            {
                return;
            }
        }
        if let Some(chunk) = source.last() {
            let _ = sender.blocking_send(Delivery::Records(chunk, None));
        }
    })?;
    Ok(RunningSource { deliveries, thread })
}

/// Waits until there is room; false if nobody will ever take it. A source that waits for long stays in touch with where it reads from.
fn send(sender: &Sender<Delivery>, source: &mut dyn Source, delivery: Delivery, stop: &AtomicBool) -> bool {
    let mut delivery = delivery;
    let mut naps = 0;
    loop {
        delivery = match sender.try_send(delivery) {
            Ok(()) => return true,
            Err(TrySendError::Closed(_)) => return false,
            // A stop is heard by who takes deliveries: it waits for this one.
            Err(TrySendError::Full(back)) if naps < NAPS_MAX || stop.load(Ordering::Relaxed) => back,
            Err(TrySendError::Full(back)) => {
                naps = NAPS_MAX - HOLD_NAPS;
                source.hold();
                back
            }
        };
        naps += 1;
        thread::sleep(NAP);
    }
}

fn open(source: &mut dyn Source) -> Delivery {
    source.open().map_or_else(trouble, Delivery::Opened)
}

fn pull(source: &mut dyn Source) -> Delivery {
    let mut chunk = Chunk::new();
    match source.pull(&mut chunk, PATIENCE) {
        Ok(Pulled::Records) => Delivery::Records(chunk, source.place()),
        Ok(Pulled::Idle) => Delivery::Idle,
        Ok(Pulled::End) => Delivery::End,
        Err(error) => trouble(error),
    }
}

fn trouble(error: SourceError) -> Delivery {
    if error.is_final() { Delivery::Failed(error) } else { Delivery::Trouble(error) }
}
