//! Command 42: profiles; what is told about rooms is in [`super::room_info`].

use super::{Refusal, room_info};
use crate::edge::{Connection, Continuation};
use crate::node::Node;
use crate::session::frames;
use std::sync::Arc;
use tim_core::id::AccountId;
use tim_store::Account;
use tim_wire::structs::node_kind;
use tim_wire::{Command, Encoding, ErrorCode, TimAck, TimNodes, TimUserBean, WireStruct};

/// Most accounts or rooms in one query.
const ASKED_MAX: usize = 1_000;
/// Largest profile in its stored form.
const PROFILE_BYTES_MAX: usize = 64 << 10;

/// Takes a query or a change.
pub(super) fn begin(connection: &mut Connection, nodes: TimNodes) {
    let begun = match nodes.ntype {
        node_kind::USER_INFO => asked(nodes).map(|asked| query(connection, asked)),
        node_kind::ROOM_INFO => asked(nodes).map(|asked| room_info::query(connection, &asked)),
        node_kind::MODIFY_USER => change(connection, nodes),
        node_kind::MODIFY_ROOM => room_info::change(connection, nodes),
        other => Err(Refusal::field(
            ErrorCode::Parameters,
            format!("nodes.ntype: {other}; valid: 4, 5, 6, 7"),
        )),
    };
    if let Err(refusal) = begun {
        refusal.answer(connection, Command::Nodes.tim_type());
    }
}

fn asked(nodes: TimNodes) -> Result<Vec<String>, Refusal> {
    let asked = nodes.nodelist.unwrap_or_default();
    if asked.is_empty() || asked.len() > ASKED_MAX {
        let detail = format!("nodes.nodelist: {} ids; 1 to {ASKED_MAX} are needed", asked.len());
        return Err(Refusal::field(ErrorCode::Parameters, detail));
    }
    Ok(asked)
}

fn query(connection: &mut Connection, asked: Vec<String>) {
    let encoding = connection.encoding(Encoding::Thrift);
    let node = Arc::clone(&connection.node);
    // What is no id has no account.
    let mut accounts: Vec<AccountId> = asked.iter().filter_map(|id| AccountId::new(id).ok()).collect();
    accounts.sort();
    accounts.dedup();
    connection.begin(Box::pin(async move {
        let found = Box::pin(node.databases.find_accounts(&accounts)).await;
        let continuation: Continuation = Box::new(move |connection| match found {
            Err(report) => Refusal::database(&report).answer(connection, Command::Nodes.tim_type()),
            Ok(found) => {
                let profiles = found.iter().flatten();
                let answer = TimNodes {
                    ntype: node_kind::USER_INFO,
                    usermap: Some(
                        profiles
                            .map(|account| (account.id.as_str().to_owned(), profile(account)))
                            .collect(),
                    ),
                    ..TimNodes::default()
                };
                connection.out.push(frames::nodes(&answer, encoding));
            }
        });
        continuation
    }));
}

/// The stored profile, and when the account was made. One that cannot be read counts as empty: it can be written anew.
pub(crate) fn profile(account: &Account) -> TimUserBean {
    let stored = TimUserBean::decode_payload(&account.profile.clone().into(), Encoding::Thrift);
    TimUserBean {
        create_time: Some(account.created_ns),
        ..stored.unwrap_or_default()
    }
}

fn change(connection: &mut Connection, nodes: TimNodes) -> Result<(), Refusal> {
    let mut given = nodes.usermap.unwrap_or_default().into_values();
    let (Some(given), None) = (given.next(), given.next()) else {
        let detail = "nodes.usermap: exactly one profile is needed, one's own".to_owned();
        return Err(Refusal::field(ErrorCode::Parameters, detail));
    };
    let Some(live) = &connection.live else {
        return Ok(());
    };
    let (account, encoding) = (live.account.clone(), live.encoding);
    let node = Arc::clone(&connection.node);
    connection.begin(Box::pin(async move {
        let changed = Box::pin(store_profile(&node, &account, &given)).await;
        let continuation: Continuation = Box::new(move |connection| match changed {
            Err(refusal) => refusal.answer(connection, Command::Nodes.tim_type()),
            Ok(()) => {
                let answer = TimAck {
                    t: Some(i64::from(node_kind::MODIFY_USER)),
                    ..TimAck::success(Command::Nodes)
                };
                connection.out.push(frames::ack(&answer, encoding));
            }
        });
        continuation
    }));
    Ok(())
}

/// Fields that are given replace those that are there; absent ones stay.
pub(crate) async fn store_profile(
    node: &Node,
    account: &AccountId,
    given: &TimUserBean,
) -> Result<(), Refusal> {
    let change = |account: &mut Account| {
        let merged = merged(profile(account), given).encode_payload(Encoding::Thrift);
        let fits = merged.len() <= PROFILE_BYTES_MAX;
        if fits {
            account.profile = merged.to_vec();
        }
        fits
    };
    let changed = node.databases.change_account(account, &change).await;
    let changed = changed.map_err(|report| Refusal::database(&report))?;
    let Some(now) = changed else {
        return Err(Refusal::plain(ErrorCode::Account, "no_such_account"));
    };
    let wanted = merged(profile(&now), given);
    if wanted != profile(&now) {
        let detail = format!("nodes.usermap: the profile would have more than {PROFILE_BYTES_MAX} bytes");
        return Err(Refusal::field(ErrorCode::Parameters, detail));
    }
    Ok(())
}

fn merged(present: TimUserBean, given: &TimUserBean) -> TimUserBean {
    let given = given.clone();
    TimUserBean {
        name: given.name.or(present.name),
        nick_name: given.nick_name.or(present.nick_name),
        birthday: given.birthday.or(present.birthday),
        gender: given.gender.or(present.gender),
        cover: given.cover.or(present.cover),
        area: given.area.or(present.area),
        // The account's own, whatever a client says.
        create_time: present.create_time,
        photo_tid_album: given.photo_tid_album.or(present.photo_tid_album),
        extend: given.extend.or(present.extend),
        extra: given.extra.or(present.extra),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_fields_replace_and_absent_ones_stay() {
        let text = |text: &str| Some(text.to_owned());
        let present = TimUserBean {
            name: text("Alice"),
            area: text("here"),
            create_time: Some(7),
            ..TimUserBean::default()
        };
        let given = TimUserBean {
            area: text("there"),
            gender: Some(1),
            create_time: Some(99),
            ..TimUserBean::default()
        };
        let wanted = TimUserBean {
            area: text("there"),
            gender: Some(1),
            ..present.clone()
        };
        assert_eq!(merged(present, &given), wanted);
    }
}
