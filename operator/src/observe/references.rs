//! What the spec refers to: Secrets with DSNs and configuration, and the repartitions of the cluster.

use crate::context::Context;
use crate::failure::Failure;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use std::collections::BTreeMap;
use tim_crds::{TimCluster, TimRepartition};
use tim_plan::observed::{Dsn, RepartitionSummary};

/// What each database's `dsnSecretRef` leads to. Of a DSN only the scheme is kept.
pub(crate) async fn databases(
    context: &Context,
    cluster: &TimCluster,
) -> Result<BTreeMap<String, Dsn>, Failure> {
    let mut found = BTreeMap::new();
    for database in &cluster.spec.databases {
        let reference = &database.dsn_secret_ref;
        let dsn = match secret(context, cluster, &reference.name).await? {
            None => Dsn::SecretMissing,
            Some(secret) => match text(&secret, &reference.key) {
                None => Dsn::KeyMissing,
                Some(dsn) => Dsn::Found {
                    scheme: dsn.split(':').next().unwrap_or_default().trim().to_owned(),
                },
            },
        };
        found.insert(database.name.clone(), dsn);
    }
    Ok(found)
}

/// A hash of what each of `config.secretRefs` holds, by `NAME/KEY`.
pub(crate) async fn config_secrets(
    context: &Context,
    cluster: &TimCluster,
) -> Result<BTreeMap<String, Option<String>>, Failure> {
    let mut found = BTreeMap::new();
    for reference in &cluster.spec.config.secret_refs {
        let content = secret(context, cluster, &reference.name)
            .await?
            .and_then(|secret| text(&secret, &reference.key));
        let hash = content.map(|content| tim_plan::intent::hash(&content));
        found.insert(format!("{}/{}", reference.name, reference.key), hash);
    }
    Ok(found)
}

/// The repartitions of this cluster that have not ended.
pub(crate) async fn repartitions(
    context: &Context,
    cluster: &TimCluster,
) -> Result<Vec<RepartitionSummary>, Failure> {
    let all =
        Api::<TimRepartition>::namespaced(context.client.clone(), &cluster.namespace().unwrap_or_default())
            .list(&ListParams::default())
            .await
            .map_err(Failure::api("list timrepartitions"))?;
    let name = cluster.name_any();
    let own = all
        .items
        .iter()
        .filter(|repartition| repartition.spec.cluster_ref.name == name);
    Ok(own.filter_map(RepartitionSummary::of).collect())
}

async fn secret(context: &Context, cluster: &TimCluster, name: &str) -> Result<Option<Secret>, Failure> {
    Api::<Secret>::namespaced(context.client.clone(), &cluster.namespace().unwrap_or_default())
        .get_opt(name)
        .await
        .map_err(Failure::api(format!("read Secret {name}")))
}

fn text(secret: &Secret, key: &str) -> Option<String> {
    let bytes = secret.data.as_ref()?.get(key)?;
    let text = String::from_utf8(bytes.0.clone()).ok()?;
    (!text.trim().is_empty()).then_some(text)
}
