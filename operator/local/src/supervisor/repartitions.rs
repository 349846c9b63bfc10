//! TimRepartitions of the cluster, driven through the nodes' control API by the same planner as on Kubernetes.

use super::carry_out::ActionError;
use super::{Supervisor, SupervisorError};
use crate::control::Controls;
use crate::event::Event;
use crate::objects::ObjectError;
use jiff::Timestamp;
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tim_crds::repartition::RepartitionPhase;
use tim_crds::{TimRepartition, labels};
use tim_plan::control_api;
use tim_plan::observed::{Observed, RepartitionSummary};
use tim_plan::repartition::{self as planner, Action, Known};

/// What is remembered between two looks.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Phase and reason that were told last, by name.
    said: BTreeMap<String, (RepartitionPhase, Option<String>)>,
    due: Option<Instant>,
}

impl Supervisor {
    /// The repartitions of this cluster, the oldest first.
    pub(super) fn own_repartitions(&self) -> Result<Vec<TimRepartition>, SupervisorError> {
        let mut own: Vec<TimRepartition> = self.store.list()?;
        own.retain(|repartition| repartition.spec.cluster_ref.name == self.settings.cluster);
        own.sort_by_key(|repartition| repartition.creation_timestamp().map(|time| time.0));
        Ok(own)
    }

    /// Those that have not ended, as the cluster's plan wants to know them.
    pub(super) fn repartition_summaries(&self) -> Result<Vec<RepartitionSummary>, SupervisorError> {
        let own = self.own_repartitions()?;
        Ok(own.iter().filter_map(RepartitionSummary::of).collect())
    }

    /// Brings each repartition one step further. Says whether one is under way.
    pub(super) async fn drive_repartitions(&mut self, observed: &Observed) -> Result<bool, SupervisorError> {
        if self.repartitions.due.is_some_and(|due| Instant::now() < due) {
            return Ok(self
                .repartitions
                .said
                .values()
                .any(|(phase, _)| !phase.is_final()));
        }
        let mut busy = false;
        for repartition in self.own_repartitions()? {
            let unfinished = !is_over(&repartition);
            // One that has ended is looked at until its finalizer is in order, and then left alone.
            if unfinished || !has_finalizer(&repartition) {
                self.drive(repartition, observed).await?;
            }
            busy |= unfinished;
        }
        let pause = if busy {
            Duration::from_millis(250)
        } else {
            Duration::from_secs(1)
        };
        self.repartitions.due = Some(Instant::now() + pause);
        Ok(busy)
    }

    async fn drive(
        &mut self,
        repartition: TimRepartition,
        cluster: &Observed,
    ) -> Result<(), SupervisorError> {
        let name = repartition.name_any();
        let mut observed = self.observe_repartition(repartition, cluster).await;
        let mut plan = planner::plan(&observed);
        match self.carry_out_repartition(&name, &plan.actions).await {
            Ok(None) => {}
            Ok(refusal) => {
                observed.refusal = refusal;
                plan = planner::plan(&observed);
            }
            Err(error) => tracing::warn!(repartition = name, %error, "a step failed; it is tried again"),
        }
        self.store.write_status::<TimRepartition>(&name, &plan.status)?;
        let now = (plan.status.phase, plan.status.phase_reason.clone());
        if self.repartitions.said.get(&name) != Some(&now) {
            let reason = plan.status.phase_reason;
            self.say(Event::Repartition {
                name: name.clone(),
                phase: now.0.as_str().into(),
                reason,
            });
            self.repartitions.said.insert(name, now);
        }
        Ok(())
    }

    async fn observe_repartition(
        &self,
        repartition: TimRepartition,
        cluster: &Observed,
    ) -> planner::Observed {
        let reports = cluster.nodes.iter().filter_map(|node| node.report.as_ref());
        let newest = reports.max_by_key(|report| report.map_version);
        let name = repartition.name_any();
        let operation_id = planner::operation_id(&repartition);
        planner::Observed {
            now: Timestamp::now(),
            cluster: Some(cluster.cluster.clone()),
            ranges: newest.map(|report| report.ranges.clone()).unwrap_or_default(),
            others: cluster
                .repartitions
                .iter()
                .filter(|other| other.name != name)
                .cloned()
                .collect(),
            known: self.known(&operation_id).await,
            refusal: None,
            repartition,
        }
    }

    /// Asks node after node; the first that knows the operation is believed.
    async fn known(&self, operation_id: &str) -> Known {
        let mut known = Known::Silence;
        let Ok(controls) = self.asking() else {
            return known;
        };
        for (node, address) in self.answering() {
            match controls.repartition_status(&node, address, operation_id).await {
                Ok(reply) => match reply.repartition {
                    Some(operation) => {
                        return Known::Report(Box::new(control_api::operation_report(operation)));
                    }
                    None => known = Known::Nothing,
                },
                Err(error) => tracing::debug!(%error, "a node was asked in vain"),
            }
        }
        known
    }

    /// Nodes that answer, the control group's leader first: it drives the work.
    fn answering(&self) -> Vec<(String, SocketAddr)> {
        let mut replies = self.fresh_replies();
        replies.sort_by_key(|(_, reply)| !reply.control_group.as_ref().is_some_and(|group| group.leader));
        replies
            .into_iter()
            .filter_map(|(name, _)| {
                let address = self.runner.node(&name)?.record.peer_address();
                Some((name, address))
            })
            .collect()
    }

    /// Carries the actions out. What the nodes refuse comes back as code and details.
    async fn carry_out_repartition(
        &self,
        name: &str,
        actions: &[Action],
    ) -> Result<Option<(String, String)>, ActionError> {
        for action in actions {
            let refused = match action {
                Action::AddFinalizer => self.set_repartition_finalizer(name, true)?,
                Action::RemoveFinalizer => self.set_repartition_finalizer(name, false)?,
                Action::Start(start) => {
                    let request = control_api::start_request(start);
                    let (controls, node, address) = self.driver()?;
                    controls.start_repartition(&node, address, request).await?.cause
                }
                Action::Cancel { operation_id } => {
                    let (controls, node, address) = self.driver()?;
                    controls
                        .cancel_repartition(&node, address, operation_id)
                        .await?
                        .cause
                }
            };
            if let Some(cause) = refused {
                return Ok(Some((cause.code, cause.detail)));
            }
        }
        Ok(None)
    }

    fn driver(&self) -> Result<(std::sync::Arc<Controls>, String, SocketAddr), ActionError> {
        let controls = self.asking()?;
        let first = self.answering().into_iter().next();
        let (node, address) = first.ok_or_else(|| ActionError::NotRunning(String::from("no node")))?;
        Ok((controls, node, address))
    }

    fn set_repartition_finalizer(
        &self,
        name: &str,
        there: bool,
    ) -> Result<Option<tim_proto::control::v1::Cause>, ActionError> {
        self.store
            .edit::<TimRepartition, ObjectError>(name, |repartition| {
                let finalizers = repartition.finalizers_mut();
                finalizers.retain(|finalizer| finalizer != labels::FINALIZER);
                if there {
                    finalizers.push(labels::FINALIZER.to_owned());
                }
                Ok(())
            })?;
        Ok(None)
    }
}

fn is_over(repartition: &TimRepartition) -> bool {
    repartition
        .status
        .as_ref()
        .is_some_and(|status| status.phase.is_final())
}

fn has_finalizer(repartition: &TimRepartition) -> bool {
    repartition
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == labels::FINALIZER)
}
