//! Sections 10.4, 10.5, 11.2, 12 and 13 as far as they are about rooms.

use super::stage::{Person, Stage, refusal};
use super::statements;
use std::collections::BTreeMap;
use tim_wire::structs::{business, message_kind, node_kind, operation};
use tim_wire::{Command, Tid, TimMessage, TimMessageList, TimNodes, TimReq, TimRoomBean, WireStruct};

statements!(
    "10.1" "in rooms a burn, a notice or an operation of applications is answered 4104" => operations_in_rooms,
    "10.4" "a room message reaches every member, the sender included, with a confirmation wanted" => to_every_member,
    "10.4" "who is no member is answered 4105" => no_member,
    "10.4" "who was away gets what was said, in order" => away_from_a_room,
    "10.5" "a room message is taken back by its sender: an ack, and the message to all" => taken_back,
    "10.7" "a stream message into a room reaches members who are online" => streamed,
    "10.3" "a private message within a room needs both to be members" => private_within,
    "11.2" "history of a room is for its members" => history,
    "12.2" "rooms of an account are listed, and nothing comes when there are none" => own_rooms,
    "12.3" "members are listed for members" => members,
    "12.8" "a new room is answered by its id, and needs topic and type" => new_room,
    "12.9" "an open room is joined at once" => joining_an_open_room,
    "12.9" "a private room is asked: founder and managers are told, and one of them lets in" => applying,
    "12.9" "members are answered 4101, the banned 4110, an unknown room is refused" => not_joining,
    "12.11" "an application is refused and told" => refusing,
    "12.12" "who did not ask is pulled in and told; whoever may not is answered" => pulling,
    "12.13" "a member is put out by founder and managers, and is told" => kicking,
    "12.14" "who blocks a room leaves it and cannot be pulled in" => blocking,
    "12.15" "who is banned leaves unheard and cannot come back" => banning,
    "12.16" "a member leaves, the founder does not" => leaving,
    "12.17" "a room is cancelled by its founder when nobody else is in it" => cancelling,
    "12.19" "blocked rooms and banned members are listed" => lists_of_blocks,
    "13.5" "data of rooms are given to anybody" => room_data,
    "13.7" "data of a room are changed by founder and managers, managers by the founder alone" => changing_room_data,
);

const PRIVATE: i64 = 1;
const OPEN: i64 = 2;

async fn create(founder: &mut Person, kind: i64) -> String {
    let request = TimReq {
        rtype: Some(business::NEW_ROOM),
        node: Some("topic".to_owned()),
        req_int: Some(kind),
        ..TimReq::default()
    };
    founder.send_struct(Command::Business, &request).await;
    let ack = founder.ack(Command::Business).await;
    assert_eq!((ack.ok, ack.t), (true, Some(8)), "{ack:?}");
    ack.n.unwrap()
}

fn request(rtype: i32, room: &str, account: Option<&str>) -> TimReq {
    TimReq {
        rtype: Some(rtype),
        node: Some(room.to_owned()),
        node2: account.map(str::to_owned),
        req_str: (rtype == business::ADD_ROOM).then(|| "let me in".to_owned()),
        ..TimReq::default()
    }
}

async fn asks(person: &mut Person, rtype: i32, room: &str, account: Option<&str>) {
    person
        .send_struct(Command::Business, &request(rtype, room, account))
        .await;
}

/// Asks, and it is done.
async fn done(person: &mut Person, rtype: i32, room: &str, account: Option<&str>) {
    asks(person, rtype, room, account).await;
    let ack = person.ack(Command::Business).await;
    assert_eq!((ack.ok, ack.t), (true, Some(i64::from(rtype))), "{ack:?}");
    assert_eq!((ack.n.as_deref(), ack.n2.as_deref()), (Some(room), account));
}

/// Asks, and is refused: the first answer names operation and room.
async fn refused(person: &mut Person, rtype: i32, room: &str, account: Option<&str>) -> i32 {
    asks(person, rtype, room, account).await;
    let ack = person.ack(Command::Business).await;
    let code = refusal(&ack);
    if ack.t.is_some() {
        assert_eq!((ack.t, ack.n.as_deref()), (Some(i64::from(rtype)), Some(room)));
    }
    // A second, bare one may follow; a ping is behind both.
    person.ping().await;
    while let Some(second) = person.waiting_ack(Command::Business) {
        assert_eq!(refusal(&second), code);
    }
    code
}

