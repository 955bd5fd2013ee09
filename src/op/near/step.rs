//! One position, or time that passes: whom it brings together and whom it parts.

use super::{
    Program,
    entity::Entity,
    grid::{place, too_far},
    motion::Motion,
    program::after,
    state::{KeyState, Scratch},
    view::View,
};
use crate::{
    expr::Env,
    geo::{Position, geodesic_m},
    model::{Clock, Emission, EmissionKind, Key, Taken, TimeMs, Value},
};
use smallvec::SmallVec;

/// What an event or a timer is to a pair.
#[derive(Clone, Copy)]
struct Moment<'e> {
    now_ms: TimeMs,
    /// The clock of the timer; none: an event decides.
    clock: Option<Clock>,
    /// Whose position it is.
    by: Option<u32>,
    env: &'e Env<'e>,
}

impl Program {
    /// Takes an event of an input: first what is due at or before its time, then the event. One without an id or a position is
    /// left out.
    pub fn step(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        input: usize,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let now_ms = env.event.time_ms();
        self.advance(state, scratch, now_ms, Clock::Event, env, out);
        let Some(slot) = self.take(state, input, env) else { return };
        match self.near.every_ms {
            Some(every_ms) => {
                if state.tick_ms.is_none() {
                    state.tick_ms = Some(grid_at_or_after(now_ms, every_ms));
                }
            }
            None => {
                state.schedule(slot, after(now_ms.saturating_add(self.near.valid_ms)));
                self.meet(state, scratch, slot, &Moment { now_ms, clock: None, by: Some(slot), env }, out);
            }
        }
    }

    /// Lets time pass.
    pub fn advance(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        to_ms: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        match self.near.every_ms {
            Some(every_ms) => {
                // A tick is after all events of its instant.
                while let Some(tick_ms) = state.tick_ms.filter(|tick_ms| after(*tick_ms) <= to_ms) {
                    self.tick(state, scratch, &Moment { now_ms: tick_ms, clock: Some(clock), by: None, env }, out);
                    let next_ms = tick_ms.checked_add(every_ms);
                    state.tick_ms = next_ms.filter(|next_ms| !state.is_idle() && *next_ms < TimeMs::MAX);
                }
            }
            None => self.fall_silent(state, scratch, to_ms, clock, env, out),
        }
    }

    /// Puts the event in the place of its entity's last one.
    fn take(&self, state: &mut KeyState, input: usize, env: &Env<'_>) -> Option<u32> {
        let id = self.near.ids.get(input)?.value(env);
        let (id_slot, position_slot) = *self.slots.get(input)?;
        let position = match env.event.values.get(usize::from(position_slot?)) {
            Some(Value::Point(position)) if !id.is_null() => *position,
            _ => return None,
        };
        let side = if self.near.same { 0 } else { input };
        let kept = self.near.retained.get(input).into_iter().flatten().map(|expr| expr.value(env)).collect();
        let key = Key::new([&id]);
        let found = state.find(side, &key);
        let time_ms = env.event.time_ms();
        let motion = self.near.align_ms.zip(found.and_then(|slot| state.get(slot))).and_then(|(align_ms, last)| {
            let from = match (last.time_ms < time_ms, &last.motion) {
                (true, _) => (last.time_ms, last.position),
                // Of one instant the last position counts, and the motion to it is from the one before.
                (false, Some(motion)) => (motion.from_ms, motion.from),
                (false, None) => return None,
            };
            Some(Box::new(Motion::new(from, (time_ms, position), align_ms)))
        });
        let entity = Entity {
            side,
            id,
            key,
            time_ms,
            position,
            place: place(position),
            event: env.event.id(id_slot),
            kept,
            motion,
            partners: SmallVec::new(),
            timer_ms: TimeMs::MAX,
        };
        Some(match found {
            Some(slot) => {
                state.replace(slot, entity);
                slot
            }
            None => state.insert(entity),
        })
    }

    /// Looks at all that an entity is near to, or was.
    fn meet(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        slot: u32,
        moment: &Moment<'_>,
        out: &mut Vec<Emission>,
    ) {
        let mut found = std::mem::take(&mut scratch.found);
        found.clear();
        self.candidates(state, slot, moment.now_ms, &mut found);
        if let Some(entity) = state.get(slot) {
            found.extend(entity.partners.iter().map(|partner| partner.slot));
        }
        found.sort_unstable();
        found.dedup();
        if self.near.all {
            self.meet_all(state, scratch, (slot, &found), moment, out);
        } else {
            state.sort(&mut found);
            for &other in &found {
                self.judge(state, slot, other, moment, out);
            }
        }
        scratch.found = found;
    }

    /// The same, and at all pairs of others that are together.
    fn meet_all(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        (slot, found): (u32, &[u32]),
        moment: &Moment<'_>,
        out: &mut Vec<Emission>,
    ) {
        let mut pairs = std::mem::take(&mut scratch.pairs);
        pairs.clear();
        pairs.extend(found.iter().map(|other| (slot, *other)));
        for one in (0..state.entities.len() as u32).filter(|one| *one != slot) {
            let partners = state.get(one).into_iter().flat_map(|entity| &entity.partners);
            pairs
                .extend(partners.filter(|other| other.slot > one && other.slot != slot).map(|other| (one, other.slot)));
        }
        self.judge_in_order(state, &mut pairs, moment, out);
        scratch.pairs = pairs;
    }

