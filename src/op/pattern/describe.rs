//! The automaton for people: text, and a graph for graphviz.

use super::{
    flatten::{FlatEdge, What},
    graph::{Bound, From, Guard, Kind, Pred},
    program::Program,
};
use crate::model::format_duration;
use std::fmt::Write as _;

impl Program {
    /// The states with what leads where, one line each.
    pub fn explain(&self) -> String {
        let mut text = String::new();
        if let Some(within) = self.within_ms {
            let _ = writeln!(text, "window: less than {}", format_duration(within));
        }
        for (at, state) in self.states.iter().enumerate() {
            let _ = write!(text, "{}", self.state_name(at));
            match state.kind {
                Kind::Final => text.push_str(": match"),
                Kind::Pending => text.push_str(": match when the window ends"),
                Kind::Normal | Kind::Stop(_) if at == 0 => text.push_str(": start"),
                Kind::Normal | Kind::Stop(_) => {}
            }
            if !state.finals.is_empty() {
                text.push_str(", match when reached");
            }
            if let Some(expiry) = &state.expiry {
                let _ = write!(text, ", times out {}", bound(expiry));
            }
            text.push('\n');
            for edge in &state.edges {
                let _ = writeln!(text, "  {}", self.edge_text(edge));
            }
            for (ms, target) in &state.timers {
                let _ = writeln!(text, "  after {} -> {}", format_duration(*ms), self.state_name(usize::from(*target)));
            }
        }
        text
    }

    /// The same as a graph in graphviz' language.
    pub fn dot(&self) -> String {
        let mut text = String::from("digraph pattern {\n  rankdir=LR;\n");
        for (at, state) in self.states.iter().enumerate() {
            let shape = if state.kind == Kind::Final { "doublecircle" } else { "circle" };
            let _ = writeln!(text, "  s{at} [shape={shape}, label=\"{}\"];", escape(&self.state_name(at)));
            for edge in &state.edges {
                let (target, style) = match edge.what {
                    What::Take { target, .. } => (format!("s{target}"), "solid"),
                    What::Ignore { target } => (format!("s{target}"), "dashed"),
                    What::Stop => ("stop".to_owned(), "dotted"),
                };
                let label = escape(&self.guard_text(&edge.guard));
                let _ = writeln!(text, "  s{at} -> {target} [style={style}, label=\"{label}\"];");
            }
            for (ms, target) in &state.timers {
                let _ = writeln!(text, "  s{at} -> s{target} [style=bold, label=\"{}\"];", format_duration(*ms));
            }
        }
        text.push_str("}\n");
        text
    }

    fn state_name(&self, at: usize) -> String {
        format!("{at} {}", self.states.get(at).map_or("?", |state| state.label.as_str()))
    }

    fn edge_text(&self, edge: &FlatEdge) -> String {
        let guard = self.guard_text(&edge.guard);
        let mut text = match edge.what {
            What::Take { target, .. } => format!("take if {guard} -> {}", self.state_name(usize::from(target))),
            What::Ignore { target } => format!("skip if {guard} -> {}", self.state_name(usize::from(target))),
            What::Stop => format!("stop if {guard}"),
        };
        edge.within.iter().for_each(|within| {
            let _ = write!(text, ", less than {}", bound(within));
        });
        text
    }

    fn guard_text(&self, guard: &Guard) -> String {
        let lits: Vec<String> = guard
            .iter()
            .map(|lit| {
                let pred = match self.preds.get(usize::from(lit.pred)) {
                    Some(Pred::Variable(var)) => self.names.get(usize::from(*var)).cloned().unwrap_or_default(),
                    Some(Pred::Until(until)) => format!("until {until}"),
                    Some(Pred::InTime(within)) => format!("less than {}", bound(within)),
                    Some(Pred::All(guard)) => format!("({})", self.guard_text(guard)),
                    Some(Pred::Any(guards)) => {
                        let ways: Vec<String> = guards.iter().map(|guard| self.guard_text(guard)).collect();
                        format!("({})", if ways.is_empty() { "never".to_owned() } else { ways.join(" or ") })
                    }
                    None => String::new(),
                };
                if lit.want { pred } else { format!("not {pred}") }
            })
            .collect();
        if lits.is_empty() { "anything".to_owned() } else { lits.join(" and ") }
    }
}

fn bound(bound: &Bound) -> String {
    let from = match bound.from {
        From::Before => "the element before",
        From::Mark(_) => "the loop's first event",
    };
    format!("{} after {from}", format_duration(bound.ms))
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
