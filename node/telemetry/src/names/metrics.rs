//! Metrics.

use super::attributes::*;
use super::{Metric, MetricKind, Stability};

/// `tim.session.count`
pub static SESSION_COUNT: Metric = Metric {
    name: "tim.session.count",
    unit: "{session}",
    kind: MetricKind::Gauge,
    description: "sessions that are logged in on this node",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.session.limit`
pub static SESSION_LIMIT: Metric = Metric {
    name: "tim.session.limit",
    unit: "{session}",
    kind: MetricKind::Gauge,
    description: "most connections this node takes",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.session.unregistered.count`
pub static SESSION_UNREGISTERED_COUNT: Metric = Metric {
    name: "tim.session.unregistered.count",
    unit: "{session}",
    kind: MetricKind::Gauge,
    description: "sessions that the presence shards do not know yet",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.login.duration`
pub static LOGIN_DURATION: Metric = Metric {
    name: "tim.login.duration",
    unit: "s",
    kind: MetricKind::Histogram,
    description: "from the login frame to its answer",
    attributes: &[&LOGIN_OUTCOME],
    stability: Stability::Development,
};

/// `tim.password.checked`
pub static PASSWORD_CHECKED: Metric = Metric {
    name: "tim.password.checked",
    unit: "{password}",
    kind: MetricKind::Counter,
    description: "passwords of logins and token requests by what decided them: a memory, which only ever says yes, or a hash",
    attributes: &[&PASSWORD_SOURCE],
    stability: Stability::Development,
};

/// `tim.password.remembered.count`
pub static PASSWORD_REMEMBERED_COUNT: Metric = Metric {
    name: "tim.password.remembered.count",
    unit: "{password}",
    kind: MetricKind::Gauge,
    description: "verified passwords that this node remembers: its own (`node`), and those of others whose owner it is (`owners`)",
    attributes: &[&PASSWORD_SOURCE],
    stability: Stability::Development,
};

/// `tim.limit.refused`
pub static LIMIT_REFUSED: Metric = Metric {
    name: "tim.limit.refused",
    unit: "{refusal}",
    kind: MetricKind::Counter,
    description: "what clients were refused because a limit is reached",
    attributes: &[&LIMIT_NAME],
    stability: Stability::Development,
};

/// `tim.stranger.yielded`
pub static STRANGER_YIELDED: Metric = Metric {
    name: "tim.stranger.yielded",
    unit: "{connection}",
    kind: MetricKind::Counter,
    description: "connections without a login that were closed because a newcomer needed the place",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.admin.requests`
pub static ADMIN_REQUESTS: Metric = Metric {
    name: "tim.admin.requests",
    unit: "{request}",
    kind: MetricKind::Counter,
    description: "calls of administrators that were answered or refused",
    attributes: &[&ADMIN_OPERATION, &ERROR_TYPE],
    stability: Stability::Development,
};

/// `tim.account.deleted`
pub static ACCOUNT_DELETED: Metric = Metric {
    name: "tim.account.deleted",
    unit: "{account}",
    kind: MetricKind::Counter,
    description: "accounts of which nothing is left, by the node that took the last of it away",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.webhook.events`
pub static WEBHOOK_EVENTS: Metric = Metric {
    name: "tim.webhook.events",
    unit: "{event}",
    kind: MetricKind::Counter,
    description: "events that were handed over outside, or given up for want of room",
    attributes: &[&WEBHOOK_OUTCOME],
    stability: Stability::Development,
};

/// `tim.webhook.duration`
pub static WEBHOOK_DURATION: Metric = Metric {
    name: "tim.webhook.duration",
    unit: "s",
    kind: MetricKind::Histogram,
    description: "from a request to a webhook to its answer",
    attributes: &[&WEBHOOK_OUTCOME],
    stability: Stability::Development,
};

/// `tim.webhook.lag`
pub static WEBHOOK_LAG: Metric = Metric {
    name: "tim.webhook.lag",
    unit: "s",
    kind: MetricKind::Gauge,
    description: "how long the oldest event that this node has to hand over has waited",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.session.ended`
pub static SESSION_ENDED: Metric = Metric {
    name: "tim.session.ended",
    unit: "{session}",
    kind: MetricKind::Counter,
    description: "sessions whose client was told to stay away, for a newer login or a block",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.message.ack.duration`
pub static MESSAGE_ACK_DURATION: Metric = Metric {
    name: "tim.message.ack.duration",
    unit: "s",
    kind: MetricKind::Histogram,
    description: "from a message's frame to its echo, durable",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.message.delivery.duration`
pub static MESSAGE_DELIVERY_DURATION: Metric = Metric {
    name: "tim.message.delivery.duration",
    unit: "s",
    kind: MetricKind::Histogram,
    description: "from arrival at the receiver's node to the confirmation",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.message.accepted`
pub static MESSAGE_ACCEPTED: Metric = Metric {
    name: "tim.message.accepted",
    unit: "{message}",
    kind: MetricKind::Counter,
    description: "messages stored for this node's sessions",
    attributes: &[&MESSAGING_DESTINATION_TEMPLATE],
    stability: Stability::Development,
};

/// `tim.message.delivered`
pub static MESSAGE_DELIVERED: Metric = Metric {
    name: "tim.message.delivered",
    unit: "{message}",
    kind: MetricKind::Counter,
    description: "deliveries confirmed by a client of this node",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.message.rejected`
pub static MESSAGE_REJECTED: Metric = Metric {
    name: "tim.message.rejected",
    unit: "{message}",
    kind: MetricKind::Counter,
    description: "messages refused",
    attributes: &[&ERROR_TYPE],
    stability: Stability::Development,
};

/// `tim.message.redelivered`
pub static MESSAGE_REDELIVERED: Metric = Metric {
    name: "tim.message.redelivered",
    unit: "{message}",
    kind: MetricKind::Counter,
    description: "deliveries sent again for want of a confirmation",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.undelivered.age`
pub static UNDELIVERED_AGE: Metric = Metric {
    name: "tim.undelivered.age",
    unit: "s",
    kind: MetricKind::Gauge,
    description: "age of the oldest delivery that waits for its confirmation",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.home.count`
pub static HOME_COUNT: Metric = Metric {
    name: "tim.home.count",
    unit: "{conversation}",
    kind: MetricKind::Gauge,
    description: "conversations whose home this node is and which are loaded",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.home.conflicts`
pub static HOME_CONFLICTS: Metric = Metric {
    name: "tim.home.conflicts",
    unit: "{conflict}",
    kind: MetricKind::Counter,
    description: "commits that met another version than expected",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.queue.length`
pub static QUEUE_LENGTH: Metric = Metric {
    name: "tim.queue.length",
    unit: "{item}",
    kind: MetricKind::Gauge,
    description: "what waits in a bounded queue",
    attributes: &[&QUEUE_NAME],
    stability: Stability::Development,
};

/// `tim.queue.limit`
pub static QUEUE_LIMIT: Metric = Metric {
    name: "tim.queue.limit",
    unit: "{item}",
    kind: MetricKind::Gauge,
    description: "how much a bounded queue takes",
    attributes: &[&QUEUE_NAME],
    stability: Stability::Development,
};

/// `tim.stream.frames_dropped`
pub static STREAM_FRAMES_DROPPED: Metric = Metric {
    name: "tim.stream.frames_dropped",
    unit: "{frame}",
    kind: MetricKind::Counter,
    description: "frames that are not stored, dropped for a slow receiver, a full queue or want of a relay",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.stream.room.count`
pub static STREAM_ROOM_COUNT: Metric = Metric {
    name: "tim.stream.room.count",
    unit: "{room}",
    kind: MetricKind::Gauge,
    description: "virtual rooms that this node holds, as relay or as backup",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.stream.subscription.count`
pub static STREAM_SUBSCRIPTION_COUNT: Metric = Metric {
    name: "tim.stream.subscription.count",
    unit: "{subscription}",
    kind: MetricKind::Gauge,
    description: "subscriptions of this node's sessions to virtual rooms",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.stream.frames_pushed`
pub static STREAM_FRAMES_PUSHED: Metric = Metric {
    name: "tim.stream.frames_pushed",
    unit: "{frame}",
    kind: MetricKind::Counter,
    description: "frames that this node's sessions pushed into virtual rooms",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.stream.frames_delivered`
pub static STREAM_FRAMES_DELIVERED: Metric = Metric {
    name: "tim.stream.frames_delivered",
    unit: "{frame}",
    kind: MetricKind::Counter,
    description: "frames of virtual rooms given to this node's sessions",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.presence.entry.count`
pub static PRESENCE_ENTRY_COUNT: Metric = Metric {
    name: "tim.presence.entry.count",
    unit: "{session}",
    kind: MetricKind::Gauge,
    description: "sessions in the presence shards of this node",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.presence.lookup.duration`
pub static PRESENCE_LOOKUP_DURATION: Metric = Metric {
    name: "tim.presence.lookup.duration",
    unit: "s",
    kind: MetricKind::Histogram,
    description: "one look-up of all recipients of a batch",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.presence.repair.duration`
pub static PRESENCE_REPAIR_DURATION: Metric = Metric {
    name: "tim.presence.repair.duration",
    unit: "s",
    kind: MetricKind::Histogram,
    description: "from a change of the view until all sessions are registered again",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.member.count`
pub static MEMBER_COUNT: Metric = Metric {
    name: "tim.member.count",
    unit: "{node}",
    kind: MetricKind::Gauge,
    description: "nodes as this one sees them",
    attributes: &[&MEMBER_STATE],
    stability: Stability::Development,
};

/// `tim.gossip.rejected`
pub static GOSSIP_REJECTED: Metric = Metric {
    name: "tim.gossip.rejected",
    unit: "{datagram}",
    kind: MetricKind::Counter,
    description: "datagrams refused",
    attributes: &[&ERROR_TYPE],
    stability: Stability::Development,
};

/// `tim.control.leader`
pub static CONTROL_LEADER: Metric = Metric {
    name: "tim.control.leader",
    unit: "1",
    kind: MetricKind::Gauge,
    description: "1 on the node that leads the control group",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.control.term`
pub static CONTROL_TERM: Metric = Metric {
    name: "tim.control.term",
    unit: "1",
    kind: MetricKind::Gauge,
    description: "term of the control group",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.partition.epoch`
pub static PARTITION_EPOCH_METRIC: Metric = Metric {
    name: "tim.partition.epoch",
    unit: "1",
    kind: MetricKind::Gauge,
    description: "epoch of a range as this node holds it",
    attributes: &[&PARTITION_FROM, &DATABASE_NAME],
    stability: Stability::Development,
};

/// `tim.partition.fence_refused`
pub static PARTITION_FENCE_REFUSED: Metric = Metric {
    name: "tim.partition.fence_refused",
    unit: "{refusal}",
    kind: MetricKind::Counter,
    description: "work that a fence refused because the range has moved or is closing",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.retention.removed`
pub static RETENTION_REMOVED: Metric = Metric {
    name: "tim.retention.removed",
    unit: "{entry}",
    kind: MetricKind::Counter,
    description: "entries of conversations that were too old, or too many, and are gone",
    attributes: &[&DATABASE_NAME],
    stability: Stability::Development,
};

/// `tim.retention.ended`
pub static RETENTION_ENDED: Metric = Metric {
    name: "tim.retention.ended",
    unit: "s",
    kind: MetricKind::Gauge,
    description: "Unix time at which the last whole look for what is too old has ended, on the node whose turn it was",
    attributes: &[&DATABASE_NAME],
    stability: Stability::Development,
};

/// `tim.storage.commit.duration`
pub static STORAGE_COMMIT_DURATION: Metric = Metric {
    name: "tim.storage.commit.duration",
    unit: "s",
    kind: MetricKind::Histogram,
    description: "one group commit at the database",
    attributes: &[&DATABASE_NAME],
    stability: Stability::Development,
};

/// `tim.storage.commit.batch_size`
pub static STORAGE_COMMIT_BATCH_SIZE: Metric = Metric {
    name: "tim.storage.commit.batch_size",
    unit: "{message}",
    kind: MetricKind::Histogram,
    description: "messages in one group commit",
    attributes: &[&DATABASE_NAME],
    stability: Stability::Development,
};

/// `tim.database.reachable`
pub static DATABASE_REACHABLE: Metric = Metric {
    name: "tim.database.reachable",
    unit: "1",
    kind: MetricKind::Gauge,
    description: "1 when the database answers",
    attributes: &[&DATABASE_NAME],
    stability: Stability::Development,
};

/// `tim.drain.session.remaining`
pub static DRAIN_SESSION_REMAINING: Metric = Metric {
    name: "tim.drain.session.remaining",
    unit: "{session}",
    kind: MetricKind::Gauge,
    description: "sessions still open on a draining node",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.repartition.rows_copied`
pub static REPARTITION_ROWS_COPIED: Metric = Metric {
    name: "tim.repartition.rows_copied",
    unit: "{row}",
    kind: MetricKind::Gauge,
    description: "rows copied by the running repartition",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.repartition.lag`
pub static REPARTITION_LAG: Metric = Metric {
    name: "tim.repartition.lag",
    unit: "{row}",
    kind: MetricKind::Gauge,
    description: "changes that wait to be carried over",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.repartition.write_pause`
pub static REPARTITION_WRITE_PAUSE: Metric = Metric {
    name: "tim.repartition.write_pause",
    unit: "s",
    kind: MetricKind::Gauge,
    description: "how long writes waited at the last cut-over",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.repartition.verify_mismatches`
pub static REPARTITION_VERIFY_MISMATCHES: Metric = Metric {
    name: "tim.repartition.verify_mismatches",
    unit: "{row}",
    kind: MetricKind::Gauge,
    description: "rows that differed when they were compared",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.repartition.phase`
pub static REPARTITION_PHASE_METRIC: Metric = Metric {
    name: "tim.repartition.phase",
    unit: "1",
    kind: MetricKind::Gauge,
    description: "number of the present phase; 0: none runs",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.certificate.not_after`
pub static CERTIFICATE_NOT_AFTER: Metric = Metric {
    name: "tim.certificate.not_after",
    unit: "s",
    kind: MetricKind::Gauge,
    description: "Unix time at which the certificate ends",
    attributes: &[&CERTIFICATE_PURPOSE],
    stability: Stability::Development,
};

/// `tim.operator.reconcile.duration`
pub static OPERATOR_RECONCILE_DURATION: Metric = Metric {
    name: "tim.operator.reconcile.duration",
    unit: "s",
    kind: MetricKind::Histogram,
    description: "one reconcile",
    attributes: &[&RECONCILE_OUTCOME],
    stability: Stability::Development,
};

/// `tim.operator.api_writes`
pub static OPERATOR_API_WRITES: Metric = Metric {
    name: "tim.operator.api_writes",
    unit: "{write}",
    kind: MetricKind::Counter,
    description: "writes to the API server",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.operator.backoff.object.count`
pub static OPERATOR_BACKOFF_OBJECT_COUNT: Metric = Metric {
    name: "tim.operator.backoff.object.count",
    unit: "{object}",
    kind: MetricKind::Gauge,
    description: "objects that wait after a failure",
    attributes: &[],
    stability: Stability::Development,
};

/// `tim.operator.leader`
pub static OPERATOR_LEADER: Metric = Metric {
    name: "tim.operator.leader",
    unit: "1",
    kind: MetricKind::Gauge,
    description: "1 on the operator that acts",
    attributes: &[],
    stability: Stability::Development,
};

/// `process.memory.usage`
pub static PROCESS_MEMORY_USAGE: Metric = Metric {
    name: "process.memory.usage",
    unit: "By",
    kind: MetricKind::Gauge,
    description: "resident memory",
    attributes: &[],
    stability: Stability::Development,
};

/// `process.uptime`
pub static PROCESS_UPTIME: Metric = Metric {
    name: "process.uptime",
    unit: "s",
    kind: MetricKind::Gauge,
    description: "time since the start",
    attributes: &[],
    stability: Stability::Development,
};

/// All metrics.
pub static METRICS: &[&Metric] = &[
    &SESSION_COUNT,
    &SESSION_LIMIT,
    &SESSION_UNREGISTERED_COUNT,
    &LOGIN_DURATION,
    &PASSWORD_CHECKED,
    &PASSWORD_REMEMBERED_COUNT,
    &LIMIT_REFUSED,
    &STRANGER_YIELDED,
    &ADMIN_REQUESTS,
    &ACCOUNT_DELETED,
    &WEBHOOK_EVENTS,
    &WEBHOOK_DURATION,
    &WEBHOOK_LAG,
    &SESSION_ENDED,
    &MESSAGE_ACK_DURATION,
    &MESSAGE_DELIVERY_DURATION,
    &MESSAGE_ACCEPTED,
    &MESSAGE_DELIVERED,
    &MESSAGE_REJECTED,
    &MESSAGE_REDELIVERED,
    &UNDELIVERED_AGE,
    &HOME_COUNT,
    &HOME_CONFLICTS,
    &QUEUE_LENGTH,
    &QUEUE_LIMIT,
    &STREAM_FRAMES_DROPPED,
    &STREAM_ROOM_COUNT,
    &STREAM_SUBSCRIPTION_COUNT,
    &STREAM_FRAMES_PUSHED,
    &STREAM_FRAMES_DELIVERED,
    &PRESENCE_ENTRY_COUNT,
    &PRESENCE_LOOKUP_DURATION,
    &PRESENCE_REPAIR_DURATION,
    &MEMBER_COUNT,
    &GOSSIP_REJECTED,
    &CONTROL_LEADER,
    &CONTROL_TERM,
    &PARTITION_EPOCH_METRIC,
    &PARTITION_FENCE_REFUSED,
    &RETENTION_REMOVED,
    &RETENTION_ENDED,
    &STORAGE_COMMIT_DURATION,
    &STORAGE_COMMIT_BATCH_SIZE,
    &DATABASE_REACHABLE,
    &DRAIN_SESSION_REMAINING,
    &REPARTITION_ROWS_COPIED,
    &REPARTITION_LAG,
    &REPARTITION_WRITE_PAUSE,
    &REPARTITION_VERIFY_MISMATCHES,
    &REPARTITION_PHASE_METRIC,
    &CERTIFICATE_NOT_AFTER,
    &OPERATOR_RECONCILE_DURATION,
    &OPERATOR_API_WRITES,
    &OPERATOR_BACKOFF_OBJECT_COUNT,
    &OPERATOR_LEADER,
    &PROCESS_MEMORY_USAGE,
    &PROCESS_UPTIME,
];
