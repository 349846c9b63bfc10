//! Requests over HTTP to others outside: webhooks, keys of other user systems, who looks at logins.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

/// Connections that are kept for the next request.
const IDLE_CONNECTIONS_MAX: usize = 4;

/// Sends requests; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

impl Outgoing {
    pub(crate) fn new(timeout: Duration) -> Self {
        let connector = hyper_rustls::HttpsConnectorBuilder::new();
        let connector = match connector.with_native_roots() {
            Ok(connector) => connector.https_or_http().enable_http1().build(),
            // Then only http:// is of use; a request over https:// says that it trusts nobody.
            Err(_) => {
                let nobody = rustls::RootCertStore::empty();
                let nobody = rustls::ClientConfig::builder().with_root_certificates(nobody);
                let connector =
                    hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(nobody.with_no_client_auth());
                connector.https_or_http().enable_http1().build()
            }
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(connector);
        Self { client, timeout }
    }

    /// The head of the answer; why there is none. Redirections are not followed.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String> {
        self.within_limit(async { self.client.request(request).await.map_err(|error| reason(&error)) })
            .await
    }

    /// The body behind an address, if it has at most so many bytes.
    pub(crate) async fn get(&self, url: &str, bytes_max: usize) -> Result<Bytes, String> {
        let request = Request::get(url).body(Full::default());
        let request = request.map_err(|error| format!("the request cannot be made: {error}"))?;
        self.body(request, bytes_max).await
    }

    /// The body of an answer of success, if it has at most so many bytes.
    pub(crate) async fn body(
        &self,
        request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<Bytes, String> {
        let answer = self.send(request).await?;
        if !answer.status().is_success() {
            return Err(format!("answered {}", answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), bytes_max).collect();
        let body = self.within_limit(async { body.await.map_err(|error| error.to_string()) });
        Ok(body.await?.to_bytes())
    }

    async fn within_limit<T>(&self, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let late = |_| Err(format!("no answer within {} ms", self.timeout.as_millis()));
        tokio::time::timeout(self.timeout, work)
            .await
            .unwrap_or_else(late)
    }
}

/// The error with what lies below it.
fn reason(error: &hyper_util::client::legacy::Error) -> String {
    let mut reasons = error.to_string();
    let mut below = std::error::Error::source(error);
    while let Some(cause) = below {
        reasons = format!("{reasons}: {cause}");
        below = cause.source();
    }
    reasons
}
