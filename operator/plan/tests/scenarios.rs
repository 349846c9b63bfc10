//! The walks of a cluster that issue and design name one by one.

mod model;

use model::{BAD_IMAGE, Model, name};
use tim_crds::{Time, cluster::ClusterPhase, cluster::RetainPolicy};
use tim_plan::{Action, SecretKind, action::DeleteReason, condition::is_true};

fn phase(model: &Model) -> (ClusterPhase, String) {
    let status = model.cluster.status.clone().unwrap_or_default();
    (
        status.phase.unwrap_or_default(),
        status.phase_reason.unwrap_or_default(),
    )
}

fn condition(model: &Model, type_: &str) -> (String, String, String) {
    let status = model.cluster.status.clone().unwrap_or_default();
    let found = status
        .conditions
        .into_iter()
        .find(|condition| condition.type_ == type_);
    found
        .map(|condition| (condition.status, condition.reason, condition.message))
        .unwrap_or_default()
}

#[test]
fn a_cluster_begins_in_one_pass_secrets_before_certificates_before_nodes() {
    let mut model = Model::chat();
    let plan = model.tick(usize::MAX);
    let order: Vec<&str> = plan
        .actions
        .iter()
        .map(|action| match action {
            Action::AddFinalizer => "finalizer",
            Action::CreateSecret(_) => "secret",
            Action::IssueCertificates { .. } => "certificates",
            Action::ApplyObject(_) => "object",
            Action::ApplyWorkload {
                replicas: 3,
                resource_version: None,
            } => "workload",
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    assert_eq!(
        order,
        [
            "finalizer",
            "secret",
            "secret",
            "secret",
            "certificates",
            "object",
            "object",
            "workload"
        ]
    );
    model.settle();
    model.tick(usize::MAX);
    assert_eq!(
        phase(&model),
        (ClusterPhase::Running, "3 of 3 nodes serve".into())
    );
    let status = model.cluster.status.unwrap_or_default();
    assert_eq!(
        (
            status.replicas,
            status.ready_replicas,
            status.updated_replicas,
            status.available_replicas
        ),
        (3, 3, 3, 3)
    );
    assert_eq!(
        status.selector.as_deref(),
        Some("app.kubernetes.io/name=tim,app.kubernetes.io/instance=chat,app.kubernetes.io/component=node")
    );
    assert_eq!(status.version.as_deref(), Some("tim:1"));
    for type_ in [
        "Ready",
        "Available",
        "Reconciled",
        "DatabasesReady",
        "CertificatesValid",
    ] {
        assert!(is_true(&status.conditions, type_), "{type_}");
    }
    for type_ in [
        "Progressing",
        "Degraded",
        "Reconciling",
        "Stalled",
        "LayoutDiffers",
        "Paused",
    ] {
        assert!(!is_true(&status.conditions, type_), "{type_}");
    }
}

#[test]
fn scale_in_drains_the_highest_ordinal_and_a_changed_mind_brings_it_back() {
    let mut model = Model::chat();
    model.settle();
    model.edit(|spec| spec.replicas = 1);
    let plan = model.tick(usize::MAX);
    assert!(
        matches!(&plan.actions[..], [Action::Drain { node, leave_control_group: true, .. }] if *node == name(2)),
        "{:?}",
        plan.actions
    );
    assert_eq!(
        phase(&model),
        (
            ClusterPhase::ScalingIn,
            "draining chat-2 (100 of 100 connections left)".into()
        )
    );
    model.edit(|spec| spec.replicas = 3);
    let plan = model.tick(usize::MAX);
    assert!(
        matches!(&plan.actions[..], [Action::Undrain { node, .. }] if *node == name(2)),
        "{:?}",
        plan.actions
    );
    model.settle();
    model.edit(|spec| spec.replicas = 1);
    model.settle();
    assert_eq!(model.nodes.len(), 1);
}

#[test]
fn replicas_0_stops_all_and_keeps_what_is_needed_to_come_back() {
    let mut model = Model::chat();
    model.settle();
    model.edit(|spec| spec.replicas = 0);
    model.settle();
    assert_eq!(
        phase(&model),
        (ClusterPhase::Stopped, "replicas is 0; data is kept".into())
    );
    assert!(
        model.voters.contains(&name(0)),
        "the last voter keeps the group's state"
    );
    assert_eq!(condition(&model, "Ready").0, "True");
    assert_eq!(
        model
            .cluster
            .status
            .as_ref()
            .and_then(|status| status.partitions.as_ref())
            .map(|map| map.ranges),
        Some(2)
    );
    model.edit(|spec| spec.replicas = 3);
    model.settle();
    assert_eq!(model.storage_keys_made, 1);
}

#[test]
fn a_changed_image_replaces_drained_nodes_one_by_one() {
    let mut model = Model::chat();
    model.settle();
    let before: Vec<String> = model.nodes.iter().map(|node| node.uid.clone()).collect();
    model.edit(|spec| spec.image = Some("tim:2".into()));
    let mut serving_min = 3;
    for _ in 0..60 {
        model.tick(usize::MAX);
        let serving = model
            .cluster
            .status
            .as_ref()
            .map_or(0, |status| status.ready_replicas);
        serving_min = serving_min.min(serving);
    }
    assert!(model.is_settled());
    assert_eq!(serving_min, 2, "one at a time");
    assert!(model.nodes.iter().all(|node| !before.contains(&node.uid)));
    assert_eq!(
        model.cluster.status.and_then(|status| status.version).as_deref(),
        Some("tim:2")
    );
}

#[test]
fn a_bad_image_stops_at_the_first_node_and_is_healed_by_a_corrected_one() {
    let mut model = Model::chat();
    model.settle();
    model.edit(|spec| spec.image = Some(BAD_IMAGE.into()));
    for _ in 0..100 {
        model.tick(usize::MAX);
    }
    let bad = model.nodes.iter().filter(|node| node.image == BAD_IMAGE).count();
    assert_eq!(bad, 1, "the others go on");
    let (status, reason, message) = condition(&model, "Degraded");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "ImageUnavailable"));
    assert_eq!(message, "TIM-K105 chat-2: the image cannot be pulled");
    model.edit(|spec| spec.image = Some("tim:2".into()));
    let plan = model.tick(usize::MAX);
    assert!(
        plan.actions.iter().any(|action| matches!(
            action,
            Action::DeleteNode {
                reason: DeleteReason::Broken,
                ..
            }
        )),
        "{:?}",
        plan.actions
    );
    model.settle();
}

