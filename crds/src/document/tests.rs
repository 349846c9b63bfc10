use super::*;

const CHAT: &str = include_str!("../../../examples/chat.yaml");

fn cluster(text: &str) -> TimCluster {
    match read("chat.yaml", text).map(|documents| {
        documents
            .objects
            .into_iter()
            .next()
            .map(|document| document.object)
    }) {
        Ok(Some(Object::Cluster(cluster))) => *cluster,
        other => panic!("no cluster: {other:?}"),
    }
}

fn problem(text: &str) -> String {
    read("examples/chat.yaml", text).map_or_else(
        |problems| problems.to_string(),
        |documents| panic!("accepted: {documents:?}"),
    )
}

fn chat(edit: impl Fn(&str) -> String) -> String {
    edit(
        "apiVersion: timcluster.io/v1alpha1\nkind: TimCluster\nmetadata:\n  name: chat\nspec:\n  replicas: 1\n",
    )
}

#[test]
fn the_example_is_accepted_and_gets_its_defaults() {
    let cluster = cluster(CHAT);
    assert_eq!(cluster.spec.replicas, 3);
    assert_eq!(cluster.spec.databases.len(), 2);
    assert_eq!(cluster.spec.databases[0].dsn_secret_ref.key, "dsn");
    assert_eq!(cluster.spec.drain.timeout_seconds, 300);
    assert_eq!(cluster.spec.listeners.len(), 2);
    assert_eq!(cluster.cluster_id(), "default.chat");
}

#[test]
fn a_misspelt_field_names_file_line_and_nearest_name() {
    assert_eq!(
        problem(&chat(|text| format!(
            "# a comment\n{}",
            text.replace("replicas", "replica")
        ))),
        "TIM-C101 examples/chat.yaml:7: spec.replica is not a field of TimCluster; did you mean spec.replicas?"
    );
    assert_eq!(
        problem(&chat(|text| format!("{text}  pod:\n    ressources: {{}}\n"))),
        "TIM-C101 examples/chat.yaml:8: spec.pod.ressources is not a field of TimCluster; did you mean spec.pod.resources?"
    );
    assert_eq!(
        problem(&chat(|text| text.replace("spec:", "specs:")))
            .lines()
            .next(),
        Some("TIM-C101 examples/chat.yaml:5: specs is not a field of TimCluster; did you mean spec?")
    );
}

#[test]
fn lines_count_from_the_beginning_of_the_file_in_later_documents_too() {
    let text =
        format!("{CHAT}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\ndata:\n  dsn: '***'\n");
    let line = text.lines().count();
    assert_eq!(
        problem(&text),
        format!(
            "TIM-C102 examples/chat.yaml:{line}: data.dsn must be base64; plain text belongs under stringData"
        )
    );
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = chat(|text| {
        format!(
            "{text}  tls: {{mode: selfmanaged}}\n  storage: {{size: lots}}\n  databases: [{{name: d0}}]\n"
        )
    });
    assert_eq!(
        problem(&text),
        "TIM-C102 examples/chat.yaml:7: spec.tls.mode must be one of SelfManaged (is \"selfmanaged\"); did you mean SelfManaged?\n\
         TIM-C102 examples/chat.yaml:8: spec.storage.size must match ^[1-9][0-9]{0,9}(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$ (is \"lots\")\n\
         TIM-C105 examples/chat.yaml:9: spec.databases[0].dsnSecretRef is missing"
    );
}

#[test]
fn rules_are_judged_with_their_code_and_line() {
    assert_eq!(
        problem(&chat(|text| text.replace("replicas: 1", "replicas: 3"))),
        "TIM-C107 examples/chat.yaml:5: databases: SQLite lives on one node's disk, so replicas must be 1 (is 3). \
         try: replicas: 1, or give databases a PostgreSQL or MySQL DSN"
    );
    assert_eq!(
        problem(&chat(|text| text.replace("replicas: 1", "replicas: -1"))),
        "TIM-C102 examples/chat.yaml:6: replicas must be 0 or more (is -1)"
    );
}

#[test]
fn a_null_is_as_good_as_an_absent_field() {
    let cluster = cluster(&chat(|text| {
        format!("{text}  clusterId:\n  storage:\n  databases:\n")
    }));
    assert_eq!(cluster.spec.cluster_id, None);
    assert_eq!(cluster.spec.storage.size, "1Gi");
}

#[test]
fn other_kinds_are_skipped_and_named_and_secrets_read() -> anyhow::Result<()> {
    let text = "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: web}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: eA==}\nstringData: {b: secret-value}\n";
    let documents = read("all.yaml", text)?;
    assert_eq!(
        documents.skipped,
        [Skipped {
            kind: "Deployment".into(),
            name: "web".into(),
            line: 1
        }]
    );
    let Object::Secret(secret) = &documents.objects[0].object else {
        panic!("{documents:?}")
    };
    assert_eq!(secret.data["a"], b"x");
    assert_eq!(secret.data["b"], b"secret-value");
    assert!(
        !format!("{documents:?}").contains("secret-value"),
        "values are never displayed"
    );
    Ok(())
}

#[test]
fn what_is_not_yaml_or_of_another_version_is_said_so() {
    assert!(problem("a: [1\nb: 2").starts_with("TIM-C103 examples/chat.yaml:"));
    assert_eq!(
        problem(&chat(|text| text.replace("v1alpha1", "v2"))),
        "TIM-C102 examples/chat.yaml:1: apiVersion must be timcluster.io/v1alpha1 (is \"timcluster.io/v2\")"
    );
    assert_eq!(
        problem(&chat(|text| text.replace("TimCluster", "TimClutser"))),
        "TIM-C102 examples/chat.yaml:2: kind \"TimClutser\" is not one of TimCluster, TimRepartition; did you mean TimCluster?"
    );
}

#[test]
fn changes_are_judged_against_what_was_before() -> anyhow::Result<()> {
    let old = cluster(CHAT);
    let documents = read("chat.yaml", CHAT)?;
    let origin = &documents.objects[0].origin;
    let mut new = old.clone();
    new.spec.replicas = 5;
    origin.check_change(&old, &new)?;
    new.spec.cluster_id = Some("other".into());
    let problems = origin
        .check_change(&old, &new)
        .map_or_else(|problems| problems.0, |()| Vec::new());
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].cause.code, "TIM-C104");
    Ok(())
}
