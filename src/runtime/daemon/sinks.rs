//! Starts a thread for each sink.

use super::{
    courier::{Courier, CourierReports},
    driver::Outlets,
    outbox::{OUTBOX_BYTES, Outbox},
    outlet::{Outlet, Reports},
    spool::{Spool, SpoolLimits},
};
use crate::{
    io::sink::Sink,
    runtime::{
        clock::Clock,
        connect::AlertSink,
        http_sink::HttpSink,
        shutdown::Shutdown,
        telemetry::{ComponentKind, Telemetry},
    },
};
use std::{io, sync::Arc};

/// Open sinks, by what they take.
pub(super) struct Sinks {
    pub(super) alerts: Vec<AlertSink>,
    pub(super) shadow: Vec<AlertSink>,
    pub(super) late: Option<Box<dyn Sink>>,
    pub(super) dead: Option<Box<dyn Sink>>,
}

/// Starts them all.
///
/// # Errors
/// The system has no thread left.
pub(super) fn start_sinks(
    sinks: Sinks,
    telemetry: &Arc<Telemetry>,
    clock: &Arc<dyn Clock>,
    shutdown: &Shutdown,
) -> io::Result<(Outlets, Vec<Outlet>)> {
    let mut starter = Starter { all: Vec::new(), telemetry, clock, shutdown };
    let alerts = starter.start_all(sinks.alerts)?;
    let shadow = starter.start_all(sinks.shadow)?;
    let late = sinks.late.map(|sink| starter.start("late", sink)).transpose()?;
    let dead = sinks.dead.map(|sink| starter.start("dead_letter", sink)).transpose()?;
    Ok((Outlets { alerts, shadow, late, dead }, starter.all))
}

struct Starter<'a> {
    all: Vec<Outlet>,
    telemetry: &'a Arc<Telemetry>,
    clock: &'a Arc<dyn Clock>,
    shutdown: &'a Shutdown,
}

impl Starter<'_> {
    fn start_all(&mut self, sinks: Vec<AlertSink>) -> io::Result<Vec<Arc<Outbox>>> {
        let start = |sink| match sink {
            AlertSink::Lines(sink) => {
                let name = sink.name().to_owned();
                self.start(&name, sink)
            }
            AlertSink::Http(sink) => self.start_courier(*sink),
        };
        sinks.into_iter().map(start).collect()
    }

    /// A name that no other has.
    fn unique(&self, name: &str) -> String {
        let same = self.all.iter().filter(|outlet| outlet.name.split('#').next() == Some(name)).count();
        if same == 0 { name.to_owned() } else { format!("{name}#{}", same + 1) }
    }

    fn start(&mut self, name: &str, sink: Box<dyn Sink>) -> io::Result<Arc<Outbox>> {
        let name = self.unique(name);
        let watched = self.telemetry.health().watch(ComponentKind::Sink, &name);
        let reports = Reports { figures: self.telemetry.sink(&name), watched, shutdown: self.shutdown.clone() };
        let outlet = Outlet::start(&name, sink, OUTBOX_BYTES, reports)?;
        Ok(self.add(outlet))
    }

    fn start_courier(&mut self, sink: HttpSink) -> io::Result<Arc<Outbox>> {
        let name = self.unique(&sink.name);
        let HttpSink { receiver, retry, outbox, log, dead, .. } = sink;
        let memory_bytes = OUTBOX_BYTES as u64;
        // Without a disk all of it is in memory.
        let bytes = if log.is_some() { outbox.bytes } else { outbox.bytes.min(memory_bytes) };
        let limits = SpoolLimits { bytes, memory_bytes, full: outbox.full };
        let figures = self.telemetry.outbox(&name);
        let spool = Arc::new(Spool::new(&name, log, limits, figures.clone(), Arc::clone(self.clock)));
        let reports = CourierReports {
            figures: self.telemetry.sink(&name),
            outbox: figures,
            watched: self.telemetry.health().watch(ComponentKind::Sink, &name),
            clock: Arc::clone(self.clock),
            shutdown: self.shutdown.clone(),
        };
        let courier = Courier::new(&name, spool, receiver, retry, dead, reports);
        let outlet = Outlet::start_courier(&name, courier)?;
        Ok(self.add(outlet))
    }

    fn add(&mut self, outlet: Outlet) -> Arc<Outbox> {
        let outbox = Arc::clone(&outlet.outbox);
        self.all.push(outlet);
        outbox
    }
}
