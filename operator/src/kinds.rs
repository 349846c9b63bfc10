//! The kinds of objects the operator makes, for access by kind and name.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject};

/// Kinds that a plan applies and removes by name; the workload, pods, Secrets and volumes have ways of their own.
pub(crate) const APPLIED: [&str; 5] = [
    "ServiceAccount",
    "ConfigMap",
    "Service",
    "PodDisruptionBudget",
    "NetworkPolicy",
];

/// Where objects of a kind live in the API; none for a kind that the operator does not make.
pub(crate) fn resource(kind: &str) -> Option<ApiResource> {
    match kind {
        "ServiceAccount" => Some(ApiResource::erase::<ServiceAccount>(&())),
        "ConfigMap" => Some(ApiResource::erase::<ConfigMap>(&())),
        "Service" => Some(ApiResource::erase::<Service>(&())),
        "PodDisruptionBudget" => Some(ApiResource::erase::<PodDisruptionBudget>(&())),
        "NetworkPolicy" => Some(ApiResource::erase::<NetworkPolicy>(&())),
        "StatefulSet" => Some(ApiResource::erase::<StatefulSet>(&())),
        "Secret" => Some(ApiResource::erase::<Secret>(&())),
        _ => None,
    }
}

/// The objects of a kind in a namespace.
pub(crate) fn api(client: &Client, namespace: &str, kind: &str) -> Option<Api<DynamicObject>> {
    resource(kind).map(|resource| Api::namespaced_with(client.clone(), namespace, &resource))
}
