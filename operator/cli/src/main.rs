//! The command line `tim`.

fn main() {}
