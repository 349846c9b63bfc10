//! The partition map as the fences say it: what a new cluster begins with, and what changed when a fence refuses.
//!
//! The truth about a range is its fence row, so the map is read from all fences. Of two descriptions of a slot the one
//! with the higher epoch is newer. A database that does not answer keeps nobody from knowing the ranges of the others:
//! what it holds stays as it was known.

use super::Databases;
use crate::engine::{Engine, Input};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_core::id::{DatabaseName, Epoch, Slot};
use tim_core::map::{HomePlacement, PartitionMap, Range};
use tim_core::placement::SLOT_COUNT;
use tim_store::{Fence, FenceState, Store, StoreError};

/// Fences are read again at most this often.
const REFRESH_INTERVAL: Duration = Duration::from_millis(20);
/// A refusal that reading did not explain (the other side is just being opened) is looked into again after this.
const AGAIN: Duration = Duration::from_millis(200);

/// The fences are read this often without a reason: a change that nobody here has met.
const WATCH_NOTHING: Duration = Duration::from_secs(10);

/// How long a cut-over may keep writes waiting before any node ends it: its coordinator is dead or stuck. Well over the
/// longest pause a coordinator allows itself.
const CLOSING_MAX: Duration = Duration::from_secs(3);

/// Cut-overs that are under way, by database, first slot and number, and since when this node sees them.
type Closings = HashMap<(DatabaseName, Slot, u64), Instant>;

/// The ranges that fences describe, or the first slot that none has.
fn assemble(fences: &[(DatabaseName, HomePlacement, Fence)]) -> Result<PartitionMap, Slot> {
    let mut held: Vec<(&DatabaseName, HomePlacement, &Fence)> = fences
        .iter()
        .filter(|(_, _, fence)| matches!(fence.state, FenceState::Open | FenceState::Closing(_)))
        .map(|(database, homes, fence)| (database, *homes, fence))
        .collect();
    held.sort_by_key(|(_, _, fence)| (fence.from, std::cmp::Reverse(fence.epoch)));
    let mut ranges: Vec<Range> = Vec::new();
    let mut next = Slot(0);
    for (database, homes, fence) in held {
        if fence.from > next {
            return Err(next);
        }
        if fence.to <= next {
            continue;
        }
        ranges.push(Range {
            from: next.max(fence.from),
            database: database.clone(),
            epoch: fence.epoch,
            homes,
        });
        next = fence.to;
    }
    if next.0 < SLOT_COUNT {
        return Err(next);
    }
    let version = ranges.iter().map(|range| range.epoch.0).max().unwrap_or(1);
    PartitionMap::new(ranges, version).map_err(|_| Slot(0))
}

/// Whether `candidate` knows something newer than `present`.
fn is_newer(candidate: &PartitionMap, present: &PartitionMap) -> bool {
    let starts = candidate
        .ranges()
        .iter()
        .chain(present.ranges())
        .map(|range| range.from);
    let epochs: Vec<(Epoch, Epoch)> = starts
        .map(|from| (candidate.range_of(from).epoch, present.range_of(from).epoch))
        .collect();
    // A mixture of older and newer is the sight of a change under way; it is read again.
    epochs.iter().all(|(new, old)| new >= old) && epochs.iter().any(|(new, old)| new > old)
}

/// What the databases that answer say.
struct Seen {
    fences: Vec<(DatabaseName, HomePlacement, Fence)>,
    answered: Vec<DatabaseName>,
    /// Why the first of the others does not answer.
    error: Option<StoreError>,
}

impl Seen {
    /// Also of one that this node does not know yet: its configuration may be on the way.
    fn is_silent(&self, name: &DatabaseName) -> bool {
        !self.answered.contains(name)
    }

    /// The map of the fences; what only silent databases can hold is as `fallback` has it, or, where that is a
    /// `guess`, at an epoch that any database refuses and any news replaces.
    fn map(&self, fallback: &PartitionMap, guess: bool) -> Result<PartitionMap, Slot> {
        let mut fences = self.fences.clone();
        loop {
            let hole = match assemble(&fences) {
                Ok(map) => return Ok(map),
                Err(hole) => hole,
            };
            fences.push(self.patch(hole, fallback, guess).ok_or(hole)?);
        }
    }

