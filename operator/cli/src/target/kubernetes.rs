//! The clusters of one namespace on Kubernetes.

use super::admin_status::AdminStatus;
use super::local::{condition_observation, repartition, repartition_observation};
use super::{SplitRequest, Target};
use crate::arguments::Global;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome, chain};
use crate::status::Observation;
use crate::status::observation::{Controller, DeclaredDatabase, NODE_ANSWER_MAX, NodeObservation};
use async_trait::async_trait;
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt};
use std::collections::BTreeMap;
use std::time::Duration;
use tim_catalogue::{command_line, kubernetes};
use tim_crds::cluster::{ListenerName, NodeState as StoredState};
use tim_crds::{TimCluster, TimRepartition, labels};
use tim_plan::names;

/// How long the API server may take without `--timeout`.
const CALL_MAX: Duration = Duration::from_secs(10);

/// The clusters of one namespace.
pub struct KubernetesTarget {
    client: Client,
    context: String,
    namespace: String,
}

impl KubernetesTarget {
    /// The namespace that the options and the kubeconfig mean.
    ///
    /// # Errors
    /// There is no kubeconfig or context of that name (nothing was contacted), or no such namespace.
    pub async fn open(global: &Global) -> Outcome<Self> {
        let (mut config, context) = configuration(global).await?;
        let namespace = global
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        config.default_namespace.clone_from(&namespace);
        let limit = global.timeout.unwrap_or(CALL_MAX);
        config.connect_timeout = Some(limit);
        config.read_timeout = Some(limit);
        let client = Client::try_from(config).map_err(|error| Failure::unexpected(&error))?;
        let target = Self {
            client,
            context,
            namespace,
        };
        target.check_namespace().await?;
        Ok(target)
    }

    fn clusters_api(&self) -> Api<TimCluster> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn repartitions_api(&self) -> Api<TimRepartition> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn pods_api(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A misspelt namespace looks like an empty one; who may look tells them apart.
    async fn check_namespace(&self) -> Outcome<()> {
        let all = Api::<Namespace>::all(self.client.clone());
        match all.get_opt(&self.namespace).await {
            Ok(Some(_)) => Ok(()),
            Err(kube::Error::Api(answer)) if answer.is_forbidden() => Ok(()),
            Err(error) => Err(self.failure("read the namespace", &error)),
            Ok(None) => {
                let known = all.list(&ListParams::default()).await;
                let known: Vec<String> = known
                    .map(|list| list.iter().map(ResourceExt::name_any).collect())
                    .unwrap_or_default();
                let observed = format!(
                    "there is no namespace \"{}\". Known: {}",
                    self.namespace,
                    known.join(", ")
                );
                Err(Failure::new(&command_line::UNKNOWN_CLUSTER, observed).exit(Exit::Usage))
            }
        }
    }

    fn failure(&self, what: &str, error: &kube::Error) -> Failure {
        match error {
            kube::Error::Api(answer) if answer.is_forbidden() => {
                Failure::new(&kubernetes::FORBIDDEN, format!("{what}: {}", answer.message))
            }
            kube::Error::Api(answer) if answer.is_not_found() && answer.reason != "NotFound" => {
                Failure::new(&kubernetes::CRD_MISSING, format!("{what}: {}", answer.message))
            }
            kube::Error::Api(answer) => {
                // Rules of the resource speak in our codes themselves.
                Failure::new(&command_line::UNEXPECTED, format!("{what}: {}", answer.message))
            }
            other => Failure::new(
                &kubernetes::API_UNREACHABLE,
                format!("context {}: {}", self.context, chain(other)),
            ),
        }
    }

    async fn cluster(&self, name: &str) -> Outcome<TimCluster> {
        let found = self
            .clusters_api()
            .get_opt(name)
            .await
            .map_err(|error| self.failure("read TimCluster", &error))?;
        found.ok_or_else(|| {
            Failure::new(
                &command_line::UNKNOWN_CLUSTER,
                format!("there is no TimCluster \"{name}\""),
            )
            .exit(Exit::Usage)
        })
    }

    async fn pods(&self, cluster: &str) -> BTreeMap<String, Pod> {
        let selector = format!(
            "{}={},{}={cluster}",
            labels::LABEL_NAME,
            labels::NAME,
            labels::LABEL_INSTANCE
        );
        // Who may not list pods still sees what the object's status says of nodes.
        let pods = self
            .pods_api()
            .list(&ListParams::default().labels(&selector))
            .await;
        pods.map(|list| list.into_iter().map(|pod| (pod.name_any(), pod)).collect())
            .unwrap_or_default()
    }

    async fn observe_node(
        &self,
        cluster: &TimCluster,
        name: String,
        pods: &BTreeMap<String, Pod>,
    ) -> NodeObservation {
        let wanted = names::ordinal(&cluster.name_any(), &name)
            .is_some_and(|ordinal| i64::from(ordinal) < i64::from(cluster.spec.replicas));
        let status = cluster.status.as_ref();
        let stored = status.and_then(|status| status.nodes.iter().find(|node| node.name == name));
        let admin = cluster.spec.listener(ListenerName::Admin);
        let reply = match pods.get(&name) {
            Some(_) => self.ask(&name, (admin.port, admin.tls)).await,
            None => None,
        };
        let present =
            pods.contains_key(&name) || stored.is_some_and(|node| node.state != StoredState::Pending);
        NodeObservation {
            runs_for: pods.get(&name).and_then(runs_for),
            name,
            wanted,
            present,
            reply,
            ..NodeObservation::default()
        }
    }

    /// The object of a split, under the first name that is free.
    async fn repartition_object(&self, cluster: &str, request: &SplitRequest) -> Outcome<TimRepartition> {
        let listed = self.repartitions_api().list(&ListParams::default()).await;
        let listed = listed.map_err(|error| self.failure("list TimRepartitions", &error))?;
        let taken: Vec<String> = listed.iter().map(ResourceExt::name_any).collect();
        let mut object = repartition(cluster, &taken, request);
        object.metadata = ObjectMeta {
            name: object.metadata.name,
            namespace: Some(self.namespace.clone()),
            ..ObjectMeta::default()
        };
        Ok(object)
    }

    /// Reads the node's status page through the API server, so that nothing but the API server has to be reachable.
    async fn ask(&self, pod: &str, (port, tls): (u16, bool)) -> Option<tim_proto::control::v1::StatusReply> {
        let scheme = if tls { "https:" } else { "" };
        let path = format!(
            "/api/v1/namespaces/{}/pods/{scheme}{pod}:{port}/proxy/status",
            self.namespace
        );
        let request = hyper::Request::get(path).body(Vec::new()).ok()?;
        let answer = tokio::time::timeout(NODE_ANSWER_MAX, self.client.request::<AdminStatus>(request)).await;
        answer.ok()?.ok().map(AdminStatus::reply)
    }
}

/// For how long the process in a pod has run.
fn runs_for(pod: &Pod) -> Option<Duration> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let running = statuses.first()?.state.as_ref()?.running.as_ref()?;
    let started = running.started_at.as_ref()?.0;
    Duration::try_from(Timestamp::now().duration_since(started)).ok()
}

