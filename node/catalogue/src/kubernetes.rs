//! Class K: Kubernetes.

use crate::{Cause, Severity};

/// The API server does not answer.
pub static API_UNREACHABLE: Cause = Cause {
    code: "TIM-K101",
    name: "api_server_unreachable",
    reason: "ApiServerUnreachable",
    what: "The API server does not answer.",
    why: "It is down, or the kubeconfig names another address.",
    meaning: "Running nodes go on.",
    remedy: "check the connection with kubectl version",
    severity: Severity::Retried,
};

/// The resources of timcluster.io are not installed.
pub static CRD_MISSING: Cause = Cause {
    code: "TIM-K102",
    name: "crd_missing",
    reason: "CrdMissing",
    what: "The resources of timcluster.io are not installed.",
    why: "The chart was installed with crds.install=false, or not at all.",
    meaning: "The operator waits.",
    remedy: "kubectl apply --server-side -f crds/yaml",
    severity: Severity::Retried,
};

/// The account has no right for an operation.
pub static FORBIDDEN: Cause = Cause {
    code: "TIM-K103",
    name: "forbidden",
    reason: "Forbidden",
    what: "The account has no right for an operation.",
    why: "RBAC refuses the verb on the resource.",
    meaning: "The object is left as it is; it is tried again.",
    remedy: "grant the verb that the message names",
    severity: Severity::Retried,
};

/// An object of that name exists and belongs to somebody else.
pub static NAME_TAKEN: Cause = Cause {
    code: "TIM-K104",
    name: "name_taken",
    reason: "NameTaken",
    what: "An object of that name exists and belongs to somebody else.",
    why: "It is not controlled by this TimCluster.",
    meaning: "It is left untouched; the cluster waits.",
    remedy: "delete or rename that object",
    severity: Severity::Stays,
};

/// The image of a node cannot be pulled or does not start.
pub static IMAGE_UNAVAILABLE: Cause = Cause {
    code: "TIM-K105",
    name: "image_unavailable",
    reason: "ImageUnavailable",
    what: "The image of a node cannot be pulled or does not start.",
    why: "Name or tag are wrong, or the registry refuses.",
    meaning: "Nodes of the old image go on.",
    remedy: "correct spec.image",
    severity: Severity::Retried,
};

/// A node finds no place in the Kubernetes cluster.
pub static UNSCHEDULABLE: Cause = Cause {
    code: "TIM-K106",
    name: "node_unschedulable",
    reason: "NodeUnschedulable",
    what: "A node finds no place in the Kubernetes cluster.",
    why: "No Kubernetes node has the room, or the volume, that it asks for.",
    meaning: "The other nodes go on; it starts as soon as there is room.",
    remedy: "add Kubernetes nodes, or lower spec.pod.resources",
    severity: Severity::Retried,
};

/// A Secret with additions to the configuration does not exist.
pub static CONFIG_SECRET_MISSING: Cause = Cause {
    code: "TIM-K107",
    name: "config_secret_missing",
    reason: "ConfigSecretMissing",
    what: "A Secret with additions to the configuration, or its key, does not exist.",
    why: "spec.config.secretRefs names a Secret or key that nobody has made yet.",
    meaning: "Running nodes go on; no node is added or replaced. It heals as soon as the Secret is there.",
    remedy: "create the Secret that the message names, or take the reference out",
    severity: Severity::Retried,
};

/// The Secret with the storage key is gone.
pub static STORAGE_KEY_MISSING: Cause = Cause {
    code: "TIM-K108",
    name: "storage_key_missing",
    reason: "StorageKeyMissing",
    what: "The Secret with the storage key is gone.",
    why: "Somebody deleted it; it is made once and never again, since no other key opens what is stored.",
    meaning: "Running nodes go on with the key they have; no node is added or replaced.",
    remedy: "restore the Secret from a backup",
    severity: Severity::Stays,
};

/// The API server refuses a write of the operator.
pub static REFUSED: Cause = Cause {
    code: "TIM-K107",
    name: "api_server_refused",
    reason: "Refused",
    what: "The API server refuses a write of the operator.",
    why: "Admission, a quota, or a rule of the object does not allow it.",
    meaning: "What was applied before stays; it is tried again.",
    remedy: "read what the API server said, and change quota, policy or spec",
    severity: Severity::Retried,
};

/// Every cause of this class, by number.
pub(crate) static ALL: &[&Cause] = &[
    &API_UNREACHABLE,
    &CRD_MISSING,
    &FORBIDDEN,
    &NAME_TAKEN,
    &IMAGE_UNAVAILABLE,
    &UNSCHEDULABLE,
    &CONFIG_SECRET_MISSING,
    &STORAGE_KEY_MISSING,
];