/// A room of Alice with Bob in it, who is on the other node.
async fn room_of_two(stage: &Stage, kind: i64) -> (Person, Person, String) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let mut bob = stage.person(stage.far(), "bob").await;
    let room = create(&mut alice, kind).await;
    done(&mut alice, business::PULL_ROOM, &room, Some(&bob.id)).await;
    bob.notice(business::PULL_ROOM).await;
    (alice, bob, room)
}

fn said(room: &str, od_type: i8, text: &str) -> TimMessage {
    TimMessage {
        ms_type: message_kind::ROOM,
        od_type,
        room_tid: Some(Tid::of(room)),
        data_string: Some(text.to_owned()),
        ..TimMessage::default()
    }
}

async fn says(person: &mut Person, room: &str, text: &str) -> i64 {
    person
        .send_struct(Command::Message, &said(room, operation::NORMAL, text))
        .await;
    let own = person.message().await;
    assert_eq!(own.data_string.as_deref(), Some(text));
    own.mid.unwrap()
}

async fn operations_in_rooms(stage: &Stage) {
    let (mut alice, _bob, room) = room_of_two(stage, OPEN).await;
    for od_type in [operation::BURN, operation::BUSINESS, 31, 0, 9] {
        let message = TimMessage {
            mid: Some(1),
            ..said(&room, od_type, "no")
        };
        assert_eq!(
            alice.is_refused(Command::Message, &message).await,
            4104,
            "{od_type}"
        );
    }
    let without_a_room = TimMessage {
        room_tid: None,
        ..said(&room, operation::NORMAL, "where?")
    };
    assert_eq!(alice.is_refused(Command::Message, &without_a_room).await, 4105);
}

async fn to_every_member(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    let mut carol = stage.person(stage.near(), "carol").await;
    done(&mut alice, business::PULL_ROOM, &room, Some(&carol.id)).await;
    carol.notice(business::PULL_ROOM).await;
    bob.send_struct(Command::Message, &said(&room, operation::NORMAL, "hello, all"))
        .await;
    let by = bob.id.clone();
    let mut mids = Vec::new();
    for member in [&mut alice, &mut bob, &mut carol] {
        let (message, sync_id) = member.unconfirmed_message().await;
        assert_eq!(message.data_string.as_deref(), Some("hello, all"));
        assert_eq!((message.ms_type, message.to_tid), (message_kind::ROOM, None));
        assert_eq!(message.room_tid.unwrap().node, room);
        assert_eq!(message.from_tid.unwrap().node, by);
        member.confirm(sync_id.unwrap()).await;
        mids.push(message.mid.unwrap());
    }
    mids.dedup();
    assert_eq!(mids.len(), 1);
}

async fn no_member(stage: &Stage) {
    let (mut alice, bob, room) = room_of_two(stage, OPEN).await;
    let mut carol = stage.person(stage.far(), "carol").await;
    let message = said(&room, operation::NORMAL, "may I?");
    assert_eq!(carol.is_refused(Command::Message, &message).await, 4105);
    done(&mut alice, business::KICK_ROOM, &room, Some(&bob.id)).await;
    let mut bob = bob;
    assert_eq!(
        bob.is_refused(Command::Message, &message).await,
        4105,
        "it counts at once"
    );
}

async fn away_from_a_room(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    bob.ping().await;
    bob.leaves().await;
    let mut mids = Vec::new();
    for number in 0..12 {
        mids.push(says(&mut alice, &room, &number.to_string()).await);
    }
    let mut bob = stage.connect(stage.near()).await;
    bob.login(&stage.name("bob"), "secret").await;
    let waited: Vec<i64> = bob
        .offline()
        .await
        .iter()
        .filter(|message| message.ms_type == message_kind::ROOM)
        .filter_map(|message| message.mid)
        .collect();
    assert_eq!(waited, mids);
}

