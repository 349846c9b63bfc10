//! Virtual rooms and big data, as raw clients use them.

use super::raw::Raw;
use super::{Cluster, PATIENCE};
use bytes::Bytes;
use std::time::Instant;
use tim_core::id::{Generation, NodeName, VirtualRoomId};
use tim_core::placement;
use tim_core::view::{NodeInfo, View};
use tim_wire::frame::BigData;
use tim_wire::structs::virtual_room;
use tim_wire::{Command, TimAck, TimReq, TimStream, WireStruct};

/// One piece of a stream, however it came.
#[derive(Debug, PartialEq, Eq)]
pub struct Heard {
    pub room: String,
    pub body: Vec<u8>,
    /// Of the struct form: type and sender.
    pub of_struct: Option<(Option<i8>, String)>,
}

impl Raw {
    pub async fn room_request(&mut self, rtype: i32, room: &str, other: Option<&str>) -> TimAck {
        let request = TimReq {
            rtype: Some(rtype),
            node: Some(room.to_owned()),
            node2: other.map(str::to_owned),
            ..TimReq::default()
        };
        self.ask_room(&request).await
    }

    pub async fn ask_room(&mut self, request: &TimReq) -> TimAck {
        self.send_struct(Command::VirtualRoom, request).await;
        self.ack(Command::VirtualRoom).await
    }

    /// As [`Self::room_request`], and it has to succeed.
    pub async fn done(&mut self, rtype: i32, room: &str, other: Option<&str>) {
        let ack = self.room_request(rtype, room, other).await;
        assert!(ack.ok && ack.t == Some(i64::from(rtype)), "{ack:?}");
        assert_eq!(ack.n.as_deref(), Some(other.unwrap_or(room)));
    }

    pub async fn create_room(&mut self) -> String {
        let request = TimReq {
            rtype: Some(virtual_room::CREATE),
            ..TimReq::default()
        };
        let ack = self.ask_room(&request).await;
        assert!(ack.ok && ack.t == Some(1), "{ack:?}");
        ack.n.unwrap()
    }

    pub async fn subscribe(&mut self, room: &str, binary: bool) -> TimAck {
        let request = TimReq {
            rtype: Some(virtual_room::SUBSCRIBE),
            node: Some(room.to_owned()),
            req_int: binary.then_some(1),
            ..TimReq::default()
        };
        self.ask_room(&request).await
    }

    /// Pushes as a struct.
    pub async fn push(&mut self, room: &str, data: &[u8]) {
        let stream = TimStream {
            v_node: room.to_owned(),
            dtype: Some(7),
            body: Some(Bytes::copy_from_slice(data)),
            ..TimStream::default()
        };
        self.send_struct(Command::Stream, &stream).await;
    }

    /// Sends a raw frame in the form with a length.
    pub async fn send_big(&mut self, command: Command, target: &str, data: &[u8]) {
        self.send(big_frame(command, target, data)).await;
    }

    /// The next piece of a stream.
    pub async fn stream(&mut self) -> Heard {
        let frame = self
            .frame_where(|frame| matches!(frame.command(), Some(Command::Stream | Command::BigBinaryStream)))
            .await;
        assert_eq!(frame.sync_id, None);
        if frame.command() == Some(Command::BigBinaryStream) {
            let big = BigData::parse_from_server(Command::BigBinaryStream, &frame.payload).unwrap();
            return Heard {
                room: big.node,
                body: big.data.to_vec(),
                of_struct: None,
            };
        }
        let stream = TimStream::decode_payload(&frame.payload, self.encoding).unwrap();
        assert_ne!(stream.id, 0);
        Heard {
            room: stream.v_node,
            body: stream.body.unwrap().to_vec(),
            of_struct: Some((stream.dtype, stream.from_node)),
        }
    }

    /// The next big data to this account: its sender and data.
    pub async fn big(&mut self, command: Command) -> (String, Vec<u8>) {
        let frame = self.frame(command).await;
        let big = BigData::parse_from_server(command, &frame.payload).unwrap();
        (big.node, big.data.to_vec())
    }

    /// The code of the next refusal of a command, and its text.
    pub async fn refusal(&mut self, command: Command) -> (i32, String) {
        let ack = self.ack(command).await;
        assert!(!ack.ok, "{ack:?}");
        let error = ack.error.unwrap();
        (error.code.unwrap(), error.info.unwrap())
    }
}

/// A raw frame in the form with a length.
pub fn big_frame(command: Command, target: &str, data: &[u8]) -> Bytes {
    let big_data = BigData {
        command,
        node: target.to_owned(),
        data: Bytes::copy_from_slice(data),
    };
    big_data.client_frame()
}

/// The relay of a room and its backup, as places in the cluster.
pub fn owners(cluster: &Cluster, room: &str) -> Vec<usize> {
    let info = |name: &str| NodeInfo {
        name: NodeName::new(name).unwrap(),
        zone: String::new(),
        boot_generation: Generation(1),
    };
    let view = View::new(cluster.nodes.iter().map(|node| info(&node.name)).collect());
    let owners = placement::virtual_room_owners(&VirtualRoomId::new(room).unwrap(), &view);
    let place = |name: &NodeName| {
        let found = cluster.nodes.iter().position(|node| node.name == name.as_str());
        found.unwrap()
    };
    owners.iter().map(place).collect()
}

/// Makes rooms until one lies as wanted.
pub async fn room_with_relay(cluster: &Cluster, owner: &mut Raw, relay: usize) -> String {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let room = owner.create_room().await;
        if owners(cluster, &room)[0] == relay {
            return room;
        }
    }
    panic!("no room has its relay there");
}
