//! Nodes of one process with real files, sockets and certificates; each in a runtime of its own, so that ending it is a crash.

use super::disk::{Change, Disk, Stored};
use super::log::{Log, Memory};
use super::machine::Machine;
use super::types::TypeConfig;
use super::*;
use crate::keyring::KeyRing;
use crate::links::{Handshaker, Links, PeerServer};
use crate::membership::{MemberIdentity, MemberState, Members};
use crate::tls::authority::Authority;
use arc_swap::ArcSwap;
use base64::Engine;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tim_core::control::{Command, Refused};
use tim_core::id::{DatabaseName, Generation, NodeName};
use tim_core::map::{HomePlacement, PartitionMap};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Longest wait for anything; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(60);

struct Files;

impl StoreBuilder<TypeConfig, Log, Machine, tempfile::TempDir> for Files {
    async fn build(&self) -> Result<(tempfile::TempDir, Log, Machine), StorageError<TypeConfig>> {
        let folder = tempfile::tempdir().unwrap();
        let (disk, stored) = Disk::open(folder.path()).unwrap();
        let (log, machine) = opened(disk, stored);
        Ok((folder, log, machine))
    }
}

fn opened(disk: Disk, stored: Stored) -> (Log, Machine) {
    let machine = Machine::new(disk.clone(), stored.snapshot, watch::Sender::default()).unwrap();
    let memory = Memory {
        entries: stored.entries,
        purged: stored.purged,
        vote: stored.vote,
        committed: stored.committed,
    };
    (Log::new(disk, memory), machine)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_and_machine_keep_what_the_engine_demands_of_them() {
    Suite::test_all(Files).await.unwrap();
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart_and_the_raft_id_is_the_volumes() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, stored) = Disk::open(folder.path()).unwrap();
    let raft_id = stored.raft_id;
    assert_ne!(raft_id, 0);
    disk.make(Change::Group(7)).await.unwrap();
    assert!(Disk::open(folder.path()).is_err(), "one process at a time");
    drop(disk);
    let stored = reopened(folder.path()).await;
    assert_eq!((stored.raft_id, stored.group), (raft_id, 7));
    let (disk, _) = loop {
        match Disk::open(folder.path()) {
            Ok(opened) => break opened,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    disk.make(Change::Wipe(99)).await.unwrap();
    drop(disk);
    let stored = reopened(folder.path()).await;
    assert_eq!((stored.raft_id, stored.group), (99, 0));
}

/// The writer's thread closes the file a moment after the last handle is gone.
async fn reopened(folder: &std::path::Path) -> Stored {
    loop {
        match Disk::open(folder) {
            Ok((_, stored)) => return stored,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// The row and the fences.
#[derive(Default)]
struct Database {
    row: Mutex<Option<u64>>,
    down: Mutex<bool>,
}

#[async_trait::async_trait]
impl Founder for Database {
    async fn group(&self) -> Result<Option<u64>, FounderError> {
        self.answer()?;
        Ok(*self.row.lock())
    }

    async fn claim(&self, expected: Option<u64>, group: u64) -> Result<u64, FounderError> {
        self.answer()?;
        let mut row = self.row.lock();
        if *row == expected {
            *row = Some(group);
        }
        Ok(row.unwrap_or(0))
    }

    async fn map(&self) -> Result<PartitionMap, FounderError> {
        self.answer()?;
        Ok(map())
    }
}

impl Database {
    fn answer(&self) -> Result<(), FounderError> {
        if *self.down.lock() {
            return Err(FounderError("the database is down".to_owned()));
        }
        Ok(())
    }
}

fn map() -> PartitionMap {
    PartitionMap::even(&[(DatabaseName::new("d0").unwrap(), HomePlacement::PerDatabase)]).unwrap()
}

fn set(name: &str) -> Command {
    Command::Set {
        name: name.to_owned(),
        value: "yes".to_owned(),
    }
}

fn name(index: usize) -> NodeName {
    NodeName::new(format!("chat-{index}")).unwrap()
}

struct Cluster {
    authority: Authority,
    database: Arc<Database>,
    members: watch::Sender<Arc<Members>>,
    nodes: Vec<Node>,
    settings: ControlSettings,
}

struct Node {
    folder: tempfile::TempDir,
    address: SocketAddr,
    generation: u64,
    state: MemberState,
    /// The others cannot see it, though it sees them.
    unseen: bool,
    running: Option<(Runtime, ControlGroup)>,
}

impl Cluster {
    fn new(n_nodes: usize) -> Self {
        let mut cluster = Self {
            authority: Authority::new(),
            database: Arc::default(),
            members: watch::Sender::default(),
            nodes: Vec::new(),
            settings: ControlSettings {
                step: Duration::from_millis(100),
                ..ControlSettings::default()
            },
        };
        for _ in 0..n_nodes {
            cluster.add();
        }
        cluster
    }

    fn add(&mut self) -> usize {
        let node = Node {
            folder: tempfile::tempdir().unwrap(),
            address: "127.0.0.1:1".parse().unwrap(),
            generation: 0,
            state: MemberState::Serving,
            unseen: false,
            running: None,
        };
        self.nodes.push(node);
        self.start(self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    fn start(&mut self, index: usize) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let trust = self.authority.trust(&format!("tim://chat/node/chat-{index}"));
        let secret = base64::engine::general_purpose::STANDARD.encode([1; 32]);
        let ring = KeyRing::parse(&format!(
            "primary = \"k\"\n[[key]]\nid = \"k\"\nsecret = \"{secret}\"\n"
        ))
        .unwrap();
        let handshaker = Handshaker::new("chat", name(index), Arc::new(ArcSwap::from_pointee(ring)));
        let (members, database, settings) = (
            self.members.subscribe(),
            self.database.clone(),
            self.settings.clone(),
        );
        let folder = self.nodes[index].folder.path().to_owned();
        let (address, group) = runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let links = Links::new(trust.clone(), handshaker.clone(), members.clone());
            // A former life's writer may need a moment to close the file.
            let group = loop {
                let opened = ControlGroup::open(
                    &folder,
                    name(index),
                    links.clone(),
                    members.clone(),
                    settings.clone(),
                );
                match opened.await {
                    Ok(group) => break group,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            let server = PeerServer {
                listener,
                trust,
                handshaker,
                grace: Duration::from_millis(50),
            };
            let routes = tonic::service::Routes::new(group.service());
            tokio::spawn(server.serve(routes, CancellationToken::new()));
            group.run(database);
            (address, group)
        });
        let node = &mut self.nodes[index];
        node.address = address;
        node.generation += 1;
        node.running = Some((runtime, group));
        self.show_members();
    }

    /// What membership would show: those that run.
    fn show_members(&self) {
        let running = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.running.is_some() && !node.unseen);
        let identities: Vec<MemberIdentity> = running
            .map(|(index, node)| {
                let identity =
                    MemberIdentity::new(&name(index), Generation(node.generation), node.address, "");
                identity.in_state(node.state)
            })
            .collect();
        self.members.send_replace(Arc::new(Members::of(&identities)));
    }

    fn kill(&mut self, index: usize) {
        if let Some((runtime, group)) = self.nodes[index].running.take() {
            drop(group);
            runtime.shutdown_background();
        }
        self.show_members();
    }

    fn group(&self, index: usize) -> &ControlGroup {
        &self.nodes[index].running.as_ref().unwrap().1
    }

    fn block<T>(&self, index: usize, work: impl Future<Output = T>) -> T {
        let runtime = &self.nodes[index].running.as_ref().unwrap().0;
        runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.expect("in time") })
    }

    /// Waits until the node's status is as wished.
    fn until(&self, index: usize, wished: impl Fn(&ControlStatus) -> bool) -> Arc<ControlStatus> {
        let mut status = self.group(index).status();
        self.block(index, async {
            status.wait_for(|status| wished(status)).await.unwrap().clone()
        })
    }

    fn until_view(&self, index: usize, wished: impl Fn(&ControlView) -> bool) {
        let mut view = self.group(index).view();
        self.block(index, async {
            view.wait_for(|view| wished(view)).await.map(|_| ())
        })
        .unwrap();
    }

    fn propose(&self, index: usize, command: Command) -> Result<(), ProposeError> {
        let group = self.group(index).clone();
        self.block(index, async move {
            loop {
                match group.propose(command.clone()).await {
                    Err(ProposeError::NoLeader { .. }) => {}
                    settled => return settled,
                }
            }
        })
    }

    fn leader(&self) -> usize {
        let (index, _) = self
            .nodes
            .iter()
            .enumerate()
            .find(|(_, node)| node.running.is_some())
            .unwrap();
        let status = self.until(index, |status| status.leader.is_some());
        let (_, leader) = status.leader.clone().unwrap();
        (0..self.nodes.len())
            .find(|index| name(*index) == leader)
            .unwrap()
    }

    fn formed(n_nodes: usize, n_voters: usize) -> Self {
        let cluster = Self::new(n_nodes);
        for index in 0..n_nodes {
            cluster.until(index, |status| status.voters.len() == n_voters);
            cluster.until_view(index, |view| view.state.map == Some(map()));
        }
        cluster
    }
}

fn has(view: &ControlView, setting: &str) -> bool {
    view.state.settings.contains_key(setting)
}

#[test]
fn three_nodes_found_one_group_and_go_on_without_their_leader() {
    let mut cluster = Cluster::formed(3, 3);
    for index in 0..3 {
        cluster.propose(index, set(&format!("from-{index}"))).unwrap();
    }
    let groups: Vec<u64> = (0..3).map(|index| cluster.until(index, |_| true).group).collect();
    assert!(groups[0] != 0 && groups.iter().all(|group| *group == groups[0]));
    let refused = cluster.propose(
        1,
        Command::Set {
            name: String::new(),
            value: String::new(),
        },
    );
    assert_eq!(refused, Err(ProposeError::Refused(Refused::BadSetting)));

    let leader = cluster.leader();
    cluster.kill(leader);
    let survivor = (leader + 1) % 3;
    let dead = name(leader);
    let status = cluster.until(survivor, |status| {
        status.leader.as_ref().is_some_and(|(_, node)| *node != dead)
    });
    assert_eq!(status.voters.len(), 3, "who is away for a moment keeps its vote");
    cluster.propose(survivor, set("without")).unwrap();

    cluster.start(leader);
    cluster.until_view(leader, |view| has(view, "without") && has(view, "from-0"));
}

#[test]
fn a_whole_cluster_restarts_from_its_files() {
    let mut cluster = Cluster::formed(3, 3);
    cluster.propose(0, set("before")).unwrap();
    let ids: Vec<u64> = (0..3)
        .map(|index| cluster.until(index, |_| true).raft_id)
        .collect();
    for index in 0..3 {
        cluster.kill(index);
    }
    *cluster.database.down.lock() = true;
    for index in 0..3 {
        cluster.start(index);
    }
    for (index, id) in ids.iter().enumerate() {
        cluster.until_view(index, |view| has(view, "before"));
        assert_eq!(cluster.until(index, |_| true).raft_id, *id);
    }
    cluster.propose(2, set("after")).unwrap();
}

#[test]
fn a_node_that_lost_its_volume_joins_as_another_member() {
    let mut cluster = Cluster::formed(3, 3);
    let lost = (cluster.leader() + 1) % 3;
    let former = cluster.until(lost, |_| true).raft_id;
    cluster.kill(lost);
    cluster.nodes[lost].folder = tempfile::tempdir().unwrap();
    cluster.start(lost);
    let status = cluster.until(lost, |status| status.voters.len() == 3 && status.is_voter);
    assert_ne!(status.raft_id, former);
    cluster.until_view(lost, |view| view.state.map == Some(map()));
}

#[test]
fn voters_follow_the_nodes_and_a_removed_one_is_gone_before_it_stops() {
    let mut cluster = Cluster::formed(2, 1);
    cluster.add();
    cluster.until(0, |status| status.voters.len() == 3);
    let leader = cluster.leader();
    let remover = (leader + 1) % 3;
    let leaving = name(leader);
    let group = cluster.group(leader).clone();
    cluster.block(leader, group.leave()).unwrap();
    let status = cluster.until(remover, |status| {
        status.leader.is_some() && !status.voters.contains(&leaving) && !status.learners.contains(&leaving)
    });
    assert_ne!(status.leader.as_ref().unwrap().1, leaving);
    cluster.kill(leader);
    cluster.until(remover, |status| {
        status.voters.len() == 1 && status.learners.len() == 1
    });
    let voter = cluster.leader();
    let other = (0..3).find(|index| *index != leader && *index != voter).unwrap();
    // The last voter goes: the learner becomes one first.
    let group = cluster.group(other).clone();
    cluster.block(other, group.remove(&name(voter))).unwrap();
    cluster.kill(voter);
    cluster.until(other, |status| status.is_leader && status.voters == [name(other)]);
    let last = cluster.group(other).clone();
    let refused = cluster.block(other, last.remove(&name(other)));
    assert!(matches!(refused, Err(RemoveError::Refused(_))), "{refused:?}");
    cluster.propose(other, set("alone")).unwrap();
}

#[test]
fn a_learner_that_was_taken_out_while_it_was_away_is_taken_in_again() {
    let mut cluster = Cluster::formed(3, 3);
    // One leaves, the group shrinks to one voter, and the learner's place goes while it is down.
    let leaving = (cluster.leader() + 1) % 3;
    cluster.block(leaving, cluster.group(leaving).leave()).unwrap();
    cluster.kill(leaving);
    let left = (leaving + 1) % 3;
    cluster.until(left, |status| {
        status.voters.len() == 1 && status.learners.len() == 1
    });
    let voter = cluster.leader();
    let learner = (0..3).find(|index| ![leaving, voter].contains(index)).unwrap();
    cluster.kill(learner);
    cluster
        .block(voter, cluster.group(voter).remove(&name(learner)))
        .unwrap();
    cluster.until(voter, |status| status.learners.is_empty());
    for index in [leaving, learner] {
        cluster.start(index);
    }
    for index in 0..3 {
        cluster.until(index, |status| status.voters.len() == 3);
    }
}

#[test]
fn leadership_moves_before_a_node_stops() {
    let cluster = Cluster::formed(3, 3);
    let leader = cluster.leader();
    let term = cluster.until(leader, |_| true).term;
    let group = cluster.group(leader).clone();
    cluster.block(leader, group.hand_over());
    let status = cluster.until(leader, |status| status.leader.is_some() && !status.is_leader);
    assert!(status.term > term);
}

#[test]
fn leadership_is_handed_to_nobody_who_leaves_too() {
    let mut cluster = Cluster::formed(3, 3);
    let leader = cluster.leader();
    for (index, node) in cluster.nodes.iter_mut().enumerate() {
        if index != leader {
            node.state = MemberState::Draining;
        }
    }
    cluster.show_members();
    let group = cluster.group(leader).clone();
    cluster.block(leader, group.hand_over());
    assert!(cluster.until(leader, |_| true).is_leader);
}

#[test]
fn without_a_leader_a_new_node_reads_the_map_from_any_peer() {
    let mut cluster = Cluster::formed(3, 3);
    let survivor = 0;
    cluster.propose(survivor, set("before")).unwrap();
    cluster.until_view(survivor, |view| has(view, "before"));
    cluster.kill(1);
    cluster.kill(2);
    let new = cluster.add();
    cluster.until_view(new, |view| has(view, "before") && view.state.map == Some(map()));
    assert_eq!(cluster.until(new, |_| true).group, 0, "it is no member");
}

#[test]
fn when_all_state_is_lost_one_group_is_founded_anew_from_the_fences() {
    let mut cluster = Cluster::formed(3, 3);
    cluster.settings.lost_after = Duration::from_millis(300);
    let former = cluster.until(0, |_| true).group;
    let keeper = 2;
    for index in 0..3 {
        cluster.kill(index);
        if index != keeper {
            cluster.nodes[index].folder = tempfile::tempdir().unwrap();
        }
    }
    cluster.start(0);
    cluster.start(1);
    for index in 0..2 {
        cluster.until_view(index, |view| view.state.map == Some(map()));
        assert_ne!(
            cluster.until(index, |status| !status.voters.is_empty()).group,
            former
        );
    }
    // One that kept its state of the former group finds that it is worth nothing now.
    cluster.start(keeper);
    let group = cluster.until(0, |_| true).group;
    cluster.until(keeper, |status| {
        status.group == group && !status.voters.is_empty()
    });
}

#[test]
fn a_member_that_was_cut_off_takes_nothing_of_its_former_group_into_one_founded_meanwhile() {
    let mut cluster = Cluster::new(0);
    cluster.settings.lost_after = Duration::from_millis(300);
    cluster.settings.leaderless_max = Duration::from_secs(1);
    for index in 0..3 {
        cluster.add();
        cluster.until(index, |status| !status.voters.is_empty());
    }
    let cut_off = 2;
    cluster.until(cut_off, |status| status.voters.len() == 3);
    cluster.propose(0, set("formerly")).unwrap();
    cluster.until_view(cut_off, |view| has(view, "formerly"));
    cluster.nodes[cut_off].unseen = true;
    for index in 0..2 {
        cluster.kill(index);
        cluster.nodes[index].folder = tempfile::tempdir().unwrap();
    }
    for index in 0..2 {
        cluster.start(index);
    }
    for index in 0..2 {
        cluster.until(index, |status| !status.voters.is_empty());
    }
    cluster.nodes[cut_off].unseen = false;
    cluster.show_members();
    cluster.until(0, |status| status.voters.len() == 3);
    cluster.propose(0, set("now")).unwrap();
    cluster.until_view(cut_off, |view| has(view, "now"));
    let mut view = cluster.group(cut_off).view();
    assert!(!has(&view.borrow_and_update(), "formerly"));
}
