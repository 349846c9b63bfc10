//! Following nodes between plans, and stopping them all at the end.

use super::progress::Picture;
use super::recovery::Seen;
use super::{Stop, Supervisor, TICK};
use crate::event::Event;
use crate::load::LoadRecord;
use std::time::{Duration, Instant};
use tim_plan::names;
use tim_proto::control::v1::{NodeState, StatusReply};
use tokio::sync::watch;

/// How long nodes get to stop when the whole cluster stops: there is nowhere to move sessions to, and what was
/// acknowledged is durable.
const STOP_ALL_GRACE: Duration = Duration::from_secs(8);
/// Asked a second time a node no longer hands over: there is nobody left to take it.
const INSIST_AFTER: Duration = Duration::from_secs(2);

impl Supervisor {
    /// Tells what nodes have come to since the last tick.
    pub(super) fn follow_nodes(&mut self) {
        let now = Instant::now();
        let replies = self.fresh_replies();
        let seen: Vec<Seen> = replies
            .iter()
            .map(|(node, reply)| Seen {
                node: node.clone(),
                serving: reply.state() == NodeState::Serving,
                sessions: reply.n_sessions,
            })
            .collect();
        for node in &seen {
            if node.serving {
                self.runner.note_serving(&node.node);
            }
        }
        self.tell_new_nodes(&seen);
        let outstanding = if self.recoveries.is_any_open() {
            self.outstanding()
        } else {
            None
        };
        for event in self.recoveries.follow(&seen, outstanding, now) {
            self.say(event);
        }
        if !self.progress.is_ready() {
            self.follow_start(&replies, now);
        }
    }

    /// Messages that a running load tool still misses; a file that cannot be read says nothing.
    fn outstanding(&self) -> Option<u64> {
        LoadRecord::load(&self.directory)
            .ok()
            .flatten()
            .map(|record| record.outstanding)
    }

    fn follow_start(&mut self, replies: &[(String, StatusReply)], now: Instant) {
        let replicas = u32::try_from(self.cluster.spec.replicas).unwrap_or(0);
        let wanted: Vec<String> = (0..replicas)
            .map(|ordinal| names::node(&self.settings.cluster, ordinal))
            .collect();
        let databases: Vec<String> = self.places.iter().map(|place| place.name.clone()).collect();
        let without_certificate = wanted
            .iter()
            .filter(|name| !self.secrets.certificates.contains_key(*name))
            .count();
        let unlooked = usize::from(self.trust_looked.is_none());
        let picture = Picture {
            wanted: &wanted,
            without_certificate: without_certificate + unlooked,
            databases: &databases,
            replies,
        };
        for event in self.progress.follow(&picture, now) {
            self.say(event);
        }
    }

    /// What living nodes said lately, by name.
    pub(super) fn fresh_replies(&self) -> Vec<(String, StatusReply)> {
        self.runner
            .nodes()
            .filter_map(|node| {
                let answer = self.fresh_answer(&node.life()?.uid())?;
                Some((node.name.clone(), answer.reply))
            })
            .collect()
    }

    /// Nodes that serve and did not before; starts and recoveries have words of their own.
    fn tell_new_nodes(&mut self, seen: &[Seen]) {
        let mut told = std::mem::take(&mut self.serving);
        told.retain(|name, _| seen.iter().any(|node| node.node == *name && node.serving));
        for node in seen.iter().filter(|node| node.serving) {
            let Some(uid) = self
                .runner
                .node(&node.node)
                .and_then(|managed| Some(managed.life()?.uid()))
            else {
                continue;
            };
            let known = told.insert(node.node.clone(), uid.clone());
            if known.as_ref() == Some(&uid)
                || !self.progress.is_ready()
                || self.recoveries.is_open(&node.node)
            {
                continue;
            }
            let started = self
                .runner
                .node(&node.node)
                .and_then(|managed| Some(managed.life()?.started));
            let after = started
                .and_then(|started| Duration::try_from(jiff::Timestamp::now().duration_since(started)).ok());
            self.say(Event::Serving {
                node: node.node.clone(),
                after: after.unwrap_or_default(),
            });
        }
        self.serving = told;
    }

    /// Stops all nodes; returns when none runs.
    pub(super) async fn stop_all(&mut self, mut stop: watch::Receiver<Stop>) {
        let at_once = *stop.borrow_and_update() == Stop::AtOnce;
        let nodes = self
            .runner
            .terminate_all(if at_once { Duration::ZERO } else { STOP_ALL_GRACE });
        self.say(Event::Stopping { nodes });
        let began = Instant::now();
        let deadline = began + STOP_ALL_GRACE;
        let mut asked_again = false;
        let mut killed = if at_once { self.runner.kill_all() } else { 0 };
        while self.runner.wind_down() > 0 {
            if !asked_again && began.elapsed() >= INSIST_AFTER {
                asked_again = true;
                self.runner.ask_again();
            }
            let insisted = *stop.borrow_and_update() == Stop::AtOnce;
            if killed == 0 && (insisted || Instant::now() >= deadline) {
                killed = self.runner.kill_all();
            }
            tokio::time::sleep(TICK).await;
        }
        self.say(Event::StoppedAll { killed });
    }
}
