//! How much work a pattern is per event, and why.

use super::{
    growth::multiplies,
    program::{Program, looks},
};
use crate::plan::{Class, Skip};

impl Program {
    /// The class of the pattern, and the reason in words.
    pub fn class(&self) -> (Class, String) {
        if self.compact {
            let why = "conditions look at one event at a time, so partial matches are kept as sets";
            return (Class::Constant, why.to_owned());
        }
        let cause = self.cause();
        match multiplies(self) {
            Some(state) => {
                let label = self.states.get(usize::from(state)).map_or("?", |state| state.label.as_str());
                let why = format!(
                    "{cause}, and an event may make two of a partial match that waits for `{label}`, again and again"
                );
                (Class::NeedsLimit, why)
            }
            None => (Class::Linear, format!("{cause}; each first event leads to a few partial matches at most")),
        }
    }

    /// Why partial matches are kept one by one.
    fn cause(&self) -> String {
        let own = self.conditions.iter().position(|exprs| looks(Some(exprs)));
        if let Some(name) = own.and_then(|var| self.names.get(var)) {
            return format!("the condition on `{name}` looks at other events of the match");
        }
        if self.untils.iter().any(|exprs| looks(Some(exprs))) {
            return "a stop condition looks at other events of the match".to_owned();
        }
        if self.on_timeout {
            return "ON TIMEOUT tells each partial match that ran out of time".to_owned();
        }
        if !matches!(self.skip, Skip::Eager | Skip::NoSkip) {
            return "this AFTER MATCH SKIP has matches wait for partial matches that began earlier".to_owned();
        }
        "time is counted from events inside the match".to_owned()
    }
}