    /// Looks at pairs, in the order of their ids.
    fn judge_in_order(
        &self,
        state: &mut KeyState,
        pairs: &mut [(u32, u32)],
        moment: &Moment<'_>,
        out: &mut Vec<Emission>,
    ) {
        let order = |&(x, y): &(u32, u32)| {
            let (x, y) = (state.order(x), state.order(y));
            if x <= y { (x, y) } else { (y, x) }
        };
        pairs.sort_by(|x, y| order(x).cmp(&order(y)));
        for &(x, y) in &*pairs {
            self.judge(state, x, y, moment, out);
        }
    }

    /// Those in reach of an entity, by the straight line.
    fn candidates(&self, state: &KeyState, slot: u32, now_ms: TimeMs, found: &mut Vec<u32>) {
        let Some(entity) = state.get(slot) else { return };
        let side = if self.near.same { 0 } else { 1 - entity.side.min(1) };
        let Some(grid) = state.grid(side) else { return };
        let here = if entity.motion.is_some() { place(entity.at(now_ms)) } else { entity.place };
        grid.near(here, &mut |other| {
            let near = |found: &Entity| !too_far(here, found.place, self.near.within_m + found.drift_m());
            if !(self.near.same && other == slot) && state.get(other).is_some_and(near) {
                found.push(other);
            }
        });
    }

    /// Looks at all pairs that are near, or were.
    fn tick(&self, state: &mut KeyState, scratch: &mut Scratch, moment: &Moment<'_>, out: &mut Vec<Emission>) {
        let (mut pairs, mut found) = (std::mem::take(&mut scratch.pairs), std::mem::take(&mut scratch.found));
        pairs.clear();
        for slot in 0..state.entities.len() as u32 {
            let Some(entity) = state.get(slot) else { continue };
            // Each pair once: from its lower slot, or from its first side.
            if !self.near.same && entity.side != 0 {
                continue;
            }
            found.clear();
            if self.is_valid(entity, moment.now_ms) {
                self.candidates(state, slot, moment.now_ms, &mut found);
            }
            found.extend(entity.partners.iter().map(|partner| partner.slot));
            pairs.extend(found.iter().filter(|other| !self.near.same || slot < **other).map(|other| (slot, *other)));
        }
        pairs.sort_unstable();
        pairs.dedup();
        self.judge_in_order(state, &mut pairs, moment, out);
        for slot in 0..state.entities.len() as u32 {
            if state.get(slot).is_some_and(|entity| !self.is_valid(entity, moment.now_ms)) {
                state.remove(slot);
            }
        }
        (scratch.pairs, scratch.found) = (pairs, found);
    }

    /// Parts those whose position is no longer valid from everybody, in order of time.
    fn fall_silent(
        &self,
        state: &mut KeyState,
        scratch: &mut Scratch,
        to_ms: TimeMs,
        clock: Clock,
        env: &Env<'_>,
        out: &mut Vec<Emission>,
    ) {
        let mut silent = std::mem::take(&mut scratch.found);
        while let Some(now_ms) = state.due(to_ms, &mut silent) {
            let moment = Moment { now_ms, clock: Some(clock), by: None, env };
            for &slot in &silent {
                let Some(entity) = state.get(slot) else { continue };
                if self.is_valid(entity, now_ms) {
                    let deadline_ms = after(entity.time_ms.saturating_add(self.near.valid_ms));
                    // At the end of time it never comes.
                    if deadline_ms > now_ms {
                        state.schedule(slot, deadline_ms);
                    }
                    continue;
                }
                let mut partners: Vec<u32> = entity.partners.iter().map(|partner| partner.slot).collect();
                state.sort(&mut partners);
                for other in partners {
                    self.judge(state, slot, other, &moment, out);
                }
                state.remove(slot);
            }
        }
        scratch.found = silent;
    }

    fn is_valid(&self, entity: &Entity, now_ms: TimeMs) -> bool {
        now_ms.saturating_sub(entity.time_ms) <= self.near.valid_ms
    }

