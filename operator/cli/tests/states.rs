//! States that a cluster of this machine can be in, and what `tim status` says of each: the right verdict soon, and never
//! HEALTHY while the messages of a client fail.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise"
)]

mod common;

use common::probe::Probe;
use common::{Place, Running, kill, supervisor};
use serde_json::Value;
use std::cell::RefCell;
use std::time::{Duration, Instant};
use tim_e2e::database::{Kind, Server};

/// How soon after a change the verdict is right.
const VERDICT_MAX: Duration = Duration::from_secs(5);
/// How soon after its end a state is over.
const HEALED_MAX: Duration = Duration::from_secs(60);
/// How long one look may take, whatever has become of a node.
const LOOK_MAX: Duration = Duration::from_secs(3);

/// Three nodes on two databases of a PostgreSQL, and somebody who sends.
struct World {
    place: Place,
    up: Running,
    database: RefCell<Server>,
    probe: Probe,
    /// When the status was asked for, and whether it said HEALTHY.
    looks: RefCell<Vec<(Instant, bool)>>,
}

/// A state, and how the world gets into it and out of it.
struct State {
    name: &'static str,
    enter: fn(&World),
    verdict: &'static str,
    code: Option<&'static str>,
    reason: &'static str,
    meaning: &'static str,
    /// How soon after the change that is said.
    within: Duration,
    /// Whether messages fail in it; then nobody sends until the verdict is there, which must not need that.
    fails: bool,
    leave: fn(&World),
}

const STATES: [State; 8] = [
    State {
        name: "one node stopped by a signal",
        enter: |world| world.signal("-STOP", &[2]),
        verdict: "DEGRADED",
        code: Some("TIM-N104"),
        reason: "1 of 3 nodes does not answer: chat-2",
        meaning: "losing one more node would stop changes of the map",
        within: VERDICT_MAX,
        fails: false,
        leave: |world| world.signal("-CONT", &[2]),
    },
    State {
        name: "two of three stopped, and so no leader",
        enter: |world| world.signal("-STOP", &[1, 2]),
        verdict: "DEGRADED",
        code: Some("TIM-N104"),
        reason: "2 of 3 nodes do not answer: chat-1, chat-2",
        meaning: "changes of the partition map wait",
        within: VERDICT_MAX,
        fails: false,
        leave: |world| world.signal("-CONT", &[1, 2]),
    },
    State {
        name: "a node was killed and is not back",
        enter: |world| {
            kill("-STOP", world.supervisor());
            world.signal("-KILL", &[2]);
        },
        verdict: "PROGRESSING",
        code: None,
        reason: "2 of 3 nodes serve",
        meaning: "Chat goes on",
        within: VERDICT_MAX,
        fails: false,
        leave: |world| kill("-CONT", world.supervisor()),
    },
    State {
        name: "the databases refuse connections",
        enter: |world| world.database.borrow_mut().crash().unwrap(),
        verdict: "UNAVAILABLE",
        code: Some("TIM-S103"),
        reason: "refuses connections",
        meaning: "none is lost",
        within: VERDICT_MAX,
        fails: true,
        leave: |world| world.database.borrow_mut().restart().unwrap(),
    },
    State {
        name: "the databases do not answer",
        enter: |world| world.database.borrow().signal("STOP").unwrap(),
        verdict: "UNAVAILABLE",
        code: Some("TIM-S109"),
        reason: "",
        meaning: "none is lost",
        within: VERDICT_MAX,
        fails: true,
        leave: |world| world.database.borrow().signal("CONT").unwrap(),
    },
    State {
        name: "a node drains",
        enter: |world| world.drain(2),
        verdict: "PROGRESSING",
        code: Some("TIM-N112"),
        reason: "draining chat-2",
        meaning: "Clients are moved",
        within: VERDICT_MAX,
        fails: false,
        leave: |_| {},
    },
    State {
        name: "paused by the annotation",
        enter: |world| {
            world.place.edit(
                "  name: chat\nspec",
                "  name: chat\n  annotations: {timcluster.io/pause: \"true\"}\nspec",
            )
        },
        verdict: "PAUSED",
        code: None,
        reason: "timcluster.io/pause",
        meaning: "Chat goes on",
        within: VERDICT_MAX,
        fails: false,
        leave: |world| {
            world
                .place
                .edit("  annotations: {timcluster.io/pause: \"true\"}\n", "")
        },
    },
    State {
        name: "scaled to 0",
        enter: |world| {
            world.place.edit("replicas: 3", "replicas: 0");
            world.place.await_status("all stopped", |status| {
                status["nodes"] == Value::Array(Vec::new())
            });
        },
        verdict: "PAUSED",
        code: None,
        reason: "replicas is 0",
        meaning: "The data are kept",
        within: VERDICT_MAX,
        fails: true,
        leave: |world| world.place.edit("replicas: 0", "replicas: 3"),
    },
];

impl World {
    fn start() -> Self {
        common::ensure_node_program();
        let database = Server::start(Kind::Postgres).unwrap();
        let place = Place::with_example();
        let mut file = std::fs::read_to_string(place.file()).unwrap();
        for name in ["d0", "d1"] {
            let dsn = database.dsn(&database.create_database().unwrap());
            file.push_str(&format!(
                "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: chat-{name}\nstringData:\n  dsn: {dsn}\n"
            ));
        }
        std::fs::write(place.file(), file).unwrap();
        let up = place.start(&["up", "chat.yaml"]);
        let healthy = a_fresh_start_is_progress(&place);
        up.await_output("Ctrl-C stops");
        let nodes = healthy["nodes"].as_array().unwrap();
        let urls: Vec<String> = nodes
            .iter()
            .map(|node| node["clientUrl"].as_str().unwrap().to_owned())
            .collect();
        Self {
            place,
            up,
            database: RefCell::new(database),
            probe: Probe::start(&urls),
            looks: RefCell::default(),
        }
    }

