//! Rules and fences that change while the daemon runs: who asks for it, what is read anew, and what came of it.
//!
//! A thread of its own waits for requests (API, SIGHUP) and looks at the files. It reads and checks everything beside the
//! running engine, which only takes what is sound, between two chunks of events. What isn't is refused whole, and the running
//! rules go on untouched.

mod answer;
mod reloads;
mod signal;
mod swap;
mod watch;

pub use answer::{Answer, ReloadError, RuleAnswer};
pub use reloads::{Reloads, Setup, Trigger};
pub use signal::reload_on_hangup;
pub use swap::Swap;
