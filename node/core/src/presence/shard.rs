//! One shard as one owner has it.

/// What an owner is to a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Best by rendezvous: primary for accounts with writer bit 0.
    First,
    /// Second best: primary for accounts with writer bit 1.
    Second,
}

/// See the module.
#[derive(Debug)]
pub struct Shard {}
