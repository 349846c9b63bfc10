//! `tim-operator check --url`: one GET, for images without a shell.

use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::process::ExitCode;
use std::time::Duration;
use tim_catalogue::Report;
use tim_catalogue::command_line::{SERVER_UNREACHABLE, USAGE};

/// How long the answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn run(url: &str) -> ExitCode {
    let Ok(address) = url.parse() else {
        return failed(&Report::new(&USAGE, format!("\"{url}\" is no URL")), 2);
    };
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<axum::body::Bytes>>();
    let observed = match tokio::time::timeout(TIMEOUT, client.get(address)).await {
        Ok(Ok(answer)) if answer.status().is_success() => return ExitCode::SUCCESS,
        Ok(Ok(answer)) => format!("{url} answers {}", answer.status()),
        Ok(Err(error)) => format!("{url}: {error}"),
        Err(_) => format!("{url} does not answer in {} s", TIMEOUT.as_secs()),
    };
    failed(&Report::new(&SERVER_UNREACHABLE, observed), 1)
}

#[allow(clippy::print_stderr, reason = "the message of a command that failed")]
fn failed(report: &Report, exit_code: u8) -> ExitCode {
    eprintln!("tim-operator: {report}");
    ExitCode::from(exit_code)
}
