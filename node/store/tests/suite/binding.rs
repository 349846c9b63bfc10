//! Whose a database is, and getting it ready while others do the same.

use tim_core::id::NodeName;
use tim_store::{Bootstrap, Retry, StoreError};

use crate::support::{
    CLUSTER, Engine, Fresh, KEY, Pair, append_one, node_with, on_every_engine, stored, whole,
};

on_every_engine!(
    many_nodes_prepare_at_once,
    preparing_again_changes_nothing,
    a_half_done_migration_is_finished,
    another_cluster_is_refused,
    another_name_is_refused,
    another_storage_key_is_refused,
    a_schema_that_needs_a_newer_node_is_refused,
    one_node_alone_may_found_the_control_group,
);

async fn many_nodes_prepare_at_once(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let nodes: Vec<_> = (0..5).map(|_| fresh.raw_node().1).collect();
    let prepared = nodes.iter().map(|node| async {
        node.prepare().await?;
        node.create_fences(&whole("d0")).await
    });
    for result in futures::future::join_all(prepared).await {
        result.unwrap();
    }
    assert_eq!(nodes[0].fences().await.unwrap().len(), 1);
}

async fn preparing_again_changes_nothing(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let pair = Pair::new("alice", "bob");
    pair.befriend(&database).await;
    let again = fresh.node().await;
    assert_eq!(
        stored(&append_one(&again, pair.batch(2, vec![pair.message(b"still here")])).await).len(),
        1
    );
}

/// MySQL commits every DDL statement: a process that died between them leaves some tables behind and no record.
async fn a_half_done_migration_is_finished(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    fresh.node().await;
    for statement in [
        "DROP TABLE tim_message",
        "DROP TABLE tim_binding",
        "DELETE FROM tim_migration",
    ] {
        fresh.sql(statement).await;
    }
    let database = fresh.node().await;
    Pair::new("alice", "bob").befriend(&database).await;
}

async fn another_cluster_is_refused(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    fresh.node().await;
    let (_, stranger) = node_with("cluster-2", KEY, "d0", &fresh.dsn);
    let error = stranger.prepare().await.unwrap_err();
    assert!(
        matches!(&error, StoreError::ForeignCluster { bound_to, .. } if bound_to == CLUSTER),
        "{error}"
    );
    assert_eq!(
        (error.cause().code, error.retry()),
        ("TIM-S105", Retry::AfterRemedy)
    );
    fresh.raw_node().1.prepare().await.unwrap();
}

async fn another_name_is_refused(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    fresh.node().await;
    let (_, twin) = node_with(CLUSTER, KEY, "d1", &fresh.dsn);
    let error = twin.prepare().await.unwrap_err();
    assert!(
        matches!(&error, StoreError::ForeignName { bound_to, .. } if bound_to == "d0"),
        "{error}"
    );
}

async fn another_storage_key_is_refused(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    fresh.node().await;
    let (_, other) = node_with(CLUSTER, [1; 32], "d0", &fresh.dsn);
    let error = other.prepare().await.unwrap_err();
    assert!(matches!(error, StoreError::WrongStorageKey { .. }), "{error}");
    assert_eq!(error.cause().code, "TIM-S108");
}

async fn a_schema_that_needs_a_newer_node_is_refused(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    fresh.node().await;
    // A newer schema alone is fine: it only added something.
    fresh
        .sql("INSERT INTO tim_migration (version, applied_at) VALUES ('m9999_later', 1)")
        .await;
    fresh.raw_node().1.prepare().await.unwrap();
    fresh.sql("UPDATE tim_binding SET schema_minimum = 7").await;
    let error = fresh.raw_node().1.prepare().await.unwrap_err();
    assert!(
        matches!(error, StoreError::SchemaTooNew { needed: 7, .. }),
        "{error}"
    );
}

async fn one_node_alone_may_found_the_control_group(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    assert_eq!(fresh.node().await.bootstrap().await.unwrap(), None);
    let mut claims = Vec::new();
    for number in 0..6_u64 {
        let node = NodeName::new(format!("chat-{number}")).unwrap();
        claims.push((
            fresh.node().await,
            Bootstrap {
                node,
                raft_id: u64::MAX - number,
            },
        ));
    }
    let asked = claims
        .iter()
        .map(|(database, claim)| database.claim_bootstrap(claim));
    let holders: Vec<_> = futures::future::join_all(asked)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert!(holders.iter().all(|holder| *holder == holders[0]), "{holders:?}");
    assert!(claims.iter().any(|(_, claim)| *claim == holders[0]));
    assert_eq!(claims[0].0.bootstrap().await.unwrap().as_ref(), Some(&holders[0]));
}
