//! Entry point of `tim-operator`.

fn main() {}