async fn taken_back(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    let mid = says(&mut bob, &room, "a word too much").await;
    assert_eq!(alice.message().await.mid, Some(mid));
    let revoke = TimMessage {
        mid: Some(mid),
        data_string: None,
        ..said(&room, operation::REVOKE, "")
    };
    assert_eq!(
        alice.is_refused(Command::RevokeMessage, &revoke).await,
        4105,
        "not her own"
    );
    bob.send_struct(Command::RevokeMessage, &revoke).await;
    let ack = bob.ack(Command::RevokeMessage).await;
    assert_eq!((ack.ok, ack.t, ack.t2), (true, Some(3), Some(mid)));
    assert_eq!(ack.n.as_deref(), Some(&*room));
    for member in [&mut alice, &mut bob] {
        let told = member.message().await;
        assert_eq!((told.od_type, told.mid), (operation::REVOKE, Some(mid)));
    }
}

async fn streamed(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    alice
        .send_struct(Command::Message, &said(&room, operation::STREAM, "now or never"))
        .await;
    let (message, sync_id) = bob.unconfirmed_message().await;
    assert_eq!(
        (message.od_type, message.mid, sync_id),
        (operation::STREAM, None, None)
    );
    assert_eq!(message.data_string.as_deref(), Some("now or never"));
}

async fn private_within(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    let carol = stage.register("carol").await;
    let to = |account: &str| TimMessage {
        room_tid: Some(Tid::of(room.as_str())),
        data_string: Some("between us".to_owned()),
        ..TimMessage::direct(account, operation::NORMAL)
    };
    alice.send_struct(Command::Message, &to(&bob.id)).await;
    let delivered = bob.message().await;
    assert_eq!(
        delivered.data_string.as_deref(),
        Some("between us"),
        "they are no friends"
    );
    assert_eq!(delivered.room_tid.unwrap().node, room);
    assert_eq!(alice.is_refused(Command::Message, &to(&carol)).await, 4105);
}

async fn history(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    let mut mids = Vec::new();
    for number in 0..4 {
        mids.push(says(&mut alice, &room, &number.to_string()).await);
    }
    mids.reverse();
    let pull = TimReq {
        rtype: Some(2),
        node: Some(room.clone()),
        req_int: Some(mids[1]),
        req_int2: Some(2),
        ..TimReq::default()
    };
    bob.send_struct(Command::PullMessages, &pull).await;
    let frame = bob.frame(Command::PullMessages).await;
    let list = TimMessageList::decode_payload(&frame.payload, stage.encoding).unwrap();
    let found: Vec<i64> = list
        .message_list
        .unwrap()
        .iter()
        .filter_map(|message| message.mid)
        .collect();
    assert_eq!(found, mids[1..3]);
    let mut carol = stage.person(stage.far(), "carol").await;
    assert_eq!(carol.is_refused(Command::PullMessages, &pull).await, 4105);
}

async fn nodes(person: &mut Person) -> TimNodes {
    let frame = person.frame(Command::Nodes).await;
    TimNodes::decode_payload(&frame.payload, person.encoding).unwrap()
}

async fn list(person: &mut Person, rtype: i32, room: &str) -> (i32, Vec<String>) {
    person.asks(rtype, room).await;
    let answer = nodes(person).await;
    let mut listed = answer.nodelist.unwrap();
    listed.sort();
    (answer.ntype, listed)
}

async fn own_rooms(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    for member in [&mut alice, &mut bob] {
        let listed = list(member, business::USER_ROOMS, "").await;
        assert_eq!(listed, (node_kind::USER_ROOMS, vec![room.clone()]));
    }
    let mut carol = stage.person(stage.far(), "carol").await;
    carol.asks(business::USER_ROOMS, "").await;
    carol.has_nothing_of(Command::Nodes).await;
}

async fn members(stage: &Stage) {
    let (alice, mut bob, room) = room_of_two(stage, OPEN).await;
    let mut expected = vec![alice.id.clone(), bob.id.clone()];
    expected.sort();
    let listed = list(&mut bob, business::ROOM_USERS, &room).await;
    assert_eq!(listed, (node_kind::ROOM_USERS, expected));
    let mut carol = stage.person(stage.far(), "carol").await;
    for (room, code) in [(room.as_str(), 4104), ("9Du8P7srDKT", 4106)] {
        carol.asks(business::ROOM_USERS, room).await;
        assert_eq!(refusal(&carol.ack(Command::Business).await), code, "{room}");
    }
}

