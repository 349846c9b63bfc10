//! JSON payloads of every struct. The first byte chooses the struct.
#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use tim_wire::Encoding;

fuzz_target!(|bytes: &[u8]| shared::read_any_struct(bytes, Encoding::Json));
