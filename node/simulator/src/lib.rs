//! Seeded simulation of several nodes, with a checker of the invariants.
