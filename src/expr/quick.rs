//! Conditions that compare fields of the event with constants, or with a field of an event before, as most do: answered without a walk through the nodes.

use super::{Compare, Env, Expr, Node, NodeId, Var};
use crate::model::{Text, TextMap, Value};

/// Such a condition as a list of tests: each says where to go on. It is true or not; what is unknown is not.
#[derive(Clone, Debug)]
pub(super) struct Quick {
    /// Those that are asked later come first.
    steps: Box<[Step]>,
    first: u16,
}

/// A test, and the place of what is asked next where it holds and where it doesn't; or how it ends.
#[derive(Clone, Debug)]
struct Step {
    test: Test,
    yes: u16,
    no: u16,
}

/// Where a condition ends. No list is so long.
const TRUE: u16 = u16::MAX;
const FALSE: u16 = u16::MAX - 1;

/// A question about one field of the event.
#[derive(Clone, Debug)]
enum Test {
    /// The field is this text.
    Is(u16, Text),
    /// It is one of these.
    OneOf(u16, TextMap<()>),
    /// It is another text.
    IsNot(u16, Text),
    /// Its number compares with this one.
    Number(u16, Compare, f64),
    /// Its whole number does.
    Whole(u16, Compare, i64),
    /// Its number compares with that of a field kept of the match or of the event before.
    Beside(u16, Compare, Kept),
}

/// What a condition is made of.
enum Part {
    One(Test),
    All(Vec<Part>),
    Any(Vec<Part>),
}

/// A value that is kept of another event.
#[derive(Clone, Copy, Debug)]
enum Kept {
    /// Of the match.
    Var(Var, u16),
    /// Of the partition's event before.
    Prev(u16),
}

impl Kept {
    fn of(expr: &Expr, id: NodeId) -> Option<Self> {
        match expr.at(id)? {
            Node::Var(var, slot) => Some(Self::Var(*var, *slot)),
            Node::Prev(slot) => Some(Self::Prev(*slot)),
            Node::Scale(inner, 1.0) => match expr.at(*inner)? {
                Node::Var(var, slot) => Some(Self::Var(*var, *slot)),
                Node::Prev(slot) => Some(Self::Prev(*slot)),
                _ => None,
            },
            _ => None,
        }
    }

    fn number(self, env: &Env<'_>) -> Option<f64> {
        match self {
            Self::Var(var, slot) => env.bound.value(var, slot)?.number(),
            Self::Prev(slot) => env.previous?.values.get(usize::from(slot))?.number(),
        }
    }
}

impl Part {
    fn of(expr: &Expr, id: NodeId) -> Option<Self> {
        let parts = |ids: &[NodeId]| ids.iter().map(|&id| Self::of(expr, id)).collect::<Option<Vec<Self>>>();
        let test = match expr.at(id)? {
            // Where nothing is asked the walk answers; so a list of one test is that test.
            Node::And(none) | Node::Or(none) if none.is_empty() => return None,
            // Lists of alternatives have such.
            Node::And(all) if let [only] = all.as_slice() => return Self::of(expr, *only),
            Node::And(all) => return parts(all).map(Self::All),
            Node::Or(any) => return parts(any).map(Self::any),
            Node::CompareValue(op, a, b) => match (sides(expr, *op, *a, *b)?, op) {
                ((slot, _, Value::Text(text)), Compare::Eq) => Test::Is(slot, text.clone()),
                ((slot, _, Value::Text(text)), Compare::Ne) => Test::IsNot(slot, text.clone()),
                _ => return None,
            },
            Node::CompareFloat(op, a, b) if let (Some(slot), Some(kept)) = (field(expr, *a), Kept::of(expr, *b)) => {
                Test::Beside(slot, *op, kept)
            }
            Node::CompareFloat(op, a, b) if let (Some(kept), Some(slot)) = (Kept::of(expr, *a), field(expr, *b)) => {
                Test::Beside(slot, op.flipped(), kept)
            }
            Node::CompareFloat(op, a, b) => {
                let (slot, op, value) = sides(expr, *op, *a, *b)?;
                Test::Number(slot, op, value.number()?)
            }
            Node::CompareInt(op, a, b) => {
                let (slot, op, value) = sides(expr, *op, *a, *b)?;
                Test::Whole(slot, op, whole(value)?)
            }
            _ => return None,
        };
        Some(Self::One(test))
    }

