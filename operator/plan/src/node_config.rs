//! `node.toml` from a TimCluster: what the substrate decides, what the spec says, and the user's additions over both.

use std::{net::SocketAddr, path::PathBuf};

use serde_json::Value as Json;
use tim_catalogue::{Report, configuration};
use tim_config::NodeConfig;
use tim_crds::{TimCluster, cluster::ListenerName};
use toml::{Table, Value, value::Array};

use crate::names;

/// What only the substrate knows.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Address of the client listener; the port is the spec's on Kubernetes, a free one on a laptop.
    pub client: SocketAddr,
    /// Address of the admin listener.
    pub admin: SocketAddr,
    /// Address for peers.
    pub peer: SocketAddr,
    /// Where other nodes may be, `host:port`.
    pub seeds: Vec<String>,
    /// Folder of the control group's state.
    pub data_directory: PathBuf,
    /// The key ring.
    pub keyring_file: PathBuf,
    /// The storage key.
    pub storage_key_file: PathBuf,
    /// Folder of certificates.
    pub tls_directory: PathBuf,
    /// Folder with one file per database that holds its DSN.
    pub dsn_directory: PathBuf,
    /// The node, where each has a file of its own; none: name and host come from the environment.
    pub node: Option<NodePlace>,
}

/// One node, where each has a file of its own.
#[derive(Debug, Clone)]
pub struct NodePlace {
    /// Its name.
    pub name: String,
    /// Host under which peers reach it.
    pub advertise_host: String,
}

/// Keys that the substrate or the spec's own fields decide; `config.inline` cannot set them.
const RESERVED: [&str; 14] = [
    "node.name",
    "node.cluster_id",
    "node.data_directory",
    "listeners.client",
    "listeners.admin",
    "listeners.peer",
    "listeners.advertise_host",
    "listeners.advertise_port",
    "trust.keyring_file",
    "trust.storage_key_file",
    "trust.tls_directory",
    "storage.databases",
    "storage.dsn_directory",
    "partitioning.layout",
];

/// Names of the databases of a cluster, in the order of the spec.
pub fn databases(cluster: &TimCluster) -> Vec<String> {
    if cluster.spec.databases.is_empty() {
        return vec![names::ONLY_DATABASE.to_owned()];
    }
    cluster
        .spec
        .databases
        .iter()
        .map(|database| database.name.clone())
        .collect()
}

/// Renders `node.toml`.
///
/// # Errors
/// `config.inline` has an unknown key (`TIM-C101`), a value of the wrong form, or a reserved key (`TIM-C102`). Nothing
/// was changed; it stays so until the spec is mended.
pub fn render(cluster: &TimCluster, surroundings: &Surroundings) -> Result<String, Report> {
    let mut table = own(cluster, surroundings);
    let inline = inline(cluster)?;
    if let Some(key) = RESERVED.iter().find(|key| holds(&inline, key)) {
        let observed =
            format!("spec.config.inline: {key} is decided by other fields of the spec, not by inline");
        return Err(Report::new(&configuration::INVALID_VALUE, observed)
            .with_remedy("take the key out of spec.config.inline"));
    }
    merge(&mut table, inline);
    let text = toml::to_string(&table).map_err(|error| invalid(&error.to_string()))?;
    check(&text)?;
    Ok(text)
}

