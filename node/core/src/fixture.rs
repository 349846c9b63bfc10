//! What the tests of this crate talk about.

use std::sync::Arc;

use crate::id::{AccountId, Generation, NodeName};
use crate::view::{NodeInfo, View};

pub(crate) fn account(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

pub(crate) fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

/// A view of nodes in no zone, each in its first life.
pub(crate) fn view(names: &[&str]) -> Arc<View> {
    let info = |name: &&str| NodeInfo {
        name: node(name),
        zone: String::new(),
        boot_generation: Generation(1),
    };
    Arc::new(View::new(names.iter().map(info).collect()))
}
