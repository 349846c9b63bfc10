//! Attributes.

use super::{Attribute, Stability};

/// `error.type`
pub static ERROR_TYPE: Attribute = Attribute {
    name: "error.type",
    description: "snake_case name of the cause, as the catalogue of errors has it; absent on success",
    stability: Stability::Stable,
};

/// `network.protocol.name`
pub static NETWORK_PROTOCOL_NAME: Attribute = Attribute {
    name: "network.protocol.name",
    description: "`websocket` or `http`",
    stability: Stability::Stable,
};

/// `db.system.name`
pub static DB_SYSTEM_NAME: Attribute = Attribute {
    name: "db.system.name",
    description: "`sqlite`, `postgresql`, `mysql`, `mariadb`",
    stability: Stability::Stable,
};

/// `db.operation.batch.size`
pub static DB_OPERATION_BATCH_SIZE: Attribute = Attribute {
    name: "db.operation.batch.size",
    description: "messages in one transaction",
    stability: Stability::Stable,
};

/// `db.query.summary`
pub static DB_QUERY_SUMMARY: Attribute = Attribute {
    name: "db.query.summary",
    description: "operation and table, without values",
    stability: Stability::Stable,
};

/// `db.operation.name`
pub static DB_OPERATION_NAME: Attribute = Attribute {
    name: "db.operation.name",
    description: "the kind of transaction: `append`, `open`, `cursors`, …",
    stability: Stability::Stable,
};

/// `rpc.system.name`
pub static RPC_SYSTEM_NAME: Attribute = Attribute {
    name: "rpc.system.name",
    description: "`grpc`",
    stability: Stability::Development,
};

/// `rpc.method`
pub static RPC_METHOD: Attribute = Attribute {
    name: "rpc.method",
    description: "fully qualified method",
    stability: Stability::Development,
};

/// `rpc.status_code`
pub static RPC_STATUS_CODE: Attribute = Attribute {
    name: "rpc.status_code",
    description: "gRPC status of a failed call",
    stability: Stability::Development,
};

/// `messaging.system`
pub static MESSAGING_SYSTEM: Attribute = Attribute {
    name: "messaging.system",
    description: "`tim`",
    stability: Stability::Development,
};

/// `messaging.destination.template`
pub static MESSAGING_DESTINATION_TEMPLATE: Attribute = Attribute {
    name: "messaging.destination.template",
    description: "`direct`, `room`, `notice`, `stream`, `system`",
    stability: Stability::Development,
};

/// `messaging.destination.partition.id`
pub static MESSAGING_PARTITION: Attribute = Attribute {
    name: "messaging.destination.partition.id",
    description: "lower bound of the partition",
    stability: Stability::Development,
};

/// `messaging.batch.message_count`
pub static MESSAGING_BATCH_MESSAGE_COUNT: Attribute = Attribute {
    name: "messaging.batch.message_count",
    description: "messages in the batch",
    stability: Stability::Development,
};

/// `messaging.message.body.size`
pub static MESSAGING_BODY_SIZE: Attribute = Attribute {
    name: "messaging.message.body.size",
    description: "bytes of the frame",
    stability: Stability::Development,
};

/// `k8s.namespace.name`
pub static K8S_NAMESPACE_NAME: Attribute = Attribute {
    name: "k8s.namespace.name",
    description: "namespace of the object",
    stability: Stability::Stable,
};

/// `tim.frame.type`
pub static FRAME_TYPE: Attribute = Attribute {
    name: "tim.frame.type",
    description: "command byte of the client's frame",
    stability: Stability::Development,
};

/// `tim.home.remote`
pub static HOME_REMOTE: Attribute = Attribute {
    name: "tim.home.remote",
    description: "whether the home is another node",
    stability: Stability::Development,
};

/// `tim.message.seq`
pub static MESSAGE_SEQ: Attribute = Attribute {
    name: "tim.message.seq",
    description: "number in the conversation (opt-in)",
    stability: Stability::Development,
};

/// `tim.partition.epoch`
pub static PARTITION_EPOCH: Attribute = Attribute {
    name: "tim.partition.epoch",
    description: "epoch of the range",
    stability: Stability::Development,
};

/// `tim.partition.from`
pub static PARTITION_FROM: Attribute = Attribute {
    name: "tim.partition.from",
    description: "lower bound of the range",
    stability: Stability::Development,
};

/// `tim.database.name`
pub static DATABASE_NAME: Attribute = Attribute {
    name: "tim.database.name",
    description: "the database as the partition map names it",
    stability: Stability::Development,
};

/// `tim.presence.shard.count`
pub static PRESENCE_SHARD_COUNT: Attribute = Attribute {
    name: "tim.presence.shard.count",
    description: "shards asked in one look-up",
    stability: Stability::Development,
};

/// `tim.presence.found`
pub static PRESENCE_FOUND: Attribute = Attribute {
    name: "tim.presence.found",
    description: "sessions found",
    stability: Stability::Development,
};

