//! Membership, trust and agreement: gossip, peer links, control group.
