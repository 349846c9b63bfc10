//! The frame of every command: streams, colour, exit codes, targets. No node runs here.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod common;

use common::{Place, Running, schema};
use std::fs::File;
use std::io::Read;
use std::process::{Command, Output, Stdio};
use tim_crds::TimCluster;
use tim_local::directory::LocalDirectory;
use tim_local::objects::ObjectStore;

/// A folder with a cluster that is known and does not run.
fn stopped_cluster() -> Place {
    let place = Place::with_example();
    let text = std::fs::read_to_string(place.file()).unwrap();
    let documents = tim_crds::document::read("chat.yaml", &text).unwrap();
    let tim_crds::document::Object::Cluster(cluster) = documents.objects[0].object.clone() else {
        panic!("the example is a cluster");
    };
    let directory = LocalDirectory::of(place.folder.path());
    ObjectStore::new(directory.objects())
        .add::<TimCluster>(*cluster)
        .unwrap();
    place
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Every verb, and more ways to call it than one.
const CALLS: [&[&str]; 33] = [
    &[],
    &["--help"],
    &["--version"],
    &["version"],
    &["version", "--output", "yaml"],
    &["help"],
    &["help", "up"],
    &["help", "exit-codes"],
    &["help", "nonsense"],
    &["explain"],
    &["explain", "TIM-S103"],
    &["explain", "4104", "--output", "json"],
    &["explain", "TIM-X999"],
    &["completion", "bash"],
    &["man"],
    &["up", "chat.yaml", "--dry-run"],
    &["down", "--dry-run"],
    &["split", "chat", "--at", "100", "--dry-run"],
    &["up", "missing.yaml"],
    &["up", "--help"],
    &["down"],
    &["status"],
    &["status", "--output", "wide", "--verbose"],
    &["status", "--output", "name"],
    &["status", "nobody"],
    &["scale", "chat", "--replicas", "2", "--dry-run"],
    &["split", "chat", "--at", "100"],
    &["chat", "--as", "alice", "bob"],
    &[
        "chat",
        "--as",
        "alice",
        "bob",
        "--url",
        "wss://127.0.0.1:9/tim",
        "--ca",
        "missing.pem",
    ],
    &["url"],
    &["bench", "--duration", "1s"],
    &["logs"],
    &["accounts", "import", "nobody.ndjson", "--dry-run"],
];

#[test]
fn no_verb_is_left_out_of_the_calls() {
    for verb in tim_cli::arguments::command().get_subcommands() {
        let name = verb.get_name();
        assert!(CALLS.iter().any(|call| call.first() == Some(&name)), "{name}");
    }
}

#[test]
fn no_command_writes_escape_codes_or_spinners_into_a_pipe() {
    let place = stopped_cluster();
    for call in CALLS {
        let text = text(&place.run(call));
        assert!(
            !text.contains('\u{1b}') && !text.contains('\r'),
            "tim {call:?}\n{text}"
        );
        assert!(!text.is_empty() || call == ["logs"], "tim {call:?} says nothing");
    }
}

#[test]
fn without_utf8_every_command_writes_ascii_only() {
    let place = stopped_cluster();
    for call in CALLS {
        let output = place.tim(call).env("LC_ALL", "C").output().unwrap();
        assert!(text(&output).is_ascii(), "tim {call:?}\n{}", text(&output));
    }
}

#[test]
fn colour_can_be_forced_and_forbidden() {
    let place = stopped_cluster();
    let forced = place.run(&["status", "--color", "always"]);
    assert!(text(&forced).contains('\u{1b}'));
    // Asked for on the command line it wins over the environment, which speaks of everything.
    let forbidden = place.tim(&["status", "--color", "never"]).output().unwrap();
    assert!(!text(&forbidden).contains('\u{1b}'));
}

/// Everything that a command writes when a terminal is in front of it.
fn on_terminal(mut command: Command) -> String {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let shown = File::from(terminal.slave);
    command.stdout(shown.try_clone().unwrap()).stderr(shown);
    let mut child = command.spawn().unwrap();
    // The command holds the terminal's other side open.
    drop(command);
    let mut text = Vec::new();
    // A terminal ends with an error when nobody holds its other side any more.
    let _ = File::from(terminal.master).read_to_end(&mut text);
    child.wait().unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn a_terminal_is_shown_no_colour_that_it_or_its_user_does_not_want() {
    let place = stopped_cluster();
    let shown = |call: &[&str], name: &str, value: &str| {
        let mut command = place.tim(call);
        command.env(name, value);
        on_terminal(command)
    };
    assert!(shown(&["status"], "TERM", "xterm-256color").contains("\u{1b}["));
    for call in CALLS {
        for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
            let text = shown(call, name, value);
            assert!(!text.contains("\u{1b}["), "{name}={value} tim {call:?}\n{text}");
        }
    }
}

#[test]
fn no_line_is_wider_than_110_columns() {
    let place = stopped_cluster();
    for call in CALLS
        .iter()
        .filter(|call| !matches!(call.first(), Some(&"completion" | &"man")))
    {
        for line in text(&place.run(call)).lines() {
            // Messages of errors are one line however long; tables and help are not.
            let is_error = line.contains("TIM-");
            assert!(is_error || line.chars().count() <= 110, "tim {call:?}: {line}");
        }
    }
}

#[test]
fn results_go_to_standard_output_and_errors_to_standard_error() {
    let place = stopped_cluster();
    let good = place.run(&["explain", "TIM-S103"]);
    assert!(!good.stdout.is_empty() && good.stderr.is_empty());
    let bad = place.run(&["explain", "TIM-X999"]);
    assert!(bad.stdout.is_empty());
    assert!(String::from_utf8_lossy(&bad.stderr).starts_with("TIM-L105 "));
}

#[test]
fn every_failure_begins_with_a_code_that_can_be_explained() {
    let place = stopped_cluster();
    let calls: [&[&str]; 15] = [
        &["up", "missing.yaml"],
        &["up", "chat.yaml", "--port", "0"],
        &["up", "--nonsense"],
        &["down", "nobody"],
        &["status", "nobody"],
        &["status", "--dir", "elsewhere"],
        &["status", "--context", "nowhere"],
        &["scale", "chat"],
        &["scale", "chat", "--replicas", "5"],
        &["split", "chat", "--at", "100", "--yes"],
        &["chat", "--as", "alice", "bob"],
        &["chat", "--as", "alice", "bob", "--url", "wss://127.0.0.1:9/tim"],
        &["logs", "nobody"],
        &["explain", "nonsense"],
        &["help", "nonsense"],
    ];
    for call in calls {
        let output = place.tim(call).env("KUBECONFIG", "/nowhere").output().unwrap();
        assert_ne!(output.status.code(), Some(0), "tim {call:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = said
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .find(|word| word.starts_with("TIM-"));
        let code = code.unwrap_or_else(|| panic!("tim {call:?} says no code: {said}"));
        assert_eq!(place.exit_code(&["explain", code]), 0, "{code}");
        assert!(said.contains(" try: "), "tim {call:?} says no remedy: {said}");
    }
}

#[test]
fn every_code_is_explained_offline() {
    let place = Place::empty();
    let explained = |code: &str| {
        let output = place.run(&["explain", code]);
        assert_eq!(output.status.code(), Some(0), "{code}");
        // Lines are wrapped where they end on the screen.
        let words: Vec<String> = text(&output).split_whitespace().map(str::to_owned).collect();
        words.join(" ")
    };
    for cause in tim_catalogue::all() {
        let said = explained(cause.code);
        for part in [cause.code, cause.what, cause.why, cause.meaning, cause.remedy] {
            assert!(said.contains(part), "{}: {part}\n{said}", cause.code);
        }
    }
    for code in tim_catalogue::wire::ALL {
        let said = explained(&code.code.to_string());
        assert!(said.contains(code.meaning), "{}: {said}", code.code);
    }
}

#[test]
fn each_exit_code_is_reached() {
    let place = stopped_cluster();
    let empty = Place::empty();
    assert_eq!(place.exit_code(&["version"]), 0);
    assert_eq!(place.exit_code(&["explain", "TIM-X999"]), 1);
    assert_eq!(place.exit_code(&["stauts"]), 2);
    assert_eq!(empty.exit_code(&["status"]), 2);
    assert_eq!(place.exit_code(&["status"]), 3, "it answered, and nothing runs");
    assert_eq!(
        place.exit_code(&["status", "--wait-for", "healthy", "--timeout", "300ms"]),
        4
    );
    std::fs::create_dir_all(place.folder.path().join(".tim/chat/data")).unwrap();
    common::ensure_node_program();
    assert_eq!(
        place.exit_code(&["up", "--fresh"]),
        5,
        "data would be thrown away and nobody can be asked"
    );
    let mut watching = place.start(&["status", "--watch"]);
    watching.await_output("chat UNAVAILABLE");
    watching.signal("-INT");
    assert_eq!(watching.await_end().code(), Some(130));
    let listed = place.run(&["help", "exit-codes"]);
    for code in ["0", "1", "2", "3", "4", "5", "130"] {
        assert!(
            text(&listed)
                .lines()
                .any(|line| line.trim_start().starts_with(code)),
            "{code} is listed"
        );
    }
}

#[test]
fn unknown_names_end_with_exit_2_and_the_known_ones() {
    let place = stopped_cluster();
    let unknown = place.run(&["status", "chatt"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown).contains("Known: chat"), "{}", text(&unknown));
    let directory = place.run(&["status", "--dir", "elsewhere"]);
    assert_eq!(directory.status.code(), Some(2));
    assert!(
        text(&directory).contains("TIM-L101 elsewhere holds no .tim"),
        "{}",
        text(&directory)
    );
    std::fs::create_dir(place.folder.path().join("below")).unwrap();
    let below = place.run(&["status", "--dir", "below"]);
    assert!(text(&below).contains("There is one in"), "{}", text(&below));
    let kubeconfig = place.folder.path().join("kubeconfig");
    let contexts =
        "apiVersion: v1\nkind: Config\ncontexts:\n- {name: prod-eu, context: {cluster: c, user: u}}\n";
    std::fs::write(&kubeconfig, contexts).unwrap();
    let context = place
        .tim(&["status", "--context", "prod"])
        .env("KUBECONFIG", &kubeconfig)
        .output()
        .unwrap();
    assert_eq!(context.status.code(), Some(2));
    assert!(text(&context).contains("Known: prod-eu"), "{}", text(&context));
}

#[test]
fn a_misspelt_verb_or_option_gets_the_nearest() {
    let place = Place::empty();
    let verb = text(&place.run(&["stauts"]));
    assert!(
        verb.starts_with("TIM-L106 there is no verb \"stauts\"; did you mean status? try: "),
        "{verb}"
    );
    let option = text(&place.run(&["status", "--outptu", "json"]));
    assert!(option.contains("did you mean --output?"), "{option}");
    let topic = text(&place.run(&["help", "exit-code"]));
    assert!(topic.contains("did you mean exit-codes?"), "{topic}");
}

#[test]
fn changing_commands_say_what_they_act_on_first_and_a_dry_run_changes_nothing() {
    let place = stopped_cluster();
    let object = place.folder.path().join(".tim/objects/TimCluster/chat.yaml");
    let before = std::fs::read(&object).unwrap();
    let dry = place.run(&["scale", "chat", "--replicas", "5", "--dry-run"]);
    assert!(
        String::from_utf8_lossy(&dry.stderr).starts_with("local cluster chat in .tim/"),
        "{}",
        text(&dry)
    );
    assert!(text(&dry).contains("replicas 3 → 5"));
    assert_eq!(std::fs::read(&object).unwrap(), before);
    // The file differs from the object by then, so that there is something to tell.
    place.edit("replicas: 3", "replicas: 4");
    let calls: [(&[&str], &str); 3] = [
        (&["up", "chat.yaml", "--dry-run", "--fresh"], "replicas 3 → 4"),
        (&["down", "chat", "--dry-run"], "nothing runs"),
        (&["down", "--dry-run"], "nothing runs"),
    ];
    for (call, wanted) in calls {
        let dry = place.run(call);
        assert_eq!(dry.status.code(), Some(0), "{}", text(&dry));
        assert!(
            String::from_utf8_lossy(&dry.stderr).starts_with("local cluster chat in .tim/"),
            "{}",
            text(&dry)
        );
        assert!(text(&dry).contains(wanted), "{call:?}: {}", text(&dry));
        assert_eq!(std::fs::read(&object).unwrap(), before);
    }
    let refused = place.run(&["scale", "chat", "--replicas", "5"]);
    assert!(
        text(&refused).contains("TIM-L117"),
        "nobody would carry it out: {}",
        text(&refused)
    );
    assert_eq!(std::fs::read(&object).unwrap(), before);
}

#[test]
fn documents_of_every_reading_command_fit_their_committed_schema() {
    let place = stopped_cluster();
    let calls: [(&str, &[&str]); 4] = [
        ("version.schema.json", &["version"]),
        ("explain.schema.json", &["explain"]),
        ("explain.schema.json", &["explain", "4104"]),
        ("status.schema.json", &["status"]),
    ];
    for (name, call) in calls {
        for locale in ["C", "C.UTF-8"] {
            let output = place
                .tim(call)
                .args(["--output", "json"])
                .env("LC_ALL", locale)
                .output()
                .unwrap();
            let document = serde_json::from_slice(&output.stdout).unwrap();
            let wrong = schema::violations(&schema::committed(name), &document);
            assert!(wrong.is_empty(), "{call:?} {wrong:?}");
        }
        let yaml = place.tim(call).args(["--output", "yaml"]).output().unwrap();
        let document: serde_json::Value = serde_yaml::from_slice(&yaml.stdout).unwrap();
        assert!(schema::violations(&schema::committed(name), &document).is_empty());
    }
}

#[test]
fn mistakes_in_a_file_are_told_with_line_and_nearest_name_and_nothing_is_made() {
    let place = Place::with_example();
    place.edit("replicas: 3", "replica: 3");
    let output = place.run(&["up", "chat.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    assert!(
        said.starts_with("TIM-C101 chat.yaml:") && said.contains("did you mean spec.replicas?"),
        "{said}"
    );
    assert!(!place.folder.path().join(".tim").exists());
}

#[test]
fn a_dry_run_in_an_empty_folder_leaves_it_empty() {
    let place = Place::empty();
    let output = place.run(&["up", "--dry-run"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 0);
}

#[test]
fn manual_pages_are_written_for_every_verb() {
    let place = Place::empty();
    let output = place.run(&["man", "--to", "man1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let up = std::fs::read_to_string(place.folder.path().join("man1/tim-up.1")).unwrap();
    assert!(up.contains(".SH EXAMPLES") && up.contains("\\-\\-detach"), "{up}");
    assert!(place.folder.path().join("man1/tim.1").exists());
}

#[test]
fn two_clusters_of_one_name_in_two_namespaces_are_refused_here() {
    let place = Place::with_example();
    let one = std::fs::read_to_string(place.file()).unwrap();
    let named = |namespace: &str| {
        one.replace(
            "  name: chat\n",
            &format!("  name: chat\n  namespace: {namespace}\n"),
        )
    };
    std::fs::write(place.file(), format!("{}---\n{}", named("a"), named("b"))).unwrap();
    let output = place.run(&["up", "chat.yaml"]);
    assert!(text(&output).starts_with("TIM-L121"), "{}", text(&output));
}

#[test]
fn kubectl_is_answered_when_it_completes() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("kubectl_complete-tim");
    std::os::unix::fs::symlink(common::program(), &plugin).unwrap();
    let output = Command::new(&plugin)
        .args(["sta"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "status\n:4\n");
}

#[test]
fn as_a_plugin_of_kubectl_it_acts_on_kubernetes() {
    let place = stopped_cluster();
    let plugin = place.folder.path().join("kubectl-tim");
    std::os::unix::fs::symlink(common::program(), &plugin).unwrap();
    let mut command = Command::new(&plugin);
    command
        .args(["status", "chat"])
        .current_dir(place.folder.path())
        .env("KUBECONFIG", "/nowhere")
        .env("LC_ALL", "C.UTF-8");
    let mut running = Running::start(command);
    assert_eq!(
        running.await_end().code(),
        Some(2),
        "the local cluster of that name is not meant"
    );
    assert!(running.errors().contains("kubeconfig"), "{}", running.errors());
}