fn replicas_patch(replicas: i32) -> serde_json::Value {
    serde_json::json!({"spec": {"replicas": replicas}})
}

async fn configuration(global: &Global) -> Outcome<(Config, String)> {
    let file = match Kubeconfig::read() {
        Ok(file) => file,
        Err(error) if global.context.is_none() => {
            // Inside a pod there is no kubeconfig, and none is needed.
            let inside = Config::incluster().map_err(|_| no_kubeconfig(&error))?;
            return Ok((inside, "in-cluster".into()));
        }
        Err(error) => return Err(no_kubeconfig(&error)),
    };
    let context = pick_context(global, &file)?;
    let options = KubeConfigOptions {
        context: Some(context.clone()),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(file, &options).await;
    Ok((config.map_err(|error| no_kubeconfig(&error))?, context))
}

fn pick_context(global: &Global, file: &Kubeconfig) -> Outcome<String> {
    let context = global
        .context
        .clone()
        .or_else(|| file.current_context.clone())
        .unwrap_or_default();
    let known: Vec<String> = file.contexts.iter().map(|known| known.name.clone()).collect();
    if known.contains(&context) {
        return Ok(context);
    }
    let observed = format!("there is no context \"{context}\". Known: {}", known.join(", "));
    Err(Failure::new(&command_line::UNKNOWN_CLUSTER, observed).exit(Exit::Usage))
}

fn no_kubeconfig(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::usage(format!("the kubeconfig cannot be used: {}", chain(error)))
        .remedy("set KUBECONFIG, or leave --context and --namespace out for a cluster of this machine")
}

#[async_trait]
impl Target for KubernetesTarget {
    fn describe(&self, cluster: &str) -> String {
        format!(
            "context {}, namespace {}, timcluster {cluster}",
            self.context, self.namespace
        )
    }

    async fn clusters(&self) -> Outcome<Vec<String>> {
        let list = self.clusters_api().list(&ListParams::default()).await;
        let list = list.map_err(|error| self.failure("list TimClusters", &error))?;
        Ok(list.iter().map(ResourceExt::name_any).collect())
    }

    async fn observe(&self, cluster: &str) -> Outcome<Observation> {
        let object = self.cluster(cluster).await?;
        let (api, parameters) = (self.repartitions_api(), ListParams::default());
        let repartitions = api.list(&parameters);
        let (pods, repartitions) = tokio::join!(self.pods(cluster), repartitions);
        let names = node_names(&object, &pods);
        let nodes = join_all(
            names
                .into_iter()
                .map(|name| self.observe_node(&object, name, &pods)),
        )
        .await;
        // Without the right to list them the rest is still worth showing.
        let repartitions = repartitions.map(|list| list.items).unwrap_or_default();
        Ok(observation(&object, nodes, &repartitions, self.describe(cluster)))
    }

    async fn check_changeable(&self, _cluster: &str) -> Outcome<()> {
        Ok(())
    }

    fn scale_patch(&self, cluster: &str, replicas: i32) -> Option<String> {
        let patch = replicas_patch(replicas);
        let namespace = &self.namespace;
        Some(format!(
            "kubectl -n {namespace} patch timcluster {cluster} --subresource scale --type merge -p '{patch}'"
        ))
    }

    async fn split_object(&self, cluster: &str, request: &SplitRequest) -> Outcome<Option<String>> {
        let object = self.repartition_object(cluster, request).await?;
        let mut value = serde_json::to_value(object).map_err(|error| Failure::unexpected(&error))?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("status");
        }
        let text = serde_yaml::to_string(&value).map_err(|error| Failure::unexpected(&error))?;
        Ok(Some(text.trim_end().to_owned()))
    }

    async fn scale(&self, cluster: &str, replicas: i32) -> Outcome<()> {
        let patch = replicas_patch(replicas);
        let parameters = PatchParams {
            field_manager: Some(labels::USER_MANAGER.into()),
            ..PatchParams::default()
        };
        let scaled = self
            .clusters_api()
            .patch_scale(cluster, &parameters, &Patch::Merge(patch))
            .await;
        scaled.map(drop).map_err(|error| self.failure("scale", &error))
    }

    fn new_database(&self, _observed: &Observation) -> Option<String> {
        None
    }

    async fn split(&self, cluster: &str, request: &SplitRequest) -> Outcome<String> {
        let object = self.repartition_object(cluster, request).await?;
        let parameters = PostParams {
            field_manager: Some(labels::USER_MANAGER.into()),
            ..PostParams::default()
        };
        let created = self.repartitions_api().create(&parameters, &object).await;
        created
            .map(|created| created.name_any())
            .map_err(|error| self.failure("create a TimRepartition", &error))
    }

    async fn repartition(&self, name: &str) -> Outcome<TimRepartition> {
        let found = self.repartitions_api().get(name).await;
        found.map_err(|error| self.failure("read the TimRepartition", &error))
    }
}

