//! The program of a cluster rule: what events say of cells, and what is put out of regions.

use super::{Emit, Load, Reading, Record, Timing, Tracker, row::RegionBound};
use crate::{
    expr::{Env, Expr, Node},
    model::{
        Clock, DecodeError, Emission, EmissionKind, Key, Reader, TakenEvents, TimeMs, Value, Writer, format_duration,
    },
    plan::{
        self, AggregateKind, ClusterInput, RegionField,
        regions::{ClusterError, Config, Overlap},
    },
};
use std::fmt::Write;

/// A cluster rule, ready to run: immutable, shared by all keys and shards.
#[derive(Clone, Debug)]
pub struct Program {
    inputs: Vec<Feed>,
    config: Config,
    timing: Timing,
    kinds: Vec<AggregateKind>,
    /// By [`RegionField::slot`]: whether an output looks at it.
    used: Vec<bool>,
    /// By slot; null where nobody reads it.
    outputs: Vec<Expr>,
    having: Option<Expr>,
}

/// What is read of the events of one input.
#[derive(Clone, Debug)]
struct Feed {
    of: ClusterInput,
    /// By aggregate: the value, and the filter.
    columns: Vec<(Option<Expr>, Option<Expr>)>,
}

/// The regions of one key.
#[derive(Clone, Debug)]
pub struct KeyState {
    tracker: Tracker,
}

impl Program {
    /// The program of a rule's CLUSTER clause.
    ///
    /// # Errors
    /// A number that is out of its range: the checker lets none through.
    pub fn new(
        cluster: &plan::Cluster,
        outputs: &[plan::OutputField],
        having: Option<&Expr>,
    ) -> Result<Self, ClusterError> {
        let timing = Timing {
            expire: cluster.expire_ms,
            every: cluster.every_ms,
            confirm: cluster.confirm,
            emit: if cluster.emit_all { Emit::All } else { Emit::Changes },
        };
        // Every key gets one of these.
        Tracker::new(cluster.config, timing)?;
        let null = Expr::constant(Value::Null, crate::model::Type::Any);
        let outputs: Vec<Expr> = outputs
            .iter()
            .enumerate()
            .map(|(slot, output)| {
                let is_read = !cluster.unread.iter().any(|&unread| usize::from(unread) == slot);
                output.exprs.first().filter(|_| is_read).unwrap_or(&null).clone()
            })
            .collect();
        let slots = RegionField::ALL.iter().map(|field| usize::from(field.slot()) + 1).max();
        let mut used = vec![false; slots.unwrap_or(0)];
        for node in outputs.iter().chain(having).flat_map(Expr::nodes) {
            if let Node::Extra(slot) = node
                && let Some(used) = used.get_mut(usize::from(*slot))
            {
                *used = true;
            }
        }
        let feed = |(input, of): (usize, &ClusterInput)| {
            let column = |aggregate: &plan::Aggregate| {
                (aggregate.args.get(input).cloned().flatten(), aggregate.filter.get(input).cloned().flatten())
            };
            Feed { of: of.clone(), columns: cluster.aggregates.iter().map(column).collect() }
        };
        Ok(Self {
            inputs: cluster.inputs.iter().enumerate().map(feed).collect(),
            config: cluster.config,
            timing,
            kinds: cluster.aggregates.iter().map(|aggregate| aggregate.kind).collect(),
            used,
            outputs,
            having: having.cloned(),
        })
    }

    /// The state of a key without any hot cell.
    pub fn blank(&self) -> KeyState {
        let tracker = Tracker::new(self.config, self.timing);
        KeyState { tracker: tracker.expect("the numbers were tried when the program was built") }
    }

    /// Takes an event of the key, a result of its cell. Instants before its own are closed first; its own stays open, since
    /// other results may belong to it. The events of a key come in order of time.
    pub fn step(&self, state: &mut KeyState, input: usize, env: &Env<'_>, out: &mut Vec<Emission>) {
        let time_ms = env.event.header.time_ms;
        self.close_before(state, time_ms, Clock::Event, env, out);
        let Some(feed) = self.inputs.get(input) else { return };
        let Value::Cell(cell) = feed.of.cell.value(env) else { return };
        let reading = feed.reading(env);
        // A cell that can't be hot holds nothing.
        let load = if reading == Reading::Cold && !self.confirms() { Load::default() } else { feed.load(env) };
        state.tracker.result(cell, reading, load, time_ms);
    }

    /// Whether a cell may be hot after a cold result.
    fn confirms(&self) -> bool {
        self.timing.confirm.results() > 1
    }

    /// Closes the instants before `to_ms`: at that time itself more results may come. `env` needs no event.
    pub fn advance(&self, state: &mut KeyState, to_ms: TimeMs, clock: Clock, env: &Env<'_>, out: &mut Vec<Emission>) {
        self.close_before(state, to_ms, clock, env, out);
    }

    fn close_before(&self, state: &mut KeyState, to_ms: TimeMs, clock: Clock, env: &Env<'_>, out: &mut Vec<Emission>) {
        loop {
            if to_ms == TimeMs::MAX {
                // The inputs have ended: to go on about regions to which nothing will ever happen would never end.
                state.tracker.stop_repeating();
            }
            let Some(at_ms) = state.tracker.next().filter(|at_ms| *at_ms < to_ms) else { return };
            let records = state.tracker.close(at_ms);
            for record in &records {
                self.emit(&state.tracker, record, clock, env, out);
            }
        }
    }

