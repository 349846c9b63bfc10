use super::*;
use crate::terminal::width;
use std::path::PathBuf;
use tim_crds::cluster::{Database, SecretKey};
use tim_crds::{TimCluster, TimClusterSpec};
use tim_local::node_record::{Life, NodeRecord, Ports};
use tim_local::process::ProcessId;
use tim_proto::control::v1::{PartitionMap, Range, StatusReply};

fn node(name: &str, client: u16, notes: &[&str]) -> NodeView {
    let range = |from, database: &str| Range {
        from,
        database: database.into(),
        epoch: 1,
    };
    NodeView {
        name: name.into(),
        wanted: true,
        running: true,
        record: Some(NodeRecord {
            ports: Ports {
                client,
                admin: client + 2,
                peer: client + 3,
            },
            client_tls: false,
            admin_tls: false,
            port_notes: notes.iter().map(|note| (*note).to_owned()).collect(),
            trouble: None,
            life: Some(Life {
                process: ProcessId {
                    pid: 41_221,
                    start_ticks: 1,
                },
                revision: "r".into(),
                started: jiff::Timestamp::UNIX_EPOCH,
            }),
        }),
        reply: Some(StatusReply {
            map: Some(PartitionMap {
                version: 1,
                ranges: vec![range(0, "d0"), range(524_288, "d1")],
            }),
            ..StatusReply::default()
        }),
    }
}

fn view() -> ClusterView {
    let mut cluster = TimCluster::new(
        "chat",
        TimClusterSpec {
            replicas: 3,
            ..TimClusterSpec::default()
        },
    );
    cluster.spec.databases = vec![Database {
        name: "d0".into(),
        dsn_secret_ref: SecretKey {
            name: "chat-d0".into(),
            key: "dsn".into(),
        },
    }];
    ClusterView {
        cluster,
        supervisor: None,
        nodes: vec![
            node(
                "chat-0",
                43_101,
                &[
                    "5080 is used by process 3312 (nginx): took 43101",
                    "--port insists",
                ],
            ),
            node("chat-1", 43_117, &[]),
        ],
        places: vec![Place {
            name: "d0".into(),
            location: Location::File(PathBuf::from("d0.db")),
        }],
        repartitions: Vec::new(),
    }
}

fn context() -> Context {
    Context {
        command: "cargo tim",
        folder: ".tim/chat".into(),
        file: "examples/chat.yaml".into(),
        detached: false,
    }
}

#[test]
fn the_block_says_where_and_what_next() {
    let text = lines(&view(), &context()).join("\n");
    for part in [
        "chat-1  41221  ws://127.0.0.1:43117/tim  http://127.0.0.1:43119",
        "chat-0: 5080 is used by process 3312 (nginx): took 43101; --port insists",
        "data   .tim/chat/data",
        "(cargo tim logs -f)",
        "d0: SQLite files in .tim/chat/data",
        "cargo tim chat --as alice bob",
        "open http://127.0.0.1:43101/chat",
        "kill -9 41221",
        "cargo tim scale chat --replicas 5",
        "cargo tim split chat --at 262144",
        "Ctrl-C stops the cluster and keeps its data.",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn no_line_is_wider_than_the_limit_however_long_the_names() {
    let mut view = view();
    let long = "a".repeat(40);
    view.cluster.metadata.name = Some(long.clone());
    for node in &mut view.nodes {
        node.name = format!("{long}-0");
    }
    let context = Context {
        folder: format!(".tim/{long}"),
        file: format!("{long}/{long}.yaml"),
        ..context()
    };
    for line in lines(&view, &context) {
        assert!(width(&line) <= WIDTH_MAX, "{} columns: {line}", width(&line));
    }
}

#[test]
fn a_cluster_on_one_file_is_not_told_to_scale_or_split() {
    let mut view = view();
    view.cluster.spec.databases.clear();
    view.nodes.truncate(1);
    let text = lines(&view, &context()).join("\n");
    assert!(
        !text.contains("scale") && !text.contains("split") && !text.contains("kill"),
        "{text}"
    );
}
