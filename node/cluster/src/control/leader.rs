//! What only the leader does, here or asked for over a link.

use super::codec::{VERSION, decode};
use super::group::{Shared, TRANSFER_TIMEOUT};
use super::types::{GroupNode, Proposal, Raft, TypeConfig};
use crate::links::Link;
use crate::membership::{MemberState, Members};
use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use std::collections::BTreeSet;
use std::time::Duration;
use tim_core::control::{Command, Response};
use tim_core::id::NodeName;
use tim_proto::peer::v1 as proto;
use tim_proto::peer::v1::{membership_reply, propose_reply};

/// What the leader, or who was held for it, says.
#[derive(Debug)]
pub(super) enum Answer<T> {
    /// Done, or settled for good.
    Done(T),
    /// Not the leader; where that may be.
    NotLeader(Option<NodeName>),
    /// No usable answer: it may have been done.
    Unknown(String),
}

const LAST_VOTER: &str =
    "it is the last voter of the control group, and no other node is ready to become one";
/// Entries a learner may lack and still be up to date.
const LAG_MAX: u64 = 16;

pub(super) async fn propose(raft: &Raft, command: Command) -> Answer<Response> {
    match raft.client_write(Proposal(command)).await {
        Ok(written) => match written.data {
            Some(response) => Answer::Done(response),
            None => Answer::Unknown("the command was not applied as one".to_owned()),
        },
        Err(error) => answer(error),
    }
}

pub(super) async fn propose_at(link: &Link, command: Vec<u8>) -> Answer<Response> {
    let request = proto::ProposeRequest {
        version: VERSION,
        command: command.into(),
    };
    match link
        .raft()
        .propose(request)
        .await
        .map(|reply| reply.into_inner().reply)
    {
        Ok(Some(propose_reply::Reply::Outcome(outcome))) => match decode(&outcome) {
            Ok(response) => Answer::Done(response),
            Err(error) => Answer::Unknown(error.to_string()),
        },
        Ok(Some(propose_reply::Reply::NotLeader(elsewhere))) => Answer::NotLeader(named(elsewhere)),
        Ok(Some(propose_reply::Reply::Unknown(reason))) => Answer::Unknown(reason),
        Ok(None) => Answer::Unknown("an answer of an unknown kind".to_owned()),
        Err(status) => Answer::Unknown(status.to_string()),
    }
}

/// Adds a learner; the same node's former volumes leave the group. Gives the group.
pub(super) async fn add_learner(shared: &Shared, raft_id: u64, name: &NodeName) -> Answer<u64> {
    let raft = shared.raft();
    let membership = membership(&raft);
    if membership
        .iter()
        .any(|(id, node, _)| *id == raft_id && node.name == name.as_str())
    {
        return Answer::Done(shared.group());
    }
    let _one_at_a_time = shared.changes.lock().await;
    let former: Vec<_> = membership
        .into_iter()
        .filter(|(_, node, _)| node.name == name.as_str())
        .collect();
    for (id, _, is_voter) in former {
        // The last voter cannot leave; but then it is the one that is asked, and has not lost its volume.
        if let Answer::NotLeader(leader) = drop_member(&raft, id, is_voter).await {
            return Answer::NotLeader(leader);
        }
    }
    let node = GroupNode {
        name: name.as_str().to_owned(),
    };
    match raft.add_learner(raft_id, node, false).await {
        Ok(_) => Answer::Done(shared.group()),
        Err(error) => answer(error),
    }
}

/// Asks the leader there for a place, for a node with state of `group` (0: without state). Gives the group.
pub(super) async fn add_learner_at(link: &Link, raft_id: u64, name: &NodeName, group: u64) -> Answer<u64> {
    let request = proto::AddLearnerRequest {
        node: Some(proto::RaftNode {
            raft_id,
            node: name.to_string(),
        }),
        group_id: group,
    };
    match link
        .raft()
        .add_learner(request)
        .await
        .map(|reply| reply.into_inner().reply)
    {
        Ok(Some(membership_reply::Reply::Done(done))) => Answer::Done(done.group_id),
        Ok(Some(membership_reply::Reply::NotLeader(elsewhere))) => Answer::NotLeader(named(elsewhere)),
        Ok(Some(membership_reply::Reply::Refused(reason))) => Answer::Unknown(reason),
        Ok(None) => Answer::Unknown("an answer of an unknown kind".to_owned()),
        Err(status) => Answer::Unknown(status.to_string()),
    }
}

