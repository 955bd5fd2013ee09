//! Words: the values that cross rooms. Time, units, values, schemas, events, keys, ids, alerts, rejects, and how state is written.