#[test]
fn a_cluster_that_began_with_a_bad_image_is_healed_too() {
    let mut model = Model::chat();
    model.edit(|spec| spec.image = Some(BAD_IMAGE.into()));
    for _ in 0..20 {
        model.tick(usize::MAX);
    }
    assert_eq!(phase(&model).0, ClusterPhase::Pending);
    model.edit(|spec| spec.image = None);
    model.settle();
}

#[test]
fn a_missing_secret_is_a_condition_that_heals_and_running_nodes_go_on() {
    let mut model = Model::chat();
    model.missing_dsn = true;
    for _ in 0..5 {
        model.tick(usize::MAX);
    }
    assert!(model.nodes.is_empty());
    let (status, reason, message) = condition(&model, "DatabasesReady");
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "DatabaseSecretMissing")
    );
    assert_eq!(
        message,
        "TIM-S102 databases[0] \"d0\": Secret s0, key dsn: there is no such Secret"
    );
    assert_eq!(phase(&model), (ClusterPhase::Blocked, message));
    let status = model.cluster.status.clone();
    model.tick(usize::MAX);
    assert_eq!(model.cluster.status, status, "stable while the cause stays");
    model.missing_dsn = false;
    model.settle();
    model.missing_dsn = true;
    model.edit(|spec| spec.image = Some("tim:2".into()));
    for _ in 0..20 {
        model.tick(usize::MAX);
    }
    assert!(
        model.nodes.iter().all(|node| node.image == "tim:1"),
        "nobody is replaced meanwhile"
    );
}

#[test]
fn a_lost_storage_key_is_never_made_again() {
    let mut model = Model::chat();
    model.settle();
    model.secrets.present.remove(&SecretKind::Storage);
    model.edit(|spec| spec.image = Some("tim:2".into()));
    for _ in 0..20 {
        model.tick(usize::MAX);
    }
    assert_eq!(model.storage_keys_made, 1);
    assert!(model.nodes.iter().all(|node| node.image == "tim:1"));
    assert_eq!(condition(&model, "Stalled").1, "StorageKeyMissing");
}

#[test]
fn pause_writes_nothing_and_says_so() {
    let mut model = Model::chat();
    model.settle();
    model.cluster.metadata.annotations =
        Some([(tim_crds::labels::ANNOTATION_PAUSE.to_owned(), "true".to_owned())].into());
    model.edit(|spec| spec.replicas = 5);
    assert!(model.tick(usize::MAX).actions.is_empty());
    assert_eq!(phase(&model).0, ClusterPhase::Paused);
}

