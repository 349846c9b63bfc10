//! How a chat begins: whose account it is, and the login.

use crate::chat::{Accounts, Place};
use crate::failure::{Failure, Outcome};
use std::path::PathBuf;
use tim_catalogue::command_line;
use tim_client::wire::ErrorCode;
use tim_client::{Client, ConnectError, Events, Options, Server};

/// Logs in, registering first where this program has not done so before, and finds the other side's id.
pub(super) async fn open(place: &Place, name: &str, peer: &str) -> Outcome<(Client, Events, String)> {
    let (path, server_key) = match &place.accounts {
        Some(path) => (path.clone(), String::new()),
        None => (accounts_elsewhere(), server_key(&place.server)),
    };
    let mut accounts = Accounts::open(&path, &server_key)?;
    let account = accounts.ensure(&place.server, name).await?;
    if place.accounts.is_some() {
        // On one's own machine the other side is somebody at the next terminal: there before he says a word.
        accounts.ensure(&place.server, peer).await?;
    }
    let connected = match connect(&place.server, account.credentials(name)).await {
        Err(ConnectError::LoginRefused(rejection)) if is_unknown(rejection.code()) => {
            let account = accounts.renew(&place.server, name).await?;
            if place.accounts.is_some() {
                accounts.renew(&place.server, peer).await.ok();
            }
            connect(&place.server, account.credentials(name)).await
        }
        other => other,
    };
    let (client, events) = connected.map_err(|error| match error {
        ConnectError::LoginRefused(rejection) => {
            Failure::new(&command_line::ACCOUNT_REFUSED, format!("\"{name}\": {rejection}"))
        }
        other => Failure::new(&command_line::SERVER_UNREACHABLE, other.to_string()),
    })?;
    Ok((client, events, accounts.node_of(peer)))
}

fn is_unknown(code: Option<ErrorCode>) -> bool {
    matches!(
        code,
        Some(ErrorCode::PermissionDenied | ErrorCode::Account | ErrorCode::NoPass)
    )
}

async fn connect(
    server: &Server,
    credentials: tim_client::Credentials,
) -> Result<(Client, Events), ConnectError> {
    let mut options = Options::new(server.clone(), credentials);
    options.resource = "tim chat".into();
    Client::connect(options).await
}

fn accounts_elsewhere() -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let data = std::env::var_os("XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from);
    data.join("tim").join("chat-accounts.json")
}

fn server_key(server: &Server) -> String {
    server
        .addresses
        .first()
        .map(|address| format!("{}:{}", address.host(), address.port()))
        .unwrap_or_default()
}
