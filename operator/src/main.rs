//! Entry point of `tim-operator`: wires settings, telemetry, API server, lease and the two controllers.

mod carry_out;
mod check;
mod context;
mod controllers;
mod drift;
mod events;
mod failure;
mod health;
mod kinds;
mod leadership;
mod node_links;
mod observe;
mod readiness;
mod secrets;
mod settings;

use anyhow::Context as _;
use clap::Parser as _;
use context::Context;
use leadership::Leadership;
use settings::{Command, Settings};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::command_line::UNEXPECTED;

/// How long telemetry may take to send what it has when the process ends.
const TELEMETRY_SHUTDOWN: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    if let Some(Command::Check { url }) = &settings.command {
        return check::run(url).await;
    }
    match run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(
                code = UNEXPECTED.code,
                error = format!("{error:#}"),
                "the operator ends"
            );
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let telemetry = tim_telemetry::start(&settings.telemetry()).context("start telemetry")?;
    let health = Arc::new(health::Health::default());
    let mut probes = tokio::spawn(health::serve(
        settings.listen,
        Arc::clone(&health),
        telemetry.scrape(),
    ));

    let outcome = tokio::select! {
        outcome = act(&settings, &health) => outcome,
        outcome = &mut probes => outcome.context("the task of the probes")?,
    };
    telemetry.shutdown(TELEMETRY_SHUTDOWN).await;
    outcome
}

/// Waits for API server and CRDs, then for the lease, then works until it is told to stop or the lease is lost.
async fn act(settings: &Settings, health: &health::Health) -> anyhow::Result<()> {
    let client = kube::Client::try_default().await.context("find the API server")?;
    let stop = controllers::stop_token()?;
    let leadership = tokio::select! {
        asked = async {
            readiness::wait_for_resources(&client).await;
            health.set_ready(true);
            let mut leadership = Leadership::ask(client.clone(), settings).await?;
            leadership.acquired().await?;
            anyhow::Ok(leadership)
        } => asked?,
        () = stop.cancelled() => return Ok(()),
    };
    let context = Arc::new(Context::new(client, settings));
    let finished = controllers::run(context, settings, stop);
    tokio::select! {
        () = leadership.lost() => anyhow::bail!("the lease is lost: another replica acts, this process starts anew"),
        () = finished => {}
    }
    leadership.give_back().await;
    Ok(())
}
