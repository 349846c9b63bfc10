//! One request: signed, bounded in time, and accepted or not.

use crate::outgoing::Outgoing;
use aws_lc_rs::hmac;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use std::path::Path;
use std::time::Duration;

/// Longest secret that is read.
const SECRET_BYTES_MAX: usize = 4_096;

/// Posts events; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Poster(Outgoing);

impl Poster {
    pub(super) fn new(timeout: Duration) -> Self {
        Self(Outgoing::new(timeout))
    }

    /// Posts a body; why it was not accepted. Nothing of it is in what is told.
    pub(super) async fn post(
        &self,
        url: &str,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> Result<(), String> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header("content-type", "application/json")
            .header("user-agent", concat!("tim-node/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| format!("the request cannot be made: {error}"))?;
        let answer = self.0.send(request).await?;
        // A redirection is not followed: what is signed for one address is for nobody else.
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("answered {}", status.as_u16())),
        }
    }
}

/// The headers that let the receiver see that we sent this body, and when. `docs/how-to/webhooks.md` tells how.
pub(super) fn signature(secret: &[u8], unix_seconds: i64, body: &[u8]) -> Vec<(&'static str, String)> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{unix_seconds}.").as_bytes());
    context.update(body);
    let tag = context.sign();
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        ("tim-timestamp", unix_seconds.to_string()),
        ("tim-signature", format!("v1={digits}")),
    ]
}

/// The secret as the file holds it now, without the end of its line.
pub(super) async fn secret(file: &Path) -> Result<Vec<u8>, String> {
    let read = tokio::fs::read(file).await;
    let mut secret = read.map_err(|error| format!("{} (webhooks.secret_file): {error}", file.display()))?;
    let end = secret.trim_ascii_end().len();
    secret.truncate(end);
    match secret.len() {
        1..=SECRET_BYTES_MAX => Ok(secret),
        bytes => Err(format!(
            "{} (webhooks.secret_file): {bytes} bytes; 1 to {SECRET_BYTES_MAX} are needed",
            file.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value that `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret` prints.
    #[test]
    fn the_signature_is_what_receivers_compute() {
        let headers = signature(b"secret", 1_700_000_000, br#"{"a":1}"#);
        assert_eq!(headers[0], ("tim-timestamp", "1700000000".to_owned()));
        assert_eq!(
            headers[1].1,
            "v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
        );
    }

    #[tokio::test]
    async fn a_secret_is_a_line_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "hush\n").unwrap();
        assert_eq!(secret(&file).await.unwrap(), b"hush");
        std::fs::write(&file, "\n").unwrap();
        assert!(secret(&file).await.unwrap_err().contains("0 bytes"));
        assert!(secret(&folder.path().join("none")).await.is_err());
    }
}
