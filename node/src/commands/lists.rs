//! Command 41, lists of accounts: friends, and whom one has blocked. An empty list is answered by nothing, as clients
//! expect.

use super::Refusal;
use crate::databases::Acquaintance;
use crate::edge::{Connection, Continuation};
use crate::node::Node;
use crate::session::frames;
use std::sync::Arc;
use tim_core::id::AccountId;
use tim_wire::structs::{business, node_kind};
use tim_wire::{Command, TimNodes};

/// Answers with the friends.
pub(super) fn friends(connection: &mut Connection) {
    let friends: Belongs = Acquaintance::is_friend;
    answer(connection, business::ROSTER, node_kind::ROSTER, friends);
}

/// Answers with whom the account has blocked.
pub(super) fn blocked(connection: &mut Connection) {
    answer(
        connection,
        business::BLOCK_ROSTER_LIST,
        node_kind::BLOCKED_ACCOUNTS,
        Acquaintance::is_blocked,
    );
}

/// Who of those that an account knows is in a list.
type Belongs = fn(&Acquaintance) -> bool;

/// The accounts in a list of an account, by the kind in which clients are told it.
pub(super) async fn of(
    node: &Node,
    account: &AccountId,
    (ntype, belongs): (i32, Belongs),
) -> Result<Vec<String>, Refusal> {
    let text = |id: AccountId| id.as_str().to_owned();
    if ntype == node_kind::ROSTER
        && let Some(elsewhere) = node.accounts.users.roster(account).await
    {
        return Ok(elsewhere?.into_iter().map(text).collect());
    }
    let known = node.databases.acquaintances(account).await;
    let known = known.map_err(|report| Refusal::database(&report))?;
    let listed = known.into_iter().filter(belongs);
    Ok(listed.map(|known| text(known.account)).collect())
}

fn answer(connection: &mut Connection, rtype: i32, ntype: i32, belongs: Belongs) {
    let Some(live) = &connection.live else { return };
    let (account, encoding) = (live.account.clone(), live.encoding);
    let node = Arc::clone(&connection.node);
    connection.begin(Box::pin(async move {
        let listed = Box::pin(of(&node, &account, (ntype, belongs))).await;
        let continuation: Continuation = Box::new(move |connection| match listed {
            Err(refusal) => refusal
                .within(rtype)
                .answer(connection, Command::Business.tim_type()),
            Ok(nodelist) => {
                if !nodelist.is_empty() {
                    let list = TimNodes {
                        ntype,
                        nodelist: Some(nodelist),
                        ..TimNodes::default()
                    };
                    connection.out.push(frames::nodes(&list, encoding));
                }
            }
        });
        continuation
    }));
}
