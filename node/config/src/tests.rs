use super::*;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn file(text: &str) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.toml");
    std::fs::write(&path, text).unwrap();
    (folder, vec![path])
}

const SMALL: &str =
    "[node]\nname = \"chat-0\"\ncluster_id = \"default.chat\"\n[storage]\ndatabases = [\"d0\", \"d1\"]\n";

fn error_of(text: &str) -> String {
    let (_folder, files) = file(text);
    load(&files, &BTreeMap::new()).unwrap_err().to_string()
}

#[test]
fn later_sources_win() {
    let (_folder, mut files) = file(&format!("{SMALL}connections_max = 4\n"));
    let (_other, more) = file("[sessions]\nping_timeout_seconds = 77\n");
    files.extend(more);
    let environment = BTreeMap::from([
        (String::from("TIM_STORAGE__CONNECTIONS_MAX"), String::from("9")),
        (String::from("TIM_NODE__NAME"), String::from("chat-7")),
        (String::from("TIM_UNRELATED"), String::from("x")),
    ]);
    let config = load(&files, &environment).unwrap();
    assert_eq!(
        (
            config.storage.connections_max,
            config.sessions.ping_timeout_seconds
        ),
        (9, 77)
    );
    assert_eq!(config.node.name, "chat-7");
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one() {
    let message = error_of(&format!("{SMALL}[sessions]\nping_timeout_second = 5\n"));
    assert!(message.starts_with("TIM-C101 "), "{message}");
    assert!(
        message.contains("sessions.ping_timeout_second is not a key"),
        "{message}"
    );
    assert!(
        message.contains("did you mean sessions.ping_timeout_seconds?"),
        "{message}"
    );
}

#[test]
fn an_unknown_key_in_the_environment_is_refused_too() {
    let (_folder, files) = file(SMALL);
    let environment = BTreeMap::from([(String::from("TIM_STORAGE__CONNECTION_MAX"), String::from("9"))]);
    let message = load(&files, &environment).unwrap_err().to_string();
    assert!(
        message.contains("did you mean storage.connections_max?"),
        "{message}"
    );
}

#[test]
fn values_outside_their_range_are_named_with_the_valid_set() {
    let message = error_of(&format!("{SMALL}connections_max = 1\n"));
    assert_eq!(
        message,
        "TIM-C102 storage.connections_max: \"1\"; valid: 2 to 1000. try: use one of the values that the message lists"
    );
    assert!(error_of(&format!("{SMALL}connections_max = \"many\"\n")).contains("storage.connections_max"));
    assert!(error_of("[node]\nname = \"a\"\n").contains("node.cluster_id is not set"));
    assert!(
        error_of(&format!(
            "{SMALL}[partitioning]\nlayout = [{{from = 5, database = \"d0\"}}]\n"
        ))
        .contains("from 0")
    );
    assert!(
        error_of(&format!(
            "{SMALL}[partitioning]\nlayout = [{{from = 0, database = \"d7\"}}]\n"
        ))
        .contains("d0, d1")
    );
}

#[test]
fn what_every_session_needs_cannot_be_switched_off() {
    let (_folder, files) = file(&format!("{SMALL}[sessions]\ncommands_off = [22, 94]\n"));
    let config = load(&files, &BTreeMap::new()).unwrap();
    assert_eq!(config.sessions.commands_off, [22, 94]);
    for number in [12, 13, 16, 77] {
        let message = error_of(&format!("{SMALL}[sessions]\ncommands_off = [22, {number}]\n"));
        assert!(
            message.contains(&format!("sessions.commands_off: \"{number}\"; valid: 14, 15")),
            "{message}"
        );
    }
}

#[test]
fn ids_have_one_seed_and_one_form() {
    let accounts = |text: &str| format!("{SMALL}[accounts]\n{text}\n");
    let message = error_of(&accounts("seed = 7\nmask_seed = \"j\""));
    assert!(
        message.contains("accounts.seed: \"7\"; valid: 0 while"),
        "{message}"
    );
    let (_folder, files) = file(&accounts("ids = \"names\"\nseed = 9589443"));
    let config = load(&files, &BTreeMap::new()).unwrap().accounts;
    assert_eq!((config.ids, config.seed), (AccountIds::Names, 9_589_443));
    assert!(error_of(&accounts("ids = \"other\"")).contains("accounts.ids"));
}

#[test]
fn broken_toml_names_file_and_line() {
    let message = error_of("[node]\nname = \n");
    assert!(
        message.starts_with("TIM-C103 ") && message.contains("node.toml:2:"),
        "{message}"
    );
}

#[test]
fn databases_share_the_slots_evenly_without_a_layout() {
    let databases: Vec<String> = ["a", "b", "c", "d"].map(String::from).to_vec();
    let ranges = Partitioning::default().ranges(&databases);
    assert_eq!(
        ranges.iter().map(|range| range.from).collect::<Vec<_>>(),
        [0, 262_144, 524_288, 786_432]
    );
}

#[test]
fn the_dump_hides_secrets_and_can_be_read_back() {
    let (_folder, files) = file(&format!(
        "{SMALL}[accounts]\nsalt = \"canary-salt\"\nmask_seed = \"canary-seed\"\n"
    ));
    let config = load(&files, &BTreeMap::new()).unwrap();
    let dump = config.dump().unwrap();
    assert!(!dump.contains("canary"), "{dump}");
    let (_again, files) = file(&dump);
    assert_eq!(load(&files, &BTreeMap::new()).unwrap().storage, config.storage);
}

#[cfg(feature = "schema")]
#[test]
fn the_reference_describes_every_key() {
    let sections = reference::sections();
    let keys: Vec<_> = sections.iter().flat_map(|section| &section.keys).collect();
    assert!(
        keys.iter()
            .any(|key| key.path == "listeners.client.address" && key.default == "\"0.0.0.0:5080\"")
    );
    assert!(keys.len() > 50);
    for key in keys {
        assert!(!key.description.is_empty(), "{} has no description", key.path);
    }
}