/// `tim.deliver.outcome`
pub static DELIVER_OUTCOME: Attribute = Attribute {
    name: "tim.deliver.outcome",
    description: "`confirmed`, `timed_out`, `gone`, `relayed`",
    stability: Stability::Development,
};

/// `tim.member.state`
pub static MEMBER_STATE: Attribute = Attribute {
    name: "tim.member.state",
    description: "`joining`, `serving`, `draining`, `suspect`",
    stability: Stability::Development,
};

/// `tim.queue.name`
pub static QUEUE_NAME: Attribute = Attribute {
    name: "tim.queue.name",
    description: "which bounded queue",
    stability: Stability::Development,
};

/// `tim.login.outcome`
pub static LOGIN_OUTCOME: Attribute = Attribute {
    name: "tim.login.outcome",
    description: "`accepted`, `refused`, `busy`, `failed`",
    stability: Stability::Development,
};

/// `tim.limit.name`
pub static LIMIT_NAME: Attribute = Attribute {
    name: "tim.limit.name",
    description: "key of the configuration that sets the limit",
    stability: Stability::Development,
};

/// `tim.password.source`
pub static PASSWORD_SOURCE: Attribute = Attribute {
    name: "tim.password.source",
    description: "`node` (this node remembers it), `owners` (another node that holds the account's presence does), `hash` (computed)",
    stability: Stability::Development,
};

/// `tim.room.members.wanted`
pub static ROOM_MEMBERS_WANTED: Attribute = Attribute {
    name: "tim.room.members.wanted",
    description: "members that a room has by accounts.database.room_members",
    stability: Stability::Development,
};

/// `tim.room.members.admitted`
pub static ROOM_MEMBERS_ADMITTED: Attribute = Attribute {
    name: "tim.room.members.admitted",
    description: "accounts that were not in the room and had to be",
    stability: Stability::Development,
};

/// `tim.room.members.dismissed`
pub static ROOM_MEMBERS_DISMISSED: Attribute = Attribute {
    name: "tim.room.members.dismissed",
    description: "accounts that were in the room and must not be",
    stability: Stability::Development,
};

/// `tim.admin.operation`
pub static ADMIN_OPERATION: Attribute = Attribute {
    name: "tim.admin.operation",
    description: "what an administrator asked for: `register_account`, `block_account`, …",
    stability: Stability::Development,
};

/// `tim.admin.interface`
pub static ADMIN_INTERFACE: Attribute = Attribute {
    name: "tim.admin.interface",
    description: "`api_v1`, `tim_2_0`, `server_api`, `websocket`",
    stability: Stability::Development,
};

/// `tim.admin.outcome`
pub static ADMIN_OUTCOME: Attribute = Attribute {
    name: "tim.admin.outcome",
    description: "`done`, `refused`",
    stability: Stability::Development,
};

/// `tim.webhook.outcome`
pub static WEBHOOK_OUTCOME: Attribute = Attribute {
    name: "tim.webhook.outcome",
    description: "`accepted`, `failed` (a request, which is repeated), `dropped` (an event)",
    stability: Stability::Development,
};

/// `tim.certificate.purpose`
pub static CERTIFICATE_PURPOSE: Attribute = Attribute {
    name: "tim.certificate.purpose",
    description: "`peer`, `client`, `admin`",
    stability: Stability::Development,
};

/// `tim.session.id`
pub static SESSION_ID: Attribute = Attribute {
    name: "tim.session.id",
    description: "random number of a session",
    stability: Stability::Development,
};

/// `tim.cluster.name`
pub static CLUSTER_NAME: Attribute = Attribute {
    name: "tim.cluster.name",
    description: "the cluster",
    stability: Stability::Development,
};

/// `tim.reconcile.outcome`
pub static RECONCILE_OUTCOME: Attribute = Attribute {
    name: "tim.reconcile.outcome",
    description: "`settled`, `acted`, `failed`",
    stability: Stability::Development,
};

/// `tim.reconcile.action.count`
pub static RECONCILE_ACTION_COUNT: Attribute = Attribute {
    name: "tim.reconcile.action.count",
    description: "actions of one reconcile",
    stability: Stability::Development,
};

/// `tim.repartition.id`
pub static REPARTITION_ID: Attribute = Attribute {
    name: "tim.repartition.id",
    description: "id of the operation",
    stability: Stability::Development,
};

/// `tim.repartition.phase`
pub static REPARTITION_PHASE: Attribute = Attribute {
    name: "tim.repartition.phase",
    description: "phase of the operation",
    stability: Stability::Development,
};

/// `tim.slot.from`
pub static SLOT_FROM: Attribute = Attribute {
    name: "tim.slot.from",
    description: "first slot that moves",
    stability: Stability::Development,
};

/// `tim.slot.to`
pub static SLOT_TO: Attribute = Attribute {
    name: "tim.slot.to",
    description: "first slot that does not move any more",
    stability: Stability::Development,
};

