//! The subscriptions of one stream at one level, with their index and what they share.

use super::{
    index::{Demands, Index},
    memo::{Ask, Memo, as_slot},
    pool::Pool,
    router::{Find, Subscription},
};
use crate::{
    expr::{Env, Expr, Node, NodeId},
    model::Schema,
    plan::{Plan, Rule, StreamPlan},
};
use std::collections::BTreeMap;

/// At most so many results of subexpressions are kept for the event at hand.
const COMPUTED_MAX: usize = 64;

/// To ask so few is cheaper than to look them up.
const FEW: usize = 2;

/// Who reads a stream at a level.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    pub(super) subs: Vec<Sub>,
    index: Option<Index>,
    /// Conditions that rules share, or that the index looks up.
    pub(super) conditions: Vec<Expr>,
    /// What is looked up.
    pub(super) items: Vec<Expr>,
    /// The keys: for each the expressions of its components.
    pub(super) keys: Vec<Vec<Expr>>,
    /// Subexpressions of these that cost something and occur more than once.
    pub(super) computed: Vec<Expr>,
    /// Keys, and the subscriptions of which the index leaves some alone that pass WHERE: whether an event's key is incomplete
    /// is counted all the same.
    keyless: Vec<(u32, Vec<u32>)>,
}

/// A subscription.
#[derive(Clone, Debug)]
pub(super) struct Sub {
    pub(super) to: Subscription,
    pub(super) how: How,
    /// How the index finds it, one text for each alternative; empty if it doesn't.
    pub(super) reached: Vec<String>,
}

/// How a subscription is asked.
#[derive(Clone, Debug)]
pub(super) enum How {
    /// By the rule's own expressions.
    Alone,
    /// By shared conditions, what is left of WHERE, and a shared key.
    Shared {
        conditions: Vec<u32>,
        rest: Option<Expr>,
        /// What it asks for beside WHERE.
        wanted: Option<Expr>,
        key: u32,
    },
}

/// The only reader of a stream.
#[derive(Clone, Copy)]
pub(super) struct Only<'a> {
    pub(super) to: Subscription,
    pub(super) rest: Option<&'a Expr>,
    /// What it asks for beside WHERE.
    pub(super) wanted: Option<&'a Expr>,
    pub(super) key: &'a [Expr],
    /// The field that is the key, where that is all that is looked at.
    pub(super) slot: Option<u16>,
}

/// What is taken from a rule before it is known what others share with it.
struct Draft {
    /// The conditions that make up WHERE, by number.
    conditions: Vec<u32>,
    wanted: Option<Expr>,
    key: u32,
}

