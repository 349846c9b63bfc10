//! `tim chat`: a person at a terminal, or a script at a pipe, talks to somebody.
//!
//! Lines typed are messages; the state of each is shown as it changes: sent, then stored with its number. What the other
//! side writes is printed as it comes, what waited while nobody was here first. A line that begins with a slash is a
//! command (`/help` lists them). The connection is kept through the end of a node, visibly.

mod accounts;
mod command;
mod conversation;
mod session;

pub use accounts::Accounts;

use crate::arguments::{ChatArguments, Global};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::servers::{self, LocalServer};
use crate::terminal::Terminal;
use std::path::PathBuf;
use tim_catalogue::command_line;
use tim_client::Server;

/// Where to talk, and where passwords are kept.
struct Place {
    server: Server,
    /// Where the passwords of accounts made here are; nothing for servers elsewhere.
    accounts: Option<PathBuf>,
    shown: String,
}

/// Chats until the input ends.
///
/// # Errors
/// No server answers, or it refuses the account.
pub async fn run(terminal: &Terminal, global: &Global, arguments: &ChatArguments) -> Outcome {
    if arguments.account == arguments.peer {
        return Err(Failure::usage(
            "talking to oneself needs no server; --as and PEER are the same name",
        ));
    }
    let place = place(global, arguments).await?;
    terminal.message(format!(
        "{} · you are {} · /help says what else there is",
        place.shown, arguments.account
    ));
    session::run(terminal, place, &arguments.account, &arguments.peer).await
}

async fn place(global: &Global, arguments: &ChatArguments) -> Outcome<Place> {
    let authorities = arguments.ca.as_deref();
    if !arguments.url.is_empty() {
        return Ok(Place {
            server: servers::elsewhere(&arguments.url, authorities)?,
            accounts: None,
            shown: arguments.url.join(", "),
        });
    }
    let found = LocalServer::find(global, arguments.cluster.as_deref()).await?;
    Ok(Place {
        server: found.trusting(authorities)?,
        accounts: Some(found.folder.chat_accounts()),
        shown: format!("local cluster {}", found.cluster),
    })
}

/// How a chat that ended ends the command.
fn ended(reason: &tim_client::CloseReason) -> Outcome {
    match reason {
        tim_client::CloseReason::ByApplication => Ok(Exit::Done),
        other => Err(Failure::new(
            &command_line::SERVER_UNREACHABLE,
            format!("the connection ended: {other}"),
        )),
    }
}
