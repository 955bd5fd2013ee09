//! THROUGH: positions of an entity become passages, each an event of the partition of the entity and a fence.

use super::{Ahead, KeyedOperator, When, spilled};
use crate::{
    engine::{
        kernel::Kernel,
        keyed::{Keyed, Seen},
        output::{Output, hand_on},
        spill::Spill,
    },
    expr::{Env, Expr, Node, NodeId, Nothing, World},
    geo::Position,
    model::{EventId, EventRef, FenceRef, Header, Key, KeyGroup, StreamId, TimeMs, Value},
    op::{foreseen::Foreseen, through},
    plan,
};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The entities of a rule with THROUGH, and the fences that they are in.
pub(in crate::engine) struct Passing {
    pub(super) program: through::Program,
    pub(in crate::engine) entities: Keyed<through::KeyState>,
    /// Entities that are in the store, where there is one.
    pub(in crate::engine) spill: Option<Box<Spill>>,
    /// Fences of the positions that come next.
    foreseen: Foreseen,
    /// How each input's passages are asked.
    asks: Vec<Asks>,
    /// Where the key's components that need the fence begin, if none that doesn't comes after them.
    key_from: Option<usize>,
    /// Whether nothing at all is kept of a partition.
    keeps_nothing: bool,
    /// An entity that is in no fence.
    nowhere: through::KeyState,
    passages: Vec<through::Passage>,
    rows: Vec<SmallVec<[Value; 3]>>,
}

/// How an input's passages are asked whether they concern the rule.
struct Asks {
    /// The kinds of passages that WHERE may let pass.
    wanted: through::Wanted,
    /// WHERE asks no more than that.
    settled: bool,
    /// WHERE, where it asks more and that can be asked before the key is known.
    first: Option<Expr>,
}

impl Passing {
    pub(super) fn new(through: &plan::Through, groups: u32, rule: &plan::Rule, keeps_nothing: bool) -> Self {
        // What is kept of an event for the next one is kept of those that WHERE rejects, too.
        let forgets = rule.looks_back() == 0 && rule.baselines.is_empty();
        let is_through = |part: &plan::KeyPart| part.through;
        let first_through = rule.key.iter().position(is_through).unwrap_or(rule.key.len());
        let asks = |input: &plan::Input| if forgets { Asks::of(through, input) } else { Asks::every() };
        Self {
            program: through::Program::new(through),
            entities: Keyed::new(groups),
            spill: None,
            foreseen: Foreseen::default(),
            asks: rule.inputs.iter().map(asks).collect(),
            key_from: rule.key.iter().skip(first_through).all(is_through).then_some(first_through),
            keeps_nothing: keeps_nothing && forgets,
            nowhere: through::KeyState::default(),
            passages: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Fences or tables are others.
    pub(super) fn forget_foreseen(&mut self) {
        self.foreseen.forget();
    }
}

impl Asks {
    fn every() -> Self {
        Self { wanted: through::Wanted::new(|_| true), settled: false, first: None }
    }

    fn of(through: &plan::Through, input: &plan::Input) -> Self {
        let Some(after) = &input.after else { return Self::every() };
        let all = after.conditions();
        let of_kinds: Vec<&Expr> = all.iter().filter(|expr| is_of_kind(expr, expr.root())).collect();
        let (program, world, none) = (through::Program::new(through), World::default(), Key::default());
        let wanted = through::Wanted::new(|kind| {
            let extra = program.values(through::Passage { kind, fence: 0, entry_ms: 0 }, 0);
            let env = Env {
                event: EventRef {
                    stream: StreamId(0),
                    header: &Header { time_ms: 0, partition: 0, offset: 0 },
                    values: &[],
                },
                extra: &extra,
                previous: None,
                computed: (&[], &[]),
                key: &none,
                bound: &Nothing,
                world: &world,
            };
            of_kinds.iter().all(|expr| expr.is_true(&env))
        });
        // On the way between positions all passages are found.
        let settled = of_kinds.len() == all.len() && through.interpolate.is_none();
        let mut nodes = input.computed.iter().chain([after]).flat_map(|expr| expr.nodes());
        let needs_key = nodes.any(|node| matches!(node, Node::KeyPart(_)));
        Self { wanted, settled, first: (!settled && !needs_key).then(|| after.clone()) }
    }
}

/// Whether a part of a condition looks at nothing but the kind of a passage.
fn is_of_kind(expr: &Expr, id: NodeId) -> bool {
    match expr.at(id) {
        Some(Node::Extra(slot)) => *slot == 0,
        Some(Node::Const(_)) => true,
        Some(Node::Not(inner) | Node::IsNull(inner) | Node::In(inner, _) | Node::Like(inner, _)) => {
            is_of_kind(expr, *inner)
        }
        Some(Node::And(all)) => all.iter().all(|&id| is_of_kind(expr, id)),
        Some(Node::Or(any)) => any.iter().all(|&id| is_of_kind(expr, id)),
        Some(Node::CompareValue(_, a, b)) => is_of_kind(expr, *a) && is_of_kind(expr, *b),
        _ => false,
    }
}

/// The entity at hand: its key and group, and the input that its event is of.
type Entity<'a> = (usize, &'a Key, KeyGroup);

impl<K: Kernel> KeyedOperator<K> {
    /// Finds the fences of the positions that come next, and fetches what is known of their entities.
    pub(super) fn foresee(&mut self, ahead: Ahead<'_>) {
        let Self { rule, passing, world, groups, .. } = self;
        if let Some(passing) = passing {
            let slot = |input: u32| rule.inputs.get(input as usize)?.position_slot;
            let positions = ahead.own().filter_map(|routed| position(ahead.event(routed)?, slot(routed.to.input)?));
            passing.foreseen.look_up(world, passing.program.set(), positions);
            if !passing.entities.is_small() {
                // Who leaves a fence will ask for its id.
                let set = passing.program.set();
                let ids = |state: &through::KeyState| {
                    let ids = state.inside().map(|(fence, _)| world.fence_text(FenceRef { set, fence }).is_null());
                    ids.fold(false, |any, is_null| any | is_null)
                };
                let touch = |state: &through::KeyState, further: bool| further && ids(state);
                let touch = |state: &through::KeyState, _, further| u64::from(touch(state, further));
                passing.entities.look_ahead(ahead.keys(*groups, |_, _| None), touch, &mut Seen::default());
            }
        }
    }

