//! The two resources of `timcluster.io`, as Rust types, as committed YAML and as a checker of what users write.
//!
//! Three things come from one source, so that they cannot differ: the types that operator and command line work with,
//! the CustomResourceDefinitions that an API server enforces ([`yaml`]), and the checks that `tim up` makes of a file
//! without any API server ([`document`]): the same schema, the same defaults, the same rules, the same messages.

#[allow(
    unreachable_pub,
    reason = "the derive of schemas repeats each struct inside a function"
)]
pub mod cluster;
pub mod document;
pub mod labels;
#[allow(
    unreachable_pub,
    reason = "the derive of schemas repeats each struct inside a function"
)]
pub mod repartition;
mod schema;
#[cfg(feature = "testing")]
pub mod testing;
pub mod yaml;

pub use cluster::{TimCluster, TimClusterSpec, TimClusterStatus};
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
pub use repartition::{TimRepartition, TimRepartitionSpec, TimRepartitionStatus};

/// The API group of both resources.
pub const GROUP: &str = "timcluster.io";

/// The one version served and stored.
pub const VERSION: &str = "v1alpha1";

/// What `apiVersion` says in a document.
pub const API_VERSION: &str = "timcluster.io/v1alpha1";

/// Longest name of a resource: names of pods, Services and Secrets derive from it and end at 63 characters.
pub const NAME_LENGTH_MAX: usize = 40;

/// Number of slots; ranges lie in `0 ..= SLOT_COUNT - 1`.
pub const SLOT_COUNT: u32 = 1 << 20;

/// Seconds that a pod needs besides its drain: the stop of the process, and some air.
pub const GRACE_BEYOND_DRAIN_SECONDS: i64 = 30;
