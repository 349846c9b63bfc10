//! Rooms on the page.

use crate::people::{address, log_in, nothing_is_wrong, register, say};
use crate::support::Cluster;
use crate::support::browser::Browser;

#[tokio::test]
#[ignore = "needs Chromium: e2e/test-all.sh browser"]
async fn people_meet_in_a_room() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let browser = Browser::start().await;
    let url = address(&cluster);
    let (alice, bob) = tokio::join!(browser.page(&url), browser.page(&url));
    register(&alice, "alice").await;
    register(&bob, "bob").await;
    for page in [&alice, &bob] {
        page.click("#rooms summary", "Rooms").await;
    }
    alice.fill("#topic", "the team").await;
    alice.click(".choice", "Private").await;
    alice.click("#room-new-form button", "Make the room").await;
    alice.click("#contacts .choose", "the team").await;
    alice.shows("#peer", "the team").await;
    alice
        .until("document.getElementById('room-address').textContent")
        .await;
    let room = alice.text("#room-address").await;

    bob.fill("#room-id", &room).await;
    bob.fill("#room-text", "it is bob").await;
    bob.click("#room-join-form button", "Join").await;
    alice
        .shows("#room-applicants span", "bob asks to join: it is bob")
        .await;
    alice.click("#room-applicants button", "Let in").await;
    bob.click("#contacts .choose", "the team").await;
    for page in [&alice, &bob] {
        page.shows("#room-members li", "bob").await;
        page.shows("#room-members li", "alice").await;
    }
    say(&bob, "hello, everybody").await;
    alice.shows("#messages .theirs .text", "hello, everybody").await;
    alice.shows("#messages .theirs .meta", "bob").await;
    say(&alice, "a word too much").await;
    bob.shows("#messages .theirs .text", "a word too much").await;
    alice.click("#messages .mine button", "Take back").await;
    bob.shows("#messages .theirs .text", "This message was taken back.")
        .await;

    // Another visit finds the room, and what was said in it.
    alice.open(&url).await;
    log_in(&alice, "alice").await;
    alice.click("#contacts .choose", "the team").await;
    alice.shows("#messages .text", "hello, everybody").await;
    bob.click("#room-leave", "Leave the room").await;
    bob.shows("#announcements", "You have left the room.").await;
    bob.until("document.getElementById('room-panel').hidden").await;
    alice.click("#room-look", "Who is in it now").await;
    alice
        .until("document.getElementById('room-members').children.length === 1")
        .await;
    nothing_is_wrong(&cluster, &alice);
    nothing_is_wrong(&cluster, &bob);
}
