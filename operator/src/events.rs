//! Events: one per change of a condition, in the condition's words, not repeated within an hour.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tim_crds::Condition;

/// How long the same Event about the same object is not said again.
const REPEAT_AFTER: Duration = Duration::from_secs(3_600);
/// Events remembered for that; the oldest are forgotten first.
const REMEMBERED_MAX: usize = 10_000;

/// Publishes Events and remembers what was said.
pub(crate) struct Events {
    recorder: Recorder,
    said: Mutex<HashMap<(String, String), Instant>>,
}

impl Events {
    pub(crate) fn new(client: Client, instance: &str) -> Self {
        let reporter = Reporter {
            controller: String::from("tim-operator"),
            instance: Some(instance.to_owned()),
        };
        Self {
            recorder: Recorder::new(client, reporter),
            said: Mutex::default(),
        }
    }

    /// Says what has changed between the conditions before and after.
    pub(crate) async fn conditions_changed(
        &self,
        object: &ObjectReference,
        before: &[Condition],
        after: &[Condition],
    ) {
        for condition in after {
            let old = before.iter().find(|old| old.type_ == condition.type_);
            let wrong = names_a_cause(&condition.message);
            // What a new object begins with is no news, unless something is wrong.
            let changed = old.map_or(wrong, |old| {
                old.status != condition.status || old.reason != condition.reason
            });
            if !changed || condition.message.is_empty() {
                continue;
            }
            let kind = if wrong {
                EventType::Warning
            } else {
                EventType::Normal
            };
            self.say(
                object,
                kind,
                &condition.reason,
                &condition.type_,
                &condition.message,
            )
            .await;
        }
    }

    /// Publishes one Event unless it was said within the hour. A failure is logged, nothing depends on an Event.
    pub(crate) async fn say(
        &self,
        object: &ObjectReference,
        type_: EventType,
        reason: &str,
        action: &str,
        note: &str,
    ) {
        let key = (object.uid.clone().unwrap_or_default(), format!("{reason} {note}"));
        if !self.is_new(key) {
            return;
        }
        log(object, note);
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note.to_owned()),
            action: action.to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, object).await {
            tracing::info!(%error, reason, "an Event was not published");
        }
    }

    fn is_new(&self, key: (String, String)) -> bool {
        let now = Instant::now();
        let mut said = self.said.lock();
        said.retain(|_, when| now.duration_since(*when) < REPEAT_AFTER);
        if said.len() >= REMEMBERED_MAX
            && let Some(oldest) = said
                .iter()
                .min_by_key(|(_, when)| **when)
                .map(|(key, _)| key.clone())
        {
            said.remove(&oldest);
        }
        said.insert(key, now).is_none()
    }
}

/// Whether a message begins with a code of the catalogue: then something is wrong.
fn names_a_cause(message: &str) -> bool {
    code_of(message).is_some()
}

fn code_of(message: &str) -> Option<&str> {
    message
        .split_whitespace()
        .next()
        .filter(|code| code.starts_with("TIM-"))
}

/// What is wrong stands in the log too, under the same code.
fn log(object: &ObjectReference, note: &str) {
    let Some(code) = code_of(note) else { return };
    let (kind, name, namespace) = (&object.kind, &object.name, &object.namespace);
    tracing::warn!(
        code,
        kind = kind.as_deref(),
        name = name.as_deref(),
        namespace = namespace.as_deref(),
        "{note}"
    );
}