/// Takes a node out; `Err` says what is in the way.
pub(super) async fn remove(shared: &Shared, name: &NodeName) -> Answer<Result<(), String>> {
    let raft = shared.raft();
    let own = *raft.node_id();
    let _one_at_a_time = shared.changes.lock().await;
    let leaving: Vec<_> = membership(&raft)
        .into_iter()
        .filter(|(_, node, _)| node.name == name.as_str())
        .collect();
    for (id, _, is_voter) in leaving {
        if is_voter {
            match other_voter(&raft, id).await {
                Answer::Done(true) => {}
                Answer::Done(false) => return Answer::Done(Err(LAST_VOTER.to_owned())),
                Answer::NotLeader(leader) => return Answer::NotLeader(leader),
                Answer::Unknown(reason) => return Answer::Unknown(reason),
            }
        }
        if id == own {
            // Whoever leads next takes this node out.
            hand_over(shared, TRANSFER_TIMEOUT, Heirs::Living).await;
            return Answer::NotLeader(shared.status().leader.as_ref().map(|(_, node)| node.clone()));
        }
        match drop_member(&raft, id, is_voter).await {
            Answer::Done(()) => {}
            Answer::NotLeader(leader) => return Answer::NotLeader(leader),
            Answer::Unknown(reason) => return Answer::Unknown(reason),
        }
    }
    // That nobody of this name is there is known only to who leads: a follower's list may be old.
    match raft.ensure_linearizable(openraft::ReadPolicy::ReadIndex).await {
        Ok(_) => Answer::Done(Ok(())),
        Err(error) => Answer::Unknown(error.to_string()),
    }
}

pub(super) async fn remove_at(link: &Link, name: &NodeName) -> Answer<Result<(), String>> {
    let request = proto::ChangeMembershipRequest {
        remove_node: name.to_string(),
    };
    match link
        .raft()
        .change_membership(request)
        .await
        .map(|reply| reply.into_inner().reply)
    {
        Ok(Some(membership_reply::Reply::Done(_))) => Answer::Done(Ok(())),
        Ok(Some(membership_reply::Reply::NotLeader(elsewhere))) => Answer::NotLeader(named(elsewhere)),
        Ok(Some(membership_reply::Reply::Refused(reason))) => Answer::Done(Err(reason)),
        Ok(None) => Answer::Unknown("an answer of an unknown kind".to_owned()),
        Err(status) => Answer::Unknown(status.to_string()),
    }
}

/// Whether somebody votes besides this one, after a learner was made a voter if need be.
async fn other_voter(raft: &Raft, leaving: u64) -> Answer<bool> {
    let members = membership(raft);
    if members
        .iter()
        .any(|(id, _, is_voter)| *is_voter && *id != leaving)
    {
        return Answer::Done(true);
    }
    let up_to_date = up_to_date(raft);
    let ready = members
        .iter()
        .find(|(id, _, is_voter)| !is_voter && *id != leaving && up_to_date.contains(id));
    let Some((id, _, _)) = ready else {
        return Answer::Done(false);
    };
    let promotion = ChangeMembers::AddVoterIds(BTreeSet::from([*id]));
    match raft.change_membership(promotion, true).await {
        Ok(_) => Answer::Done(true),
        // Another change may be under way: asked again, it will have ended.
        Err(error) => answer(error),
    }
}

pub(super) async fn promote(raft: &Raft, ids: Vec<u64>) -> Result<(), String> {
    change(raft, ChangeMembers::AddVoterIds(ids.into_iter().collect()), true).await
}

pub(super) async fn demote(raft: &Raft, id: u64) -> Result<(), String> {
    change(raft, ChangeMembers::RemoveVoters(BTreeSet::from([id])), true).await
}

pub(super) async fn forget(raft: &Raft, id: u64) -> Result<(), String> {
    change(raft, ChangeMembers::RemoveNodes(BTreeSet::from([id])), false).await
}

async fn change(raft: &Raft, change: ChangeMembers<u64, GroupNode>, retain: bool) -> Result<(), String> {
    raft.change_membership(change, retain)
        .await
        .map(|_| ())
        .map_err(|error| error.to_string())
}

async fn drop_member(raft: &Raft, id: u64, is_voter: bool) -> Answer<()> {
    let ids = BTreeSet::from([id]);
    let change = if is_voter {
        ChangeMembers::RemoveVoters(ids)
    } else {
        ChangeMembers::RemoveNodes(ids)
    };
    match raft.change_membership(change, false).await {
        Ok(_) => Answer::Done(()),
        Err(error) => answer(error),
    }
}

