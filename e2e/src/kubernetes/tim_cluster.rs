//! A TimCluster in a sandbox, as its user sees it: status, conditions, Events, addresses.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tim_client::{Address, Server};
use tim_crds::cluster::ListenerName;
use tim_crds::{Condition, TimCluster};

use super::sandbox::Sandbox;
use super::wait::{until_all, until_there};

/// How long changes of a cluster may take on a busy machine before a test gives up. Nothing is measured by it.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// A TimCluster by its name.
#[derive(Clone)]
pub struct Cluster {
    sandbox: Sandbox,
    /// Its name.
    pub name: String,
    /// The objects.
    pub api: Api<TimCluster>,
}

impl Cluster {
    /// The cluster of that name, there or not.
    pub fn of(sandbox: &Sandbox, name: &str) -> Self {
        Self {
            api: sandbox.api(),
            name: name.to_owned(),
            sandbox: sandbox.clone(),
        }
    }

    /// Applies `examples/postgresql.yaml` and `examples/chat.yaml` as they are and waits for three serving nodes.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn of_the_examples(sandbox: &Sandbox) -> anyhow::Result<Self> {
        let cluster = Self::apply_examples(sandbox).await?;
        cluster.until_serving(3).await?;
        Ok(cluster)
    }

    /// Applies `examples/postgresql.yaml` and `examples/chat.yaml` as they are and waits for nothing.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn apply_examples(sandbox: &Sandbox) -> anyhow::Result<Self> {
        sandbox
            .kubectl(&[
                "apply",
                "--filename=examples/postgresql.yaml",
                "--filename=examples/chat.yaml",
            ])
            .await?;
        Ok(Self::of(sandbox, "chat"))
    }

    /// Writes to the spec.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn patch(&self, spec: Value) -> anyhow::Result<TimCluster> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        Ok(self
            .api
            .patch(&self.name, &PatchParams::default(), &patch)
            .await?)
    }

    /// The object.
    ///
    /// # Errors
    /// It is not there.
    pub async fn get(&self) -> anyhow::Result<TimCluster> {
        Ok(self.api.get(&self.name).await?)
    }

    /// Waits until exactly that many nodes exist, all of the wanted revision, all serving, and nothing is left to do.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn until_serving(&self, nodes: i32) -> anyhow::Result<TimCluster> {
        let what = format!("{nodes} serving nodes");
        let cluster = until_there(&self.api, &self.name, &what, PATIENCE, |cluster| {
            is_settled(cluster, nodes)
        })
        .await?;
        Ok(cluster)
    }

    /// Waits for a condition with that status, and with a message that begins with the code if one is given.
    ///
    /// # Errors
    /// It does not come in time.
    pub async fn until_condition(&self, type_: &str, status: &str, code: &str) -> anyhow::Result<Condition> {
        let what = format!("condition {type_}={status} {code}");
        let cluster = until_there(&self.api, &self.name, &what, PATIENCE, |cluster| {
            condition(cluster, type_)
                .is_some_and(|condition| condition.status == status && condition.message.starts_with(code))
        })
        .await?;
        condition(&cluster, type_)
            .cloned()
            .context("the condition that was just seen")
    }

    /// The pods of its nodes by name.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn pods(&self) -> anyhow::Result<BTreeMap<String, Pod>> {
        let pods: Api<Pod> = self.sandbox.api();
        let list = pods.list(&ListParams::default().labels(&self.labels())).await?;
        Ok(list.into_iter().map(|pod| (pod.name_any(), pod)).collect())
    }

    /// Label selector of its pods.
    pub fn labels(&self) -> String {
        format!(
            "app.kubernetes.io/name=tim,app.kubernetes.io/instance={}",
            self.name
        )
    }

    /// Waits until its pods are as wished.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn until_pods(
        &self,
        what: &str,
        wished: impl FnMut(&BTreeMap<String, Pod>) -> bool,
    ) -> anyhow::Result<BTreeMap<String, Pod>> {
        until_all(&self.sandbox.api::<Pod>(), &self.labels(), what, PATIENCE, wished).await
    }

    /// The address for clients at each node that has one, by the node's name.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn node_addresses(&self) -> anyhow::Result<BTreeMap<String, Address>> {
        let port = self.get().await?.spec.listener(ListenerName::Client).port;
        let mut addresses = BTreeMap::new();
        for (name, pod) in self.pods().await? {
            if let Some(ip) = pod.status.and_then(|status| status.pod_ip) {
                addresses.insert(name, format!("ws://{ip}:{port}").parse()?);
            }
        }
        Ok(addresses)
    }

    /// The node of that ordinal, as a client finds it.
    ///
    /// # Errors
    /// It has no address.
    pub async fn node(&self, ordinal: usize) -> anyhow::Result<Server> {
        let name = format!("{}-{ordinal}", self.name);
        let address = self.node_addresses().await?.remove(&name);
        Ok(Server::at([
            address.with_context(|| format!("{name} has no address"))?
        ]))
    }

    /// The cluster as clients find it: by its Service.
    ///
    /// # Errors
    /// There is no Service, or it has no address.
    pub async fn service(&self) -> anyhow::Result<Server> {
        let services: Api<Service> = self.sandbox.api();
        let service = services
            .get(&self.name)
            .await?
            .spec
            .context("the Service has no spec")?;
        let ip = service
            .cluster_ip
            .filter(|ip| ip != "None")
            .context("the Service has no address")?;
        let port = service
            .ports
            .unwrap_or_default()
            .first()
            .context("the Service has no port")?
            .port;
        Ok(Server::at([format!("ws://{ip}:{port}").parse()?]))
    }

    /// The Events about it.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn events(&self) -> anyhow::Result<Vec<Event>> {
        let events: Api<Event> = self.sandbox.api();
        let list = events.list(&ListParams::default()).await?;
        Ok(list
            .into_iter()
            .filter(|event| {
                event.regarding.as_ref().is_some_and(|about| {
                    about.name.as_deref() == Some(&self.name) && about.kind.as_deref() == Some("TimCluster")
                })
            })
            .collect())
    }

    /// Waits for Events about it that speak of a code; gives them.
    ///
    /// # Errors
    /// None comes in time.
    pub async fn until_event(&self, code: &str) -> anyhow::Result<Vec<Event>> {
        let events: Api<Event> = self.sandbox.api();
        let about_code = |event: &Event| {
            let about = event.regarding.as_ref().and_then(|about| about.name.as_deref());
            about == Some(self.name.as_str()) && event.note.as_deref().is_some_and(|note| note.contains(code))
        };
        let found = until_all(&events, "", &format!("an Event with {code}"), PATIENCE, |all| {
            all.values().any(about_code)
        })
        .await?;
        Ok(found.into_values().filter(about_code).collect())
    }
}

/// The condition of that type.
pub fn condition<'a>(cluster: &'a TimCluster, type_: &str) -> Option<&'a Condition> {
    cluster
        .status
        .as_ref()?
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}

/// Whether the operator has nothing left to do and that many nodes serve.
pub fn is_settled(cluster: &TimCluster, nodes: i32) -> bool {
    let Some(status) = &cluster.status else {
        return false;
    };
    status.observed_generation == cluster.metadata.generation
        && status.replicas == nodes
        && status.ready_replicas == nodes
        && status.updated_replicas == nodes
        && status.nodes.len() == usize::try_from(nodes).unwrap_or_default()
        && status.nodes.iter().all(|node| node.serving)
        && condition(cluster, "Progressing").is_none_or(|progressing| progressing.status == "False")
}
