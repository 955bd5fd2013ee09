//! Plans that take the place of a running one: streams keep their numbers, and rules that mean the same are found again.

use super::{
    Body, ClockPolicy, Cluster, ClusterInput, Latest, Mode, Near, Plan, Rule, StreamOrigin, StreamPlan,
    drain::vacant,
    regions::{Config, Confirm, Limits, Overlap},
};
use crate::model::{Schema, StreamId};

impl Plan {
    /// The plan with the streams that `running` has under their numbers there. New ones get numbers that are free: those
    /// of derived streams that are gone (whoever held events of them is gone, too), then further ones.
    pub fn after(mut self, running: &Plan) -> Self {
        if running.streams.is_empty() {
            return self;
        }
        let same = |a: &StreamPlan, b: &StreamPlan| {
            a.name == b.name && (a.origin == StreamOrigin::Source) == (b.origin == StreamOrigin::Source)
        };
        let mut places: Vec<Option<StreamPlan>> = vec![None; running.streams.len()];
        let mut ids = vec![StreamId(0); self.streams.len()];
        let mut fresh = Vec::new();
        for (at, stream) in std::mem::take(&mut self.streams).into_iter().enumerate() {
            match running.streams.iter().position(|other| same(&stream, other)) {
                Some(place) => {
                    set(&mut ids, at, StreamId(place as u32));
                    set(&mut places, place, Some(stream));
                }
                None => fresh.push((at, stream)),
            }
        }
        // A source's number stays taken: its partitions are known by it.
        let is_free = |place: usize, taken: &Option<StreamPlan>| {
            let source = running.streams.get(place).is_some_and(|stream| stream.origin == StreamOrigin::Source);
            taken.is_none() && !source
        };
        for (at, stream) in fresh {
            let free = places.iter().enumerate().position(|(place, taken)| is_free(place, taken));
            let place = free.unwrap_or_else(|| {
                places.push(None);
                places.len() - 1
            });
            set(&mut ids, at, StreamId(place as u32));
            set(&mut places, place, Some(stream));
        }
        self.streams = places.into_iter().map(|stream| stream.unwrap_or_else(vacant)).collect();
        for input in self.rules.iter_mut().flat_map(|rule| &mut rule.inputs) {
            input.stream = ids.get(input.stream.0 as usize).copied().unwrap_or(input.stream);
        }
        self
    }

    /// For each rule the one of `running` that means the same, so that its state fits: name and version are equal, it reads the
    /// same slots of the same streams, and the rules that make those streams put out fields as before. Labels, annotations,
    /// limits, and whether it is an alert or a shadow, don't matter.
    pub fn kept(&self, running: &Plan) -> Vec<Option<u32>> {
        let mut kept: Vec<Option<u32>> = Vec::with_capacity(self.rules.len());
        // A rule comes after those that it reads, but for what is fed back to it: of that the form decides.
        for (rule, at) in self.rules.iter().zip(0..) {
            let was = match self.drain(at) {
                None => running.find(&rule.name),
                Some(_) => running.find_known(&self.known_as(at)),
            };
            kept.push(was.filter(|&was| self.is_same(rule, running, was, &kept)).map(|at| at as u32));
        }
        // What goes round is of all rules of a circle.
        for circle in self.circles() {
            if circle.iter().any(|&at| kept.get(at).is_none_or(Option::is_none)) {
                for at in circle {
                    kept.get_mut(at).into_iter().for_each(|kept| *kept = None);
                }
            }
        }
        kept
    }

    /// Whether a rule means what that of `running` with this index does.
    pub(super) fn is_same(&self, rule: &Rule, running: &Plan, was: usize, kept: &[Option<u32>]) -> bool {
        running.rules.get(was).is_some_and(|other| {
            other.version == rule.version
                && (other.mode == Mode::Off) == (rule.mode == Mode::Off)
                && others(rule).all(|stream| self.reads_same(running, stream, kept))
                && layout(other) == layout(rule)
        })
    }

    /// For each rule that isn't kept the one of `running` whose states may go on in part: it has its name, reads the same
    /// streams in the same way and splits them by the same key, and its windows or what a match keeps of its events are the same.
    /// Those of a join never do.
    pub fn adapted(&self, running: &Plan, kept: &[Option<u32>]) -> Vec<Option<u32>> {
        let adapted = self.rules.iter().zip(0..).zip(kept).map(|((rule, own), is_kept)| {
            let at = running.find(&rule.name).filter(|_| self.drain(own).is_none())?;
            let old = running.rules.get(at).filter(|_| is_kept.is_none())?;
            let runs = old.mode != Mode::Off && rule.mode != Mode::Off;
            // What a rule that waits for the wall clock has decided is of its old form.
            let waits = [old.clock, rule.clock].contains(&ClockPolicy::Wall);
            let reads = others(rule).all(|stream| self.reads_same(running, stream, kept));
            (runs && !waits && reads && frame(old)? == frame(rule)?).then_some(at as u32)
        });
        adapted.collect()
    }

