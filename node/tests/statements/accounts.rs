//! Sections 8 and 17: registering, tokens, logins, ids.

use super::stage::{Stage, refusal};
use super::statements;
use crate::support::raw::{self, Raw};
use tim_wire::{Command, TimAck, TimAuth, Token};

statements!(
    "8.1" "a new account is answered by its id" => a_new_account,
    "8.1" "a name that is taken is answered 4101" => a_name_that_is_taken,
    "8.1" "an empty name or password is answered 4104" => empty_credentials,
    "8.1" "a password may be longer than 72 bytes" => a_long_password,
    "8.1" "the same name in another domain is another account" => domains,
    "8.2" "a token is given as number and as text" => a_token_has_two_forms,
    "8.2" "a wrong password for a token is answered 4102" => a_token_for_a_wrong_password,
    "8.3" "a login is answered by the id and two marks" => a_login,
    "8.3" "a second login on a socket changes nothing" => a_second_login,
    "8.3" "a wrong password is answered 4105 and the socket stays open" => a_wrong_password,
    "8.3" "a token logs in without a name, by number, digits or text, once" => tokens_log_in,
    "8.3" "a token that is none is answered 4115" => no_token,
    "8.3" "a token with another name is answered 4115" => a_token_of_somebody_else,
    "8.7" "frames sent before the login has finished are held and answered in order" => frames_behind_the_login,
    "17" "ids are derived from name and domain" => derived_ids,
);

async fn post(stage: &Stage, command: Command, auth: &TimAuth) -> TimAck {
    raw::post(stage.near(), command, stage.encoding, auth).await
}

/// Logs in on the far node; the ack and the connection.
async fn log_in(stage: &Stage, auth: &TimAuth) -> (TimAck, Raw) {
    let mut client = stage.connect(stage.far()).await;
    client.send_struct(Command::Auth, auth).await;
    (client.ack(Command::Auth).await, client)
}

async fn a_new_account(stage: &Stage) {
    let auth = raw::auth(&stage.name("alice"), "secret");
    let ack = post(stage, Command::Register, &auth).await;
    assert!(ack.ok && ack.n.is_some(), "{ack:?}");
    assert_eq!((ack.tim_type, ack.error), (14, None));
}

async fn a_name_that_is_taken(stage: &Stage) {
    stage.register("alice").await;
    let auth = raw::auth(&stage.name("alice"), "other");
    assert_eq!(refusal(&post(stage, Command::Register, &auth).await), 4101);
}

async fn empty_credentials(stage: &Stage) {
    let name = stage.name("alice");
    for (name, password) in [(name.as_str(), ""), ("", "secret")] {
        let ack = post(stage, Command::Register, &raw::auth(name, password)).await;
        assert_eq!(refusal(&ack), 4104, "{name:?} {password:?}");
    }
}

async fn a_long_password(stage: &Stage) {
    let auth = raw::auth(&stage.name("alice"), &"long ".repeat(40));
    assert!(post(stage, Command::Register, &auth).await.ok);
    assert!(log_in(stage, &auth).await.0.ok);
    let cut = TimAuth {
        pwd: auth.pwd.as_ref().map(|password| password[..72].to_owned()),
        ..auth
    };
    assert_eq!(refusal(&log_in(stage, &cut).await.0), 4105);
}

