//! Snapshots: a key's latest event is put out on a grid of time, as long as it is not too old, or once.
//!
//! A snapshot at T is of the events before T, as a window that ends at T is. What an output says is computed when its event comes, so a
//! key holds one row of values, and nothing once its event is too old or, without MAX AGE, was put out.

use crate::{
    expr::{Env, Expr},
    model::{Clock, DecodeError, Emission, EmissionKind, Reader, Taken, TakenEvents, TimeMs, Value, Writer},
    plan,
};

/// A rule with snapshots, ready to run.
#[derive(Debug)]
pub struct Program {
    latest: plan::Latest,
    inputs: Vec<Reads>,
}

/// What is read of an input's events.
#[derive(Debug)]
struct Reads {
    id_slot: Option<u16>,
    position_slot: Option<u16>,
    outputs: Vec<Expr>,
}

/// The latest event of one key.
#[derive(Clone, Debug, Default)]
pub struct KeyState {
    kept: Option<Box<Kept>>,
}

#[derive(Clone, Debug)]
struct Kept {
    time_ms: TimeMs,
    /// The next snapshot that it is in.
    next_ms: TimeMs,
    /// Whether HAVING lets it pass.
    passes: bool,
    values: Vec<Value>,
    taken: Taken,
}

/// Nothing is lent to steps.
#[derive(Debug, Default)]
pub struct Scratch;

impl Program {
    /// The program of a rule.
    pub fn new(latest: &plan::Latest, rule: &plan::Rule) -> Self {
        let inputs = rule.inputs.iter().enumerate().map(|(at, input)| {
            let outputs = rule.outputs.iter().filter_map(|field| field.exprs.get(at).or(field.exprs.first()).cloned());
            Reads { id_slot: input.id_slot, position_slot: input.position_slot, outputs: outputs.collect() }
        });
        Self { latest: latest.clone(), inputs: inputs.collect() }
    }

    /// Takes an event; what is due at or before its time comes first.
    pub fn step(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        input: usize,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let time_ms = env.event.time_ms();
        self.advance(state, scratch, time_ms, Clock::Event, env, out);
        let Some(reads) = self.inputs.get(input) else { return };
        let position = reads.position_slot.and_then(|slot| match env.event.values.get(usize::from(slot)) {
            Some(Value::Point(position)) => Some(*position),
            _ => None,
        });
        let having = self.latest.having.get(input).and_then(Option::as_ref);
        let every_ms = self.latest.every_ms;
        let Some(next_ms) = time_ms.checked_sub(time_ms.rem_euclid(every_ms)).and_then(|at| at.checked_add(every_ms))
        else {
            return;
        };
        state.kept = self.if_in_time(Kept {
            time_ms,
            next_ms,
            passes: having.is_none_or(|having| having.is_true(env)),
            values: reads.outputs.iter().map(|expr| expr.value(env)).collect(),
            taken: Taken { var: 0, id: env.event.id(reads.id_slot), position },
        });
    }

    /// Lets time pass.
    pub fn advance(
        &self,
        state: &mut KeyState,
        _: &mut Scratch,
        to_ms: TimeMs,
        clock: Clock,
        _: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        while let Some(kept) = state.kept.take_if(|kept| kept.next_ms <= to_ms) {
            if kept.passes {
                out.push(Emission {
                    kind: EmissionKind::Event,
                    time_ms: kept.next_ms,
                    start_ms: kept.time_ms,
                    end_ms: kept.next_ms,
                    clock: Some(clock),
                    values: kept.values.iter().cloned().collect(),
                    taken: TakenEvents::from_iter([kept.taken.clone()]),
                    row: None,
                    revision: 0,
                    dropped: 0,
                });
            }
            let again_ms = self.latest.max_age_ms.and_then(|_| kept.next_ms.checked_add(self.latest.every_ms));
            if let Some(next_ms) = again_ms {
                state.kept = self.if_in_time(Kept { next_ms, ..*kept });
            }
        }
    }

    /// When [`advance`](Self::advance) next does something.
    pub fn deadline(&self, state: &KeyState) -> Option<TimeMs> {
        state.kept.as_ref().map(|kept| kept.next_ms)
    }

    /// The event, unless it is too old for the next snapshot.
    fn if_in_time(&self, kept: Kept) -> Option<Box<Kept>> {
        let max_age_ms = self.latest.max_age_ms.unwrap_or(TimeMs::MAX);
        (kept.next_ms.saturating_sub(kept.time_ms) <= max_age_ms).then(|| Box::new(kept))
    }

    /// For each input and output the place of what another program puts out in the same words.
    fn places_in(&self, old: &Self) -> Option<Vec<usize>> {
        let words = |reads: &Reads| reads.outputs.iter().map(|expr| format!("{expr:?}")).collect::<Vec<_>>();
        let place = |(own, was): (&Reads, &Reads)| {
            let was = words(was);
            words(own).iter().map(|own| was.iter().position(|was| was == own)).collect::<Option<Vec<usize>>>()
        };
        let mut all = self.inputs.iter().zip(&old.inputs).map(place);
        let first = all.next()??;
        all.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    /// Whether the rows of another program have all that this one puts out.
    pub fn knows_all_of(&self, old: &Self) -> bool {
        self.inputs.len() == old.inputs.len() && self.places_in(old).is_some()
    }

    /// Makes a state of the other program one of this one: a row is what it was, and in the next snapshot on this grid that is no earlier than
    /// its next one was. Whether HAVING lets it pass was said when its event came.
    pub fn adapt(&self, old: &Self, state: &mut KeyState) {
        let Some((kept, places)) = state.kept.take().zip(self.places_in(old)) else { return };
        let every_ms = self.latest.every_ms;
        let past_ms = kept.next_ms.rem_euclid(every_ms);
        let next_ms = if past_ms == 0 { Some(kept.next_ms) } else { kept.next_ms.checked_add(every_ms - past_ms) };
        let Some(next_ms) = next_ms else { return };
        let values = places.iter().map(|&at| kept.values.get(at).cloned().unwrap_or(Value::Null)).collect();
        state.kept = self.if_in_time(Kept { next_ms, values, ..*kept });
    }

    /// The program in words.
    pub fn explain(&self) -> String {
        let plan::Latest { every_ms, max_age_ms, .. } = &self.latest;
        match max_age_ms {
            Some(max_age_ms) => {
                format!("every {every_ms} ms the latest event of each key, if it is no older than {max_age_ms} ms\n")
            }
            None => format!("every {every_ms} ms the latest event of each key that has a new one\n"),
        }
    }
}

impl KeyState {
    /// Whether no event waits for a snapshot.
    pub fn is_idle(&self) -> bool {
        self.kept.is_none()
    }

