//! Who reads a stream: found once for events that come one after the other, asked of each.

use super::{
    memo::{Ask, Memo},
    router::{Find, Route, Router, Subscription},
    stream::{How, Only, Stream, Sub},
};
use crate::{
    expr::{Env, Nothing},
    model::{EventRef, Key, StreamId, Value},
};
use smallvec::SmallVec;

/// The readers of a stream at a level, and what is known of the event at hand.
pub(in crate::engine) struct Readers<'r> {
    pub(super) router: &'r Router,
    pub(in crate::engine) stream: StreamId,
    pub(super) of: &'r Stream,
    /// Where there is one, and nothing need be shared.
    pub(super) only: Option<Only<'r>>,
    pub(super) how: Find,
    pub(super) memo: &'r mut Memo,
}

impl Readers<'_> {
    /// Tells which of them get an event of the stream, in the order of subscriptions, and where it goes for each.
    #[inline]
    pub(in crate::engine) fn route(&mut self, event: EventRef<'_>, to: impl FnMut(Subscription, Route)) {
        match self.only {
            Some(only) => {
                self.memo.asked += 1;
                self.route_only(only, event, to);
            }
            None => self.route_shared(event, to),
        }
    }

    fn route_shared(&mut self, event: EventRef<'_>, mut to: impl FnMut(Subscription, Route)) {
        let Self { router, of, how, memo, .. } = self;
        let how = *how;
        if how == Find::All {
            memo.asked += of.subs.len() as u64;
            return of.subs.iter().for_each(|sub| router.route_alone(sub.to, event, &mut to));
        }
        memo.begin();
        let Memo { cells, known, found, asked } = memo;
        let none = Key::default();
        let env = Env {
            event,
            extra: &[],
            previous: None,
            computed: (&of.computed, cells),
            key: &none,
            bound: &Nothing,
            world: &router.world,
        };
        let mut ask = Ask { stream: of, env: &env, known };
        of.find(how, &mut ask, found);
        *asked += found.len() as u64;
        for sub in found.iter().filter_map(|&ix| of.subs.get(ix as usize)) {
            match &sub.how {
                How::Alone => router.route_alone(sub.to, event, &mut to),
                How::Shared { conditions, rest, wanted, key } => {
                    if !Sub::passes(&mut ask, &env, conditions, rest.as_ref()) {
                        continue;
                    }
                    let wanted = how == Find::Passing || wanted.as_ref().is_none_or(|wanted| wanted.is_true(&env));
                    if !wanted {
                        // It needs no key, but whether it has one is counted.
                        if ask.lacks_key(*key) {
                            to(sub.to, Route::NoKey);
                        }
                        continue;
                    }
                    match ask.key(*key) {
                        None => to(sub.to, Route::NoKey),
                        Some(key) => to(sub.to, Route::To(key.clone())),
                    }
                }
            }
        }
    }

    /// Where a stream has one reader nothing is shared, and nothing need be remembered.
    #[inline]
    fn route_only(&self, only: Only<'_>, event: EventRef<'_>, mut to: impl FnMut(Subscription, Route)) {
        if let Some(slot) = only.slot {
            return send(only.to, event.values.get(usize::from(slot)), false, to);
        }
        let none = Key::default();
        let env = Env {
            event,
            extra: &[],
            previous: None,
            computed: (&[], &[]),
            key: &none,
            bound: &Nothing,
            world: &self.router.world,
        };
        if only.rest.is_some_and(|rest| !rest.is_true(&env)) {
            return;
        }
        // What is passed over needs no key, but whether it has one is counted.
        let passes = self.how != Find::Passing && only.wanted.is_some_and(|wanted| !wanted.is_true(&env));
        match only.key {
            // Most keys are a field, which needn't be copied to be written.
            [key] if let Some(value) = key.in_place(&env) => send(only.to, Some(value), passes, to),
            exprs => {
                let parts: SmallVec<[Value; 2]> = exprs.iter().map(|expr| expr.value(&env)).collect();
                match (parts.iter().any(Value::is_null), passes) {
                    (true, _) => to(only.to, Route::NoKey),
                    (false, true) => {}
                    (false, false) => to(only.to, Route::To(Key::new(&parts))),
                }
            }
        }
    }
}

/// Sends an event to where the value that is its key leads, unless it is passed over.
#[inline]
fn send(sub: Subscription, value: Option<&Value>, passes: bool, mut to: impl FnMut(Subscription, Route)) {
    match value.filter(|value| !value.is_null()) {
        None => to(sub, Route::NoKey),
        Some(_) if passes => {}
        Some(value) => to(sub, Route::To(Key::new(std::iter::once(value)))),
    }
}
