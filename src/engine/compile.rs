//! Plan to programs: the only bridge between what rules mean and the kernels that do it.

use super::{
    ended::Ending,
    filter::Filter,
    gate::Gate,
    kernel::Kernel,
    operator::{KeyedOperator, Operator},
};
use crate::{
    expr::World,
    model::TimeMs,
    op::{
        cluster, join, latest, near, pattern,
        window::{self, Assigners},
    },
    plan::{Body, Class, Limits, Pattern, Plan, Rule, WindowKind},
};
use std::{collections::BTreeMap, sync::Arc};

/// A plan that no program can be built from; the checker refuses such rules, so this is a bug or a plan made by hand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule `{rule}`: {message}")]
pub struct CompileError {
    /// The rule.
    pub rule: String,
    /// What is wrong with it.
    pub message: String,
}

/// Makes a rule's operator for one more shard.
type Make = Box<dyn Fn() -> Box<dyn Operator> + Send>;

/// What all shards share of a rule: how to make an operator for one of them, and the kernel in words.
pub(super) struct Compiled {
    make: Make,
    /// The rule's place among the rules in order of name.
    pub(super) rank: u32,
    /// How much work an event is, and why.
    pub(super) class: (Class, String),
    /// The automaton or window as text, and the automaton as a Graphviz graph.
    pub(super) explain: String,
    pub(super) dot: Option<String>,
    /// The program of a window.
    pub(super) window: Option<Arc<window::Program>>,
    /// Whether the rule only ends what it has begun.
    drains: bool,
}

impl Compiled {
    /// The rule's operator for one more shard.
    pub(super) fn operator(&self) -> Box<dyn Operator> {
        let mut operator = (self.make)();
        if self.drains {
            operator.drain_until(TimeMs::MAX);
        }
        operator
    }
}

/// What programs depend on beside the plan.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) world: Arc<World>,
    pub(super) groups: u32,
    pub(super) seed: u64,
    /// Windows beside the built-in ones.
    pub(super) assigners: Assigners,
}

/// Of each rule its place among the rules in order of name.
pub(super) fn ranks(plan: &Plan) -> Vec<u32> {
    let mut by_name: Vec<usize> = (0..plan.rules.len()).collect();
    // Old versions of a rule come before it, in the order in which they were edited.
    let number = |at: usize| plan.drain(at as u32).map_or(u32::MAX, |drain| drain.number);
    by_name.sort_by_key(|&at| (plan.rules.get(at).map(|rule| rule.name.as_str()), number(at)));
    let mut ranks = vec![0; plan.rules.len()];
    for (rank, at) in by_name.into_iter().enumerate() {
        if let Some(place) = ranks.get_mut(at) {
            *place = rank as u32;
        }
    }
    ranks
}

/// Builds the programs of all rules.
pub(super) fn compile(plan: &Plan, setting: &Setting) -> Result<Vec<Compiled>, CompileError> {
    let ranks = ranks(plan);
    let mut filters = BTreeMap::new();
    let rules = plan.rules.iter().zip(ranks).enumerate();
    rules.map(|(at, (rule, rank))| compile_rule(plan, rule, at as u32, rank, setting, &mut filters)).collect()
}

/// Filters that put out the same in the same way, by what they are as text: rules share them, so that of many rules of which each
/// fires now and then the expressions are at hand.
type Filters = BTreeMap<String, Arc<Filter>>;

