//! Figures that are worked out at the moment of a scrape, since they change by themselves: uptime, the watermark's lag, who
//! holds the watermark back, which parts work.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Unit,
};

use super::{checkpoint::CheckpointFigures, health::Health, register::Labels};
use crate::{model::TimeMs, runtime::clock::Clock};

/// The names of its samples.
pub(super) const NAMES: &[&str] = &[
    "build_info",
    "uptime_seconds",
    "watermark_seconds",
    "watermark_lag_seconds",
    "watermark_held_back_info",
    "component_ready",
    "checkpoint_age_seconds",
];

/// No watermark yet.
const NONE: TimeMs = TimeMs::MIN;

/// Where the daemon is in event time and how its parts are, to be asked at any moment.
#[derive(Debug)]
pub(super) struct Pulse {
    clock: Arc<dyn Clock>,
    started: Duration,
    watermark_ms: AtomicI64,
    held_back: RwLock<Option<(String, String)>>,
    health: Arc<Health>,
    checkpoints: CheckpointFigures,
}

impl Pulse {
    pub(super) fn new(clock: Arc<dyn Clock>, health: Arc<Health>, checkpoints: CheckpointFigures) -> Self {
        let started = clock.monotonic();
        Self { clock, started, watermark_ms: AtomicI64::new(NONE), held_back: RwLock::new(None), health, checkpoints }
    }

    pub(super) fn set_watermark(&self, watermark: Option<TimeMs>) {
        self.watermark_ms.store(watermark.unwrap_or(NONE), Ordering::Relaxed);
    }

    pub(super) fn set_held_back(&self, by: Option<(&str, &str)>) {
        let mut held_back = self.held_back.write().unwrap_or_else(PoisonError::into_inner);
        let same = match (held_back.as_ref(), by) {
            (Some((stream, partition)), Some(by)) => (stream.as_str(), partition.as_str()) == by,
            (None, None) => true,
            _ => false,
        };
        if !same {
            *held_back = by.map(|(stream, partition)| (stream.to_owned(), partition.to_owned()));
        }
    }

    pub(super) fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// The watermark as long as it is an instant: not before the first event, and not at the end of input, where it is
    /// beyond all times.
    fn watermark(&self) -> Option<TimeMs> {
        let at = self.watermark_ms.load(Ordering::Relaxed);
        (at != NONE && at != TimeMs::MAX).then_some(at)
    }
}

impl Collector for Pulse {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let build: Labels = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        encoder.encode_descriptor("build", "The binary that runs.", None, MetricType::Info)?.encode_info(&build)?;

        let uptime = self.clock.monotonic().saturating_sub(self.started).as_secs_f64();
        seconds(&mut encoder, "uptime", "Time since the start.", uptime)?;

        if let Some(at) = self.watermark() {
            let lag = self.clock.wall_ms().saturating_sub(at) as f64 / 1e3;
            seconds(&mut encoder, "watermark", "The global watermark, as seconds since 1970.", at as f64 / 1e3)?;
            seconds(&mut encoder, "watermark_lag", "Wall time less watermark, at the time of the scrape.", lag)?;
        }

        let held_back = self.held_back.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((stream, partition)) = held_back {
            let labels: Labels = vec![("stream", stream), ("partition", partition)];
            let help = "The partition whose watermark is the lowest.";
            encoder.encode_descriptor("watermark_held_back", help, None, MetricType::Info)?.encode_info(&labels)?;
        }

        if let Some(age) = self.checkpoints.age() {
            seconds(&mut encoder, "checkpoint_age", "Time since the last checkpoint was durable.", age.as_secs_f64())?;
        }

        let components = self.health.components();
        if !components.is_empty() {
            let help = "1 when the part works, else 0.";
            let mut family = encoder.encode_descriptor("component_ready", help, None, MetricType::Gauge)?;
            for component in components {
                let ready = ConstGauge::new(i64::from(component.is_ready()));
                let labels: Labels = vec![("kind", component.kind.name().to_owned()), ("name", component.name)];
                ready.encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// A gauge in seconds.
fn seconds(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> Result<(), fmt::Error> {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?)
}
