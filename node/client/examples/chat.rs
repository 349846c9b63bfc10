//! A chat in a terminal: `cargo run -p tim-client --example chat -- ws://localhost:5080 alice secret`,
//! then lines of the form `ACCOUNT-ID text`. The first line printed is one's own account id.
#![allow(clippy::print_stdout, reason = "the terminal is its user interface")]

use anyhow::Context as _;
use tim_client::wire::Encoding;
use tim_client::{Client, Credentials, Event, Options, Server};
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, name, password] = &arguments[..] else {
        anyhow::bail!("usage: chat ADDRESS NAME PASSWORD");
    };
    let server = Server::at([address.parse()?]);
    let credentials = Credentials::password(name, password, "");
    // Fails with 4101 when the account is there already, which is as good.
    let _ = tim_client::register(&server, &credentials, Encoding::Thrift).await;
    let (client, mut events) = Client::connect(Options::new(server, credentials)).await?;
    client.request_offline().await?;
    println!("you are {}", client.node());

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            event = events.next() => match event.context("the client ended")? {
                Event::Message { message, .. } => show(&message),
                Event::OfflineBatch { messages, .. } => messages.iter().for_each(show),
                Event::Closed(reason) => anyhow::bail!(reason),
                _ => {}
            },
            line = lines.next_line() => match line? {
                Some(line) => say(&client, &line).await,
                None => break,
            },
        }
    }
    client.close().await;
    Ok(())
}

fn show(message: &tim_client::wire::TimMessage) {
    let text = message.data_string.as_deref().unwrap_or("(no text)");
    println!("{}: {text}", message.from_node().unwrap_or("system"));
}

async fn say(client: &Client, line: &str) {
    let Some((to, text)) = line.split_once(' ') else {
        return println!("ACCOUNT-ID text");
    };
    // Only friends may write: asking again does no harm.
    if let Err(error) = client.send_text(to, text).await {
        println!("not sent: {error}");
        let _ = client.add_friend(to, "hello").await;
    }
}
