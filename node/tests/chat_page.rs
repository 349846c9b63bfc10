//! The routes of the chat page: what is served, under which policy, and that it can be switched off.

mod support;

use std::collections::BTreeMap;
use support::{Cluster, http};

/// All files together, without compression.
const PAGE_BYTES_MAX: usize = 150_000;

fn policy(headers: &BTreeMap<String, String>) -> Vec<&str> {
    headers["content-security-policy"].split("; ").collect()
}

/// Addresses of the same folder that a file names.
fn linked(text: &str) -> Vec<String> {
    let quoted = text.split(['"', '\'']);
    let names = quoted.filter_map(|name| name.strip_prefix("./").or_else(|| name.strip_prefix("chat/")));
    names
        .filter(|name| name.contains('.'))
        .map(|name| format!("/chat/{name}"))
        .collect()
}

#[tokio::test]
async fn the_page_and_all_it_links_to_come_with_type_policy_and_tag() {
    let cluster = Cluster::start(1, &["d0"]).await;
    let port = cluster.nodes[0].client_port;
    let (_, start) = http::get(port, "/").await.unwrap();
    assert!(start.contains("href=\"/chat\""), "{start}");
    let mut wanted = vec!["/chat".to_owned()];
    let mut sizes = BTreeMap::new();
    while let Some(path) = wanted.pop() {
        if sizes.contains_key(&path) {
            continue;
        }
        let answer = http::exchange(port, "GET", &path, &[]).await.unwrap();
        assert_eq!(answer.code, 200, "{path}");
        let text = String::from_utf8(answer.body).unwrap();
        let kind = match path.rsplit_once('.').map(|(_, ending)| ending) {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(answer.headers["content-type"], kind, "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["cache-control"], "no-cache");
        assert!(policy(&answer.headers).contains(&"default-src 'self'"));
        assert!(policy(&answer.headers).contains(&"connect-src 'self'"));
        assert!(!answer.headers["content-security-policy"].contains("unsafe"));
        for forbidden in [
            "innerHTML",
            "insertAdjacentHTML",
            "document.write",
            " style=",
            " onclick",
        ] {
            assert!(!text.contains(forbidden), "{path}: {forbidden}");
        }
        assert!(!text.contains("https://"), "{path} names another host");
        wanted.extend(linked(&text));
        let head = http::exchange(port, "HEAD", &path, &[]).await.unwrap();
        assert_eq!((head.code, head.body.len()), (200, 0), "{path}");
        for name in ["etag", "content-type", "content-security-policy"] {
            assert_eq!(head.headers[name], answer.headers[name], "{path}");
        }
        let same = [("If-None-Match", answer.headers["etag"].as_str())];
        let unchanged = http::exchange(port, "GET", &path, &same).await.unwrap();
        assert_eq!((unchanged.code, unchanged.body.len()), (304, 0), "{path}");
        let other = [("If-None-Match", "\"other\"")];
        assert_eq!(
            http::exchange(port, "GET", &path, &other).await.unwrap().code,
            200
        );
        sizes.insert(path, text.len());
    }
    assert!(sizes.contains_key("/chat/wire.js"), "{sizes:?}");
    let total: usize = sizes.values().sum();
    assert!(total < PAGE_BYTES_MAX, "{sizes:?}");
    let beside = http::exchange(port, "GET", "/chat/", &[]).await.unwrap();
    assert_eq!(
        (beside.code, beside.headers["location"].as_str()),
        (308, "../chat")
    );
    let unknown = http::exchange(port, "GET", "/chat/other.js", &[]).await.unwrap();
    assert_eq!(unknown.code, 404);
    let post = http::exchange(port, "POST", "/chat", &[]).await.unwrap();
    assert_eq!(post.code, 405);
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.listeners = "chat_page = false\n".to_owned();
    cluster.run_all().await;
    let port = cluster.nodes[0].client_port;
    assert_eq!(http::get(port, "/chat").await.unwrap().0, 404);
    assert_eq!(http::get(port, "/chat/app.js").await.unwrap().0, 404);
    let (code, start) = http::get(port, "/").await.unwrap();
    assert_eq!(code, 200);
    assert!(!start.contains("href=\"/chat\""), "{start}");
}
