//! What all rules may hold.

use super::{ConfigError, node::Node};
use crate::engine::{Limits, Policy};

pub(super) fn read(node: &Node<'_>) -> Result<Limits, ConfigError> {
    let mut fields = node.fields()?;
    let keys = fields.get("keys").map(|keys| keys.number(1, u64::MAX)).transpose()?;
    let bytes = match fields.get("bytes") {
        None => None,
        Some(size) => match size.bytes()? {
            bytes @ 1_048_576.. => Some(bytes),
            _ => return Err(size.wrong("a size of 1 MiB or more")),
        },
    };
    let choices = [("reject", Policy::Reject), ("evict", Policy::Evict)];
    let policy = fields.get("shed").map_or(Ok(Policy::default()), |shed| shed.choice(&choices))?;
    fields.done()?;
    Ok(Limits { keys, bytes, policy })
}
