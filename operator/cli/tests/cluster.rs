//! Real clusters of real processes: started, killed, scaled, split, chatted with.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod common;

use common::{Place, await_that, is_alive, kill, schema, supervisor};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long one look may take, whatever has become of a node.
const LOOK_MAX: Duration = Duration::from_secs(3);

fn place() -> Place {
    common::ensure_node_program();
    Place::with_example()
}

fn pids(status: &Value) -> Vec<u64> {
    status["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|node| node["pid"].as_u64())
        .collect()
}

/// The first line of the answer to `GET path`.
fn get(url: &str, path: &str) -> String {
    common::http(url, "GET", path)
}

/// The path of an address, without what a reader of the page is for.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("//").unwrap().1;
    rest.find('/')
        .map_or("/", |start| rest[start..].split('#').next().unwrap())
}

#[test]
fn up_prints_a_block_in_which_every_address_answers_and_stops_cleanly() {
    let place = place();
    let mut up = place.start(&["up", "chat.yaml"]);
    let block = up.await_output("Ctrl-C stops the cluster and keeps its data.");
    for line in block.lines().chain(up.errors().lines()) {
        assert!(line.chars().count() <= 110, "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
    let rows: Vec<Vec<&str>> = block
        .lines()
        .filter(|line| line.starts_with("  chat-"))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows.len(), 3, "{block}");
    for row in &rows {
        let [_, pid, client, admin] = row[..] else {
            panic!("{row:?}")
        };
        assert!(is_alive(pid.parse().unwrap()));
        assert!(
            client.starts_with("ws://127.0.0.1:") && client.ends_with("/tim"),
            "{client}"
        );
        assert!(
            get(client, "/").contains(" 200 "),
            "{client}: {}",
            get(client, "/")
        );
        assert!(get(admin, "/").contains(" 200 "), "{admin}: {}", get(admin, "/"));
        assert!(get(admin, "/readyz").contains(" 200 "));
    }
    every_printed_address_answers(&block);
    for folder in [".tim/chat/data", ".tim/chat/logs"] {
        assert!(block.contains(folder) && place.folder.path().join(folder).is_dir());
    }
    let status = place.await_healthy(3);
    let wrong = schema::violations(&schema::committed("status.schema.json"), &status);
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(status["partitions"].as_array().unwrap().len(), 2);
    figures_are_told(&place, &up.errors());
    assert!(status["epoch"].as_u64().unwrap() >= 1);
    for (row, node) in rows.iter().zip(status["nodes"].as_array().unwrap()) {
        assert_eq!(
            (
                node["name"].as_str(),
                node["clientUrl"].as_str(),
                node["adminUrl"].as_str()
            ),
            (Some(row[0]), Some(row[2]), Some(row[3]))
        );
    }
    let taken: u16 = rows[0][2]
        .split(':')
        .nth(2)
        .unwrap()
        .trim_end_matches("/tim")
        .parse()
        .unwrap();
    another_up_is_refused(&place, taken);
    up.signal("-INT");
    assert_eq!(up.await_end().code(), Some(0), "{}{}", up.output(), up.errors());
    assert!(pids(&status).into_iter().all(|pid| !is_alive(pid)));
    assert!(place.folder.path().join(".tim/chat/data/d0.db").exists());
}

fn every_printed_address_answers(block: &str) {
    let printed = |scheme: &str| -> Vec<&str> {
        let words = block.split_whitespace();
        words.filter(|word| word.starts_with(scheme)).collect()
    };
    assert!(
        printed("ws://").len() >= 3 && printed("http://").len() >= 3,
        "{block}"
    );
    for url in printed("http://") {
        assert!(
            get(url, path_of(url)).contains(" 200 "),
            "{url}: {}",
            get(url, path_of(url))
        );
    }
    for url in printed("ws://") {
        assert!(common::upgrades(url, path_of(url)), "{url}");
    }
}

/// What people look for first: how large, how far, and nothing that looks like trouble.
fn figures_are_told(place: &Place, progress: &str) {
    assert!(progress.contains("databases migrated (schema 3)"), "{progress}");
    let status = place.await_status("sizes and lags", |status| {
        let all = |list: &str, field: &str, wanted: fn(u64) -> bool| {
            let rows = status[list].as_array().unwrap();
            rows.iter().all(|row| row[field].as_u64().is_some_and(wanted))
        };
        all("partitions", "sizeBytes", |bytes| bytes > 10_000) && all("nodes", "lag", |lag| lag == 0)
    });
    assert!(status["partitions"][0].get("commitP99Milliseconds").is_some());
    let room = status["roomToLoseANode"].as_bool().unwrap();
    assert_eq!(status.get("noRoomBecause").is_none(), room, "{status:#}");
    let log = String::from_utf8_lossy(&place.run(&["logs", "--lines", "1000"]).stdout).into_owned();
    let warned = log
        .lines()
        .any(|line| line.contains("WARN") && line.contains("TIM-N121"));
    assert!(log.contains("TIM-N121") && !warned, "{log}");
}

fn another_up_is_refused(place: &Place, taken: u16) {
    let second = place.run(&["up", "chat.yaml"]);
    assert_eq!(second.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&second.stderr).contains("TIM-L103"));
    let elsewhere = Place::with_example();
    let insisting = elsewhere.run(&["up", "chat.yaml", "--port", &taken.to_string()]);
    let said = String::from_utf8_lossy(&insisting.stderr).into_owned();
    assert_eq!(insisting.status.code(), Some(1), "{said}");
    assert!(said.contains("TIM-L102") && said.contains("(tim-node)"), "{said}");
}

