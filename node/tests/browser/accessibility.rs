//! Whether the page is readable: contrast, width, motion, and the rules of axe.

use crate::people::{address, friends, nothing_is_wrong, say};
use crate::streams::open_stream;
use crate::support::Cluster;
use crate::support::browser::{Browser, Page};
use serde_json::json;

/// Every text that is shown, with too little contrast to what is behind it (WCAG 2.2: 4.5 to 1).
const TOO_FAINT: &str = "(() => {
    const parse = (text) => text.match(/[0-9.]+/g).map(Number);
    const light = (channel) => (channel /= 255) <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
    const luminance = ([red, green, blue]) => 0.2126 * light(red) + 0.7152 * light(green) + 0.0722 * light(blue);
    const behind = (each) => {
        const [red, green, blue, alpha = 1] = parse(getComputedStyle(each).backgroundColor);
        return alpha > 0 || !each.parentElement ? [red, green, blue] : behind(each.parentElement);
    };
    const contrast = (each) => {
        const [one, other] = [parse(getComputedStyle(each).color), behind(each)].map(luminance);
        return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    };
    const hasText = (each) => [...each.childNodes].some(({ nodeType, data }) => nodeType === 3 && data.trim());
    return [...document.body.querySelectorAll('*')]
        .filter((each) => each.checkVisibility() && hasText(each) && contrast(each) < 4.5)
        .map((each) => `${contrast(each)} ${each.outerHTML}`);
})()";

#[tokio::test]
#[ignore = "needs Chromium: e2e/test-all.sh browser"]
async fn every_theme_is_readable_nothing_moves_and_a_narrow_window_is_enough() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let browser = Browser::start().await;
    let (alice, bob) = friends(&cluster, &browser, ["alice", "bob"]).await;
    say(&alice, "hello").await;
    alice.shows("#messages .mine .meta", "stored as number").await;
    say(&bob, "hello").await;
    alice.shows("#messages .theirs .text", "hello").await;
    let themes = [
        ("prefers-color-scheme", "light"),
        ("prefers-color-scheme", "dark"),
        ("forced-colors", "active"),
        ("prefers-reduced-motion", "reduce"),
    ];
    for (name, value) in themes {
        let media = json!({"features": [{"name": name, "value": value}]});
        alice.command("Emulation.setEmulatedMedia", media).await;
        assert_eq!(alice.evaluate(TOO_FAINT).await, json!([]), "{name}: {value}");
        assert_eq!(alice.evaluate("document.getAnimations().length").await, json!(0));
    }
    // As wide as a telephone, or a window at 400 percent.
    let narrow = json!({"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": false});
    alice.command("Emulation.setDeviceMetricsOverride", narrow).await;
    let wide = "document.documentElement.scrollWidth";
    assert!(alice.evaluate(wide).await.as_u64().unwrap() <= 320);
    nothing_is_wrong(&cluster, &alice);
}

/// What axe finds wrong with the page as it is now: the rule, and where it is broken.
async fn accessibility_violations(page: &Page, axe: &str) -> Vec<String> {
    page.evaluate(&format!("{axe}; undefined")).await;
    let found = "axe.run(document, { resultTypes: ['violations'] }).then(({ violations, passes }) => ({ passes: passes.length, \
        violations: violations.map((each) => `${each.id}: ${each.help}: ${each.nodes.map((node) => node.html).join(' ')}`) }))";
    let told = page.evaluate(found).await;
    assert!(
        told["passes"].as_u64().is_some_and(|passes| passes > 10),
        "{told}"
    );
    let found = told["violations"].as_array().into_iter().flatten();
    found.map(ToString::to_string).collect()
}

#[tokio::test]
#[ignore = "needs Chromium and axe-core: e2e/test-all.sh browser"]
async fn no_state_of_the_page_breaks_a_rule_of_accessibility() {
    let file = std::env::var("TIM_TEST_AXE")
        .expect("TIM_TEST_AXE names axe.min.js: e2e/test-all.sh browser brings it");
    let axe = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let cluster = Cluster::start(1, &["d0"]).await;
    let browser = Browser::start().await;
    let fresh = browser.page(&address(&cluster)).await;
    let (alice, bob) = friends(&cluster, &browser, ["alice", "bob"]).await;
    say(&alice, "hello").await;
    bob.shows("#messages .theirs .text", "hello").await;
    alice.click("#messages .mine button", "Take back").await;
    bob.shows("#messages li", "This message was taken back").await;
    say(&bob, "hello as well").await;
    alice.shows("#messages .theirs .text", "hello as well").await;
    alice.click("#rooms summary", "Rooms").await;
    alice.fill("#topic", "the team").await;
    alice.click("#room-new-form button", "Make the room").await;
    alice.click("#contacts .choose", "the team").await;
    alice.shows("#room-members li", "alice").await;
    open_stream(&bob).await;
    fresh.fill("#name", "alice").await;
    fresh.fill("#password", "wrong").await;
    fresh.click("#login-form button", "Log in").await;
    fresh.shows("#login-error", "Name or password is wrong").await;
    for colours in ["light", "dark"] {
        for page in [&fresh, &alice, &bob] {
            let emulated = json!({"features": [{"name": "prefers-color-scheme", "value": colours}]});
            page.command("Emulation.setEmulatedMedia", emulated).await;
            let found = accessibility_violations(page, &axe).await;
            assert_eq!(found, Vec::<String>::new(), "{colours}");
        }
    }
    // The rules do see what is wrong.
    alice
        .evaluate("document.querySelector('label[for=text]').remove()")
        .await;
    let found = accessibility_violations(&alice, &axe).await;
    assert!(found.iter().any(|each| each.starts_with("\"label:")), "{found:?}");
}