impl Stream {
    /// The subscriptions `to` of a stream, which are in the order in which rules are to get an event.
    pub(super) fn new(plan: &Plan, to: &[Subscription]) -> Self {
        let mut stream = Self::default();
        let (mut wheres, mut items, mut keys) = (Pool::default(), Pool::default(), Keys::default());
        let mut drafts: Vec<Option<Draft>> = Vec::new();
        for &to in to {
            drafts.push(draft(plan, to, &mut wheres, &mut keys));
            stream.subs.push(Sub { to, how: How::Alone, reached: Vec::new() });
        }
        // Shared conditions keep their numbers among themselves; the index adds those that it looks up.
        let mut conditions = Pool::default();
        let mut number = BTreeMap::new();
        for (ix, expr) in wheres.exprs().iter().enumerate().filter(|(ix, _)| wheres.uses(*ix as u32) > 1) {
            number.insert(ix as u32, conditions.add(expr.clone()));
        }
        let mut demands = Demands::default();
        let mut keyless: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (at, (&to, draft)) in to.iter().zip(&mut drafts).enumerate() {
            let interest = rule_of(plan, to).map(|rule| rule.interest(to.input as usize));
            match (interest, draft) {
                (Some(interest), Some(draft)) => {
                    let alternatives = &interest.alternatives;
                    alternatives.iter().for_each(|all| demands.add(at as u32, all, &mut items, &mut conditions));
                    if let Some(beyond) = &interest.beyond_where {
                        keyless.entry(draft.key).or_default().push(at as u32);
                        // Not only where the index can tell: what a rule gets is not to depend on other rules.
                        draft.wanted = Expr::any(beyond);
                    }
                }
                // Asked of every event.
                _ => demands.add(at as u32, &[], &mut items, &mut conditions),
            }
        }
        demands.forget_rare();
        for (at, (sub, draft)) in stream.subs.iter_mut().zip(drafts).enumerate() {
            let schema = sub_stream(plan, sub.to).map(|stream| &stream.schema);
            let texts = demands.describe(at as u32, &items, &conditions);
            sub.reached = texts.iter().map(|text| with_names(text, schema)).collect();
            let Some(draft) = draft else { continue };
            let shared = draft.conditions.iter().filter_map(|ix| number.get(ix).copied()).collect();
            let own = draft.conditions.iter().filter(|ix| !number.contains_key(ix));
            let own: Vec<Expr> = own.filter_map(|&ix| wheres.get(ix).cloned()).collect();
            let rest = if own.is_empty() { None } else { Expr::all(&own) };
            if rest.is_some() == own.is_empty() {
                continue;
            }
            sub.how = How::Shared { conditions: shared, rest, wanted: draft.wanted, key: draft.key };
        }
        stream.index = Some(demands.index());
        stream.conditions = conditions.exprs().to_vec();
        stream.items = items.exprs().to_vec();
        stream.keys = keys.all;
        stream.keyless = keyless.into_iter().collect();
        stream.share_parts();
        stream
    }

    /// Keeps what occurs more than once and costs something in one place.
    fn share_parts(&mut self) {
        let mut parts = Pool::default();
        self.each_expr(&mut |expr| {
            expr.costly_parts(&mut |part| {
                parts.add(part);
            });
        });
        let mut chosen = Pool::default();
        for (ix, part) in parts.exprs().iter().enumerate() {
            if parts.uses(ix as u32) > 1 && chosen.exprs().len() < COMPUTED_MAX {
                chosen.add(part.clone());
            }
        }
        let place = |part: &Expr| chosen.find(part).map(|ix| ix as u16);
        self.each_expr(&mut |expr| *expr = expr.with_computed(true, &place));
        // A part of a part comes before it: a smaller one never holds a larger one.
        self.computed = chosen.exprs().iter().map(|part| part.with_computed(false, &place)).collect();
    }

    fn each_expr(&mut self, each: &mut dyn FnMut(&mut Expr)) {
        let rests = self.subs.iter_mut().flat_map(|sub| match &mut sub.how {
            How::Shared { rest, wanted, .. } => [rest.as_mut(), wanted.as_mut()],
            How::Alone => [None, None],
        });
        let rests = rests.flatten();
        let conditions = self.conditions.iter_mut().chain(&mut self.items);
        conditions.chain(self.keys.iter_mut().flatten()).chain(rests).for_each(each);
    }

    /// The only reader, where there is one and none of its conditions is shared.
    #[inline]
    pub(super) fn only(&self) -> Option<Only<'_>> {
        match self.subs.as_slice() {
            [Sub { to, how: How::Shared { conditions, rest, wanted, key }, .. }]
                if conditions.is_empty() && self.computed.is_empty() =>
            {
                let (rest, wanted) = (rest.as_ref(), wanted.as_ref());
                let key = self.keys.get(*key as usize)?;
                let slot = match key.as_slice() {
                    [only] if rest.is_none() && wanted.is_none() => as_slot(only),
                    _ => None,
                };
                Some(Only { to: *to, rest, wanted, key, slot })
            }
            _ => None,
        }
    }

    /// Space for the work on its events.
    pub(super) fn memo(&self) -> Memo {
        Memo::new(self.conditions.len(), self.items.len(), self.keys.len(), self.computed.len())
    }

    /// The subscriptions that are to be asked, ascending.
    pub(super) fn find(&self, how: Find, ask: &mut Ask<'_, '_>, found: &mut Vec<u32>) {
        if self.subs.len() <= FEW {
            found.clear();
            found.extend(0..self.subs.len() as u32);
            return;
        }
        let Some(index) = &self.index else { return };
        index.find(ask, found);
        let mut added = false;
        for (key, subs) in &self.keyless {
            if how == Find::Passing || ask.lacks_key(*key) {
                found.extend_from_slice(subs);
                added = true;
            }
        }
        if added {
            found.sort_unstable();
            found.dedup();
        }
    }
}

