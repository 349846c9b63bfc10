//! Class N: nodes and the trust between them.

use crate::{Cause, Severity};

/// A port that the node shall listen on is taken.
pub static ADDRESS_IN_USE: Cause = Cause {
    code: "TIM-N101",
    name: "address_in_use",
    reason: "AddressInUse",
    what: "A port that the node shall listen on is taken.",
    why: "Another process listens on it.",
    meaning: "The node does not start; nothing is lost.",
    remedy: "end the other process, or choose another port in listeners",
    severity: Severity::Retried,
};

/// A node was refused because it proved another cluster secret.
pub static WRONG_CLUSTER_SECRET: Cause = Cause {
    code: "TIM-N102",
    name: "wrong_cluster_secret",
    reason: "WrongClusterSecret",
    what: "A node was refused because it proved another cluster secret.",
    why: "Its key ring is older or of another cluster.",
    meaning: "It serves nobody until this is right; the others go on.",
    remedy: "give the node the key ring of this cluster",
    severity: Severity::Stays,
};

/// A process of another cluster tried to connect.
pub static WRONG_CLUSTER: Cause = Cause {
    code: "TIM-N103",
    name: "wrong_cluster",
    reason: "WrongCluster",
    what: "A process of another cluster tried to connect.",
    why: "Its certificate or clusterId names another cluster.",
    meaning: "It learns nothing and changes nothing.",
    remedy: "check addresses and clusterId of both clusters",
    severity: Severity::Stays,
};

/// A node does not answer.
pub static NODE_UNREACHABLE: Cause = Cause {
    code: "TIM-N104",
    name: "node_unreachable",
    reason: "NodeUnreachable",
    what: "A node does not answer.",
    why: "It is stopped, overloaded, or cut off.",
    meaning: "Chat goes on over the others; its users reconnect.",
    remedy: "look at the log of the node that the message names",
    severity: Severity::Retried,
};

/// Two nodes have no protocol version in common.
pub static UNSUPPORTED_VERSION: Cause = Cause {
    code: "TIM-N105",
    name: "unsupported_peer_version",
    reason: "UnsupportedPeerVersion",
    what: "Two nodes have no protocol version in common.",
    why: "More than one minor version lies between them.",
    meaning: "They do not connect; each goes on alone with the rest.",
    remedy: "upgrade by one minor version at a time",
    severity: Severity::Stays,
};

/// A peer certificate has ended.
pub static CERTIFICATE_EXPIRED: Cause = Cause {
    code: "TIM-N108",
    name: "certificate_expired",
    reason: "CertificateExpired",
    what: "A peer certificate has ended.",
    why: "Its renewal failed, or the clock is wrong.",
    meaning: "Links that stand stay; new ones fail.",
    remedy: "see why the renewal failed, and check the clock",
    severity: Severity::Stays,
};

/// A certificate or key cannot be used.
pub static CERTIFICATE_UNREADABLE: Cause = Cause {
    code: "TIM-N109",
    name: "certificate_unreadable",
    reason: "CertificateUnreadable",
    what: "A certificate or key cannot be used.",
    why: "The file is missing, damaged, or key and certificate do not belong together.",
    meaning: "The last good pair stays in use; a node without one does not start.",
    remedy: "restore the Secret with the node certificates",
    severity: Severity::Retried,
};

/// The clock of a node jumped.
pub static CLOCK_JUMP: Cause = Cause {
    code: "TIM-N110",
    name: "clock_jump",
    reason: "ClockJump",
    what: "The clock of a node jumped.",
    why: "It was set, or the machine was suspended.",
    meaning: "Times in a conversation never decrease; nothing is lost.",
    remedy: "keep clocks in step (NTP)",
    severity: Severity::Retried,
};

/// The control group has no leader.
pub static NO_LEADER: Cause = Cause {
    code: "TIM-N111",
    name: "no_control_leader",
    reason: "NoControlLeader",
    what: "The control group has no leader.",
    why: "Fewer than half of its voters answer.",
    meaning: "Chat goes on; changes of the partition map wait.",
    remedy: "bring the missing nodes back",
    severity: Severity::Retried,
};

/// A node is being drained.
pub static DRAINING: Cause = Cause {
    code: "TIM-N112",
    name: "node_draining",
    reason: "NodeDraining",
    what: "A node is being drained.",
    why: "It was asked to leave.",
    meaning: "Its users are handed to other nodes.",
    remedy: "nothing: it ends by itself",
    severity: Severity::Retried,
};

/// A node has reached one of its limits.
pub static OVERLOADED: Cause = Cause {
    code: "TIM-N113",
    name: "node_overloaded",
    reason: "NodeOverloaded",
    what: "A node has reached one of its limits.",
    why: "A queue, or the number of connections, is full.",
    meaning: "New work is refused with a reason, none that was accepted is lost.",
    remedy: "add replicas, or raise the limit that the message names",
    severity: Severity::Retried,
};

/// The cluster's key ring cannot be used.
pub static KEY_RING_UNREADABLE: Cause = Cause {
    code: "TIM-N114",
    name: "key_ring_unreadable",
    reason: "KeyRingUnreadable",
    what: "The cluster's key ring cannot be used.",
    why: "The file is missing or damaged, or its primary names no key.",
    meaning: "The last good ring stays in use; a node without one does not start.",
    remedy: "restore the Secret with the cluster's key ring",
    severity: Severity::Retried,
};

