//! x
/// a
#[derive(Debug, clap::Args)]
pub(super) struct TestArgs {}
pub(super) fn run(_: &TestArgs) -> u8 {
    2
}
