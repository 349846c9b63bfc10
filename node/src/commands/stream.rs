//! Commands 94 and 97: pushes into virtual rooms. Not answered unless they are refused.

use super::{Refusal, virtual_room};
use crate::edge::Connection;
use crate::session::frames;
use crate::streams::FRAME_BYTES_MAX;
use tim_core::id::VirtualRoomId;
use tim_core::stream::Frame;
use tim_wire::frame::BigData;
use tim_wire::{Command, Encoding, ErrorCode, TimAck, TimStream};

/// What telemetry counts refused pushes under.
pub(crate) const PUSH_REFUSED: &str = "not_a_pusher";

/// A push as a struct.
pub(super) fn push_struct(connection: &mut Connection, stream: TimStream) {
    let frame = Frame {
        id: id(),
        dtype: stream.dtype,
        body: stream.body.unwrap_or_default(),
    };
    push(connection, &stream.v_node, "stream.VNode", frame);
}

/// A push as raw bytes.
pub(super) fn push_binary(connection: &mut Connection, big_data: BigData) {
    let frame = Frame {
        id: id(),
        dtype: None,
        body: big_data.data,
    };
    push(connection, &big_data.node, "frame.target", frame);
}

fn id() -> i64 {
    i64::try_from(crate::random::number() >> 1).unwrap_or(1)
}

fn push(connection: &mut Connection, node: &str, field: &str, frame: Frame) {
    let room = virtual_room::room(connection, Some(node), field);
    let length = frame.body.len();
    let checked = room.and_then(|room| match length {
        ..=FRAME_BYTES_MAX => Ok(room),
        _ => {
            let detail = format!("stream.body: {length} bytes; at most {FRAME_BYTES_MAX}");
            Err(Refusal::field(ErrorCode::Parameters, detail))
        }
    });
    let room = match checked {
        Ok(room) => room,
        Err(refusal) => return refuse(connection, node, refusal),
    };
    let Some(live) = &connection.live else { return };
    let node = &connection.node;
    node.metrics.frames_pushed.add(1, &[]);
    if !node.streams.push(live.id, live.account.clone(), room, frame) {
        node.metrics.frames_dropped.add(1, &[]);
    }
}

fn refuse(connection: &mut Connection, node: &str, refusal: Refusal) {
    connection.node.metrics.rejected_with(refusal.error_type);
    let answer = TimAck {
        n: Some(node.to_owned()),
        ..refusal.ack(Command::Stream.tim_type())
    };
    let encoding = connection.encoding(Encoding::Thrift);
    connection.out.push(frames::ack(&answer, encoding));
}

/// The answer to a push without the right to it, or into a room that is gone.
pub(crate) fn push_refused(room: &VirtualRoomId) -> TimAck {
    TimAck {
        n: Some(room.as_str().to_owned()),
        ..Refusal::plain(ErrorCode::PermissionDenied, PUSH_REFUSED).ack(Command::Stream.tim_type())
    }
}
