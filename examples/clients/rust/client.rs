//! A chat client: registers, logs in, becomes friends, sends, receives, and comes back after a break.
//!
//! `cargo run -p tim-client --example client -- ws://127.0.0.1:5080/tim,ws://… NAME PASSWORD [FRIEND'S-ADDRESS MESSAGES]`

#![allow(clippy::print_stdout, reason = "a program that people look at")]

use anyhow::Context as _;
use std::collections::HashMap;
use tim_client::wire::structs::{business, operation};
use tim_client::wire::{Encoding, ErrorCode, TimMessage};
use tim_client::{AccountError, Address, Client, Credentials, Event, Options, Server, register};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [urls, name, password, rest @ ..] = &arguments[..] else {
        anyhow::bail!("needed: URL,URL NAME PASSWORD [FRIEND'S-ADDRESS MESSAGES]");
    };
    let addresses: Result<Vec<Address>, _> = urls.split(',').map(str::parse).collect();
    let (server, credentials) = (Server::at(addresses?), Credentials::password(name, password, ""));
    match register(&server, &credentials, Encoding::Thrift).await {
        Err(AccountError::Refused(why)) if why.code() == Some(ErrorCode::HasExist) => {}
        registered => drop(registered?),
    }
    let (client, mut events) = Client::connect(Options::new(server, credentials)).await?;
    println!("online as {}", client.node());
    client.request_offline().await?;
    let friend = rest.first().cloned();
    let messages: u32 = rest.get(1).map_or(Ok(10), |number| number.parse())?;
    if let Some(friend) = &friend {
        client.add_friend(friend, "hello").await?;
    }
    let mut seen = HashMap::new();
    let mut are_friends = false;
    while let Some(event) = events.next().await {
        match event {
            Event::Message { message, .. } => {
                are_friends |= message.bn_type == Some(business::FRIEND);
                on_message(&client, &message, &mut seen).await?;
            }
            Event::OfflineBatch { messages, .. } => {
                for message in &messages {
                    are_friends |= message.bn_type == Some(business::FRIEND);
                    on_message(&client, message, &mut seen).await?;
                }
            }
            // They were friends before.
            Event::Ack(ack) => {
                let code = ack.error.and_then(|error| error.code);
                are_friends |= code.and_then(ErrorCode::from_number) == Some(ErrorCode::Repeated);
            }
            Event::Connected { .. } => client.request_offline().await?,
            Event::Closed(why) => anyhow::bail!("logged out: {why}"),
            _ => {}
        }
        if let Some(friend) = friend.as_ref().filter(|_| are_friends) {
            return send(&client, friend, messages).await;
        }
    }
    Ok(())
}

/// Sends one after the other; a break in between is mended by the client, which sends again under the same id.
async fn send(client: &Client, friend: &str, messages: u32) -> anyhow::Result<()> {
    for number in 1..=messages {
        println!("sent {number}");
        let sent = client.send_text(friend, &format!("message {number}")).await;
        let mid = sent.context("not stored")?.mid.context("no number")?;
        println!("stored {number} as {mid}");
    }
    println!("done: {messages} stored");
    Ok(())
}

async fn on_message(
    client: &Client,
    message: &TimMessage,
    seen: &mut HashMap<String, i64>,
) -> anyhow::Result<()> {
    let (Some(from), mid) = (message.from_node(), message.mid.unwrap_or(0)) else {
        return Ok(());
    };
    if message.bn_type == Some(business::ADD_ROSTER) {
        client.add_friend(from, "hello").await?;
    } else if message.od_type == operation::NORMAL && mid > seen.get(from).copied().unwrap_or(0) {
        // One that comes again after a break has the same number.
        seen.insert(from.to_owned(), mid);
        let text = message.data_string.as_deref().unwrap_or_default();
        println!("received {mid} from {from}: {text}");
    }
    Ok(())
}
