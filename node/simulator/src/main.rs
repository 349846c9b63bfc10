//! Runs the simulator over many seeds.

fn main() {}
