//! People in rooms, for the tests that have them talk there.

use super::Cluster;
use super::raw::Raw;
use std::collections::BTreeMap;
use tim_wire::structs::{business, message_kind, node_kind, operation};
use tim_wire::{
    Command, Encoding, ServerFrame, Tid, TimAck, TimMessage, TimNodes, TimReq, TimRoomBean, WireStruct,
};

pub const PRIVATE: i64 = 1;
pub const OPEN: i64 = 2;

/// Accounts of a cluster and their sessions, spread over its nodes.
pub struct People {
    pub cluster: Cluster,
    pub ids: BTreeMap<&'static str, String>,
    pub sessions: BTreeMap<&'static str, Raw>,
}

impl People {
    pub async fn online(nodes: usize, names: &[&'static str]) -> Self {
        Self::online_at(Cluster::start(nodes, &["d0", "d1"]).await, names).await
    }

    pub async fn online_at(cluster: Cluster, names: &[&'static str]) -> Self {
        let mut people = Self {
            cluster,
            ids: BTreeMap::new(),
            sessions: BTreeMap::new(),
        };
        for name in names {
            let id = people.cluster.register(0, name).await;
            people.ids.insert(name, id);
            people.log_in(name).await;
        }
        people
    }

    /// The first account on the first node, the next on the next; every second one speaks JSON.
    pub async fn log_in(&mut self, name: &'static str) -> Vec<TimMessage> {
        let place = self.ids.keys().position(|known| *known == name).unwrap();
        let node = place % self.cluster.nodes.len();
        let mut session = Raw::connect(self.cluster.nodes[node].client_port).await;
        if place % 2 == 1 {
            session.encoding = Encoding::Json;
        }
        session.login(name, "secret").await;
        let missed = session.offline().await;
        self.sessions.insert(name, session);
        missed
    }

    pub async fn log_out(&mut self, name: &str) {
        self.sessions.remove(name).unwrap().close().await;
    }

    pub fn id(&self, name: &str) -> String {
        self.ids[name].clone()
    }

    pub fn at(&mut self, name: &str) -> &mut Raw {
        self.sessions.get_mut(name).unwrap()
    }

    pub async fn room(&mut self, founder: &str, kind: i64) -> String {
        let request = TimReq {
            rtype: Some(business::NEW_ROOM),
            node: Some("the topic".to_owned()),
            req_int: Some(kind),
            ..TimReq::default()
        };
        let founder = self.at(founder);
        founder.send_struct(Command::Business, &request).await;
        let ack = founder.ack(Command::Business).await;
        assert!(ack.ok, "{ack:?}");
        assert_eq!(ack.t, Some(i64::from(business::NEW_ROOM)));
        ack.n.unwrap()
    }

    pub async fn ask(&mut self, who: &str, rtype: i32, room: &str, other: Option<&str>) {
        let other = other.map(|name| self.ids.get(name).cloned().unwrap_or_else(|| name.to_owned()));
        let request = TimReq {
            rtype: Some(rtype),
            node: Some(room.to_owned()),
            node2: other,
            req_str: Some("please".to_owned()),
            ..TimReq::default()
        };
        self.at(who).send_struct(Command::Business, &request).await;
    }

    /// An operation that is answered as done.
    pub async fn done(&mut self, who: &str, rtype: i32, room: &str, other: Option<&str>) {
        self.ask(who, rtype, room, other).await;
        let other = other.map(|name| self.id(name));
        let ack = self.at(who).ack(Command::Business).await;
        assert!(ack.ok, "{who} {rtype}: {ack:?}");
        assert_eq!(
            (ack.t, ack.n.as_deref(), ack.n2),
            (Some(i64::from(rtype)), Some(room), other)
        );
    }

    pub async fn join(&mut self, who: &str, room: &str) {
        self.ask(who, business::ADD_ROOM, room, None).await;
        self.at(who).notice(business::PASS_ROOM).await;
    }

    pub async fn say(&mut self, who: &str, room: &str, text: &str) {
        let message = to_room(room, operation::NORMAL, text);
        self.at(who).send_struct(Command::Message, &message).await;
    }

    /// The next message of a room, confirmed.
    pub async fn hears(&mut self, who: &str) -> TimMessage {
        let message = self.at(who).message().await;
        assert_eq!(message.ms_type, message_kind::ROOM, "{who}: {message:?}");
        message
    }

    pub async fn all_hear(&mut self, names: &[&str], text: &str) -> i64 {
        let mut mids = Vec::new();
        for name in names {
            let heard = self.hears(name).await;
            assert_eq!(heard.data_string.as_deref(), Some(text), "{name}");
            mids.push(heard.mid.unwrap());
        }
        assert!(mids.windows(2).all(|pair| pair[0] == pair[1]), "{mids:?}");
        mids[0]
    }

    /// The answer to a list, if there is one: an empty one is answered by nothing, which the ping behind it shows.
    pub async fn list(&mut self, who: &str, rtype: i32, room: Option<&str>) -> Option<TimNodes> {
        let request = TimReq {
            rtype: Some(rtype),
            node: room.map(str::to_owned),
            ..TimReq::default()
        };
        let client = self.at(who);
        client.send_struct(Command::Business, &request).await;
        nothing_or_nodes(client).await
    }

    pub async fn info(&mut self, who: &str, room: &str) -> Option<TimRoomBean> {
        let query = TimNodes {
            ntype: node_kind::ROOM_INFO,
            nodelist: Some(vec![room.to_owned()]),
            ..TimNodes::default()
        };
        let client = self.at(who);
        client.send_struct(Command::Nodes, &query).await;
        let found = nothing_or_nodes(client).await.unwrap();
        assert_eq!(found.ntype, node_kind::ROOM_INFO);
        found.roommap.unwrap_or_default().remove(room)
    }

    pub async fn modify(&mut self, who: &str, room: &str, bean: TimRoomBean) -> TimAck {
        let change = TimNodes {
            ntype: node_kind::MODIFY_ROOM,
            roommap: Some(BTreeMap::from([(room.to_owned(), bean)])),
            ..TimNodes::default()
        };
        let client = self.at(who);
        client.send_struct(Command::Nodes, &change).await;
        client.ack(Command::Nodes).await
    }

    /// Nothing comes but the answer to a ping.
    pub async fn hears_nothing(&mut self, who: &str) {
        let client = self.at(who);
        let ping = tim_wire::frame::empty_client_frame(Command::Ping, client.encoding);
        client.send(ping).await;
        let next = client.frame_where(|_| true).await;
        assert_eq!(next.command(), Some(Command::Ping), "{who}: {next:?}");
    }
}

async fn nothing_or_nodes(client: &mut Raw) -> Option<TimNodes> {
    client
        .send(tim_wire::frame::empty_client_frame(
            Command::Ping,
            client.encoding,
        ))
        .await;
    let answered = |frame: &ServerFrame| matches!(frame.command(), Some(Command::Nodes | Command::Ping));
    let frame = client.frame_where(answered).await;
    if frame.command() == Some(Command::Ping) {
        return None;
    }
    client.frame(Command::Ping).await;
    Some(TimNodes::decode_payload(&frame.payload, client.encoding).unwrap())
}

pub fn to_room(room: &str, od_type: i8, text: &str) -> TimMessage {
    TimMessage {
        ms_type: message_kind::ROOM,
        od_type,
        room_tid: Some(Tid::of(room)),
        data_string: Some(text.to_owned()),
        ..TimMessage::default()
    }
}
