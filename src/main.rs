//! The `geocep` binary: arguments to `cli`, and its exit code back.

fn main() -> std::process::ExitCode {
    geocep::cli::main()
}
