//! The verbs, one module each.

pub mod completion;
pub mod explain;
pub mod help;
pub mod version;
