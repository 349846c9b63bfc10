//! Command 41, operation 21: another password.

use super::Refusal;
use crate::accounts::password_change::PasswordChange;
use crate::edge::{Connection, Continuation};
use crate::session::frames;
use std::sync::Arc;
use tim_wire::structs::business;
use tim_wire::{Command, ErrorCode, TimAck, TimReq};

/// Takes the old and the new one.
pub(super) fn change(connection: &mut Connection, request: TimReq) {
    let Some(live) = &connection.live else { return };
    let (account, encoding) = (live.account.clone(), live.encoding);
    let (Some(old), Some(new)) = (request.req_str, request.req_str2) else {
        return unchanged(connection);
    };
    let node = Arc::clone(&connection.node);
    connection.begin(Box::pin(async move {
        let changed = Box::pin(node.accounts.change_password(&node, &account, old, new)).await;
        let continuation: Continuation = Box::new(move |connection| match changed {
            Ok(PasswordChange::Changed) => {
                let answer = TimAck {
                    t: Some(i64::from(business::MODIFY_AUTH)),
                    ..TimAck::success(Command::Business)
                };
                connection.out.push(frames::ack(&answer, encoding));
            }
            // Two answers, as clients of the reference get them.
            Ok(PasswordChange::WrongPassword) => {
                Refusal::plain(ErrorCode::PermissionDenied, "wrong_password")
                    .answer(connection, Command::Business.tim_type());
                unchanged(connection);
            }
            Err(refusal) => refusal
                .within(business::MODIFY_AUTH)
                .answer(connection, Command::Business.tim_type()),
        });
        continuation
    }));
}

fn unchanged(connection: &mut Connection) {
    Refusal::plain(ErrorCode::ModifyPassword, "password_unchanged")
        .within(business::MODIFY_AUTH)
        .answer(connection, Command::Business.tim_type());
}