/// A node was stopped, or cut off, for longer than the others wait.
pub static DECLARED_DEAD: Cause = Cause {
    code: "TIM-N115",
    name: "declared_dead",
    reason: "DeclaredDead",
    what: "A node was stopped, or cut off, for longer than the others wait.",
    why: "The process or the machine was suspended or starved, or the network failed.",
    meaning: "It gave up what it held and joined anew; its users reconnect, nothing is lost.",
    remedy: "see that the node gets processor time and reaches the others",
    severity: Severity::Retried,
};

/// The control group's log on a node's volume cannot be used.
pub static CONTROL_LOG: Cause = Cause {
    code: "TIM-N116",
    name: "control_log_unusable",
    reason: "ControlLogUnusable",
    what: "The control group's log on a node's volume cannot be used.",
    why: "The disk is full or fails, the file is damaged, or another process has it open.",
    meaning: "Chat goes on; this node takes no part in changes of the map until it is started anew.",
    remedy: "make room on the node's volume and restart the node",
    severity: Severity::Stays,
};

/// An address that the node shall listen on cannot be used.
pub static ADDRESS_NOT_USABLE: Cause = Cause {
    code: "TIM-N120",
    name: "address_not_usable",
    reason: "AddressNotUsable",
    what: "An address that the node shall listen on cannot be used.",
    why: "It is not an address of this machine, or the port needs more rights.",
    meaning: "The node does not start; nothing is lost. It will not change by itself.",
    remedy: "correct the address in listeners",
    severity: Severity::Stays,
};

/// A node has not finished its start.
pub static STARTING: Cause = Cause {
    code: "TIM-N121",
    name: "node_starting",
    reason: "NodeStarting",
    what: "A node has not finished its start.",
    why: "It opens its databases, reads the partition map and finds the other nodes.",
    meaning: "It takes no clients yet; the others go on.",
    remedy: "nothing: it ends by itself; other causes beside this one say what it waits for",
    severity: Severity::Retried,
};

/// Events are not accepted by the address that is told of them.
pub static WEBHOOK_FAILS: Cause = Cause {
    code: "TIM-N122",
    name: "webhook_fails",
    reason: "WebhookFails",
    what: "The address that is told of events does not accept them.",
    why: "It does not answer, answers with an error, or the secret cannot be read.",
    meaning: "Events wait in the databases and are sent again; beyond webhooks.waiting_max the oldest are given up. Chat goes on.",
    remedy: "look at the receiver's log; check webhooks.url and webhooks.secret_file",
    severity: Severity::Retried,
};

/// The keys of the user system whose tokens let clients in cannot be read.
pub static ISSUER_KEYS_UNREADABLE: Cause = Cause {
    code: "TIM-N123",
    name: "issuer_keys_unreadable",
    reason: "IssuerKeysUnreadable",
    what: "The keys of the issuer of tokens cannot be read.",
    why: "Its address does not answer, or the file is missing or holds no set of keys.",
    meaning: "Keys that were read before serve until accounts.jwt.keys_max_age_seconds; then nobody logs in with such tokens.",
    remedy: "check accounts.jwt.jwks_url, .jwks_file or .secret_file from this node",
    severity: Severity::Retried,
};

/// The address that is asked about logins does not answer.
pub static LOGIN_CALLBACK_FAILS: Cause = Cause {
    code: "TIM-N124",
    name: "login_callback_fails",
    reason: "LoginCallbackFails",
    what: "The address that is asked about logins does not answer.",
    why: "It is down or slow, or answers with an error.",
    meaning: "Nobody logs in at this node; sessions that have begun go on.",
    remedy: "look at the log of accounts.callback.url",
    severity: Severity::Retried,
};

/// The database of users does not answer, or its answers are of no use.
pub static USER_DATABASE_FAILS: Cause = Cause {
    code: "TIM-N125",
    name: "user_database_fails",
    reason: "UserDatabaseFails",
    what: "The database of users does not answer, or its answers are of no use.",
    why: "It is down or slow, its DSN is wrong, or a statement of accounts.database does not fit its tables.",
    meaning: "Nobody logs in at this node, and what its users may do is not found out; sessions that have begun go on.",
    remedy: "run the statements of accounts.database against it, with the user of its DSN",
    severity: Severity::Retried,
};

/// Every cause of this class, by number.
pub(crate) static ALL: &[&Cause] = &[
    &ADDRESS_IN_USE,
    &WRONG_CLUSTER_SECRET,
    &WRONG_CLUSTER,
    &NODE_UNREACHABLE,
    &UNSUPPORTED_VERSION,
    &CERTIFICATE_EXPIRED,
    &CERTIFICATE_UNREADABLE,
    &CLOCK_JUMP,
    &NO_LEADER,
    &DRAINING,
    &OVERLOADED,
    &KEY_RING_UNREADABLE,
    &DECLARED_DEAD,
    &CONTROL_LOG,
    &ADDRESS_NOT_USABLE,
    &STARTING,
    &WEBHOOK_FAILS,
    &ISSUER_KEYS_UNREADABLE,
    &LOGIN_CALLBACK_FAILS,
    &USER_DATABASE_FAILS,
];