#[test]
fn a_killed_node_is_started_again_and_its_users_chat_on() {
    let place = place();
    assert_eq!(
        place.exit_code(&["up", "chat.yaml", "--detach"]),
        0,
        "{}",
        place.logs()
    );
    let mut alice = place.start(&["chat", "--as", "alice", "bob"]);
    let mut bob = place.start(&["chat", "--as", "bob", "alice"]);
    alice.type_line("one");
    alice.await_output("you: one   sent → stored");
    bob.await_output("alice: one");
    let before = place.await_healthy(3);
    let victim = &before["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .max_by_key(|node| node["sessions"].as_u64())
        .unwrap();
    let (name, pid) = (
        victim["name"].as_str().unwrap().to_owned(),
        victim["pid"].as_u64().unwrap(),
    );
    kill("-KILL", pid);
    for number in 0..20 {
        bob.type_line(&format!("line {number}"));
    }
    let output = bob_lines(&alice.await_output("bob: line 19"));
    let expected: Vec<String> = (0..20).map(|number| format!("bob: line {number}")).collect();
    assert_eq!(output, expected, "each once, in order");
    let after = place.await_healthy(3);
    assert!(!pids(&after).contains(&pid));
    let log = place.folder.path().join(".tim/chat.up.log");
    await_that("told", || {
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        told.contains(&format!("{name} ended by signal 9, serves again after"))
    });
    assert_eq!(alice.finish().code(), Some(0));
    assert_eq!(bob.finish().code(), Some(0));
    let down = place.run(&["down"]);
    assert_eq!(down.status.code(), Some(0));
    assert!(pids(&after).into_iter().all(|pid| !is_alive(pid)));
    assert_eq!(place.exit_code(&["down"]), 0, "once more does no harm");
}

#[test]
fn in_an_empty_folder_a_file_is_written_and_a_second_start_starts_each_node_once() {
    common::ensure_node_program();
    let place = Place::empty();
    let up = place.run(&["up", "--detach", "--replicas", "2"]);
    let (block, progress) = (
        String::from_utf8_lossy(&up.stdout).into_owned(),
        String::from_utf8_lossy(&up.stderr).into_owned(),
    );
    assert_eq!(up.status.code(), Some(0), "{progress}\n{}", place.logs());
    assert!(
        progress.starts_with("chat.yaml written") && place.file().exists(),
        "{progress}"
    );
    assert!(
        progress
            .trim_end()
            .lines()
            .last()
            .unwrap()
            .starts_with("Ready in"),
        "{progress}"
    );
    assert!(block.contains("It runs in the background"), "{block}");
    place.await_healthy(2);
    assert_eq!(place.exit_code(&["down"]), 0);
    let log = place.folder.path().join(".tim/chat/logs/supervisor.log");
    let starts = || {
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        told.lines().filter(|line| line.contains("node started")).count()
    };
    let before = starts();
    let second = place.run(&["up", "--detach", "--replicas", "2"]);
    let told = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(0), "{}", place.logs());
    // A count that takes long is left out.
    let kept = [
        "kept, 0 messages, --fresh starts over",
        "kept, --fresh starts over",
    ];
    assert!(kept.iter().any(|text| told.contains(text)), "{told}");
    let again = place.await_healthy(2);
    assert_eq!(
        place.exit_code(&["scale", "chat", "--replicas", "3", "--wait"]),
        0,
        "{}",
        place.logs()
    );
    assert_eq!(pids(&place.await_healthy(3))[..2], pids(&again)[..]);
    assert_eq!(starts(), before + 3, "nobody was started twice");
    assert_eq!(place.exit_code(&["down"]), 0);
}