async fn domains(stage: &Stage) {
    let mut ids = Vec::new();
    for domain in [
        Some("one.example".to_owned()),
        Some("other.example".to_owned()),
        None,
    ] {
        let auth = TimAuth {
            domain,
            ..raw::auth(&stage.name("alice"), "secret")
        };
        ids.push(post(stage, Command::Register, &auth).await.n.unwrap());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

async fn a_token_has_two_forms(stage: &Stage) {
    stage.register("alice").await;
    let ack = post(stage, Command::Token, &raw::auth(&stage.name("alice"), "secret")).await;
    assert!(ack.ok && ack.tim_type == 15, "{ack:?}");
    assert!((1..1 << 53).contains(&ack.t.unwrap()), "a browser can hold it");
    assert!(!ack.n.unwrap().is_empty());
}

async fn a_token_for_a_wrong_password(stage: &Stage) {
    stage.register("alice").await;
    let wrong = raw::auth(&stage.name("alice"), "guess");
    assert_eq!(refusal(&post(stage, Command::Token, &wrong).await), 4102);
}

async fn a_login(stage: &Stage) {
    let id = stage.register("alice").await;
    let (ack, _client) = log_in(stage, &raw::auth(&stage.name("alice"), "secret")).await;
    assert!(ack.ok && ack.tim_type == 16, "{ack:?}");
    assert_eq!(ack.n, Some(id));
    assert!(
        ack.t.is_some() && ack.n2.is_some(),
        "server and connection: {ack:?}"
    );
}

async fn a_second_login(stage: &Stage) {
    stage.register("bob").await;
    let mut alice = stage.person(stage.near(), "alice").await;
    alice
        .send_struct(Command::Auth, &raw::auth(&stage.name("bob"), "secret"))
        .await;
    let ack = alice.ack(Command::Auth).await;
    assert_eq!((ack.ok, ack.n), (true, None));
}

async fn a_wrong_password(stage: &Stage) {
    stage.register("alice").await;
    let (name, nobody) = (stage.name("alice"), stage.name("nobody"));
    let (ack, mut client) = log_in(stage, &raw::auth(&name, "guess")).await;
    assert_eq!(refusal(&ack), 4105);
    for wrong in [
        raw::auth(&nobody, "secret"),
        raw::auth(&name, ""),
        TimAuth::default(),
    ] {
        client.send_struct(Command::Auth, &wrong).await;
        assert_eq!(refusal(&client.ack(Command::Auth).await), 4105);
    }
    client.login(&name, "secret").await;
}

async fn tokens_log_in(stage: &Stage) {
    let id = stage.register("alice").await;
    let auth = raw::auth(&stage.name("alice"), "secret");
    for form in 0..3 {
        let given = post(stage, Command::Token, &auth).await;
        let number = given.t.unwrap();
        let token = match form {
            0 => Token::Number(number),
            1 => Token::Text(number.to_string()),
            _ => Token::Text(given.n.unwrap()),
        };
        let by_token = TimAuth {
            token: Some(token),
            ..TimAuth::default()
        };
        let (ack, _client) = log_in(stage, &by_token).await;
        assert_eq!((ack.ok, ack.n.as_ref()), (true, Some(&id)), "form {form}");
        assert_eq!(
            refusal(&log_in(stage, &by_token).await.0),
            4115,
            "form {form}, again"
        );
    }
}

async fn no_token(stage: &Stage) {
    for text in ["never given", "12345"] {
        let by_token = TimAuth {
            token: Some(Token::Text(text.to_owned())),
            ..TimAuth::default()
        };
        assert_eq!(refusal(&log_in(stage, &by_token).await.0), 4115, "{text}");
    }
}

async fn a_token_of_somebody_else(stage: &Stage) {
    stage.register("alice").await;
    let given = post(stage, Command::Token, &raw::auth(&stage.name("alice"), "secret")).await;
    let stolen = TimAuth {
        token: given.n.map(Token::Text),
        pwd: None,
        ..raw::auth(&stage.name("mallory"), "")
    };
    assert_eq!(refusal(&log_in(stage, &stolen).await.0), 4115);
}

async fn frames_behind_the_login(stage: &Stage) {
    let (alice, mut bob) = stage.friends().await;
    alice.leaves().await;
    let mut client = stage.connect(stage.near()).await;
    client
        .send_struct(Command::Auth, &raw::auth(&stage.name("alice"), "secret"))
        .await;
    for number in 0..5 {
        client.say(&bob.id, &number.to_string()).await;
    }
    assert!(client.ack(Command::Auth).await.ok);
    for number in 0..5 {
        assert_eq!(bob.message().await.data_string, Some(number.to_string()));
    }
}

async fn derived_ids(stage: &Stage) {
    for (name, id) in [
        ("tim1", "UHuS8PoK2LX"),
        ("tim2", "QdH6CCms5EU"),
        ("js1", "CpsQjjWDkV"),
    ] {
        let auth = raw::auth(name, "secret");
        let registered = post(stage, Command::Register, &auth).await;
        assert!(
            registered.ok || refusal(&registered) == 4101,
            "by an earlier test"
        );
        let (ack, _client) = log_in(stage, &auth).await;
        assert_eq!(ack.n.as_deref(), Some(id), "{name}");
    }
}
