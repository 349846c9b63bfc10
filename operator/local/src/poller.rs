//! Asking every node how it is, again and again, each on its own: one that does not answer delays nobody.

use crate::control::Controls;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_proto::control::v1::{NodeState, StatusReply};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// How long a node may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How often a node is asked that does not serve yet, or no longer.
const INTERVAL_BUSY: Duration = Duration::from_millis(100);
/// How often a serving node is asked.
const INTERVAL_CALM: Duration = Duration::from_millis(500);

/// One life of a node to ask.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Its name.
    pub node: String,
    /// Its life: an answer of an earlier one does not count.
    pub uid: String,
    /// Where.
    pub address: SocketAddr,
}

/// What a node said last.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its answer.
    pub reply: StatusReply,
    /// When.
    pub at: Instant,
}

/// When a life was last heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Whether it has ever answered.
    pub answered: bool,
    /// When it did last, or since when it is asked.
    pub at: Instant,
}

/// Asks nodes in the background.
pub struct Poller {
    controls: Arc<Controls>,
    since: Mutex<HashMap<String, Instant>>,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    tasks: HashMap<Asked, JoinHandle<()>>,
    news: Arc<Notify>,
}

impl Poller {
    /// `news` is told of every answer.
    pub fn new(controls: Arc<Controls>, news: Arc<Notify>) -> Self {
        Self {
            controls,
            since: Mutex::default(),
            answers: Arc::default(),
            tasks: HashMap::new(),
            news,
        }
    }

    /// Asks these lives from now on, and no others.
    pub fn watch(&mut self, wanted: &[Asked]) {
        let (answers, since) = (&self.answers, &self.since);
        self.tasks.retain(|asked, task| {
            let stays = wanted.contains(asked);
            if !stays {
                task.abort();
                answers.lock().remove(&asked.uid);
                since.lock().remove(&asked.uid);
            }
            stays
        });
        for asked in wanted {
            if !self.tasks.contains_key(asked) {
                let task = tokio::spawn(ask(
                    self.controls.clone(),
                    asked.clone(),
                    self.answers.clone(),
                    self.news.clone(),
                ));
                self.since.lock().insert(asked.uid.clone(), Instant::now());
                self.tasks.insert(asked.clone(), task);
            }
        }
    }

    /// When that life was last heard of: its last answer, or the beginning of asking.
    pub fn heard(&self, uid: &str) -> Option<Heard> {
        let since = *self.since.lock().get(uid)?;
        let answer = self.answers.lock().get(uid).map(|answer| answer.at);
        Some(Heard {
            answered: answer.is_some(),
            at: answer.map_or(since, |at| at.max(since)),
        })
    }

    /// Counts silence from now on: the past says nothing.
    pub fn renew(&self, now: Instant) {
        self.since.lock().values_mut().for_each(|since| *since = now);
    }

    /// What that life said last.
    pub fn answer(&self, uid: &str) -> Option<Answer> {
        self.answers.lock().get(uid).cloned()
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.tasks.values().for_each(JoinHandle::abort);
    }
}

async fn ask(
    controls: Arc<Controls>,
    asked: Asked,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    news: Arc<Notify>,
) {
    loop {
        let mut interval = INTERVAL_BUSY;
        match controls.status(&asked.node, asked.address, ANSWER_MAX).await {
            Ok(reply) => {
                if reply.state() == NodeState::Serving {
                    interval = INTERVAL_CALM;
                }
                answers.lock().insert(
                    asked.uid.clone(),
                    Answer {
                        reply,
                        at: Instant::now(),
                    },
                );
                news.notify_one();
            }
            Err(error) => tracing::debug!(node = asked.node, %error, "no status"),
        }
        tokio::time::sleep(interval).await;
    }
}
