//! The streams of all scripts together.

use super::{crowd, fishing, market, road};
use crate::scenario::catalog::{Script, Setting};
use crate::scenario::stream::Stream;
use crate::scenario::truth::Notes;

/// Everything that happens.
pub(in crate::scenario) fn script(setting: Setting) -> Script {
    let mut notes = Notes::default();
    let streams = vec![
        Stream::new("orders", vec![Box::new(market::orders(setting, &mut notes))]),
        Stream::new("drivers", market::drivers(setting)),
        Stream::new("pings", road::pings(setting, &mut notes)),
        Stream::new("ais", fishing::ais(setting, &mut notes)),
        Stream::new("people", crowd::people(setting, &mut notes)),
    ];
    Script { streams, fences: Vec::new(), notes }
}
