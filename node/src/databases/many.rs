//! Questions about many ids at once: one query per database that holds any of them.

use super::{Databases, SESSIONS_PER_QUERY_MAX};
use std::collections::HashMap;
use tim_catalogue::Report;
use tim_core::id::{DatabaseName, Epoch};
use tim_store::{Admitted, Database, StoreError};

/// How often what a fence refuses is asked again with a newer map.
const MAP_ATTEMPTS: u32 = 20;
/// Wait for the newer map, in milliseconds.
const MAP_WAIT_MS: u64 = 50;

impl Databases {
    /// One answer per key, in order.
    pub(super) async fn of_each<K, T, F>(
        &self,
        keys: &[K],
        bytes: impl Fn(&K) -> &[u8],
        query: impl Fn(Database, Vec<(K, Epoch)>) -> F,
    ) -> Result<Vec<T>, Report>
    where
        K: Clone,
        F: Future<Output = Result<Vec<Admitted<T>>, StoreError>>,
    {
        let mut answers: Vec<Option<T>> = keys.iter().map(|_| None).collect();
        let mut missing: Vec<usize> = (0..keys.len()).collect();
        let mut attempt = 0;
        while !missing.is_empty() {
            attempt += 1;
            let mut by_database: HashMap<DatabaseName, Vec<(usize, Epoch)>> = HashMap::new();
            for place in missing.drain(..) {
                let (name, epoch) = self.place(bytes(&keys[place]));
                by_database.entry(name).or_default().push((place, epoch));
            }
            let mut refused = None;
            for (name, places) in by_database {
                for places in places.chunks(SESSIONS_PER_QUERY_MAX) {
                    let asked = places.iter().map(|(place, epoch)| (keys[*place].clone(), *epoch));
                    let result = query(self.database(&name)?, asked.collect()).await;
                    self.note(&name, &result, false);
                    let found = result.map_err(|error| error.report())?;
                    for ((place, _), answer) in places.iter().zip(found) {
                        match answer {
                            Ok(answer) => answers[*place] = Some(answer),
                            Err(fenced) => {
                                missing.push(*place);
                                refused = Some((name.clone(), *place, fenced));
                            }
                        }
                    }
                }
            }
            if let Some((database, place, refused)) = refused {
                self.need_map.notify_one();
                if attempt >= MAP_ATTEMPTS {
                    let slot = tim_core::placement::slot(bytes(&keys[place]));
                    let refused = StoreError::FenceRefused {
                        database,
                        slot,
                        refused,
                    };
                    return Err(refused.report());
                }
                let wait = crate::random::jittered_ms(MAP_WAIT_MS);
                tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }
}
