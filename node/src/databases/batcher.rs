//! Gathers what many ask of one database: whoever comes while a query runs is part of the next one.

use parking_lot::Mutex;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// A queue with workers that exist only while there is work.
#[derive(Debug)]
pub(super) struct Batcher<J> {
    inner: Mutex<Inner<J>>,
    workers_max: usize,
}

#[derive(Debug)]
struct Inner<J> {
    jobs: Vec<J>,
    workers: usize,
}

impl<J: Send + 'static> Batcher<J> {
    pub(super) fn new(workers_max: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                jobs: Vec::new(),
                workers: 0,
            }),
            workers_max,
        }
    }

    /// Adds a job. If a worker is missing one begins: after `delay`, so that more may come, it calls `run` with at most
    /// `batch_max` jobs at a time until none is left.
    pub(super) fn add<F, R>(self: &Arc<Self>, job: J, delay: Duration, batch_max: usize, run: F)
    where
        F: Fn(Vec<J>) -> R + Send + 'static,
        R: Future<Output = ()> + Send,
    {
        {
            let mut inner = self.inner.lock();
            inner.jobs.push(job);
            // One worker is enough until what waits exceeds what it will take at once.
            let wanted = (inner.jobs.len() / batch_max + 1).min(self.workers_max);
            if inner.workers >= wanted {
                return;
            }
            inner.workers += 1;
        }
        let batcher = Arc::clone(self);
        tokio::spawn(async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            while let Some(batch) = batcher.take(batch_max) {
                run(batch).await;
            }
        });
    }

    /// The next jobs; without any the worker has ended.
    fn take(&self, batch_max: usize) -> Option<Vec<J>> {
        let mut inner = self.inner.lock();
        if inner.jobs.is_empty() {
            inner.workers -= 1;
            return None;
        }
        if inner.jobs.len() <= batch_max {
            return Some(std::mem::take(&mut inner.jobs));
        }
        let rest = inner.jobs.split_off(batch_max);
        Some(std::mem::replace(&mut inner.jobs, rest))
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn length(&self) -> usize {
        self.inner.lock().jobs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn what_comes_meanwhile_goes_together_and_nothing_is_left() {
        let batcher = Arc::new(Batcher::new(1));
        let (sizes, mut seen) = mpsc::unbounded_channel();
        for job in 0..10 {
            let sizes = sizes.clone();
            batcher.add(job, Duration::from_millis(5), 4, move |jobs: Vec<i32>| {
                let sizes = sizes.clone();
                async move {
                    sizes.send(jobs.len()).unwrap();
                }
            });
        }
        let mut total = 0;
        while total < 10 {
            let size = seen.recv().await.unwrap();
            assert!(size <= 4);
            total += size;
        }
        assert_eq!(batcher.length(), 0);
    }
}
