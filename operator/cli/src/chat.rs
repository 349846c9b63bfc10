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
use crate::target::{LocalTarget, find_cluster};
use crate::terminal::Terminal;
use std::path::PathBuf;
use std::time::Duration;
use tim_catalogue::command_line;
use tim_client::{Address, Server};
use tim_local::view;

/// How long a node may take to say where it is.
const LOOK_MAX: Duration = Duration::from_secs(2);

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
    let place = place(global, &arguments.url, arguments.cluster.as_deref()).await?;
    terminal.message(format!(
        "{} · you are {} · /help says what else there is",
        place.shown, arguments.account
    ));
    session::run(terminal, place, &arguments.account, &arguments.peer).await
}

async fn place(global: &Global, urls: &[String], cluster: Option<&str>) -> Outcome<Place> {
    if !urls.is_empty() {
        let addresses: Vec<Address> = parse_addresses(urls)?;
        return Ok(Place {
            server: Server::at(addresses),
            accounts: None,
            shown: urls.join(", "),
        });
    }
    let (cluster, addresses, accounts) = local_addresses(global, cluster).await?;
    let shown = format!("local cluster {cluster}");
    Ok(Place {
        server: Server::at(addresses),
        accounts: Some(accounts),
        shown,
    })
}

/// Addresses as clients take them.
///
/// # Errors
/// One of them is none.
pub fn parse_addresses(urls: &[String]) -> Outcome<Vec<Address>> {
    urls.iter()
        .map(|url| {
            url.parse()
                .map_err(|error| Failure::usage(format!("--url {url}: {error}")))
        })
        .collect()
}

/// Name of the local cluster, addresses of its running nodes in random order (so that clients spread), and where
/// passwords are kept.
///
/// # Errors
/// There is no such cluster, or no node of it runs.
pub async fn local_addresses(
    global: &Global,
    cluster: Option<&str>,
) -> Outcome<(String, Vec<Address>, PathBuf)> {
    use rand::seq::SliceRandom;
    let target = LocalTarget::open(global)?;
    let cluster = find_cluster(&target, cluster).await?;
    let seen = view::observe(target.directory(), &cluster, LOOK_MAX).await;
    let seen = seen.map_err(|error| Failure::unexpected(&error))?;
    let running = seen.nodes.iter().filter(|node| node.running && node.wanted);
    let urls: Vec<String> = running
        .filter_map(|node| Some(node.record.as_ref()?.client_url()))
        .collect();
    let mut addresses = parse_addresses(&urls)?;
    if addresses.is_empty() {
        let observed = format!("no node of local cluster {cluster} runs");
        return Err(Failure::new(&command_line::SERVER_UNREACHABLE, observed).remedy("tim up"));
    }
    addresses.shuffle(&mut rand::rng());
    Ok((
        cluster.clone(),
        addresses,
        target.directory().cluster(&cluster).chat_accounts(),
    ))
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
