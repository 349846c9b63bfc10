//! What an operator or a supervisor calls on this node. That it is one was checked by its certificate.

use crate::accounts::blocks::{self, BlockError};
use crate::admin::Status as NodeStatus;
use crate::drain::Asked;
use crate::node::Node;
use crate::repartition::{self, Request as SplitRequest};
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::{Report, repartition as causes};
use tim_cluster::control::RemoveError;
use tim_core::id::{AccountId, NodeName, Slot};
use tim_core::repartition::{Config, Ending, OperationId, Phase, Progress};
use tim_proto::control::v1 as api;
use tim_proto::control::v1::node_control_server::{NodeControl, NodeControlServer};
use tonic::{Request, Response, Status};

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Control(Arc<Node>);

/// What the operator calls.
pub(crate) fn service(node: Arc<Node>) -> NodeControlServer<Control> {
    NodeControlServer::new(Control(node))
}

fn cause(report: &Report) -> api::Cause {
    api::Cause {
        code: report.cause().code.to_owned(),
        detail: report.observed().to_owned(),
    }
}

fn node_state(word: &str) -> api::NodeState {
    match word {
        "serving" => api::NodeState::Serving,
        "draining" => api::NodeState::Draining,
        "left" => api::NodeState::Left,
        _ => api::NodeState::Joining,
    }
}

fn phase(phase: &Phase) -> api::RepartitionPhase {
    match phase {
        Phase::Preparing | Phase::Marking => api::RepartitionPhase::Preparing,
        Phase::Copying => api::RepartitionPhase::Copying,
        Phase::CatchingUp => api::RepartitionPhase::CatchingUp,
        Phase::Verifying => api::RepartitionPhase::Verifying,
        Phase::CuttingOver | Phase::Publishing => api::RepartitionPhase::CuttingOver,
        Phase::Cleaning => api::RepartitionPhase::Cleaning,
        Phase::Completed => api::RepartitionPhase::Succeeded,
        Phase::Undoing(_) => api::RepartitionPhase::Cancelling,
        Phase::Ended(Ending::Canceled) => api::RepartitionPhase::Cancelled,
        Phase::Ended(Ending::Failed(_)) => api::RepartitionPhase::Failed,
    }
}

/// How far a phase is, roughly, for those who show a bar.
fn percent(phase: &Phase) -> u32 {
    match phase {
        Phase::Preparing => 0,
        Phase::Marking => 5,
        Phase::Copying => 30,
        Phase::CatchingUp => 60,
        Phase::Verifying => 75,
        Phase::CuttingOver => 85,
        Phase::Publishing => 90,
        Phase::Cleaning => 95,
        Phase::Completed => 100,
        Phase::Undoing(_) | Phase::Ended(_) => 0,
    }
}

/// Why a repartition has failed, goes back or waits; `told` is what its coordinator says.
fn why_not_further(progress: &Progress, told: Option<String>) -> Option<Report> {
    let limits = Config::default();
    let differs = progress.mismatches >= limits.max_mismatches;
    match (&progress.phase, told) {
        (Phase::Undoing(_) | Phase::Ended(_), Some(reason)) if differs => {
            Some(Report::new(&causes::VERIFY_MISMATCH, reason))
        }
        (_, Some(reason)) => Some(Report::new(&causes::STEP_REFUSED, reason)),
        (Phase::CatchingUp, None) if progress.cutovers > 0 => {
            let limit = limits.max_pause_ms;
            let observed = format!("the last cut-over would have paused writes for more than {limit} ms");
            Some(Report::new(&causes::PAUSE_EXCEEDED, observed))
        }
        _ => None,
    }
}

impl Control {
    fn find(&self, operation: &str) -> Option<api::Repartition> {
        let view = self.0.control.view();
        let view = view.borrow();
        let held = view.state.repartitions.get(&OperationId(operation.to_owned()))?;
        Some(self.repartition(held))
    }

    fn repartition(&self, held: &tim_core::control::Repartition) -> api::Repartition {
        let shown = crate::admin::repartition(&self.0, held);
        let progress = &held.progress;
        let pause = u32::try_from(shown.write_pause_ms).unwrap_or(u32::MAX);
        api::Repartition {
            operation_id: shown.operation_id,
            operation: api::RepartitionOperation::Split.into(),
            phase: phase(&progress.phase).into(),
            from: progress.plan.from.0,
            at: progress.plan.from.0,
            source_database: shown.source_database,
            target_database: shown.target_database,
            n_rows_total: 0,
            n_rows_copied: progress.rows_copied,
            n_changes_pending: shown.changes_pending,
            n_rows_mismatched: u64::from(progress.mismatches),
            write_pause_ms: pause,
            cause: why_not_further(progress, shown.waits_for).map(|report| cause(&report)),
            started_unix_ms: 0,
            finished_unix_ms: 0,
            coordinator: shown.coordinator.unwrap_or_default(),
            coordinator_term: held.term.0,
            percent: percent(&progress.phase),
        }
    }

