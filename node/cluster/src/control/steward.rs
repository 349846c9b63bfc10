//! What a node does about the group by itself: found it, join it, and, as its leader, look after map and voters.

use super::codec::{VERSION, decode};
use super::founder::{Founder, FounderError};
use super::group::Shared;
use super::leader::{self, Answer};
use super::machine::ControlView;
use super::types::GroupNode;
use super::voters::{Candidate, Presence, Step, next_step};
use crate::membership::MemberState;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tim_core::control::Command;
use tim_proto::peer::v1::ReadMapRequest;
use tokio::time::Instant;

/// A member that does not lead makes sure this often that it is still one. Who was taken out while it was away is never
/// told: a learner asks for no votes, and its file names the leader of then as the one of now.
const CONFIRM_INTERVAL: Duration = Duration::from_secs(15);
/// After a question that nobody answered.
const CONFIRM_RETRY: Duration = Duration::from_secs(2);

/// Goes on for as long as the node takes part.
pub(super) async fn run(shared: Arc<Shared>, founder: Arc<dyn Founder>) {
    let mut steward = Steward {
        shared,
        founder,
        checked_group: false,
        leader_seen: Instant::now(),
        confirm_at: Instant::now(),
        nobody_since: None,
        presence: HashMap::new(),
        last_complaint: String::new(),
    };
    let mut members = steward.shared.members.clone();
    loop {
        if let Err(error) = steward.step().await {
            steward.complain(error.as_ref());
        }
        let pause = tokio::time::sleep(steward.shared.settings.step);
        tokio::select! {
            () = pause => {}
            // A node has come: it may know the map, or the leader.
            Ok(()) = members.changed(), if steward.shared.group() == 0 => {}
        }
    }
}

struct Steward {
    shared: Arc<Shared>,
    founder: Arc<dyn Founder>,
    checked_group: bool,
    leader_seen: Instant,
    /// When to ask the leader for the place that this node should have.
    confirm_at: Instant,
    /// Since when nobody has been found with any state.
    nobody_since: Option<Instant>,
    presence: HashMap<String, (Kind, Instant)>,
    last_complaint: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Serving,
    Other,
    Away,
}

type Attempt = Result<(), Box<dyn std::error::Error + Send + Sync>>;

impl Steward {
    async fn step(&mut self) -> Attempt {
        self.track_presence();
        let status = self.shared.status();
        if status.leader.is_some() {
            self.leader_seen = Instant::now();
        }
        if self.shared.is_leaving() {
            return Ok(());
        }
        if status.is_leader {
            return self.lead().await;
        }
        if status.group == 0 || status.voters.is_empty() {
            return self.find_a_place().await;
        }
        if self.leader_seen.elapsed() >= self.shared.settings.leaderless_max {
            // It may have been taken out while it was away, or the group may be another one by now.
            self.leader_seen = Instant::now();
            self.checked_group = false;
            self.look_at_peers().await;
            let _ = self.join().await;
        }
        if !self.checked_group {
            self.check_group().await.or_else(|error| self.tolerate(error))?;
        }
        if self.confirm_at <= Instant::now() {
            let confirmed = self.join().await;
            // Refused by the leader of another group, perhaps: the row knows which one counts.
            self.checked_group &= confirmed;
            let pause = if confirmed {
                CONFIRM_INTERVAL
            } else {
                CONFIRM_RETRY
            };
            self.confirm_at = Instant::now() + pause;
        }
        Ok(())
    }

    fn complain(&mut self, error: &(dyn std::error::Error + Send + Sync)) {
        let text = error.to_string();
        if self.last_complaint != text {
            tracing::info!(error = text, "control group: not yet; trying again");
            self.last_complaint = text;
        }
    }

    /// Whether the row still names the group that this node's state is of; if not, that state is worth nothing.
    async fn check_group(&mut self) -> Attempt {
        let named = self.founder.group().await?;
        self.checked_group = true;
        if named.is_some_and(|named| named != self.shared.group()) {
            tracing::warn!("the cluster's control group is another one than this node's; joining that one");
            self.shared.begin_anew().await?;
        }
        Ok(())
    }

    /// A node without state: is the group its own to found, or somebody else's to join?
    async fn find_a_place(&mut self) -> Attempt {
        let anybody = self.look_at_peers().await;
        if self.join().await {
            return Ok(());
        }
        let named = self.founder.group().await?;
        match named {
            // Claimed before, by this node, and not completed.
            Some(group) if group == self.shared.group() => self.found().await,
            None => self.claim(None).await,
            Some(group) => {
                if anybody || !self.is_first() {
                    self.nobody_since = None;
                    return Ok(());
                }
                let since = *self.nobody_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= self.shared.settings.lost_after {
                    tracing::warn!(
                        "no node has any state of the control group; founding it anew from the fences"
                    );
                    self.nobody_since = None;
                    return self.claim(Some(group)).await;
                }
                Ok(())
            }
        }
    }

    async fn claim(&mut self, expected: Option<u64>) -> Attempt {
        // The same number at every attempt, and first on disk: whoever wins the row and hears nothing of it, or dies, must
        // know afterwards that it was the one.
        let group = match self.shared.group() {
            0 => rand::random_range(1..=u64::MAX),
            before => before,
        };
        self.shared.set_group(group).await?;
        if self.founder.claim(expected, group).await? == group {
            self.found().await?;
        }
        Ok(())
    }

