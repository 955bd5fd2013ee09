//! Snapshots: of each key the latest event, again and again.

use crate::{expr::Expr, model::TimeMs};

/// LATEST BY with EMIT EVERY, or a filter with EMIT EVERY, resolved.
#[derive(Clone, Debug)]
pub struct Latest {
    /// A snapshot is taken at each multiple of this since 1970, before the events of that instant; more than 0.
    pub every_ms: TimeMs,
    /// How old an event may be to be in it, that age included; none: only what came since the snapshot before is in it.
    pub max_age_ms: Option<TimeMs>,
    /// HAVING, for each input; asked of the latest event.
    pub having: Vec<Option<Expr>>,
}