/// Who may be handed the leadership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heirs {
    /// Only who serves: one that leaves, too, would have to hand it on, or nobody stays.
    Serving,
    /// Anybody who lives, since this node cannot be taken out while it leads.
    Living,
}

/// Hands leadership to the voter that has most of the log, if this node leads and there is such an heir. Ends when
/// another one leads, the heir cannot any more, or the time is over; then another one is elected when this node is gone.
pub(super) async fn hand_over(shared: &Shared, timeout: Duration, heirs: Heirs) {
    let raft = shared.raft();
    let own = *raft.node_id();
    let Some((heir, name)) = heir(shared, &raft, heirs) else {
        return;
    };
    if let Err(error) = raft.trigger().transfer_leader(heir).await {
        tracing::warn!(%error, "leadership of the control group was not handed over");
        return;
    }
    let mut metrics = raft.metrics();
    let mut members = shared.members.clone();
    let handed_over = async {
        loop {
            let leader = metrics.borrow_watched().current_leader;
            if leader.is_some_and(|leader| leader != own) || metrics.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = handed_over => {}
        _ = members.wait_for(|members| !may_inherit(members, &name, heirs)) => {}
        () = tokio::time::sleep(timeout) => {}
    }
}

/// The other voter that has most of the log, of those that may inherit; `None` when this node does not lead.
fn heir(shared: &Shared, raft: &Raft, heirs: Heirs) -> Option<(u64, String)> {
    let own = *raft.node_id();
    let metrics = raft.metrics().borrow_watched().clone();
    if metrics.current_leader != Some(own) {
        return None;
    }
    let matched = metrics.replication.unwrap_or_default();
    let members = shared.members.borrow();
    membership(raft)
        .into_iter()
        .filter(|(id, node, is_voter)| *id != own && *is_voter && may_inherit(&members, &node.name, heirs))
        .filter_map(|(id, node, _)| Some((matched.get(&id)?.map(|log| log.index), id, node.name)))
        .max()
        .map(|(_, id, name)| (id, name))
}

fn may_inherit(members: &Members, name: &str, heirs: Heirs) -> bool {
    members.nodes().iter().any(|(node, member)| {
        node.as_str() == name && (heirs == Heirs::Living || member.state == MemberState::Serving)
    })
}

/// Whom a peer holds for the leader.
pub(super) async fn leader_known_to(link: &Link) -> Option<NodeName> {
    // Somebody who does not lead answers with who does; removing nobody changes nothing.
    let request = proto::ChangeMembershipRequest {
        remove_node: String::new(),
    };
    match link
        .raft()
        .change_membership(request)
        .await
        .ok()?
        .into_inner()
        .reply?
    {
        membership_reply::Reply::Done(_) => Some(link.peer().node.clone()),
        membership_reply::Reply::NotLeader(elsewhere) => named(elsewhere),
        membership_reply::Reply::Refused(_) => None,
    }
}

/// All members: id, node, whether it votes.
pub(super) fn membership(raft: &Raft) -> Vec<(u64, GroupNode, bool)> {
    let metrics = raft.metrics();
    let metrics = metrics.borrow_watched();
    let membership = metrics.membership_config.membership();
    let voters: BTreeSet<u64> = membership.voter_ids().collect();
    membership
        .nodes()
        .map(|(id, node)| (*id, node.clone(), voters.contains(id)))
        .collect()
}

/// Members that have nearly all of the log, as the leader sees it.
pub(super) fn up_to_date(raft: &Raft) -> BTreeSet<u64> {
    let metrics = raft.metrics();
    let metrics = metrics.borrow_watched();
    let last = metrics.last_log_index.unwrap_or(0);
    let matched = metrics.replication.iter().flatten();
    let near = matched.filter(|(_, matched)| matched.is_some_and(|id| id.index + LAG_MAX >= last));
    near.map(|(id, _)| *id).collect()
}

fn named(elsewhere: proto::NotLeader) -> Option<NodeName> {
    NodeName::new(elsewhere.leader?.node).ok()
}

fn answer<T>(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> Answer<T> {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => {
            Answer::NotLeader(forward.leader_node.and_then(|node| NodeName::new(node.name).ok()))
        }
        other => Answer::Unknown(other.to_string()),
    }
}