    async fn found(&mut self) -> Attempt {
        let raft = self.shared.raft();
        if raft.is_initialized().await? {
            return Ok(());
        }
        let node = GroupNode {
            name: self.shared.node.to_string(),
        };
        raft.initialize(BTreeMap::from([(*raft.node_id(), node)])).await?;
        self.checked_group = true;
        tracing::info!("control group founded");
        Ok(())
    }

    /// Asks the leader, if anybody knows one, for a place as learner.
    async fn join(&mut self) -> bool {
        let raft_id = *self.shared.raft().node_id();
        let status = self.shared.status();
        // A number that was drawn but stands for no state is none.
        let group = if status.voters.is_empty() { 0 } else { status.group };
        let mut asked = Vec::new();
        for link in self.shared.peers().await {
            let mut next = Some(link);
            while let Some(link) = next.take() {
                let name = link.peer().node.clone();
                if asked.contains(&name) {
                    break;
                }
                asked.push(name);
                match leader::add_learner_at(&link, raft_id, &self.shared.node, group).await {
                    Answer::Done(group) if group != 0 => {
                        if let Err(error) = self.shared.set_group(group).await {
                            tracing::warn!(%error, "the group joined cannot be noted down");
                            return false;
                        }
                        self.checked_group = true;
                        return true;
                    }
                    Answer::NotLeader(Some(leader)) => next = self.shared.links.link(&leader).await.ok(),
                    _ => {}
                }
            }
        }
        false
    }

    /// Takes over what others know; whether any of them belongs to a group, or did not answer.
    async fn look_at_peers(&self) -> bool {
        let others = self.shared.members.borrow().nodes().len().saturating_sub(1);
        let links = self.shared.peers().await;
        let mut anybody = links.len() < others;
        for link in links {
            let Ok(reply) = link.raft().read_map(ReadMapRequest {}).await else {
                anybody = true;
                continue;
            };
            let reply = reply.into_inner();
            anybody |= reply.group_id != 0;
            if reply.version == VERSION
                && let Ok(state) = decode(&reply.state)
            {
                self.shared.offer_view(ControlView {
                    state,
                    applied_index: reply.applied_index,
                });
            }
        }
        anybody
    }

    /// Of several nodes that could found the group anew one does.
    fn is_first(&self) -> bool {
        self.shared.members.borrow().nodes().keys().next() == Some(&self.shared.node)
    }

    async fn lead(&mut self) -> Attempt {
        if !self.checked_group {
            self.check_group().await.or_else(|error| self.tolerate(error))?;
        }
        if self.shared.view().state.map.is_none() {
            self.give_map().await.or_else(|error| self.tolerate(error))?;
        }
        self.look_after_voters().await
    }

    async fn give_map(&mut self) -> Attempt {
        let map = self.founder.map().await?;
        match leader::propose(&self.shared.raft(), Command::Initialise(map)).await {
            Answer::Done(_) => tracing::info!("partition map given to the control group"),
            Answer::NotLeader(_) => return Ok(()),
            Answer::Unknown(reason) => return Err(reason.into()),
        }
        Ok(())
    }

    /// A database that does not answer stops no leader.
    fn tolerate(&mut self, error: Box<dyn std::error::Error + Send + Sync>) -> Attempt {
        if error.downcast_ref::<FounderError>().is_some() {
            self.complain(error.as_ref());
            return Ok(());
        }
        Err(error)
    }

    async fn look_after_voters(&mut self) -> Attempt {
        let raft = self.shared.raft();
        let up_to_date = leader::up_to_date(&raft);
        let candidates: Vec<Candidate> = leader::membership(&raft)
            .into_iter()
            .map(|(id, node, is_voter)| Candidate {
                id,
                presence: self.presence_of(&node.name),
                name: node.name,
                is_voter,
                is_up_to_date: up_to_date.contains(&id),
            })
            .collect();
        let Some(step) = next_step(*raft.node_id(), &candidates) else {
            return Ok(());
        };
        let Ok(_one_at_a_time) = self.shared.changes.try_lock() else {
            return Ok(());
        };
        tracing::info!(?step, "membership of the control group changes");
        match step {
            Step::Promote(ids) => leader::promote(&raft, ids).await?,
            Step::Demote(id) => leader::demote(&raft, id).await?,
            Step::Forget(id) => leader::forget(&raft, id).await?,
        }
        Ok(())
    }

    fn track_presence(&mut self) {
        let members = self.shared.members.borrow().clone();
        let group = leader::membership(&self.shared.raft());
        let known = self
            .presence
            .keys()
            .cloned()
            .chain(group.into_iter().map(|(_, node, _)| node.name));
        let names: Vec<String> = known
            .chain(members.nodes().keys().map(ToString::to_string))
            .collect();
        let now = Instant::now();
        for name in names {
            let member = members.nodes().iter().find(|(node, _)| node.as_str() == name);
            let kind = match member.map(|(_, member)| member.state) {
                Some(MemberState::Serving) => Kind::Serving,
                Some(_) => Kind::Other,
                None => Kind::Away,
            };
            let entry = self.presence.entry(name).or_insert((kind, now));
            if entry.0 != kind {
                *entry = (kind, now);
            }
        }
    }

    fn presence_of(&self, name: &str) -> Presence {
        match self.presence.get(name) {
            Some((Kind::Serving, since)) => Presence::Serving(since.elapsed()),
            Some((Kind::Other, _)) | None => Presence::Other,
            Some((Kind::Away, since)) => Presence::Away(since.elapsed()),
        }
    }
}
