//! The health of the daemon's parts: who has to work, whether they do, and why not.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use serde::Serialize;

/// What a part of the daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentKind {
    /// The thread that runs the rules. Without it the process is of no use.
    Engine,
    /// Something that is read.
    Source,
    /// Something that is written.
    Sink,
    /// Checkpoints.
    State,
}

impl ComponentKind {
    /// Its name in labels and replies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Source => "source",
            Self::Sink => "sink",
            Self::State => "state",
        }
    }
}

/// How a part is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentState {
    /// It is being set up: not ready yet.
    Starting,
    /// It works.
    Ready,
    /// What it talks to is away and it tries again by itself: not ready.
    Retrying,
    /// It is finishing because it was asked to: not ready any more.
    Stopping,
    /// It has done all there was to do (a file without a tail was read to its end). Fine, unless it is the engine.
    Ended,
    /// It has given up: not ready, and it won't be without a restart.
    Failed,
}

/// A part of the daemon as `/readyz` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Component {
    /// What it is.
    pub kind: ComponentKind,
    /// Its name in the configuration.
    pub name: String,
    /// How it is doing.
    pub state: ComponentState,
    /// Why it isn't ready, in words for a person; without secrets. None when there is nothing to say.
    pub reason: Option<String>,
}

impl Component {
    /// Whether the daemon can do its whole work as far as this part goes.
    pub fn is_ready(&self) -> bool {
        match self.state {
            ComponentState::Ready => true,
            ComponentState::Ended => self.kind != ComponentKind::Engine,
            _ => false,
        }
    }
}

/// The parts that were announced, and their states.
#[derive(Debug, Default)]
pub struct Health {
    parts: RwLock<BTreeMap<(ComponentKind, String), Component>>,
}

impl Health {
    /// Nothing announced yet: not ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Announces a part as starting; the handle tells what becomes of it. Announce all parts before the first one starts,
    /// so that the daemon isn't ready while one of them is still unknown.
    pub fn watch(self: &Arc<Self>, kind: ComponentKind, name: &str) -> Watched {
        self.set(kind, name, ComponentState::Starting, None);
        Watched { health: Arc::clone(self), kind, name: name.to_owned(), closed: false }
    }

    fn set(&self, kind: ComponentKind, name: &str, state: ComponentState, reason: Option<String>) {
        let component = Component { kind, name: name.to_owned(), state, reason };
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        parts.insert((kind, name.to_owned()), component);
    }

    /// Every part, by kind and name.
    pub fn components(&self) -> Vec<Component> {
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        parts.values().cloned().collect()
    }

    /// Why the process is of no use any more: an engine has failed or ended. None while all engines live.
    pub fn dead_engine(&self) -> Option<String> {
        let dead = |component: &Component| {
            component.kind == ComponentKind::Engine
                && matches!(component.state, ComponentState::Failed | ComponentState::Ended)
        };
        let engine = self.components().into_iter().find(dead)?;
        Some(engine.reason.unwrap_or_else(|| "it has come to its end".to_owned()))
    }
}

/// A part's own handle on its state. Dropped without a last word, which is what a panic does, the part has failed.
#[derive(Debug)]
pub struct Watched {
    health: Arc<Health>,
    kind: ComponentKind,
    name: String,
    closed: bool,
}

impl Watched {
    /// It works.
    pub fn ready(&self) {
        self.set(ComponentState::Ready, None);
    }

    /// What it talks to is away, and it tries again.
    pub fn retrying(&self, reason: impl Into<String>) {
        self.set(ComponentState::Retrying, Some(reason.into()));
    }

    /// It was asked to stop, and finishes what it has.
    pub fn stopping(&self) {
        self.set(ComponentState::Stopping, Some("stopping, as asked".to_owned()));
    }

    /// Its last word: all done.
    pub fn ended(mut self) {
        self.closed = true;
        self.set(ComponentState::Ended, None);
    }

    /// Its last word: it gives up.
    pub fn failed(mut self, reason: impl Into<String>) {
        self.closed = true;
        self.set(ComponentState::Failed, Some(reason.into()));
    }

    fn set(&self, state: ComponentState, reason: Option<String>) {
        self.health.set(self.kind, &self.name, state, reason);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.closed {
            let why =
                if std::thread::panicking() { "it panicked: please report this" } else { "it stopped unexpectedly" };
            self.set(ComponentState::Failed, Some(why.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(health: &Health, name: &str) -> ComponentState {
        health.components().into_iter().find(|part| part.name == name).unwrap().state
    }

    #[test]
    fn a_thread_that_panics_leaves_a_failed_engine_behind() {
        let health = Arc::new(Health::new());
        let engine = health.watch(ComponentKind::Engine, "engine");
        engine.ready();
        assert_eq!(health.dead_engine(), None);
        let thread = std::thread::spawn(move || {
            let _engine = engine;
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert!(health.dead_engine().unwrap().contains("panicked"));
    }

    #[test]
    fn a_source_at_its_end_is_fine_but_an_engine_at_its_end_is_not() {
        let health = Arc::new(Health::new());
        health.watch(ComponentKind::Source, "pings").ended();
        assert!(health.components().iter().all(Component::is_ready));
        assert_eq!(health.dead_engine(), None);
        health.watch(ComponentKind::Engine, "engine").ended();
        assert!(!health.components().iter().all(Component::is_ready));
        assert!(health.dead_engine().is_some());
    }

    #[test]
    fn a_part_moves_through_its_states_and_keeps_its_last_word() {
        let health = Arc::new(Health::new());
        let sink = health.watch(ComponentKind::Sink, "alerts");
        assert_eq!(state(&health, "alerts"), ComponentState::Starting);
        sink.retrying("connection refused");
        assert_eq!(health.components()[0].reason.as_deref(), Some("connection refused"));
        sink.ready();
        assert_eq!(health.components()[0].reason, None);
        sink.stopping();
        assert_eq!(state(&health, "alerts"), ComponentState::Stopping);
        sink.failed("disk full");
        assert_eq!(state(&health, "alerts"), ComponentState::Failed);
        assert_eq!(health.components()[0].reason.as_deref(), Some("disk full"));
    }
}
