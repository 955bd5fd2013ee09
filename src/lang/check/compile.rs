//! The compiler of one expression on one input: syntax tree in, typed program out. What it can't make sense of it reports,
//! and goes on with the rest, so that all mistakes are told at once.

use super::scope::{RuleScope, Table};
use crate::{
    expr::{Builder, Env, Expr, Node, NodeId, Nothing, World},
    lang::{
        ast::{self, ExprKind},
        diag::{Code, Diagnostic},
        span::Span,
    },
    model::{EventRef, Header, Key, StreamId, TimeMs, Type, Value, parse_time},
};

/// Where an expression stands: what it may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// WHERE, PARTITION BY, a filter's measures, arguments of aggregates: the event.
    Event,
    /// DEFINE and UNTIL: the event under test and the match so far.
    Define,
    /// MEASURES and HAVING of a pattern: the match.
    Match,
    /// MEASURES and HAVING of a window: the window's aggregates and its key.
    Window,
    /// MEASURES and HAVING of a cluster: the region, and aggregates over its cells.
    Region,
    /// ON, MEASURES and HAVING of NEAR: the latest events of two entities, and what NEAR adds.
    Pair,
    /// Everything of a join but what is asked of one event: the pair.
    Joined,
    /// No names at all.
    Constant,
}

/// What an expression looks at; decides when it can be evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// The previous event of the partition.
    pub(super) prev: bool,
    /// What THROUGH adds.
    pub(super) extra: bool,
    /// The element that UNNEST adds.
    pub(super) element: bool,
    /// The left and the right event of a pair.
    pub(super) sides: [bool; 2],
}

/// A checked subexpression: a constant that no node was made for, or a node.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub(super) at: At,
    pub(super) ty: Type,
    pub(super) span: Span,
}

#[derive(Clone, Debug)]
pub(super) enum At {
    Const(Value),
    Node(NodeId),
}

impl Typed {
    pub(super) fn constant(value: Value, ty: Type, span: Span) -> Self {
        Self { at: At::Const(value), ty, span }
    }

    pub(super) fn as_const(&self) -> Option<&Value> {
        match &self.at {
            At::Const(value) => Some(value),
            At::Node(_) => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(&self.at, At::Const(Value::Null))
    }
}

/// Compiles one expression.
pub(super) struct Compiler<'r, 'a> {
    pub(super) rule: &'r mut RuleScope<'a>,
    builder: Builder,
    pub(super) site: Site,
    /// The input whose events it looks at.
    pub(super) input: usize,
    /// The only input whose fields bare names mean.
    pub(super) only: Option<usize>,
    /// The variable that the event under test stands for: its fields are the event's.
    pub(super) own: Option<u16>,
    /// The fence function that a bare `fence` belongs to.
    pub(super) fence: Option<&'a ast::Call>,
    /// Inside of `prev(…)`: the event before has no event before.
    pub(super) in_prev: bool,
    /// Inside of `baseline(…)`: what is usual for what is usual nobody keeps.
    pub(super) in_baseline: bool,
    /// Inside of a component of the key, which names no other.
    pub(super) in_key: bool,
    /// Measures may be named: HAVING.
    pub(super) having: bool,
    pub(super) uses: Uses,
}

impl<'r, 'a> Compiler<'r, 'a> {
    pub(super) fn new(rule: &'r mut RuleScope<'a>, site: Site, input: usize) -> Self {
        let fence = rule.where_fence;
        Self {
            rule,
            builder: Builder::new(),
            site,
            input,
            only: None,
            own: None,
            fence,
            in_prev: false,
            in_baseline: false,
            in_key: false,
            having: false,
            uses: Uses::default(),
        }
    }

    /// The program whose value is `typed`.
    pub(super) fn finish(self, typed: &Typed) -> Expr {
        match &typed.at {
            At::Const(value) => Expr::constant(value.clone(), typed.ty),
            At::Node(root) => self.builder.finish(*root, typed.ty),
        }
    }

    /// A condition: bool, or of unknown type.
    pub(super) fn condition(&mut self, expr: &ast::Expr) -> Option<Typed> {
        let typed = self.expr(expr)?;
        self.want_bool(typed, "a condition is true or false")
    }

    pub(super) fn want_bool(&mut self, typed: Typed, why: &str) -> Option<Typed> {
        if matches!(typed.ty, Type::Bool | Type::Any) {
            return Some(typed);
        }
        self.error(
            Diagnostic::new(Code::WrongType, typed.span, format!("a bool is expected here, not {}", named(typed.ty)))
                .with_label(format!("this is {}", named(typed.ty)))
                .with_help(why.to_owned()),
        )
    }