    fn drain_progress(&self) -> api::DrainProgress {
        let progress = self.0.drain.progress();
        api::DrainProgress {
            n_sessions_remaining: progress.sessions_remaining as u64,
            n_homes_remaining: progress.homes_remaining,
            control_leadership_handed_over: progress.leadership_handed_over,
            control_membership_left: progress.membership_left,
            done: progress.is_done(),
            deadline_ms: progress.deadline_ms,
            drain_id: progress.drain_id,
        }
    }

    fn status_reply(&self) -> api::StatusReply {
        let status = NodeStatus::of(&self.0);
        let causes = status.causes.iter().map(api_cause).collect();
        let members = status.view.members.iter().map(|member| api::Member {
            name: member.name.clone(),
            zone: member.zone.clone(),
            boot_generation: member.boot_generation,
            state: node_state(member.state).into(),
            peer_address: member.peer_address.clone(),
        });
        let ranges = status.partitions.ranges.iter().map(|range| api::Range {
            from: range.from,
            database: range.database.clone(),
            epoch: range.epoch,
        });
        let databases = status.databases.iter().map(|database| api::Database {
            name: database.name.clone(),
            kind: database.kind.clone(),
            reachable: database.reachable,
            cause: database.cause.as_ref().map(api_cause),
            ranges_from: database.ranges_from.clone(),
            size_bytes: database.size_bytes,
            commit_p99_milliseconds: database.commit_p99_milliseconds,
            schema: database.schema,
            n_messages: database.messages,
        });
        let certificates = status.certificates.iter().map(|certificate| api::Certificate {
            purpose: certificate.purpose.clone(),
            not_after_unix_seconds: certificate.not_after_unix_seconds,
            subject_uri: certificate.subject_uri.clone(),
        });
        api::StatusReply {
            state: node_state(status.state).into(),
            causes,
            boot_generation: status.boot_generation,
            uptime_seconds: status.uptime_seconds,
            view: Some(api::View {
                hash: self.0.view.load().hash().0,
                members: members.collect(),
            }),
            n_sessions: status.sessions,
            messages_per_second: status.messages_per_second,
            ack_p99_milliseconds: status.ack_p99_milliseconds,
            map: Some(api::PartitionMap {
                version: status.partitions.version,
                ranges: ranges.collect(),
            }),
            control_group: Some(control_group(&status.control)),
            databases: databases.collect(),
            drain: status.drain.is_some().then(|| self.drain_progress()),
            certificates: certificates.collect(),
            repartition: status
                .repartition
                .as_ref()
                .and_then(|running| self.find(&running.operation_id)),
            resident_bytes: status.resident_bytes,
            config_hash: status.config_hash.clone(),
            protocol_version_min: tim_proto::PROTOCOL_VERSION_MIN,
            protocol_version_max: tim_proto::PROTOCOL_VERSION_MAX,
            zone: status.zone.clone(),
            node: status.node,
            cluster_id: status.cluster_id,
            version: status.version,
        }
    }
}

fn control_group(shown: &crate::admin::StatusControl) -> api::ControlGroup {
    api::ControlGroup {
        leader_raft_id: shown.leader_raft_id,
        leader_node: shown.leader.clone().unwrap_or_default(),
        term: shown.term,
        leader: shown.is_leader,
        voter: shown.is_voter,
        raft_id: shown.raft_id_number,
        voters: shown.voters.clone(),
        applied_index: shown.applied_index,
        learners: shown.learners.clone(),
        last_log_index: shown.last_log_index,
    }
}

fn api_cause(shown: &crate::admin::StatusCause) -> api::Cause {
    api::Cause {
        code: shown.code.clone(),
        detail: shown.observed.clone(),
    }
}

#[tonic::async_trait]
impl NodeControl for Control {
    async fn status(&self, _: Request<api::StatusRequest>) -> Result<Response<api::StatusReply>, Status> {
        Ok(Response::new(self.status_reply()))
    }

    async fn drain(&self, request: Request<api::DrainRequest>) -> Result<Response<api::DrainReply>, Status> {
        let request = request.into_inner();
        let left_ms = request.deadline_ms.saturating_sub(crate::clock::wall_ms());
        let limit =
            (request.deadline_ms > 0).then(|| Duration::from_millis(u64::try_from(left_ms).unwrap_or(0)));
        let asked = Asked {
            drain_id: request.drain_id,
            limit,
            leave_control_group: request.leave_control_group,
            at_once: false,
            of_this_machine: false,
        };
        self.0.drain.ask(asked).await;
        Ok(Response::new(api::DrainReply {
            progress: Some(self.drain_progress()),
        }))
    }

