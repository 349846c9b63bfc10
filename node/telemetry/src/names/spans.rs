//! Spans.

use super::attributes::*;
use super::{SpanName, Stability};

/// `tim.frame message`
pub static FRAME_MESSAGE: SpanName = SpanName {
    name: "tim.frame message",
    kind: "SERVER",
    description: "a message from the sender's frame to the acknowledgement; root of its trace",
    attributes: &[
        &NETWORK_PROTOCOL_NAME,
        &FRAME_TYPE,
        &MESSAGING_SYSTEM,
        &MESSAGING_DESTINATION_TEMPLATE,
        &MESSAGING_BODY_SIZE,
        &ERROR_TYPE,
    ],
    stability: Stability::Development,
};

/// `tim.home append`
pub static HOME_APPEND: SpanName = SpanName {
    name: "tim.home append",
    kind: "INTERNAL",
    description: "from the session's node to the home and back; child of the frame",
    attributes: &[&HOME_REMOTE, &MESSAGE_SEQ, &ERROR_TYPE],
    stability: Stability::Development,
};

/// `tim.home commit`
pub static HOME_COMMIT: SpanName = SpanName {
    name: "tim.home commit",
    kind: "INTERNAL",
    description: "one group commit; linked from and to all messages in it",
    attributes: &[
        &MESSAGING_BATCH_MESSAGE_COUNT,
        &PARTITION_EPOCH,
        &DATABASE_NAME,
        &ERROR_TYPE,
    ],
    stability: Stability::Development,
};

/// `INSERT tim_message`
pub static INSERT_MESSAGE: SpanName = SpanName {
    name: "INSERT tim_message",
    kind: "CLIENT",
    description: "the transaction of a group commit at the database; child of the commit",
    attributes: &[
        &DB_SYSTEM_NAME,
        &DB_OPERATION_BATCH_SIZE,
        &DB_QUERY_SUMMARY,
        &ERROR_TYPE,
    ],
    stability: Stability::Development,
};

/// `tim.presence lookup`
pub static PRESENCE_LOOKUP: SpanName = SpanName {
    name: "tim.presence lookup",
    kind: "INTERNAL",
    description: "where the recipients' sessions are; child of the append",
    attributes: &[&PRESENCE_SHARD_COUNT, &PRESENCE_FOUND],
    stability: Stability::Development,
};

/// `tim.deliver`
pub static DELIVER: SpanName = SpanName {
    name: "tim.deliver",
    kind: "INTERNAL",
    description: "at the receiver's node, from arrival to its confirmation or time-out; context carried in the peer call",
    attributes: &[&DELIVER_OUTCOME],
    stability: Stability::Development,
};

/// `tim.repartition`
pub static REPARTITION: SpanName = SpanName {
    name: "tim.repartition",
    kind: "INTERNAL",
    description: "a repartition as a whole",
    attributes: &[
        &REPARTITION_ID,
        &SLOT_FROM,
        &SLOT_TO,
        &DATABASE_SOURCE,
        &DATABASE_TARGET,
    ],
    stability: Stability::Development,
};

/// `tim.repartition step`
pub static REPARTITION_STEP: SpanName = SpanName {
    name: "tim.repartition step",
    kind: "INTERNAL",
    description: "one step of a repartition at a database; a trace of its own",
    attributes: &[&REPARTITION_ID, &REPARTITION_PHASE, &ERROR_TYPE],
    stability: Stability::Development,
};

/// `tim.reconcile TimCluster`
pub static RECONCILE: SpanName = SpanName {
    name: "tim.reconcile TimCluster",
    kind: "INTERNAL",
    description: "one reconcile of the operator; root",
    attributes: &[
        &K8S_NAMESPACE_NAME,
        &CLUSTER_NAME,
        &RECONCILE_OUTCOME,
        &RECONCILE_ACTION_COUNT,
        &ERROR_TYPE,
    ],
    stability: Stability::Development,
};

/// `tim.password lookup`
pub static PASSWORD_LOOKUP: SpanName = SpanName {
    name: "tim.password lookup",
    kind: "INTERNAL",
    description: "whether other nodes remember a password that this one does not; `hash` where none does; root",
    attributes: &[&PASSWORD_SOURCE],
    stability: Stability::Development,
};

/// `tim.room align`
pub static ROOM_ALIGN: SpanName = SpanName {
    name: "tim.room align",
    kind: "INTERNAL",
    description: "a room is given the members that a database of the operator's says; root",
    attributes: &[
        &ROOM_MEMBERS_WANTED,
        &ROOM_MEMBERS_ADMITTED,
        &ROOM_MEMBERS_DISMISSED,
        &ERROR_TYPE,
    ],
    stability: Stability::Development,
};

/// `tim.admin call`
pub static ADMIN_CALL: SpanName = SpanName {
    name: "tim.admin call",
    kind: "SERVER",
    description: "an administrator's call by any of the interfaces, until its work is done; root",
    attributes: &[&ADMIN_INTERFACE, &ADMIN_OPERATION, &ADMIN_OUTCOME, &ERROR_TYPE],
    stability: Stability::Development,
};

/// All spans.
pub static SPANS: &[&SpanName] = &[
    &FRAME_MESSAGE,
    &HOME_APPEND,
    &HOME_COMMIT,
    &INSERT_MESSAGE,
    &PRESENCE_LOOKUP,
    &DELIVER,
    &REPARTITION,
    &REPARTITION_STEP,
    &RECONCILE,
    &PASSWORD_LOOKUP,
    &ROOM_ALIGN,
    &ADMIN_CALL,
];
