//! The two controllers, one pair per watched namespace, until the process is told to stop.

mod cluster;
mod repartition;
mod status;

use crate::context::Context;
use crate::settings::Settings;
use anyhow::Context as _;
use futures::StreamExt as _;
use futures::future::join_all;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Controller, watcher};
use kube::{Client, ResourceExt as _};
use std::sync::Arc;
use std::time::Duration;
use tim_crds::{TimCluster, TimRepartition, labels};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Changes of one object within this time are one reconcile.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// Shortest and longest wait after failures in a row.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_LONGEST: Duration = Duration::from_secs(120);

/// A token that is cancelled when the process is asked to stop.
pub(crate) fn stop_token() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to stop: reconciles under way are finished");
        stop.cancel();
    });
    Ok(token)
}

/// Runs all controllers until `stop`.
pub(crate) async fn run(context: Arc<Context>, settings: &Settings, stop: CancellationToken) {
    let namespaces: Vec<Option<&str>> = match settings.watch_namespaces.as_slice() {
        [] => vec![None],
        some => some.iter().map(|namespace| Some(namespace.trim())).collect(),
    };
    let concurrency = settings.concurrency;
    let all = namespaces.into_iter().map(|namespace| {
        let scope = Scope {
            client: context.client.clone(),
            namespace: namespace.map(str::to_owned),
        };
        let clusters = clusters(Arc::clone(&context), &scope, concurrency, stop.clone());
        let repartitions = repartitions(Arc::clone(&context), &scope, concurrency, stop.clone());
        futures::future::join(clusters, repartitions)
    });
    join_all(all).await;
}

/// One namespace, or all of them.
struct Scope {
    client: Client,
    namespace: Option<String>,
}

impl Scope {
    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }
}

fn clusters(
    context: Arc<Context>,
    scope: &Scope,
    concurrency: u16,
    stop: CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let ours =
        watcher::Config::default().labels(&format!("{}={}", labels::LABEL_MANAGED_BY, labels::MANAGER));
    let controller = Controller::new(scope.api::<TimCluster>(), watcher::Config::default());
    let known = controller.store();
    controller
        .with_config(Config::default().debounce(DEBOUNCE).concurrency(concurrency))
        .owns(scope.api::<StatefulSet>(), ours.clone())
        .watches(
            scope.api::<PartialObjectMeta<Secret>>(),
            watcher::Config::default(),
            move |secret| {
                let users = known.state().into_iter().filter(|cluster| uses(cluster, &secret));
                users
                    .map(|cluster| ObjectRef::from_obj(&*cluster))
                    .collect::<Vec<_>>()
            },
        )
        .watches(scope.api::<PartialObjectMeta<Pod>>(), ours, |pod| {
            let instance = pod.labels().get(labels::LABEL_INSTANCE)?.clone();
            Some(ObjectRef::new(&instance).within(&pod.namespace()?))
        })
        .watches(
            scope.api::<TimRepartition>(),
            watcher::Config::default(),
            |repartition| {
                Some(ObjectRef::new(&repartition.spec.cluster_ref.name).within(&repartition.namespace()?))
            },
        )
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(cluster::reconcile, on_failure, context)
        .for_each(|_| futures::future::ready(()))
}

fn repartitions(
    context: Arc<Context>,
    scope: &Scope,
    concurrency: u16,
    stop: CancellationToken,
) -> impl Future<Output = ()> + use<> {
    Controller::new(scope.api::<TimRepartition>(), watcher::Config::default())
        .with_config(Config::default().debounce(DEBOUNCE).concurrency(concurrency))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(repartition::reconcile, on_failure, context)
        .for_each(|_| futures::future::ready(()))
}

/// Whether a Secret is one that a cluster refers to, or one that was made for it.
fn uses(cluster: &TimCluster, secret: &PartialObjectMeta<Secret>) -> bool {
    if cluster.namespace() != secret.namespace() {
        return false;
    }
    let name = secret.name_any();
    let spec = &cluster.spec;
    spec.databases
        .iter()
        .any(|database| database.dsn_secret_ref.name == name)
        || spec
            .config
            .secret_refs
            .iter()
            .any(|reference| reference.name == name)
        || tim_plan::SecretKind::ALL
            .iter()
            .any(|kind| tim_plan::names::secret(&cluster.name_any(), *kind) == name)
}

/// Waits longer after each failure in a row; what somebody else wrote first is looked at again at once.
fn on_failure<K: kube::Resource>(
    object: Arc<K>,
    failure: &crate::failure::Failure,
    context: Arc<Context>,
) -> Action {
    let uid = object.meta().uid.clone().unwrap_or_default();
    let mut failures = context.failures.lock();
    let count = failures.entry(uid).or_default();
    *count = count.saturating_add(1);
    if failure.is_conflict() && *count <= 3 {
        return Action::requeue(Duration::from_millis(100));
    }
    let wait = BACKOFF_FIRST
        .saturating_mul(2_u32.saturating_pow(*count - 1))
        .min(BACKOFF_LONGEST);
    Action::requeue(wait)
}
