//! A chat client: registers, logs in, becomes friends, sends, receives, and comes back after a break.
//!
//! `cargo run -p tim-client --example client -- ws://127.0.0.1:5080/tim,ws://… NAME PASSWORD [FRIEND'S-ADDRESS MESSAGES]`
#![allow(clippy::print_stdout, reason = "a program that people look at")]

use anyhow::Context as _;
use std::collections::HashMap;
use tim_client::wire::Encoding;
use tim_client::wire::structs::{business, operation};
use tim_client::{Client, Credentials, Event, Options, Server, ensure_account};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [urls, name, password, rest @ ..] = &arguments[..] else {
        anyhow::bail!("needed: URL,URL NAME PASSWORD [FRIEND'S-ADDRESS MESSAGES]");
    };
    let (server, credentials) = (urls.parse::<Server>()?, Credentials::password(name, password, ""));
    ensure_account(&server, &credentials, Encoding::Thrift).await?;
    let (client, mut events) = Client::connect(Options::new(server, credentials)).await?;
    println!("online as {}", client.node());
    let friend = rest.first();
    if let Some(friend) = friend {
        client.add_friend(friend, "hello").await?;
    }
    let mut seen = HashMap::new();
    while let Some(event) = events.next().await {
        match &event {
            Event::Connected { .. } => client.request_offline().await?, // what came meanwhile
            Event::Closed(why) => anyhow::bail!("logged out: {why}"),
            _ => {}
        }
        for message in event.messages() {
            let (from, mid) = (message.from_node().unwrap_or_default(), message.mid.unwrap_or(0));
            let text = message.data_string.as_deref().unwrap_or_default();
            if message.bn_type == Some(business::ADD_ROSTER) {
                client.add_friend(from, "hello").await?;
            } else if message.od_type == operation::NORMAL && Some(&mid) > seen.get(from) {
                seen.insert(from.to_owned(), mid); // one that comes again after a break has the same number
                println!("received {mid} from {from}: {text}");
            }
        }
        if let Some(friend) = friend.filter(|_| event.is_friendship()) {
            return send(&client, friend, rest.get(1).map_or("10", String::as_str).parse()?).await;
        }
    }
    Ok(())
}

/// Sends one after the other; a break in between is mended by the client, which sends again under the same id.
async fn send(client: &Client, friend: &str, messages: u32) -> anyhow::Result<()> {
    for number in 1..=messages {
        println!("sent {number}");
        let sent = client.send_text(friend, &format!("message {number}")).await?;
        println!("stored {number} as {}", sent.mid.context("no number")?);
    }
    println!("done: {messages} stored");
    Ok(())
}