    /// A stand-in for the fence that nobody can read, from `hole` to where something is known again.
    fn patch(
        &self,
        hole: Slot,
        fallback: &PartitionMap,
        guess: bool,
    ) -> Option<(DatabaseName, HomePlacement, Fence)> {
        let moved = self.fences.iter().find_map(|(_, _, fence)| match &fence.state {
            FenceState::Moved(target) if fence.covers(hole) && self.is_silent(target) => {
                Some((target.clone(), fence.epoch, fence.to))
            }
            _ => None,
        });
        let range = fallback.range_of(hole);
        let (database, epoch, to) = match moved {
            Some(moved) => moved,
            None if self.is_silent(&range.database) => {
                let epoch = if guess { Epoch(0) } else { range.epoch };
                (range.database.clone(), epoch, fallback.end_of(hole))
            }
            None => return None,
        };
        let known_from = self
            .fences
            .iter()
            .filter(|(_, _, fence)| matches!(fence.state, FenceState::Open | FenceState::Closing(_)))
            .map(|(_, _, fence)| fence.from)
            .filter(|from| *from > hole)
            .min();
        let fence = Fence {
            from: hole,
            to: known_from.map_or(to, |known| known.min(to)),
            epoch,
            state: FenceState::Open,
            moving: None,
            copying: false,
            term: tim_core::id::Term(0),
            closings: 0,
        };
        Some((database, range.homes, fence))
    }
}

/// Asks all databases at once: one that is away must not make the others wait.
async fn read_fences(store: &Store, names: &[DatabaseName]) -> Seen {
    let mut names: Vec<DatabaseName> = names.iter().cloned().chain(store.databases()).collect();
    names.sort_unstable();
    names.dedup();
    let asked = names.into_iter().map(|name| async {
        let read = async {
            let database = store.database(&name)?;
            Ok((database.home_placement(), database.fences().await?))
        };
        let read: Result<_, StoreError> = read.await;
        (name, read)
    });
    let mut seen = Seen {
        fences: Vec::new(),
        answered: Vec::new(),
        error: None,
    };
    for (name, read) in futures::future::join_all(asked).await {
        match read {
            Ok((homes, fences)) => {
                let fences = fences.into_iter().map(|fence| (name.clone(), homes, fence));
                seen.fences.extend(fences);
                seen.answered.push(name);
            }
            Err(error) => {
                tracing::debug!(database = %name, %error, "its fences could not be read");
                seen.error.get_or_insert(error);
            }
        }
    }
    seen
}

/// The map of the cluster when the node starts; founds the cluster if it is new, for which all databases must answer.
///
/// Several nodes may do this at once: a database gets fences only while it has none, and only as long as the fences of
/// all databases together leave slots out, so a database that is added later stays empty until ranges are moved to it.
pub(crate) async fn founding_map(
    store: &Store,
    partitioning: &tim_config::Partitioning,
    names: &[DatabaseName],
) -> Result<PartitionMap, StoreError> {
    let seen = read_fences(store, names).await;
    if let Ok(map) = assemble(&seen.fences) {
        return Ok(map);
    }
    // What is missing may be in a database that does not answer: to found it again elsewhere would split the cluster.
    if let Some(error) = seen.error {
        return Err(error);
    }
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut ranges = Vec::new();
    for start in partitioning.ranges(&names) {
        let Ok(database) = DatabaseName::new(&start.database) else {
            continue;
        };
        ranges.push(Range {
            from: Slot(start.from),
            epoch: Epoch(1),
            homes: store.database(&database)?.home_placement(),
            database,
        });
    }
    if let Ok(first) = PartitionMap::new(ranges, 1) {
        for name in first.databases() {
            store.database(name)?.create_fences(&first).await?;
        }
    }
    let seen = read_fences(store, &[]).await;
    assemble(&seen.fences).map_err(|slot| {
        let database = seen.fences.first().map(|(name, ..)| name.clone());
        StoreError::StepRefused {
            // Without any database the configuration is refused before this is reached.
            database: database.unwrap_or_else(|| first_name(&names)),
            reason: if slot.0 == 0 {
                "no fence holds slot 0"
            } else {
                "the fences leave slots out"
            },
        }
    })
}

