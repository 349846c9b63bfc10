//! An account is deleted on three nodes while one of them is killed: it is out at once, refused from then on, and nothing
//! of it is left in the databases but what the rule says, whichever engine they are of.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "tests stop at the first surprise, and a scenario is told in one piece"
)]

#[path = "../../e2e/src/database.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the end-to-end tests, which use all of it"
)]
mod database;
mod support;

use database::{Kind, Server};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::administered::Administered;
use support::raw::{self, Raw};
use support::{CLUSTER, Cluster, PATIENCE, operator};
use tim_core::conversation::Standing;
use tim_core::id::{AccountId, ConversationId, DatabaseName, Epoch, NodeName, RoomId, Seq};
use tim_core::placement;
use tim_proto::control::v1::{
    RepartitionOperation, RepartitionPhase, RepartitionStatusRequest, StartRepartitionRequest,
};
use tim_store::{Database, EntriesAfter, Fence, FenceState, PositionQuery, StorageKeys, Store, StoreConfig};
use tim_wire::structs::{business, message_kind, node_kind, operation};
use tim_wire::{Command, Encoding, Tid, TimMessage, TimNodes, TimReq};

const MORE: &str =
    "[sessions]\nper_account_max = 10\nper_device_class_max = 10\n[accounts.deletion]\nsettle_seconds = 3";

/// A cluster whose databases are of one engine, and their server.
async fn start(nodes: usize, kind: Option<Kind>) -> (Administered, Option<Server>) {
    let cluster = Cluster::prepare(nodes, &["d0", "d1"]);
    let server = kind.map(|kind| Server::start(kind).unwrap());
    if let Some(server) = &server {
        for name in &cluster.databases {
            let dsn = server.dsn(&server.create_database().unwrap());
            std::fs::write(cluster.directory.path().join("dsn").join(name), dsn).unwrap();
        }
    }
    (Administered::start_on(cluster, MORE).await, server)
}

async fn room(founder: &mut Raw, members: &[&str]) -> String {
    let request = TimReq {
        rtype: Some(business::NEW_ROOM),
        node: Some("the topic".to_owned()),
        req_int: Some(1),
        ..TimReq::default()
    };
    founder.send_struct(Command::Business, &request).await;
    let room = founder.ack(Command::Business).await.n.unwrap();
    for member in members {
        let request = TimReq {
            rtype: Some(business::PULL_ROOM),
            node: Some(room.clone()),
            node2: Some((*member).to_owned()),
            ..TimReq::default()
        };
        founder.send_struct(Command::Business, &request).await;
        assert!(founder.ack(Command::Business).await.ok);
    }
    room
}

async fn say_in(raw: &mut Raw, room: &str, text: &str) {
    let message = TimMessage {
        ms_type: message_kind::ROOM,
        od_type: operation::NORMAL,
        room_tid: Some(Tid::of(room)),
        data_string: Some(text.to_owned()),
        ..TimMessage::default()
    };
    raw.send_struct(Command::Message, &message).await;
    let echo = raw.message().await;
    assert_eq!(echo.data_string.as_deref(), Some(text));
}

