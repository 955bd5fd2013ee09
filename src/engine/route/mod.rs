//! Routing: which rules an event concerns, and by which key.
//!
//! Per stream an [`index`] of what rules ask of its events ([`plan::Interest`](crate::plan::Interest)) finds those that an event can
//! concern; only these are asked. Conditions and keys that several rules have in common are evaluated once per event
//! ([`memo`]). The index leaves out what can't matter and decides nothing: with it and without it the outputs are the same.

mod access;
mod block;
mod index;
mod memo;
mod pool;
mod readers;
mod router;
mod sights;
mod stream;

pub(super) use memo::Memo;
pub(super) use readers::Readers;
pub(super) use router::{Find, Route, Router, Subscription, asked, shard_of};
