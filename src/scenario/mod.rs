//! Tool: seeded movers that make event streams. Shared by `geocep simulate`, benches and tests.
