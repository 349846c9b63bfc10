//! Somebody outside who is told of events.

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Told {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// How it was answered.
    pub answer: u16,
}

/// Takes what is posted to it, and answers as it is told.
#[derive(Debug, Clone)]
pub struct Receiver {
    pub port: u16,
    told: Arc<Mutex<Vec<Told>>>,
    answer: Arc<AtomicU16>,
    body: Arc<Mutex<&'static [u8]>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            port: listener.local_addr().unwrap().port(),
            told: Arc::default(),
            answer: Arc::new(AtomicU16::new(200)),
            body: Arc::default(),
        };
        let taking = receiver.clone();
        let take = move |uri: axum::http::Uri, headers: HeaderMap, body: Bytes| async move {
            let told = Told {
                path: uri.path().to_owned(),
                headers,
                body: body.to_vec(),
                answer: taking.answer.load(Ordering::Relaxed),
            };
            let answer = told.answer;
            taking.told.lock().unwrap().push(told);
            (
                StatusCode::from_u16(answer).unwrap(),
                *taking.body.lock().unwrap(),
            )
        };
        let router = axum::Router::new().fallback(post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// From now on every request is answered so.
    pub fn answers(&self, code: u16) {
        self.answer.store(code, Ordering::Relaxed);
    }

    /// From now on every answer holds this.
    pub fn says(&self, body: &'static [u8]) {
        *self.body.lock().unwrap() = body;
    }

    /// All requests to a path so far.
    pub fn requests(&self, path: &str) -> Vec<Told> {
        let told = self.told.lock().unwrap();
        told.iter().filter(|told| told.path == path).cloned().collect()
    }

    /// All events that were accepted at `/hook`, in order.
    pub fn events(&self) -> Vec<Value> {
        let read = |told: &Told| serde_json::from_slice::<Value>(&told.body).unwrap()["events"].take();
        let mut events = self.requests("/hook");
        events.retain(|told| told.answer < 300);
        events
            .iter()
            .flat_map(|told| read(told).as_array().cloned().unwrap())
            .collect()
    }

    /// Waits until what has come is enough.
    pub async fn until(&self, what: &str, enough: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(40);
        while !enough(self) {
            assert!(
                Instant::now() < deadline,
                "waited for {what}: {:?}",
                self.events()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
