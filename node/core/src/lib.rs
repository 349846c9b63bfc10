//! The protocols of the node as pure state machines: placement, homes, sessions, presence.
