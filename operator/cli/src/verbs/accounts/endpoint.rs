//! The call that imports accounts.

use crate::failure::{Failure, Outcome, chain};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;

/// Where accounts are imported.
const PATH: &str = "/api/v1/accounts/import";
/// How long one call may take: longer than a node gives it.
const CALL_LIMIT: Duration = Duration::from_secs(60);
/// How often a call is made that fails for a reason that may pass, and how long after the one before.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);
/// Largest answer in bytes: every line of a batch refused.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What became of a batch.
#[derive(Debug, Deserialize)]
pub(super) struct Imported {
    pub(super) created: u64,
    pub(super) existing: u64,
    pub(super) refused: Vec<Refused>,
}

/// A line that was not taken, by its number in the batch.
#[derive(Debug, Deserialize)]
pub(super) struct Refused {
    pub(super) line: u64,
    pub(super) reason: String,
}

/// What a node says when it takes nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    detail: String,
    remedy: String,
}

/// A node's listener for administrators.
pub(super) struct Endpoint {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    authorization: String,
}

/// Why a call has no result, and whether the same may have one a moment later.
struct Failed {
    reason: String,
    passes: bool,
}

impl Endpoint {
    /// # Errors
    /// An address, a token or a certificate authority that is none.
    pub(super) fn new(url: &str, token: &str, authority: Option<&Path>) -> Outcome<Self> {
        let wrong = |what: &str| {
            Failure::usage(format!("--url: {what}"))
                .remedy("--url https://HOST:PORT, the node's admin listener")
        };
        if !(url.starts_with("http://") || url.starts_with("https://")) || url.contains(['@', '?', '#']) {
            return Err(wrong("not an address of the form http://HOST:PORT"));
        }
        let uri: Uri = format!("{}{PATH}", url.trim_end_matches('/'))
            .parse()
            .map_err(|_| wrong("not an address"))?;
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                Failure::usage("--token-file: holds no token").remedy("tim-node admin-token makes one")
            );
        }
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector(authority)?),
            uri,
            authorization: format!("Bearer {token}"),
        })
    }

    /// Hands a batch in, again after what may pass: accounts that are there stay as they are.
    ///
    /// # Errors
    /// The last reason.
    pub(super) async fn import(&self, body: &[u8]) -> Result<Imported, String> {
        let mut attempt = 1;
        loop {
            let call = tokio::time::timeout(CALL_LIMIT, self.call(body));
            let failed = match call.await {
                Ok(Ok(imported)) => return Ok(imported),
                Ok(Err(failed)) => failed,
                Err(_) => Failed {
                    reason: format!("no answer within {} s", CALL_LIMIT.as_secs()),
                    passes: true,
                },
            };
            if !failed.passes || attempt == ATTEMPTS {
                return Err(failed.reason);
            }
            attempt += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn call(&self, body: &[u8]) -> Result<Imported, Failed> {
        let fails = |reason: String, passes| Failed { reason, passes };
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.uri)
            .header("authorization", &self.authorization)
            .header("content-type", "application/x-ndjson")
            .body(Full::new(Bytes::copy_from_slice(body)));
        let request = request.map_err(|error| fails(chain(&error), false))?;
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| fails(chain(&error), true))?;
        let status = answer.status();
        let read = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let read = read.map_err(|error| fails(error.to_string(), true))?.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&read)
                .map_err(|error| fails(format!("the answer is not understood: {error}"), false));
        }
        let problem: Problem = serde_json::from_slice(&read).unwrap_or_default();
        let told = match problem.code.as_str() {
            "" => format!("answered {status}"),
            code => format!("{code} {}. try: {}", problem.detail, problem.remedy),
        };
        let passes = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        Err(fails(told, passes))
    }
}

fn connector(authority: Option<&Path>) -> Outcome<HttpsConnector<HttpConnector>> {
    let builder = HttpsConnectorBuilder::new();
    let builder = match authority {
        None => builder
            .with_native_roots()
            .map_err(|error| Failure::unexpected(&error))?,
        Some(file) => {
            let unusable = |reason: String| Failure::usage(format!("--ca-file {}: {reason}", file.display()));
            let mut roots = rustls::RootCertStore::empty();
            let read = CertificateDer::pem_file_iter(file).map_err(|error| unusable(error.to_string()))?;
            for certificate in read {
                let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| unusable(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unusable("holds no certificate".to_owned()));
            }
            let config = rustls::ClientConfig::builder().with_root_certificates(roots);
            builder.with_tls_config(config.with_no_client_auth())
        }
    };
    Ok(builder.https_or_http().enable_http1().build())
}
