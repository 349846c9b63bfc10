//! The operator waits for what it needs instead of ending: the API server, and the custom resource definitions.

use kube::Client;
use kube::api::{Api, ListParams};
use std::time::Duration;
use tim_catalogue::{Report, kubernetes};
use tim_crds::{TimCluster, TimRepartition};

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(2);

/// Returns when both resources can be listed. Says once what is missing.
pub(crate) async fn wait_for_resources(client: &Client) {
    let mut said = None;
    loop {
        let Some(missing) = missing(client).await else {
            return;
        };
        if said.as_ref() != Some(&missing) {
            tracing::warn!(code = missing.cause().code, "{missing}");
            said = Some(missing);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn missing(client: &Client) -> Option<Report> {
    let one = ListParams::default().limit(1);
    let clusters = Api::<TimCluster>::all(client.clone())
        .list_metadata(&one)
        .await
        .err();
    let failure = match clusters {
        Some(error) => Some(error),
        None => Api::<TimRepartition>::all(client.clone())
            .list_metadata(&one)
            .await
            .err(),
    };
    match failure? {
        // Without a ClusterRole only single namespaces may be listed; that the kind exists is all that counts here.
        kube::Error::Api(status) if status.is_forbidden() => None,
        kube::Error::Api(status) if status.is_not_found() => Some(Report::new(
            &kubernetes::CRD_MISSING,
            "timclusters.timcluster.io or timrepartitions.timcluster.io is not there; waiting for it",
        )),
        error => Some(Report::new(&kubernetes::API_UNREACHABLE, format!("{error}"))),
    }
}