/// Wanted nodes, pods, and nodes of the status, by ordinal.
fn node_names(cluster: &TimCluster, pods: &BTreeMap<String, Pod>) -> Vec<String> {
    let name = cluster.name_any();
    let of_status = cluster
        .status
        .iter()
        .flat_map(|status| &status.nodes)
        .map(|node| node.name.as_str());
    let mut ordinals: Vec<u32> = pods
        .keys()
        .map(String::as_str)
        .chain(of_status)
        .filter_map(|node| names::ordinal(&name, node))
        .collect();
    ordinals.extend(0..u32::try_from(cluster.spec.replicas).unwrap_or(0));
    ordinals.sort_unstable();
    ordinals.dedup();
    ordinals
        .into_iter()
        .map(|ordinal| names::node(&name, ordinal))
        .collect()
}

fn observation(
    cluster: &TimCluster,
    nodes: Vec<NodeObservation>,
    repartitions: &[TimRepartition],
    target: String,
) -> Observation {
    let status = cluster.status.clone().unwrap_or_default();
    let current = status.observed_generation == cluster.metadata.generation;
    let own = repartitions
        .iter()
        .filter(|repartition| repartition.spec.cluster_ref.name == cluster.name_any());
    Observation {
        cluster: cluster.name_any(),
        cluster_id: cluster.cluster_id(),
        target,
        replicas: u32::try_from(cluster.spec.replicas).unwrap_or(0),
        paused: cluster
            .annotations()
            .get(labels::ANNOTATION_PAUSE)
            .is_some_and(|value| value == "true"),
        databases: tim_plan::node_config::databases(cluster)
            .into_iter()
            .map(|name| DeclaredDatabase {
                name,
                kind: String::new(),
            })
            .collect(),
        nodes,
        repartitions: own.filter_map(repartition_observation).collect(),
        conditions: status.conditions.iter().map(condition_observation).collect(),
        controller: if current {
            Controller::Current
        } else {
            Controller::Behind
        },
        image: cluster.spec.image.clone(),
    }
}

#[cfg(test)]
mod tests;