    /// Of parts that all ask which text a field is, one; it asks for each text once.
    fn any(parts: Vec<Self>) -> Self {
        let mut of_slot = None;
        let mut texts: Vec<Text> = Vec::new();
        for part in &parts {
            match part {
                Self::One(Test::Is(slot, text)) if *of_slot.get_or_insert(*slot) == *slot => texts.push(text.clone()),
                Self::One(Test::OneOf(slot, part)) if *of_slot.get_or_insert(*slot) == *slot => {
                    texts.extend(part.texts().cloned())
                }
                _ => return Self::Any(parts),
            }
        }
        match of_slot {
            Some(slot) => Self::One(Test::OneOf(slot, texts.into_iter().collect())),
            None => Self::Any(parts),
        }
    }

    /// Lays it out before what is asked after it; where it is entered.
    fn lay(self, steps: &mut Vec<Step>, (yes, no): (u16, u16)) -> Option<u16> {
        match self {
            Self::One(test) => {
                let at = u16::try_from(steps.len()).ok().filter(|at| *at < FALSE)?;
                steps.push(Step { test, yes, no });
                Some(at)
            }
            Self::All(parts) => parts.into_iter().rev().try_fold(yes, |next, part| part.lay(steps, (next, no))),
            Self::Any(parts) => parts.into_iter().rev().try_fold(no, |next, part| part.lay(steps, (yes, next))),
        }
    }
}

impl Quick {
    pub(super) fn of(expr: &Expr) -> Option<Self> {
        let mut steps = Vec::new();
        let first = Part::of(expr, expr.root())?.lay(&mut steps, (TRUE, FALSE))?;
        Some(Self { steps: steps.into(), first })
    }

    /// Of a comparison of a field with one that is kept of the match: the field, how they compare, the event, and what is kept of it.
    pub(super) fn beside(&self) -> Option<(u16, Compare, Var, u16)> {
        match *self.steps {
            [Step { test: Test::Beside(slot, op, Kept::Var(var, kept)), .. }] => Some((slot, op, var, kept)),
            _ => None,
        }
    }

    /// Where all that it asks is whether a field is one of some texts: the field and the texts.
    pub(super) fn texts(&self) -> Option<(u16, Vec<&Text>)> {
        match &*self.steps {
            [Step { test: Test::Is(slot, text), .. }] => Some((*slot, vec![text])),
            [Step { test: Test::OneOf(slot, texts), .. }] => Some((*slot, texts.texts().collect())),
            _ => None,
        }
    }

    /// Whether it is true of the event.
    #[inline]
    pub(super) fn is_true(&self, env: &Env<'_>) -> bool {
        match &*self.steps {
            // What most conditions are.
            [Step { test: Test::Is(slot, text), .. }] => text_at(env, *slot).is_some_and(|value| value == text),
            [Step { test: Test::OneOf(slot, texts), .. }] => {
                text_at(env, *slot).is_some_and(|value| texts.get(value).is_some())
            }
            _ => self.run(env),
        }
    }

    fn run(&self, env: &Env<'_>) -> bool {
        let mut at = self.first;
        while let Some(Step { test, yes, no }) = self.steps.get(usize::from(at)) {
            at = if test.holds(env) { *yes } else { *no };
        }
        at == TRUE
    }
}

impl Test {
    #[inline]
    fn holds(&self, env: &Env<'_>) -> bool {
        let field = |slot: u16| env.event.values.get(usize::from(slot));
        match self {
            Self::Is(slot, text) => text_at(env, *slot).is_some_and(|value| value == text),
            Self::OneOf(slot, texts) => text_at(env, *slot).is_some_and(|value| texts.get(value).is_some()),
            Self::IsNot(slot, text) => text_at(env, *slot).is_some_and(|value| value != text),
            Self::Number(slot, op, with) => {
                field(*slot).and_then(Value::number).is_some_and(|value| op.holds_of(value, *with))
            }
            Self::Beside(slot, op, with) => {
                let number = field(*slot).and_then(Value::number);
                number.is_some_and(|value| with.number(env).is_some_and(|with| op.holds_of(value, with)))
            }
            Self::Whole(slot, op, with) => field(*slot).and_then(whole).is_some_and(|value| op.holds(value.cmp(with))),
        }
    }
}

/// The field, if it is a text.
#[inline]
fn text_at<'a>(env: &Env<'a>, slot: u16) -> Option<&'a Text> {
    match env.event.values.get(usize::from(slot)) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(x) | Value::Time(x) | Value::Duration(x) => Some(*x),
        _ => None,
    }
}

/// A field and a constant, in whichever order they stand: the comparison as if the field came first.
fn sides(expr: &Expr, op: Compare, a: NodeId, b: NodeId) -> Option<(u16, Compare, &Value)> {
    match (field(expr, a), expr.at(b)?) {
        (Some(slot), Node::Const(value)) => Some((slot, op, value)),
        _ => match (expr.at(a)?, field(expr, b)) {
            (Node::Const(value), Some(slot)) => Some((slot, op.flipped(), value)),
            _ => None,
        },
    }
}