    fn emit(&self, tracker: &Tracker, record: &Record, clock: Clock, env: &Env<'_>, out: &mut Vec<Emission>) {
        let view = tracker.regions().view(record);
        let is_used = |field: RegionField| self.used.get(usize::from(field.slot())) == Some(&true);
        let mut fields = vec![Value::Null; self.used.len()];
        for &field in RegionField::ALL.iter().filter(|field| is_used(**field)) {
            if let Some(place) = fields.get_mut(usize::from(field.slot())) {
                *place = record.field(field, view.as_ref());
            }
        }
        let bound = RegionBound { record, view, kinds: &self.kinds };
        let env = Env { extra: &fields, ..env.with_bound(&bound) };
        if self.having.as_ref().is_some_and(|having| !having.is_true(&env)) {
            return;
        }
        out.push(Emission {
            kind: EmissionKind::Region,
            time_ms: record.tick,
            start_ms: record.id.tick,
            end_ms: record.tick,
            clock: Some(clock),
            values: self.outputs.iter().map(|output| output.value(&env)).collect(),
            taken: TakenEvents::new(),
            row: None,
            revision: 0,
            dropped: 0,
        });
    }

    /// Makes a state of another program, with the same cells and aggregates, one of this one: cells are as hot as they were until their next
    /// result, and regions keep who they are. How many cells a region has to have is asked at the next tick.
    pub fn adapt(&self, old: &Self, state: &mut KeyState) {
        let was = std::mem::replace(state, self.blank());
        state.tracker.take_over(was.tracker, old.timing);
    }

    /// When [`advance`](Self::advance) would next do something: right after the instant that has to be closed.
    pub fn deadline(&self, state: &KeyState) -> Option<TimeMs> {
        state.tracker.next().map(|at_ms| at_ms.saturating_add(1))
    }

    /// What it does, a line for people.
    pub fn explain(&self) -> String {
        let Config { reach, density, min_cells, overlap, limits } = self.config;
        let mut text = String::from("regions of hot cells");
        // Writing to a string can't fail.
        let _ = write!(text, " at most {reach} {} apart", if reach == 1 { "step" } else { "steps" });
        if let Some(density) = density {
            let _ = write!(text, ", cores with {} hot cells within {}", density.cells, density.within);
        }
        let _ = writeln!(text, ", of at least {min_cells} {}", if min_cells == 1 { "cell" } else { "cells" });
        for (at, feed) in self.inputs.iter().enumerate() {
            let ClusterInput { cell, hot, cold, weight, members } = &feed.of;
            let input = if self.inputs.len() > 1 { format!("input {at}: ") } else { String::new() };
            let _ = write!(text, "{input}cell {cell}; hot when {hot}");
            for (what, expr) in [("cold when", cold), ("weight", weight), ("members", members)] {
                if let Some(expr) = expr {
                    let _ = write!(text, "; {what} {expr}");
                }
            }
            text.push('\n');
        }
        let _ = match self.timing.every {
            Some(every_ms) => write!(text, "compared every {}", format_duration(every_ms)),
            None => write!(text, "compared after each instant with changes"),
        };
        if let Some(expire_ms) = self.timing.expire {
            let _ = write!(text, "; a result counts for {}", format_duration(expire_ms));
        }
        let confirm = self.timing.confirm;
        if confirm.results() > 1 {
            let _ = write!(text, "; hot while {} of the last {} results are", confirm.hits(), confirm.results());
        }
        let by = match overlap {
            Overlap::Cells => "cells",
            Overlap::Weight => "weight",
            Overlap::Members => "members",
        };
        let _ = writeln!(
            text,
            "; overlap by {by}; survive {}, split {}, grow {}, move {}, dense {}; emit {}",
            limits.survive,
            limits.split,
            limits.grow,
            limits.shift,
            limits.dense,
            if self.timing.emit == Emit::All { "all" } else { "changes" },
        );
        text
    }
}

impl Feed {
    fn reading(&self, env: &Env<'_>) -> Reading {
        if self.of.hot.is_true(env) {
            return Reading::Hot;
        }
        match &self.of.cold {
            // What can't be told is no reason to stay hot: the last result of a silent cell has no sums.
            Some(cold) if cold.value(env) == Value::Bool(false) => Reading::Between,
            _ => Reading::Cold,
        }
    }

    fn load(&self, env: &Env<'_>) -> Load {
        let weight = match &self.of.weight {
            Some(weight) => weight.number(env).unwrap_or(0.0),
            None => 1.0,
        };
        let members = match self.of.members.as_ref().map(|members| members.value(env)) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::List(list)) => list.iter().map(member).collect(),
            Some(one) => vec![member(&one)],
        };
        let column = |(value, filter): &(Option<Expr>, Option<Expr>)| match (value, filter) {
            (Some(value), filter) if filter.as_ref().is_none_or(|filter| filter.is_true(env)) => value.value(env),
            _ => Value::Null,
        };
        Load { weight, members, values: self.columns.iter().map(column).collect() }
    }
}

fn member(value: &Value) -> u64 {
    Key::new([value]).hash64()
}

impl KeyState {
    /// Whether there is nothing to remember.
    pub fn is_idle(&self) -> bool {
        self.tracker.is_empty()
    }

    /// How many regions there are.
    pub fn regions(&self) -> usize {
        self.tracker.regions().len()
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        self.tracker.save(writer);
    }

    /// Reads what [`save`](Self::save) wrote for a program of the same clause.
    ///
    /// # Errors
    /// When the bytes are no such state.
    pub fn load(program: &Program, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut state = program.blank();
        state.tracker.load(reader)?;
        Ok(state)
    }
}
