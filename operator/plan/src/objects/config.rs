//! The ConfigMap: node.toml, the same for all nodes; name and address of each come from its environment.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use tim_catalogue::Report;
use tim_crds::cluster::{ListenerName, PEER_PORT};

use super::{Source, meta::metadata, paths};
use crate::{
    names,
    node_config::{Surroundings, render},
    trust,
};

/// Key and file of the configuration.
pub(super) const NODE_TOML: &str = "node.toml";
/// Key of the only database's DSN, where none is declared.
pub(super) const ONLY_DSN: &str = "only-dsn";

pub(super) fn config_map(source: &Source<'_>) -> Result<Value, Report> {
    let cluster = source.cluster;
    let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let namespace = cluster.metadata.namespace.as_deref().unwrap_or("default");
    let text = render(
        cluster,
        &Surroundings {
            client: any(cluster.spec.listener(ListenerName::Client).port),
            admin: any(cluster.spec.listener(ListenerName::Admin).port),
            peer: any(PEER_PORT),
            seeds: vec![format!(
                "{}.{namespace}.svc:{PEER_PORT}",
                names::nodes_service(&source.intent.name)
            )],
            data_directory: paths::DATA.into(),
            keyring_file: format!("{}/{}", paths::CLUSTER, trust::KEY_RING_FILE).into(),
            storage_key_file: format!("{}/{}", paths::STORAGE, trust::STORAGE_KEY_FILE).into(),
            tls_directory: paths::TLS.into(),
            dsn_directory: paths::DATABASES.into(),
            node: None,
        },
    )?;
    let mut data = json!({NODE_TOML: text});
    if cluster.spec.databases.is_empty() {
        data[ONLY_DSN] = format!("sqlite:{}/{}.db", paths::DATA, names::ONLY_DATABASE).into();
    }
    Ok(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(source, &names::config_map(&source.intent.name)),
        "data": data,
    }))
}
