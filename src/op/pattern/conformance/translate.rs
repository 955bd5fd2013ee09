//! From a case to a plan: names become slots, conditions expressions.

use super::case::{Case, Condition, Element, Quantifier};
use crate::{
    expr::{Arith, ArithKind, Builder, Compare, Expr, Node, NodeId, Pick, Var, func},
    model::{StreamId, Type, Value},
    op::pattern::Program,
    plan,
};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// A case's pattern as a program.
pub(super) struct Translated {
    pub(super) program: Program,
    /// The fields in slot order.
    pub(super) fields: Vec<String>,
    /// The variables in order of their index.
    pub(super) variables: Vec<String>,
}

/// The program of a case, or why there is none.
pub(super) fn translate(case: &Case, on_timeout: bool) -> Result<Translated, String> {
    let mut names = Names::default();
    let fields: BTreeSet<String> = case.events.iter().flat_map(|event| event.keys().cloned()).collect();
    names.fields = fields.into_iter().collect();
    names.collect(&case.pattern);
    let elements = names.sequence(&case.pattern, None)?;
    let mut variables = vec![None; names.variables.len()];
    names.conditions(&case.pattern, &mut variables)?;
    let variables = names
        .variables
        .iter()
        .zip(variables)
        .map(|(name, condition)| plan::Variable { name: name.clone(), conditions: vec![condition] });
    let variables = variables.collect();
    let retained: Vec<Expr> = (0..names.fields.len()).map(|slot| node(Node::Field(slot as u16), Type::Any)).collect();
    let pattern = plan::Pattern {
        variables,
        elements,
        within_ms: case.within_ms,
        skip: names.skip(case)?,
        on_timeout,
        clock: plan::ClockPolicy::Event,
        retained_types: vec![Type::Any; retained.len()],
        retained: vec![retained],
        track: None,
        aggregates: std::mem::take(&mut names.aggregates),
    };
    let id_slot = names.fields.iter().position(|field| field == "id").map(|slot| slot as u16);
    let input = plan::Input {
        stream: StreamId(0),
        name: "events".to_owned(),
        id_slot,
        position_slot: None,
        before: None,
        key: Vec::new(),
        prev: Vec::new(),
        computed: Vec::new(),
        after: None,
    };
    let program = Program::new(&pattern, &[input], &[], None).map_err(|error| error.to_string())?;
    Ok(Translated { program, fields: names.fields, variables: names.variables })
}

fn node(node: Node, ty: Type) -> Expr {
    let mut builder = Builder::new();
    let root = builder.push(node);
    builder.finish(root, ty)
}

#[derive(Default)]
struct Names {
    fields: Vec<String>,
    variables: Vec<String>,
    aggregates: Vec<(u16, plan::Aggregate)>,
}

impl Names {
    fn collect(&mut self, elements: &[Element]) {
        for element in elements {
            self.variables.extend(element.var.clone());
            element.group.iter().for_each(|group| self.collect(group));
        }
    }

    fn variable(&self, name: &str) -> Result<u16, String> {
        let at = self.variables.iter().position(|variable| variable == name);
        at.map(|at| at as u16).ok_or_else(|| format!("no variable {name}"))
    }

    fn conditions(&mut self, elements: &[Element], to: &mut [Option<Expr>]) -> Result<(), String> {
        for element in elements {
            if let Some(name) = &element.var {
                let expr = match &element.condition {
                    Some(condition) => self.condition(condition),
                    None => Expr::constant(Value::Bool(true), Type::Bool),
                };
                to[usize::from(self.variable(name)?)] = Some(expr);
            }
            if let Some(group) = &element.group {
                self.conditions(group, to)?;
            }
        }
        Ok(())
    }

    fn sequence(&mut self, elements: &[Element], group: Option<plan::Connect>) -> Result<Vec<plan::Element>, String> {
        // In Flink the loop at the head of a group has the contiguity of the group's own repetitions.
        let heads = group.into_iter().map(Some).chain(std::iter::repeat(None));
        elements.iter().zip(heads).map(|(element, inner)| self.element(element, inner)).collect()
    }

