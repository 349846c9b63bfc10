//! Who is online in the whole cluster, and the end of an account's sessions: every node is asked, since each knows its own
//! for certain.

use crate::node::Node;
use crate::peers::Ending;
use crate::session::{Input, OnlineAccount, part_of};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;
use tim_core::id::{AccountId, DeviceClass, NodeName, SessionId};
use tokio::sync::oneshot;

/// How long another node may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// An account and its devices by node.
pub(crate) type Devices = BTreeMap<NodeName, Vec<DeviceClass>>;

/// A part of the list of who is online.
#[derive(Debug, Default)]
pub(crate) struct OnlinePage {
    pub(crate) accounts: Vec<(AccountId, Devices)>,
    /// Whether somebody may come after the last one.
    pub(crate) more: bool,
    /// Nodes that have not answered; who is there is missing.
    pub(crate) missing: Vec<NodeName>,
}

/// What became of a forced logout.
#[derive(Debug, Default)]
pub(crate) struct LoggedOut {
    pub(crate) sessions: u64,
    /// Nodes that have not answered; sessions there may go on.
    pub(crate) missing: Vec<NodeName>,
}

/// The sessions of an account on this node are told to stay away; how many.
pub(crate) fn log_out_here(node: &Node, account: &AccountId) -> usize {
    let sessions = node.local_accounts.sessions_of(account);
    for session in &sessions {
        // It may have ended by itself.
        let _ = node.sessions.post(*session, Input::LogOut);
    }
    sessions.len()
}

/// Ends the sessions of an account on every node. It may log in again at once.
pub(crate) async fn log_out(node: &Node, account: &AccountId) -> LoggedOut {
    let mut ended = LoggedOut {
        sessions: log_out_here(node, account) as u64,
        missing: Vec::new(),
    };
    let asked = others(node).into_iter().map(|name| async move {
        let asking = node.peers.end_account(&name, account, Ending::LoggedOut);
        (within_limit(asking).await, name)
    });
    for (answer, name) in futures::future::join_all(asked).await {
        match answer {
            Some(sessions) => ended.sessions += u64::from(sessions),
            None => ended.missing.push(name),
        }
    }
    ended
}

/// What became of a message in the name of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SentAs {
    /// The session has taken it.
    Taken,
    /// No node has the session.
    NoSuchSession,
    /// No node that has answered has the session, and not all have.
    Unknown,
}

/// Has a session of this node take a message as if its client had sent it; whether there is such a session.
pub(crate) async fn send_as_here(node: &Node, session: SessionId, frame: Bytes) -> bool {
    let (taken, done) = oneshot::channel();
    let posted = node.sessions.post(session, Input::SendAs { frame, taken });
    // It may end before it comes to that.
    posted.is_ok() && done.await.is_ok()
}

/// Has a session, wherever it is, take a message as if its client had sent it.
pub(crate) async fn send_as(node: &Node, session: SessionId, frame: Bytes) -> SentAs {
    let here = async { Some(send_as_here(node, session, frame.clone()).await) };
    if within_limit(here).await == Some(true) {
        return SentAs::Taken;
    }
    let asked = others(node).into_iter().map(|name| {
        let frame = frame.clone();
        async move { within_limit(node.peers.send_as(&name, session, frame)).await }
    });
    let answers = futures::future::join_all(asked).await;
    if answers.contains(&Some(true)) {
        SentAs::Taken
    } else if answers.contains(&None) {
        SentAs::Unknown
    } else {
        SentAs::NoSuchSession
    }
}

/// Who is online after another account in the list, at most so many.
pub(crate) async fn list(node: &Node, after: Option<&AccountId>, limit: usize) -> OnlinePage {
    let asked = others(node).into_iter().map(|name| async move {
        let asking = node.peers.list_online(&name, after, limit);
        (within_limit(asking).await, name)
    });
    let mut answers = futures::future::join_all(asked).await;
    let own = node.local_accounts.list(after, limit);
    answers.push((Some(own), node.name.clone()));
    merge(answers, limit)
}

fn merge(answers: Vec<(Option<Vec<OnlineAccount>>, NodeName)>, limit: usize) -> OnlinePage {
    let mut page = OnlinePage::default();
    let mut all: BTreeMap<(u64, AccountId), Devices> = BTreeMap::new();
    for (answer, name) in answers {
        let Some(accounts) = answer else {
            page.missing.push(name);
            continue;
        };
        page.more |= accounts.len() >= limit;
        for online in accounts {
            let key = (part_of(&online.account), online.account);
            all.entry(key).or_default().insert(name.clone(), online.classes);
        }
    }
    page.more |= all.len() > limit;
    // What comes after the last account of a full answer is unknown of that node, but also after the end of this page.
    page.accounts = all
        .into_iter()
        .take(limit)
        .map(|((_, account), devices)| (account, devices))
        .collect();
    page
}

fn others(node: &Node) -> Vec<NodeName> {
    let members = node.members.borrow();
    // Also those that leave: they have sessions until they have left.
    let names = members.nodes().keys().filter(|name| **name != node.name);
    names.cloned().collect()
}

async fn within_limit<T>(asking: impl Future<Output = Option<T>>) -> Option<T> {
    tokio::time::timeout(ANSWER_LIMIT, asking).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_all_nodes_together_leave_nobody_out() {
        let name = |number: usize| NodeName::new(format!("chat-{number}")).unwrap();
        let account = |number: usize| AccountId::new(format!("account{number}")).unwrap();
        let mut held: Vec<Vec<AccountId>> = (0..3)
            .map(|node| {
                (0..90)
                    .filter(|number| number % 4 == node || number % 4 == 3)
                    .map(account)
                    .collect()
            })
            .collect();
        for accounts in &mut held {
            accounts.sort_by_key(|account| (part_of(account), account.clone()));
        }
        let mut seen: Vec<(AccountId, usize)> = Vec::new();
        loop {
            let after = seen
                .last()
                .map(|(account, _)| (part_of(account), account.clone()));
            let answers = held.iter().enumerate().map(|(node, accounts)| {
                let page = accounts
                    .iter()
                    .filter(|account| {
                        after
                            .as_ref()
                            .is_none_or(|after| (part_of(account), (*account).clone()) > *after)
                    })
                    .take(5)
                    .map(|account| OnlineAccount {
                        account: account.clone(),
                        classes: vec![DeviceClass(1)],
                    });
                (Some(page.collect()), name(node))
            });
            let page = merge(answers.collect(), 5);
            seen.extend(
                page.accounts
                    .into_iter()
                    .map(|(account, devices)| (account, devices.len())),
            );
            if !page.more {
                break;
            }
        }
        let mut names: Vec<_> = seen.iter().map(|(account, _)| account.clone()).collect();
        names.sort();
        names.dedup();
        assert_eq!((names.len(), seen.len()), (90, 90));
        assert_eq!(seen.iter().filter(|(_, nodes)| *nodes == 3).count(), 22);
        let away = merge(vec![(None, name(0)), (Some(Vec::new()), name(1))], 5);
        assert_eq!((away.missing, away.more), (vec![name(0)], false));
    }
}
