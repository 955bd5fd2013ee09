//! Machine: plan to graph to shards. Pure and synchronous: inputs in, outputs and timers out.
