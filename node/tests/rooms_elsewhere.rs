//! Rooms whose members a database of the operator's says: who is in them is what stands there, on one node and on three.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

mod support;

use serde_json::json;
use std::time::{Duration, Instant};
use support::administered::Administered;
use support::raw::Raw;
use support::{Cluster, PATIENCE};
use tim_store::Foreign;
use tim_wire::structs::{business, message_kind, node_kind, operation};
use tim_wire::{
    Command, ServerFrame, Tid, TimAuth, TimMessage, TimMessageList, TimNodes, TimReq, TimRoomBean, WireStruct,
};

const EVERYBODY: [&str; 4] = ["anna", "eva", "ida", "otto"];
/// Each use of a room asks again.
const NOT_REMEMBERED: &str = "remembered_millis = 0";
const ROOM_MEMBERS: &str = "SELECT person FROM members WHERE room = ?";

/// The operator's own tables.
struct Tables {
    dsn: String,
    pool: Foreign,
    _directory: tempfile::TempDir,
}

impl Tables {
    async fn with(members: &[(&str, &[&str])]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("people.db");
        std::fs::write(&file, []).unwrap();
        let dsn = format!("sqlite:{}", file.display());
        let tables = Self {
            pool: Foreign::open(&dsn, 2, Duration::from_secs(10), 100).unwrap(),
            dsn,
            _directory: directory,
        };
        // Who reads does not keep others from writing.
        tables.run("PRAGMA journal_mode = WAL").await;
        tables.run("CREATE TABLE members (room TEXT, person TEXT)").await;
        for (room, people) in members {
            for person in *people {
                tables.add(room, person).await;
            }
        }
        tables
    }

    async fn run(&self, text: &str) {
        self.pool.rows(text, &[], 0).await.unwrap();
    }

    async fn add(&self, room: &str, person: &str) {
        self.run(&format!("INSERT INTO members VALUES ('{room}', '{person}')"))
            .await;
    }

    async fn remove(&self, room: &str, person: &str) {
        self.run(&format!(
            "DELETE FROM members WHERE room = '{room}' AND person = '{person}'"
        ))
        .await;
    }

    fn configuration(&self, cluster: &Cluster, more: &str) -> String {
        let file = cluster.directory.path().join("users.dsn");
        std::fs::write(&file, &self.dsn).unwrap();
        format!(
            "[accounts]\nids = \"names\"\nusers = \"database\"\n[accounts.database]\ndsn_file = \"{}\"\n\
             login = \"SELECT ? WHERE ? = 'secret'\"\n\
             rooms = \"SELECT room FROM members WHERE person = ?\"\n\
             room_members = \"{ROOM_MEMBERS}\"\nrest_millis = 100\n{more}\n",
            file.display()
        )
    }

    async fn cluster(&self, nodes: usize, more: &str) -> Cluster {
        let mut cluster = Cluster::prepare(nodes, &["d0", "d1"]);
        cluster.extra = self.configuration(&cluster, more);
        cluster.run_all().await;
        cluster
    }
}

/// A session at one of the nodes, and what waited for it.
async fn log_in_to(cluster: &Cluster, node: usize, name: &str) -> (Raw, Vec<TimMessage>) {
    let node = node % cluster.nodes.len();
    let mut client = Raw::connect(cluster.nodes[node].client_port).await;
    let auth = TimAuth {
        name: Some(name.to_owned()),
        pwd: Some("secret".to_owned()),
        ..TimAuth::default()
    };
    client.send_struct(Command::Auth, &auth).await;
    assert!(client.ack(Command::Auth).await.ok);
    let missed = client.offline().await;
    (client, missed)
}

async fn log_in(cluster: &Cluster, node: usize, name: &str) -> Raw {
    log_in_to(cluster, node, name).await.0
}

fn to_room(room: &str, text: &str) -> TimMessage {
    TimMessage {
        ms_type: message_kind::ROOM,
        od_type: operation::NORMAL,
        room_tid: Some(Tid::of(room)),
        data_string: Some(text.to_owned()),
        ..TimMessage::default()
    }
}

async fn say(client: &mut Raw, room: &str, text: &str) {
    client.send_struct(Command::Message, &to_room(room, text)).await;
}

/// The code of the refusal.
async fn may_not_say(client: &mut Raw, room: &str) -> i32 {
    say(client, room, "not allowed").await;
    refused(client, Command::Message).await
}

