//! Two installations in two namespaces, each with the rights for its own only.

use anyhow::Context as _;
use tim_e2e::kubernetes::Sandbox;
use tim_e2e::kubernetes::command::{helm, kubectl};
use tim_e2e::kubernetes::surroundings::{OPERATOR, OPERATOR_NAMESPACE, node_image, operator_image_values};
use tim_e2e::kubernetes::tim_cluster::Cluster;

async fn install(sandbox: &Sandbox, release: &str) -> anyhow::Result<()> {
    let (image, node_image) = (operator_image_values(), format!("nodeImage={}", node_image()));
    let values = "crds.install=false,rbac.scope=namespaced,replicas=1";
    let mut arguments = vec![
        "install",
        release,
        "charts/tim-operator",
        "--namespace",
        &sandbox.namespace,
    ];
    arguments.extend([
        "--set",
        values,
        "--set",
        &image,
        "--set",
        &node_image,
        "--wait",
        "--timeout=90s",
    ]);
    helm(&arguments).await?;
    let said = helm(&[
        "test",
        release,
        "--namespace",
        &sandbox.namespace,
        "--timeout=60s",
    ])
    .await?;
    anyhow::ensure!(said.contains("Succeeded"), "{said}");
    Ok(())
}

async fn scale_first_installation(replicas: u8) -> anyhow::Result<()> {
    let (deployment, replicas) = (format!("deployment/{OPERATOR}"), format!("--replicas={replicas}"));
    kubectl(&["--namespace", OPERATOR_NAMESPACE, "scale", &deployment, &replicas]).await?;
    kubectl(&[
        "--namespace",
        OPERATOR_NAMESPACE,
        "rollout",
        "status",
        &deployment,
        "--timeout=60s",
    ])
    .await
    .map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_installations_work_beside_each_other_in_their_own_namespaces() -> anyhow::Result<()> {
    Sandbox::run("beside-one", async |one| {
        let two = Sandbox::create(one.surroundings.clone(), "beside-two").await?;
        // It looks at all namespaces, so it steps aside.
        scale_first_installation(0).await?;
        let outcome = side_by_side(one, &two).await;
        scale_first_installation(2).await?;
        outcome?;
        two.delete().await
    })
    .await
}

async fn side_by_side(one: &Sandbox, two: &Sandbox) -> anyhow::Result<()> {
    install(one, "first").await?;
    install(two, "second").await?;
    for sandbox in [one, two] {
        sandbox.apply_file("examples/01-minimal.yaml").await?;
    }
    for sandbox in [one, two] {
        Cluster::of(sandbox, "minimal").until_serving(1).await?;
    }
    // Not one right in the other's namespace.
    let account = format!("--as=system:serviceaccount:{}:first-operator", one.namespace);
    let allowed = |namespace: &str| {
        let arguments: Vec<String> = [
            "auth",
            "can-i",
            "list",
            "timclusters",
            "--namespace",
            namespace,
            &account,
        ]
        .into_iter()
        .map(str::to_owned)
        .collect();
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            tim_e2e::kubernetes::command::run("kubectl", &arguments, None)
                .await
                .map(|output| output.stdout.trim() == "yes")
        }
    };
    anyhow::ensure!(
        allowed(&one.namespace).await? && !allowed(&two.namespace).await?,
        "rights reach too far or not far enough"
    );
    for (sandbox, release) in [(one, "first"), (two, "second")] {
        sandbox
            .kubectl(&["delete", "timcluster", "minimal", "--timeout=120s"])
            .await?;
        helm(&["uninstall", release, "--namespace", &sandbox.namespace, "--wait"]).await?;
    }
    kubectl(&["get", "customresourcedefinition", "timclusters.timcluster.io"])
        .await
        .context("the definitions are gone")?;
    Ok(())
}
