//! Databases that are not there, refuse the user, are full or do not answer: each has its code, and nothing secret is
//! said.

use std::net::TcpListener;
use std::process::Command;

use tim_core::conversation::ConversationOutcome;
use tim_store::{Changed, Retry, StoreError};

use crate::database::{Kind, Server};
use crate::support::{
    CLUSTER, EPOCH, Engine, Fresh, KEY, NOW_NS, Pair, node_with, on_every_engine, state_of, whole,
};

on_every_engine!(a_user_without_rights_changes_nothing_and_it_heals);

fn closed_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[tokio::test]
async fn an_unreachable_server_is_named_without_its_password() {
    let port = closed_port();
    for scheme in ["postgres", "mysql"] {
        let dsn = format!("{scheme}://tim:hunter2@127.0.0.1:{port}/tim");
        let (_, database) = node_with(CLUSTER, KEY, "d0", &dsn);
        let error = database.prepare().await.unwrap_err();
        assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
        let shown = format!("{} {:?} {database:?} {}", error.report(), error, error);
        assert!(
            shown.contains("TIM-S103") && shown.contains(&port.to_string()),
            "{shown}"
        );
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!((error.changed(), error.retry()), (Changed::No, Retry::Soon));
    }
}

#[tokio::test]
async fn a_file_in_a_folder_that_is_missing_is_unreachable() {
    let (_, database) = node_with(CLUSTER, KEY, "d0", "sqlite:/nonexistent/folder/d0.db");
    let error = database.prepare().await.unwrap_err();
    assert_eq!(error.cause().code, "TIM-S103", "{error:?}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_refused_access() {
    for engine in [Engine::Postgres, Engine::MariaDb] {
        let fresh = Fresh::new(engine).await;
        let (_, database) = node_with(CLUSTER, KEY, "d0", &format!("{}_missing", fresh.dsn));
        let error = database.prepare().await.unwrap_err();
        assert_eq!(error.cause().code, "TIM-S104", "{error:?}");
    }
}

async fn a_user_without_rights_changes_nothing_and_it_heals(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let name = fresh.dsn.rsplit('/').next().unwrap().to_owned();
    let (grants, dsn) = match engine {
        // Files have no users; a folder that may not be written is no obstacle for root.
        Engine::Sqlite => return,
        Engine::Postgres => (
            [
                format!("CREATE ROLE poor_{name} LOGIN"),
                format!("GRANT CREATE ON SCHEMA public TO poor_{name}"),
            ],
            fresh.dsn.replace("postgres@", &format!("poor_{name}@")),
        ),
        Engine::MariaDb => (
            [
                format!("CREATE USER poor_{name}@'127.0.0.1' IDENTIFIED BY 'hunter2'"),
                format!("GRANT ALL ON {name}.* TO poor_{name}@'127.0.0.1'"),
            ],
            fresh.dsn.replace("root@", &format!("poor_{name}:hunter2@")),
        ),
    };
    fresh.sql(&grants[0]).await;
    if engine == Engine::MariaDb {
        fresh
            .sql(&format!("GRANT SELECT ON {name}.* TO poor_{name}@'127.0.0.1'"))
            .await;
        let wrong = dsn.replace("hunter2", "hunter3");
        let error = node_with(CLUSTER, KEY, "d0", &wrong)
            .1
            .prepare()
            .await
            .unwrap_err();
        assert_eq!(error.cause().code, "TIM-S104", "{error:?}");
    }
    let (_, database) = node_with(CLUSTER, KEY, "d0", &dsn);
    let error = database.prepare().await.unwrap_err();
    assert_eq!(error.cause().code, "TIM-S104", "{error:?}");
    assert!(!format!("{error:?}").contains("hunter"));
    fresh.sql(&grants[1]).await;
    database.prepare().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_a_timeout_and_heals() {
    let server = tokio::task::spawn_blocking(|| Server::start(Kind::MariaDb).unwrap())
        .await
        .unwrap();
    let (_, database) = node_with(
        CLUSTER,
        KEY,
        "d0",
        &server.dsn(&server.create_database().unwrap()),
    );
    database.prepare().await.unwrap();
    database.create_fences(&whole("d0")).await.unwrap();
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    server.signal("STOP").unwrap();
    let error = database
        .append(&[pair.batch(2, vec![pair.message(b"text")])], NOW_NS)
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Timeout { .. } | StoreError::Unreachable { .. }),
        "{error:?}"
    );
    assert_eq!(error.changed(), Changed::No);
    server.signal("CONT").unwrap();
    let outcome = database
        .append(&[pair.batch(2, vec![pair.message(b"text")])], NOW_NS)
        .await
        .unwrap()
        .remove(0);
    assert!(matches!(outcome, ConversationOutcome::Done { .. }), "{outcome:?}");
}

/// Carries the folder to [`full_disk_process`].
const FULL_FOLDER: &str = "TIM_STORE_TEST_FULL_FOLDER";

/// Small and large messages tried on the full disk.
const FULL_ATTEMPTS: usize = 60;

/// Writes a SQLite file on a small volume until it is full, then makes room.
#[tokio::test]
#[ignore = "runs only as a child of another test"]
async fn full_disk_process() {
    let Ok(folder) = std::env::var(FULL_FOLDER) else {
        return;
    };
    let (_, database) = node_with(CLUSTER, KEY, "d0", &format!("sqlite:{folder}/d0.db"));
    // Takes the room that is made free below.
    std::fs::write(format!("{folder}/ballast"), vec![1; 1 << 20]).unwrap();
    database.prepare().await.unwrap();
    database.create_fences(&whole("d0")).await.unwrap();
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let mut version = 2;
    let error = loop {
        let messages = (0..20).map(|_| pair.message(&[b'x'; 1_000])).collect();
        match database.append(&[pair.batch(version, messages)], NOW_NS).await {
            Ok(outcomes) => {
                assert!(
                    matches!(outcomes[0], ConversationOutcome::Done { .. }),
                    "{outcomes:?}"
                );
                version += 1;
            }
            Err(error) => break error,
        }
    };
    assert_eq!(
        (error.cause().code, error.changed()),
        ("TIM-S107", Changed::No),
        "{error:?}"
    );
    assert!(version > 3, "some of it was written");
    // Whatever still fits is durable at once: a reader sees it.
    for attempt in 0..FULL_ATTEMPTS {
        let size = if attempt % 3 == 0 { 10 } else { 100_000 };
        let messages = vec![pair.message(&vec![b'x'; size])];
        if database
            .append(&[pair.batch(version, messages)], NOW_NS)
            .await
            .is_ok()
        {
            version += 1;
        }
        let states = database.open_conversations(&[(pair.id, EPOCH)]).await.unwrap();
        assert_eq!(
            states[0].as_ref().unwrap().version.0,
            version,
            "attempt {attempt}"
        );
    }
    // Reads go on, and everything acknowledged is there.
    let state = state_of(&database, &pair).await;
    assert_eq!(state.version.0, version);
    std::fs::remove_file(format!("{folder}/ballast")).unwrap();
    let outcomes = database
        .append(&[pair.batch(version, vec![pair.message(b"room")])], NOW_NS)
        .await
        .unwrap();
    assert!(
        matches!(outcomes[0], ConversationOutcome::Done { .. }),
        "{outcomes:?}"
    );
    println!("full and healed");
}

#[test]
fn a_full_disk_refuses_writes_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=4m tmpfs "$1" && shift && exec "$@""#;
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "failures::full_disk_process",
        ])
        .env(FULL_FOLDER, folder.path())
        .output()
        .expect("unshare is part of the package util-linux");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("full and healed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
