//! People chat while something happens: nothing lost, doubled or reordered.

use std::time::Instant;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Pod;
use tim_client::Server;
use tim_crds::TimRepartition;
use tim_crds::repartition::RepartitionPhase;
use tim_e2e::chat_checker::{Chat, Plan, Tally};
use tim_e2e::kubernetes::Sandbox;
use tim_e2e::kubernetes::tim_cluster::{Cluster, PATIENCE};
use tim_e2e::kubernetes::wait::until_there;

/// Messages that everybody sends and gets before and after something happens.
const SOME: usize = 10;

/// People of that chat at the cluster's Service, as clients find it.
async fn chat_at_the_service(cluster: &Cluster, plan: &Plan) -> anyhow::Result<Chat> {
    let server = cluster.service().await?;
    let mut chat = Chat::start(plan, |_| server.clone()).await?;
    chat.until_all_chat(SOME, PATIENCE).await?;
    Ok(chat)
}

/// The end of a chat in which everything had to be acknowledged.
async fn end(what: &str, mut chat: Chat) -> anyhow::Result<Tally> {
    chat.until_all_chat(SOME, PATIENCE).await?;
    let tally = chat.end(PATIENCE).await?;
    anyhow::ensure!(
        tally.refused.is_empty() && tally.unknown.is_empty(),
        "not everything was acknowledged: {tally:?}"
    );
    eprintln!("{what}: {tally:?}");
    Ok(tally)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_on_different_nodes_chat_in_order() -> anyhow::Result<()> {
    Sandbox::run("chat", async |sandbox| {
        let cluster = Cluster::of_the_examples(sandbox).await?;
        let nodes: Vec<Server> = [
            cluster.node(0).await?,
            cluster.node(1).await?,
            cluster.node(2).await?,
        ]
        .into();
        // Each pair on two nodes, all pairs of nodes.
        let plan = Plan {
            pairs: 6,
            ..Plan::named("across")
        };
        let mut chat = Chat::start(&plan, |person| nodes[(person / 2 + person % 2) % 3].clone()).await?;
        chat.until_all_chat(3 * SOME, PATIENCE).await?;
        let tally = end("across nodes", chat).await?;
        anyhow::ensure!(
            tally.breaks == 0 && tally.redelivered == 0,
            "nothing happened, and yet: {tally:?}"
        );
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_cluster_grows_to_five_and_shrinks_to_two() -> anyhow::Result<()> {
    Sandbox::run("grow", async |sandbox| {
        let cluster = Cluster::of_the_examples(sandbox).await?;
        let mut chat = chat_at_the_service(&cluster, &Plan::named("grow")).await?;
        for replicas in [5, 2] {
            let begin = Instant::now();
            sandbox
                .kubectl(&["scale", "timcluster/chat", &format!("--replicas={replicas}")])
                .await?;
            cluster.until_serving(replicas).await?;
            eprintln!("to {replicas} nodes: {:.1} s", begin.elapsed().as_secs_f32());
            chat.until_all_chat(SOME, PATIENCE).await?;
        }
        end("scaled 3, 5, 2", chat).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_a_database_is_split() -> anyhow::Result<()> {
    Sandbox::run("split", async |sandbox| {
        let cluster = Cluster::of_the_examples(sandbox).await?;
        let chat = chat_at_the_service(&cluster, &Plan { pairs: 8, ..Plan::named("split") }).await?;
        declare_third_database(sandbox, &cluster).await?;
        sandbox
            .apply(
                "apiVersion: timcluster.io/v1alpha1\nkind: TimRepartition\nmetadata: {name: chat-split-1}\nspec:\n  \
                 clusterRef: {name: chat}\n  operation: {split: {from: 0, at: [262144], targets: [{database: d2}]}}\n",
            )
            .await?;
        let begin = Instant::now();
        let repartitions = sandbox.api::<TimRepartition>();
        until_there(&repartitions, "chat-split-1", "the split is complete", PATIENCE, |repartition| {
            repartition.status.as_ref().is_some_and(|status| status.phase == RepartitionPhase::Completed)
        })
        .await?;
        eprintln!("split: {:.1} s", begin.elapsed().as_secs_f32());
        let object = until_there(&cluster.api, "chat", "three ranges", PATIENCE, |object| {
            object.status.as_ref().and_then(|status| status.partitions.as_ref()).is_some_and(|map| map.ranges == 3)
        })
        .await?;
        let map = object.status.and_then(|status| status.partitions).context("no map")?.map;
        let ranges: Vec<(u32, &str)> = map.iter().map(|range| (range.from, range.database.as_str())).collect();
        anyhow::ensure!(ranges == [(0, "d0"), (262_144, "d2"), (524_288, "d1")], "{ranges:?}");
        end("split", chat).await?;
        Ok(())
    })
    .await
}

/// A database on the same server, its Secret, and its entry in the spec.
async fn declare_third_database(sandbox: &Sandbox, cluster: &Cluster) -> anyhow::Result<()> {
    let server = "postgres://tim:timcluster@127.0.0.1/postgres";
    let create = [
        "exec",
        "postgresql-0",
        "--",
        "psql",
        server,
        "-c",
        "CREATE DATABASE d2",
    ];
    sandbox.kubectl(&create).await?;
    sandbox
        .apply("{apiVersion: v1, kind: Secret, metadata: {name: chat-d2}, stringData: {dsn: 'postgres://tim:timcluster@postgresql:5432/d2'}}")
        .await?;
    let mut databases = cluster.get().await?.spec.databases;
    databases.push(serde_json::from_value(
        serde_json::json!({"name": "d2", "dsnSecretRef": {"name": "chat-d2"}}),
    )?);
    cluster
        .patch(serde_json::json!({ "databases": databases }))
        .await?;
    cluster.until_serving(3).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_a_node_is_killed() -> anyhow::Result<()> {
    Sandbox::run("kill", async |sandbox| {
        let cluster = Cluster::of_the_examples(sandbox).await?;
        let mut chat = chat_at_the_service(&cluster, &Plan::named("kill")).await?;
        for node in ["chat-1", "chat-0"] {
            let begin = Instant::now();
            sandbox
                .surroundings
                .signal("KILL", &sandbox.namespace, node)
                .await?;
            chat.until_all_chat(SOME, PATIENCE).await?;
            let chatting = begin.elapsed();
            until_there(
                &sandbox.api::<Pod>(),
                node,
                "it is started again",
                PATIENCE,
                is_restarted,
            )
            .await?;
            cluster.until_serving(3).await?;
            eprintln!(
                "{node} killed: everybody chats after {:.1} s, three nodes after {:.1} s",
                chatting.as_secs_f32(),
                begin.elapsed().as_secs_f32()
            );
        }
        end("two nodes killed", chat).await?;
        Ok(())
    })
    .await
}

fn is_restarted(pod: &Pod) -> bool {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref());
    statuses
        .into_iter()
        .flatten()
        .any(|container| container.restart_count > 0 && container.ready)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_a_node_stands_still_and_wakes() -> anyhow::Result<()> {
    Sandbox::run("stop", async |sandbox| {
        let cluster = Cluster::of_the_examples(sandbox).await?;
        let mut chat = chat_at_the_service(&cluster, &Plan::named("stop")).await?;
        sandbox
            .surroundings
            .signal("STOP", &sandbox.namespace, "chat-1")
            .await?;
        // Those who were connected there find another node; the cluster is degraded meanwhile.
        cluster.until_condition("Ready", "False", "").await?;
        chat.until_all_chat(SOME, PATIENCE).await?;
        sandbox
            .surroundings
            .signal("CONT", &sandbox.namespace, "chat-1")
            .await?;
        cluster.until_serving(3).await?;
        end("one node stopped and woken", chat).await?;
        Ok(())
    })
    .await
}
