//! How many sessions an account may have at once over the whole cluster: decided from what the registry knows of it.
//!
//! Before a login [`DeviceLimits::admit`] says whether there is room or somebody to yield. After the registration the
//! account's primary says by [`DeviceLimits::excess`] who yields. So two logins at once on two nodes, which do not know
//! of each other, end within the limits as well, and so do the halves of a cluster that was cut in two.

use std::fmt;

use crate::id::DeviceClass;
use crate::presence::SessionEntry;

/// Most sessions of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceLimits {
    /// Of all classes together; at least one.
    pub per_account: usize,
    /// Of one class; at least one.
    pub per_class: usize,
    /// A login takes nobody's place so soon after the account's login before, in milliseconds: two devices that throw
    /// each other out again and again are slowed down by it.
    pub login_interval_ms: u64,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceLimit {
    /// Sessions of the account.
    Account,
    /// Sessions of the account with devices of the class.
    Class,
}

impl fmt::Display for DeviceLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Account => "sessions of an account",
            Self::Class => "sessions of an account with devices of one class",
        })
    }
}

/// A login has to wait: the limit is reached and the login before was a moment ago. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the limit of {limit} is reached; the oldest yields in {wait_ms} ms")]
pub struct TooManyDevices {
    /// Which limit.
    pub limit: DeviceLimit,
    /// After this time the oldest session yields, in milliseconds.
    pub wait_ms: u64,
}

impl DeviceLimits {
    /// The limit that keeps another session of that class from beginning without somebody yielding.
    #[must_use]
    pub fn reached(&self, known: &[SessionEntry], class: DeviceClass) -> Option<DeviceLimit> {
        let of_class = known.iter().filter(|entry| entry.class == class).count();
        if of_class >= self.per_class {
            Some(DeviceLimit::Class)
        } else if known.len() >= self.per_account {
            Some(DeviceLimit::Account)
        } else {
            None
        }
    }

    /// Whether another session of that class may begin, given the account's live sessions: when it logs in by the
    /// account's own reckoning, which goes on from the newest session known, whatever this node's clock says.
    ///
    /// # Errors
    /// [`TooManyDevices`] when somebody would have to yield too soon.
    pub fn admit(
        &self,
        known: &[SessionEntry],
        class: DeviceClass,
        now_ms: u64,
    ) -> Result<u64, TooManyDevices> {
        let newest = known.iter().map(|entry| entry.logged_in_ms).max();
        let after_newest = newest.map_or(0, |newest| newest.saturating_add(1));
        let reached = self.reached(known, class);
        // A login far in the future is one by a wrong clock and keeps nobody away.
        let recent = newest.filter(|newest| newest.abs_diff(now_ms) < self.login_interval_ms);
        if let (Some(limit), Some(recent)) = (reached, recent) {
            let free_at = recent.saturating_add(self.login_interval_ms);
            let wait_ms = free_at.saturating_sub(now_ms);
            return Err(TooManyDevices { limit, wait_ms });
        }
        Ok(now_ms.max(after_newest))
    }

    /// The sessions that yield: of each class and then of all the oldest, as many as there are too many.
    #[must_use]
    pub fn excess(&self, mut sessions: Vec<SessionEntry>) -> Vec<SessionEntry> {
        if sessions.len() <= self.per_account.min(self.per_class) {
            return Vec::new();
        }
        sessions.sort_by_key(|entry| std::cmp::Reverse((entry.logged_in_ms, entry.session)));
        let (mut kept, mut yielding): (Vec<SessionEntry>, _) = (Vec::new(), Vec::new());
        for entry in sessions {
            let of_class = kept.iter().filter(|other| other.class == entry.class).count();
            if of_class >= self.per_class || kept.len() >= self.per_account {
                yielding.push(entry);
            } else {
                kept.push(entry);
            }
        }
        yielding
    }
}

#[cfg(test)]
mod tests;