async fn new_room(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let (one, other) = (create(&mut alice, OPEN).await, create(&mut alice, PRIVATE).await);
    assert_ne!(one, other);
    for (topic, kind) in [(None, Some(OPEN)), (Some("topic"), None)] {
        let request = TimReq {
            rtype: Some(business::NEW_ROOM),
            node: topic.map(str::to_owned),
            req_int: kind,
            ..TimReq::default()
        };
        assert_eq!(alice.is_refused(Command::Business, &request).await, 4104);
    }
}

async fn joining_an_open_room(stage: &Stage) {
    let mut alice = stage.person(stage.near(), "alice").await;
    let mut bob = stage.person(stage.far(), "bob").await;
    let room = create(&mut alice, OPEN).await;
    asks(&mut bob, business::ADD_ROOM, &room, None).await;
    let notice = bob.notice(business::PASS_ROOM).await;
    assert_eq!((notice.from_tid, notice.to_tid), (None, None));
    assert_eq!(notice.room_tid.unwrap().node, room);
    bob.has_nothing_of(Command::Ack).await;
    says(&mut bob, &room, "here I am").await;
}

async fn applying(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, PRIVATE).await;
    let mut carol = stage.person(stage.far(), "carol").await;
    asks(&mut carol, business::ADD_ROOM, &room, None).await;
    let application = alice.notice(business::ADD_ROOM).await;
    assert_eq!(application.from_node(), Some(&*carol.id));
    assert_eq!(application.data_string.as_deref(), Some("let me in"));
    assert_eq!(application.room_tid.unwrap().node, room);
    carol.has_nothing_of(Command::Ack).await;
    let early = said(&room, operation::NORMAL, "hello?");
    assert_eq!(carol.is_refused(Command::Message, &early).await, 4105, "not yet");
    bob.has_nothing_of(Command::Message).await;
    done(&mut alice, business::PULL_ROOM, &room, Some(&carol.id)).await;
    let passed = carol.notice(business::PASS_ROOM).await;
    assert_eq!(passed.room_tid.unwrap().node, room);
    says(&mut carol, &room, "thank you").await;
}

async fn not_joining(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    assert_eq!(refused(&mut bob, business::ADD_ROOM, &room, None).await, 4101);
    done(&mut alice, business::BLOCK_ROOM_MEMBER, &room, Some(&bob.id)).await;
    assert_eq!(refused(&mut bob, business::ADD_ROOM, &room, None).await, 4110);
    assert_eq!(
        refused(&mut bob, business::ADD_ROOM, "9Du8P7srDKT", None).await,
        4104
    );
    let wordless = TimReq {
        req_str: None,
        ..request(business::ADD_ROOM, &room, None)
    };
    assert_eq!(bob.is_refused(Command::Business, &wordless).await, 4104);
}

async fn refusing(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, PRIVATE).await;
    let mut carol = stage.person(stage.far(), "carol").await;
    let id = carol.id.clone();
    assert_eq!(
        refused(&mut alice, business::REFUSE_ROOM, &room, Some(&id)).await,
        4109,
        "no application"
    );
    asks(&mut carol, business::ADD_ROOM, &room, None).await;
    alice.notice(business::ADD_ROOM).await;
    assert_eq!(
        refused(&mut bob, business::REFUSE_ROOM, &room, Some(&id)).await,
        4105,
        "a member"
    );
    done(&mut alice, business::REFUSE_ROOM, &room, Some(&id)).await;
    assert_eq!(
        carol.notice(business::REFUSE_ROOM).await.room_tid.unwrap().node,
        room
    );
}

