//! The book in which every metric is entered: the registry that `/metrics` is written from, and the list of names that the
//! documentation is held against.

use prometheus_client::{
    collector::Collector,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Metric, Registry, Unit},
};

/// What all names begin with.
pub(super) const PREFIX: &str = "geocep";

/// Labels of a figure: names that are fixed here, values that come from configuration and rule files.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Counters by labels.
pub(super) type Counters = Family<Labels, Counter>;

/// Gauges by labels.
pub(super) type Gauges = Family<Labels, Gauge>;

/// A registry that remembers the names of its samples.
#[derive(Debug)]
pub(super) struct Register {
    registry: Registry,
    names: Vec<String>,
}

impl Register {
    pub(super) fn new() -> Self {
        Self { registry: Registry::with_prefix(PREFIX), names: Vec::new() }
    }

    /// Counters `geocep_{name}_total`.
    pub(super) fn counters(&mut self, name: &str, help: &str) -> Counters {
        let family = Counters::default();
        self.registry.register(name, help, family.clone());
        self.names.push(format!("{PREFIX}_{name}_total"));
        family
    }

    /// A counter `geocep_{name}_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str) -> Counter {
        let counter = Counter::default();
        self.registry.register(name, help, counter.clone());
        self.names.push(format!("{PREFIX}_{name}_total"));
        counter
    }

    /// Gauges `geocep_{name}` by labels.
    pub(super) fn gauges(&mut self, name: &str, help: &str) -> Gauges {
        let family = Gauges::default();
        self.registry.register(name, help, family.clone());
        self.names.push(format!("{PREFIX}_{name}"));
        family
    }

    /// Any metric whose samples are named `geocep_{name}`.
    pub(super) fn metric<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.registry.register(name, help, metric.clone());
        self.names.push(format!("{PREFIX}_{name}"));
        metric
    }

    /// A metric in seconds, `geocep_{name}_seconds`.
    pub(super) fn seconds<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
        self.names.push(format!("{PREFIX}_{name}_seconds"));
        metric
    }

    /// Figures that are worked out when somebody asks; `names` are those of its samples, without the prefix.
    pub(super) fn collector(&mut self, names: &[&str], collector: impl Collector) {
        self.registry.register_collector(Box::new(collector));
        self.names.extend(names.iter().map(|name| format!("{PREFIX}_{name}")));
    }

    /// The registry, and the names of all samples that it can hold.
    pub(super) fn close(self) -> (Registry, Vec<String>) {
        (self.registry, self.names)
    }
}