    fn element(&mut self, element: &Element, inner: Option<plan::Connect>) -> Result<plan::Element, String> {
        let rel = element.rel.as_deref().unwrap_or("begin");
        let connect = match rel {
            "begin" | "next" | "notNext" => plan::Connect::Strict,
            "followedBy" | "notFollowedBy" => plan::Connect::Relaxed,
            "followedByAny" => plan::Connect::Any,
            other => return Err(format!("unknown relation {other}")),
        };
        let mut term = match (&element.var, &element.group) {
            (Some(var), _) => {
                let at = self.variable(var)?;
                // A name that occurs twice is a second element of the same variable.
                plan::Term::Variable(at)
            }
            (None, Some(group)) => {
                let inner = self.quantifier(&element.quant)?.inner;
                plan::Term::Group(self.sequence(group, Some(inner))?)
            }
            (None, None) => return Err("an element without a variable".to_owned()),
        };
        if rel.starts_with("not") {
            term = plan::Term::Not { term: Box::new(term), for_ms: None };
        }
        let mut quantifier = self.quantifier(&element.quant)?;
        quantifier.inner = inner.unwrap_or(quantifier.inner);
        // In Flink a group at the head of a group follows strictly, whatever the outer group says.
        let heads_group = |group: &Vec<Element>| group.first().is_some_and(|head| head.group.is_some());
        let connect = if element.group.as_ref().is_some_and(heads_group) {
            quantifier.inner = plan::Connect::Strict;
            plan::Connect::Strict
        } else {
            connect
        };
        let within_previous_ms = element.within_prev_ms;
        // The plan says how often with two numbers: "twice or more, or not at all" is an optional group.
        if element.quant.optional && quantifier.min > 1 {
            let inner = plan::Element { connect, term, quantifier, within_previous_ms: None };
            let quantifier = plan::Quantifier { min: 0, mode: plan::Loop::Each, ..plan::Quantifier::once() };
            return Ok(plan::Element { connect, term: plan::Term::Group(vec![inner]), quantifier, within_previous_ms });
        }
        Ok(plan::Element { connect, term, quantifier, within_previous_ms })
    }

    fn quantifier(&mut self, quantifier: &Quantifier) -> Result<plan::Quantifier, String> {
        let number = |n: i64| u32::try_from(n).map_err(|_| format!("{n} repetitions"));
        let (mut min, max) = match quantifier.min {
            None => (1, Some(1)),
            Some(min) => (number(min)?, quantifier.max.map(number).transpose()?),
        };
        if quantifier.optional && min < 2 {
            min = 0;
        }
        let inner = match quantifier.inner.as_deref() {
            Some("strict") => plan::Connect::Strict,
            Some("any") => plan::Connect::Any,
            _ => plan::Connect::Relaxed,
        };
        let mode = if quantifier.greedy { plan::Loop::Greedy } else { plan::Loop::Each };
        let until = quantifier.until.as_ref().map(|until| vec![Some(self.condition(until))]);
        Ok(plan::Quantifier { min, max, inner, mode, until, within_ms: quantifier.window_ms })
    }

    fn skip(&self, case: &Case) -> Result<plan::Skip, String> {
        let Some(skip) = &case.skip else { return Ok(plan::Skip::NoSkip) };
        let or_fail = skip.throw_on_miss;
        let var = || self.variable(skip.var.as_deref().unwrap_or_default());
        Ok(match skip.kind.as_str() {
            "no_skip" => plan::Skip::NoSkip,
            "skip_to_next" => plan::Skip::ToNextRow,
            "skip_past_last" => plan::Skip::PastLastRow,
            "skip_to_first" => plan::Skip::ToFirst { var: var()?, or_fail },
            "skip_to_last" => plan::Skip::ToLast { var: var()?, or_fail },
            other => return Err(format!("unknown skip {other}")),
        })
    }

    fn condition(&mut self, condition: &Condition) -> Expr {
        let mut builder = Builder::new();
        let root = self.push(&mut builder, condition);
        builder.finish(root, Type::Bool)
    }