async fn pulling(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, PRIVATE).await;
    let mut carol = stage.person(stage.far(), "carol").await;
    let (bob_id, carol_id, alice_id) = (bob.id.clone(), carol.id.clone(), alice.id.clone());
    assert_eq!(
        refused(&mut bob, business::PULL_ROOM, &room, Some(&carol_id)).await,
        4105,
        "a member"
    );
    assert_eq!(
        refused(&mut alice, business::PULL_ROOM, &room, Some(&bob_id)).await,
        4101,
        "is in it"
    );
    assert_eq!(
        refused(&mut alice, business::PULL_ROOM, &room, Some(&alice_id)).await,
        4105,
        "herself"
    );
    assert_eq!(
        refused(&mut alice, business::PULL_ROOM, "9Du8P7srDKT", Some(&carol_id)).await,
        4109
    );
    done(&mut alice, business::PULL_ROOM, &room, Some(&carol_id)).await;
    let notice = carol.notice(business::PULL_ROOM).await;
    assert_eq!(notice.from_node(), Some(&*alice_id));
    // Into an open room anybody may pull.
    let open = create(&mut bob, OPEN).await;
    done(&mut bob, business::PULL_ROOM, &open, Some(&carol_id)).await;
    done(&mut carol, business::PULL_ROOM, &open, Some(&alice_id)).await;
}

async fn manage(founder: &mut Person, room: &str, managers: &[&str]) {
    let bean = TimRoomBean {
        managers: Some(managers.iter().map(|id| (*id).to_owned()).collect()),
        ..TimRoomBean::default()
    };
    let ack = change(founder, room, bean).await;
    assert_eq!((ack.ok, ack.t), (true, Some(7)), "{ack:?}");
}

async fn change(person: &mut Person, room: &str, bean: TimRoomBean) -> tim_wire::TimAck {
    let change = TimNodes {
        ntype: node_kind::MODIFY_ROOM,
        roommap: Some(BTreeMap::from([(room.to_owned(), bean)])),
        ..TimNodes::default()
    };
    person.send_struct(Command::Nodes, &change).await;
    person.ack(Command::Nodes).await
}

async fn kicking(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    let mut carol = stage.person(stage.far(), "carol").await;
    let (bob_id, carol_id, alice_id) = (bob.id.clone(), carol.id.clone(), alice.id.clone());
    done(&mut alice, business::PULL_ROOM, &room, Some(&carol_id)).await;
    assert_eq!(
        refused(&mut carol, business::KICK_ROOM, &room, Some(&bob_id)).await,
        4105,
        "a member"
    );
    manage(&mut alice, &room, &[&bob_id, &carol_id]).await;
    assert_eq!(
        refused(&mut bob, business::KICK_ROOM, &room, Some(&carol_id)).await,
        4105,
        "a manager"
    );
    assert_eq!(
        refused(&mut bob, business::KICK_ROOM, &room, Some(&bob_id)).await,
        4105,
        "himself"
    );
    manage(&mut alice, &room, &[&bob_id]).await;
    done(&mut bob, business::KICK_ROOM, &room, Some(&carol_id)).await;
    assert_eq!(
        carol.notice(business::KICK_ROOM).await.room_tid.unwrap().node,
        room
    );
    done(&mut alice, business::KICK_ROOM, &room, Some(&bob_id)).await;
    bob.notice(business::KICK_ROOM).await;
    assert_eq!(list(&mut alice, business::ROOM_USERS, &room).await.1, [alice_id]);
}

async fn blocking(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    done(&mut bob, business::BLOCK_ROOM, &room, None).await;
    bob.asks(business::USER_ROOMS, "").await;
    bob.has_nothing_of(Command::Nodes).await;
    let id = bob.id.clone();
    assert_eq!(
        refused(&mut alice, business::PULL_ROOM, &room, Some(&id)).await,
        4110
    );
}

async fn banning(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    let id = bob.id.clone();
    let alice_id = alice.id.clone();
    assert_eq!(
        refused(&mut bob, business::BLOCK_ROOM_MEMBER, &room, Some(&alice_id)).await,
        4105
    );
    bob.ping().await;
    done(&mut alice, business::BLOCK_ROOM_MEMBER, &room, Some(&id)).await;
    bob.has_nothing_of(Command::Message).await;
    let message = said(&room, operation::NORMAL, "still here");
    assert_eq!(bob.is_refused(Command::Message, &message).await, 4105);
    assert_eq!(refused(&mut bob, business::ADD_ROOM, &room, None).await, 4110);
}

