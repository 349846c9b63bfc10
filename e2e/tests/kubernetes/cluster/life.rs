//! From apply to serving, other sizes, other images.

use std::time::Instant;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::{Value, json};
use tim_e2e::chat_checker::{Chat, Plan};
use tim_e2e::kubernetes::Sandbox;
use tim_e2e::kubernetes::surroundings::node_image;
use tim_e2e::kubernetes::tim_cluster::{Cluster, PATIENCE, condition};
use tim_e2e::kubernetes::wait::until_there;

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_serve_soon_after_the_examples_are_applied() -> anyhow::Result<()> {
    Sandbox::run("ready", async |sandbox| {
        let begin = Instant::now();
        let cluster = Cluster::of_the_examples(sandbox).await?;
        // The nodes come up while PostgreSQL still starts; what they said of it then is in the status for a moment more.
        cluster.until_condition("Ready", "True", "").await?;
        eprintln!(
            "figure: kubectl apply to three Ready nodes, PostgreSQL included: {:.1} s",
            begin.elapsed().as_secs_f32()
        );
        let object = cluster.get().await?;
        for (type_, status) in [
            ("Ready", "True"),
            ("Available", "True"),
            ("Progressing", "False"),
            ("Degraded", "False"),
            ("DatabasesReady", "True"),
            ("CertificatesValid", "True"),
            ("Reconciling", "False"),
            ("Stalled", "False"),
        ] {
            let condition = condition(&object, type_).with_context(|| format!("no condition {type_}"))?;
            anyhow::ensure!(condition.status == status, "{condition:?}");
            anyhow::ensure!(
                condition.observed_generation == object.metadata.generation,
                "{condition:?}"
            );
        }
        let line = sandbox
            .kubectl(&["get", "timcluster", "chat", "--no-headers"])
            .await?;
        let words: Vec<&str> = line.split_whitespace().collect();
        anyhow::ensure!(words[..5] == ["chat", "3", "3", "Running", "2"], "{line}");
        let status = object.status.context("no status")?;
        let epochs = status.partitions.context("no partitions")?;
        let ranges: Vec<(u32, &str)> = epochs
            .map
            .iter()
            .map(|range| (range.from, range.database.as_str()))
            .collect();
        anyhow::ensure!(ranges == [(0, "d0"), (524_288, "d1")], "{ranges:?}");
        // Users of Flux and Argo CD wait for conditions.
        sandbox
            .kubectl(&[
                "wait",
                "timcluster/chat",
                "--for=condition=Ready",
                "--timeout=10s",
            ])
            .await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smallest_example_serves_from_sqlite_and_keeps_its_data_at_zero_replicas() -> anyhow::Result<()> {
    Sandbox::run("minimal", async |sandbox| {
        sandbox.apply_file("examples/01-minimal.yaml").await?;
        let cluster = Cluster::of(sandbox, "minimal");
        cluster.until_serving(1).await?;
        let plan = Plan {
            pairs: 1,
            ..Plan::named("minimal")
        };
        let server = cluster.service().await?;
        let mut chat = Chat::start(&plan, |_| server.clone()).await?;
        chat.until_all_chat(5, PATIENCE).await?;

        sandbox
            .kubectl(&["scale", "timcluster/minimal", "--replicas=0"])
            .await?;
        cluster.until_condition("Available", "False", "").await?;
        cluster.until_pods("no pods", |pods| pods.is_empty()).await?;
        let claims = sandbox
            .kubectl(&["get", "persistentvolumeclaims", "--output=name"])
            .await?;
        anyhow::ensure!(claims.contains("data-minimal-0"), "{claims}");
        let stopped = cluster.until_condition("Ready", "True", "replicas is 0").await?;
        anyhow::ensure!(stopped.reason == "Stopped", "{stopped:?}");

        sandbox
            .kubectl(&["scale", "timcluster/minimal", "--replicas=1"])
            .await?;
        cluster.until_serving(1).await?;
        chat.until_all_chat(5, PATIENCE).await?;
        let tally = chat.end(PATIENCE).await?;
        eprintln!("stopped and started: {tally:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scale_subresource_goes_both_ways() -> anyhow::Result<()> {
    Sandbox::run("scale", async |sandbox| {
        sandbox.apply_file("examples/01-minimal.yaml").await?;
        let cluster = Cluster::of(sandbox, "minimal");
        cluster.until_serving(1).await?;
        let path = format!(
            "/apis/timcluster.io/v1alpha1/namespaces/{}/timclusters/minimal/scale",
            sandbox.namespace
        );
        let scale: Value = serde_json::from_str(&sandbox.kubectl(&["get", "--raw", &path]).await?)?;
        anyhow::ensure!(
            scale["spec"]["replicas"] == 1 && scale["status"]["replicas"] == 1,
            "{scale}"
        );
        // What an autoscaler finds its pods by.
        let selector = scale["status"]["selector"]
            .as_str()
            .context("no selector")?
            .to_owned();
        let pods = sandbox
            .kubectl(&["get", "pods", "--output=name", "--selector", &selector])
            .await?;
        anyhow::ensure!(pods.trim() == "pod/minimal-0", "{pods}");
        // The rule on SQLite holds on this way too.
        let refused = sandbox
            .kubectl(&["scale", "timcluster/minimal", "--replicas=2"])
            .await;
        let said = refused
            .err()
            .context("two replicas on SQLite were accepted")?
            .to_string();
        anyhow::ensure!(said.contains("TIM-C107"), "{said}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_of_one_name_in_two_namespaces_are_independent() -> anyhow::Result<()> {
    Sandbox::run("twin-one", async |one| {
        let two = Sandbox::create(one.surroundings.clone(), "twin-two").await?;
        let mut ids = Vec::new();
        for sandbox in [one, &two] {
            sandbox.apply_file("examples/01-minimal.yaml").await?;
        }
        for sandbox in [one, &two] {
            let cluster = Cluster::of(sandbox, "minimal");
            cluster.until_serving(1).await?;
            ids.push(cluster.get().await?.cluster_id());
        }
        anyhow::ensure!(
            ids[0] == format!("{}.minimal", one.namespace) && ids[1] == format!("{}.minimal", two.namespace)
        );
        let first = Cluster::of(one, "minimal");
        sandbox_delete_cluster(&two).await?;
        let server = first.service().await?;
        let mut chat = Chat::start(
            &Plan {
                pairs: 1,
                ..Plan::named("twin")
            },
            |_| server.clone(),
        )
        .await?;
        chat.until_all_chat(3, PATIENCE).await?;
        chat.end(PATIENCE).await?;
        anyhow::ensure!(first.get().await?.status.context("no status")?.ready_replicas == 1);
        two.delete().await
    })
    .await
}

async fn sandbox_delete_cluster(sandbox: &Sandbox) -> anyhow::Result<()> {
    sandbox
        .kubectl(&["delete", "timcluster", "minimal", "--timeout=120s"])
        .await
        .map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_image_stops_at_one_node_and_is_healed_by_a_corrected_one() -> anyhow::Result<()> {
    Sandbox::run("image", async |sandbox| {
        let cluster = Cluster::of_the_examples(sandbox).await?;
        let server = cluster.service().await?;
        let mut chat = Chat::start(
            &Plan {
                pairs: 2,
                ..Plan::named("image")
            },
            |_| server.clone(),
        )
        .await?;

        cluster
            .patch(json!({"image": "localhost/tim-node:does-not-exist"}))
            .await?;
        let degraded = cluster.until_condition("Degraded", "True", "TIM-K105").await?;
        anyhow::ensure!(degraded.message.contains("does-not-exist"), "{degraded:?}");
        super::databases::spoken_everywhere(&cluster, "TIM-K105").await?;
        let broken = cluster.get().await?;
        let status = broken.status.context("no status")?;
        anyhow::ensure!(status.ready_replicas == 2, "the other two serve on: {status:?}");
        chat.until_all_chat(5, PATIENCE).await?;

        cluster.patch(json!({"image": node_image()})).await?;
        cluster.until_serving(3).await?;
        cluster.until_condition("Degraded", "False", "").await?;
        chat.until_all_chat(5, PATIENCE).await?;
        let tally = chat.end(PATIENCE).await?;
        anyhow::ensure!(tally.refused.is_empty() && tally.unknown.is_empty(), "{tally:?}");
        eprintln!("bad image and back: {tally:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_configuration_restarts_the_nodes_one_by_one() -> anyhow::Result<()> {
    Sandbox::run("config", async |sandbox| {
        let cluster = Cluster::of_the_examples(sandbox).await?;
        let before: Vec<_> = uids(&cluster).await?;
        let server = cluster.service().await?;
        let mut chat = Chat::start(
            &Plan {
                pairs: 2,
                ..Plan::named("config")
            },
            |_| server.clone(),
        )
        .await?;

        // A mistake is said before any node restarts.
        cluster
            .patch(json!({"config": {"inline": {"storage": {"connection_max": 4}}}}))
            .await?;
        let stalled = cluster.until_condition("Stalled", "True", "TIM-C101").await?;
        anyhow::ensure!(
            stalled.message.contains("connections_max"),
            "no nearest name: {stalled:?}"
        );
        anyhow::ensure!(uids(&cluster).await? == before, "a node was restarted");

        let fixed =
            json!({"config": {"inline": {"storage": {"connection_max": null, "connections_max": 4}}}});
        let generation = cluster.patch(fixed).await?.metadata.generation;
        // Never less than two of three while they are replaced.
        let mut fewest = 3;
        until_there(&cluster.api, "chat", "three new nodes", PATIENCE, |object| {
            let ready = object
                .status
                .as_ref()
                .map_or(3, |status| status.available_replicas.min(status.ready_replicas));
            fewest = fewest.min(ready);
            object.metadata.generation == generation
                && tim_e2e::kubernetes::tim_cluster::is_settled(object, 3)
        })
        .await?;
        anyhow::ensure!(fewest >= 2, "only {fewest} nodes served at a time");
        let after = uids(&cluster).await?;
        anyhow::ensure!(
            after.iter().all(|uid| !before.contains(uid)),
            "a node was not replaced"
        );
        chat.until_all_chat(5, PATIENCE).await?;
        let tally = chat.end(PATIENCE).await?;
        anyhow::ensure!(tally.refused.is_empty() && tally.unknown.is_empty(), "{tally:?}");
        eprintln!("rolling restart: {tally:?}");
        Ok(())
    })
    .await
}

async fn uids(cluster: &Cluster) -> anyhow::Result<Vec<String>> {
    let pods = cluster.pods().await?;
    Ok(pods.into_values().filter_map(|pod| pod.metadata.uid).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_that_are_not_needed_any_more_go_where_the_spec_says_so() -> anyhow::Result<()> {
    Sandbox::run("volumes", async |sandbox| {
        let yaml = "apiVersion: timcluster.io/v1alpha1\nkind: TimCluster\nmetadata: {name: small}\nspec:\n  storage: {retain: {whenScaled: Delete}}\n";
        sandbox.apply(yaml).await?;
        let cluster = Cluster::of(sandbox, "small");
        cluster.until_serving(1).await?;
        let claims = sandbox.api::<PersistentVolumeClaim>();
        sandbox.kubectl(&["scale", "timcluster/small", "--replicas=0"]).await?;
        tim_e2e::kubernetes::wait::until(&claims, "data-small-0", "the volume is gone", PATIENCE, |claim| claim.is_none())
            .await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn more_storage_in_the_spec_asks_for_larger_volumes() -> anyhow::Result<()> {
    Sandbox::run("grow-volume", async |sandbox| {
        let yaml = "apiVersion: timcluster.io/v1alpha1\nkind: TimCluster\nmetadata: {name: small}\nspec:\n  storage: {size: 1Gi}\n";
        sandbox.apply(yaml).await?;
        let cluster = Cluster::of(sandbox, "small");
        cluster.until_serving(1).await?;
        cluster
            .patch(serde_json::json!({"storage": {"size": "2Gi"}}))
            .await?;
        let claims = sandbox.api::<PersistentVolumeClaim>();
        until_there(&claims, "data-small-0", "2Gi are asked for", PATIENCE, |claim| {
            let wanted = claim
                .spec
                .as_ref()
                .and_then(|spec| spec.resources.as_ref()?.requests.as_ref()?.get("storage"));
            wanted.is_some_and(|size| size.0 == "2Gi")
        })
        .await?;
        cluster.until_serving(1).await?;
        Ok(())
    })
    .await
}
