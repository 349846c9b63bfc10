//! The two resources as a real API server sees them.

use anyhow::Context as _;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tim_crds::testing::{BadSpec, bad_specs};
use tim_e2e::kubernetes::command::{expect, kubectl, run};
use tim_e2e::kubernetes::{Sandbox, repository_root};

/// What the API server says to a bad spec; nothing when it takes it.
async fn answer(sandbox: &Sandbox, case: &BadSpec) -> anyhow::Result<Option<String>> {
    let object = |spec: &Value| {
        let mut object = case.object(spec);
        // So that no operator acts on it.
        object["metadata"]["annotations"] = json!({tim_crds::labels::ANNOTATION_PAUSE: "true"});
        object.to_string()
    };
    let kubectl = async |verb: &str, more: &[&str], text: &str| {
        let mut arguments = vec!["--namespace", &sandbox.namespace, verb, "--filename=-"];
        arguments.extend(more);
        run("kubectl", &arguments, Some(text)).await
    };
    let tried = ["--dry-run=server", "--validate=strict"];
    let output = match &case.old {
        None => kubectl("create", &tried, &object(&case.spec)).await?,
        Some(old) => {
            let made = kubectl("create", &[], &object(old)).await?;
            anyhow::ensure!(made.success, "the spec before was refused: {}", made.stderr);
            let output = kubectl("replace", &tried, &object(&case.spec)).await?;
            sandbox
                .kubectl(&["delete", &case.kind, &case.metadata_name])
                .await?;
            output
        }
    };
    Ok((!output.success).then_some(output.stderr))
}

#[tokio::test]
async fn every_bad_spec_is_refused_in_the_words_of_the_table() -> anyhow::Result<()> {
    Sandbox::run("bad-specs", async |sandbox| {
        let mut wrong = Vec::new();
        for case in bad_specs()? {
            let wanted = case
                .message
                .as_ref()
                .or(case.server.as_ref())
                .context("no message")?;
            match answer(sandbox, &case).await.with_context(|| case.name.clone())? {
                None => wrong.push(format!("{}: accepted", case.name)),
                Some(said) if said.contains(wanted.as_str()) => {}
                Some(said) => wrong.push(format!("{}:\n  said   {said}\n  wanted {wanted}", case.name)),
            }
        }
        anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn every_example_is_accepted_as_it_is() -> anyhow::Result<()> {
    Sandbox::run("examples", async |sandbox| {
        let mut examples = 0;
        for entry in std::fs::read_dir(repository_root().join("examples"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let file = format!("--filename={}", path.display());
                sandbox
                    .kubectl(&["apply", "--dry-run=server", "--validate=strict", &file])
                    .await?;
                examples += 1;
            }
        }
        anyhow::ensure!(examples >= 3, "only {examples} examples were found");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn defaults_are_filled_in_by_the_api_server() -> anyhow::Result<()> {
    Sandbox::run("defaults", async |sandbox| {
        let api: Api<tim_crds::TimCluster> = sandbox.api();
        let minimal = json!({"apiVersion": tim_crds::API_VERSION, "kind": "TimCluster", "metadata": {"name": "minimal"}, "spec": {}});
        let dry = PatchParams { dry_run: true, ..PatchParams::apply("test") };
        let made = api.patch("minimal", &dry, &Patch::Apply(minimal)).await?;
        // What the types fill in on a laptop is what the API server fills in.
        let local: tim_crds::TimClusterSpec = serde_json::from_value(json!({}))?;
        anyhow::ensure!(made.spec == local, "{:#?}\nis not\n{local:#?}", made.spec);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_plain_manifests_are_those_of_the_chart_and_apply_cleanly() -> anyhow::Result<()> {
    let surroundings = tim_e2e::kubernetes::Surroundings::with_operator().await?;
    let generated = expect("charts/manifests/generate", &["--stdout"], None).await?;
    let committed = std::fs::read_to_string(repository_root().join("charts/manifests/tim-operator.yaml"))?;
    anyhow::ensure!(
        generated == committed,
        "charts/manifests/tim-operator.yaml is stale; run: charts/manifests/generate"
    );
    let arguments = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "--force-conflicts",
        "--validate=strict",
        "--filename=-",
    ];
    let said = expect("kubectl", &arguments, Some(&committed)).await?;
    anyhow::ensure!(
        said.contains("deployment.apps/tim-operator serverside-applied"),
        "{said}"
    );
    // The definitions in the chart are those of the types.
    for file in tim_crds::yaml::all()? {
        let copy = repository_root()
            .join("charts/tim-operator/files/crds")
            .join(&file.name);
        anyhow::ensure!(
            std::fs::read_to_string(&copy)? == file.text,
            "{} is stale; run: cargo generate",
            copy.display()
        );
    }
    drop(surroundings);
    Ok(())
}

#[tokio::test]
async fn the_resources_are_found_by_their_short_names_and_show_their_columns() -> anyhow::Result<()> {
    let _surroundings = tim_e2e::kubernetes::Surroundings::with_operator().await?;
    let resources = kubectl(&["api-resources", "--api-group=timcluster.io", "--no-headers"]).await?;
    anyhow::ensure!(
        resources.contains("timc") && resources.contains("timr"),
        "{resources}"
    );
    for (kind, columns) in [
        (
            "timclusters",
            "NAMESPACE DESIRED READY PHASE PARTITIONS VERSION AGE",
        ),
        ("timrepartitions", "NAMESPACE CLUSTER PHASE PERCENT AGE"),
    ] {
        let table = table_columns(kind).await?;
        anyhow::ensure!(table == columns, "{kind}: {table}");
    }
    Ok(())
}

/// The columns that `kubectl get` shows, in capitals; the name is left out. Those of a priority above 0 are for `-o wide`.
async fn table_columns(kind: &str) -> anyhow::Result<String> {
    let name = format!("{kind}.timcluster.io");
    let definition = kubectl(&["get", "customresourcedefinition", &name, "-o=json"]).await?;
    let definition: Value = serde_json::from_str(&definition)?;
    let columns = definition["spec"]["versions"][0]["additionalPrinterColumns"]
        .as_array()
        .with_context(|| format!("{kind} has no columns"))?;
    let shown = columns
        .iter()
        .filter(|column| column["priority"].as_i64().unwrap_or_default() == 0)
        .filter_map(|column| column["name"].as_str());
    let table: Vec<&str> = std::iter::once("NAMESPACE").chain(shown).collect();
    Ok(table.join(" ").to_uppercase())
}