async fn refused(client: &mut Raw, command: Command) -> i32 {
    client.ack(command).await.error.unwrap().code.unwrap()
}

/// The next thing said in a room; notices before it are confirmed.
async fn hears(client: &mut Raw) -> String {
    loop {
        let message = client.message().await;
        if message.ms_type == message_kind::ROOM {
            return message.data_string.unwrap();
        }
    }
}

async fn all_hear<const N: usize>(clients: [&mut Raw; N], text: &str) {
    for client in clients {
        assert_eq!(hears(client).await, text);
    }
}

/// The answer to a request of command 41 or 42; an empty list is answered by nothing, which the ping behind it shows.
async fn nodes(client: &mut Raw) -> Vec<String> {
    let ping = tim_wire::frame::empty_client_frame(Command::Ping, client.encoding);
    client.send(ping).await;
    let answered = |frame: &ServerFrame| matches!(frame.command(), Some(Command::Nodes | Command::Ping));
    let frame = client.frame_where(answered).await;
    if frame.command() == Some(Command::Ping) {
        return Vec::new();
    }
    client.frame(Command::Ping).await;
    let listed = TimNodes::decode_payload(&frame.payload, client.encoding).unwrap();
    listed.nodelist.unwrap_or_default()
}

async fn ask(client: &mut Raw, rtype: i32, room: &str, other: &str) {
    let request = TimReq {
        rtype: Some(rtype),
        node: Some(room.to_owned()),
        node2: Some(other.to_owned()),
        req_int: Some(2),
        req_str: Some(String::new()),
        ..TimReq::default()
    };
    client.send_struct(Command::Business, &request).await;
}

async fn own_rooms(client: &mut Raw) -> Vec<String> {
    ask(client, business::USER_ROOMS, "", "").await;
    nodes(client).await
}

async fn members(client: &mut Raw, room: &str) -> Vec<String> {
    ask(client, business::ROOM_USERS, room, "").await;
    nodes(client).await
}

async fn pull_history(client: &mut Raw, room: &str) {
    let request = TimReq {
        rtype: Some(2),
        node: Some(room.to_owned()),
        req_int: Some(0),
        req_int2: Some(50),
        ..TimReq::default()
    };
    client.send_struct(Command::PullMessages, &request).await;
}

/// Said to one member, as something that concerns the room.
async fn say_within(client: &mut Raw, room: &str, to: &str, od_type: i8) {
    let mut message = TimMessage::direct(to, od_type);
    message.room_tid = Some(Tid::of(room));
    message.data_string = Some("between us".to_owned());
    client.send_struct(Command::Message, &message).await;
}

async fn info(client: &mut Raw, rooms: &[&str]) -> Vec<(String, TimRoomBean)> {
    let query = TimNodes {
        ntype: node_kind::ROOM_INFO,
        nodelist: Some(rooms.iter().map(|room| (*room).to_owned()).collect()),
        ..TimNodes::default()
    };
    client.send_struct(Command::Nodes, &query).await;
    let frame = client.frame(Command::Nodes).await;
    let told = TimNodes::decode_payload(&frame.payload, client.encoding).unwrap();
    told.roommap.unwrap_or_default().into_iter().collect()
}

/// Makes a test for one node and one for three out of an asynchronous function that takes their number.
macro_rules! on_one_node_and_on_three {
    ($($test:ident),+ $(,)?) => {
        mod one_node { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(1).await; })+ }
        mod three_nodes { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(3).await; })+ }
    };
}

on_one_node_and_on_three!(
    a_message_reaches_who_is_in_the_room_there,
    whoever_asks_is_told_what_stands_there,
    many_who_use_a_room_at_once_take_everybody_in_once,
);

