//! A small model of a substrate: it does what actions say, as a StatefulSet controller and nodes would, and checks with
//! every action that nothing is taken away that serves.

#![allow(dead_code, reason = "each test file uses its part of the model")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "tests may stop at the first surprise"
)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use tim_catalogue::kubernetes::IMAGE_UNAVAILABLE;
use tim_crds::{TimCluster, TimClusterSpec, labels};
use tim_plan::{
    Action, Observed, Plan, SecretKind,
    action::{DeleteReason, ObjectId},
    intent::{Intent, hash},
    observed::{
        Certificate, Dsn, Node, NodePhase, NodeReport, Present, ReportedDrain, ReportedRange, ReportedState,
        Secrets, Trouble, Workload,
    },
    plan,
};

/// Image that never starts.
pub(crate) const BAD_IMAGE: &str = "tim:bad";
/// Sessions that a serving node has.
const SESSIONS: u64 = 100;
/// Sessions that a draining node closes per tick.
const DRAINED_PER_TICK: u64 = 40;

#[derive(Debug, Clone)]
pub(crate) struct ModelNode {
    pub(crate) ordinal: u32,
    pub(crate) uid: String,
    pub(crate) revision: String,
    pub(crate) image: String,
    pub(crate) created: Timestamp,
    pub(crate) terminating: bool,
    /// Ticks until it serves.
    pub(crate) starting: u32,
    pub(crate) sessions: u64,
    pub(crate) draining: bool,
    pub(crate) asked: bool,
    /// Never finishes a drain.
    pub(crate) stuck: bool,
    /// Does not answer although it runs.
    pub(crate) stopped: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) now: Timestamp,
    pub(crate) cluster: TimCluster,
    pub(crate) workload: Option<Workload>,
    pub(crate) template: (String, String),
    pub(crate) nodes: Vec<ModelNode>,
    pub(crate) secrets: Secrets,
    pub(crate) objects: BTreeMap<ObjectId, Present>,
    pub(crate) voters: BTreeSet<String>,
    pub(crate) missing_dsn: bool,
    pub(crate) storage_keys_made: u32,
    pub(crate) lives: u32,
    pub(crate) versions: u32,
    pub(crate) deleted: bool,
    /// Everything done, for messages of failed assertions.
    pub(crate) log: Vec<String>,
}

impl Model {
    pub(crate) fn new(spec: serde_json::Value) -> Self {
        let spec: TimClusterSpec = serde_json::from_value(spec).expect("a spec");
        let mut cluster = TimCluster::new("chat", spec);
        cluster.metadata.namespace = Some("eu".into());
        cluster.metadata.generation = Some(1);
        Self {
            now: "2026-11-20T12:00:00Z".parse().expect("a time"),
            cluster,
            workload: None,
            template: Default::default(),
            nodes: Vec::new(),
            secrets: Secrets::default(),
            objects: BTreeMap::new(),
            voters: BTreeSet::new(),
            missing_dsn: false,
            storage_keys_made: 0,
            lives: 0,
            versions: 0,
            deleted: false,
            log: Vec::new(),
        }
    }

