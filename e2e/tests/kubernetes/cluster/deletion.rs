//! What is left of a cluster when it is deleted: what the spec retains, and nothing else.

use std::collections::BTreeSet;
use std::time::Instant;

use tim_e2e::kubernetes::Sandbox;
use tim_e2e::kubernetes::tim_cluster::{Cluster, PATIENCE};
use tim_e2e::kubernetes::wait::until;

/// Kinds that the operator, or Kubernetes for it, makes objects of.
const KINDS: &str = "timclusters,timrepartitions,statefulsets,controllerrevisions,pods,services,endpointslices,configmaps,secrets,\
                     serviceaccounts,persistentvolumeclaims,poddisruptionbudgets,networkpolicies";

/// All objects of a sandbox, but those that Kubernetes puts into every namespace.
async fn objects(sandbox: &Sandbox) -> anyhow::Result<BTreeSet<String>> {
    let names = sandbox.kubectl(&["get", KINDS, "--output=name"]).await?;
    let of_kubernetes = ["configmap/kube-root-ca.crt", "serviceaccount/default"];
    Ok(names
        .lines()
        .filter(|name| !of_kubernetes.contains(name))
        .map(str::to_owned)
        .collect())
}

/// Makes the minimal cluster with a NetworkPolicy and that retention, deletes it, gives what is left.
async fn left_by(sandbox: &Sandbox, retain: &str) -> anyhow::Result<BTreeSet<String>> {
    let yaml = format!(
        "apiVersion: timcluster.io/v1alpha1\nkind: TimCluster\nmetadata: {{name: minimal}}\nspec:\n  \
         networkPolicy: {{enabled: true}}\n  storage: {{retain: {{whenDeleted: {retain}}}}}\n"
    );
    sandbox.apply(&yaml).await?;
    let cluster = Cluster::of(sandbox, "minimal");
    cluster.until_serving(1).await?;
    let made = objects(sandbox).await?;
    anyhow::ensure!(made.len() > 10, "not much was made: {made:?}");
    let begin = Instant::now();
    sandbox
        .kubectl(&["delete", "timcluster", "minimal", "--wait=false"])
        .await?;
    until(&cluster.api, "minimal", "it is gone", PATIENCE, |object| {
        object.is_none()
    })
    .await?;
    eprintln!("deleted in {:.1} s ({retain})", begin.elapsed().as_secs_f32());
    objects_at_rest(sandbox).await
}

/// What is left when two looks agree; owned objects go within moments of their owner.
async fn objects_at_rest(sandbox: &Sandbox) -> anyhow::Result<BTreeSet<String>> {
    let labels = [
        "--selector=app.kubernetes.io/instance=minimal",
        "--timeout=60s",
        "--for=delete",
    ];
    for kind in [
        "statefulset",
        "service",
        "configmap",
        "serviceaccount",
        "poddisruptionbudget",
        "networkpolicy",
        "endpointslice",
    ] {
        // Says "no matching resources" when they are gone already, which is as good.
        let mut arguments = vec!["wait", kind];
        arguments.extend(labels);
        let _ = sandbox.kubectl(&arguments).await;
    }
    for secret in ["minimal-cluster", "minimal-ca", "minimal-node-tls"] {
        sandbox
            .kubectl(&[
                "wait",
                &format!("secret/{secret}"),
                "--for=delete",
                "--timeout=60s",
            ])
            .await
            .ok();
    }
    objects(sandbox).await
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_leaves_the_volume_and_the_storage_key() -> anyhow::Result<()> {
    Sandbox::run("retain", async |sandbox| {
        let left = left_by(sandbox, "Retain").await?;
        let wanted = ["persistentvolumeclaim/data-minimal-0", "secret/minimal-storage"];
        anyhow::ensure!(left == wanted.map(str::to_owned).into(), "{left:?}");
        // And with them the same cluster comes back.
        sandbox.apply_file("examples/01-minimal.yaml").await?;
        Cluster::of(sandbox, "minimal").until_serving(1).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_leaves_nothing_where_the_spec_retains_nothing() -> anyhow::Result<()> {
    Sandbox::run("delete", async |sandbox| {
        let left = left_by(sandbox, "Delete").await?;
        let claim = sandbox.api::<k8s_openapi::api::core::v1::PersistentVolumeClaim>();
        until(
            &claim,
            "data-minimal-0",
            "the volume is gone",
            PATIENCE,
            |claim| claim.is_none(),
        )
        .await?;
        let left: BTreeSet<String> = left
            .into_iter()
            .filter(|name| !name.contains("data-minimal-0"))
            .collect();
        anyhow::ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await
}
