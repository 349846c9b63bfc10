//! The page without a mouse.

use crate::people::{ENTER, address, nothing_is_wrong, register};
use crate::support::Cluster;
use crate::support::browser::Browser;
use serde_json::json;

const TAB: u32 = 9;

#[tokio::test]
#[ignore = "needs Chromium: e2e/test-all.sh browser"]
async fn everything_works_by_keyboard_and_errors_are_sentences() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let browser = Browser::start().await;
    let owner = browser.page(&address(&cluster)).await;
    register(&owner, "taken").await;
    let page = browser.page(&address(&cluster)).await;
    // The caret waits in the first field.
    page.write("taken").await;
    page.press("Tab", TAB).await;
    page.write("wrong").await;
    page.press("Enter", ENTER).await;
    page.shows(
        "#login-error",
        "Name or password is wrong, or the account is blocked. (4105",
    )
    .await;
    page.until("document.activeElement.id === 'password'").await;
    for _ in 0..2 {
        page.press("Tab", TAB).await;
    }
    page.press("Enter", ENTER).await;
    page.shows(
        "#login-error",
        "This name is taken: log in, or choose another one. (4101",
    )
    .await;
    register(&page, "free").await;
    page.until("document.activeElement.id === 'address'").await;
    page.write("nonsense").await;
    page.press("Enter", ENTER).await;
    page.shows(
        "#announcements",
        "There is no account with this name or address. (4106",
    )
    .await;
    // Each thing that can be used is reached, has a name, and shows that it has the focus.
    let names = "[...document.querySelectorAll('a, button, input, textarea, canvas, ol[tabindex], summary')]\
        .filter((each) => each.checkVisibility())";
    let nameless = format!(
        "{names}.filter((each) => !(each.labels?.[0]?.textContent || each.ariaLabel || each.textContent).trim()).length"
    );
    assert_eq!(page.evaluate(&nameless).await, json!(0));
    let count = page.evaluate(&format!("{names}.length")).await.as_u64().unwrap();
    page.evaluate("window.reached = new Set(); document.addEventListener('focusin', (event) => reached.add(event.target))")
        .await;
    for _ in 0..=count {
        page.press("Tab", TAB).await;
        // After the last one comes the browser's own surface.
        let outline = "document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle";
        assert_ne!(page.evaluate(outline).await, json!("none"));
    }
    let missed = format!("{names}.filter((each) => !reached.has(each)).map((each) => each.outerHTML)");
    assert_eq!(page.evaluate(&missed).await, json!([]));
    nothing_is_wrong(&cluster, &page);
}