    fn supervisor(&self) -> u64 {
        supervisor(self.place.folder.path()).unwrap()
    }

    fn signal(&self, signal: &str, nodes: &[usize]) {
        // Asked before the first one is stopped.
        let status = self.place.status();
        for node in nodes {
            kill(signal, status["nodes"][node]["pid"].as_u64().unwrap());
        }
    }

    /// Asks a node to drain, once: the drain ends by itself when nobody asks any more.
    fn drain(&self, node: usize) {
        let status = self.place.status();
        let admin = status["nodes"][node]["adminUrl"].as_str().unwrap();
        let answer = common::http(admin, "POST", "/drain?id=test&limit_seconds=60");
        assert!(answer.contains(" 200 "), "{answer}");
    }

    /// One look, kept for the last check.
    fn look(&self) -> Value {
        let begun = Instant::now();
        let status = self.place.status();
        self.looks
            .borrow_mut()
            .push((begun, status["verdict"] == "HEALTHY"));
        status
    }

    /// Whether HEALTHY was said when a message was sent, and for as long after it as a change may go untold.
    fn was_healthy_throughout(&self, sent: Instant) -> bool {
        let looks = self.looks.borrow();
        let at_first = looks.iter().rfind(|(at, _)| *at <= sent);
        let mut later = looks
            .iter()
            .filter(|(at, _)| *at > sent && *at <= sent + VERDICT_MAX)
            .peekable();
        at_first.is_some_and(|(_, healthy)| *healthy)
            && later.peek().is_some()
            && later.all(|(_, healthy)| *healthy)
    }

    /// Waits for the state's verdict, counted from now.
    fn await_verdict(&self, state: &State) {
        let changed = Instant::now();
        let mut status = self.look();
        while !state.is_told(&status) {
            let late = changed.elapsed() > state.within;
            assert!(!late, "{}: {status:#}\n{}", state.name, self.place.logs());
            status = self.look();
        }
        eprintln!(
            "{}: told after {:.1} s",
            state.name,
            changed.elapsed().as_secs_f64()
        );
    }

    fn await_health(&self, after: &str) {
        let left = Instant::now();
        let mut status = self.look();
        while !State::is_past(&status) {
            let late = left.elapsed() > HEALED_MAX;
            assert!(!late, "after {after}: {status:#}\n{}", self.place.logs());
            status = self.look();
        }
        eprintln!("{after}: over after {:.1} s", left.elapsed().as_secs_f64());
    }
}

impl State {
    /// A state that is over is over with all that it left behind, before the next one begins.
    fn is_past(status: &Value) -> bool {
        status["verdict"] == "HEALTHY"
            && status["roomToLoseANode"] == Value::Bool(true)
            && status["nodes"].as_array().is_some_and(|nodes| nodes.len() == 3)
    }

    fn is_told(&self, status: &Value) -> bool {
        let says = |field: &str, part: &str| status[field].as_str().is_some_and(|text| text.contains(part));
        status["verdict"] == self.verdict
            && status["code"].as_str() == self.code
            && says("reason", self.reason)
            && says("meaning", self.meaning)
    }
}

/// What is said from the first moment on, until the cluster is healthy.
fn a_fresh_start_is_progress(place: &Place) -> Value {
    loop {
        let output = place.run(&["status", "--output", "json"]);
        // At first there is not even an object to tell about.
        let Ok(status) = serde_json::from_slice::<Value>(&output.stdout) else {
            continue;
        };
        match status["verdict"].as_str() {
            Some("HEALTHY") => return status,
            Some("PROGRESSING") => {}
            _ => panic!("{status:#}\n{}", place.logs()),
        }
    }
}

/// Measured three times, since what counts is the command and not what else this machine does.
fn a_stopped_node_is_a_row_within_three_seconds(world: &World) {
    world.signal("-STOP", &[1]);
    let mut shortest = Duration::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        let output = world.place.run(&["status"]);
        shortest = shortest.min(begun.elapsed());
        let screen = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(3), "{screen}");
        let row = screen.lines().find(|line| line.starts_with("chat-1"));
        assert!(row.is_some_and(|row| row.contains("silent")), "{screen}");
    }
    assert!(shortest < LOOK_MAX, "{shortest:?}");
    world.signal("-CONT", &[1]);
    world.await_health("a node that answers again");
}

#[test]
fn every_state_has_its_verdict_within_five_seconds_and_none_is_healthy_while_messages_fail() {
    let mut world = World::start();
    a_stopped_node_is_a_row_within_three_seconds(&world);
    for state in &STATES {
        world.probe.be_quiet(state.fails);
        (state.enter)(&world);
        world.await_verdict(state);
        world.probe.be_quiet(false);
        if state.fails {
            world.probe.await_failures(3);
            assert!(state.is_told(&world.look()), "{}: it stays so", state.name);
        }
        (state.leave)(&world);
        world.await_health(state.name);
        world.probe.await_success();
    }
    for message in world.probe.failures() {
        assert!(
            !world.was_healthy_throughout(message.began),
            "HEALTHY though a message failed: {}",
            message.error.unwrap_or_default()
        );
    }
    world.up.signal("-INT");
    assert_eq!(world.up.await_end().code(), Some(0));
}
