//! Accounts and login tokens.

use tim_store::{Account, Created};

use crate::support::{EPOCH, Engine, Fresh, account, on_every_engine};

on_every_engine!(
    an_account_is_made_once_and_found,
    of_many_who_register_one_name_one_succeeds,
    two_changes_at_once_are_both_there,
    a_token_is_taken_exactly_once,
    a_token_needs_its_value_and_its_time,
    expired_tokens_are_swept,
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
    assert_eq!(database.sweep_tokens(2_000).await.unwrap(), 1);
    assert_eq!(fresh.sql("SELECT COUNT(*) FROM tim_token").await, "1");
    assert!(database.take_token(EPOCH, b"new", 2_000).await.unwrap().is_some());
}
