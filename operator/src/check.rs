//! `tim-operator check --url`: one GET, for images without a shell.

use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::process::ExitCode;
use std::time::Duration;

/// How long the answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn run(url: &str) -> ExitCode {
    let Ok(address) = url.parse() else {
        tracing::error!(url, "not a URL");
        return ExitCode::from(2);
    };
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<axum::body::Bytes>>();
    match tokio::time::timeout(TIMEOUT, client.get(address)).await {
        Ok(Ok(answer)) if answer.status().is_success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
