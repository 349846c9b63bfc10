//! Entry point of `tim-node`.

fn main() {}
