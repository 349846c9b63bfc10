//! Splicing gives the same bytes as filling in and encoding.

use proptest::prelude::*;

use super::*;
use crate::structs::sample::Sample as _;

proptest! {
    #[test]
    fn a_split_message_is_delivered_as_it_was(seed in any::<u64>()) {
        let mut message = TimMessage::from_seed(seed);
        message.to_list = None;
        let (body, stamp) = MessageBody::split(message.clone());
        prop_assert_eq!(body.kind().unwrap(), (message.ms_type, message.od_type));
        let body = MessageBody::from_bytes(body.as_bytes().clone()).unwrap();
        for encoding in Encoding::ALL {
            prop_assert_eq!(body.payload(&stamp, encoding).unwrap(), message.encode_payload(encoding));
        }
        prop_assert_eq!(body.message(stamp).unwrap(), message);
    }

    #[test]
    fn a_list_is_delivered_as_its_messages_were(seeds in prop::collection::vec(any::<u64>(), 0..20), id: Option<i64>) {
        let messages: Vec<_> = seeds
            .into_iter()
            .map(|seed| TimMessage { to_list: None, ..TimMessage::from_seed(seed) })
            .collect();
        let parts: Vec<_> = messages.iter().cloned().map(MessageBody::split).collect();
        let whole = TimMessageList { id, message_list: Some(messages) };
        for encoding in Encoding::ALL {
            prop_assert_eq!(message_list_payload(id, &parts, encoding).unwrap(), whole.encode_payload(encoding));
        }
    }

    #[test]
    fn any_bytes_are_a_body_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(body) = MessageBody::from_bytes(bytes.into()) {
            prop_assert!(body.payload(&MessageStamp::default(), Encoding::Thrift).is_ok());
        }
    }
}

#[test]
fn a_list_of_targets_is_dropped() {
    let message = TimMessage {
        to_list: Some(vec!["victim".to_owned()]),
        ..TimMessage::direct("friend", 1)
    };
    let (body, stamp) = MessageBody::split(message);
    assert_eq!(body.message(stamp).unwrap().to_list, None);
}