fn compile_rule(
    of: &Plan,
    rule: &Rule,
    ix: u32,
    rank: u32,
    setting: &Setting,
    filters: &mut Filters,
) -> Result<Compiled, CompileError> {
    let failed = |message: String| CompileError { rule: rule.name.clone(), message };
    let (outputs, ending) = (rule.outputs.as_slice(), Ending::of(of, rule));
    let mut of_window = None;
    let drains = of.drain(ix).is_some();
    let constant = |why: &str| (Class::Constant, why.to_owned());
    let (class, explain, dot, make): ((Class, String), String, Option<String>, Make) = match &rule.body {
        Body::Filter => {
            let class = constant("each event is looked at by itself");
            let explain = "each event that passes is an output\n".to_owned();
            let filter = Filter::new(rule);
            let same = filters.entry(format!("{filter:?}")).or_insert_with(|| Arc::new(filter));
            (class, explain, None, make(Arc::clone(same), rule, ending, ix, rank, setting))
        }
        Body::Pattern(plan) => {
            let program = pattern_program(rule, plan)?;
            let program = if drains { program.closed() } else { program };
            (
                program.class(),
                program.explain(),
                Some(program.dot()),
                make(Arc::new(program), rule, ending, ix, rank, setting),
            )
        }
        Body::Latest(plan) => {
            let program = latest::Program::new(plan, rule);
            let class = constant("an event takes the place of its key's last one");
            (class, program.explain(), None, make(Arc::new(program), rule, ending, ix, rank, setting))
        }
        Body::Near(plan) => {
            let program = near::Program::new(plan, rule);
            let class = constant("a position is compared with those in reach of it");
            (class, program.explain(), None, make(Arc::new(program), rule, ending, ix, rank, setting))
        }
        Body::Window(plan) => {
            let having = rule.having.as_ref();
            let (name, seed, inputs) = (&rule.name, setting.seed, &rule.inputs);
            let program = match &plan.kind {
                WindowKind::Custom { name: own, args } => {
                    let assigner = setting.assigners.make(own, args).map_err(failed)?;
                    window::Program::with_assigner(assigner, plan, name, seed, inputs, outputs, having)
                }
                _ => window::Program::new(plan, name, seed, inputs, outputs, having),
            };
            let program = program.map_err(|error| failed(error.to_string()))?;
            let class = constant("an event is added to its windows");
            let program = Arc::new(program);
            of_window = Some(Arc::clone(&program));
            (class, program.explain(), None, make(program, rule, ending, ix, rank, setting))
        }
        Body::Join(plan) => {
            let program = join::Program::new(plan, &rule.inputs, outputs, rule.limits);
            let program = program.map_err(|error| failed(error.to_string()))?;
            let program = if drains { program.closed() } else { program };
            let class =
                (Class::Linear, "an event meets the events of the other stream that are near in time".to_owned());
            (class, program.explain(), None, make(Arc::new(program), rule, ending, ix, rank, setting))
        }
        Body::Cluster(plan) => {
            let program = cluster::Program::new(plan, outputs, rule.having.as_ref());
            let program = program.map_err(|error| failed(error.to_string()))?;
            let class = constant(
                "an event changes its cell; a tick looks at what changed, and at the regions that it puts out",
            );
            (class, program.explain(), None, make(Arc::new(program), rule, ending, ix, rank, setting))
        }
    };
    Ok(Compiled { make, rank, class, explain, dot, window: of_window, drains })
}

fn pattern_program(rule: &Rule, plan: &Pattern) -> Result<pattern::Program, CompileError> {
    let program = pattern::Program::new(plan, &rule.inputs, &rule.outputs, rule.having.as_ref())
        .map_err(|error| CompileError { rule: rule.name.clone(), message: error.to_string() })?;
    let or = |limit: Option<u32>, default: usize| limit.map_or(default, |limit| limit as usize);
    let Limits { partial_matches, matches_per_event } = rule.limits;
    // What goes on in another partition goes on one by one.
    let program = if rule.follow.is_some() { program.one_by_one() } else { program };
    Ok(program.with_limits(
        or(partial_matches, pattern::PARTIAL_MATCHES_MAX),
        or(matches_per_event, pattern::MATCHES_PER_EVENT_MAX),
    ))
}

/// Why a rule can't run as it is: its partial matches can multiply, and neither a window nor a limit of its own bounds them.
pub fn unbounded(rule: &Rule) -> Option<String> {
    let Body::Pattern(plan) = &rule.body else { return None };
    if plan.within_ms.is_some() || rule.limits.partial_matches.is_some() {
        return None;
    }
    // What can't be built is told when it is.
    let (class, why) = pattern_program(rule, plan).ok()?.class();
    (class == Class::NeedsLimit).then_some(why)
}

fn make<K: Kernel + 'static>(
    kernel: Arc<K>,
    rule: &Rule,
    ending: Option<Ending>,
    ix: u32,
    rank: u32,
    setting: &Setting,
) -> Make {
    match rule.once {
        Some(once) => make_operator(Arc::new(Gate::new(kernel, once)), rule, ending, ix, rank, setting),
        None => make_operator(kernel, rule, ending, ix, rank, setting),
    }
}

fn make_operator<K: Kernel + 'static>(
    kernel: Arc<K>,
    rule: &Rule,
    ending: Option<Ending>,
    ix: u32,
    rank: u32,
    setting: &Setting,
) -> Make {
    let (rule, setting) = (Arc::new(rule.clone()), setting.clone());
    Box::new(move || {
        let (kernel, rule, world) = (Arc::clone(&kernel), Arc::clone(&rule), Arc::clone(&setting.world));
        Box::new(KeyedOperator::new(rule, ix, rank, kernel, world, setting.groups, ending))
    })
}