async fn a_message_reaches_who_is_in_the_room_there(count: usize) {
    let tables = Tables::with(&[("tea", &["anna", "otto"])]).await;
    let cluster = tables.cluster(count, NOT_REMEMBERED).await;
    let mut anna = log_in(&cluster, 0, "anna").await;
    let mut otto = log_in(&cluster, 1, "otto").await;
    let mut ida = log_in(&cluster, 2, "ida").await;
    say(&mut anna, "tea", "one").await;
    let taken_in = otto.notice(business::PULL_ROOM).await;
    assert_eq!(
        (taken_in.from_tid, taken_in.room_tid),
        (None, Some(Tid::of("tea")))
    );
    all_hear([&mut anna, &mut otto], "one").await;
    assert_eq!(may_not_say(&mut ida, "tea").await, 4105);
    assert_eq!(may_not_say(&mut ida, "nowhere").await, 4106, "no such room");

    tables.add("tea", "ida").await;
    say(&mut ida, "tea", "two").await;
    all_hear([&mut anna, &mut otto, &mut ida], "two").await;

    tables.remove("tea", "otto").await;
    say(&mut anna, "tea", "three").await;
    all_hear([&mut anna, &mut ida], "three").await;
    otto.notice(business::KICK_ROOM).await;
    assert_eq!(may_not_say(&mut otto, "tea").await, 4105);

    // Who is away is a member like the others.
    tables.add("tea", "otto").await;
    tables.add("tea", "eva").await;
    say(&mut anna, "tea", "four").await;
    all_hear([&mut anna, &mut ida], "four").await;
    assert_eq!(hears(&mut otto).await, "four", "and not what was said meanwhile");
    let (mut eva, missed) = log_in_to(&cluster, 1, "eva").await;
    let texts: Vec<_> = missed
        .into_iter()
        .filter_map(|message| message.data_string)
        .collect();
    assert_eq!(texts, ["four"]);
    say(&mut eva, "tea", "five").await;
    all_hear([&mut anna, &mut otto, &mut ida, &mut eva], "five").await;

    // A room of nobody is none, and is as it was when somebody is in it again.
    tables.run("UPDATE members SET room = 'gone'").await;
    assert_eq!(may_not_say(&mut anna, "tea").await, 4106);
    tables.run("UPDATE members SET room = 'tea'").await;
    say(&mut otto, "tea", "six").await;
    all_hear([&mut anna, &mut otto, &mut ida, &mut eva], "six").await;
}

async fn whoever_asks_is_told_what_stands_there(count: usize) {
    let tables = Tables::with(&[("tea", &["anna", "otto"]), ("sun", &["otto", "ida"])]).await;
    let cluster = tables.cluster(count, NOT_REMEMBERED).await;
    let mut anna = log_in(&cluster, 0, "anna").await;
    let mut otto = log_in(&cluster, 1, "otto").await;
    // Nobody has said anything yet.
    assert_eq!(own_rooms(&mut otto).await, ["sun", "tea"]);
    assert_eq!(own_rooms(&mut anna).await, ["tea"]);
    assert_eq!(members(&mut otto, "sun").await, ["ida", "otto"]);
    let known = info(&mut anna, &["tea", "sun", "nowhere"]).await;
    let ids: Vec<&str> = known.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["sun", "tea"]);
    assert!(known.iter().all(|(_, room)| room.founder.is_none()));
    ask(&mut anna, business::ROOM_USERS, "sun", "").await;
    assert_eq!(refused(&mut anna, Command::Business).await, 4104);

    tables.add("sun", "anna").await;
    assert_eq!(members(&mut anna, "sun").await, ["anna", "ida", "otto"]);
    assert_eq!(own_rooms(&mut anna).await, ["sun", "tea"]);
    // Who is in a room together writes to each other, and sends what is not stored.
    for kind in [operation::NORMAL, operation::STREAM] {
        say_within(&mut anna, "sun", "otto", kind).await;
        let told = loop {
            let (message, sync_id) = otto.unconfirmed_message().await;
            if let Some(sync_id) = sync_id {
                otto.confirm(sync_id).await;
            }
            if message.od_type == kind {
                break message;
            }
        };
        assert_eq!(told.data_string.as_deref(), Some("between us"));
    }
    // Nobody has used that one yet.
    tables.add("moon", "anna").await;
    tables.add("moon", "otto").await;
    let mut live = to_room("moon", "live");
    live.od_type = operation::STREAM;
    anna.send_struct(Command::Message, &live).await;
    assert_eq!(hears(&mut otto).await, "live");
    say(&mut otto, "sun", "noted").await;
    assert_eq!(hears(&mut otto).await, "noted");
    pull_history(&mut anna, "sun").await;
    let frame = anna.frame(Command::PullMessages).await;
    let page = TimMessageList::decode_payload(&frame.payload, anna.encoding).unwrap();
    let page = page.message_list.unwrap();
    assert_eq!(page[0].data_string.as_deref(), Some("noted"));

    tables.remove("sun", "anna").await;
    pull_history(&mut anna, "sun").await;
    assert_eq!(refused(&mut anna, Command::PullMessages).await, 4105);
    tables.remove("moon", "anna").await;
    say_within(&mut anna, "moon", "otto", operation::NORMAL).await;
    assert_eq!(refused(&mut anna, Command::Message).await, 4105);
    assert_eq!(own_rooms(&mut anna).await, ["tea"]);
    changes_are_made_there_alone(&mut otto).await;
    assert_eq!(members(&mut otto, "sun").await, ["ida", "otto"]);
}