/// `tim.database.source`
pub static DATABASE_SOURCE: Attribute = Attribute {
    name: "tim.database.source",
    description: "where the range comes from",
    stability: Stability::Development,
};

/// `tim.database.target`
pub static DATABASE_TARGET: Attribute = Attribute {
    name: "tim.database.target",
    description: "where the range goes",
    stability: Stability::Development,
};

/// `service.name`
pub static SERVICE_NAME: Attribute = Attribute {
    name: "service.name",
    description: "`tim-node` or `tim-operator`; of every signal",
    stability: Stability::Stable,
};

/// `service.namespace`
pub static SERVICE_NAMESPACE: Attribute = Attribute {
    name: "service.namespace",
    description: "the cluster's namespace or group; of every signal",
    stability: Stability::Stable,
};

/// `service.version`
pub static SERVICE_VERSION: Attribute = Attribute {
    name: "service.version",
    description: "version of the program; of every signal",
    stability: Stability::Stable,
};

/// `service.instance.id`
pub static SERVICE_INSTANCE_ID: Attribute = Attribute {
    name: "service.instance.id",
    description: "the process, a node's name; of every signal",
    stability: Stability::Stable,
};

/// `telemetry.sdk.name`
pub static TELEMETRY_SDK_NAME: Attribute = Attribute {
    name: "telemetry.sdk.name",
    description: "the SDK; of every signal",
    stability: Stability::Stable,
};

/// `telemetry.sdk.language`
pub static TELEMETRY_SDK_LANGUAGE: Attribute = Attribute {
    name: "telemetry.sdk.language",
    description: "`rust`; of every signal",
    stability: Stability::Stable,
};

/// `telemetry.sdk.version`
pub static TELEMETRY_SDK_VERSION: Attribute = Attribute {
    name: "telemetry.sdk.version",
    description: "version of the SDK; of every signal",
    stability: Stability::Stable,
};

/// `k8s.pod.name`
pub static K8S_POD_NAME: Attribute = Attribute {
    name: "k8s.pod.name",
    description: "pod of the process, on Kubernetes; of every signal",
    stability: Stability::Stable,
};

/// `k8s.pod.uid`
pub static K8S_POD_UID: Attribute = Attribute {
    name: "k8s.pod.uid",
    description: "unique id of that pod; of every signal",
    stability: Stability::Stable,
};

/// `k8s.node.name`
pub static K8S_NODE_NAME: Attribute = Attribute {
    name: "k8s.node.name",
    description: "machine of that pod; of every signal",
    stability: Stability::Stable,
};

/// All attributes.
pub static ATTRIBUTES: &[&Attribute] = &[
    &ERROR_TYPE,
    &NETWORK_PROTOCOL_NAME,
    &DB_SYSTEM_NAME,
    &DB_OPERATION_BATCH_SIZE,
    &DB_QUERY_SUMMARY,
    &DB_OPERATION_NAME,
    &RPC_SYSTEM_NAME,
    &RPC_METHOD,
    &RPC_STATUS_CODE,
    &MESSAGING_SYSTEM,
    &MESSAGING_DESTINATION_TEMPLATE,
    &MESSAGING_PARTITION,
    &MESSAGING_BATCH_MESSAGE_COUNT,
    &MESSAGING_BODY_SIZE,
    &K8S_NAMESPACE_NAME,
    &FRAME_TYPE,
    &HOME_REMOTE,
    &MESSAGE_SEQ,
    &PARTITION_EPOCH,
    &PARTITION_FROM,
    &DATABASE_NAME,
    &PRESENCE_SHARD_COUNT,
    &PRESENCE_FOUND,
    &DELIVER_OUTCOME,
    &MEMBER_STATE,
    &QUEUE_NAME,
    &LOGIN_OUTCOME,
    &LIMIT_NAME,
    &PASSWORD_SOURCE,
    &ROOM_MEMBERS_WANTED,
    &ROOM_MEMBERS_ADMITTED,
    &ROOM_MEMBERS_DISMISSED,
    &ADMIN_OPERATION,
    &ADMIN_INTERFACE,
    &ADMIN_OUTCOME,
    &WEBHOOK_OUTCOME,
    &CERTIFICATE_PURPOSE,
    &SESSION_ID,
    &CLUSTER_NAME,
    &RECONCILE_OUTCOME,
    &RECONCILE_ACTION_COUNT,
    &REPARTITION_ID,
    &REPARTITION_PHASE,
    &SLOT_FROM,
    &SLOT_TO,
    &DATABASE_SOURCE,
    &DATABASE_TARGET,
    &SERVICE_NAME,
    &SERVICE_NAMESPACE,
    &SERVICE_VERSION,
    &SERVICE_INSTANCE_ID,
    &TELEMETRY_SDK_NAME,
    &TELEMETRY_SDK_LANGUAGE,
    &TELEMETRY_SDK_VERSION,
    &K8S_POD_NAME,
    &K8S_POD_UID,
    &K8S_NODE_NAME,
];
