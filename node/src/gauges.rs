//! Metrics that are read when somebody asks for them.

use crate::admin::{phase_word, resident_bytes};
use crate::node::Node;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use tim_telemetry::{KeyValue, attribute, names, observe_f64, observe_u64};

/// Values with their attributes.
type Readings = Vec<(u64, Vec<KeyValue>)>;

fn plain(value: u64) -> Readings {
    vec![(value, Vec::new())]
}

/// Registers them; they see the node as long as it is there.
pub(crate) fn register(node: &Arc<Node>) {
    let of = |read: fn(&Node) -> Readings| {
        let node = Arc::downgrade(node);
        move || Weak::upgrade(&node).map_or_else(Vec::new, |node| read(&node))
    };
    observe_u64(
        &names::SESSION_COUNT,
        of(|node| plain(node.sessions.count() as u64)),
    );
    observe_u64(
        &names::SESSION_LIMIT,
        of(|node| plain(u64::from(node.config.limits.connections_max))),
    );
    observe_u64(
        &names::SESSION_UNREGISTERED_COUNT,
        of(|node| plain(node.engine.figures.unregistered.load(Ordering::Relaxed))),
    );
    observe_u64(&names::PASSWORD_REMEMBERED_COUNT, of(passwords));
    observe_u64(
        &names::HOME_COUNT,
        of(|node| plain(node.engine.figures.homes.load(Ordering::Relaxed))),
    );
    observe_u64(
        &names::PRESENCE_ENTRY_COUNT,
        of(|node| plain(node.engine.figures.presence_entries.load(Ordering::Relaxed))),
    );
    observe_u64(
        &names::STREAM_ROOM_COUNT,
        of(|node| plain(node.streams.figures.rooms.load(Ordering::Relaxed))),
    );
    observe_u64(
        &names::STREAM_SUBSCRIPTION_COUNT,
        of(|node| plain(node.streams.figures.subscriptions.load(Ordering::Relaxed))),
    );
    observe_u64(&names::WEBHOOK_LAG, of(|node| plain(node.webhooks.lag_seconds())));
    observe_u64(&names::RETENTION_ENDED, of(walks));
    observe_u64(&names::QUEUE_LENGTH, of(queues));
    observe_u64(&names::QUEUE_LIMIT, of(queue_limits));
    observe_u64(&names::PARTITION_EPOCH_METRIC, of(epochs));
    observe_u64(&names::DATABASE_REACHABLE, of(reachable));
    observe_u64(
        &names::DRAIN_SESSION_REMAINING,
        of(|node| {
            let progress = node.drain.progress();
            plain(if progress.is_active() {
                progress.sessions_remaining as u64
            } else {
                0
            })
        }),
    );
    repartition(node);
    observe_u64(&names::PROCESS_MEMORY_USAGE, of(|_| plain(resident_bytes())));
    let uptime = Arc::downgrade(node);
    observe_f64(&names::PROCESS_UPTIME, move || {
        Weak::upgrade(&uptime).map_or_else(Vec::new, |node| {
            vec![(node.started.elapsed().as_secs_f64(), Vec::new())]
        })
    });
}

fn passwords(node: &Node) -> Readings {
    let (own, others) = node.accounts.remembered.counts();
    let of = |source: &'static str, count: u64| (count, vec![attribute(&names::PASSWORD_SOURCE, source)]);
    vec![of("node", own), of("owners", others)]
}

fn queues(node: &Node) -> Readings {
    let of = |name: &'static str, length: u64| (length, vec![attribute(&names::QUEUE_NAME, name)]);
    let figures = &node.engine.figures;
    vec![
        of("home", figures.waiting.load(Ordering::Relaxed)),
        of("engine", figures.inputs.load(Ordering::Relaxed)),
    ]
}

fn queue_limits(node: &Node) -> Readings {
    let limit = u64::from(node.config.limits.home_queue_max);
    vec![(limit, vec![attribute(&names::QUEUE_NAME, "home")])]
}

fn epochs(node: &Node) -> Readings {
    let map = node.databases.map();
    map.ranges()
        .iter()
        .map(|range| {
            let attributes = vec![
                attribute(&names::PARTITION_FROM, i64::from(range.from.0)),
                attribute(&names::DATABASE_NAME, range.database.as_str().to_owned()),
            ];
            (range.epoch.0, attributes)
        })
        .collect()
}

fn walks(node: &Node) -> Readings {
    let ended = node.walks.ended().into_iter();
    let reading = ended.map(|(name, at)| {
        let database = attribute(&names::DATABASE_NAME, name.as_str().to_owned());
        (at, vec![database])
    });
    reading.collect()
}

fn reachable(node: &Node) -> Readings {
    let databases = node.databases.store().databases();
    databases
        .into_iter()
        .map(|name| {
            let well = u64::from(node.databases.trouble_at(&name).is_none());
            (
                well,
                vec![attribute(&names::DATABASE_NAME, name.as_str().to_owned())],
            )
        })
        .collect()
}

fn one(
    node: &Arc<Node>,
    read: impl Fn(&Node) -> u64 + Send + Sync + 'static,
) -> impl Fn() -> Readings + Send + Sync + 'static {
    let node = Arc::downgrade(node);
    move || Weak::upgrade(&node).map_or_else(Vec::new, |node| plain(read(&node)))
}

fn running(node: &Node, read: impl Fn(&tim_core::repartition::Progress) -> u64) -> u64 {
    let view = node.control.view();
    let view = view.borrow();
    view.state.running().map_or(0, |held| read(&held.progress))
}

fn repartition(node: &Arc<Node>) {
    observe_u64(
        &names::REPARTITION_ROWS_COPIED,
        one(node, |node| running(node, |progress| progress.rows_copied)),
    );
    observe_u64(
        &names::REPARTITION_VERIFY_MISMATCHES,
        one(node, |node| {
            running(node, |progress| u64::from(progress.mismatches))
        }),
    );
    observe_u64(
        &names::REPARTITION_PHASE_METRIC,
        one(node, |node| {
            running(node, |progress| phase_word(&progress.phase).1)
        }),
    );
    observe_u64(
        &names::REPARTITION_LAG,
        one(node, |node| {
            node.repartition
                .any()
                .map_or(0, |running| running.changes_pending)
        }),
    );
    let pause = Arc::downgrade(node);
    observe_f64(&names::REPARTITION_WRITE_PAUSE, move || {
        let millis = Weak::upgrade(&pause)
            .and_then(|node| node.repartition.any())
            .map_or(0, |running| running.write_pause_ms);
        let seconds = millis as f64 / 1_000.0;
        vec![(seconds, Vec::new())]
    });
}