    /// Three nodes on two databases.
    pub(crate) fn chat() -> Self {
        Self::new(serde_json::json!({
            "replicas": 3,
            "databases": [{"name": "d0", "dsnSecretRef": {"name": "s0"}}, {"name": "d1", "dsnSecretRef": {"name": "s1"}}],
            "drain": {"timeoutSeconds": 20},
        }))
    }

    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut TimClusterSpec)) {
        change(&mut self.cluster.spec);
        *self.cluster.metadata.generation.get_or_insert(0) += 1;
    }

    pub(crate) fn observed(&self) -> Observed {
        let mut observed = Observed {
            now: self.now,
            cluster: self.cluster.clone(),
            default_image: "tim:1".into(),
            shared_disk: false,
            config_problem: None,
            secrets: self.secrets.clone(),
            databases: self
                .cluster
                .spec
                .databases
                .iter()
                .map(|database| (database.name.clone(), self.dsn()))
                .collect(),
            config_secrets: BTreeMap::new(),
            desired: BTreeMap::from([
                (ObjectId::new("Service", "chat-nodes"), "a".into()),
                (
                    ObjectId::new("ConfigMap", "chat-config"),
                    hash(&self.cluster.spec.drain),
                ),
            ]),
            desired_workload: String::new(),
            present: self.objects.clone(),
            workload: self.workload.clone(),
            volumes: BTreeMap::new(),
            nodes: self.nodes.iter().map(|node| self.observe(node)).collect(),
            repartitions: Vec::new(),
        };
        observed.desired_workload = Intent::of(&observed).revision;
        observed
    }

    fn dsn(&self) -> Dsn {
        if self.missing_dsn {
            Dsn::SecretMissing
        } else {
            Dsn::Found {
                scheme: "postgres".into(),
            }
        }
    }

    fn observe(&self, node: &ModelNode) -> Node {
        let bad = node.image == BAD_IMAGE;
        let serving = node.starting == 0 && !bad && !node.draining && node.stopped.is_none();
        let state = match (node.starting, node.draining, node.sessions) {
            (1.., _, _) => ReportedState::Joining,
            (0, true, 0) => ReportedState::Left,
            (0, true, _) => ReportedState::Draining,
            (0, false, _) => ReportedState::Serving,
        };
        let drain = node.draining.then(|| ReportedDrain {
            id: node.uid.clone(),
            sessions_remaining: node.sessions,
            done: node.sessions == 0,
        });
        let report = NodeReport {
            state,
            version: node.image.clone(),
            sessions: node.sessions,
            drain,
            ranges: vec![
                ReportedRange {
                    from: 0,
                    database: "d0".into(),
                    epoch: 1,
                },
                ReportedRange {
                    from: 524_288,
                    database: "d1".into(),
                    epoch: 1,
                },
            ],
            map_version: 1,
            voters: self.voters.iter().cloned().collect(),
            applied_index: 1,
            ..NodeReport::default()
        };
        Node {
            name: name(node.ordinal),
            ordinal: node.ordinal,
            uid: node.uid.clone(),
            revision: node.revision.clone(),
            phase: match (node.terminating, bad) {
                (true, _) => NodePhase::Terminating,
                (false, true) => NodePhase::Pending,
                (false, false) => NodePhase::Running,
            },
            ready: serving && !node.terminating,
            created: node.created,
            trouble: bad.then(|| Trouble {
                cause: &IMAGE_UNAVAILABLE,
                observed: "the image cannot be pulled".into(),
            }),
            report: (!bad && node.stopped.is_none()).then_some(report),
            silent_since: node.stopped,
        }
    }

    /// One reconcile that does only the first `limit` actions (as if the operator died then), and what the substrate
    /// does meanwhile.
    pub(crate) fn tick(&mut self, limit: usize) -> Plan {
        let plan = plan(&self.observed());
        for action in plan.actions.iter().take(limit) {
            self.log.push(format!("{} {action:?}", self.now));
            self.carry_out(action);
        }
        if limit >= plan.actions.len() {
            self.cluster.status = Some(plan.status.clone());
        }
        self.live();
        plan
    }

    /// Ticks until nothing is planned and everything is as the spec wants it.
    pub(crate) fn settle(&mut self) {
        for _ in 0..400 {
            let plan = self.tick(usize::MAX);
            if plan.actions.is_empty() && self.is_settled() {
                // The status speaks of what was seen before: one look more.
                self.tick(usize::MAX);
                return;
            }
        }
        panic!(
            "never settles: {:#?}\n{:#?}\n{}",
            self.cluster.status,
            self.nodes,
            self.log.join("\n")
        );
    }

    pub(crate) fn is_settled(&self) -> bool {
        let revision = Intent::of(&self.observed()).revision;
        let wanted = usize::try_from(self.cluster.spec.replicas).unwrap_or(0);
        self.nodes.len() == wanted
            && self.nodes.iter().all(|node| {
                node.revision == revision
                    && node.starting == 0
                    && !node.draining
                    && !node.terminating
                    && node.stopped.is_none()
            })
    }

    fn carry_out(&mut self, action: &Action) {
        match action {
            Action::AddFinalizer => self.cluster.metadata.finalizers = Some(vec![labels::FINALIZER.into()]),
            Action::CreateSecret(kind) => self.create_secret(*kind),
            Action::RenewAuthority => self.secrets.authority_not_after = Some(self.later(3650 * 24)),
            Action::IssueCertificates { nodes, operator } => self.issue(nodes, *operator),
            Action::ApplyObject(id) => {
                let hash = self.observed().desired[id].clone();
                self.objects.insert(
                    id.clone(),
                    Present {
                        hash: Some(hash),
                        owned: true,
                        drifted: false,
                    },
                );
            }
            Action::RemoveObject(id) => drop(self.objects.remove(id)),
            Action::ApplyWorkload {
                replicas,
                resource_version,
            } => self.apply_workload(*replicas, resource_version.as_deref()),
            Action::Drain {
                uid,
                leave_control_group,
                ..
            } => self.drain(uid, *leave_control_group),
            Action::Undrain { uid, .. } => {
                if let Some(node) = self.node(uid) {
                    node.draining = false;
                    node.asked = false;
                    node.sessions = SESSIONS;
                }
            }
            Action::DeleteNode { uid, reason, .. } => self.delete_node(uid, *reason),
            Action::RemoveVoter { voter, .. } => drop(self.voters.remove(voter)),
            Action::DeleteWorkload { .. } => {
                self.workload = None;
                self.nodes.iter_mut().for_each(|node| node.terminating = true);
            }
            Action::OrphanWorkload { .. } => self.workload = None,
            Action::GrowVolume { .. } => {}
            Action::DeleteSecret(kind) => drop(self.secrets.present.remove(kind)),
            Action::RemoveFinalizer => {
                self.cluster.metadata.finalizers = None;
                self.deleted = true;
            }
        }
    }

    fn create_secret(&mut self, kind: SecretKind) {
        self.secrets.present.insert(kind);
        if kind == SecretKind::Storage {
            self.storage_keys_made += 1;
        }
        if kind == SecretKind::Authority {
            self.secrets.authority_not_after = Some(self.later(3650 * 24));
        }
    }

    fn later(&self, hours: i64) -> Timestamp {
        self.now + SignedDuration::from_hours(hours)
    }

    fn issue(&mut self, nodes: &[String], operator: bool) {
        assert!(
            self.secrets.present.contains(&SecretKind::Authority),
            "issued without an authority"
        );
        self.secrets.present.insert(SecretKind::NodeTls);
        let certificate = Certificate {
            not_before: self.now,
            not_after: self.later(90 * 24),
        };
        for node in nodes {
            self.secrets.certificates.insert(node.clone(), certificate);
        }
        if operator {
            self.secrets.operator_certificate = Some(certificate);
        }
    }

    fn apply_workload(&mut self, replicas: u32, resource_version: Option<&str>) {
        let present = self
            .workload
            .as_ref()
            .map(|workload| workload.resource_version.as_str());
        assert_eq!(
            present, resource_version,
            "written over a state that was not observed"
        );
        for ordinal in 0..replicas {
            assert!(
                self.secrets.certificates.contains_key(&name(ordinal)),
                "ordinal {ordinal} before its certificate"
            );
        }
        assert!(
            self.secrets.present.contains(&SecretKind::Storage)
                && self.secrets.present.contains(&SecretKind::Cluster)
        );
        if let Some(workload) = &self.workload
            && replicas < workload.replicas
        {
            assert_eq!(
                replicas + 1,
                workload.replicas,
                "more than one ordinal at a time\n{}",
                self.log.join("\n")
            );
            self.check_scale_in(replicas);
        }
        let intent = Intent::of(&self.observed());
        self.versions += 1;
        self.template = (intent.revision.clone(), intent.image.clone());
        let previous = self.workload.take();
        self.workload = Some(Workload {
            uid: previous.map_or_else(|| format!("w{}", self.versions), |workload| workload.uid),
            resource_version: self.versions.to_string(),
            replicas,
            hash: Some(intent.revision),
            owned: true,
            drifted: false,
            default_image: Some("tim:1".into()),
            volume_size: None,
            deleting: false,
        });
    }

    fn check_scale_in(&self, ordinal: u32) {
        let Some(node) = self.nodes.iter().find(|node| node.ordinal == ordinal) else {
            return;
        };
        assert!(
            !serves(node),
            "{} goes though it serves\n{}",
            name(ordinal),
            self.log.join("\n")
        );
        assert!(
            !self.voters.contains(&name(ordinal)) || self.cluster.spec.replicas == 0,
            "{} goes though the group counts on it",
            name(ordinal)
        );
        self.check_nobody_else_is_away(&node.uid);
    }

    fn drain(&mut self, uid: &str, leave: bool) {
        self.check_nobody_else_is_away(uid);
        let Some(node) = self.node(uid) else { return };
        node.draining = true;
        node.asked = true;
        let (name, stuck) = (name(node.ordinal), node.stuck);
        if leave && !stuck && self.voters.len() > 1 {
            self.voters.remove(&name);
        }
    }

    fn delete_node(&mut self, uid: &str, reason: DeleteReason) {
        let Some(node) = self.nodes.iter().find(|node| node.uid == uid) else {
            return;
        };
        match reason {
            DeleteReason::Broken => assert!(
                !serves(node),
                "a serving node deleted as broken\n{}",
                self.log.join("\n")
            ),
            DeleteReason::Replaced => {
                assert!(
                    node.draining && node.sessions == 0,
                    "deleted before it was empty\n{}",
                    self.log.join("\n")
                );
                self.check_nobody_else_is_away(uid);
            }
            DeleteReason::DrainTimeout => assert!(node.draining, "timed out without a drain"),
        }
        if let Some(node) = self.node(uid) {
            node.terminating = true;
        }
    }

    /// At most one node is away on purpose; those that fate took do not count.
    fn check_nobody_else_is_away(&self, uid: &str) {
        let others: Vec<_> = self
            .nodes
            .iter()
            .filter(|node| {
                node.uid != uid && node.asked && node.stopped.is_none() && (node.draining || node.terminating)
            })
            .collect();
        assert!(
            others.is_empty(),
            "{uid} and {others:?} at once\n{}",
            self.log.join("\n")
        );
    }

    fn node(&mut self, uid: &str) -> Option<&mut ModelNode> {
        self.nodes
            .iter_mut()
            .find(|node| node.uid == uid && !node.terminating)
    }

    /// What the substrate and the nodes do in one tick.
    fn live(&mut self) {
        self.now += SignedDuration::from_secs(1);
        self.nodes.retain(|node| !(node.terminating));
        let kept = self
            .workload
            .as_ref()
            .map_or(u32::MAX, |workload| workload.replicas);
        for node in &mut self.nodes {
            node.starting = node.starting.saturating_sub(u32::from(node.image != BAD_IMAGE));
            if node.starting == 0 && !node.draining && node.stopped.is_none() && node.image != BAD_IMAGE {
                node.sessions = SESSIONS;
                self.voters.insert(name(node.ordinal));
            }
            if node.draining && node.stopped.is_none() && !node.stuck {
                node.sessions = node.sessions.saturating_sub(DRAINED_PER_TICK);
            }
            if node.ordinal >= kept {
                node.terminating = true;
            }
            // A stopped process is killed by its substrate in the end.
            if node
                .stopped
                .is_some_and(|since| self.now.duration_since(since).as_secs() > 15)
            {
                node.terminating = true;
            }
        }
        if let Some(workload) = &self.workload {
            for ordinal in 0..workload.replicas {
                if !self.nodes.iter().any(|node| node.ordinal == ordinal) {
                    self.lives += 1;
                    self.nodes.push(ModelNode {
                        ordinal,
                        uid: format!("u{}", self.lives),
                        revision: self.template.0.clone(),
                        image: self.template.1.clone(),
                        created: self.now,
                        terminating: false,
                        starting: 2,
                        sessions: 0,
                        draining: false,
                        asked: false,
                        stuck: false,
                        stopped: None,
                    });
                }
            }
        }
        self.nodes.sort_by_key(|node| node.ordinal);
    }
}

fn serves(node: &ModelNode) -> bool {
    node.starting == 0
        && !node.draining
        && !node.terminating
        && node.stopped.is_none()
        && node.image != BAD_IMAGE
}

pub(crate) fn name(ordinal: u32) -> String {
    format!("chat-{ordinal}")
}