    /// Checks an expression.
    pub(super) fn expr(&mut self, expr: &ast::Expr) -> Option<Typed> {
        let span = expr.span;
        let typed = match &expr.kind {
            ExprKind::Number(quantity) => self.quantity(quantity),
            ExprKind::String(text) => Some(Typed::constant(Value::text(text), Type::Text, span)),
            ExprKind::Bool(truth) => Some(Typed::constant(Value::Bool(*truth), Type::Bool, span)),
            ExprKind::Null => Some(Typed::constant(Value::Null, Type::Any, span)),
            ExprKind::Time(text) => self.instant(&text.value, text.span),
            ExprKind::Path(path) => self.path(path),
            ExprKind::Call(call) => self.call(call, expr),
            ExprKind::Unary { op, operand } => self.unary(op.value, operand, span),
            ExprKind::Binary { op, left, right } => self.binary(op, left, right, span),
            ExprKind::In { operand, list, negated } => self.in_list(operand, list, *negated, span),
            ExprKind::Between { operand, low, high, negated } => self.between(operand, low, high, *negated, span),
            ExprKind::Like { operand, pattern, negated } => self.like(operand, pattern, *negated, span),
            ExprKind::IsNull { operand, negated } => {
                let operand = self.expr(operand)?;
                let is_null = self.node(&[&operand], Type::Bool, span, |ids| Node::IsNull(first(ids)));
                Some(if *negated { self.not(is_null) } else { is_null })
            }
            ExprKind::Case { arms, otherwise } => self.case(arms, otherwise.as_deref(), span),
        };
        typed.map(|typed| Typed { span, ..typed })
    }

    fn instant(&mut self, text: &str, span: Span) -> Option<Typed> {
        match parse_time(text) {
            Ok(at) => Some(Typed::constant(Value::Time(at), Type::Time, span)),
            Err(_) => self.error(
                Diagnostic::new(Code::OutOfRange, span, format!("`{text}` is not an instant"))
                    .with_help("write RFC 3339 with an offset: `TIME '2026-01-01T00:00:00Z'`"),
            ),
        }
    }

    /// Reports and gives nothing.
    pub(super) fn error<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.rule.report(diagnostic);
        None
    }

    /// A node without children.
    pub(super) fn leaf(&mut self, node: Node, ty: Type, span: Span) -> Typed {
        Typed { at: At::Node(self.builder.push(node)), ty, span }
    }

    /// The node of a subexpression; a constant gets one now.
    pub(super) fn id(&mut self, typed: &Typed) -> NodeId {
        match &typed.at {
            At::Const(value) => self.builder.push(Node::Const(value.clone())),
            At::Node(id) => *id,
        }
    }

    /// A node over children; over constants only, its value.
    pub(super) fn node(
        &mut self,
        children: &[&Typed],
        ty: Type,
        span: Span,
        make: impl FnOnce(&[NodeId]) -> Node,
    ) -> Typed {
        let constants: Vec<&Value> = children.iter().filter_map(|child| child.as_const()).collect();
        if constants.len() == children.len() {
            let mut builder = Builder::new();
            let ids: Vec<NodeId> =
                constants.into_iter().map(|value| builder.push(Node::Const(value.clone()))).collect();
            let root = builder.push(make(&ids));
            return Typed::constant(constant_value(&builder.finish(root, ty)), ty, span);
        }
        let ids: Vec<NodeId> = children.iter().map(|child| self.id(child)).collect();
        self.leaf(make(&ids), ty, span)
    }

    /// A slot for an expression on events, compiled for every input by `make`.
    pub(super) fn shared(
        &mut self,
        table: Table,
        key: String,
        make: impl Fn(&mut Compiler<'_, 'a>) -> Option<Typed>,
    ) -> Option<(u16, Type)> {
        if let Some(found) = self.rule.slots(table).find(&key) {
            return Some(found);
        }
        let mut exprs = Vec::new();
        let mut ty = Type::Any;
        for input in 0..self.rule.inputs.len() {
            let mut compiler = Compiler::new(self.rule, Site::Event, input);
            compiler.fence = self.fence;
            let typed = make(&mut compiler)?;
            if ty == Type::Any && !(typed.is_null() && typed.ty == Type::Any) {
                ty = typed.ty;
            }
            exprs.push(compiler.finish(&typed));
        }
        let slot = self.rule.slots(table).add(key, ty, exprs)?;
        Some((slot, ty))
    }
}

/// The first child.
pub(super) fn first(ids: &[NodeId]) -> NodeId {
    ids.first().copied().unwrap_or(NodeId(0))
}

/// The first two children.
pub(super) fn two(ids: &[NodeId]) -> (NodeId, NodeId) {
    (first(ids), ids.get(1).copied().unwrap_or(NodeId(0)))
}

/// The value of an expression that looks at nothing.
pub(super) fn constant_value(expr: &Expr) -> Value {
    let header = Header { time_ms: 0 as TimeMs, partition: 0, offset: 0 };
    let env = Env {
        event: EventRef { stream: StreamId(0), header: &header, values: &[] },
        extra: &[],
        previous: None,
        computed: (&[], &[]),
        key: &Key::default(),
        bound: &Nothing,
        world: &World::default(),
    };
    expr.value(&env)
}

/// A type in a sentence, with its article.
pub(super) fn named(ty: Type) -> String {
    let name = ty.to_string();
    match ty {
        Type::Any => name,
        Type::Fences => "several fences".to_owned(),
        Type::Text => "text".to_owned(),
        Type::Quantity(unit) => {
            let article = if unit.dimension().name().starts_with('a') { "an" } else { "a" };
            format!("{article} {} in {}", unit.dimension().name(), unit.symbol())
        }
        Type::Int => format!("an {name}"),
        _ => format!("a {name}"),
    }
}
