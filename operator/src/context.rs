//! What every reconcile shares.

use crate::events::Events;
use crate::node_links::NodeLinks;
use crate::settings::Settings;
use kube::Client;
use parking_lot::Mutex;
use std::collections::HashMap;
use tim_telemetry::{Counter, Histogram, names};

/// Client, links to nodes, Events and measurements.
pub(crate) struct Context {
    /// The API server.
    pub(crate) client: Client,
    /// Control API of the nodes.
    pub(crate) links: NodeLinks,
    /// Events about objects.
    pub(crate) events: Events,
    /// Image for clusters that name none.
    pub(crate) default_image: String,
    /// Version that an object had after it was applied, by uid: what the server made of it then is no drift.
    pub(crate) applied_versions: Mutex<HashMap<String, String>>,
    /// Reconciles that failed in a row, by the object's uid.
    pub(crate) failures: Mutex<HashMap<String, u32>>,
    /// Writes to the API server.
    pub(crate) api_writes: Counter,
    /// Duration of reconciles.
    pub(crate) reconcile_duration: Histogram,
}

impl Context {
    pub(crate) fn new(client: Client, settings: &Settings) -> Self {
        Self {
            links: NodeLinks::default(),
            events: Events::new(client.clone(), &settings.identity),
            default_image: settings.default_image.clone(),
            applied_versions: Mutex::default(),
            failures: Mutex::default(),
            api_writes: tim_telemetry::counter(&names::OPERATOR_API_WRITES),
            reconcile_duration: tim_telemetry::histogram(&names::OPERATOR_RECONCILE_DURATION),
            client,
        }
    }
}
