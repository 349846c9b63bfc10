//! In whose name something is asked: of a session's account, or of one that an administrator acts for.

use crate::session::Live;
use tim_core::id::{AccountId, DeviceClass};
use tim_wire::Tid;

/// Who asks, as notices and messages name it.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) account: AccountId,
    pub(crate) tid: Tid,
    pub(crate) class: DeviceClass,
}

impl Actor {
    /// The account of a session.
    pub(super) fn of(live: &Live) -> Self {
        Self {
            account: live.account.clone(),
            tid: live.sender.tid.clone(),
            class: live.class,
        }
    }

    /// An account that an administrator acts for: no device of it, in the domain that the administrator names.
    pub(crate) fn administered(account: AccountId, domain: Option<String>) -> Self {
        let tid = Tid {
            domain: domain.filter(|domain| !domain.is_empty()),
            ..Tid::of(account.as_str())
        };
        Self {
            account,
            tid,
            class: DeviceClass(0),
        }
    }
}
