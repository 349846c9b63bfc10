//! Logins with tokens of another user system, whose keys come, change, and stay away.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use support::Cluster;
use support::raw::{Raw, auth};
use tim_wire::{Command, TimAck, TimAuth, Token};

/// Another user system: it signs, and publishes its keys as long as it is up.
#[derive(Clone)]
struct Issuer {
    port: u16,
    published: Arc<Mutex<Option<Value>>>,
}

/// A key of it.
struct Signer {
    id: &'static str,
    pair: rcgen::KeyPair,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Self { id, pair }
    }

    fn public(&self) -> Value {
        let point = self.pair.public_key_raw();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id,
            "x": part(&point[1..33]), "y": part(&point[33..65])})
    }

    fn token(&self, name: &str, lasts_seconds: i64) -> String {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs().cast_signed();
        let claims = json!({"iss": "https://id.example.org", "aud": "chat", "sub": name, "org": "tlnet.top",
            "exp": now + lasts_seconds});
        let header = Header {
            kid: Some(self.id.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        let key = EncodingKey::from_ec_der(&self.pair.serialize_der());
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    }
}

impl Issuer {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Self {
            port: listener.local_addr().unwrap().port(),
            published: Arc::default(),
        };
        let published = Arc::clone(&issuer.published);
        let keys = move || async move {
            match published.lock().unwrap().clone() {
                Some(keys) => Ok(json!({"keys": [keys]}).to_string()),
                None => Err(StatusCode::SERVICE_UNAVAILABLE),
            }
        };
        let router = axum::Router::new().route("/jwks", get(keys));
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    fn publishes(&self, signer: &Signer) {
        *self.published.lock().unwrap() = Some(signer.public());
    }

    fn section(&self) -> String {
        format!(
            "[accounts.jwt]\nissuer = \"https://id.example.org\"\naudience = \"chat\"\ndomain_claim = \"org\"\n\
             algorithms = [\"ES256\"]\njwks_url = \"http://127.0.0.1:{}/jwks\"\n",
            self.port
        )
    }
}

async fn login(cluster: &Cluster, node: usize, token: &str, name: Option<&str>) -> (Raw, TimAck) {
    let mut client = Raw::connect(cluster.nodes[node].client_port).await;
    let auth = TimAuth {
        token: Some(Token::Text(token.to_owned())),
        name: name.map(str::to_owned),
        ..TimAuth::default()
    };
    client.send_struct(Command::Auth, &auth).await;
    let ack = client.ack(Command::Auth).await;
    (client, ack)
}

fn code(ack: &TimAck) -> Option<i32> {
    ack.error.as_ref().and_then(|error| error.code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_a_token_of_the_issuer_is_in_and_nobody_else() {
    let (issuer, signer) = (Issuer::start().await, Signer::new("one"));
    issuer.publishes(&signer);
    let mut cluster = Cluster::prepare(2, &["d0", "d1"]);
    cluster.extra = issuer.section() + "[sessions]\nper_account_max = 10\nper_device_class_max = 10\n";
    cluster.run_all().await;
    let token = signer.token("tim1", 60);
    let (client, ack) = login(&cluster, 0, &token, None).await;
    // The account that name and domain have, whoever the client says it is.
    assert_eq!((ack.ok, ack.n.as_deref()), (true, Some("UHuS8PoK2LX")), "{ack:?}");
    let (again, ack) = login(&cluster, 1, &token, Some("tim1")).await;
    assert!(ack.ok, "until it ends, on any node: {ack:?}");
    let forger = Signer::new("one");
    for (wrong, name) in [
        (forger.token("tim1", 60), None),
        (signer.token("tim1", -31), None),
        (token.clone(), Some("tim2")),
        (format!("{token}x"), None),
        ("a.b.c".to_owned(), None),
    ] {
        let (_, ack) = login(&cluster, 0, &wrong, name).await;
        assert_eq!(code(&ack), Some(4115), "{wrong} {ack:?}");
    }
    // It has no password, so none fits; and it is an account as any other.
    let mut by_password = Raw::connect(cluster.nodes[0].client_port).await;
    for password in ["", "x"] {
        by_password
            .send_struct(Command::Auth, &auth("tim1", password))
            .await;
        let refused = by_password.ack(Command::Auth).await;
        assert_eq!(code(&refused), Some(4105), "{refused:?}");
    }
    cluster.register(1, "tim2").await;
    let mut other = cluster.login(1, "tim2").await;
    other.add_friend("UHuS8PoK2LX").await;
    let mut client = client;
    client.notice(4).await;
    drop(again);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_come_late_and_change_are_found() {
    let issuer = Issuer::start().await;
    let mut cluster = Cluster::prepare(1, &["d0"]);
    cluster.extra = issuer.section();
    cluster.run_all().await;
    let (first, second) = (Signer::new("one"), Signer::new("two"));
    let (_, refused) = login(&cluster, 0, &first.token("tim1", 60), None).await;
    assert_eq!(code(&refused), Some(5104), "{refused:?}");
    assert!(refused.error.unwrap().info.unwrap().starts_with("TIM-N123"));
    assert!(cluster.status(0).await.to_string().contains("TIM-N123"));
    issuer.publishes(&first);
    gets_in(&cluster, &first, "tim1").await;
    assert!(!cluster.status(0).await.to_string().contains("TIM-N123"));
    // Another key: the one before counts no more once the new one is known.
    issuer.publishes(&second);
    gets_in(&cluster, &second, "tim2").await;
    let (_, refused) = login(&cluster, 0, &first.token("tim1", 60), None).await;
    assert_eq!(code(&refused), Some(4115), "{refused:?}");
}

/// Keys are read again at most every ten seconds.
async fn gets_in(cluster: &Cluster, signer: &Signer, name: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (_, ack) = login(cluster, 0, &signer.token(name, 60), None).await;
        if ack.ok {
            return;
        }
        assert!(Instant::now() < deadline, "{ack:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