    /// Positions become passages, each an event of its own partition.
    pub(super) fn step_through(&mut self, input: usize, event: EventRef<'_>, entity: &Key, out: &mut Vec<Output>) {
        let group = entity.group(self.groups);
        let slot = self.rule.inputs.get(input).and_then(|plan| plan.position_slot);
        let position = slot.and_then(|slot| position(event, slot));
        if self.room.is_some() && !self.may_enter(group, entity) {
            return;
        }
        let (Some(position), Some(passing)) = (position, self.passing.as_mut()) else { return };
        let place = passing.find(group, entity);
        let Passing { program, entities, spill, foreseen, asks, nowhere, passages, rows, .. } = passing;
        let Some(wanted) = asks.get(input).map(|asks| asks.wanted) else { return };
        let now_ms = event.time_ms();
        let now_in = foreseen.at(&self.world, program.set(), position, now_ms);
        if place.is_none() && now_in.is_empty() && program.passes_over() {
            return;
        }
        let known = place.and_then(|place| entities.entry(place)).map(|entry| &mut entry.state);
        let state = known.unwrap_or(nowhere);
        match program.interpolate() {
            None => program.step(state, &self.world, now_ms, (position, now_in), wanted, passages),
            Some(how) => program.step_way(how, state, &self.world, now_ms, (position, now_in), &mut |row| {
                rows.push(row.iter().cloned().collect());
            }),
        }
        match (place, state.is_idle()) {
            (Some(place), true) => {
                entities.remove(place);
            }
            (None, false) => {
                let state = std::mem::take(nowhere);
                if let Some(place) = entities.insert(group, entity.clone(), state) {
                    spilled::mark(spill, place);
                }
            }
            _ => {}
        }
        if !passages.is_empty() {
            self.take_passages((input, entity, group), event, now_ms, out);
        } else if !rows.is_empty() {
            self.take_rows((input, entity, group), event, out);
        }
    }

    fn take_passages(&mut self, entity: Entity<'_>, event: EventRef<'_>, now_ms: TimeMs, out: &mut Vec<Output>) {
        let Some(passing) = self.passing.as_mut() else { return };
        let mut passages = std::mem::take(&mut passing.passages);
        for passage in passages.drain(..) {
            let Some(passing) = &self.passing else { return };
            let extra = passing.program.values(passage, now_ms);
            self.take_passage(entity, event, &extra, out);
        }
        if let Some(passing) = self.passing.as_mut() {
            passing.passages = passages;
        }
    }

    /// Passages of INTERPOLATE.
    fn take_rows(&mut self, entity: Entity<'_>, event: EventRef<'_>, out: &mut Vec<Output>) {
        let Some(passing) = self.passing.as_mut() else { return };
        let mut rows = std::mem::take(&mut passing.rows);
        let id_slot = self.rule.inputs.get(entity.0).and_then(|plan| plan.id_slot);
        for (at, row) in rows.iter().enumerate() {
            let same = |other: &&SmallVec<[Value; 3]>| other.get(1) == row.get(1);
            let before = rows.iter().take(at).filter(same).count();
            let header = if before == 0 { *event.header } else { again(event, id_slot, before as u32) };
            self.take_passage(entity, EventRef { header: &header, ..event }, row, out);
        }
        rows.clear();
        if let Some(passing) = self.passing.as_mut() {
            passing.rows = rows;
        }
    }

