//! The observation that a plan is made from.

use super::{Supervisor, SupervisorError};
use crate::databases;
use crate::poller::Answer;
use crate::runner::Managed;
use crate::workload::WorkloadRecord;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tim_plan::control_api;
use tim_plan::observed::{Node, NodePhase, Observed, ReportedState, Trouble};

/// An answer older than this says nothing about now.
const ANSWER_AGE_MAX: Duration = Duration::from_secs(3);

impl Supervisor {
    pub(super) fn observe(&mut self) -> Result<Observed, SupervisorError> {
        let mut cluster = self.cluster.clone();
        // There are no images here: what runs is the program beside this one.
        cluster.spec.image = None;
        let further = databases::write_config_secrets(&self.store, &self.directory, &cluster)?;
        self.runner.use_further_configuration(further.files);
        let nodes = self
            .runner
            .nodes()
            .filter_map(|node| self.observe_node(node))
            .collect();
        let workload = WorkloadRecord::load(&self.directory)?;
        Ok(Observed {
            now: Timestamp::now(),
            default_image: self.image.clone(),
            shared_disk: true,
            config_problem: self.runner.configuration_problem(&cluster),
            secrets: self.secrets.clone(),
            databases: databases::as_observed(&self.places),
            config_secrets: further.hashes,
            desired: BTreeMap::new(),
            // Processes take their files when they start, and the revision says when to start them anew: the list itself
            // holds nothing but a number.
            desired_workload: String::from("processes"),
            present: BTreeMap::new(),
            workload: workload.as_ref().map(WorkloadRecord::observed),
            volumes: BTreeMap::new(),
            nodes,
            repartitions: self.repartition_summaries()?,
            cluster,
        })
    }

    fn observe_node(&self, node: &Managed) -> Option<Node> {
        let trouble = node.trouble().map(|report| Trouble {
            cause: report.cause(),
            observed: report.observed().to_owned(),
        });
        let Some(life) = node.life() else {
            // A process that is about to be started again is no node; one that cannot be started is.
            return trouble.map(|trouble| Node {
                name: node.name.clone(),
                ordinal: node.ordinal,
                uid: String::from("none"),
                revision: self.revision.clone(),
                phase: NodePhase::Failed,
                ready: false,
                created: Timestamp::now(),
                trouble: Some(trouble),
                report: None,
                silent_since: None,
            });
        };
        let answer = self.fresh_answer(&life.uid());
        let report = answer
            .as_ref()
            .map(|answer| control_api::node_report(answer.reply.clone()));
        let ready = report
            .as_ref()
            .is_some_and(|report| report.state == ReportedState::Serving);
        let phase = if node.is_terminating() {
            NodePhase::Terminating
        } else {
            NodePhase::Running
        };
        Some(Node {
            name: node.name.clone(),
            ordinal: node.ordinal,
            uid: life.uid(),
            revision: life.revision.clone(),
            phase,
            ready,
            created: life.started,
            trouble: trouble.filter(|_| report.is_none()),
            silent_since: report.is_none().then(|| self.silent_since(&life.uid())).flatten(),
            report,
        })
    }

    /// What that life said, if it said it lately.
    pub(super) fn fresh_answer(&self, uid: &str) -> Option<Answer> {
        self.poller
            .as_ref()?
            .answer(uid)
            .filter(|answer| answer.at.elapsed() <= ANSWER_AGE_MAX)
    }

    fn silent_since(&self, uid: &str) -> Option<Timestamp> {
        let answer = self.poller.as_ref()?.answer(uid)?;
        Timestamp::now()
            .checked_sub(jiff::SignedDuration::try_from(answer.at.elapsed()).ok()?)
            .ok()
    }

    /// How many processes the list says.
    pub(super) fn wanted_processes(&self) -> u32 {
        match WorkloadRecord::load(&self.directory) {
            Ok(record) => record.map_or(0, |record| record.replicas),
            Err(error) => {
                let code = tim_catalogue::configuration::UNREADABLE_FILE.code;
                tracing::error!(code, %error, "the list of processes cannot be read; what runs goes on");
                self.runner
                    .nodes()
                    .map(|node| node.ordinal + 1)
                    .max()
                    .unwrap_or(0)
            }
        }
    }

    /// After this process itself was stopped for a while, silence until now says nothing about nodes.
    pub(super) fn forget_answers(&mut self) {
        if let Some(poller) = &self.poller {
            poller.renew(Instant::now());
        }
    }
}
