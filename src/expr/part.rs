//! Parts of an expression as expressions of their own, so that rules can share them.

use super::{Builder, Compare, Expr, Node, NodeId};
use crate::model::{Type, Value};
use smallvec::SmallVec;

/// A part with more nodes than this is not taken out: shared subexpressions are written out in it, each where it is used.
const NODES_MAX: usize = 2_048;

/// One side of a comparison with a constant.
#[derive(Clone, Copy, Debug)]
pub struct AgainstConst<'a> {
    /// The comparison, the constant on its right.
    pub op: Compare,
    /// What is compared.
    pub item: NodeId,
    /// The constant.
    pub value: &'a Value,
    /// Both are compared as doubles: what `number` gives is all that counts.
    pub as_float: bool,
}

impl Expr {
    /// A node.
    pub fn at(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    /// The node as an expression of its own, with the shared subexpressions `computed` written out in it; none if its value
    /// depends on anything but the event under test (or if it is too large).
    pub fn part(&self, id: NodeId, computed: &[Expr]) -> Option<Expr> {
        let mut builder = Builder::new();
        let mut left = NODES_MAX;
        let root = copy(self, id, computed, &mut left, &mut builder)?;
        Some(builder.finish(root, if id == self.root { self.ty } else { Type::Any }))
    }

    /// The conditions of which all must hold for it to, each with all that it looks at; itself if they are not several.
    pub fn conditions(&self) -> Vec<Expr> {
        match self.at(self.root) {
            Some(Node::And(all)) => all.iter().map(|&id| Self::new(self.nodes.clone(), id, Type::Bool)).collect(),
            _ => vec![self.clone()],
        }
    }

    /// One that is true where all are; each looks at the event alone.
    pub fn all(exprs: &[Expr]) -> Option<Expr> {
        if let [only] = exprs {
            return Some(only.clone());
        }
        let mut builder = Builder::new();
        let mut left = usize::MAX;
        let roots = exprs.iter().map(|expr| copy_as_is(expr, expr.root, &mut left, &mut builder));
        let roots = roots.collect::<Option<_>>()?;
        let root = builder.push(Node::And(roots));
        Some(builder.finish(root, Type::Bool))
    }

    /// One that is true where all conditions of one of these alternatives are; each looks at the event alone.
    pub fn any(alternatives: &[Vec<Expr>]) -> Option<Expr> {
        let mut builder = Builder::new();
        let mut left = usize::MAX;
        let mut roots = SmallVec::new();
        for all in alternatives {
            let all = all.iter().map(|expr| copy_as_is(expr, expr.root, &mut left, &mut builder));
            let all = all.collect::<Option<_>>()?;
            roots.push(builder.push(Node::And(all)));
        }
        let root = builder.push(Node::Or(roots));
        Some(builder.finish(root, Type::Bool))
    }

    /// Gives the parts that cost more than a look at a value: calls, look-ups of fences. Each part of a part is one, too.
    pub fn costly_parts(&self, found: &mut dyn FnMut(Expr)) {
        for (at, node) in self.nodes.iter().enumerate() {
            if is_costly(node)
                && let Some(part) = self.part(NodeId(at as u32), &[])
            {
                found(part);
            }
        }
    }

    /// The same with other places for the results of costly parts: those that `place` knows become
    /// [`Node::Computed`]. The whole expression is asked for only if `whole` says so. It looks at the event alone.
    pub fn with_computed(&self, whole: bool, place: &dyn Fn(&Expr) -> Option<u16>) -> Expr {
        let mut builder = Builder::new();
        match self.place(self.root, whole, place, &mut builder) {
            Some(root) => builder.finish(root, self.ty),
            None => self.clone(),
        }
    }

    fn place(
        &self,
        id: NodeId,
        ask: bool,
        place: &dyn Fn(&Expr) -> Option<u16>,
        builder: &mut Builder,
    ) -> Option<NodeId> {
        let node = self.at(id)?;
        if ask
            && is_costly(node)
            && let Some(ix) = self.part(id, &[]).and_then(|part| place(&part))
        {
            return Some(builder.push(Node::Computed(ix)));
        }
        let node = map(node, &mut |child| self.place(child, true, place, builder))?;
        Some(builder.push(node))
    }

    /// The comparison with a constant that the expression is, if it is one.
    pub fn against_const(&self) -> Option<AgainstConst<'_>> {
        let (op, a, b, as_float) = match self.at(self.root)? {
            Node::CompareFloat(op, a, b) => (*op, *a, *b, true),
            Node::CompareInt(op, a, b) | Node::CompareValue(op, a, b) => (*op, *a, *b, false),
            _ => return None,
        };
        match (self.at(a)?, self.at(b)?) {
            (Node::Const(_), Node::Const(_)) => None,
            (_, Node::Const(value)) => Some(AgainstConst { op, item: a, value, as_float }),
            (Node::Const(value), _) => Some(AgainstConst { op: op.flipped(), item: b, value, as_float }),
            _ => None,
        }
    }
}

impl Compare {
    /// The comparison that holds when the sides are exchanged.
    pub fn flipped(self) -> Self {
        match self {
            Self::Eq | Self::Ne => self,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
        }
    }
}

impl PartialEq for Expr {
    /// Whether they compute the same in the same way, node by node.
    fn eq(&self, other: &Self) -> bool {
        self.same(self.root, other, other.root)
    }
}

