//! The tim wire protocol: frames, structs, both encodings, identifiers.
