//! What several targets do.

use bytes::Bytes;
use tim_wire::{
    Encoding, Tid, TimAck, TimAuth, TimError, TimMessage, TimMessageList, TimNodes, TimPresence, TimReq,
    TimRoomBean, TimStream, TimUserBean, WireStruct,
};

/// Reads a payload as one struct. What can be read must come back from both encodings.
fn read_and_compare<T: WireStruct + PartialEq>(payload: &Bytes, encoding: Encoding) {
    let Ok(value) = T::decode_payload(payload, encoding) else {
        return;
    };
    for encoding in Encoding::ALL {
        let again = T::decode_payload(&value.encode_payload(encoding), encoding);
        assert!(again.as_ref() == Ok(&value), "does not come back from {encoding:?}");
    }
}

/// Reads bytes as the struct that the first of them chooses.
pub fn read_any_struct(bytes: &[u8], encoding: Encoding) {
    let Some((choice, payload)) = bytes.split_first() else {
        return;
    };
    let payload = Bytes::copy_from_slice(payload);
    match choice % 12 {
        0 => read_and_compare::<TimAck>(&payload, encoding),
        1 => read_and_compare::<TimAuth>(&payload, encoding),
        2 => read_and_compare::<TimMessage>(&payload, encoding),
        3 => read_and_compare::<TimReq>(&payload, encoding),
        4 => read_and_compare::<TimNodes>(&payload, encoding),
        5 => read_and_compare::<TimPresence>(&payload, encoding),
        6 => read_and_compare::<TimStream>(&payload, encoding),
        7 => read_and_compare::<TimMessageList>(&payload, encoding),
        8 => read_and_compare::<TimUserBean>(&payload, encoding),
        9 => read_and_compare::<TimRoomBean>(&payload, encoding),
        10 => read_and_compare::<Tid>(&payload, encoding),
        _ => read_and_compare::<TimError>(&payload, encoding),
    }
}
