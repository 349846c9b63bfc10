//! The operator's chart, as Helm sees it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde_json::Value;
use tim_e2e::kubernetes::command::{helm, kubectl, run};
use tim_e2e::kubernetes::surroundings::{OPERATOR, OPERATOR_NAMESPACE, OPERATOR_RELEASE};
use tim_e2e::kubernetes::{Surroundings, repository_root};

const CHART: &str = "charts/tim-operator";

/// What Helm says to values that it refuses.
async fn refusal(values: &str) -> anyhow::Result<String> {
    let output = run(
        "helm",
        &["template", OPERATOR_RELEASE, CHART, "--set", values],
        None,
    )
    .await?;
    anyhow::ensure!(!output.success, "{values} was accepted");
    Ok(output.stderr)
}

#[tokio::test]
async fn misspelt_values_are_refused_with_the_nearest_name() -> anyhow::Result<()> {
    for (values, said) in [
        (
            "replica=1",
            "TIM-C101 replica is not a value of the chart tim-operator; did you mean replicas?",
        ),
        (
            "image.tags=1",
            "TIM-C101 image.tags is not a value of the chart tim-operator; did you mean image.tag?",
        ),
        ("crd.install=false", "did you mean crds?"),
        ("telemetry.endpoint=x", "did you mean telemetry.otlpEndpoint?"),
        ("serviceMonitors.enabled=true", "did you mean serviceMonitor?"),
        ("rbac.scopes=cluster", "did you mean rbac.scope?"),
        (
            "xyz=1",
            "TIM-C101 xyz is not a value of the chart tim-operator. Known: global, enabled, image",
        ),
    ] {
        let refused = refusal(values).await?;
        anyhow::ensure!(refused.contains(said), "{values}: {refused}");
    }
    // Types are the schema's business.
    anyhow::ensure!(refusal("rbac.scope=galaxy").await?.contains("/rbac/scope"));
    Ok(())
}

#[tokio::test]
async fn a_service_monitor_without_its_definition_is_refused_in_one_sentence() -> anyhow::Result<()> {
    let refused = refusal("serviceMonitor.enabled=true").await?;
    anyhow::ensure!(
        refused.contains("serviceMonitor.enabled needs the CRDs of the Prometheus Operator"),
        "{refused}"
    );
    Ok(())
}

#[tokio::test]
async fn the_names_of_values_are_those_of_the_schema_and_all_have_a_default() -> anyhow::Result<()> {
    let folder = repository_root().join(CHART);
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("values.schema.json"))?)?;
    let defaults: Value = serde_yaml::from_str(&std::fs::read_to_string(folder.join("values.yaml"))?)?;
    let template = std::fs::read_to_string(folder.join("templates/_values.tpl"))?;
    let listed = template
        .split("define \"tim-operator.values\" -}}")
        .nth(1)
        .and_then(|rest| rest.split("{{-").next());
    let listed: BTreeMap<String, BTreeSet<String>> =
        serde_yaml::from_str(listed.context("no list in _values.tpl")?)?;

    let names = |object: &Value| -> BTreeSet<String> {
        object
            .as_object()
            .into_iter()
            .flat_map(|object| object.keys().cloned())
            .collect()
    };
    let top = &schema["properties"];
    anyhow::ensure!(
        listed["values"] == names(top),
        "first level: {:?}",
        listed["values"].symmetric_difference(&names(top))
    );
    anyhow::ensure!(
        names(&defaults) == names(top),
        "values.yaml differs from the schema"
    );
    for (section, property) in top.as_object().context("properties")? {
        let known = names(&property["properties"]);
        let list = listed.get(section).cloned().unwrap_or_default();
        anyhow::ensure!(
            list == known,
            "{section}: {list:?} in the template, {known:?} in the schema"
        );
    }
    anyhow::ensure!(listed.len() <= 40, "more than 40 keys on the first level");
    Ok(())
}

#[tokio::test]
async fn the_chart_works_as_a_part_of_another_chart() -> anyhow::Result<()> {
    let parent = tempfile::tempdir()?;
    std::fs::write(
        parent.path().join("Chart.yaml"),
        "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n- {name: tim-operator, version: 0.1.0, condition: tim-operator.enabled}\n",
    )?;
    std::fs::write(
        parent.path().join("values.yaml"),
        "global: {region: eu}\ntim-operator: {enabled: true, replicas: 3, rbac: {scope: namespaced}}\n",
    )?;
    std::fs::create_dir(parent.path().join("charts"))?;
    std::os::unix::fs::symlink(
        repository_root().join(CHART),
        parent.path().join("charts/tim-operator"),
    )?;
    let folder = parent.path().display().to_string();
    let rendered = helm(&["template", "whole", &folder, "--namespace", "elsewhere"]).await?;
    anyhow::ensure!(
        rendered.contains("name: whole-operator") && rendered.contains("replicas: 3"),
        "{rendered}"
    );
    anyhow::ensure!(
        !rendered.contains("kind: ClusterRole"),
        "namespaced scope makes no ClusterRole"
    );
    let off = helm(&[
        "template",
        "whole",
        &folder,
        "--set",
        "tim-operator.enabled=false",
    ])
    .await?;
    anyhow::ensure!(!off.contains("kind: Deployment"), "{off}");
    let refused = run(
        "helm",
        &["template", "whole", &folder, "--set", "tim-operator.replica=1"],
        None,
    )
    .await?;
    anyhow::ensure!(
        refused.stderr.contains("did you mean replicas?"),
        "{}",
        refused.stderr
    );
    Ok(())
}

#[tokio::test]
async fn overlays_reach_the_objects_they_name() -> anyhow::Result<()> {
    let overlay = r#"overlay={"deployment": {"spec": {"template": {"spec": {"hostNetwork": true}}}}, "service": {"metadata": {"annotations": {"a": "b"}}}}"#;
    let rendered = helm(&["template", OPERATOR_RELEASE, CHART, "--set-json", overlay]).await?;
    anyhow::ensure!(
        rendered.contains("hostNetwork: true") && rendered.contains("a: b"),
        "{rendered}"
    );
    Ok(())
}

#[tokio::test]
async fn the_installed_operator_is_ready_restricted_and_answers_helm_test() -> anyhow::Result<()> {
    let _surroundings = Surroundings::with_operator().await?;
    let namespace = ["--namespace", OPERATOR_NAMESPACE];
    let said = helm(&[
        "test",
        OPERATOR_RELEASE,
        namespace[0],
        namespace[1],
        "--timeout=60s",
    ])
    .await?;
    anyhow::ensure!(said.contains("Phase:          Succeeded"), "{said}");
    let path = "-o=jsonpath={.items[*].spec.containers[*].securityContext.readOnlyRootFilesystem}";
    let selector = format!("--selector=app.kubernetes.io/name={OPERATOR}");
    let read_only = kubectl(&[namespace[0], namespace[1], "get", "pods", &selector, path]).await?;
    anyhow::ensure!(
        !read_only.is_empty() && !read_only.contains("false"),
        "{read_only}"
    );
    Ok(())
}
