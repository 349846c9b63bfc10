//! Databases that are missing, wrong, away, or somebody else's: a condition with a code, that heals.

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use serde_json::json;
use tim_e2e::chat_checker::{Chat, Plan};
use tim_e2e::kubernetes::command::kubectl;
use tim_e2e::kubernetes::surroundings::OPERATOR_NAMESPACE;
use tim_e2e::kubernetes::tim_cluster::{Cluster, PATIENCE};
use tim_e2e::kubernetes::wait::until_there;
use tim_e2e::kubernetes::{Sandbox, repository_root};

/// The same code in condition, Event, log and reference: the condition has been seen already.
pub(crate) async fn spoken_everywhere(cluster: &Cluster, code: &str) -> anyhow::Result<()> {
    let events = cluster.until_event(code).await?;
    let mut reasons: Vec<(Option<&str>, Option<&str>)> = events
        .iter()
        .map(|event| (event.reason.as_deref(), event.note.as_deref()))
        .collect();
    reasons.sort_unstable();
    let all = reasons.len();
    reasons.dedup();
    anyhow::ensure!(all == reasons.len(), "an Event is said twice: {reasons:?}");
    let log = kubectl(&[
        "--namespace",
        OPERATOR_NAMESPACE,
        "logs",
        "--selector=app.kubernetes.io/name=tim-operator",
        "--tail=-1",
    ])
    .await?;
    anyhow::ensure!(log.contains(code), "{code} is not in the operator's log");
    let reference = std::fs::read_to_string(repository_root().join("docs/reference/errors.md"))?;
    anyhow::ensure!(
        reference.contains(code),
        "{code} is not in docs/reference/errors.md"
    );
    Ok(())
}

/// PostgreSQL of the example, running.
async fn postgresql(sandbox: &Sandbox) -> anyhow::Result<()> {
    sandbox.apply_file("examples/postgresql.yaml").await?;
    until_there(
        &sandbox.api::<StatefulSet>(),
        "postgresql",
        "PostgreSQL runs",
        PATIENCE,
        |set| set.status.as_ref().and_then(|status| status.ready_replicas) == Some(1),
    )
    .await?;
    Ok(())
}