/// Reads the text as the node will, so that a mistake shows before any node restarts.
fn check(text: &str) -> Result<(), Report> {
    match toml::from_str::<NodeConfig>(text) {
        Ok(_) => Ok(()),
        Err(error) if error.message().starts_with("unknown field") => Err(Report::new(
            &configuration::UNKNOWN_FIELD,
            format!("spec.config.inline: {}", first_line(error.message())),
        )),
        Err(error) => Err(invalid(first_line(error.message()))),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn invalid(reason: &str) -> Report {
    Report::new(
        &configuration::INVALID_VALUE,
        format!("spec.config.inline: {reason}"),
    )
}

/// What the spec and the substrate say. Only what differs from a default of the node belongs here: a release of the
/// operator must not freeze defaults of nodes.
fn own(cluster: &TimCluster, surroundings: &Surroundings) -> Table {
    let spec = &cluster.spec;
    let path = |path: &PathBuf| Value::from(path.display().to_string());
    let mut node = table([
        ("cluster_id", cluster.cluster_id().into()),
        ("data_directory", path(&surroundings.data_directory)),
    ]);
    let mut listeners = table([
        (
            "client",
            listener(surroundings.client, spec.listener(ListenerName::Client).tls),
        ),
        (
            "admin",
            listener(surroundings.admin, spec.listener(ListenerName::Admin).tls),
        ),
        ("peer", surroundings.peer.to_string().into()),
    ]);
    if let Some(place) = &surroundings.node {
        node.insert("name".into(), place.name.clone().into());
        listeners.insert("advertise_host".into(), place.advertise_host.clone().into());
    }
    let trust = table([
        ("keyring_file", path(&surroundings.keyring_file)),
        ("storage_key_file", path(&surroundings.storage_key_file)),
        ("tls_directory", path(&surroundings.tls_directory)),
    ]);
    let storage = table([
        ("databases", texts(databases(cluster))),
        ("dsn_directory", path(&surroundings.dsn_directory)),
    ]);
    let drain = table([
        ("timeout_seconds", spec.drain.timeout_seconds.into()),
        ("settle_seconds", spec.drain.settle_seconds.into()),
        ("connections_per_second", spec.drain.connections_per_second.into()),
    ]);
    let layout: Array = spec
        .partitioning
        .layout
        .iter()
        .map(|range| {
            table([
                ("from", i64::from(range.from).into()),
                ("database", range.database.clone().into()),
            ])
            .into()
        })
        .collect();
    let mut whole = table([
        ("node", node.into()),
        ("listeners", listeners.into()),
        ("trust", trust.into()),
        (
            "membership",
            table([("seeds", texts(surroundings.seeds.clone()))]).into(),
        ),
        ("storage", storage.into()),
        ("partitioning", table([("layout", Value::Array(layout))]).into()),
        ("drain", drain.into()),
    ]);
    if let Some(endpoint) = &spec.telemetry.otlp_endpoint {
        whole.insert(
            "telemetry".into(),
            table([("otlp_endpoint", endpoint.clone().into())]).into(),
        );
    }
    whole
}

fn listener(address: SocketAddr, tls: bool) -> Value {
    table([("address", address.to_string().into()), ("tls", tls.into())]).into()
}

fn texts(texts: Vec<String>) -> Value {
    Value::Array(texts.into_iter().map(Value::from).collect())
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn inline(cluster: &TimCluster) -> Result<Table, Report> {
    let mut table = Table::new();
    for (key, value) in &cluster.spec.config.inline {
        if let Some(value) = to_toml(value).map_err(|reason| invalid(&format!("{key}: {reason}")))? {
            table.insert(key.clone(), value);
        }
    }
    Ok(table)
}

/// TOML has no null: a null key counts as absent.
fn to_toml(value: &Json) -> Result<Option<Value>, &'static str> {
    Ok(Some(match value {
        Json::Null => return Ok(None),
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Value::Integer(integer),
            (None, Some(float)) => Value::Float(float),
            (None, None) => return Err("the number is too large"),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => {
            let items: Result<Vec<Option<Value>>, _> = items.iter().map(to_toml).collect();
            Value::Array(items?.into_iter().flatten().collect())
        }
        Json::Object(fields) => {
            let mut table = Table::new();
            for (key, field) in fields {
                if let Some(field) = to_toml(field)? {
                    table.insert(key.clone(), field);
                }
            }
            Value::Table(table)
        }
    }))
}

fn holds(table: &Table, dotted: &str) -> bool {
    match dotted.split_once('.') {
        Some((section, rest)) => {
            matches!(table.get(section), Some(Value::Table(inner)) if holds(inner, rest))
        }
        None => table.contains_key(dotted),
    }
}

fn merge(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tim_crds::TimClusterSpec;

    use super::*;

    fn surroundings() -> Surroundings {
        let any = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Surroundings {
            client: any(5080),
            admin: any(5082),
            peer: any(5083),
            seeds: vec!["chat-nodes:5083".into()],
            data_directory: "/data".into(),
            keyring_file: "/k/keyring.toml".into(),
            storage_key_file: "/s/storage.key".into(),
            tls_directory: "/tls".into(),
            dsn_directory: "/dsn".into(),
            node: Some(NodePlace {
                name: "chat-0".into(),
                advertise_host: "127.0.0.1".into(),
            }),
        }
    }

    fn cluster(spec: Json) -> anyhow::Result<TimCluster> {
        let spec: TimClusterSpec = serde_json::from_value(spec)?;
        let mut cluster = TimCluster::new("chat", spec);
        cluster.metadata.namespace = Some("eu".into());
        Ok(cluster)
    }

    #[test]
    fn the_node_takes_what_is_rendered() -> anyhow::Result<()> {
        let cluster = cluster(json!({
            "databases": [{"name": "d0", "dsnSecretRef": {"name": "s"}}],
            "partitioning": {"layout": [{"from": 0, "database": "d0"}]},
            "telemetry": {"otlpEndpoint": "http://c:4317"},
            "config": {"inline": {"storage": {"connections_max": 4}, "telemetry": {"log_filter": "debug"}}}
        }))?;
        let config: NodeConfig = toml::from_str(&render(&cluster, &surroundings())?)?;
        config.validate()?;
        assert_eq!(config.node.cluster_id, "eu.chat");
        assert_eq!(config.storage.databases, ["d0"]);
        assert_eq!(config.storage.connections_max, 4);
        assert_eq!(config.telemetry.otlp_endpoint, "http://c:4317");
        assert_eq!(config.telemetry.log_filter, "debug");
        assert_eq!(config.drain.timeout_seconds, 300);
        Ok(())
    }

    #[test]
    fn no_databases_means_one_sqlite_file() -> anyhow::Result<()> {
        let config: NodeConfig = toml::from_str(&render(&cluster(json!({}))?, &surroundings())?)?;
        assert_eq!(config.storage.databases, ["sqlite"]);
        Ok(())
    }

    #[test]
    fn mistakes_in_additions_show_before_any_node_restarts() -> anyhow::Result<()> {
        for (inline, code, part) in [
            (
                json!({"storage": {"connection_max": 4}}),
                "TIM-C101",
                "connection_max",
            ),
            (
                json!({"storage": {"connections_max": "four"}}),
                "TIM-C102",
                "four",
            ),
            (
                json!({"node": {"cluster_id": "other"}}),
                "TIM-C102",
                "node.cluster_id",
            ),
            (
                json!({"partitioning": {"layout": []}}),
                "TIM-C102",
                "partitioning.layout",
            ),
        ] {
            let cluster = cluster(json!({"config": {"inline": inline}}))?;
            let report = render(&cluster, &surroundings()).expect_err("refused");
            assert_eq!(report.cause().code, code, "{report}");
            assert!(report.observed().contains(part), "{report}");
        }
        Ok(())
    }
}