    async fn undrain(
        &self,
        request: Request<api::UndrainRequest>,
    ) -> Result<Response<api::UndrainReply>, Status> {
        let wanted = request.into_inner().drain_id;
        if wanted.is_empty() || self.0.drain.progress().drain_id == wanted {
            self.0.drain.undrain().await;
        }
        let state = node_state(NodeStatus::of(&self.0).state).into();
        Ok(Response::new(api::UndrainReply { state }))
    }

    async fn remove_voter(
        &self,
        request: Request<api::RemoveVoterRequest>,
    ) -> Result<Response<api::RemoveVoterReply>, Status> {
        let name = NodeName::new(request.into_inner().node)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let removed = self.0.control.remove(&name).await;
        let cause = removed.as_ref().err().map(|error: &RemoveError| api::Cause {
            code: tim_catalogue::node::NO_LEADER.code.to_owned(),
            detail: error.to_string(),
        });
        Ok(Response::new(api::RemoveVoterReply {
            removed: removed.is_ok(),
            cause,
        }))
    }

    async fn start_repartition(
        &self,
        request: Request<api::StartRepartitionRequest>,
    ) -> Result<Response<api::RepartitionReply>, Status> {
        let request = request.into_inner();
        let split = SplitRequest {
            operation: OperationId(request.operation_id.clone()),
            at: Slot(request.at),
            target: request.target_database.clone(),
        };
        let started = Box::pin(repartition::start(&self.0, split)).await;
        Ok(Response::new(api::RepartitionReply {
            repartition: self.find(&request.operation_id),
            cause: started.err().as_ref().map(cause),
        }))
    }

    async fn repartition_status(
        &self,
        request: Request<api::RepartitionStatusRequest>,
    ) -> Result<Response<api::RepartitionReply>, Status> {
        Ok(Response::new(api::RepartitionReply {
            repartition: self.find(&request.into_inner().operation_id),
            cause: None,
        }))
    }

    async fn cancel_repartition(
        &self,
        request: Request<api::CancelRepartitionRequest>,
    ) -> Result<Response<api::RepartitionReply>, Status> {
        let operation = request.into_inner().operation_id;
        let cancelled = Box::pin(repartition::cancel(&self.0, OperationId(operation.clone()))).await;
        Ok(Response::new(api::RepartitionReply {
            repartition: self.find(&operation),
            cause: cancelled.err().as_ref().map(cause),
        }))
    }

    async fn list_repartitions(
        &self,
        _: Request<api::ListRepartitionsRequest>,
    ) -> Result<Response<api::ListRepartitionsReply>, Status> {
        let view = self.0.control.view();
        let view = view.borrow();
        let repartitions = view
            .state
            .repartitions
            .values()
            .map(|held| self.repartition(held))
            .collect();
        Ok(Response::new(api::ListRepartitionsReply { repartitions }))
    }

    async fn block_account(
        &self,
        request: Request<api::BlockAccountRequest>,
    ) -> Result<Response<api::BlockAccountReply>, Status> {
        let request = request.into_inner();
        let account = account(&request.account)?;
        let told = Box::pin(blocks::block(&self.0, &account, request.until_ms)).await;
        Ok(Response::new(blocked(told)?))
    }

    async fn unblock_account(
        &self,
        request: Request<api::UnblockAccountRequest>,
    ) -> Result<Response<api::BlockAccountReply>, Status> {
        let account = account(&request.into_inner().account)?;
        let told = Box::pin(blocks::unblock(&self.0, &account)).await;
        Ok(Response::new(blocked(told)?))
    }

    async fn list_blocked_accounts(
        &self,
        _: Request<api::ListBlockedAccountsRequest>,
    ) -> Result<Response<api::ListBlockedAccountsReply>, Status> {
        let listed = Box::pin(blocks::list(&self.0)).await;
        Ok(Response::new(match listed {
            Ok(blocks) => api::ListBlockedAccountsReply {
                accounts: blocks
                    .into_iter()
                    .map(|block| api::BlockedAccount {
                        account: block.account.as_str().to_owned(),
                        until_ms: block.until_ms,
                    })
                    .collect(),
                cause: None,
            },
            Err(report) => api::ListBlockedAccountsReply {
                accounts: Vec::new(),
                cause: Some(cause(&report)),
            },
        }))
    }
}

fn account(name: &str) -> Result<AccountId, Status> {
    AccountId::new(name).map_err(|error| Status::invalid_argument(format!("account: {error}")))
}

/// What became of a block, or of lifting it.
fn blocked(told: Result<Vec<NodeName>, BlockError>) -> Result<api::BlockAccountReply, Status> {
    match told {
        Ok(untold) => Ok(api::BlockAccountReply {
            done: true,
            cause: None,
            untold_nodes: untold.iter().map(|name| name.as_str().to_owned()).collect(),
        }),
        Err(BlockError::NoSuchAccount) => Err(Status::not_found("account: there is none of that id")),
        Err(BlockError::Database(report)) => Ok(api::BlockAccountReply {
            done: false,
            cause: Some(cause(&report)),
            untold_nodes: Vec::new(),
        }),
    }
}