async fn leaving(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    done(&mut bob, business::LEAVE_ROOM, &room, None).await;
    let message = said(&room, operation::NORMAL, "I am gone");
    assert_eq!(bob.is_refused(Command::Message, &message).await, 4105);
    assert_eq!(refused(&mut alice, business::LEAVE_ROOM, &room, None).await, 4105);
}

async fn cancelling(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    assert_eq!(
        refused(&mut bob, business::CANCEL_ROOM, &room, None).await,
        4105,
        "a member"
    );
    assert_eq!(
        refused(&mut alice, business::CANCEL_ROOM, &room, None).await,
        4105,
        "not alone"
    );
    done(&mut bob, business::LEAVE_ROOM, &room, None).await;
    done(&mut alice, business::CANCEL_ROOM, &room, None).await;
    assert_eq!(refused(&mut bob, business::ADD_ROOM, &room, None).await, 4108);
}

async fn lists_of_blocks(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    let id = bob.id.clone();
    done(&mut alice, business::BLOCK_ROOM_MEMBER, &room, Some(&id)).await;
    let banned = list(&mut alice, business::BLOCK_ROOM_MEMBER_LIST, &room).await;
    assert_eq!(banned, (node_kind::BANNED_MEMBERS, vec![id]));
    bob.asks(business::BLOCK_ROOM_MEMBER_LIST, &room).await;
    bob.has_nothing_of(Command::Nodes).await;
    let other = create(&mut alice, OPEN).await;
    bob.asks(business::BLOCK_ROOM_LIST, "").await;
    bob.has_nothing_of(Command::Nodes).await;
    done(&mut bob, business::BLOCK_ROOM, &other, None).await;
    let blocked = list(&mut bob, business::BLOCK_ROOM_LIST, "").await;
    assert_eq!(blocked, (node_kind::BLOCKED_ROOMS, vec![other]));
}

async fn data_of(person: &mut Person, rooms: &[&str]) -> BTreeMap<String, TimRoomBean> {
    let query = TimNodes {
        ntype: node_kind::ROOM_INFO,
        nodelist: Some(rooms.iter().map(|room| (*room).to_owned()).collect()),
        ..TimNodes::default()
    };
    person.send_struct(Command::Nodes, &query).await;
    let answer = nodes(person).await;
    assert_eq!((answer.ntype, answer.nodelist), (node_kind::ROOM_INFO, None));
    answer.roommap.unwrap_or_default()
}

async fn room_data(stage: &Stage) {
    let (alice, _bob, room) = room_of_two(stage, PRIVATE).await;
    let mut carol = stage.person(stage.far(), "carol").await;
    let found = data_of(&mut carol, &[&room, "9Du8P7srDKT"]).await;
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        [&room],
        "what does not exist is left out"
    );
    let bean = &found[&room];
    assert_eq!(
        (bean.founder.as_deref(), bean.topic.as_deref()),
        (Some(&*alice.id), Some("topic"))
    );
    assert_eq!(bean.gtype, Some(1));
    assert!(bean.create_time.is_some());
}

async fn changing_room_data(stage: &Stage) {
    let (mut alice, mut bob, room) = room_of_two(stage, OPEN).await;
    let id = bob.id.clone();
    let label = |text: &str| TimRoomBean {
        label: Some(text.to_owned()),
        founder: Some(id.clone()),
        gtype: Some(1),
        ..TimRoomBean::default()
    };
    assert_eq!(
        refusal(&change(&mut bob, &room, label("mine")).await),
        4105,
        "a member"
    );
    manage(&mut alice, &room, &[&id]).await;
    assert!(change(&mut bob, &room, label("ours")).await.ok);
    let managers = TimRoomBean {
        managers: Some(vec![]),
        ..TimRoomBean::default()
    };
    let before = data_of(&mut bob, &[&room]).await.remove(&room).unwrap();
    let _ = change(&mut bob, &room, managers).await;
    let bean = data_of(&mut bob, &[&room]).await.remove(&room).unwrap();
    assert_eq!(bean.managers, before.managers, "only the founder changes them");
    assert_eq!(
        (bean.label.as_deref(), bean.topic.as_deref()),
        (Some("ours"), Some("topic"))
    );
    assert_eq!(
        (bean.founder.as_deref(), bean.gtype),
        (Some(&*alice.id), Some(2)),
        "these stay"
    );
}
