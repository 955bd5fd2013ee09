//! The `geocep` binary: arguments to `cli`, and its exit code back.

/// Blocks that one thread makes and another frees, and keys that come and go, are what the C library's allocator is slow at: it joins
/// freed blocks while others wait for its lock.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    geocep::cli::main()
}