#[allow(clippy::expect_used, reason = "a constant that is a valid name")]
fn first_name(names: &[String]) -> DatabaseName {
    names
        .iter()
        .find_map(|name| DatabaseName::new(name).ok())
        .unwrap_or_else(|| DatabaseName::new("none").expect("a valid name"))
}

impl Databases {
    /// Takes a map if it is newer; whether it was.
    pub(crate) fn adopt(&self, candidate: PartitionMap) -> Option<Arc<PartitionMap>> {
        let present = self.map.load_full();
        if !is_newer(&candidate, &present) {
            return None;
        }
        let candidate = Arc::new(candidate);
        self.map.store(Arc::clone(&candidate));
        tracing::info!(
            ranges = candidate.ranges().len(),
            version = candidate.version(),
            "partition map changed"
        );
        Some(candidate)
    }

    /// The map with which a node may start while not all databases answer: the cluster exists, and what the silent
    /// ones hold is guessed until they say it themselves. `None` while nothing says that there is a cluster.
    pub(crate) async fn partial_map(&self, guess: &PartitionMap) -> Option<PartitionMap> {
        let seen = read_fences(&self.store, &self.declared()).await;
        let exists = !seen.fences.is_empty();
        exists.then(|| seen.map(guess, true).ok()).flatten()
    }

    /// A newer map, if there is one, and whether all databases have answered.
    async fn refresh(&self, closings: &mut Closings) -> (Option<Arc<PartitionMap>>, bool) {
        let seen = read_fences(&self.store, &self.declared()).await;
        self.end_stuck_closings(&seen.fences, closings).await;
        let map = match seen.map(&self.map(), false) {
            Ok(map) => self.adopt(map),
            Err(slot) => {
                self.open_target_of(&seen.fences, slot).await;
                None
            }
        };
        (map, seen.error.is_none())
    }

    async fn end_stuck_closings(
        &self,
        fences: &[(DatabaseName, HomePlacement, Fence)],
        closings: &mut Closings,
    ) {
        let seen: Closings = fences
            .iter()
            .filter_map(|(database, _, fence)| match fence.state {
                FenceState::Closing(number) => Some((database.clone(), fence.from, number)),
                _ => None,
            })
            .map(|key| {
                let since = closings.get(&key).copied().unwrap_or_else(Instant::now);
                (key, since)
            })
            .collect();
        for ((database, slot, number), since) in &seen {
            if since.elapsed() < CLOSING_MAX {
                continue;
            }
            let Ok(opened) = self.store.database(database) else {
                continue;
            };
            match opened.reopen_closing(*slot, *number).await {
                Ok(true) => tracing::warn!(database = %database, "a cut-over that did not end was ended"),
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(database = %database, %error, "a cut-over could not be ended yet")
                }
            }
        }
        *closings = seen;
    }

    /// Once the source says "moved", any node may open the target: its coordinator may be dead.
    async fn open_target_of(&self, fences: &[(DatabaseName, HomePlacement, Fence)], slot: Slot) {
        let moved = fences.iter().find_map(|(source, _, fence)| match &fence.state {
            FenceState::Moved(target) if fence.covers(slot) => Some((source, target, fence)),
            _ => None,
        });
        if let Some((source, target, fence)) = moved
            && let Err(error) = crate::repartition::open_target(&self.store, source, target, fence).await
        {
            tracing::debug!(%error, "a moved range could not be opened yet");
        }
    }
}

