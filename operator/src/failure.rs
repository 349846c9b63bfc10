//! What can go wrong while a cluster is observed or a plan is carried out.

use tim_catalogue::{Report, kubernetes};

/// A step that failed. Steps are idempotent and the rest of a plan is left undone: the next reconcile begins with a fresh
/// observation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The API server refused or did not answer. Whether the write happened is seen by the next observation; retried.
    #[error("{operation}: {source}")]
    Api {
        /// What was tried, in words.
        operation: String,
        /// What the API server said.
        #[source]
        source: Box<kube::Error>,
    },
    /// An object of that name belongs to somebody else. Nothing was changed; it stays until a person acts.
    #[error("{0}")]
    NameTaken(Report),
    /// A node's control API refused or did not answer. Retried.
    #[error("{operation}: {reason}")]
    Node {
        /// What was tried.
        operation: String,
        /// What came back.
        reason: String,
    },
    /// Keys or certificates in a Secret cannot be read. Nothing was changed; it stays until a person acts.
    #[error("{0}")]
    Trust(String),
    /// An object could not be put into JSON. A defect; nothing was changed.
    #[error("object: {0}")]
    Json(#[from] serde_json::Error),
}

impl Failure {
    /// Wraps an answer of the API server.
    pub(crate) fn api(operation: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let operation = operation.into();
        move |source| Self::Api {
            operation,
            source: Box::new(source),
        }
    }

    /// The value of `error.type`; a closed set.
    pub(crate) fn error_type(&self) -> &'static str {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) if status.is_conflict() => "conflict",
                kube::Error::Api(status) if status.is_forbidden() => kubernetes::FORBIDDEN.name,
                kube::Error::Api(_) => "api_refused",
                _ => kubernetes::API_UNREACHABLE.name,
            },
            Self::NameTaken(_) => kubernetes::NAME_TAKEN.name,
            Self::Node { .. } => tim_catalogue::node::NODE_UNREACHABLE.name,
            Self::Trust(_) => tim_catalogue::node::CERTIFICATE_UNREADABLE.name,
            Self::Json(_) => "_OTHER",
        }
    }

    /// Whether somebody else wrote first, which the next observation settles at once.
    pub(crate) fn is_conflict(&self) -> bool {
        self.error_type() == "conflict"
    }
}
