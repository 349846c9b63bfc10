use super::*;
use crate::directory::LocalDirectory;
use std::net::TcpListener;

fn launcher(folder: &Path, port: Option<u16>) -> Launcher {
    let directory = LocalDirectory::of(folder).cluster("chat");
    let trust = TrustFiles::new(directory.clone(), "default.chat".into());
    Launcher::new(directory, trust, "/bin/sleep".into(), port)
}

fn cluster() -> TimCluster {
    TimCluster::new(
        "chat",
        tim_crds::TimClusterSpec {
            replicas: 1,
            ..Default::default()
        },
    )
}

fn cluster_at(port: u16) -> TimCluster {
    let mut cluster = cluster();
    let mut listener = tim_crds::cluster::Listener::default_of(ListenerName::Client);
    listener.port = port;
    cluster.spec.listeners = vec![listener];
    cluster
}

#[test]
fn ports_of_the_last_life_are_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    let launcher = launcher(folder.path(), None);
    let (first, _) = launcher.ports(&cluster(), 1, None, &BTreeSet::new()).unwrap();
    let (again, notes) = launcher
        .ports(&cluster(), 1, Some(first), &BTreeSet::new())
        .unwrap();
    assert_eq!(first, again);
    assert!(notes.is_empty());
    let taken = BTreeSet::from([first.client]);
    let (other, _) = launcher.ports(&cluster(), 1, Some(first), &taken).unwrap();
    assert_ne!(other.client, first.client, "another node has it now");
}

#[test]
fn a_taken_port_is_said_and_another_one_taken() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind(port::loopback(0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (ports, notes) = launcher(folder.path(), None)
        .ports(&cluster_at(port), 0, None, &BTreeSet::new())
        .unwrap();
    assert_ne!(ports.client, port);
    let said = notes.join("; ");
    let process = format!("{port} is used by process {}", std::process::id());
    assert!(
        said.contains(&process) && said.contains(&format!("took {}", ports.client)),
        "{said}"
    );
}

#[test]
fn an_insisted_port_that_is_taken_is_refused_naming_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind(port::loopback(0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = launcher(folder.path(), Some(port))
        .ports(&cluster(), 0, None, &BTreeSet::new())
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("TIM-L102") && text.contains(&std::process::id().to_string()),
        "{text}"
    );
}

#[test]
fn a_mistake_in_the_configuration_shows_before_any_node_starts() {
    let folder = tempfile::tempdir().unwrap();
    let launcher = launcher(folder.path(), None);
    assert_eq!(launcher.problem(&cluster()), None);
    let mut configured = cluster();
    configured
        .spec
        .config
        .inline
        .insert("sessions".into(), serde_json::json!({"nonsense": 1}));
    assert_eq!(launcher.problem(&configured).unwrap().cause().code, "TIM-C101");
}

#[test]
fn a_rebuilt_program_is_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("tim-node");
    std::fs::write(&program, "one").unwrap();
    let first = program_identity(&program);
    assert_eq!(program_identity(&program), first);
    std::fs::write(&program, "another").unwrap();
    assert_ne!(program_identity(&program), first);
}

#[test]
fn the_configuration_is_one_that_nodes_accept() {
    let folder = tempfile::tempdir().unwrap();
    let launcher = launcher(folder.path(), None);
    let ports = Ports {
        client: 20_001,
        admin: 20_002,
        peer: 20_003,
    };
    launcher
        .write_configuration(&cluster(), "chat-0", ports, vec!["127.0.0.1:20003".into()])
        .unwrap();
    let path = folder.path().join(".tim/chat/nodes/chat-0/node.toml");
    let config = tim_config::load(&[path], &std::collections::BTreeMap::new()).unwrap();
    assert_eq!(config.node.name, "chat-0");
    assert_eq!(config.drain.settle_seconds, 0, "no load balancer to wait for");
    assert!(!config.telemetry.log_json);
}
