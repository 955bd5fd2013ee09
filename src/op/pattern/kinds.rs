//! Kinds of events, where a pattern's conditions are few and quick and look at the event alone: which of them an event meets, by bits, and
//! for each state and kind the way that a partial match goes. So the conditions are asked once per event, whatever is open; those that ask
//! which text a field is (`type = 'stop'`, `type = 'move'`) all at once.

use super::{
    decide::Decisions,
    graph::{Pred, PredIx},
};
use crate::{
    expr::{Env, Expr},
    model::{EventRef, Text, TextMap, Value},
};
use std::collections::BTreeSet;

/// More conditions are asked as they come up.
const CONDITIONS_MAX: usize = 5;

/// The ways by state and kind.
#[derive(Debug)]
pub(super) struct Kinds {
    /// What the bits stand for.
    asked: Vec<PredIx>,
    /// By input.
    questions: Vec<Questions>,
    /// Of the match that has not begun, by kind.
    starts: Vec<u32>,
    /// By state and kind.
    ways: Vec<u32>,
}

/// What is asked of an input's events.
#[derive(Debug, Default)]
struct Questions {
    /// Conditions that all events meet.
    always: u32,
    texts: Vec<Texts>,
    others: Vec<(Expr, u32)>,
}

/// A field, and which conditions an event meets of which it is this text.
#[derive(Debug)]
struct Texts {
    slot: u16,
    met: TextMap<u32>,
}

/// A condition as each input has it.
type ByInput = Vec<Option<Expr>>;

impl Kinds {
    /// The kinds of a program none of whose conditions looks at the match.
    pub(super) fn new(
        decisions: &Decisions,
        states: usize,
        preds: &[Pred],
        (conditions, untils): (&[ByInput], &[ByInput]),
    ) -> Option<Self> {
        let roots = (0..states as u16).map(|state| decisions.root(state)).collect::<Option<Vec<u32>>>()?;
        let start = decisions.start()?;
        let all = roots.iter().copied().chain([start]);
        let asked: BTreeSet<PredIx> = all.flat_map(|root| decisions.asked(root)).collect();
        if asked.len() > CONDITIONS_MAX {
            return None;
        }
        let of = |pred: &PredIx| match preds.get(usize::from(*pred))? {
            Pred::Variable(var) => conditions.get(usize::from(*var)),
            Pred::Until(until) => untils.get(usize::from(*until)),
            Pred::InTime(_) | Pred::All(_) | Pred::Any(_) => None,
        };
        let conditions = asked.iter().map(of).collect::<Option<Vec<&ByInput>>>()?;
        let inputs = conditions.iter().map(|by_input| by_input.len()).max().unwrap_or_default();
        let questions = (0..inputs).map(|input| Questions::new(&conditions, input)).collect::<Option<_>>()?;
        let asked: Vec<PredIx> = asked.into_iter().collect();
        let count = 1u32 << asked.len();
        let way = |root: u32, kind: u32| {
            let met = |pred| asked.iter().position(|asked| *asked == pred).is_some_and(|bit| kind & 1 << bit != 0);
            decisions.decide(root, met)
        };
        let by_kind = |root: u32| (0..count).map(move |kind| way(root, kind));
        let starts = by_kind(start).collect();
        let ways = roots.into_iter().flat_map(by_kind).collect();
        Some(Self { starts, ways, questions, asked })
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        self.starts.len() as u32
    }

    /// What an event of a kind meets and what it doesn't.
    pub(super) fn known(&self, kind: u32) -> Vec<(PredIx, bool)> {
        self.asked.iter().enumerate().map(|(bit, &pred)| (pred, kind & 1 << bit != 0)).collect()
    }

    /// The kind of an event of an input, where all that is asked of it is which text a field is.
    #[inline]
    pub(super) fn of_texts(&self, input: usize, event: EventRef<'_>) -> Option<u32> {
        let questions = self.questions.get(input).filter(|questions| questions.others.is_empty())?;
        Some(questions.of_texts(event))
    }

    /// The kind of an event of an input.
    #[inline]
    pub(super) fn of(&self, input: usize, env: &Env<'_>) -> u32 {
        let Some(questions) = self.questions.get(input) else { return 0 };
        let mut kind = questions.of_texts(env.event);
        for (condition, bit) in &questions.others {
            kind |= if condition.is_true(env) { *bit } else { 0 };
        }
        kind
    }

    /// The way of the match that has not begun.
    #[inline]
    pub(super) fn start(&self, kind: u32) -> Option<u32> {
        self.starts.get(kind as usize).copied()
    }

    /// The way of a partial match in a state.
    #[inline]
    pub(super) fn way(&self, state: u16, kind: u32) -> Option<u32> {
        self.ways.get(usize::from(state) * self.starts.len() + kind as usize).copied()
    }
}

impl Questions {
    /// None where one of them takes more than a look or two.
    fn new(conditions: &[&ByInput], input: usize) -> Option<Self> {
        let mut questions = Self::default();
        for (at, by_input) in conditions.iter().enumerate() {
            let bit = 1 << at;
            let Some(expr) = by_input.get(input).and_then(Option::as_ref) else { continue };
            match (expr.as_const(), expr.texts()) {
                (Some(Value::Bool(met)), _) => questions.always |= if *met { bit } else { 0 },
                (_, Some((slot, texts))) => texts.into_iter().for_each(|text| questions.ask(slot, text, bit)),
                _ if expr.is_quick() => questions.others.push((expr.clone(), bit)),
                _ => return None,
            }
        }
        Some(questions)
    }

    /// What an event meets by its texts.
    #[inline]
    fn of_texts(&self, event: EventRef<'_>) -> u32 {
        let mut kind = self.always;
        for Texts { slot, met } in &self.texts {
            if let Some(Value::Text(text)) = event.values.get(usize::from(*slot))
                && let Some(bits) = met.get(text)
            {
                kind |= bits;
            }
        }
        kind
    }

    /// Who has this text in a field meets a condition.
    fn ask(&mut self, slot: u16, text: &Text, bit: u32) {
        let place = self.texts.iter().position(|texts| texts.slot == slot).unwrap_or_else(|| {
            self.texts.push(Texts { slot, met: TextMap::default() });
            self.texts.len() - 1
        });
        let Some(Texts { met, .. }) = self.texts.get_mut(place) else { return };
        *met.or_insert_with(text, || 0) |= bit;
    }
}
