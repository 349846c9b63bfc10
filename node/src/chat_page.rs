//! The chat page on `/chat`: a client for the browser, of plain files that are part of the program.
//!
//! It speaks the JSON form of the protocol with this very port and asks nobody else for anything; the policy sent along
//! has browsers hold it to that. Names and messages of strangers are shown there, so text can never become markup:
//! `require-trusted-types-for` has the browser refuse every attempt.

use axum::Router;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use sha2::{Digest as _, Sha256};

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const IMAGE: &str = "image/svg+xml";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What a browser may do on the page. `'self'` of `connect-src` covers the WebSocket of the same host and port.
const POLICY: &str = "default-src 'self'; connect-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// Sent with each file. Browsers keep the files and ask each time whether they are still the ones: a page must not be put
/// together of two versions after an upgrade.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-cache"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// One file: its path on the port, its type, what is in it.
struct File {
    path: &'static str,
    content_type: &'static str,
    content: &'static str,
}

macro_rules! files {
    ($($path:literal $content_type:ident $file:literal),* $(,)?) => {
        &[$(File {
            path: $path,
            content_type: $content_type,
            content: include_str!(concat!("../chat/", $file)),
        }),*]
    };
}

const FILES: &[File] = files![
    "/chat" HTML "index.html",
    "/chat/app.css" STYLE "app.css",
    "/chat/icon.svg" IMAGE "icon.svg",
    "/chat/account.js" SCRIPT "account.js",
    "/chat/app.js" SCRIPT "app.js",
    "/chat/backoff.js" SCRIPT "backoff.js",
    "/chat/chat.js" SCRIPT "chat.js",
    "/chat/contacts.js" SCRIPT "contacts.js",
    "/chat/contacts_view.js" SCRIPT "contacts_view.js",
    "/chat/conversation.js" SCRIPT "conversation.js",
    "/chat/conversation_view.js" SCRIPT "conversation_view.js",
    "/chat/dom.js" SCRIPT "dom.js",
    "/chat/drawing.js" SCRIPT "drawing.js",
    "/chat/errors.js" SCRIPT "errors.js",
    "/chat/login_view.js" SCRIPT "login_view.js",
    "/chat/memory.js" SCRIPT "memory.js",
    "/chat/names.js" SCRIPT "names.js",
    "/chat/rooms.js" SCRIPT "rooms.js",
    "/chat/rooms_view.js" SCRIPT "rooms_view.js",
    "/chat/session.js" SCRIPT "session.js",
    "/chat/stream_view.js" SCRIPT "stream_view.js",
    "/chat/wire.js" SCRIPT "wire.js",
];

/// The routes of the page.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    // Relative links of the page are meant from `/chat`.
    let start = Router::new().route("/chat/", get(|| async { Redirect::permanent("../chat") }));
    FILES.iter().fold(start, |router, file| {
        let tag = tag(file.content);
        router.route(
            file.path,
            get(move |asked: HeaderMap| async move { answer(file, &tag, &asked) }),
        )
    })
}

/// What tells one version of a file from another.
fn tag(content: &str) -> String {
    let digest = Sha256::digest(content.as_bytes());
    let short: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{short}\"")
}

fn answer(file: &File, tag: &str, asked: &HeaderMap) -> Response {
    let known = asked.get_all(header::IF_NONE_MATCH).iter();
    let has_it = known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*");
    let entity = [(header::ETAG, tag)];
    if has_it {
        return (StatusCode::NOT_MODIFIED, HEADERS, entity).into_response();
    }
    let kind = [(header::CONTENT_TYPE, file.content_type)];
    (HEADERS, entity, kind, file.content).into_response()
}