    /// How many events wait for a snapshot.
    pub fn kept(&self) -> usize {
        usize::from(self.kept.is_some())
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.bool(self.kept.is_some());
        if let Some(kept) = &self.kept {
            writer.i64(kept.time_ms);
            writer.i64(kept.next_ms);
            writer.bool(kept.passes);
            kept.values.iter().for_each(|value| writer.value(value));
            writer.event_id(&kept.taken.id);
            writer.value(&kept.taken.position.map_or(Value::Null, Value::Point));
        }
    }

    /// Reads what [`save`](Self::save) wrote under the same program.
    ///
    /// # Errors
    /// When the bytes are no state of this program's.
    pub fn load(program: &Program, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if !reader.bool()? {
            return Ok(Self::default());
        }
        let (time_ms, next_ms, passes) = (reader.i64()?, reader.i64()?, reader.bool()?);
        // Without a bound a row of another grid may have waited longer than this one's step.
        let max_age_ms = program.latest.max_age_ms.unwrap_or(TimeMs::MAX);
        if !(1..=max_age_ms).contains(&next_ms.saturating_sub(time_ms)) {
            return Err(DecodeError::Unexpected { found: next_ms as u64, expected: "the time of a snapshot" });
        }
        let width = program.inputs.first().map_or(0, |reads| reads.outputs.len());
        let values = (0..width).map(|_| reader.value()).collect::<Result<_, _>>()?;
        let id = reader.event_id()?;
        let position = match reader.value()? {
            Value::Point(position) => Some(position),
            _ => None,
        };
        let taken = Taken { var: 0, id, position };
        Ok(Self { kept: Some(Box::new(Kept { time_ms, next_ms, passes, values, taken })) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        expr::{Builder, Node, Nothing, World},
        model::{EventRef, Header, Key, StreamId, Type},
    };
    use proptest::prelude::*;

    fn program(every_ms: TimeMs, max_age_ms: Option<TimeMs>) -> Program {
        let mut builder = Builder::new();
        let root = builder.push(Node::Field(0));
        let reads = Reads { id_slot: None, position_slot: None, outputs: vec![builder.finish(root, Type::Int)] };
        Program { latest: plan::Latest { every_ms, max_age_ms, having: vec![None] }, inputs: vec![reads] }
    }

    fn with_env(time_ms: TimeMs, value: i64, run: impl FnOnce(&Env<'_>)) {
        let (values, key, world) = ([Value::Int(value)], Key::default(), World::default());
        let event =
            EventRef { stream: StreamId(0), header: &Header { time_ms, partition: 0, offset: 0 }, values: &values };
        let (extra, computed) = (&[][..], (&[][..], &[][..]));
        run(&Env { event, extra, previous: None, computed, key: &key, bound: &Nothing, world: &world });
    }

    proptest! {
        #[test]
        fn each_instant_of_the_grid_shows_the_last_event_before_it(
            waits in prop::collection::vec(0i64..40, 1..30),
            start in -200i64..200,
            every in 1i64..30,
            age in prop::option::of(1i64..90),
            cut in 0usize..30,
        ) {
            let program = program(every, age);
            let mut state = KeyState::default();
            let mut out = Vec::new();
            let mut events: Vec<(TimeMs, i64)> = Vec::new();
            let mut now = start;
            for (at, wait) in waits.iter().enumerate() {
                now += wait;
                events.push((now, at as i64));
                with_env(now, at as i64, |env| program.step(&mut state, &mut Scratch, 0, env, &mut out));
                if at == cut {
                    let mut writer = Writer::new();
                    state.save(&mut writer);
                    let bytes = writer.into_bytes();
                    state = KeyState::load(&program, &mut Reader::new(&bytes)).unwrap();
                }
            }
            with_env(now + 500, 0, |env| program.advance(&mut state, &mut Scratch, TimeMs::MAX, Clock::Event, env, &mut out));
            prop_assert!(state.is_idle());
            let mut expected = Vec::new();
            for tick in (start..=now + 500).filter(|tick| tick.rem_euclid(every) == 0) {
                let Some((time, value)) = events.iter().rfind(|(time, _)| *time < tick) else { continue };
                let shown = match age {
                    Some(age) => tick - time <= age,
                    None => *time >= tick - every,
                };
                if shown {
                    expected.push((tick, *time, Value::Int(*value)));
                }
            }
            let found: Vec<_> = out.iter().map(|e| (e.time_ms, e.start_ms, e.values[0].clone())).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn broken_state_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), age in prop::option::of(1i64..90)) {
            let _ = KeyState::load(&program(10, age), &mut Reader::new(&bytes));
        }
    }
}
