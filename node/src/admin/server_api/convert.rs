//! Messages and presence of the server API, as clients have them and back.

use tim_wire::server_api::{AdmMessage, AdmPresence};
use tim_wire::{Tid, TimMessage, TimPresence};

fn tid(node: Option<String>) -> Option<Tid> {
    node.filter(|node| !node.is_empty()).map(Tid::of)
}

/// As a client would send it; who sent it is said by whoever takes it.
pub(super) fn message(given: AdmMessage) -> TimMessage {
    TimMessage {
        ms_type: given.ms_type,
        od_type: given.od_type,
        id: given.id,
        mid: given.mid,
        bn_type: given.bn_type,
        to_tid: tid(given.to_node),
        room_tid: tid(given.room_node),
        data_binary: given.data_binary,
        data_string: given.data_string,
        udtype: given.udtype,
        udshow: given.udshow,
        extend: given.extend,
        extra: given.extra,
        ..TimMessage::default()
    }
}

/// As it stands in a history.
pub(super) fn listed(message: TimMessage) -> AdmMessage {
    let domain = message.from_tid.as_ref().and_then(|tid| tid.domain.clone());
    let node = |tid: Option<Tid>| tid.map(|tid| tid.node);
    AdmMessage {
        ms_type: message.ms_type,
        od_type: message.od_type,
        id: message.id,
        mid: message.mid,
        bn_type: message.bn_type,
        from_node: node(message.from_tid),
        to_node: node(message.to_tid),
        domain,
        room_node: node(message.room_tid),
        data_binary: message.data_binary,
        data_string: message.data_string,
        udtype: message.udtype,
        udshow: message.udshow,
        extend: message.extend,
        extra: message.extra,
    }
}

/// As others are told of it.
pub(super) fn presence(given: AdmPresence) -> TimPresence {
    TimPresence {
        id: given.id,
        offline: given.offline,
        sub_status: given.sub_status,
        from_tid: tid(given.from_node),
        to_tid: None,
        to_list: None,
        show: given.show,
        status: given.status,
        extend: given.extend,
        extra: given.extra,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_what_was_sent() {
        let sent = AdmMessage {
            ms_type: 3,
            od_type: 1,
            room_node: Some("room".to_owned()),
            data_string: Some("hello".to_owned()),
            ..AdmMessage::default()
        };
        assert_eq!(listed(message(sent.clone())), sent);
        // Empty texts are how some languages write what is not there.
        let empty = AdmMessage {
            to_node: Some(String::new()),
            ..AdmMessage::default()
        };
        assert_eq!(message(empty).to_tid, None);
    }
}
