//! Receivers of alerts that answer: what a sink with an outbox posts to.
//!
//! One request at a time, so that alerts arrive in order; what an answer means is decided here, what is done about it by who holds the
//! outbox. Addresses, headers and what a receiver says in its body may hold secrets: none of them is in a message.

mod alertmanager;
mod answer;
mod post;
mod webhook;

pub use alertmanager::{Alertmanager, AlertmanagerOptions};
pub use answer::{Answer, Parcel, Receiver, Trouble};
pub use post::{Post, PostError, PostOptions};
pub use webhook::{Webhook, WebhookBody};