fn bob_lines(output: &str) -> Vec<String> {
    output
        .lines()
        .filter_map(|line| Some(line[line.find("bob: line ")?..].trim_end().to_owned()))
        .collect()
}

#[test]
fn the_file_is_watched_commands_hold_until_then_and_a_mistake_changes_nothing() {
    let place = place();
    place.edit("replicas: 3", "replicas: 1");
    let mut up = place.start(&["up", "chat.yaml"]);
    up.await_output("Ctrl-C stops");
    place.await_healthy(1);
    place.edit("replicas: 1", "replicas: 2");
    up.await_output("chat.yaml changed: replicas 1 → 2");
    place.await_healthy(2);
    let scaled = place.run(&["scale", "chat", "--replicas", "3", "--wait"]);
    assert_eq!(
        scaled.status.code(),
        Some(0),
        "{}\n{}",
        String::from_utf8_lossy(&scaled.stderr),
        place.logs()
    );
    up.await_output("changed by a command: replicas 2 → 3");
    let before = pids(&place.await_healthy(3));
    mistakes_are_told_within_a_second(&place, &up);
    assert_eq!(pids(&place.await_healthy(3)), before, "left as it was");
    place.edit("eplicas: 2", "replicas: 1");
    up.await_output("replicas 3 → 1");
    place.await_healthy(1);
    up.signal("-TERM");
    assert_eq!(up.await_end().code(), Some(0));
}

/// Several, since what counts is the command and not what else this machine does.
fn mistakes_are_told_within_a_second(place: &Place, up: &common::Running) {
    let text = std::fs::read_to_string(place.file()).unwrap();
    let line = text
        .lines()
        .position(|line| line.contains("replicas: 2"))
        .unwrap()
        + 1;
    let (mut shortest, mut before) = (Duration::MAX, "replicas");
    for field in ["replica", "replicsa", "eplicas"] {
        place.edit(&format!("{before}: 2"), &format!("{field}: 2"));
        let begun = Instant::now();
        up.await_output(&format!("TIM-C101 chat.yaml:{line}: spec.{field} is not a field"));
        shortest = shortest.min(begun.elapsed());
        before = field;
    }
    assert_eq!(up.output().matches("did you mean spec.replicas?").count(), 3);
    assert!(shortest <= Duration::from_secs(1), "{shortest:?}");
}

