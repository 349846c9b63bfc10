//! Doing what a plan says, with processes and files.

use super::Supervisor;
use crate::control::ControlError;
use crate::event::Event;
use crate::file::FileError;
use crate::objects::ObjectError;
use crate::runner::Managed;
use crate::trust::TrustFileError;
use crate::workload::WorkloadRecord;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_crds::TimCluster;
use tim_plan::{Action, SecretKind};
use tim_proto::control::v1::DrainRequest;

/// A node that has answered before and does not for this long is killed: its clients wait for nothing.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// A node that has never answered may take this long for its start.
const START_MAX: Duration = Duration::from_secs(60);

/// An action was not carried out. The next plan, made of what is there then, begins with it.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActionError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Objects(#[from] ObjectError),
    #[error(transparent)]
    Trust(#[from] TrustFileError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("nodes cannot be asked before the supervisor has its certificate")]
    NoControls,
    #[error("{0} does not run")]
    NotRunning(String),
}

impl Supervisor {
    pub(super) async fn carry_out(&mut self, action: &Action) -> Result<(), ActionError> {
        match action {
            Action::AddFinalizer => self.set_finalizer(true),
            Action::RemoveFinalizer => self.set_finalizer(false),
            Action::CreateSecret(kind) => {
                self.change_trust(|supervisor| supervisor.trust.create(*kind, Timestamp::now()))
            }
            Action::DeleteSecret(kind) => self.change_trust(|supervisor| supervisor.trust.delete(*kind)),
            Action::RenewAuthority => {
                self.change_trust(|supervisor| supervisor.trust.renew_authority(Timestamp::now()))
            }
            Action::IssueCertificates { nodes, operator } => self.issue(nodes, *operator),
            Action::ApplyWorkload {
                replicas,
                resource_version,
            } => {
                let hash = "processes";
                WorkloadRecord::apply(&self.directory, *replicas, hash, resource_version.as_deref())?;
                Ok(())
            }
            Action::OrphanWorkload { .. } => Ok(WorkloadRecord::delete(&self.directory)?),
            Action::DeleteWorkload { .. } => {
                WorkloadRecord::delete(&self.directory)?;
                self.runner.terminate_all(self.grace());
                Ok(())
            }
            Action::Drain {
                node,
                uid,
                deadline,
                leave_control_group,
            } => self.drain(node, uid, *deadline, *leave_control_group).await,
            Action::Undrain { node, uid } => {
                let (controls, address) = (self.asking()?, self.address_of(node, uid)?);
                Ok(controls.undrain(node, address).await?)
            }
            Action::DeleteNode { node, uid, .. } => {
                let grace = self.grace();
                self.runner.terminate(node, uid, grace);
                Ok(())
            }
            Action::RemoveVoter { voter, via } => {
                let address = self.runner.node(via).map(|node| node.record.peer_address());
                let address = address.ok_or_else(|| ActionError::NotRunning(via.clone()))?;
                Ok(self.asking()?.remove_voter(via, address, voter).await?)
            }
            // Kinds of objects and volumes with a size exist on Kubernetes only; no plan for a laptop holds them.
            Action::ApplyObject(_) | Action::RemoveObject(_) | Action::GrowVolume { .. } => Ok(()),
        }
    }

    fn grace(&self) -> Duration {
        Duration::from_secs(
            u64::try_from(self.cluster.spec.pod.termination_grace_period_seconds).unwrap_or(0),
        )
    }

    fn set_finalizer(&mut self, there: bool) -> Result<(), ActionError> {
        let name = self.settings.cluster.clone();
        self.cluster = self.store.edit::<TimCluster, ObjectError>(&name, |cluster| {
            let finalizers = cluster.metadata.finalizers.get_or_insert_default();
            finalizers.retain(|finalizer| finalizer != tim_crds::labels::FINALIZER);
            if there {
                finalizers.push(tim_crds::labels::FINALIZER.to_owned());
            }
            Ok(())
        })?;
        Ok(())
    }

    fn change_trust(
        &mut self,
        change: impl FnOnce(&Self) -> Result<(), TrustFileError>,
    ) -> Result<(), ActionError> {
        self.trust_looked = None;
        Ok(change(self)?)
    }

    fn issue(&mut self, nodes: &[String], operator: bool) -> Result<(), ActionError> {
        self.trust_looked = None;
        self.trust.create(SecretKind::NodeTls, Timestamp::now())?;
        self.trust.issue(nodes, operator, Timestamp::now())?;
        if operator {
            self.load_controls();
        }
        Ok(())
    }

    async fn drain(
        &self,
        node: &str,
        uid: &str,
        deadline: Option<Timestamp>,
        leave_control_group: bool,
    ) -> Result<(), ActionError> {
        let request = DrainRequest {
            drain_id: uid.to_owned(),
            deadline_ms: deadline.map_or(0, Timestamp::as_millisecond),
            leave_control_group,
        };
        let (controls, address) = (self.asking()?, self.address_of(node, uid)?);
        Ok(controls.drain(node, address, request).await?)
    }

    pub(super) fn asking(&self) -> Result<Arc<crate::control::Controls>, ActionError> {
        self.controls.clone().ok_or(ActionError::NoControls)
    }

    /// Where that very life of a node is reached.
    fn address_of(&self, node: &str, uid: &str) -> Result<SocketAddr, ActionError> {
        let managed = self
            .runner
            .node(node)
            .filter(|managed| managed.life().is_some_and(|life| life.uid() == uid));
        managed
            .map(|managed| managed.record.peer_address())
            .ok_or_else(|| ActionError::NotRunning(node.to_owned()))
    }

    /// Kills nodes that have stopped answering; the runner starts them again.
    pub(super) fn kill_silent(&mut self) {
        let Some(poller) = &self.poller else {
            return;
        };
        let now = Instant::now();
        let silent: Vec<(String, String, Duration)> = self
            .runner
            .nodes()
            .filter(|node| !node.is_terminating())
            .filter_map(|node: &Managed| {
                let uid = node.life()?.uid();
                let heard = poller.heard(&uid)?;
                let silence = now.duration_since(heard.at);
                let limit = if heard.answered { SILENCE_MAX } else { START_MAX };
                (silence > limit).then(|| (node.name.clone(), uid, silence))
            })
            .collect();
        for (node, uid, silent) in silent {
            if self.runner.kill(&node, &uid) {
                self.say(Event::Killed { node, silent });
            }
        }
    }
}