async fn set_dsn(sandbox: &Sandbox, secret: &str, dsn: &str) -> anyhow::Result<()> {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}, "stringData": {"dsn": dsn}});
    sandbox.apply(&secret.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_a_condition_that_heals() -> anyhow::Result<()> {
    Sandbox::run("secret", async |sandbox| {
        sandbox.apply_file("examples/chat.yaml").await?;
        let cluster = Cluster::of(sandbox, "chat");
        let condition = cluster
            .until_condition("DatabasesReady", "False", "TIM-S102")
            .await?;
        anyhow::ensure!(
            condition.message.contains("chat-d0") && condition.message.contains("dsn"),
            "{condition:?}"
        );
        anyhow::ensure!(condition.reason == "DatabaseSecretMissing", "{condition:?}");
        spoken_everywhere(&cluster, "TIM-S102").await?;
        anyhow::ensure!(
            cluster.pods().await?.is_empty(),
            "no node starts without its databases"
        );
        sandbox.apply_file("examples/postgresql.yaml").await?;
        cluster.until_serving(3).await?;
        cluster.until_condition("DatabasesReady", "True", "").await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_dsn_is_a_condition_that_heals_and_shows_no_password() -> anyhow::Result<()> {
    Sandbox::run("dsn", async |sandbox| {
        postgresql(sandbox).await?;
        set_dsn(
            sandbox,
            "chat-d1",
            "postgre://tim:canary-password-7f3a91@postgresql:5432/d1",
        )
        .await?;
        sandbox.apply_file("examples/chat.yaml").await?;
        let cluster = Cluster::of(sandbox, "chat");
        let condition = cluster
            .until_condition("DatabasesReady", "False", "TIM-S101")
            .await?;
        anyhow::ensure!(
            condition.message.contains("Known: sqlite, postgres, mysql"),
            "{condition:?}"
        );
        anyhow::ensure!(!condition.message.contains("canary"), "{condition:?}");
        spoken_everywhere(&cluster, "TIM-S101").await?;

        // The scheme is right now, the password wrong: the database says so, through the nodes.
        set_dsn(
            sandbox,
            "chat-d1",
            "postgres://tim:canary-password-7f3a91@postgresql:5432/d1",
        )
        .await?;
        let condition = cluster
            .until_condition("DatabasesReady", "False", "TIM-S104")
            .await?;
        anyhow::ensure!(!condition.message.contains("canary"), "{condition:?}");
        spoken_everywhere(&cluster, "TIM-S104").await?;

        set_dsn(sandbox, "chat-d1", "postgres://tim:timcluster@postgresql:5432/d1").await?;
        cluster.until_serving(3).await?;
        cluster.until_condition("DatabasesReady", "True", "").await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_cluster_is_refused_and_left_as_it_is() -> anyhow::Result<()> {
    Sandbox::run("foreign", async |sandbox| {
        let first = Cluster::of_the_examples(sandbox).await?;
        let server = first.service().await?;
        let mut chat = Chat::start(
            &Plan {
                pairs: 1,
                ..Plan::named("foreign")
            },
            |_| server.clone(),
        )
        .await?;
        chat.until_all_chat(3, PATIENCE).await?;
        let intruder = json!({
            "apiVersion": tim_crds::API_VERSION,
            "kind": "TimCluster",
            "metadata": {"name": "intruder"},
            "spec": {"databases": [
                {"name": "d0", "dsnSecretRef": {"name": "chat-d0"}},
                {"name": "d1", "dsnSecretRef": {"name": "chat-d1"}},
            ]},
        });
        sandbox.apply(&intruder.to_string()).await?;
        let second = Cluster::of(sandbox, "intruder");
        let condition = second
            .until_condition("DatabasesReady", "False", "TIM-S105")
            .await?;
        anyhow::ensure!(
            condition.message.contains(&first.get().await?.cluster_id()),
            "whose it is: {condition:?}"
        );
        spoken_everywhere(&second, "TIM-S105").await?;
        sandbox
            .kubectl(&["delete", "timcluster", "intruder", "--timeout=120s"])
            .await?;
        chat.until_all_chat(3, PATIENCE).await?;
        let tally = chat.end(PATIENCE).await?;
        anyhow::ensure!(tally.refused.is_empty() && tally.unknown.is_empty(), "{tally:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_and_comes_back_loses_nothing() -> anyhow::Result<()> {
    Sandbox::run("away", async |sandbox| {
        let cluster = Cluster::of_the_examples(sandbox).await?;
        let server = cluster.service().await?;
        let mut chat = Chat::start(
            &Plan {
                pairs: 4,
                ..Plan::named("away")
            },
            |_| server.clone(),
        )
        .await?;
        chat.until_all_chat(5, PATIENCE).await?;
        sandbox
            .kubectl(&["scale", "statefulset/postgresql", "--replicas=0"])
            .await?;
        let condition = cluster
            .until_condition("DatabasesReady", "False", "TIM-S103")
            .await?;
        anyhow::ensure!(
            condition.message.contains("d0") || condition.message.contains("d1"),
            "{condition:?}"
        );
        spoken_everywhere(&cluster, "TIM-S103").await?;
        sandbox
            .kubectl(&["scale", "statefulset/postgresql", "--replicas=1"])
            .await?;
        cluster.until_condition("DatabasesReady", "True", "").await?;
        cluster.until_serving(3).await?;
        chat.until_all_chat(5, PATIENCE).await?;
        let tally = chat.end(PATIENCE).await?;
        // What could not be stored was refused as busy; nothing else.
        anyhow::ensure!(
            tally.refused.iter().all(|reason| reason.starts_with("5103")),
            "{tally:?}"
        );
        let restarts: i32 = cluster
            .pods()
            .await?
            .values()
            .filter_map(|pod| {
                pod.status
                    .as_ref()?
                    .container_statuses
                    .as_ref()?
                    .first()
                    .map(|container| container.restart_count)
            })
            .sum();
        anyhow::ensure!(restarts == 0, "nodes stay while their database is away");
        eprintln!(
            "database away: {} acknowledged, {} refused",
            tally.acknowledged,
            tally.refused.len()
        );
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_in_a_secret_with_three_replicas_is_refused_by_a_condition() -> anyhow::Result<()> {
    Sandbox::run("sqlite", async |sandbox| {
        for database in ["d0", "d1"] {
            set_dsn(
                sandbox,
                &format!("chat-{database}"),
                &format!("sqlite:/data/{database}.db"),
            )
            .await?;
        }
        sandbox.apply_file("examples/chat.yaml").await?;
        let cluster = Cluster::of(sandbox, "chat");
        let condition = cluster
            .until_condition("DatabasesReady", "False", "TIM-C107")
            .await?;
        anyhow::ensure!(condition.message.contains("(is 3)"), "{condition:?}");
        let object = cluster.get().await?;
        let phase = object
            .status
            .and_then(|status| status.phase)
            .context("no phase")?;
        anyhow::ensure!(phase.as_str() == "Blocked", "{phase:?}");
        Ok(())
    })
    .await
}
