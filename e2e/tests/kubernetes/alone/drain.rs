//! `kubectl drain` of a Kubernetes node under a chat.

use std::time::Instant;

use tim_e2e::chat_checker::{Chat, Plan};
use tim_e2e::kubernetes::Sandbox;
use tim_e2e::kubernetes::command::kubectl;
use tim_e2e::kubernetes::tim_cluster::{Cluster, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_a_kubernetes_node_is_drained() -> anyhow::Result<()> {
    Sandbox::run("drain", async |sandbox| {
        let cluster = Cluster::of_the_examples(sandbox).await?;
        let server = cluster.service().await?;
        let mut chat = Chat::start(&Plan::named("drain"), |_| server.clone()).await?;
        chat.until_all_chat(5, PATIENCE).await?;

        // The machine of a node, but not the database's: that is another test.
        let place = async |pod: &str| {
            sandbox
                .kubectl(&["get", "pod", pod, "--output=jsonpath={.spec.nodeName}"])
                .await
        };
        let database = place("postgresql-0").await?;
        let mut machine = None;
        for pod in ["chat-0", "chat-1", "chat-2"] {
            let node = place(pod).await?;
            if node != database {
                machine = Some((pod, node));
            }
        }
        let (pod, machine) =
            machine.ok_or_else(|| anyhow::anyhow!("all nodes are on the machine of the database"))?;
        let begin = Instant::now();
        let drained = drain(&machine).await;
        kubectl(&["uncordon", &machine]).await?;
        drained?;
        eprintln!(
            "{pod} evicted from {machine} in {:.1} s",
            begin.elapsed().as_secs_f32()
        );
        cluster.until_serving(3).await?;
        chat.until_all_chat(5, PATIENCE).await?;
        let tally = chat.end(PATIENCE).await?;
        anyhow::ensure!(tally.refused.is_empty() && tally.unknown.is_empty(), "{tally:?}");
        eprintln!("kubernetes node drained: {tally:?}");
        Ok(())
    })
    .await
}

async fn drain(machine: &str) -> anyhow::Result<()> {
    kubectl(&[
        "drain",
        machine,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--timeout=120s",
    ])
    .await
    .map(drop)
}
