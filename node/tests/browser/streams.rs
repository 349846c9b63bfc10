//! Live streams on the page.

use crate::people::{address, nothing_is_wrong, register};
use crate::support::Cluster;
use crate::support::browser::{Browser, Page};

pub(crate) async fn open_stream(page: &Page) -> String {
    page.evaluate("document.getElementById('stream').open = true")
        .await;
    page.click("#stream-create", "Open a stream").await;
    page.shows("#stream-state", "Your stream is open").await;
    page.text("#stream-id").await
}

pub(crate) async fn watch(page: &Page, room: &str) {
    page.evaluate("document.getElementById('stream').open = true")
        .await;
    page.fill("#room", room).await;
    page.click("#stream-subscribe button", "Watch").await;
    page.shows("#stream-state", "You are watching").await;
}

#[tokio::test]
#[ignore = "needs Chromium: e2e/test-all.sh browser"]
async fn who_watches_a_stream_sees_text_and_strokes_by_mouse_and_by_keys() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let browser = Browser::start().await;
    let url = address(&cluster);
    let (painter, watcher) = tokio::join!(browser.page(&url), browser.page(&url));
    register(&painter, "painter").await;
    register(&watcher, "watcher").await;
    let room = open_stream(&painter).await;
    watch(&watcher, &room).await;
    painter.fill("#stream-text", "look").await;
    painter.click("#stream-push button", "Push").await;
    watcher.shows("#stream-lines li", "look").await;

    let place = "(() => { const canvas = document.getElementById('stream-canvas'); canvas.scrollIntoView(); \
        const box = canvas.getBoundingClientRect(); return [box.left, box.top]; })()";
    let place = painter.evaluate(place).await;
    let at = |index: usize| place[index].as_f64().unwrap() + 40.0;
    painter.mouse("mousePressed", at(0), at(1)).await;
    for step in 1..10 {
        painter
            .mouse("mouseMoved", at(0) + f64::from(step) * 8.0, at(1) + 20.0)
            .await;
    }
    painter.mouse("mouseReleased", at(0) + 80.0, at(1) + 20.0).await;
    let strokes = "Number(document.getElementById('stream-canvas').ariaDescription?.split(': ')[1] ?? 0)";
    // A stroke is sent in pieces, before whatever is pushed after it.
    painter.fill("#stream-text", "painted").await;
    painter.click("#stream-push button", "Push").await;
    watcher.shows("#stream-lines li", "painted").await;
    let drawn = "(() => { const canvas = document.getElementById('stream-canvas'); \
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height); \
        return data.filter((value, index) => index % 4 === 3 && value > 0).length; })()";
    let by_mouse = watcher.evaluate(drawn).await.as_u64().unwrap();
    assert!(by_mouse > 50, "{by_mouse} dots of the stroke");
    painter
        .evaluate("document.getElementById('stream-canvas').focus()")
        .await;
    let before = watcher.evaluate(strokes).await;
    for _ in 0..3 {
        painter.press("ArrowRight", 39).await;
    }
    watcher.until(&format!("{strokes} > {before}")).await;

    watcher.fill("#room", "nonsense").await;
    watcher.click("#stream-subscribe button", "Watch").await;
    watcher
        .shows("#stream-state", "This is not the id of a stream. (4104")
        .await;
    nothing_is_wrong(&cluster, &painter);
    nothing_is_wrong(&cluster, &watcher);
}
