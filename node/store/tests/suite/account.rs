//! Accounts and login tokens.

use tim_store::{Account, Block, BlockCursor, BlockQuery, Created};

use futures::StreamExt;

use crate::support::{EPOCH, Engine, Fresh, account, on_every_engine};

on_every_engine!(
    an_account_is_made_once_and_found,
    of_many_who_register_one_name_one_succeeds,
    two_changes_at_once_are_both_there,
    a_token_is_taken_exactly_once,
    a_token_needs_its_value_and_its_time,
    expired_tokens_are_swept,
    an_account_is_blocked_until_its_time,
    blocks_are_listed_page_by_page,
);

fn alice() -> Account {
    Account {
        id: account("alice"),
        password_hash: "$argon2id$v=19$abc".to_owned(),
        created_ns: 42,
        profile: Vec::new(),
    }
}

async fn an_account_is_made_once_and_found(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    assert_eq!(
        database.find_account(EPOCH, &account("alice")).await.unwrap(),
        None
    );
    assert_eq!(
        database.create_account(EPOCH, &alice()).await.unwrap(),
        Created::New
    );
    let other = Account {
        password_hash: "other".to_owned(),
        ..alice()
    };
    assert_eq!(
        database.create_account(EPOCH, &other).await.unwrap(),
        Created::Exists
    );
    assert_eq!(
        database.find_account(EPOCH, &account("alice")).await.unwrap(),
        Some(alice())
    );
    // Ids are compared bytewise: neither case nor trailing blanks nor accents make two into one.
    let asked = ["alice", "Alice", "alice ", "alicé", "bob"].map(|name| (account(name), EPOCH));
    let found: Vec<_> = database
        .find_accounts(&asked)
        .await
        .unwrap()
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(found, [Some(alice()), None, None, None, None]);
}

async fn of_many_who_register_one_name_one_succeeds(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let mut nodes = Vec::new();
    for number in 0..6 {
        let own = Account {
            password_hash: format!("hash {number}"),
            ..alice()
        };
        nodes.push((fresh.node().await, own));
    }
    let results =
        futures::future::join_all(nodes.iter().map(|(node, own)| node.create_account(EPOCH, own))).await;
    let winners: Vec<_> = results
        .into_iter()
        .zip(&nodes)
        .filter(|(result, _)| matches!(result, Ok(Created::New)))
        .map(|(_, (_, own))| own.clone())
        .collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(
        nodes[0]
            .0
            .find_account(EPOCH, &account("alice"))
            .await
            .unwrap()
            .as_ref(),
        winners.first()
    );
}

async fn two_changes_at_once_are_both_there(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let hash = |account: &mut Account| {
        account.password_hash = "new hash".to_owned();
        true
    };
    let alice_id = account("alice");
    assert_eq!(
        database.change_account(EPOCH, &alice_id, &hash).await.unwrap(),
        None
    );
    database.create_account(EPOCH, &alice()).await.unwrap();
    let add = |account: &mut Account| {
        account.profile.push(1);
        true
    };
    let adds = (0..4).map(|_| database.change_account(EPOCH, &alice_id, &add));
    let (changed, added) = futures::join!(
        database.change_account(EPOCH, &alice_id, &hash),
        futures::future::join_all(adds)
    );
    changed.unwrap().unwrap();
    added
        .into_iter()
        .for_each(|added| assert!(added.unwrap().is_some()));
    let unchanged = database.change_account(EPOCH, &alice_id, &|account| {
        account.profile.clear();
        false
    });
    unchanged.await.unwrap();
    let found = database.find_account(EPOCH, &alice_id).await.unwrap().unwrap();
    assert_eq!(
        (found.password_hash.as_str(), found.profile, found.created_ns),
        ("new hash", vec![1; 4], 42)
    );
}

async fn a_token_is_taken_exactly_once(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let mut nodes = Vec::new();
    for _ in 0..6 {
        nodes.push(fresh.node().await);
    }
    nodes[0]
        .put_token(EPOCH, b"secret", &account("alice"), 1_000)
        .await
        .unwrap();
    let taken =
        futures::future::join_all(nodes.iter().map(|node| node.take_token(EPOCH, b"secret", 999))).await;
    let owners: Vec<_> = taken.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(owners, [account("alice")]);
}