/// Reads the fences whenever one has refused, and tells the engine what is new, until the process ends.
pub(crate) async fn follow(databases: Arc<Databases>, engine: Engine) {
    let mut closings = Closings::new();
    loop {
        // A cut-over is watched until it is over, also when nobody writes any more.
        let watched = if closings.is_empty() { WATCH_NOTHING } else { AGAIN };
        let _ = tokio::time::timeout(watched, databases.need_map.notified()).await;
        let (newer, complete) = databases.refresh(&mut closings).await;
        if let Some(map) = newer {
            engine.post(Input::Map(map));
        }
        if !complete {
            // Whoever is refused rings again; a database that comes back does, too.
            tokio::time::sleep(AGAIN).await;
        }
        tokio::time::sleep(REFRESH_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tim_core::id::Term;

    fn fence(from: u32, to: u32, epoch: u64, state: FenceState) -> Fence {
        Fence {
            from: Slot(from),
            to: Slot(to),
            epoch: Epoch(epoch),
            state,
            moving: None,
            copying: false,
            term: Term(0),
            closings: 0,
        }
    }

    fn of(database: &str, fence: Fence) -> (DatabaseName, HomePlacement, Fence) {
        (
            DatabaseName::new(database).unwrap(),
            HomePlacement::PerDatabase,
            fence,
        )
    }

    #[test]
    fn fences_make_a_map_and_a_hole_is_named() {
        let d1 = DatabaseName::new("d1").unwrap();
        let source = of("d0", fence(0, 1_000, 1, FenceState::Open));
        let moved = of("d0", fence(1_000, SLOT_COUNT, 2, FenceState::Moved(d1)));
        let incoming = of("d1", fence(1_000, SLOT_COUNT, 2, FenceState::Incoming));
        assert_eq!(
            assemble(&[source.clone(), moved.clone(), incoming]),
            Err(Slot(1_000))
        );
        let open = of("d1", fence(1_000, SLOT_COUNT, 2, FenceState::Open));
        let map = assemble(&[source, moved, open]).unwrap();
        assert_eq!(map.range_of(Slot(999)).database.as_str(), "d0");
        assert_eq!(map.range_of(Slot(1_000)).database.as_str(), "d1");
        assert_eq!(map.range_of(Slot(1_000)).epoch, Epoch(2));
    }

    #[test]
    fn a_silent_database_keeps_what_was_known_and_hides_nothing() {
        let [d0, d1, d2] = ["d0", "d1", "d2"].map(|name| DatabaseName::new(name).unwrap());
        let before = assemble(&[
            of("d0", fence(0, 1_000, 1, FenceState::Open)),
            of("d1", fence(1_000, SLOT_COUNT, 3, FenceState::Open)),
        ])
        .unwrap();
        // d1 is away; meanwhile a part of d0 has moved to d2, which is away, too, and a part of d1 to d0.
        let seen = Seen {
            fences: vec![
                of("d0", fence(0, 500, 1, FenceState::Open)),
                of("d0", fence(500, 1_000, 4, FenceState::Moved(d2))),
                of("d0", fence(5_000, SLOT_COUNT, 5, FenceState::Open)),
            ],
            answered: vec![d0.clone()],
            error: None,
        };
        let shown = |map: &PartitionMap| -> Vec<(u32, String, u64)> {
            let ranges = map.ranges().iter();
            ranges
                .map(|range| (range.from.0, range.database.to_string(), range.epoch.0))
                .collect()
        };
        let of_name = |from, name: &str, epoch| (from, name.to_owned(), epoch);
        assert_eq!(
            shown(&seen.map(&before, false).unwrap()),
            [
                of_name(0, "d0", 1),
                of_name(500, "d2", 4),
                of_name(1_000, "d1", 3),
                of_name(5_000, "d0", 5)
            ]
        );
        assert_eq!(
            shown(&seen.map(&before, true).unwrap())[2],
            of_name(1_000, "d1", 0),
            "a guess is replaced by any news"
        );
        let unknown = Seen {
            answered: vec![d0, d1],
            ..seen
        };
        assert_eq!(
            unknown.map(&before, false),
            Err(Slot(1_000)),
            "d1 answers and does not have it"
        );
    }

    #[test]
    fn only_higher_epochs_are_news() {
        let before = assemble(&[of("d0", fence(0, SLOT_COUNT, 1, FenceState::Open))]).unwrap();
        let after = assemble(&[
            of("d0", fence(0, 1_000, 1, FenceState::Open)),
            of("d1", fence(1_000, SLOT_COUNT, 2, FenceState::Open)),
        ])
        .unwrap();
        assert!(is_newer(&after, &before));
        assert!(!is_newer(&before, &after));
        assert!(!is_newer(&after, &after));
    }
}
