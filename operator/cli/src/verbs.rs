//! The verbs, one module each.

pub mod accounts;
pub mod completion;
pub mod down;
pub mod explain;
pub mod help;
pub mod logs;
pub mod man;
pub mod scale;
pub mod split;
pub mod status;
pub mod up;
pub mod url;
pub mod version;