#[test]
fn nodes_outlive_a_killed_supervisor_and_the_next_one_adopts_them() {
    let place = place();
    assert_eq!(
        place.exit_code(&["up", "chat.yaml", "--detach", "--replicas", "2"]),
        0,
        "{}",
        place.logs()
    );
    let before = pids(&place.await_healthy(2));
    kill("-KILL", supervisor(place.folder.path()).unwrap());
    let orphaned = place.await_status("without a supervisor", |status| status["code"] == "TIM-L117");
    assert_eq!(orphaned["verdict"], "DEGRADED");
    assert_eq!(pids(&orphaned), before);
    assert_eq!(
        place.exit_code(&["scale", "chat", "--replicas", "1"]),
        1,
        "nobody would carry it out"
    );
    let mut up = place.start(&["up", "--replicas", "2"]);
    up.await_output("Ctrl-C stops");
    assert!(
        up.errors().contains("chat-0, chat-1 still ran and go on"),
        "{}",
        up.errors()
    );
    assert_eq!(pids(&place.await_healthy(2)), before);
    kill("-KILL", before[1]);
    await_that("restarted", || !pids(&place.status()).contains(&before[1]));
    place.await_healthy(2);
    kill("-KILL", up.child.id().into());
    up.await_end();
    let down = place.run(&["down", "chat"]);
    assert!(
        String::from_utf8_lossy(&down.stdout).contains("2 nodes stopped"),
        "{down:?}"
    );
}

#[test]
fn a_stopped_node_is_a_row_within_three_seconds_and_is_killed_after_ten() {
    let place = place();
    assert_eq!(
        place.exit_code(&["up", "chat.yaml", "--detach"]),
        0,
        "{}",
        place.logs()
    );
    let before = place.await_healthy(3);
    let pid = before["nodes"][2]["pid"].as_u64().unwrap();
    kill("-STOP", pid);
    let begun = Instant::now();
    // In its first seconds a node that does not answer counts as one that starts.
    let seen = place.await_status("told as silent", |status| {
        status["nodes"][2]["state"] == "silent" && status["verdict"] == "DEGRADED"
    });
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "looking did not wait for the node"
    );
    // The shorter of two: what counts is the command, not what else this machine does.
    let looks = [(), ()].map(|()| {
        let begun = Instant::now();
        let output = place.run(&["status"]);
        let screen = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(screen.lines().any(|line| line.starts_with("chat-2")), "{screen}");
        begun.elapsed()
    });
    assert!(looks.iter().any(|took| *took < LOOK_MAX), "{looks:?}");
    assert_eq!(seen["code"], Value::from("TIM-N104"));
    let healed = place.await_status("healed", |status| status["verdict"] == "HEALTHY");
    assert_ne!(healed["nodes"][2]["pid"].as_u64().unwrap(), pid);
    assert_eq!(place.exit_code(&["down"]), 0);
}

/// The number of what a line counts.
fn number_before(line: &str, noun: &str) -> u64 {
    let before = line.split(&format!(" {noun}")).next().unwrap();
    before.split_whitespace().next_back().unwrap().parse().unwrap()
}

