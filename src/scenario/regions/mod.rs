//! Regions that live: situations that show in clusters of cells only, each with something that looks like it.
//!
//! | what | its decoy | file |
//! | --- | --- | --- |
//! | a demand surge that spreads | one that stays where it is | `market` |
//! | a supply desert: the drivers leave where the demand is | drivers leave where there is none | `market` |
//! | a jam that grows against the direction of travel | one that grows with it | `road` |
//! | a fishing fleet that gathers | a column that passes, three vessels that stay three | `fishing` |
//! | vessels that sail in company | vessels that come from all sides and meet | `fishing` |
//! | a crowd that disperses | one that marches and stays together | `crowd` |

mod crowd;
mod fishing;
mod market;
mod road;
mod world;

pub(super) use world::script;