    /// Takes one passage as an event of its partition, if WHERE lets it.
    fn take_passage(
        &mut self,
        (input, entity, group): Entity<'_>,
        event: EventRef<'_>,
        extra: &[Value],
        out: &mut Vec<Output>,
    ) {
        self.computed.iter_mut().for_each(|cell| drop(cell.take()));
        let (Some(plan), Some(passing)) = (self.rule.inputs.get(input), &self.passing) else { return };
        let none = Key::default();
        let env = Env {
            event,
            extra,
            previous: None,
            computed: (&plan.computed, &self.computed),
            key: &none,
            bound: &Nothing,
            world: &self.world,
        };
        let first = passing.asks.get(input).and_then(|asks| asks.first.as_ref());
        if first.is_some_and(|first| !first.is_true(&env)) {
            return;
        }
        let key = match passing.key_from {
            Some(from) => entity.with(plan.key.iter().skip(from).map(|expr| expr.value(&env))),
            None => {
                let parts: SmallVec<[Value; 2]> = plan.key.iter().map(|expr| expr.value(&env)).collect();
                Key::new(&parts)
            }
        };
        if !passing.keeps_nothing {
            return self.step_partition(input, (event, When::OnTime), extra, group, &key, out);
        }
        let env = Env { key: &key, ..env };
        let is_settled = first.is_some() || passing.asks.get(input).is_some_and(|asks| asks.settled);
        if !is_settled && plan.after.as_ref().is_some_and(|after| !after.is_true(&env)) {
            return;
        }
        let (mut state, rule, rank) = (self.kernel.blank(), self.ix, self.rank);
        self.kernel.step(&mut state, &mut self.scratch, input, &env, &mut self.emissions);
        hand_on(&mut self.emissions, (rule, rank), |_| key.clone(), out);
    }
}

fn position(event: EventRef<'_>, slot: u16) -> Option<Position> {
    match event.values.get(usize::from(slot)) {
        Some(Value::Point(position)) => Some(*position),
        _ => None,
    }
}

/// The header of a passage of a fence after `before` others of that fence at one position: only INTERPOLATE finds so many. Outputs
/// and matches know events by their ids, so each but the first has a place of its own, made of the event's id.
fn again(event: EventRef<'_>, id_slot: Option<u16>, before: u32) -> Header {
    let mut bytes = b"geocep-passage-1".to_vec();
    match event.id(id_slot) {
        EventId::Field(text) => bytes.extend_from_slice(text.as_bytes()),
        EventId::Offset { partition, offset, .. } => {
            bytes.extend_from_slice(&partition.to_le_bytes());
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
    }
    let offset = xxh3_64_with_seed(&bytes, before.into());
    Header { partition: u32::MAX, offset, ..*event.header }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        expr::{Builder, Compare},
        model::Type,
    };

    /// WHERE `passage <> 'inside'`, and with it, if so said, a condition on the event.
    fn asks(interpolate: Option<plan::Interpolate>, more: bool) -> Asks {
        let mut builder = Builder::new();
        let (passage, inside) = (builder.push(Node::Extra(0)), builder.push(Node::Const(Value::text("inside"))));
        let mut root = builder.push(Node::CompareValue(Compare::Ne, passage, inside));
        if more {
            let (field, slow) = (builder.push(Node::Field(0)), builder.push(Node::Const(Value::Int(10))));
            let fast = builder.push(Node::CompareValue(Compare::Gt, field, slow));
            root = builder.push(Node::And(SmallVec::from_slice(&[root, fast])));
        }
        let input = plan::Input {
            stream: StreamId(0),
            name: String::new(),
            id_slot: None,
            position_slot: None,
            before: None,
            key: Vec::new(),
            prev: Vec::new(),
            computed: Vec::new(),
            after: Some(builder.finish(root, Type::Bool)),
        };
        let first = plan::FirstPosition::Enters;
        Asks::of(&plan::Through { set: 0, first, buffer_m: 0.0, at_least: 1, interpolate }, &input)
    }

    #[test]
    fn kinds_of_passages_that_where_rejects_are_not_asked_for() {
        let but_inside = through::Wanted::new(|kind| kind != through::Kind::Inside);
        let (only, more) = (asks(None, false), asks(None, true));
        assert_eq!((only.wanted, only.settled, only.first.is_some()), (but_inside, true, false));
        assert_eq!((more.wanted, more.settled, more.first.is_some()), (but_inside, false, true));
    }

    #[test]
    fn where_is_asked_of_all_passages_between_positions() {
        let between = asks(Some(plan::Interpolate { max_gap_ms: None }), false);
        assert!(!between.settled && between.first.is_some());
    }
}
