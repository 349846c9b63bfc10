//! A client of the tim protocol: both encodings, reconnect, typed errors.
