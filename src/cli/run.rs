//! x
/// a
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {}
pub(super) fn run(_: &RunArgs) -> u8 {
    2
}
