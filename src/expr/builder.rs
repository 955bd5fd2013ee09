//! Builds an expression node by node; equal nodes are not looked for, the checker shares what is worth sharing.

use super::{Expr, Node, NodeId};
use crate::model::Type;

/// Collects the nodes of one expression.
#[derive(Debug, Default)]
pub struct Builder {
    nodes: Vec<Node>,
}

impl Builder {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node whose children were added before.
    pub fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// The expression whose value is `root`'s.
    pub fn finish(self, root: NodeId, ty: Type) -> Expr {
        Expr::new(self.nodes, root, ty)
    }
}
