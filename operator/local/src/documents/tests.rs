use super::*;
use std::path::Path;

const CHAT: &str = "\
apiVersion: timcluster.io/v1alpha1
kind: TimCluster
metadata:
  name: chat
spec:
  replicas: 3
  databases:
  - name: d0
    dsnSecretRef: {name: chat-d0}
  - name: d1
    dsnSecretRef: {name: chat-d1}
";

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn source(files: Vec<PathBuf>) -> Source {
    Source {
        files,
        replicas: None,
    }
}

fn code(error: &SourceError) -> &'static str {
    match error {
        SourceError::Problems(problems) => problems.0[0].cause.code,
        SourceError::Refused(report) => report.cause().code,
        SourceError::Objects(_) => "objects",
    }
}

#[test]
fn several_documents_and_files_make_one_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let chat = write(folder.path(), "chat.yaml", CHAT);
    let others = write(
        folder.path(),
        "others.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: chat-d0}\nstringData: {dsn: 'postgres://u:p@h/d'}\n---\n\
         apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: postgresql}\n",
    );
    let source = source(vec![others, chat]);
    let loaded = source.load().unwrap();
    assert_eq!(loaded.skipped.len(), 1);
    let store = ObjectStore::new(folder.path().join("objects"));
    let applied = loaded.apply(&store, &source).unwrap();
    assert!(applied.cluster.created);
    let secret: StoredSecret = store.get("chat-d0").unwrap().unwrap();
    assert_eq!(secret.data.unwrap()["dsn"].0, b"postgres://u:p@h/d");
}

#[test]
fn exactly_one_cluster_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let none = write(
        folder.path(),
        "none.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n",
    );
    assert_eq!(code(&source(vec![none]).load().unwrap_err()), "TIM-L110");
    let two = write(
        folder.path(),
        "two.yaml",
        &format!("{CHAT}---\n{}", CHAT.replace("name: chat\n", "name: other\n")),
    );
    let error = source(vec![two]).load().unwrap_err();
    assert_eq!(code(&error), "TIM-L110");
    assert!(error.to_string().contains("chat, other"), "{error}");
    let same = CHAT.replace("  name: chat\n", "  name: chat\n  namespace: a\n");
    let other = CHAT.replace("  name: chat\n", "  name: chat\n  namespace: b\n");
    let namesakes = write(folder.path(), "namesakes.yaml", &format!("{same}---\n{other}"));
    let error = source(vec![namesakes]).load().unwrap_err();
    assert_eq!(code(&error), "TIM-L121");
    assert!(error.to_string().contains("a/chat and b/chat"), "{error}");
}

#[test]
fn mistakes_are_told_with_file_line_and_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(
        folder.path(),
        "chat.yaml",
        &CHAT.replace("replicas: 3", "replica: 3"),
    );
    let error = source(vec![path]).load().unwrap_err();
    assert_eq!(code(&error), "TIM-C101");
    let text = error.to_string();
    assert!(
        text.contains("chat.yaml:6:") && text.contains("did you mean spec.replicas?"),
        "{text}"
    );
    let missing = source(vec![folder.path().join("missing.yaml")])
        .load()
        .unwrap_err();
    assert_eq!(code(&missing), "TIM-C103");
}

#[test]
fn an_identity_cannot_be_changed_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let store = ObjectStore::new(folder.path().join("objects"));
    let path = write(folder.path(), "chat.yaml", CHAT);
    let source = source(vec![path.clone()]);
    source.load().unwrap().apply(&store, &source).unwrap();
    std::fs::write(&path, CHAT.replace("spec:\n", "spec:\n  clusterId: other\n")).unwrap();
    let error = source.load().unwrap().apply(&store, &source).unwrap_err();
    assert_eq!(code(&error), "TIM-C104");
    let present: TimCluster = store.get("chat").unwrap().unwrap();
    assert_eq!(present.metadata.generation, Some(1), "left as it was");
}

#[test]
fn a_database_made_by_a_split_survives_a_file_that_does_not_name_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = ObjectStore::new(folder.path().join("objects"));
    let source = source(vec![write(folder.path(), "chat.yaml", CHAT)]);
    source.load().unwrap().apply(&store, &source).unwrap();
    store
        .edit::<TimCluster, ObjectError>("chat", |cluster| {
            let database = Database {
                name: "d2".into(),
                ..cluster.spec.databases[0].clone()
            };
            add_split_database(cluster, database);
            Ok(())
        })
        .unwrap();
    for _ in 0..2 {
        let applied = source.load().unwrap().apply(&store, &source).unwrap();
        assert_eq!(applied.kept_databases, ["d2"]);
        assert!(
            applied.cluster.changes.is_empty(),
            "{:?}",
            applied.cluster.changes
        );
        assert_eq!(applied.cluster.object.spec.databases.len(), 3);
    }
}

#[test]
fn replicas_of_the_command_line_hold_until_the_file_says_another_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "chat.yaml", CHAT);
    let source = Source {
        files: vec![path.clone()],
        replicas: Some(ReplicasOverride {
            wanted: 5,
            file: Some(3),
        }),
    };
    assert_eq!(source.load().unwrap().cluster.spec.replicas, 5);
    std::fs::write(&path, CHAT.replace("replicas: 3", "replicas: 4")).unwrap();
    assert_eq!(source.load().unwrap().cluster.spec.replicas, 4);
}
