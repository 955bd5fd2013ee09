//! The city: vehicles, orders and drivers of a made-up town at 50° N, 10° E.
//!
//! | what | where | file |
//! | --- | --- | --- |
//! | an airport queue: who gives up, who doesn't | 9 km east | `airport` |
//! | a jam that grows upstream on the ring road | 3.5 km around the centre | `ring` |
//! | a demand surge that spreads over H3 cells | 5 km south | `surge` |
//! | a speeding vehicle, ordinary traffic, drivers | north, centre | `traffic` |

mod airport;
mod ring;
mod surge;
mod town;
mod traffic;
mod zones;

use town::Fleet;
pub(super) use town::{TOWN, kmh, script};
