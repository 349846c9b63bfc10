//! People at the page: how they register, meet and write, and what has to be so in the end.

use crate::support::Cluster;
use crate::support::browser::{Browser, Page};

pub(crate) const ENTER: u32 = 13;

pub(crate) fn address(cluster: &Cluster) -> String {
    let scheme = if cluster.client_tls { "https" } else { "http" };
    format!("{scheme}://127.0.0.1:{}/chat", cluster.nodes[0].client_port)
}

pub(crate) async fn register(page: &Page, name: &str) -> String {
    page.fill("#name", name).await;
    page.fill("#password", "secret").await;
    page.click("#register", "Register").await;
    page.shows("#connection", "Online").await;
    page.until("document.getElementById('my-address')?.textContent")
        .await;
    page.text("#my-address").await
}

pub(crate) async fn log_in(page: &Page, name: &str) {
    page.fill("#name", name).await;
    page.fill("#password", "secret").await;
    page.click("#login-form button", "Log in").await;
    page.shows("#connection", "Online").await;
}

/// Two people who have registered and become friends, each looking at the other's conversation.
pub(crate) async fn friends(cluster: &Cluster, browser: &Browser, names: [&str; 2]) -> (Page, Page) {
    let url = address(cluster);
    let (alice, bob) = tokio::join!(browser.page(&url), browser.page(&url));
    register(&alice, names[0]).await;
    let bobs = register(&bob, names[1]).await;
    alice.fill("#address", &bobs).await;
    alice.fill("#add-text", "it is me").await;
    alice.click("#add-form button", "Ask to be friends").await;
    bob.shows("#contacts .about", "asks to be your friend: it is me")
        .await;
    bob.click("#contacts button", "Accept").await;
    for (page, peer) in [(&alice, names[1]), (&bob, names[0])] {
        page.shows("#contacts .name", peer).await;
        page.shows("#contacts .about", "online").await;
        page.click("#contacts .choose", peer).await;
        page.shows("#peer", peer).await;
    }
    (alice, bob)
}

pub(crate) async fn say(page: &Page, text: &str) {
    page.fill("#text", text).await;
    page.press("Enter", ENTER).await;
}

/// The browser has nothing to complain about, and nobody but the node was asked for anything.
pub(crate) fn nothing_is_wrong(cluster: &Cluster, page: &Page) {
    let mut troubles = page.troubles();
    // Where a test kills the node, the browser logs each attempt to reach it.
    troubles
        .retain(|trouble| !(trouble.contains("WebSocket connection to") && trouble.contains("net::ERR_")));
    assert_eq!(troubles, Vec::<String>::new());
    let authority = format!("://127.0.0.1:{}/", cluster.nodes[0].client_port);
    let requests = page.requests();
    assert!(requests.len() > 10, "{requests:?}");
    let scheme = if cluster.client_tls { "wss://" } else { "ws://" };
    assert!(requests.iter().any(|url| url.starts_with(scheme)), "{requests:?}");
    for url in requests {
        assert!(url.contains(&authority), "{url} is another origin");
    }
}
