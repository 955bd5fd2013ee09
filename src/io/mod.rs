//! Edges: sources and sinks. Bytes and offsets; knows no rules.
