//! Face: HTTP on loopback. Health, readiness, metrics.