/// Asks until a node says that nothing is being deleted any more.
async fn until_done(it: &Administered, node: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (code, listed) = it.call(node, &it.read, ("GET", "/deletions"), Value::Null).await;
        if code == 200 && listed["deletions"].as_array().is_some_and(Vec::is_empty) {
            return;
        }
        assert!(Instant::now() < deadline, "{code} {listed}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The databases, past the nodes.
struct Looked(Vec<(Database, Fence)>);

impl Looked {
    async fn into(cluster: &Cluster) -> Self {
        let keys = StorageKeys::single([7; 32].into()).unwrap();
        let cluster_id = CLUSTER.to_owned();
        let store = Store::new(StoreConfig {
            cluster: cluster_id,
            keys,
        });
        let dsn =
            |name: &String| std::fs::read_to_string(cluster.directory.path().join("dsn").join(name)).unwrap();
        let named = cluster
            .databases
            .iter()
            .map(|name| (DatabaseName::new(name).unwrap(), dsn(name)));
        store.configure(named).unwrap();
        let mut fences = Vec::new();
        for name in store.databases() {
            let database = store.database(&name).unwrap();
            database.prepare().await.unwrap();
            for fence in database.fences().await.unwrap() {
                fences.push((database.clone(), fence));
            }
        }
        Self(fences)
    }

    fn at(&self, id: &[u8]) -> (Database, Epoch) {
        let slot = placement::slot(id);
        let is_here = |fence: &Fence| fence.covers(slot) && fence.state == FenceState::Open;
        let (database, fence) = self.0.iter().find(|(_, fence)| is_here(fence)).unwrap();
        (database.clone(), fence.epoch)
    }

    /// Nothing of the account is left beside a conversation, nor in it.
    async fn nothing_in(&self, conversation: ConversationId, account: &AccountId) -> usize {
        let (database, epoch) = self.at(&conversation.0);
        let query = PositionQuery {
            conversation,
            epoch,
            account: account.clone(),
        };
        let position = database.positions(&[query]).await.unwrap().remove(0).unwrap();
        assert!(position.cursors.is_empty(), "{position:?}");
        let query = EntriesAfter {
            conversation,
            epoch,
            after: Seq(0),
            limit: 500,
            max_bytes: usize::MAX,
        };
        let entries = database.entries_after(query).await.unwrap();
        for entry in &entries {
            assert!(
                entry.sender != *account && !entry.audience.contains(account),
                "{entry:?}"
            );
        }
        entries.iter().filter(|entry| !entry.body.is_empty()).count()
    }

    async fn listed(&self, account: &AccountId) -> usize {
        let (database, epoch) = self.at(account.as_bytes());
        let lists = database
            .conversations_of(&[(account.clone(), epoch)])
            .await
            .unwrap();
        lists[0].as_ref().unwrap().len()
    }
}

/// Whose turn a deletion is.
fn turn_of(cluster: &Cluster, account: &AccountId) -> usize {
    let key = [b"deletion\0", account.as_bytes()].concat();
    let score = |index: &usize| placement::score(&key, &NodeName::new(&cluster.nodes[*index].name).unwrap());
    (0..cluster.nodes.len()).max_by_key(score).unwrap()
}

async fn is_refused(port: u16) {
    let mut late = Raw::connect(port).await;
    late.send_struct(Command::Auth, &raw::auth("alice", "secret"))
        .await;
    let told = late.ack(Command::Auth).await;
    assert_eq!((told.ok, told.error.unwrap().code), (false, Some(4105)));
}

async fn an_account_goes_while_a_node_dies(kind: Option<Kind>) {
    let (mut it, _server) = start(3, kind).await;
    let (alice, bob) = it.cluster.friends("alice", "bob").await;
    let carol = it.cluster.register(0, "carol").await;
    let mut devices = Vec::new();
    for node in 0..3 {
        devices.push(it.cluster.login(node, "alice").await);
        devices[node].offline().await;
    }
    let mut friend = it.cluster.login(1, "bob").await;
    friend.offline().await;
    let room = room(&mut devices[0], &[&bob, &carol]).await;
    for device in &mut devices[1..] {
        // What the first one does is told to it alone.
        device.ping().await;
    }
    devices[0].say(&bob, "a secret").await;
    devices[0].message().await;
    say_in(&mut devices[0], &room, "a secret for all").await;
    let nickname = json!({"nickname": "Ally"});
    let path = format!("/accounts/{alice}/profile");
    let (code, _) = it.call(0, &it.operate, ("PATCH", &path), nickname).await;
    assert_eq!(code, 200);
    let told = json!({"accounts": [alice], "text": "you have won"});
    assert_eq!(
        it.call(0, &it.operate, ("POST", "/system-messages"), told)
            .await
            .0,
        200
    );
    let path = format!("/accounts/{alice}/tokens");
    let (_, token) = it.call(0, &it.admin, ("POST", &path), Value::Null).await;

    let id = AccountId::new(&alice).unwrap();
    let victim = turn_of(&it.cluster, &id);
    let path = format!("/accounts/{alice}");
    let (code, problem) = it.call(0, &it.operate, ("DELETE", &path), Value::Null).await;
    assert_eq!((code, problem["code"].as_str()), (403, Some("TIM-A103")));
    let (code, begun) = it.call(0, &it.admin, ("DELETE", &path), Value::Null).await;
    assert_eq!(
        (code, begun["deletion"]["messages"].as_str()),
        (202, Some("erase")),
        "{begun}"
    );
    assert_eq!(begun["untoldNodes"], json!([]));
    for device in &mut devices {
        let told = device.ack(Command::Logout).await;
        assert!(told.ok);
        // What had come before is read; nothing comes any more.
        while device.next().await.is_some() {}
    }
    it.cluster.kill(victim);
    let alive = (victim + 1) % 3;
    let port = it.cluster.nodes[alive].client_port;
    is_refused(port).await;
    let again = raw::post(
        port,
        Command::Register,
        Encoding::Json,
        &raw::auth("alice", "other"),
    )
    .await;
    assert_eq!(again.error.unwrap().code, Some(4101), "nobody gets its id");
    let mut with_token = Raw::connect(port).await;
    let auth = tim_wire::TimAuth {
        token: Some(tim_wire::Token::Text(token["token"].as_str().unwrap().to_owned())),
        ..tim_wire::TimAuth::default()
    };
    with_token.send_struct(Command::Auth, &auth).await;
    assert_eq!(
        with_token.ack(Command::Auth).await.error.unwrap().code,
        Some(4115)
    );

    until_done(&it, alive).await;
    let mut friend = it.cluster.login(alive, "bob").await;
    let missed = friend.offline().await;
    assert!(
        missed
            .iter()
            .all(|message| message.data_string.as_deref() != Some("a secret")),
        "{missed:?}"
    );
    friend.say(&alice, "are you there?").await;
    assert_eq!(friend.ack(Command::Message).await.error.unwrap().code, Some(4106));
    friend.add_friend(&alice).await;
    assert_eq!(
        friend.ack(Command::Business).await.error.unwrap().code,
        Some(4106)
    );
    // The room has gone to bob, who came first.
    say_in(&mut friend, &room, "mine now").await;
    let asked = TimNodes {
        ntype: node_kind::ROOM_INFO,
        nodelist: Some(vec![room.clone()]),
        ..TimNodes::default()
    };
    friend.send_struct(Command::Nodes, &asked).await;
    let frame = friend.frame(Command::Nodes).await;
    let told = String::from_utf8_lossy(&frame.payload).into_owned();
    assert!(told.contains(&bob) && !told.contains(&alice), "{told}");
    let (code, _) = it.call(alive, &it.admin, ("DELETE", &path), Value::Null).await;
    assert_eq!(code, 404, "it is done");

    let looked = Looked::into(&it.cluster).await;
    let peer = AccountId::new(&bob).unwrap();
    assert_eq!(
        looked
            .nothing_in(placement::direct_conversation(&id, &peer), &id)
            .await,
        0
    );
    assert_eq!(
        looked.nothing_in(placement::system_conversation(&id), &id).await,
        0
    );
    let conversation = placement::room_conversation(&RoomId::new(&room).unwrap());
    looked.nothing_in(conversation, &id).await;
    assert_eq!((looked.listed(&id).await, looked.listed(&peer).await), (0, 1));
    let (database, epoch) = looked.at(&conversation.0);
    let members = database
        .room_accounts(&conversation, epoch, &[Standing::MEMBER])
        .await
        .unwrap();
    assert_eq!(members.len(), 2);
    let (database, epoch) = looked.at(id.as_bytes());
    assert_eq!(database.find_account(epoch, &id).await.unwrap(), None);
    it.cluster.spawn(victim);
    it.cluster.ready(victim).await;
    is_refused(it.cluster.nodes[victim].client_port).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_goes_while_a_node_dies_over_sqlite() {
    an_account_goes_while_a_node_dies(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_goes_while_a_node_dies_over_postgresql() {
    an_account_goes_while_a_node_dies(Some(Kind::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_goes_while_a_node_dies_over_mariadb() {
    an_account_goes_while_a_node_dies(Some(Kind::MariaDb)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_goes_while_its_range_is_split() {
    let layout = "[partitioning]\nlayout = [{ from = 0, database = \"d0\" }]\n";
    let it = Administered::start(1, &format!("{MORE}\n{layout}")).await;
    let mut ids = Vec::new();
    for number in 0..8 {
        let (one, other) = (format!("one-{number}"), format!("other-{number}"));
        ids.push(it.cluster.friends(&one, &other).await);
    }
    let mut control = operator::connect(&it.cluster, 0).await;
    let request = StartRepartitionRequest {
        operation_id: "split".to_owned(),
        operation: RepartitionOperation::Split.into(),
        from: 0,
        at: placement::SLOT_COUNT / 2,
        target_database: "d1".to_owned(),
        write_pause_max_ms: 1_000,
    };
    assert_eq!(
        control
            .start_repartition(request)
            .await
            .unwrap()
            .into_inner()
            .cause,
        None
    );
    for (one, _) in &ids {
        let path = format!("/accounts/{one}?messages=keep");
        assert_eq!(it.call(0, &it.admin, ("DELETE", &path), Value::Null).await.0, 202);
    }
    until_done(&it, 0).await;
    loop {
        let status = RepartitionStatusRequest {
            operation_id: "split".to_owned(),
        };
        let reply = control.repartition_status(status).await.unwrap().into_inner();
        match reply.repartition.unwrap().phase() {
            RepartitionPhase::Succeeded => break,
            RepartitionPhase::Failed | RepartitionPhase::Cancelled => panic!("the split has failed"),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    let looked = Looked::into(&it.cluster).await;
    for (one, other) in &ids {
        let (one, other) = (AccountId::new(one).unwrap(), AccountId::new(other).unwrap());
        looked
            .nothing_in(placement::direct_conversation(&one, &other), &one)
            .await;
        assert_eq!(looked.listed(&one).await, 0);
    }
}
