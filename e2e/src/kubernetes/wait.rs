//! Waiting for objects by watching them, never by sleeping.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use kube::runtime::watcher::{self, Event, watch_object, watcher};
use kube::{Api, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What can be watched and shown.
pub trait Watched: Resource + Clone + Debug + Send + DeserializeOwned + Serialize + 'static {}
impl<K: Resource + Clone + Debug + Send + DeserializeOwned + Serialize + 'static> Watched for K {}

/// Until one object, which may be absent, is as wished; gives it.
///
/// # Errors
/// It is not within the limit; the error shows how it was last.
pub async fn until<K: Watched>(
    api: &Api<K>,
    name: &str,
    what: &str,
    limit: Duration,
    mut wished: impl FnMut(Option<&K>) -> bool,
) -> anyhow::Result<Option<K>> {
    let mut last = None;
    let mut changes = pin!(watch_object(api.clone(), name));
    let watching = async {
        while let Some(change) = changes.next().await {
            // The watcher begins again by itself after an error.
            let Ok(object) = change else { continue };
            let done = wished(object.as_ref());
            last = object;
            if done {
                return;
            }
        }
    };
    let outcome = tokio::time::timeout(limit, watching).await;
    outcome.with_context(|| {
        format!(
            "{what}: not within {limit:?}; {name} was last:\n{}",
            shown(last.as_ref())
        )
    })?;
    Ok(last)
}

/// As [`until`], for an object that has to be there.
///
/// # Errors
/// As [`until`].
pub async fn until_there<K: Watched>(
    api: &Api<K>,
    name: &str,
    what: &str,
    limit: Duration,
    mut wished: impl FnMut(&K) -> bool,
) -> anyhow::Result<K> {
    until(api, name, what, limit, |object| object.is_some_and(&mut wished))
        .await?
        .context("the object is gone")
}

/// Until the objects of a label selector, taken together, are as wished; gives them by name.
///
/// # Errors
/// They are not within the limit; the error shows them.
pub async fn until_all<K: Watched>(
    api: &Api<K>,
    labels: &str,
    what: &str,
    limit: Duration,
    mut wished: impl FnMut(&BTreeMap<String, K>) -> bool,
) -> anyhow::Result<BTreeMap<String, K>> {
    let mut present = BTreeMap::new();
    let watching = async {
        let mut listed = false;
        let mut changes = pin!(watcher(api.clone(), watcher::Config::default().labels(labels)));
        while let Some(change) = changes.next().await {
            match change {
                Ok(Event::Init) => {
                    present.clear();
                    listed = false;
                }
                Ok(Event::InitApply(object) | Event::Apply(object)) => {
                    present.insert(object.name_any(), object);
                }
                Ok(Event::Delete(object)) => {
                    present.remove(&object.name_any());
                }
                Ok(Event::InitDone) => listed = true,
                Err(_) => continue,
            }
            if listed && wished(&present) {
                return;
            }
        }
    };
    let outcome = tokio::time::timeout(limit, watching).await;
    outcome.with_context(|| {
        let names: Vec<&String> = present.keys().collect();
        format!("{what}: not within {limit:?}; there are {names:?}")
    })?;
    Ok(present)
}

fn shown<K: Serialize>(object: Option<&K>) -> String {
    let Some(object) = object else {
        return "absent".to_owned();
    };
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(metadata) = value
        .get_mut("metadata")
        .and_then(|metadata| metadata.as_object_mut())
    {
        metadata.remove("managedFields");
    }
    serde_json::to_string_pretty(&value).unwrap_or_default()
}