impl Expr {
    fn same(&self, a: NodeId, other: &Self, b: NodeId) -> bool {
        let (Some(x), Some(y)) = (self.at(a), other.at(b)) else { return false };
        let mut children = (Vec::new(), Vec::new());
        let (Some(x), Some(y)) = (blank(x, &mut children.0), blank(y, &mut children.1)) else { return false };
        // Two doubles that print alike are alike, −0 and 0 aside; functions are told apart by name.
        let alike = match (&x, &y) {
            (Node::Call(f, _), Node::Call(g, _)) => f.name == g.name,
            (Node::Const(a), Node::Const(b)) => a == b,
            (Node::In(_, a), Node::In(_, b)) => a == b,
            _ => format!("{x:?}") == format!("{y:?}"),
        };
        alike
            && children.0.len() == children.1.len()
            && children.0.iter().zip(&children.1).all(|(&a, &b)| self.same(a, other, b))
    }
}

/// The node with all children 0, and the children; none for a node that isn't known here.
fn blank(node: &Node, children: &mut Vec<NodeId>) -> Option<Node> {
    map(node, &mut |id| {
        children.push(id);
        Some(NodeId(0))
    })
}

/// The node with other children; none for a node that looks at more than the event.
fn map(node: &Node, child: &mut dyn FnMut(NodeId) -> Option<NodeId>) -> Option<Node> {
    Some(match node {
        Node::Const(_) | Node::Field(_) | Node::Time | Node::Computed(_) => node.clone(),
        Node::Not(inner) => Node::Not(child(*inner)?),
        Node::And(all) => Node::And(all.iter().map(|&id| child(id)).collect::<Option<_>>()?),
        Node::Or(any) => Node::Or(any.iter().map(|&id| child(id)).collect::<Option<_>>()?),
        Node::CompareFloat(op, a, b) => Node::CompareFloat(*op, child(*a)?, child(*b)?),
        Node::CompareInt(op, a, b) => Node::CompareInt(*op, child(*a)?, child(*b)?),
        Node::CompareValue(op, a, b) => Node::CompareValue(*op, child(*a)?, child(*b)?),
        Node::Arith(op, kind, a, b) => Node::Arith(*op, *kind, child(*a)?, child(*b)?),
        Node::Neg(inner) => Node::Neg(child(*inner)?),
        Node::Scale(inner, factor) => Node::Scale(child(*inner)?, *factor),
        Node::IsNull(inner) => Node::IsNull(child(*inner)?),
        Node::In(item, list) => Node::In(child(*item)?, list.clone()),
        Node::Like(item, pattern) => Node::Like(child(*item)?, pattern.clone()),
        Node::Case(arms, otherwise) => {
            let arms = arms.iter().map(|&(when, then)| Some((child(when)?, child(then)?)));
            let arms = arms.collect::<Option<_>>()?;
            Node::Case(arms, child(*otherwise)?)
        }
        Node::Locate(set, position) => Node::Locate(*set, child(*position)?),
        Node::Nearest(set, position) => Node::Nearest(*set, child(*position)?),
        Node::DistanceTo(set, position, None) => Node::DistanceTo(*set, child(*position)?, None),
        Node::DistanceTo(set, position, Some(fence)) => {
            let position = child(*position)?;
            Node::DistanceTo(*set, position, Some(child(*fence)?))
        }
        Node::Crossed(set, from, to, side) => Node::Crossed(*set, child(*from)?, child(*to)?, *side),
        Node::FencesPlus(a, b) => Node::FencesPlus(child(*a)?, child(*b)?),
        Node::FencesMinus(a, b) => Node::FencesMinus(child(*a)?, child(*b)?),
        Node::HasFence(fences, None) => Node::HasFence(child(*fences)?, None),
        Node::HasFence(fences, Some(fence)) => {
            let fences = child(*fences)?;
            Node::HasFence(fences, Some(child(*fence)?))
        }
        Node::LowestFence(fences) => Node::LowestFence(child(*fences)?),
        Node::FenceProperty(fence, name) => Node::FenceProperty(child(*fence)?, name.clone()),
        Node::FenceId(fence) => Node::FenceId(child(*fence)?),
        Node::FenceCells(fence, resolution) => Node::FenceCells(child(*fence)?, child(*resolution)?),
        Node::TableRow(table, key) => Node::TableRow(*table, key.iter().map(|&id| child(id)).collect::<Option<_>>()?),
        Node::TableColumn(table, column, row) => Node::TableColumn(*table, *column, child(*row)?),
        Node::Call(function, args) => Node::Call(function, args.iter().map(|&id| child(id)).collect::<Option<_>>()?),
        // The previous event, what THROUGH adds, the match, the window, the key: not the event alone.
        _ => return None,
    })
}

fn is_costly(node: &Node) -> bool {
    matches!(
        node,
        Node::Call(..)
            | Node::Locate(..)
            | Node::Nearest(..)
            | Node::DistanceTo(..)
            | Node::Crossed(..)
            | Node::FenceProperty(..)
            | Node::FenceCells(..)
            | Node::Like(..)
            | Node::TableRow(..)
    )
}

fn copy(from: &Expr, id: NodeId, computed: &[Expr], left: &mut usize, builder: &mut Builder) -> Option<NodeId> {
    let node = from.at(id)?;
    *left = left.checked_sub(1)?;
    if let Node::Computed(ix) = node {
        let shared = computed.get(usize::from(*ix))?;
        return copy(shared, shared.root, computed, left, builder);
    }
    let node = map(node, &mut |child| copy(from, child, computed, left, builder))?;
    Some(builder.push(node))
}

fn copy_as_is(from: &Expr, id: NodeId, left: &mut usize, builder: &mut Builder) -> Option<NodeId> {
    *left = left.checked_sub(1)?;
    let node = map(from.at(id)?, &mut |child| copy_as_is(from, child, left, builder))?;
    Some(builder.push(node))
}
