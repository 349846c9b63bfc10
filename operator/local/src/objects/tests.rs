use super::*;
use std::os::unix::fs::PermissionsExt;
use tim_crds::{TimCluster, TimClusterStatus};

fn store() -> (tempfile::TempDir, ObjectStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = ObjectStore::new(folder.path().join("objects"));
    (folder, store)
}

fn cluster(replicas: i32) -> TimCluster {
    let mut cluster = TimCluster::new("chat", tim_crds::TimClusterSpec::default());
    cluster.spec.replicas = replicas;
    cluster
}

fn apply(store: &ObjectStore, document: &TimCluster) -> Applied<TimCluster> {
    store.apply(document, |_, _| {}).unwrap()
}

fn scale(store: &ObjectStore, replicas: i32) -> TimCluster {
    store
        .edit::<TimCluster, ObjectError>("chat", |object| {
            object.spec.replicas = replicas;
            Ok(())
        })
        .unwrap()
}

#[test]
fn generation_follows_the_spec_and_resource_version_every_write() {
    let (_folder, store) = store();
    let first = apply(&store, &cluster(3));
    assert!(first.created);
    assert_eq!(first.object.metadata.generation, Some(1));
    let again = apply(&store, &cluster(3));
    assert!(!again.created && again.changes.is_empty());
    assert_eq!(
        again.object.metadata.resource_version.as_deref(),
        Some("1"),
        "nothing changed, nothing written"
    );
    let mut annotated = cluster(3);
    annotated
        .meta_mut()
        .annotations
        .get_or_insert_default()
        .insert("a".into(), "b".into());
    let annotated = apply(&store, &annotated).object;
    assert_eq!(annotated.metadata.generation, Some(1));
    assert_eq!(annotated.metadata.resource_version.as_deref(), Some("2"));
    let scaled = scale(&store, 5);
    assert_eq!(scaled.metadata.generation, Some(2));
    assert_eq!(scaled.metadata.uid, first.object.metadata.uid);
}

#[test]
fn a_new_apply_takes_back_what_a_command_changed_and_says_so() {
    let (_folder, store) = store();
    apply(&store, &cluster(3));
    scale(&store, 5);
    let applied = apply(&store, &cluster(3));
    assert_eq!(applied.changes.len(), 1);
    assert_eq!(applied.reverted, applied.changes);
    assert_eq!(applied.reverted[0].to_string(), "replicas 5 → 3");
    let edited = apply(&store, &cluster(4));
    assert_eq!(edited.changes[0].to_string(), "replicas 3 → 4");
    assert!(edited.reverted.is_empty(), "the file itself changed");
}

#[test]
fn status_lives_beside_the_object_and_changes_no_version() {
    let (_folder, store) = store();
    apply(&store, &cluster(3));
    let before = store.fingerprint::<TimCluster>();
    let status = TimClusterStatus {
        replicas: 3,
        ..TimClusterStatus::default()
    };
    assert!(store.write_status::<TimCluster>("chat", &status).unwrap());
    assert!(
        !store.write_status::<TimCluster>("chat", &status).unwrap(),
        "equal status is not written"
    );
    assert_eq!(store.fingerprint::<TimCluster>(), before);
    let read: TimCluster = store.get("chat").unwrap().unwrap();
    assert_eq!(read.status.unwrap().replicas, 3);
    assert_eq!(store.names::<TimCluster>().unwrap(), ["chat"]);
    scale(&store, 4);
    let read: TimCluster = store.get("chat").unwrap().unwrap();
    assert_eq!(
        read.status.unwrap().replicas,
        3,
        "a change of the spec keeps the status"
    );
}

#[test]
fn what_adjust_keeps_survives_an_apply() {
    let (_folder, store) = store();
    apply(&store, &cluster(3));
    scale(&store, 5);
    let applied = store
        .apply(&cluster(3), |present: &TimCluster, wanted| {
            wanted.spec.replicas = present.spec.replicas
        })
        .unwrap();
    assert_eq!(applied.object.spec.replicas, 5);
    assert!(applied.changes.is_empty());
}

#[test]
fn secrets_are_for_their_owner_only() {
    let (folder, store) = store();
    let mut secret = k8s_openapi::api::core::v1::Secret::default();
    secret.metadata.name = Some("chat-d0".into());
    store.apply(&secret, |_, _| {}).unwrap();
    let path = folder.path().join("objects/Secret/chat-d0.yaml");
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn two_writers_lose_no_change() {
    let (_folder, store) = store();
    apply(&store, &cluster(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    store
                        .edit::<TimCluster, ObjectError>("chat", |object| {
                            object.spec.replicas += 1;
                            Ok(())
                        })
                        .unwrap();
                }
            });
        }
    });
    let read: TimCluster = store.get("chat").unwrap().unwrap();
    assert_eq!(read.spec.replicas, 40);
    assert_eq!(read.metadata.generation, Some(41));
}

#[test]
fn an_object_that_is_not_there_is_named() {
    let (_folder, store) = store();
    let error = store
        .edit::<TimCluster, ObjectError>("none", |_| Ok(()))
        .unwrap_err();
    assert_eq!(error.to_string(), "TimCluster none does not exist");
}
