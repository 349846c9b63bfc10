//! Two people, from the first request to the end of the friendship, and connections that break meanwhile.

use crate::people::{address, friends, log_in, nothing_is_wrong, say};
use crate::support::Cluster;
use crate::support::browser::Browser;
use serde_json::json;

#[tokio::test]
#[ignore = "needs Chromium: e2e/test-all.sh browser"]
async fn two_people_meet_chat_take_back_burn_and_leave() {
    meet_chat_take_back_burn_and_leave(&Cluster::start(1, &["d0"]).await).await;
}

#[tokio::test]
#[ignore = "needs Chromium: e2e/test-all.sh browser"]
async fn the_same_over_tls() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.client_tls = true;
    cluster.run_all().await;
    meet_chat_take_back_burn_and_leave(&cluster).await;
}

async fn meet_chat_take_back_burn_and_leave(cluster: &Cluster) {
    let browser = Browser::start().await;
    let (alice, bob) = friends(cluster, &browser, ["alice", "bob"]).await;

    say(&alice, "hello bob 哈").await;
    bob.shows("#messages .theirs .text", "hello bob 哈").await;
    bob.shows("#announcements", "alice: hello bob 哈").await;
    alice.shows("#messages .mine .meta", "stored as number").await;
    say(&bob, "hello alice").await;
    alice.shows("#messages .theirs .text", "hello alice").await;

    alice.click("#messages .mine button", "Take back").await;
    for page in [&alice, &bob] {
        page.shows("#messages li", "This message was taken back").await;
        page.until("!document.getElementById('messages').textContent.includes('hello bob')")
            .await;
    }
    alice.click("#messages .theirs button", "Burn").await;
    for page in [&alice, &bob] {
        page.shows("#messages li", "This message was burnt after reading")
            .await;
    }

    bob.fill("#status", "at the sea").await;
    bob.click("#status-form button", "Set").await;
    alice.shows("#contacts .about", "online: at the sea").await;
    bob.click("#log-out", "Log out").await;
    alice.shows("#contacts .about", "offline").await;

    // What is said meanwhile waits, and the history is there again.
    say(&alice, "while you were away").await;
    alice.shows("#messages .mine .meta", "stored as number").await;
    assert_eq!(
        bob.evaluate("document.getElementById('name').value").await,
        json!("bob")
    );
    log_in(&bob, "bob").await;
    bob.shows("#contacts .unread", "1 new").await;
    bob.click("#contacts .choose", "alice").await;
    bob.shows("#messages .theirs .text", "while you were away").await;

    bob.click("#remove", "Remove").await;
    bob.until("document.getElementById('contacts').children.length === 0")
        .await;
    say(&alice, "still there?").await;
    alice
        .shows(
            "#messages [data-state=refused] .meta",
            "you are not in this room. (4105",
        )
        .await;
    nothing_is_wrong(cluster, &alice);
    nothing_is_wrong(cluster, &bob);
}

#[tokio::test]
#[ignore = "needs Chromium: e2e/test-all.sh browser"]
async fn a_broken_connection_comes_back_and_a_taken_place_does_not() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.extra = "[sessions]\nlogin_interval_seconds = 0\n".to_owned();
    cluster.run_all().await;
    let browser = Browser::start().await;
    let (alice, bob) = friends(&cluster, &browser, ["alice", "bob"]).await;

    cluster.kill(0);
    alice.shows("#connection", "Reconnecting (attempt 2)").await;
    say(&alice, "written without a connection").await;
    alice
        .shows("#messages .mine .meta", "waiting for the connection")
        .await;
    cluster.spawn(0);
    cluster.ready(0).await;
    alice.shows("#connection", "Online").await;
    alice.shows("#messages .mine .meta", "stored as number").await;
    bob.shows("#messages .theirs .text", "written without a connection")
        .await;

    let elsewhere = browser.page(&address(&cluster)).await;
    log_in(&elsewhere, "alice").await;
    alice
        .shows("#login-error", "This page does not reconnect by itself")
        .await;
    elsewhere.shows("#connection", "Online").await;
    for page in [&alice, &bob, &elsewhere] {
        nothing_is_wrong(&cluster, page);
    }
}

#[tokio::test]
#[ignore = "needs Chromium: e2e/test-all.sh browser"]
async fn history_comes_in_pages_and_a_block_ends_a_friendship() {
    let mut cluster = Cluster::start(1, &["d0"]).await;
    let browser = Browser::start().await;
    let (alice, bob) = friends(&cluster, &browser, ["alice", "bob"]).await;
    for number in 1..=25 {
        say(&alice, &format!("message {number}.")).await;
    }
    bob.shows("#messages .text", "message 25.").await;
    alice
        .until("document.querySelectorAll('#messages [data-state=stored]').length === 25")
        .await;

    // Another visit knows nothing but what the server has.
    bob.open(&address(&cluster)).await;
    log_in(&bob, "bob").await;
    bob.click("#contacts .choose", "alice").await;
    bob.shows("#messages .text", "message 25.").await;
    bob.until("document.getElementById('messages').children.length === 20")
        .await;
    // A reconnect asks for the newest page, which says nothing about how much is before it.
    cluster.kill(0);
    bob.shows("#connection", "Reconnecting").await;
    cluster.spawn(0);
    cluster.ready(0).await;
    bob.shows("#connection", "Online").await;
    bob.shows("#contacts .about", "online").await;
    bob.click("#older", "Older").await;
    let texts = "[...document.querySelectorAll('#messages .text')].map((each) => each.textContent)";
    bob.until(&format!("{texts}.length === 25")).await;
    let expected: Vec<String> = (1..=25).map(|number| format!("message {number}.")).collect();
    assert_eq!(bob.evaluate(texts).await, json!(expected));

    bob.click("#block", "Block").await;
    bob.shows("#contacts .about", "blocked").await;
    say(&alice, "let me in").await;
    alice.shows("#messages [data-state=refused] .meta", "(4105").await;
    // Who was blocked is told so when asking again, and things are as they were before it.
    let bobs = bob.text("#my-address").await;
    bob.click("#contacts button", "Unblock").await;
    bob.until("document.getElementById('contacts').children.length === 0")
        .await;
    bob.fill("#address", &bobs).await;
    bob.click("#add-form button", "Ask to be friends").await;
    bob.shows("#announcements", "your own address cannot be added either. (4105")
        .await;
    assert_eq!(
        bob.evaluate("document.getElementById('contacts').children.length")
            .await,
        json!(0)
    );
    nothing_is_wrong(&cluster, &alice);
    nothing_is_wrong(&cluster, &bob);
}