#[test]
fn a_node_killed_under_load_is_told_with_the_losses_that_the_load_tool_counts() {
    let place = place();
    assert_eq!(
        place.exit_code(&["up", "chat.yaml", "--detach"]),
        0,
        "{}",
        place.logs()
    );
    let mut load = place.start(&[
        "bench",
        "--pairs",
        "3",
        "--rate",
        "15",
        "--duration",
        "20s",
        "--output",
        "json",
    ]);
    await_that("load", || load.errors().contains("answered"));
    let busy = place.await_status("all sessions", |status| {
        let nodes = status["nodes"].as_array().unwrap();
        nodes
            .iter()
            .filter_map(|node| node["sessions"].as_u64())
            .sum::<u64>()
            == 6
    });
    let victim = busy["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .max_by_key(|node| node["sessions"].as_u64())
        .unwrap();
    let (name, sessions) = (
        victim["name"].as_str().unwrap(),
        victim["sessions"].as_u64().unwrap(),
    );
    kill("-KILL", victim["pid"].as_u64().unwrap());
    let killed = Instant::now();
    place.await_status("serving again", |status| {
        let mut nodes = status["nodes"].as_array().unwrap().iter();
        nodes.any(|node| node["name"] == name && node["state"] == "serving" && node["pid"] != victim["pid"])
    });
    let restarted = killed.elapsed();
    let log = place.folder.path().join(".tim/chat.up.log");
    let line = || {
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        told.lines()
            .find(|line| line.contains("ended by signal 9"))
            .map(str::to_owned)
    };
    await_that("told", || line().is_some());
    let ended = load.await_end();
    let measured: Value = serde_json::from_str(&load.output()).unwrap();
    assert_eq!(ended.code(), Some(0), "{measured:#}");
    let checks = &measured["figures"]["checks"];
    assert_eq!(checks["lost"], 0);
    // What the line tells is what the load tool and this test have seen.
    let line = line().unwrap();
    assert!(line.contains(&format!("{name} ended by signal 9")), "{line}");
    assert_eq!(number_before(&line, "session"), sessions, "{line}");
    assert_eq!(checks["reconnects"], sessions, "{line}: {checks}");
    assert_eq!(checks["lost"], number_before(&line, "message"), "{line}");
    let told = line.split("serves again after ").nth(1).unwrap();
    let told: f64 = told.split(' ').next().unwrap().parse().unwrap();
    // It is told to a tenth of a second, and measured from where the end was noticed.
    assert!(
        told > 0.0 && told <= restarted.as_secs_f64() + 0.1,
        "{line}: {restarted:?}"
    );
    assert_eq!(place.exit_code(&["down"]), 0);
}

#[test]
fn a_split_moves_slots_to_a_new_database_while_a_load_runs_and_nothing_is_lost() {
    let place = place();
    assert_eq!(
        place.exit_code(&["up", "chat.yaml", "--detach"]),
        0,
        "{}",
        place.logs()
    );
    place.await_healthy(3);
    let refused = place.run(&["split", "chat", "--at", "262144"]);
    assert_eq!(refused.status.code(), Some(5), "not confirmed");
    let mut load = place.start(&[
        "bench",
        "--pairs",
        "4",
        "--rate",
        "20",
        "--duration",
        "30s",
        "--output",
        "json",
    ]);
    await_that("load", || load.errors().contains("answered"));
    let split = place.run(&[
        "split",
        "chat",
        "--at",
        "262144",
        "--wait",
        "--yes",
        "--timeout",
        "2m",
    ]);
    let said = String::from_utf8_lossy(&split.stderr).into_owned();
    assert_eq!(split.status.code(), Some(0), "{said}\n{}", place.logs());
    assert!(said.contains("chat-split-1 Completed"), "{said}");
    let status = place.await_status("three ranges", |status| {
        status["partitions"]
            .as_array()
            .is_some_and(|list| list.len() == 3)
    });
    let ranges: Vec<(u64, &str)> = status["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|range| {
            (
                range["from"].as_u64().unwrap(),
                range["database"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(ranges, [(0, "d0"), (262_144, "d2"), (524_288, "d1")]);
    assert!(place.folder.path().join(".tim/chat/data/d2.db").exists());
    let ended = load.await_end();
    let measured: Value = serde_json::from_str(&load.output()).unwrap();
    assert_eq!(ended.code(), Some(0), "{measured:#}");
    let wrong = schema::violations(&schema::committed("bench.schema.json"), &measured);
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(measured["figures"]["checks"]["stored"].as_u64().unwrap() > 0);
    assert_eq!(place.exit_code(&["down"]), 0);
    the_split_outlives_a_new_start(&place);
}

/// The document of a run of the load tool that found nothing wrong.
fn measured(place: &Place, arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = ["bench"]
        .iter()
        .chain(arguments)
        .chain(&["--output", "json"])
        .copied()
        .collect();
    let run = place.run(&arguments);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(0), "{said}\n{}", place.logs());
    let document: Value = serde_json::from_slice(&run.stdout).unwrap();
    let wrong = schema::violations(&schema::committed("bench.schema.json"), &document);
    assert!(wrong.is_empty(), "{wrong:?}");
    document
}

#[test]
fn sessions_over_tls_are_measured_and_come_back_from_a_node_that_was_killed() {
    let place = place();
    let tls = "  listeners:\n  - {name: client, port: 5080, tls: true}\n  - {name: admin, port: 5082}\n  config:\n    \
               inline:\n      accounts: {passwords: {memory_kib: 64, iterations: 1}}\n";
    let file = std::fs::read_to_string(place.file()).unwrap();
    std::fs::write(place.file(), file + tls).unwrap();
    let up = place.run(&["up", "chat.yaml", "--detach"]);
    assert_eq!(up.status.code(), Some(0), "{}", place.logs());
    place.await_healthy(3);
    let idle = measured(&place, &["idle", "--sessions", "30", "--duration", "1s"]);
    let address = idle["setting"]["addresses"][0].as_str().unwrap();
    assert!(address.starts_with("wss://"), "{address}");
    assert_eq!(idle["figures"]["operations"].as_u64(), Some(30));
    let again = measured(&place, &["reconnect", "--sessions", "30"]);
    let figures = &again["figures"]["reconnects"];
    assert_eq!(
        (figures["sessions"].as_u64(), figures["back"].as_u64()),
        (Some(10), Some(10)),
        "{again:#}"
    );
    let ended = |process: &&Value| process["afterBytes"].is_null();
    assert_eq!(
        figures["memory"].as_array().unwrap().iter().filter(ended).count(),
        1
    );
    place.await_healthy(3);
    let storm = measured(
        &place,
        &["storm", "--pairs", "2", "--rate", "20", "--duration", "2s"],
    );
    let storm = &storm["figures"]["storm"];
    assert!(storm["newcomers"].as_u64().unwrap() > 0 && storm["echo"]["count"].as_u64().unwrap() > 0);
    assert_eq!(place.exit_code(&["down"]), 0);
}

#[test]
fn a_chat_over_tls_trusts_the_clusters_own_authority_or_the_one_it_is_given() {
    let place = place();
    let tls = "  listeners:\n  - {name: client, port: 5080, tls: true}\n";
    let file = std::fs::read_to_string(place.file()).unwrap();
    std::fs::write(place.file(), file + tls).unwrap();
    let up = place.run(&["up", "chat.yaml", "--detach", "--replicas", "1"]);
    assert_eq!(up.status.code(), Some(0), "{}", place.logs());
    let mut bob = place.start(&["chat", "--as", "bob", "alice"]);
    let urls = place.run(&["url", "--output", "name"]);
    let url = String::from_utf8(urls.stdout).unwrap().trim().to_owned();
    assert!(url.starts_with("wss://"), "{url}");
    let elsewhere = ["chat", "--as", "carol", "bob", "--url", &url];
    let untrusted = place.run(&elsewhere);
    let said = String::from_utf8_lossy(&untrusted.stderr).into_owned();
    assert_eq!(untrusted.status.code(), Some(2), "{said}");
    assert!(said.contains("needs TLS: --ca FILE"), "{said}");
    let another = tim_plan::trust::Authority::new("chat", jiff::Timestamp::now()).unwrap();
    std::fs::write(place.folder.path().join("another.crt"), another.bundle()).unwrap();
    let with = |file: &'static str| {
        elsewhere
            .iter()
            .copied()
            .chain(["--ca", file])
            .collect::<Vec<_>>()
    };
    let deceived = place.run(&with("another.crt"));
    let said = String::from_utf8_lossy(&deceived.stderr).into_owned();
    assert_eq!(deceived.status.code(), Some(1), "{said}");
    assert!(said.contains("TIM-L114"), "{said}");
    let trusted = place.run(&with(".tim/chat/tls/ca.crt"));
    let said = String::from_utf8_lossy(&trusted.stderr).into_owned();
    assert_eq!(trusted.status.code(), Some(0), "{said}");
    let mut alice = place.start(&["chat", "--as", "alice", "bob"]);
    alice.type_line("one");
    bob.await_output("alice: one");
    for chat in [&mut alice, &mut bob] {
        assert_eq!(chat.finish().code(), Some(0));
    }
    assert_eq!(place.exit_code(&["down"]), 0);
}

#[test]
fn rooms_that_are_gone_are_made_anew() {
    let place = place();
    let rooms = ["rooms", "--members", "3", "--rate", "10", "--duration", "1s"];
    for begin in [
        &["up", "chat.yaml", "--detach"][..],
        &["up", "chat.yaml", "--detach", "--fresh", "--yes"],
    ] {
        let up = place.run(begin);
        assert_eq!(up.status.code(), Some(0), "{}", place.logs());
        let figures = &measured(&place, &rooms)["figures"];
        assert_eq!(
            figures["checks"]["delivered"].as_u64().unwrap(),
            3 * figures["checks"]["stored"].as_u64().unwrap()
        );
        assert_eq!(place.exit_code(&["down"]), 0);
    }
}

fn the_split_outlives_a_new_start(place: &Place) {
    let again = place.run(&["up", "chat.yaml", "--detach"]);
    assert_eq!(again.status.code(), Some(0), "{}", place.logs());
    let status = place.await_healthy(3);
    assert_eq!(status["partitions"].as_array().unwrap().len(), 3);
    assert_eq!(place.exit_code(&["down"]), 0);
}

#[test]
fn one_file_is_enough_for_one_node_and_zero_replicas_keep_the_data() {
    let place = place();
    let minimal = "apiVersion: timcluster.io/v1alpha1\nkind: TimCluster\nmetadata:\n  name: chat\nspec:\n  replicas: 1\n";
    std::fs::write(place.file(), minimal).unwrap();
    let mut up = place.start(&["up", "chat.yaml"]);
    let block = up.await_output("Ctrl-C stops");
    assert!(!block.contains("tim split"), "{block}");
    let status = place.await_healthy(1);
    assert_eq!(status["partitions"].as_array().unwrap().len(), 1);
    let refused = place.run(&["scale", "chat", "--replicas", "2"]);
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("TIM-C107"),
        "{refused:?}"
    );
    place.edit("replicas: 1", "replicas: 2");
    up.await_output("TIM-C107");
    place.edit("replicas: 2", "replicas: 0");
    let paused = place.await_status("paused", |status| status["verdict"] == "PAUSED");
    assert_eq!(paused["nodes"].as_array().unwrap().len(), 0);
    place.edit("replicas: 0", "replicas: 1");
    place.await_healthy(1);
    up.signal("-INT");
    assert_eq!(up.await_end().code(), Some(0));
}

#[test]
fn a_database_that_does_not_answer_is_named_while_the_start_waits_for_it() {
    let place = place();
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: chat-d1\nstringData:\n  dsn: postgres://tim:hidden-word@127.0.0.1:9/d1\n";
    let example = std::fs::read_to_string(place.file()).unwrap();
    std::fs::write(place.file(), example + secret).unwrap();
    let up = place.start(&["up", "chat.yaml", "--replicas", "1"]);
    await_that("told", || up.errors().contains("TIM-S103"));
    let status = place.await_status("told", |status| {
        status["code"]
            .as_str()
            .is_some_and(|code| code.starts_with("TIM-S1"))
    });
    assert_ne!(status["verdict"], "HEALTHY");
    up.signal("-INT");
    let everything = format!("{}{}{status}{}", up.output(), up.errors(), place.logs());
    assert!(
        !everything.contains("hidden-word"),
        "no password is shown anywhere"
    );
}

#[test]
fn a_dsn_with_an_unknown_scheme_is_refused_with_the_known_ones() {
    let place = place();
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: chat-d1\nstringData:\n  dsn: postgre://127.0.0.1/d1\n";
    let example = std::fs::read_to_string(place.file()).unwrap();
    std::fs::write(place.file(), example + secret).unwrap();
    let mut up = place.start(&["up", "chat.yaml"]);
    let told = up.await_output("TIM-S101");
    assert!(
        told.contains("databases[1] \"d1\"") && told.contains("Known: sqlite, postgres, mysql"),
        "{told}"
    );
    let status = place.await_status("the same code", |status| status["code"] == "TIM-S101");
    assert_eq!(status["verdict"], "UNAVAILABLE");
    let condition = status["conditions"].as_array().unwrap().iter().any(|condition| {
        condition["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("TIM-S101"))
    });
    assert!(condition, "{status:#}");
    up.signal("-INT");
    assert_eq!(up.await_end().code(), Some(0));
}
