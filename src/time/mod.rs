//! Tool: event time. Watermarks per source partition, bounded disorder, the merge into one total order, timers.