fn sub_stream(plan: &Plan, to: Subscription) -> Option<&StreamPlan> {
    let input = rule_of(plan, to)?.inputs.get(to.input as usize)?;
    plan.streams.get(input.stream.0 as usize)
}

/// `$3` is the field with slot 3, except in quoted text.
fn with_names(text: &str, schema: Option<&Schema>) -> String {
    let mut named = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\'']) {
        let (before, after) = rest.split_at(at);
        named.push_str(before);
        let quoted = after.starts_with('\'');
        let inside = after.get(1..).unwrap_or_default();
        let len = match quoted {
            true => inside.find('\'').map_or(after.len(), |end| end + 2),
            false => 1 + inside.find(|c: char| !c.is_ascii_digit()).unwrap_or(inside.len()),
        };
        let (word, left) = after.split_at(len);
        let field = word.get(1..).and_then(|slot| slot.parse().ok()).filter(|_| !quoted);
        let field = field.and_then(|slot: usize| schema?.fields.get(slot));
        named.push_str(field.map_or(word, |field| field.name.as_str()));
        rest = left;
    }
    named + rest
}

fn rule_of(plan: &Plan, to: Subscription) -> Option<&Rule> {
    plan.rules.get(to.rule as usize)
}

/// None where an expression can't be taken apart.
fn draft(plan: &Plan, to: Subscription, wheres: &mut Pool, keys: &mut Keys) -> Option<Draft> {
    let rule = rule_of(plan, to)?;
    let input = rule.inputs.get(to.input as usize)?;
    let mut parts = Vec::new();
    if let Some(before) = &input.before {
        conjuncts(before, before.root(), &mut |id| parts.push(before.part(id, &input.computed)));
    }
    let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
    let key = input.key.iter().zip(&rule.key).filter(|(_, part)| !part.through);
    let key = key.map(|(expr, _)| expr.part(expr.root(), &input.computed)).collect::<Option<Vec<_>>>()?;
    let mut conditions: Vec<u32> = parts.into_iter().map(|part| wheres.add(part)).collect();
    conditions.sort_unstable();
    conditions.dedup();
    Some(Draft { conditions, wanted: None, key: keys.add(key) })
}

fn conjuncts(expr: &Expr, id: NodeId, each: &mut dyn FnMut(NodeId)) {
    match expr.at(id) {
        Some(Node::And(all)) => all.iter().for_each(|&id| conjuncts(expr, id, each)),
        _ => each(id),
    }
}

/// Distinct keys.
#[derive(Default)]
struct Keys {
    all: Vec<Vec<Expr>>,
    parts: Pool,
    by_parts: BTreeMap<Vec<u32>, u32>,
}

impl Keys {
    fn add(&mut self, key: Vec<Expr>) -> u32 {
        let parts: Vec<u32> = key.iter().map(|expr| self.parts.add(expr.clone())).collect();
        let all = &mut self.all;
        *self.by_parts.entry(parts).or_insert_with(|| {
            all.push(key);
            all.len() as u32 - 1
        })
    }
}

impl Sub {
    /// Whether the event passes WHERE, where that is asked by what is shared.
    pub(super) fn passes(ask: &mut Ask<'_, '_>, env: &Env<'_>, conditions: &[u32], rest: Option<&Expr>) -> bool {
        conditions.iter().all(|&condition| ask.holds(condition)) && rest.is_none_or(|rest| rest.is_true(env))
    }
}