    /// What a pair is now, and what it puts out.
    fn judge(&self, state: &mut KeyState, x: u32, y: u32, moment: &Moment<'_>, out: &mut Vec<Emission>) {
        let (Some(first), Some(second)) = (state.get(x), state.get(y)) else { return };
        let in_order = (first.side, first.key.as_bytes()) <= (second.side, second.key.as_bytes());
        let (a, b) = if in_order { (first, second) } else { (second, first) };
        let was = first.since(y);
        let limit_m = if was.is_some() { self.near.leave_m } else { self.near.within_m };
        let valid = self.is_valid(a, moment.now_ms)
            && self.is_valid(b, moment.now_ms)
            && a.time_ms.abs_diff(b.time_ms) <= self.near.apart_ms.unsigned_abs();
        if was.is_none() && (!valid || too_far(a.place, b.place, limit_m + a.drift_m() + b.drift_m())) {
            return;
        }
        let places = [a, b].map(|entity| entity.at(moment.now_ms));
        let distance_m = geodesic_m(places[0], places[1]);
        let since_ms = was.unwrap_or(moment.now_ms);
        let by = moment.by.filter(|by| *by != x && *by != y).and_then(|by| state.get(by));
        let pair = Pair { view: View { a, b, since_ms, now_ms: moment.now_ms }, distance_m, places, by };
        let near = valid && distance_m <= limit_m && self.counts(&pair, moment);
        let encounter = match (was, near) {
            (None, true) => &self.approached,
            (Some(_), true) => &self.together,
            (Some(_), false) => &self.separated,
            (None, false) => return,
        };
        out.extend(self.emission(&pair, encounter, moment));
        match (was, near) {
            (None, true) => {
                state.pairs += 1;
                for (one, other) in [(x, y), (y, x)] {
                    if let Some(entity) = state.get_mut(one) {
                        entity.join(other, since_ms);
                    }
                }
            }
            (Some(_), false) => {
                state.pairs = state.pairs.saturating_sub(1);
                for (one, other) in [(x, y), (y, x)] {
                    if let Some(entity) = state.get_mut(one) {
                        entity.part(other);
                    }
                }
            }
            _ => {}
        }
    }

    /// ON.
    fn counts(&self, pair: &Pair<'_>, moment: &Moment<'_>) -> bool {
        let Some(on) = &self.near.on else { return true };
        let extra = pair.extra(Value::Null);
        on.is_true(&pair.env(moment, &extra, &Key::default()))
    }

    fn emission(&self, pair: &Pair<'_>, encounter: &Value, moment: &Moment<'_>) -> Option<Emission> {
        let View { a, b, since_ms, now_ms } = pair.view;
        let extra = pair.extra(encounter.clone());
        let mut parts = moment.env.key.values();
        parts.extend([a.id.clone(), b.id.clone()]);
        let key = Key::new(&parts);
        let env = pair.env(moment, &extra, &key);
        if self.having.as_ref().is_some_and(|having| !having.is_true(&env)) {
            return None;
        }
        let taken = |(var, of): (u16, &Entity)| Taken { var, id: of.event.clone(), position: Some(of.position) };
        // What is said of a pair at the positions of others differs by those.
        let by = pair.by.map(|by| Taken { var: 2, id: by.event.clone(), position: None });
        Some(Emission {
            kind: EmissionKind::Event,
            time_ms: now_ms,
            start_ms: since_ms,
            end_ms: now_ms,
            clock: moment.clock,
            values: self.outputs.iter().map(|expr| expr.value(&env)).collect(),
            taken: [(0, a), (1, b)].map(taken).into_iter().chain(by).collect(),
            row: None,
            revision: 0,
            dropped: 0,
        })
    }
}

/// Two entities and how far they are apart.
struct Pair<'a> {
    view: View<'a>,
    distance_m: f64,
    /// Where they are taken to be.
    places: [Position; 2],
    /// Another whose position this is said at.
    by: Option<&'a Entity>,
}

/// What THROUGH and UNNEST add, which NEAR has not, and what NEAR adds.
type Extra = [Value; 8];

impl Pair<'_> {
    fn extra(&self, encounter: Value) -> Extra {
        let View { since_ms, now_ms, .. } = self.view;
        let together = Value::Duration(now_ms.saturating_sub(since_ms));
        let halfway = Value::Point(halfway(self.places[0], self.places[1]));
        let none = || Value::Null;
        [none(), none(), none(), none(), encounter, self.distance_m.into(), together, halfway]
    }

    fn env<'e>(&'e self, moment: &Moment<'e>, extra: &'e Extra, key: &'e Key) -> Env<'e> {
        Env {
            extra,
            previous: None,
            computed: (&[], &[]),
            key,
            bound: &self.view,
            event: moment.env.event,
            world: moment.env.world,
        }
    }
}

/// Halfway between two positions on the sphere; of antipodes the first.
fn halfway(a: Position, b: Position) -> Position {
    let unit = |p: Position| {
        let ((sin_lat, cos_lat), (sin_lon, cos_lon)) = (p.lat().to_radians().sin_cos(), p.lon().to_radians().sin_cos());
        [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat]
    };
    let ([x, y, z], [u, v, w]) = (unit(a), unit(b));
    let (x, y, z) = (x + u, y + v, z + w);
    if x.hypot(y).hypot(z) < 1e-9 {
        return a;
    }
    Position::new(y.atan2(x).to_degrees(), z.atan2(x.hypot(y)).to_degrees()).unwrap_or(a)
}

/// The first instant of the grid that is not before `ms`.
pub(super) fn grid_at_or_after(ms: TimeMs, every_ms: TimeMs) -> TimeMs {
    match ms.rem_euclid(every_ms) {
        0 => ms,
        past => ms.saturating_add(every_ms - past),
    }
}