async fn changes_are_made_there_alone(client: &mut Raw) {
    for rtype in business::NEW_ROOM..=business::CANCEL_ROOM {
        if rtype == business::PASS_ROOM {
            continue;
        }
        ask(client, rtype, "sun", "anna").await;
        assert_eq!(refused(client, Command::Business).await, 4107, "{rtype}");
        if rtype != business::NEW_ROOM {
            assert_eq!(refused(client, Command::Business).await, 4107, "said twice");
        }
    }
    let topic = TimRoomBean {
        topic: Some("mine".to_owned()),
        ..TimRoomBean::default()
    };
    let change = TimNodes {
        ntype: node_kind::MODIFY_ROOM,
        roommap: Some([("sun".to_owned(), topic)].into()),
        ..TimNodes::default()
    };
    client.send_struct(Command::Nodes, &change).await;
    assert_eq!(refused(client, Command::Nodes).await, 4107);
}

/// Whoever is first, on whichever node: nobody is taken in twice, and nobody is forgotten.
async fn many_who_use_a_room_at_once_take_everybody_in_once(count: usize) {
    const CROWD: usize = 150;
    let names: Vec<String> = (0..CROWD).map(|number| format!("p{number:03}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).chain(EVERYBODY).collect();
    let tables = Tables::with(&[("crowd", &all)]).await;
    let cluster = tables.cluster(count, "remembered_millis = 600000").await;
    let mut clients = Vec::new();
    for (place, name) in EVERYBODY.into_iter().enumerate() {
        clients.push(log_in(&cluster, place, name).await);
    }
    for (client, name) in clients.iter_mut().zip(EVERYBODY) {
        say(client, "crowd", name).await;
    }
    for client in &mut clients {
        let (mut texts, mut notices) = (Vec::new(), 0);
        while texts.len() < EVERYBODY.len() {
            let message = client.message().await;
            match message.bn_type {
                Some(business::PULL_ROOM) => notices += 1,
                other => {
                    assert_eq!(other, None);
                    texts.push(message.data_string.unwrap());
                }
            }
        }
        texts.sort();
        assert_eq!((texts, notices), (EVERYBODY.map(str::to_owned).to_vec(), 1));
    }
    let mut expected: Vec<String> = all.iter().map(|name| (*name).to_owned()).collect();
    expected.sort();
    assert_eq!(members(&mut clients[0], "crowd").await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_remembered_goes_on_without_the_database() {
    let tables = Tables::with(&[("tea", &["anna", "otto"]), ("sun", &["anna"])]).await;
    let cluster = tables.cluster(1, "remembered_millis = 600000").await;
    let mut anna = log_in(&cluster, 0, "anna").await;
    let mut otto = log_in(&cluster, 0, "otto").await;
    say(&mut anna, "tea", "one").await;
    all_hear([&mut anna, &mut otto], "one").await;
    tables.run("ALTER TABLE members RENAME TO gone").await;
    say(&mut anna, "tea", "two").await;
    all_hear([&mut anna, &mut otto], "two").await;
    assert_eq!(may_not_say(&mut anna, "sun").await, 5104);
    ask(&mut anna, business::USER_ROOMS, "", "").await;
    assert_eq!(refused(&mut anna, Command::Business).await, 5104);
    let told = cluster.status(0).await.to_string();
    assert!(told.contains("TIM-N125"), "{told}");
    tables.run("ALTER TABLE gone RENAME TO members").await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        say(&mut anna, "sun", "back").await;
        // Said, or refused while nothing is asked.
        let frame = anna
            .frame_where(|frame| matches!(frame.command(), Some(Command::Message | Command::Ack)))
            .await;
        if frame.command() == Some(Command::Message) {
            break;
        }
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_the_members_is_never_taken_for_all() {
    let tables = Tables::with(&[("tea", &["anna", "otto", "zoe"]), ("sun", &["anna"])]).await;
    let more = format!("{NOT_REMEMBERED}\nrows_max = 3");
    let cluster = tables.cluster(1, &more).await;
    let mut anna = log_in(&cluster, 0, "anna").await;
    let mut otto = log_in(&cluster, 0, "otto").await;
    say(&mut anna, "tea", "one").await;
    all_hear([&mut anna, &mut otto], "one").await;
    tables.add("tea", "ida").await;
    assert_eq!(may_not_say(&mut anna, "tea").await, 5104);
    let told = cluster.status(0).await.to_string();
    for part in [
        "TIM-N125",
        "accounts.database.room_members",
        "accounts.database.rows_max",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("tea"), "{told}");
    // The database is well: others notice nothing.
    say(&mut anna, "sun", "alone").await;
    assert_eq!(hears(&mut anna).await, "alone");
    tables.remove("tea", "zoe").await;
    say(&mut anna, "tea", "two").await;
    let next = otto.message().await;
    assert_eq!(
        (next.bn_type, next.data_string.as_deref()),
        (None, Some("two")),
        "he was never out"
    );
    let told = cluster.status(0).await.to_string();
    assert!(!told.contains("rows_max"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_larger_than_rooms_may_be_is_told() {
    let tables = Tables::with(&[("tea", &EVERYBODY)]).await;
    let more = format!("{NOT_REMEMBERED}\n[limits]\nroom_members_max = 3");
    let cluster = tables.cluster(1, &more).await;
    let mut anna = log_in(&cluster, 0, "anna").await;
    assert_eq!(may_not_say(&mut anna, "tea").await, 5104);
    let told = cluster.status(0).await.to_string();
    assert!(
        told.contains("limits.room_members_max") && told.contains("room_members:"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_of_no_use_ends_the_start() {
    let tables = Tables::with(&[]).await;
    let mut cluster = Cluster::prepare(1, &["d0", "d1"]);
    let right = tables.configuration(&cluster, "");
    for (wrong, told) in [
        (
            "SELECT person FROM no_members WHERE room = ?",
            ["TIM-C102", "accounts.database.room_members", "no_members"],
        ),
        (
            "SELECT person FROM members",
            ["TIM-C102", "accounts.database.room_members", "0 question marks"],
        ),
        ("", ["TIM-C102", "accounts.database.room_members", "or neither"]),
    ] {
        cluster.extra = right.replace(ROOM_MEMBERS, wrong);
        cluster.spawn(0);
        assert_ne!(cluster.ended(0).await, Some(0));
        let log = cluster.log(0);
        for part in told {
            assert!(log.contains(part), "{part}: {log}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrators_see_what_stands_there_and_change_it_there() {
    let tables = Tables::with(&[("tea", &["anna", "otto"])]).await;
    let cluster = Cluster::prepare(1, &["d0", "d1"]);
    let more = tables.configuration(&cluster, NOT_REMEMBERED);
    let it = Administered::start_on(cluster, &more).await;
    let read = async |path: &str| it.call(0, &it.admin, ("GET", path), json!(null)).await;
    let (code, room) = read("/rooms/tea").await;
    assert_eq!((code, &room["members"]), (200, &json!(2)), "{room}");
    assert!(room.get("founder").is_none(), "{room}");
    tables.add("tea", "ida").await;
    let (_, listed) = read("/rooms/tea/members").await;
    assert_eq!(listed["accounts"], json!(["anna", "ida", "otto"]));
    assert_eq!(read("/rooms/nowhere").await.0, 404);
    let mut anna = log_in(&it.cluster, 0, "anna").await;
    say(&mut anna, "tea", "hello").await;
    assert_eq!(hears(&mut anna).await, "hello");
    let (_, page) = read("/rooms/tea/history").await;
    assert_eq!(page["messages"][0]["text"], "hello", "{page}");
    for (what, body) in [
        (("POST", "/rooms"), json!({"founder": "anna", "topic": "mine"})),
        (("PUT", "/rooms/tea/members/eva"), json!(null)),
        (("DELETE", "/rooms/tea/members/otto"), json!(null)),
        (("PATCH", "/rooms/tea"), json!({"topic": "ours"})),
        (("DELETE", "/rooms/tea"), json!(null)),
    ] {
        let (code, problem) = it.call(0, &it.admin, what, body).await;
        assert_eq!(code, 409, "{what:?}: {problem}");
        assert!(
            problem.to_string().contains("accounts.database"),
            "{what:?}: {problem}"
        );
    }
}
