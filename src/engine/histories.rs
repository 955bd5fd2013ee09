//! What a key's values were, for rules that compare with what is usual: one history for each of the rule's baselines.

use crate::{
    expr::Env,
    model::{DecodeError, Reader, TimeMs, Value, Writer},
    op::baseline::History,
    plan::Baseline,
};
use smallvec::SmallVec;

/// A key's histories; nothing for rules without baselines, and where all are empty.
// A pointer where most rules have none: there is one per key.
#[derive(Clone, Debug, Default)]
#[allow(clippy::box_collection, reason = "a vector in place would be three words")]
pub(super) struct Histories(Option<Box<Vec<History>>>);

/// What expressions see beside an event: what THROUGH adds, and both medians of each baseline.
pub(super) type Extra = SmallVec<[Value; 10]>;

impl Histories {
    /// What expressions see beside an event of this input, with what is usual before it; then takes the event's values.
    #[inline]
    pub(super) fn usual(&mut self, baselines: &[Baseline], input: usize, env: &Env<'_>) -> Extra {
        let mut extra = Extra::new();
        if baselines.is_empty() {
            return extra;
        }
        extra.extend(env.extra.iter().cloned());
        extra.resize(usize::from(Baseline::FIRST_EXTRA), Value::Null);
        let time_ms = env.event.time_ms();
        let histories = self.0.get_or_insert_with(|| Box::new(baselines.iter().map(|_| History::default()).collect()));
        for (history, baseline) in histories.iter_mut().zip(baselines) {
            extra.extend(history.usual(time_ms, baseline.over_hours));
            if let Some(arg) = baseline.args.get(input) {
                history.add(time_ms, baseline.over_hours, &arg.value(env));
            }
        }
        self.forget(baselines, TimeMs::MIN);
        extra
    }

    /// Drops what no longer counts at an instant.
    pub(super) fn forget(&mut self, baselines: &[Baseline], to_ms: TimeMs) {
        let Some(histories) = &mut self.0 else { return };
        let over = |(history, baseline): (&History, &Baseline)| {
            history.over_ms(baseline.over_hours).is_none_or(|over_ms| over_ms <= to_ms)
        };
        if histories.iter().zip(baselines).all(over) {
            self.0 = None;
        }
    }

    /// When the last of them no longer counts.
    pub(super) fn over_ms(&self, baselines: &[Baseline]) -> Option<TimeMs> {
        let all = self.0.iter().flat_map(|all| all.iter()).zip(baselines);
        all.filter_map(|(history, baseline)| history.over_ms(baseline.over_hours)).max()
    }

    /// Whether nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Writes them; rules without baselines write nothing.
    pub(super) fn save(&self, baselines: &[Baseline], writer: &mut Writer) {
        if baselines.is_empty() {
            return;
        }
        writer.bool(self.0.is_some());
        self.0.iter().flat_map(|all| all.iter()).for_each(|history| history.save(writer));
    }

    /// Reads what [`save`](Self::save) wrote for a rule with these baselines.
    pub(super) fn load(baselines: &[Baseline], reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if baselines.is_empty() || !reader.bool()? {
            return Ok(Self::default());
        }
        let all = baselines.iter().map(|_| History::load(reader)).collect::<Result<_, _>>()?;
        Ok(Self(Some(Box::new(all))))
    }
}