async fn a_token_needs_its_value_and_its_time(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    database
        .put_token(EPOCH, b"secret", &account("alice"), 1_000)
        .await
        .unwrap();
    assert_eq!(database.take_token(EPOCH, b"other", 0).await.unwrap(), None);
    assert_eq!(database.take_token(EPOCH, b"secret", 1_000).await.unwrap(), None);
    assert_eq!(
        database.take_token(EPOCH, b"secret", 999).await.unwrap(),
        Some(account("alice"))
    );
}

async fn expired_tokens_are_swept(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    database
        .put_token(EPOCH, b"old", &account("alice"), 1_000)
        .await
        .unwrap();
    database
        .put_token(EPOCH, b"new", &account("alice"), 3_000)
        .await
        .unwrap();
    assert_eq!(database.sweep_expired(2_000).await.unwrap(), 1);
    assert_eq!(fresh.sql("SELECT COUNT(*) FROM tim_token").await, "1");
    assert!(database.take_token(EPOCH, b"new", 2_000).await.unwrap().is_some());
}

fn at(now_ms: i64, after: Option<BlockCursor>) -> BlockQuery {
    BlockQuery {
        now_ms,
        said_after_ms: 0,
        after,
    }
}

async fn an_account_is_blocked_until_its_time(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let (database, other) = (fresh.node().await, fresh.node().await);
    let alice = account("alice");
    let block = |until_ms| Block {
        account: alice.clone(),
        until_ms,
    };
    assert_eq!(database.blocked_until(EPOCH, &alice, 0).await.unwrap(), None);
    database.block_account(EPOCH, &block(5_000), 1_000).await.unwrap();
    assert_eq!(
        other.blocked_until(EPOCH, &alice, 4_999).await.unwrap(),
        Some(5_000)
    );
    assert_eq!(other.blocked_until(EPOCH, &alice, 5_000).await.unwrap(), None);
    // The last word counts, whichever clock it is said by.
    other.block_account(EPOCH, &block(9_000), 900).await.unwrap();
    assert_eq!(
        database.blocked_until(EPOCH, &alice, 5_000).await.unwrap(),
        Some(9_000)
    );
    other.block_account(EPOCH, &block(0), 1_100).await.unwrap();
    assert_eq!(database.blocked_until(EPOCH, &alice, 1_200).await.unwrap(), None);
    assert_eq!(
        database.list_blocks(at(1_200, None)).await.unwrap(),
        (vec![], None)
    );
    assert_eq!(database.sweep_expired(1_200).await.unwrap(), 1);
    database.block_account(EPOCH, &block(7_000), 1_300).await.unwrap();
    let listed = database.list_blocks(at(1_400, None)).await.unwrap();
    assert_eq!(listed, (vec![block(7_000)], None));
    let later = BlockQuery {
        said_after_ms: 1_300,
        ..at(1_400, None)
    };
    assert_eq!(database.list_blocks(later).await.unwrap().0, []);
    let rows = fresh.sql("SELECT COUNT(*) FROM tim_account_block").await;
    assert_eq!(rows, "1");
}

async fn blocks_are_listed_page_by_page(engine: Engine) {
    let fresh = Fresh::new(engine).await;
    let database = fresh.node().await;
    let count = usize::try_from(tim_store::block::MAX_LISTED_BLOCKS).unwrap() + 5;
    let blocks = futures::stream::iter((0..count).map(|number| Block {
        account: account(&format!("a{number}")),
        until_ms: 2_000,
    }));
    blocks
        .for_each_concurrent(4, |block| {
            let database = database.clone();
            async move { database.block_account(EPOCH, &block, 1).await.unwrap() }
        })
        .await;
    let (first, next) = database.list_blocks(at(1_000, None)).await.unwrap();
    let (second, end) = database.list_blocks(at(1_000, next)).await.unwrap();
    assert_eq!((second.len(), end), (5, None));
    let mut names: Vec<_> = first
        .into_iter()
        .chain(second)
        .map(|block| block.account)
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert_eq!(database.list_blocks(at(2_000, None)).await.unwrap().0, []);
}
