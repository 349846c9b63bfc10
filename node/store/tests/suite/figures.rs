//! Size, schema and count of a database.

use crate::support::{Engine, Fresh, Pair, append_one, on_every_engine, stored};

on_every_engine!(a_database_tells_its_size_its_schema_and_what_it_holds);

async fn a_database_tells_its_size_its_schema_and_what_it_holds(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    assert!(database.size_bytes().await.unwrap() > 10_000);
    assert_eq!(
        database.schema_number().await.unwrap(),
        tim_store::migration::SCHEMA_VERSION as u64
    );
    let counted = |messages: u64| (engine == Engine::Sqlite).then_some(messages);
    assert_eq!(database.message_count().await.unwrap(), counted(0));
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    // Whoever asks and answers says something, too.
    assert_eq!(database.message_count().await.unwrap(), counted(2));
    let messages = vec![pair.message(b"one"), pair.message(b"two")];
    assert_eq!(
        stored(&append_one(&database, pair.batch(2, messages)).await).len(),
        2
    );
    assert_eq!(database.message_count().await.unwrap(), counted(4));
}
