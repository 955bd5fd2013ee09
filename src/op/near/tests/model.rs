//! What NEAR means, as slowly as it can be said: everybody is compared with everybody.

use super::kit::{Ping, Said};
use crate::{
    geo::{Position, bearing_deg, destination, geodesic_m},
    model::TimeMs,
    plan,
};
use std::collections::BTreeMap;

/// Side and id.
type Who = (usize, i64);

/// By side and id: time, position and speed of the latest event.
type Latest = BTreeMap<(usize, i64), Ping>;

pub(super) struct Model {
    pub(super) near: plan::Near,
    /// ON: both slower than this.
    pub(super) limit: Option<f64>,
    latest: Latest,
    /// The latest of an earlier time.
    before: Latest,
    /// Since when.
    together: BTreeMap<(Who, Who), TimeMs>,
    now_ms: TimeMs,
    pub(super) said: Vec<Said>,
}

impl Model {
    pub(super) fn new(near: plan::Near, limit: Option<f64>, start_ms: TimeMs) -> Self {
        Self {
            near,
            limit,
            latest: BTreeMap::new(),
            before: BTreeMap::new(),
            together: BTreeMap::new(),
            now_ms: start_ms,
            said: Vec::new(),
        }
    }

    /// Millisecond by millisecond where something may happen.
    pub(super) fn advance(&mut self, to_ms: TimeMs) {
        match self.near.every_ms {
            Some(every_ms) => {
                let mut tick = self.now_ms.div_euclid(every_ms) * every_ms;
                while tick < to_ms {
                    // A tick is after the events of its instant.
                    if tick >= self.now_ms {
                        self.look(tick, None, true);
                    }
                    tick += every_ms;
                }
            }
            None => {
                let ends: Vec<(TimeMs, (usize, i64))> =
                    self.latest.iter().map(|(who, ping)| (ping.1 + self.near.valid_ms + 1, *who)).collect();
                let mut ends: Vec<_> = ends.into_iter().filter(|(at, _)| *at <= to_ms).collect();
                ends.sort_unstable();
                for (at, who) in ends {
                    self.look(at, Some(who), true);
                    self.latest.remove(&who);
                    self.before.remove(&who);
                }
            }
        }
        self.now_ms = to_ms;
    }

    pub(super) fn ping(&mut self, ping: Ping) {
        self.advance(ping.1);
        let side = if self.near.same { 0 } else { ping.0 };
        if let Some(last) = self.latest.insert((side, ping.2), ping)
            && last.1 < ping.1
        {
            self.before.insert((side, ping.2), last);
        }
        if self.near.every_ms.is_none() {
            self.look(ping.1, Some((side, ping.2)), false);
        }
    }

    /// Where somebody is by now.
    fn place(&self, who: Who, last: &Ping, now_ms: TimeMs) -> Position {
        match (self.near.align_ms, self.before.get(&who)) {
            (Some(align_ms), Some(before))
                if last.1 - before.1 <= align_ms && before.3 != last.3 && now_ms > last.1 =>
            {
                let speed = geodesic_m(before.3, last.3) / (last.1 - before.1) as f64;
                destination(last.3, bearing_deg(last.3, before.3) + 180.0, speed * (now_ms - last.1) as f64)
            }
            _ => last.3,
        }
    }

    /// Looks at all pairs, or at those of one entity.
    fn look(&mut self, now_ms: TimeMs, of: Option<(usize, i64)>, timer: bool) {
        let latest = self.latest.clone();
        for (a, first) in &latest {
            for (b, second) in latest.range(a..).skip(1) {
                let own = of.is_none_or(|of| of == *a || of == *b);
                // EMIT ALL: at a position those who are together as well.
                let others = self.near.all && !timer && self.together.contains_key(&(*a, *b));
                if !(own || others) || (!self.near.same && a.0 == b.0) {
                    continue;
                }
                let was = self.together.get(&(*a, *b)).copied();
                let metres = geodesic_m(self.place(*a, first, now_ms), self.place(*b, second, now_ms));
                let limit = if was.is_some() { self.near.leave_m } else { self.near.within_m };
                let near = metres <= limit
                    && [first, second].iter().all(|ping| now_ms - ping.1 <= self.near.valid_ms)
                    && (first.1 - second.1).abs() <= self.near.apart_ms
                    && self.limit.is_none_or(|limit| first.4 < limit && second.4 < limit);
                let since = was.unwrap_or(now_ms);
                let what = match (was.is_some(), near) {
                    (false, false) => continue,
                    (false, true) => "approached",
                    (true, true) => "together",
                    (true, false) => "separated",
                };
                if near {
                    self.together.insert((*a, *b), since);
                } else {
                    self.together.remove(&(*a, *b));
                }
                self.said.push((now_ms, a.1, b.1, what.to_owned(), metres, now_ms - since, timer));
            }
        }
    }
}