    fn slot(&mut self, field: &str) -> u16 {
        let at = self.fields.iter().position(|known| known == field).unwrap_or_else(|| {
            self.fields.push(field.to_owned());
            self.fields.len() - 1
        });
        at as u16
    }

    fn push(&mut self, builder: &mut Builder, condition: &Condition) -> NodeId {
        match condition {
            Condition::Literal { lit } => builder.push(Node::Const(value(lit))),
            Condition::Field { field } => {
                let slot = self.slot(field);
                builder.push(Node::Field(slot))
            }
            Condition::Aggregate { agg, var, field_of } => {
                let node = self.aggregate(agg, var, field_of.as_deref());
                builder.push(node)
            }
            Condition::Operation { op, args } => {
                let args: Vec<NodeId> = args.iter().map(|arg| self.push(builder, arg)).collect();
                operation(builder, op, &args)
            }
        }
    }

    fn aggregate(&mut self, agg: &str, var: &str, field: Option<&str>) -> Node {
        let slot = field.map(|field| self.slot(field));
        let Ok(var) = self.variable(var) else { return Node::Const(Value::Null) };
        use plan::AggregateKind as Kind;
        let kind = match agg {
            "first" => return Node::Var(Var { var, pick: Pick::First(0) }, slot.unwrap_or_default()),
            "last" => return Node::Var(Var { var, pick: Pick::Last(0) }, slot.unwrap_or_default()),
            "count" => Kind::Count,
            "sum" => Kind::Sum,
            "avg" => Kind::Avg,
            "min" => Kind::Min,
            _ => Kind::Max,
        };
        let arg = match slot {
            Some(slot) if kind != Kind::Count => node(Node::Field(slot), Type::Float),
            _ => Expr::constant(Value::Int(1), Type::Int),
        };
        let ty = if kind == Kind::Count { Type::Int } else { Type::Float };
        let aggregate = plan::Aggregate { kind, args: vec![Some(arg)], filter: vec![None], ty };
        self.aggregates.push((var, aggregate));
        Node::Aggregate((self.aggregates.len() - 1) as u16)
    }
}

/// An operation in the files' logic of two values: a comparison with null is false.
fn operation(builder: &mut Builder, op: &str, args: &[NodeId]) -> NodeId {
    let (a, b) = (args[0], *args.last().unwrap_or(&args[0]));
    let compare = |op: Compare| Node::CompareValue(op, a, b);
    let arith = |op: Arith| Node::Arith(op, ArithKind::Float, a, b);
    let call = |name: &str| Node::Call(func::find(name).unwrap(), args.iter().copied().collect());
    let node = match op {
        "and" => Node::And(args.iter().copied().collect()),
        "or" => Node::Or(args.iter().copied().collect()),
        "not" => {
            let truth = certain(builder, a);
            return builder.push(Node::Not(truth));
        }
        "+" => return builder.push(arith(Arith::Add)),
        "-" => return builder.push(arith(Arith::Sub)),
        "*" => return builder.push(arith(Arith::Mul)),
        "/" => return builder.push(arith(Arith::Div)),
        "%" => return builder.push(arith(Arith::Rem)),
        "neg" => return builder.push(Node::Neg(a)),
        "==" => compare(Compare::Eq),
        "!=" => compare(Compare::Ne),
        "<" => compare(Compare::Lt),
        "<=" => compare(Compare::Le),
        ">" => compare(Compare::Gt),
        ">=" => compare(Compare::Ge),
        "contains" => call("contains"),
        "startsWith" => call("starts_with"),
        "endsWith" => call("ends_with"),
        other => panic!("unknown operation {other}"),
    };
    let node = builder.push(node);
    certain(builder, node)
}

/// Unknown made false.
fn certain(builder: &mut Builder, node: NodeId) -> NodeId {
    let yes = builder.push(Node::Const(Value::Bool(true)));
    let no = builder.push(Node::Const(Value::Bool(false)));
    builder.push(Node::Case(vec![(node, yes)], no))
}

/// Numbers are doubles in the files.
pub(super) fn value(json: &Json) -> Value {
    match json {
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Json::String(text) => Value::text(text),
        _ => Value::Null,
    }
}
