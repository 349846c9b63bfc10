//! What people write never becomes markup.

use crate::people::{friends, nothing_is_wrong, say};
use crate::streams::{open_stream, watch};
use crate::support::Cluster;
use crate::support::browser::Browser;
use serde_json::json;

/// Names and messages that would do something if they ever became markup.
const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";

#[tokio::test]
#[ignore = "needs Chromium: e2e/test-all.sh browser"]
async fn names_requests_messages_and_streams_never_become_markup() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let browser = Browser::start().await;
    let name = "<b onclick=1>mallory</b>";
    let (mallory, bob) = friends(&cluster, &browser, [name, "bob"]).await;
    say(&mallory, HOSTILE).await;
    bob.shows("#messages .theirs .text", HOSTILE).await;
    mallory.fill("#status", HOSTILE).await;
    mallory.click("#status-form button", "Set").await;
    bob.shows("#contacts .about", HOSTILE).await;
    let room = open_stream(&mallory).await;
    watch(&bob, &room).await;
    mallory.fill("#stream-text", HOSTILE).await;
    mallory.click("#stream-push button", "Push").await;
    bob.shows("#stream-lines li", HOSTILE).await;
    for page in [&mallory, &bob] {
        let made = page
            .evaluate("document.querySelectorAll('img, b, body script').length")
            .await;
        assert_eq!(made, json!(0));
        assert_ne!(page.evaluate("document.title").await, json!("owned"));
        nothing_is_wrong(&cluster, page);
    }
    // Text that is put in as markup is refused by the browser itself, should it ever be tried.
    let refused = bob
        .evaluate(
            "(() => { try { document.body.innerHTML = '<i></i>'; return false; } catch { return true; } })()",
        )
        .await;
    assert_eq!(refused, json!(true));
}
