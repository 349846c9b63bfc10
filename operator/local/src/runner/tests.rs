//! Against a stand-in for `tim-node`: a shell script that sleeps. Only processes are looked at here.

use super::*;
use crate::directory::LocalDirectory;
use crate::trust::TrustFiles;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

struct Bench {
    runner: Runner,
    cluster: TimCluster,
    folder: tempfile::TempDir,
}

const GRACE: Duration = Duration::from_secs(5);

impl Bench {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("stand-in");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let cluster = TimCluster::new(
            "chat",
            tim_crds::TimClusterSpec {
                replicas: 3,
                ..Default::default()
            },
        );
        let runner = Self::runner(folder.path(), &program);
        Self {
            runner,
            cluster,
            folder,
        }
    }

    fn runner(folder: &Path, program: &Path) -> Runner {
        let directory = LocalDirectory::of(folder).cluster("chat");
        let trust = TrustFiles::new(directory.clone(), "default.chat".into());
        let launcher = Launcher::new(directory.clone(), trust, program.to_owned(), None);
        Runner::adopt("chat", directory, launcher).unwrap()
    }

    fn restarted_supervisor(&self) -> Runner {
        Self::runner(self.folder.path(), &self.folder.path().join("stand-in"))
    }

    fn tick(&mut self, replicas: u32) -> Vec<Event> {
        self.runner.tick(&self.cluster, replicas, "r1", GRACE)
    }

    fn tick_until(&mut self, replicas: u32, done: impl Fn(&Runner, &[Event]) -> bool) -> Vec<Event> {
        let mut seen = Vec::new();
        loop {
            seen.extend(self.tick(replicas));
            if done(&self.runner, &seen) {
                return seen;
            }
            std::thread::yield_now();
        }
    }

    fn running(runner: &Runner) -> Vec<&str> {
        runner
            .nodes()
            .filter(|node| node.life().is_some())
            .map(|node| node.name.as_str())
            .collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.runner.kill_all();
        while self.runner.wind_down() > 0 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn as_many_run_as_the_workload_says() {
    let mut bench = Bench::new("exec sleep 60");
    bench.tick(3);
    assert_eq!(Bench::running(&bench.runner), ["chat-0", "chat-1", "chat-2"]);
    let ports: BTreeSet<u16> = bench
        .runner
        .nodes()
        .map(|node| node.record.ports.client)
        .collect();
    assert_eq!(ports.len(), 3);
    let events = bench.tick_until(1, |runner, _| Bench::running(runner).len() == 1);
    assert_eq!(Bench::running(&bench.runner), ["chat-0"]);
    assert!(
        events.iter().all(|event| matches!(event, Event::Stopped { .. })),
        "{events:?}"
    );
}

#[test]
fn a_killed_node_is_started_again_with_its_ports_and_told() {
    let mut bench = Bench::new("exec sleep 60");
    bench.tick(2);
    let (ports, life) = {
        let node = bench.runner.node("chat-1").unwrap();
        (node.record.ports, node.life().unwrap().clone())
    };
    assert!(life.process.signal(Signal::SIGKILL));
    let events = bench.tick_until(2, |runner, events| {
        !events.is_empty()
            && runner
                .node("chat-1")
                .and_then(Managed::life)
                .is_some_and(|next| next.uid() != life.uid())
    });
    assert!(
        matches!(&events[0], Event::Ended { node, how } if node == "chat-1" && how == "signal 9"),
        "{events:?}"
    );
    assert_eq!(bench.runner.node("chat-1").unwrap().record.ports, ports);
}

#[test]
fn a_node_that_keeps_ending_is_said_so_and_not_started_in_a_rush() {
    let mut bench = Bench::new("exit 3");
    bench.tick_until(1, |runner, _| {
        runner.node("chat-0").is_some_and(Managed::is_failing)
    });
    let node = bench.runner.node("chat-0").unwrap();
    let trouble = node.trouble().unwrap();
    assert_eq!(trouble.cause().code, "TIM-L113");
    assert!(trouble.observed().contains("exit code 3"), "{trouble}");
}

#[test]
fn what_an_earlier_supervisor_left_running_is_adopted_and_watched() {
    let mut bench = Bench::new("exec sleep 60");
    bench.tick(2);
    let mut next = bench.restarted_supervisor();
    assert_eq!(Bench::running(&next), ["chat-0", "chat-1"]);
    let before: Vec<String> = next.nodes().filter_map(|node| Some(node.life()?.uid())).collect();
    assert!(
        next.tick(&bench.cluster, 2, "r2", GRACE).is_empty(),
        "nothing is restarted"
    );
    let after: Vec<String> = next.nodes().filter_map(|node| Some(node.life()?.uid())).collect();
    assert_eq!(before, after);
    next.node("chat-0")
        .unwrap()
        .life()
        .unwrap()
        .process
        .signal(Signal::SIGKILL);
    let ended = loop {
        let events = next.tick(&bench.cluster, 2, "r2", GRACE);
        if let Some(Event::Ended { node, .. }) = events.first() {
            break node.clone();
        }
    };
    assert_eq!(ended, "chat-0");
    next.kill_all();
}

#[test]
fn what_does_not_stop_when_asked_is_killed_after_its_grace() {
    let mut bench = Bench::new("trap '' TERM; while :; do sleep 0.05; done");
    bench.tick(1);
    let life = bench.runner.node("chat-0").unwrap().life().unwrap().clone();
    assert!(bench.runner.terminate("chat-0", &life.uid(), Duration::ZERO));
    assert!(!bench.runner.terminate("chat-0", "another life", Duration::ZERO));
    let events = bench.tick_until(0, |runner, _| Bench::running(runner).is_empty());
    assert!(
        matches!(events.as_slice(), [Event::Stopped { .. }]),
        "asked for, no surprise: {events:?}"
    );
    assert!(!life.process.is_alive());
}

#[test]
fn a_program_that_is_missing_is_a_trouble_and_no_crash() {
    let mut bench = Bench::new("exit 0");
    std::fs::remove_file(bench.folder.path().join("stand-in")).unwrap();
    bench.tick(1);
    let trouble = bench
        .runner
        .node("chat-0")
        .unwrap()
        .trouble()
        .unwrap()
        .to_string();
    assert!(trouble.contains("stand-in"), "{trouble}");
}

#[test]
fn a_volume_goes_only_when_its_node_has_stopped() {
    let mut bench = Bench::new("exec sleep 60");
    bench.tick(1);
    let volume = bench.folder.path().join(".tim/chat/nodes/chat-0/volume");
    bench.runner.delete_volume("chat-0").unwrap();
    assert!(volume.is_dir(), "its node runs");
    bench.tick_until(0, |runner, _| Bench::running(runner).is_empty());
    bench.runner.delete_volume("chat-0").unwrap();
    assert!(!volume.exists());
}
