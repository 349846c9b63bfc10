//! The chat page in a real Chromium against a real node: what two people see of each other, and what the browser saw of
//! the page. `e2e/test-all.sh browser` brings Chromium and runs these; without it they would fail, so `cargo test` leaves
//! them out.

mod support;

use serde_json::json;
use support::Cluster;
use support::browser::{Browser, Page};
use tim_wire::IdScheme;

/// Names and messages that would do something if they ever became markup.
const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
const ENTER: u32 = 13;
const TAB: u32 = 9;

fn address(cluster: &Cluster) -> String {
    let scheme = if cluster.client_tls { "https" } else { "http" };
    format!("{scheme}://127.0.0.1:{}/chat", cluster.nodes[0].client_port)
}

async fn register(page: &Page, name: &str) -> String {
    page.fill("#name", name).await;
    page.fill("#password", "secret").await;
    page.click("#register", "Register").await;
    page.shows("#connection", "Online").await;
    page.until("document.getElementById('my-address')?.textContent")
        .await;
    page.text("#my-address").await
}

async fn log_in(page: &Page, name: &str) {
    page.fill("#name", name).await;
    page.fill("#password", "secret").await;
    page.click("#login-form button", "Log in").await;
    page.shows("#connection", "Online").await;
}

/// Two people who have registered and become friends, each looking at the other's conversation.
async fn friends(cluster: &Cluster, browser: &Browser, names: [&str; 2]) -> (Page, Page) {
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

async fn say(page: &Page, text: &str) {
    page.fill("#text", text).await;
    page.press("Enter", ENTER).await;
}

/// The browser has nothing to complain about, and nobody but the node was asked for anything.
fn nothing_is_wrong(cluster: &Cluster, page: &Page) {
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

async fn open_stream(page: &Page) -> String {
    page.evaluate("document.getElementById('stream').open = true")
        .await;
    page.click("#stream-create", "Open a stream").await;
    page.shows("#stream-state", "Your stream is open").await;
    page.text("#stream-id").await
}

async fn watch(page: &Page, room: &str) {
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
