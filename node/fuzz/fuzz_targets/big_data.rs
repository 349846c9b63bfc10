//! Big-data frames in pieces: the first byte says how long the pieces are.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tim_wire::frame::{BigData, BigDataAssembler, BigDataPiece};

const LENGTH_MAX: usize = 1 << 12;

fuzz_target!(|bytes: &[u8]| {
    let Some((piece_length, message)) = bytes.split_first() else {
        return;
    };
    if let BigDataPiece::Complete(big_data) = BigData::parse(&Bytes::copy_from_slice(message), LENGTH_MAX) {
        let frame = big_data.client_frame();
        let whole = BigDataPiece::Complete(big_data);
        assert!(frame.len() > LENGTH_MAX || BigData::parse(&frame, LENGTH_MAX) == whole);
        assert!(frame.len() > LENGTH_MAX || joined(&frame, usize::from(*piece_length)) == Some(whole));
    }
    let mut assembler = BigDataAssembler::new(LENGTH_MAX);
    for piece in message.chunks(usize::from(*piece_length).max(1)) {
        let _ = assembler.push(Bytes::copy_from_slice(piece));
        assert!(assembler.collected_length() <= LENGTH_MAX);
    }
});

/// What a frame becomes that comes in pieces; the first one is long enough to mean something.
fn joined(frame: &Bytes, piece_length: usize) -> Option<BigDataPiece> {
    let mut assembler = BigDataAssembler::new(LENGTH_MAX);
    let first = frame.len().min(piece_length + 6);
    let mut piece = assembler.push(frame.slice(..first)).expect("nothing was begun");
    for next in frame[first..].chunks(piece_length + 1) {
        assert!(piece.is_none(), "not yet whole");
        piece = assembler.push(Bytes::copy_from_slice(next)).expect("it fits");
    }
    piece
}