#[test]
fn a_foreign_object_is_left_alone_and_named() {
    let mut model = Model::chat();
    let id = tim_plan::action::ObjectId::new("Service", "chat-nodes");
    model.objects.insert(
        id.clone(),
        tim_plan::observed::Present {
            hash: None,
            owned: false,
            drifted: false,
        },
    );
    for _ in 0..5 {
        let plan = model.tick(usize::MAX);
        assert!(!plan.actions.contains(&Action::ApplyObject(id.clone())));
    }
    assert!(model.nodes.is_empty());
    assert_eq!(
        condition(&model, "Stalled").2,
        "TIM-K104 Service/chat-nodes exists and is not controlled by this TimCluster"
    );
}

#[test]
fn deletion_stops_the_nodes_and_keeps_the_storage_key_only_if_told_to() {
    for (retain, kept) in [(RetainPolicy::Retain, true), (RetainPolicy::Delete, false)] {
        let mut model = Model::chat();
        model.edit(|spec| spec.storage.retain.when_deleted = retain);
        model.settle();
        model.cluster.metadata.deletion_timestamp = Some(Time(model.now));
        for _ in 0..10 {
            model.tick(usize::MAX);
        }
        assert!(model.deleted && model.nodes.is_empty());
        assert_eq!(model.secrets.present.contains(&SecretKind::Storage), kept);
        assert!(model.tick(usize::MAX).actions.is_empty());
    }
}

#[test]
fn the_finalizer_goes_at_its_deadline_although_a_node_is_left() {
    let mut model = Model::chat();
    model.settle();
    model.cluster.metadata.deletion_timestamp = Some(Time(model.now));
    let mut observed = model.observed();
    let before = tim_plan::plan(&observed);
    assert!(!before.actions.contains(&Action::RemoveFinalizer));
    observed.now += jiff::SignedDuration::from_secs(360 + 60);
    assert!(
        tim_plan::plan(&observed)
            .actions
            .contains(&Action::RemoveFinalizer)
    );
}

#[test]
fn certificates_are_renewed_in_time() {
    let mut model = Model::chat();
    model.settle();
    model.now += jiff::SignedDuration::from_hours(59 * 24);
    assert!(model.tick(usize::MAX).actions.is_empty());
    model.now += jiff::SignedDuration::from_hours(24);
    let plan = model.tick(usize::MAX);
    assert_eq!(
        plan.actions,
        [Action::IssueCertificates {
            nodes: vec![name(0), name(1), name(2)],
            operator: true
        }]
    );
    assert!(model.tick(usize::MAX).actions.is_empty());
}

#[test]
fn a_layout_that_differs_from_the_map_moves_nothing_and_is_said() {
    let mut model = Model::chat();
    model.settle();
    model.edit(|spec| {
        spec.partitioning.layout = vec![tim_crds::cluster::Range {
            from: 0,
            database: "d1".into(),
        }];
    });
    assert!(model.tick(usize::MAX).actions.is_empty());
    let (status, reason, message) = condition(&model, "LayoutDiffers");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "MapDiffers"));
    assert_eq!(
        message,
        "spec: 0→d1; nodes: 0→d0 524288→d1. A layout is read once; TimRepartitions move data"
    );
}

#[test]
fn a_database_that_holds_slots_cannot_leave_the_spec() {
    let mut model = Model::chat();
    model.settle();
    model.edit(|spec| spec.databases.truncate(1));
    for _ in 0..20 {
        model.tick(usize::MAX);
    }
    assert!(
        condition(&model, "DatabasesReady")
            .2
            .starts_with("TIM-S111 databases: \"d1\" still holds slots")
    );
    assert!(
        model
            .workload
            .as_ref()
            .is_some_and(|workload| workload.resource_version == "1"),
        "no node is replaced"
    );
}

#[test]
fn a_drain_that_never_ends_is_over_at_its_deadline() {
    let mut model = Model::chat();
    model.settle();
    model.nodes[2].stuck = true;
    model.edit(|spec| spec.replicas = 2);
    for _ in 0..15 {
        model.tick(usize::MAX);
    }
    assert_eq!(model.nodes.len(), 3, "within its time");
    model.settle();
    assert_eq!(model.nodes.len(), 2);
    assert!(
        !model.voters.contains(&name(2)),
        "taken out of the group by a node that stays"
    );
}

#[test]
fn with_on_timeout_wait_nothing_is_forced() {
    let mut model = Model::chat();
    model.settle();
    model.nodes[2].stuck = true;
    model.edit(|spec| {
        spec.replicas = 2;
        spec.drain.on_timeout = tim_crds::cluster::DrainTimeout::Wait;
    });
    for _ in 0..60 {
        model.tick(usize::MAX);
    }
    assert_eq!(model.nodes.len(), 3);
}
