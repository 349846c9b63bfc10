//! An operator that is killed at any point goes on where it was.

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use tim_e2e::chat_checker::{Chat, Plan};
use tim_e2e::kubernetes::Sandbox;
use tim_e2e::kubernetes::command::kubectl;
use tim_e2e::kubernetes::surroundings::{OPERATOR, OPERATOR_NAMESPACE};
use tim_e2e::kubernetes::tim_cluster::{Cluster, PATIENCE};

/// How often it is killed during one change.
const KILLS: usize = 3;
/// Longest time between the change and a kill, and between two kills.
const LONGEST_LIFE_MILLIS: u64 = 2_500;

/// The seed of this run; printed, and taken from the environment to repeat one.
fn seed() -> u64 {
    std::env::var("TIM_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| rand::rng().random())
}

/// Deletes every pod of the operator without a goodbye.
async fn kill_operator(client: &kube::Client) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    let selector = ListParams::default().labels(&format!("app.kubernetes.io/name={OPERATOR}"));
    let at_once = DeleteParams {
        grace_period_seconds: Some(0),
        ..DeleteParams::default()
    };
    for pod in pods.list(&selector).await? {
        let name = pod.metadata.name.context("a pod without a name")?;
        match pods.delete(&name, &at_once).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            outcome => drop(outcome?),
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_killed_at_random_points_reaches_the_spec() -> anyhow::Result<()> {
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    Sandbox::run("killed-operator", async |sandbox| {
        eprintln!("TIM_TEST_SEED={seed}");
        let cluster = Cluster::apply_examples(sandbox).await?;
        disturb(sandbox, &mut random).await?;
        cluster.until_serving(3).await?;
        let server = cluster.service().await?;
        let mut chat = Chat::start(
            &Plan {
                pairs: 2,
                ..Plan::named("killed")
            },
            |_| server.clone(),
        )
        .await?;
        chat.until_all_chat(3, PATIENCE).await?;
        for change in [
            json!({"replicas": 4}),
            json!({"config": {"inline": {"storage": {"connections_max": 5}}}}),
            json!({"replicas": 2}),
        ] {
            let replicas = change["replicas"].as_i64().unwrap_or(4);
            cluster.patch(change).await?;
            disturb(sandbox, &mut random).await?;
            cluster.until_serving(i32::try_from(replicas)?).await?;
        }
        chat.until_all_chat(3, PATIENCE).await?;
        let tally = chat.end(PATIENCE).await?;
        anyhow::ensure!(tally.refused.is_empty() && tally.unknown.is_empty(), "{tally:?}");
        sandbox
            .kubectl(&["delete", "timcluster", "chat", "--wait=false"])
            .await?;
        disturb(sandbox, &mut random).await?;
        let gone = |object: Option<&tim_crds::TimCluster>| object.is_none();
        tim_e2e::kubernetes::wait::until(&cluster.api, "chat", "it is gone", PATIENCE, gone).await?;
        eprintln!("operator killed {} times: {tally:?}", 5 * KILLS);
        Ok(())
    })
    .await
}

async fn disturb(sandbox: &Sandbox, random: &mut StdRng) -> anyhow::Result<()> {
    for _ in 0..KILLS {
        // The point in time is the input of this test.
        tokio::time::sleep(Duration::from_millis(random.random_range(0..LONGEST_LIFE_MILLIS))).await;
        kill_operator(&sandbox.surroundings.client).await?;
        kubectl(&[
            "--namespace",
            OPERATOR_NAMESPACE,
            "rollout",
            "status",
            &format!("deployment/{OPERATOR}"),
            "--timeout=60s",
        ])
        .await?;
    }
    Ok(())
}
