//! Accounts that come and go in the whole cluster, for those who watch: administrators' connections on any node.
//!
//! Each node finds out of its own sessions whether an account has come or gone ([`crate::webhooks`]), and only while
//! somebody watches. A node with watchers listens to itself and, over one stream each, to every other node. What is not
//! heard is not repeated: a watcher that cannot keep up is told that it has missed something, and ends.

use crate::node::Node;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tim_core::id::{AccountId, NodeName};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;

/// News that may wait for one who watches; who is further behind has missed some.
const WAITING_MAX: usize = 4_096;
/// Wait before a node that does not answer is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// Somebody came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) account: AccountId,
    /// It has come; else it has gone.
    pub(crate) online: bool,
}

/// The news of this node, and those of all.
#[derive(Debug)]
pub(crate) struct OnlineNews {
    own: broadcast::Sender<News>,
    all: broadcast::Sender<News>,
    /// How many on this node watch the whole cluster.
    watchers: watch::Sender<usize>,
}

impl Default for OnlineNews {
    fn default() -> Self {
        Self {
            own: broadcast::channel(WAITING_MAX).0,
            all: broadcast::channel(WAITING_MAX).0,
            watchers: watch::channel(0).0,
        }
    }
}

/// Somebody who watches the whole cluster.
#[derive(Debug)]
pub(crate) struct Watcher {
    news: broadcast::Receiver<News>,
    node: Arc<Node>,
}

/// Not everything was heard.
#[derive(Debug)]
pub(crate) struct Missed;

impl OnlineNews {
    /// Whether it has to be found out who comes and goes here.
    pub(crate) fn is_watched(&self) -> bool {
        self.own.receiver_count() > 0
    }

    /// An account has come to this node as to the first, or has gone and is nowhere else.
    pub(crate) fn tell(&self, account: &AccountId, online: bool) {
        let account = account.clone();
        // Nobody may listen.
        let _ = self.own.send(News { account, online });
    }

    /// What this node finds out, from now on.
    pub(crate) fn of_this_node(&self) -> broadcast::Receiver<News> {
        self.own.subscribe()
    }
}

impl Watcher {
    /// Watches from now on; other nodes are heard once they have been reached.
    pub(crate) fn new(node: &Arc<Node>) -> Self {
        let news = node.online_news.all.subscribe();
        node.online_news.watchers.send_modify(|count| *count += 1);
        Self {
            news,
            node: Arc::clone(node),
        }
    }

    /// The next news.
    pub(crate) async fn next(&mut self) -> Result<News, Missed> {
        self.news.recv().await.map_err(|_| Missed)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let watchers = &self.node.online_news.watchers;
        watchers.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// Listens to all nodes while somebody watches here.
pub(crate) async fn follow(node: Arc<Node>) {
    let mut watchers = node.online_news.watchers.subscribe();
    loop {
        if watchers.wait_for(|count| *count > 0).await.is_err() {
            return;
        }
        tokio::select! {
            _ = watchers.wait_for(|count| *count == 0) => {}
            () = listen(&node) => {}
        }
    }
}

/// To this node and to the others, whichever there are; ends only when it is dropped.
async fn listen(node: &Arc<Node>) {
    let mut members = node.members.clone();
    // All end with this one.
    let mut tasks = JoinSet::new();
    tasks.spawn(hear_own(Arc::clone(node)));
    let mut heard: HashMap<NodeName, tokio::task::AbortHandle> = HashMap::new();
    loop {
        let others: Vec<NodeName> = {
            let members = members.borrow_and_update();
            let names = members.nodes().keys().filter(|name| **name != node.name);
            names.cloned().collect()
        };
        heard.retain(|name, task| {
            let stays = others.contains(name);
            if !stays {
                task.abort();
            }
            stays
        });
        for name in others {
            heard
                .entry(name.clone())
                .or_insert_with(|| tasks.spawn(hear(Arc::clone(node), name)));
        }
        if members.changed().await.is_err() {
            return;
        }
    }
}

async fn hear_own(node: Arc<Node>) {
    let mut news = node.online_news.of_this_node();
    loop {
        match news.recv().await {
            // Nobody may listen any more.
            Ok(news) => drop(node.online_news.all.send(news)),
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "news of who comes and goes were lost");
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

async fn hear(node: Arc<Node>, name: NodeName) {
    loop {
        if let Some(mut stream) = node.peers.watch_online(&name).await {
            while let Some(Ok(told)) = stream.next().await {
                if let Ok(account) = AccountId::new(told.account) {
                    let online = told.online;
                    let _ = node.online_news.all.send(News { account, online });
                }
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}
