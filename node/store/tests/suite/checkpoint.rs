//! Copying a SQLite file's log beside its commits.

use crate::support::{Engine, Fresh, Pair, append_one, on_every_engine, stored};

on_every_engine!(a_log_is_copied_when_that_is_worth_while);

async fn a_log_is_copied_when_that_is_worth_while(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    database.checkpoint().await.unwrap();
    let file = fresh.directory.path().join("d0.db");
    let size = || std::fs::metadata(&file).map_or(0, |file| file.len());
    let before = size();
    assert!(!database.checkpoint().await.unwrap(), "nothing was written since");
    for turn in 0..40 {
        let batch = pair.batch(2 + turn, vec![pair.message(&[b'x'; 8_000])]);
        assert_eq!(stored(&append_one(&database, batch).await).len(), 1);
    }
    let is_file = engine == Engine::Sqlite;
    assert_eq!(size(), before, "commits write to the log only");
    assert_eq!(database.checkpoint().await.unwrap(), is_file);
    assert_eq!(size() >= before + 40 * 8_000, is_file);
    assert!(!database.checkpoint().await.unwrap());
}
