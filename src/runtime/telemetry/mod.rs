//! What the daemon says about itself: figures for `/metrics`, the health of its parts, the rules that run, and the record
//! of latencies that `replay` and `bench` print.
//!
//! Not a log and not an input: nothing here can change a result, and the core knows nothing of it.
//!
//! The figures, with OpenMetrics names (seconds, totals); `docs/operations.md` has the same table for those who run the
//! daemon, and a test keeps the two together:
//!
//! | metric | meaning |
//! | --- | --- |
//! | `geocep_events_total{stream}` | events decoded and accepted, late ones included |
//! | `geocep_rejected_total{stream,reason}` | records that are no event, by [`RejectReason`](crate::model::RejectReason) |
//! | `geocep_late_total{stream}` | events below the watermark when they came |
//! | `geocep_alerts_total{rule,status}` | alerts by status (`firing`, `timed_out`, ...) |
//! | `geocep_missing_key_total{rule}` | events left out because their key had a null part |
//! | `geocep_dropped_total{rule}` | partial matches and matches that a limit dropped |
//! | `geocep_shed_total{rule,what}` | what was left out as rules hold all that `limits` allows |
//! | `geocep_intake_bytes{source,what}` | pushed records that wait for the engine (`waiting`), and their `log` |
//! | `geocep_keys{rule}`, `geocep_open{rule}` | keys with state; partial matches or open windows |
//! | `geocep_watermark_seconds` | the global watermark, absent before the first event |
//! | `geocep_watermark_lag_seconds` | wall time less watermark, at the time of the scrape |
//! | `geocep_watermark_held_back_info{stream,partition}` | the partition whose watermark is the lowest |
//! | `geocep_waiting_events` | events in the reorder buffers |
//! | `geocep_source_lag{stream}` | messages of a Kafka topic that are yet to be read |
//! | `geocep_sink_written_total{sink}`, `geocep_sink_errors_total{sink}` | outputs acknowledged; attempts that failed |
//! | `geocep_outbox_alerts{sink}`, `geocep_outbox_bytes{sink}`, `geocep_outbox_oldest_seconds{sink}` | what waits in a sink's outbox |
//! | `geocep_outbox_attempts_total{sink}`, `geocep_outbox_failures_total{sink,kind}` | requests made; those that failed, by [`Trouble`](crate::io::receiver::Trouble) |
//! | `geocep_outbox_dead_total{sink}`, `geocep_outbox_dropped_total{sink}` | alerts in the dead letters; those that made room for newer ones |
//! | `geocep_outbox_known_total{sink}` | alerts that a restart found again and that the outbox had |
//! | `geocep_stream_readers`, `geocep_stream_lagged_total` | readers of the stream of alerts; those that were too slow |
//! | `geocep_processing_seconds` | from a chunk's arrival until its outputs are with the sinks |
//! | `geocep_checkpoints_total{result}` | checkpoints `written`, `failed`, and found corrupt at the start (`refused`) |
//! | `geocep_checkpoint_age_seconds` | since the last one was durable, absent before the first |
//! | `geocep_checkpoint_bytes` | the size of its file |
//! | `geocep_checkpoint_duration_seconds`, `geocep_checkpoint_pause_seconds` | how long writing it took; how long the stream stood still for it |
//! | `geocep_store_keys_total{way}`, `geocep_store_errors_total` | keys that went to the store of states (`put`) and came back (`recalled`); attempts to put some that failed |
//! | `geocep_reloads_total{result}`, `geocep_reload_ok` | reloads taken (`ok`) and `refused`; whether the last was taken |
//! | `geocep_rules_info{hash}` | the fingerprint of the rule files and fences that run |
//! | `geocep_component_ready{kind,name}` | 1 when the part works, else 0 |
//! | `geocep_build_info{version}`, `geocep_uptime_seconds` | which binary, and for how long |
//!
//! **Cost.** Handles ([`StreamFigures`], [`RuleFigures`], [`SinkFigures`]) are fetched once and hold their counters; an
//! update is one atomic addition of a batch's sum. Nothing is meant to be called per event.
//!
//! **Cardinality.** Labels are names from rule files and configuration, never keys or values of events.

mod checkpoint;
mod figures;
mod health;
mod metrics;
mod outbox;
mod pulse;
mod register;
mod rules;
mod store;
mod summary;

pub use checkpoint::CheckpointFigures;
pub use figures::{RuleFigures, SinkFigures, StreamFigures};
pub use health::{Component, ComponentKind, ComponentState, Health, Watched};
pub use metrics::Telemetry;
pub use outbox::{Depth, OutboxFigures, ReaderFigures};
pub use rules::{RuleKind, RuleMode, RuleStatus};
pub use store::StoreFigures;
pub use summary::{LatencyRecord, LatencySummary};
