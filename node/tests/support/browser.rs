//! A real browser, driven over the DevTools protocol: just the few commands that the tests of the chat page need.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

/// How long a page may take to show what is waited for.
const PAGE_PATIENCE: Duration = Duration::from_secs(20);
/// How long the browser may take to start.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// What the browser was told to do, waiting for its answer.
struct Asked {
    command: Value,
    answer: oneshot::Sender<Value>,
}

/// What the browser reports by itself: session, method, parameters.
type Report = (String, String, Value);

/// A headless Chromium with an empty profile, kept on the loopback. Dropping it ends it.
pub struct Browser {
    process: Child,
    commands: mpsc::UnboundedSender<Asked>,
    next: Arc<AtomicU64>,
    reports: Arc<parking_lot::Mutex<Vec<Report>>>,
    _profile: TempDir,
}

/// One page in a profile of its own, as if it were another person's browser.
pub struct Page {
    commands: mpsc::UnboundedSender<Asked>,
    next: Arc<AtomicU64>,
    session: String,
    reports: Arc<parking_lot::Mutex<Vec<Report>>>,
}

impl Browser {
    /// Starts `chromium`, or the program that `TIM_TEST_CHROMIUM` names.
    pub async fn start() -> Self {
        let program = std::env::var("TIM_TEST_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        let profile = TempDir::new().unwrap();
        let process = Command::new(&program)
            .args([
                "--headless",
                "--remote-debugging-port=0",
                "--no-sandbox",
                "--no-first-run",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} does not start: {error}; apt-get install chromium"));
        let url = Self::address(&profile).await;
        let (socket, _) = connect_async(url).await.unwrap();
        let (commands, asked) = mpsc::unbounded_channel();
        let reports = Arc::default();
        tokio::spawn(converse(socket, asked, Arc::clone(&reports)));
        Self {
            process,
            commands,
            next: Arc::new(AtomicU64::new(1)),
            reports,
            _profile: profile,
        }
    }

    /// The browser writes its port into a file, and tells nobody when it has.
    async fn address(profile: &TempDir) -> String {
        let file = profile.path().join("DevToolsActivePort");
        let written = async {
            loop {
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                if let Some((port, path)) = text.trim().split_once('\n') {
                    return format!("ws://127.0.0.1:{port}{path}");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(START_PATIENCE, written).await;
        waited.expect("the browser has not opened its port")
    }

    /// A page with a profile of its own.
    pub async fn page(&self, url: &str) -> Page {
        let whole = Page {
            commands: self.commands.clone(),
            next: Arc::clone(&self.next),
            session: String::new(),
            reports: Arc::clone(&self.reports),
        };
        let context = whole.command("Target.createBrowserContext", json!({})).await;
        let target = json!({"url": "about:blank", "browserContextId": context["browserContextId"]});
        let target = whole.command("Target.createTarget", target).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = whole.command("Target.attachToTarget", attach).await;
        let page = Page {
            session: attached["sessionId"].as_str().unwrap().to_owned(),
            ..whole
        };
        for domain in ["Page", "Runtime", "Network", "Log", "Audits"] {
            page.command(&format!("{domain}.enable"), json!({})).await;
        }
        // A page that is not in front counts as hidden, as for a person.
        let focused = json!({"enabled": true});
        page.command("Emulation.setFocusEmulationEnabled", focused).await;
        // The cluster's own authority is nobody that browsers know.
        page.command("Security.setIgnoreCertificateErrors", json!({"ignore": true}))
            .await;
        page.open(url).await;
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn converse<S>(
    socket: S,
    mut asked: mpsc::UnboundedReceiver<Asked>,
    reports: Arc<parking_lot::Mutex<Vec<Report>>>,
) where
    S: StreamExt<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + SinkExt<Message> + Unpin,
{
    let (mut out, mut incoming) = socket.split();
    let mut waiting = std::collections::HashMap::new();
    loop {
        tokio::select! {
            Some(Asked { command, answer }) = asked.recv() => {
                waiting.insert(command["id"].as_u64(), answer);
                let _ = out.send(Message::text(command.to_string())).await;
            }
            Some(Ok(message)) = incoming.next() => {
                let Ok(text) = message.to_text() else { continue };
                let Ok(mut told) = serde_json::from_str::<Value>(text) else { continue };
                if let Some(answer) = waiting.remove(&told["id"].as_u64()) {
                    let _ = answer.send(told);
                } else {
                    let name = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    reports.lock().push((name(&told["sessionId"]), name(&told["method"]), told["params"].take()));
                }
            }
            else => return,
        }
    }
}

impl Page {
    /// One command; its result.
    pub async fn command(&self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params).await;
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut command = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        let (answer, answered) = oneshot::channel();
        self.commands.send(Asked { command, answer }).ok().unwrap();
        answered.await.expect("the browser has gone")
    }

    /// Opens an address, and waits for the page's scripts.
    pub async fn open(&self, url: &str) {
        self.command("Page.navigate", json!({"url": url})).await;
        self.until("document.readyState === 'complete' && !document.getElementById('not-started')")
            .await;
    }

    /// The value of an expression, promises awaited.
    pub async fn evaluate(&self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let told = self.command("Runtime.evaluate", asked).await;
        let thrown = &told["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}\n{thrown}");
        told["result"]["value"].clone()
    }

    /// Waits until an expression is true; it is looked at whenever the page changes.
    pub async fn until(&self, expression: &str) {
        let script = format!(
            "new Promise((done) => {{
                const holds = () => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }};
                const watcher = new MutationObserver(() => holds() && end(true));
                const late = setTimeout(() => end(holds()), {});
                const end = (held) => {{ watcher.disconnect(); clearTimeout(late); done(held); }};
                if (holds()) return end(true);
                watcher.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
                document.addEventListener('readystatechange', () => holds() && end(true));
            }})",
            PAGE_PATIENCE.as_millis()
        );
        let deadline = std::time::Instant::now() + PAGE_PATIENCE;
        loop {
            let asked = json!({"expression": script, "awaitPromise": true, "returnByValue": true});
            let told = self.ask("Runtime.evaluate", asked).await;
            if told["result"]["result"]["value"] == json!(true) {
                return;
            }
            // A page that is being replaced takes the question with it, which is an error; then it is put again.
            if told["error"].is_null() || std::time::Instant::now() > deadline {
                let seen = self.evaluate("document.body.innerText").await;
                panic!(
                    "never: {expression}\nthe page:\n{}\ntroubles: {:#?}",
                    seen.as_str().unwrap_or_default(),
                    self.troubles()
                );
            }
        }
    }

    /// Waits until an element that is shown has a text in it.
    pub async fn shows(&self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        self.until(&format!(
            "[...document.querySelectorAll({selector})].some((each) => each.checkVisibility() && each.textContent.includes({text}))"
        ))
        .await;
    }

    /// The text of an element.
    pub async fn text(&self, selector: &str) -> String {
        let text = self
            .evaluate(&format!(
                "document.querySelector({}).textContent",
                json!(selector)
            ))
            .await;
        text.as_str().unwrap().to_owned()
    }

    /// Writes into a field that was emptied, as from a keyboard.
    pub async fn fill(&self, selector: &str, text: &str) {
        let selector = json!(selector);
        self.evaluate(&format!(
            "(() => {{ const field = document.querySelector({selector}); field.focus(); field.select(); }})()"
        ))
        .await;
        self.write(text).await;
    }

    /// Writes where the caret is.
    pub async fn write(&self, text: &str) {
        self.command("Input.insertText", json!({"text": text})).await;
    }

    /// Clicks the first element shown whose text is `label`, once it is there.
    pub async fn click(&self, selector: &str, label: &str) {
        let (selector, label) = (json!(selector), json!(label));
        let find = format!(
            "[...document.querySelectorAll({selector})].find((each) => each.checkVisibility() && each.textContent.includes({label}))"
        );
        self.until(&find).await;
        self.evaluate(&format!("{find}.click()")).await;
    }

    /// Presses a key that writes nothing, or Enter.
    pub async fn press(&self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "char", "keyUp"] {
            if kind == "char" && key != "Enter" {
                continue;
            }
            let text = if kind == "char" { "\r" } else { "" };
            let event =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.command("Input.dispatchKeyEvent", event).await;
        }
    }

