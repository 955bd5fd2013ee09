//! Expressions by number, equal ones once.

use crate::expr::Expr;
use std::collections::BTreeMap;

/// Distinct expressions.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    exprs: Vec<Expr>,
    /// How often each was added.
    uses: Vec<u32>,
    by_text: BTreeMap<String, Vec<u32>>,
}

impl Pool {
    /// The number of an expression, added if it is new.
    pub(super) fn add(&mut self, expr: Expr) -> u32 {
        let same = self.by_text.entry(expr.to_string()).or_default();
        let exprs = &self.exprs;
        let known = same.iter().copied().find(|&ix| exprs.get(ix as usize) == Some(&expr));
        let ix = known.unwrap_or(self.exprs.len() as u32);
        match self.uses.get_mut(ix as usize) {
            Some(uses) => *uses += 1,
            None => {
                same.push(ix);
                self.exprs.push(expr);
                self.uses.push(1);
            }
        }
        ix
    }

    /// The number of an expression that was added.
    pub(super) fn find(&self, expr: &Expr) -> Option<u32> {
        let same = self.by_text.get(&expr.to_string())?;
        same.iter().copied().find(|&ix| self.exprs.get(ix as usize) == Some(expr))
    }

    /// An expression.
    pub(super) fn get(&self, ix: u32) -> Option<&Expr> {
        self.exprs.get(ix as usize)
    }

    /// How often it was added.
    pub(super) fn uses(&self, ix: u32) -> u32 {
        self.uses.get(ix as usize).copied().unwrap_or(0)
    }

    /// All, in the order of their numbers.
    pub(super) fn exprs(&self) -> &[Expr] {
        &self.exprs
    }
}
