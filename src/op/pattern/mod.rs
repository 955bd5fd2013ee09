//! stub
use crate::{expr::*, model::*, plan};
/// p
#[derive(Debug)]
pub struct Program;
/// k
#[derive(Debug, Default)]
pub struct KeyState;
/// s
#[derive(Debug, Default)]
pub struct Scratch;
/// e
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct BuildError;
impl Program {
    /// n
    pub fn new(
        _: &plan::Pattern,
        _: &[plan::Input],
        _: &[plan::OutputField],
        _: Option<&Expr>,
    ) -> Result<Self, BuildError> {
        Ok(Self)
    }
    /// s
    pub fn step(&self, _: &mut KeyState, _: &mut Scratch, _: usize, _: &Env<'_>, _: &mut Vec<Emission>) {}
    /// a
    pub fn advance(&self, _: &mut KeyState, _: &mut Scratch, _: TimeMs, _: Clock, _: &Env<'_>, _: &mut Vec<Emission>) {}
    /// e
    pub fn explain(&self) -> String {
        String::new()
    }
    /// d
    pub fn dot(&self) -> String {
        String::new()
    }
}
impl KeyState {
    /// d
    pub fn deadline(&self) -> Option<TimeMs> {
        None
    }
    /// i
    pub fn is_idle(&self) -> bool {
        true
    }
    /// p
    pub fn partial_matches(&self) -> usize {
        0
    }
    /// s
    pub fn save(&self, _: &mut Writer) {}
    /// l
    pub fn load(_: &Program, _: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self)
    }
}
