//! Where a session's streams go, remembered for a moment.

use std::sync::Arc;
use tim_core::id::{AccountId, RoomId};
use tim_core::presence::SessionEntry;
use tim_core::time::Moment;

/// Receivers that one session may stream to at once without asking anew each time.
const ROUTES_MAX: usize = 16;

/// To whom something goes that is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// An account.
    Account(AccountId),
    /// Everybody else in a room.
    Room(RoomId),
}

/// The sessions of a receiver.
#[derive(Debug)]
pub(crate) struct Route {
    /// When it has to be asked for again.
    pub(crate) until: Moment,
    /// Whether a room was asked in place of friendship.
    pub(crate) vouched: bool,
    /// Where the receiver is.
    pub(crate) sessions: Vec<SessionEntry>,
}

/// The routes of one session, newest last; empty for all who never stream.
#[derive(Debug, Default)]
pub(crate) struct Routes(Vec<(Receiver, Arc<Route>)>);

impl Routes {
    /// A route that may still be used.
    pub(crate) fn get(&self, to: &Receiver, now: Moment) -> Option<Arc<Route>> {
        let (_, route) = self.0.iter().find(|(receiver, _)| receiver == to)?;
        (route.until > now).then(|| Arc::clone(route))
    }

    /// Remembers a route.
    pub(crate) fn remember(&mut self, to: Receiver, route: Arc<Route>) {
        self.0.retain(|(receiver, _)| *receiver != to);
        if self.0.len() >= ROUTES_MAX {
            self.0.remove(0);
        }
        self.0.push((to, route));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_used_until_its_time_and_the_number_is_bounded() {
        let mut routes = Routes::default();
        let account = |number: usize| Receiver::Account(AccountId::new(format!("account{number}")).unwrap());
        for number in 0..=ROUTES_MAX {
            let route = Route {
                until: Moment(10),
                vouched: false,
                sessions: Vec::new(),
            };
            routes.remember(account(number), Arc::new(route));
        }
        assert!(routes.get(&account(0), Moment(0)).is_none(), "the oldest went");
        assert!(routes.get(&account(1), Moment(9)).is_some());
        assert!(routes.get(&account(1), Moment(10)).is_none());
    }
}