    /// The mouse at a place of the window.
    pub async fn mouse(&self, kind: &str, x: f64, y: f64) {
        let buttons = u8::from(kind != "mouseReleased");
        let event =
            json!({"type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1});
        self.command("Input.dispatchMouseEvent", event).await;
    }

    /// Everything the page has asked a server for.
    pub fn requests(&self) -> Vec<String> {
        let mine = self.reported();
        let urls = mine.iter().filter_map(|(method, params)| match method.as_str() {
            "Network.requestWillBeSent" => params["request"]["url"].as_str(),
            "Network.webSocketCreated" => params["url"].as_str(),
            _ => None,
        });
        urls.map(str::to_owned).collect()
    }

    /// Errors of scripts, what was logged as one, and what breaks the page's policy.
    pub fn troubles(&self) -> Vec<String> {
        let is_trouble = |(method, params): &(String, Value)| match method.as_str() {
            "Runtime.exceptionThrown" | "Audits.issueAdded" => true,
            "Runtime.consoleAPICalled" => params["type"] != "log",
            "Log.entryAdded" => matches!(params["entry"]["level"].as_str(), Some("error" | "warning")),
            _ => false,
        };
        let mine = self.reported();
        let troubles = mine.iter().filter(|report| is_trouble(report));
        troubles
            .map(|(method, params)| format!("{method} {params}"))
            .collect()
    }

    fn reported(&self) -> Vec<(String, Value)> {
        let reports = self.reports.lock();
        let mine = reports.iter().filter(|(session, ..)| *session == self.session);
        mine.map(|(_, method, params)| (method.clone(), params.clone()))
            .collect()
    }
}