    /// Whether a stream's events have the form that they had. A rule that was edited may give others, but what its old version has
    /// yet to say comes on the same stream.
    fn reads_same(&self, running: &Plan, id: StreamId, kept: &[Option<u32>]) -> bool {
        let at = id.0 as usize;
        let (Some(new), Some(old)) = (self.streams.get(at), running.streams.get(at)) else { return false };
        match (new.origin, old.origin) {
            (StreamOrigin::Source, StreamOrigin::Source) => new.name == old.name && extends(&new.schema, &old.schema),
            (StreamOrigin::Rule(maker), StreamOrigin::Rule(was)) => {
                kept.get(maker as usize) == Some(&Some(was))
                    || new.name == old.name
                        && !new.name.is_empty()
                        && new.schema.fields == old.schema.fields
                        && (new.schema.id, new.schema.position) == (old.schema.id, old.schema.position)
            }
            _ => false,
        }
    }

    /// A source of `running` that has another number here, or fields with other slots, so that events that wait would be
    /// misread.
    pub fn moved_source<'p>(&self, running: &'p Plan) -> Option<&'p str> {
        let stays = |at: usize, old: &StreamPlan| {
            let same = |new: &StreamPlan| {
                new.origin == StreamOrigin::Source && new.name == old.name && extends(&new.schema, &old.schema)
            };
            self.streams.get(at).is_some_and(same)
        };
        let sources = running.streams.iter().enumerate().filter(|(_, stream)| stream.origin == StreamOrigin::Source);
        sources.into_iter().find(|(at, old)| !stays(*at, old)).map(|(_, stream)| stream.name.as_str())
    }
}

fn set<T>(all: &mut [T], at: usize, value: T) {
    if let Some(place) = all.get_mut(at) {
        *place = value;
    }
}

/// The streams that a rule reads, without its own.
fn others(rule: &Rule) -> impl Iterator<Item = StreamId> {
    rule.inputs.iter().enumerate().filter(|(at, _)| !rule.is_own(*at)).map(|(_, input)| input.stream)
}

/// Whether a row has all slots of another one, and perhaps more.
fn extends(new: &Schema, old: &Schema) -> bool {
    new.fields.starts_with(&old.fields) && new.id == old.id && new.position == old.position
}

/// All of a rule that a state depends on, as text.
fn layout(rule: &Rule) -> String {
    // Everything but what is left out here, so that what is added to a rule counts.
    let bare = Rule {
        group: String::new(),
        kind: super::RuleKind::Alert,
        mode: Mode::Active,
        limits: super::Limits::default(),
        labels: Vec::new(),
        annotations: Vec::new(),
        ..rule.clone()
    };
    format!("{bare:?}")
}

/// What an edit must leave alone so that states go on in part, as text: which partitions there are, and what is kept in each
/// beside partial matches, which are compared one by one. None where states go on as a whole or not at all.
fn frame(rule: &Rule) -> Option<String> {
    let mut inputs = rule.inputs.clone();
    // What is asked of events is asked of those to come; who is known already stays so.
    let mut forget_where = || {
        inputs.iter_mut().for_each(|input| (input.before, input.after) = (None, None));
    };
    let body = match &rule.body {
        Body::Pattern(_) => Body::Filter,
        // What a join keeps is ended by its old version, whose pairs the new one only has to know of.
        Body::Join(_) => return None,
        Body::Latest(latest) => {
            forget_where();
            Body::Latest(Box::new(Latest { every_ms: 0, max_age_ms: None, having: vec![None; latest.having.len()] }))
        }
        Body::Near(near) => {
            forget_where();
            let (names, retained) = ([String::new(), String::new()], Vec::new());
            let bounds =
                Near { within_m: 0.0, leave_m: 0.0, valid_ms: 0, apart_ms: 0, align_ms: None, ..*near.clone() };
            // Whether pairs are looked at now and then or at each position is what timers depend on.
            let every_ms = near.every_ms.map(|_| 0);
            Body::Near(Box::new(Near { names, retained, every_ms, all: false, on: None, ..bounds }))
        }
        Body::Cluster(cluster) => {
            forget_where();
            Body::Cluster(Box::new(cells_of(cluster)))
        }
        other => other.clone(),
    };
    let form = format!("{:?}", std::mem::discriminant(&rule.body));
    let bare = Rule {
        version: String::new(),
        canonical: String::new(),
        at_end: None,
        having: None,
        outputs: Vec::new(),
        inputs,
        body,
        ..rule.clone()
    };
    Some(format!("{form} {}", layout(&bare)))
}

/// Of a cluster clause what its cells and their measures are, and which of them are neighbours.
fn cells_of(cluster: &Cluster) -> Cluster {
    let input = |input: &ClusterInput| ClusterInput {
        cell: input.cell.clone(),
        hot: input.cell.clone(),
        cold: None,
        weight: None,
        members: None,
    };
    let Config { overlap, .. } = cluster.config;
    let overlap = if overlap == Overlap::Members { Overlap::Members } else { Overlap::Cells };
    let limits = Limits { survive: 0.0, split: 0.0, grow: 0.0, shift: 0.0, dense: 0.0 };
    Cluster {
        inputs: cluster.inputs.iter().map(input).collect(),
        config: Config { min_cells: 0, overlap, limits, ..cluster.config },
        expire_ms: None,
        every_ms: None,
        confirm: Confirm::default(),
        emit_all: false,
        aggregates: cluster.aggregates.clone(),
        unread: Vec::new(),
    }
}
