//! Finding people by their names.

use crate::people::{address, friends, nothing_is_wrong, register};
use crate::support::Cluster;
use crate::support::browser::Browser;
use serde_json::json;
use tim_wire::IdScheme;

#[tokio::test]
#[ignore = "needs Chromium: e2e/test-all.sh browser"]
async fn people_are_found_by_their_names() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let browser = Browser::start().await;
    let url = address(&cluster);
    let (alice, bob) = tokio::join!(browser.page(&url), browser.page(&url));
    register(&alice, "alice").await;
    register(&bob, "bob 哈").await;
    // What the page makes of a name is what servers make of it.
    let ids = IdScheme::default();
    for name in [
        "alice",
        "bob 哈",
        "",
        "a much longer name than anybody has, with spaces",
    ] {
        let made = format!(
            "import('./chat/names.js').then((names) => names.addressOf({}))",
            json!(name)
        );
        assert_eq!(
            alice.evaluate(&made).await,
            json!(ids.account_id(name, "")),
            "{name}"
        );
    }
    alice.fill("#address", "bob 哈").await;
    alice.click("#add-form button", "Ask to be friends").await;
    bob.shows("#contacts .about", "asks to be your friend").await;
    bob.click("#contacts button", "Accept").await;
    alice.shows("#contacts .about", "online").await;
    alice.shows("#contacts .name", "bob 哈").await;
    alice.fill("#address", "nobody").await;
    alice.click("#add-form button", "Ask to be friends").await;
    alice
        .shows(
            "#announcements",
            "There is no account with this name or address. (4106",
        )
        .await;
    nothing_is_wrong(&cluster, &alice);
    nothing_is_wrong(&cluster, &bob);
}

#[tokio::test]
#[ignore = "needs Chromium: e2e/test-all.sh browser"]
async fn where_names_tell_no_addresses_the_page_asks_for_addresses() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.extra = "[accounts]\nsalt = \"another\"\n".to_owned();
    cluster.run_all().await;
    let browser = Browser::start().await;
    let (alice, bob) = friends(&cluster, &browser, ["alice", "bob"]).await;
    alice.shows(".whom", "Address of somebody").await;
    let others =
        "[...document.querySelectorAll('.whom')].filter((each) => each.textContent.includes('Name')).length";
    assert_eq!(alice.evaluate(others).await, json!(0));
    nothing_is_wrong(&cluster, &alice);
    nothing_is_wrong(&cluster, &bob);
}