/// The slot of a field, which may be an int made a double: the same number.
fn field(expr: &Expr, id: NodeId) -> Option<u16> {
    match expr.at(id)? {
        Node::Field(slot) => Some(*slot),
        Node::Scale(inner, 1.0) => match expr.at(*inner)? {
            Node::Field(slot) => Some(*slot),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        expr::{Builder, Nothing, World},
        model::{EventRef, Header, Key, StreamId, Type},
    };
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            (-3i64..3).prop_map(Value::Int),
            (-3i32..3).prop_map(|x| Value::Float(f64::from(x) / 2.0)),
            "[ab]{0,2}".prop_map(|text| Value::text(&text)),
            (-3i64..3).prop_map(Value::Time),
        ]
    }

    fn op() -> impl Strategy<Value = Compare> {
        prop::sample::select(vec![Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le, Compare::Gt, Compare::Ge])
    }

    /// What two comparisons are joined to, of one field or of two.
    fn joined(kind: u8, [turned, both, same]: [bool; 3], constants: &[Value], ops: &[Compare]) -> Expr {
        let mut builder = Builder::new();
        let mut parts = Vec::new();
        for (slot, (constant, op)) in (0..).zip(constants.iter().zip(ops)) {
            let slot = if same { 0 } else { slot };
            let (field, constant) = (builder.push(Node::Field(slot)), builder.push(Node::Const(constant.clone())));
            let (a, b) = if turned { (constant, field) } else { (field, constant) };
            parts.push(builder.push(match kind {
                0 => Node::CompareValue(*op, a, b),
                1 => Node::CompareFloat(*op, a, b),
                _ => Node::CompareInt(*op, a, b),
            }));
        }
        let root = builder.push(if both { Node::And(parts.into()) } else { Node::Or(parts.into()) });
        builder.finish(root, Type::Bool)
    }

    /// Comparisons of two fields, joined in turn by AND and OR.
    #[derive(Clone, Debug)]
    enum Tree {
        Ask(u16, Compare, Value),
        Join(Vec<Tree>),
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let ops = prop::sample::select(vec![Compare::Eq, Compare::Ne]);
        let ask = (0u16..2, ops, "[ab]{1}").prop_map(|(slot, op, text)| Tree::Ask(slot, op, Value::text(&text)));
        ask.prop_recursive(3, 16, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Tree::Join))
    }

    fn push(builder: &mut Builder, tree: &Tree, all: bool) -> NodeId {
        match tree {
            Tree::Ask(slot, op, value) => {
                let (field, value) = (builder.push(Node::Field(*slot)), builder.push(Node::Const(value.clone())));
                builder.push(Node::CompareValue(*op, field, value))
            }
            Tree::Join(parts) => {
                let parts: Vec<NodeId> = parts.iter().map(|part| push(builder, part, !all)).collect();
                builder.push(if all { Node::And(parts.into()) } else { Node::Or(parts.into()) })
            }
        }
    }

    /// Whether all of it asks something.
    fn asks(tree: &Tree) -> bool {
        match tree {
            Tree::Ask(..) => true,
            Tree::Join(parts) => !parts.is_empty() && parts.iter().all(asks),
        }
    }

    fn agrees(expr: &Expr, row: &[Value]) -> Result<(), TestCaseError> {
        let (key, world) = (Key::default(), World::default());
        let header = Header { time_ms: 0, partition: 0, offset: 0 };
        let env = Env {
            event: EventRef { stream: StreamId(0), header: &header, values: row },
            extra: &[],
            previous: None,
            computed: (&[], &[]),
            key: &key,
            bound: &Nothing,
            world: &world,
        };
        if let Some(quick) = Quick::of(expr) {
            prop_assert_eq!(quick.is_true(&env), expr.walk(&env));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn a_quick_answer_is_that_of_the_walk(
            kind in 0u8..3, how: [bool; 3],
            constants in prop::collection::vec(value(), 2), ops in prop::collection::vec(op(), 2),
            row in prop::collection::vec(value(), 2),
        ) {
            agrees(&joined(kind, how, &constants, &ops), &row)?;
        }

        #[test]
        fn it_is_that_of_the_walk_however_questions_are_joined(
            tree in tree(), all: bool,
            row in prop::collection::vec(prop_oneof![Just(Value::Null), "[abc]{1}".prop_map(|text| Value::text(&text))], 2),
        ) {
            let mut builder = Builder::new();
            let root = push(&mut builder, &tree, all);
            let expr = builder.finish(root, Type::Bool);
            prop_assert_eq!(Quick::of(&expr).is_some(), asks(&tree));
            agrees(&expr, &row)?;
        }
    }
}
