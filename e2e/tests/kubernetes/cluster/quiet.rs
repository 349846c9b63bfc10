//! A settled operator writes nothing.

use std::time::Duration;

use tim_e2e::chat_checker::{Chat, Plan};
use tim_e2e::kubernetes::Sandbox;
use tim_e2e::kubernetes::audit::requests_of;
use tim_e2e::kubernetes::surroundings::{OPERATOR, OPERATOR_NAMESPACE};
use tim_e2e::kubernetes::tim_cluster::{Cluster, PATIENCE};

/// How long nothing may be written.
const QUIET: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_settled_operator_writes_nothing_in_a_minute_while_people_chat() -> anyhow::Result<()> {
    Sandbox::run("quiet", async |sandbox| {
        let cluster = Cluster::of_the_examples(sandbox).await?;
        let server = cluster.service().await?;
        let mut chat = Chat::start(
            &Plan {
                pairs: 2,
                ..Plan::named("quiet")
            },
            |_| server.clone(),
        )
        .await?;
        chat.until_all_chat(3, PATIENCE).await?;
        let user = format!("system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR}");
        let writes = async || -> anyhow::Result<Vec<String>> {
            let log = sandbox.surroundings.audit_log().await?;
            let requests = requests_of(&log, &user)?;
            let here = |namespace: &str| namespace == sandbox.namespace;
            Ok(requests
                .iter()
                .filter(|request| request.is_write())
                .filter(|request| {
                    request
                        .object_ref
                        .as_ref()
                        .is_some_and(|object| here(&object.namespace))
                })
                .map(tim_e2e::kubernetes::audit::Request::shown)
                .collect())
        };
        let before = writes().await?;
        // Time is what is measured here: nothing else ends this wait.
        tokio::time::sleep(QUIET).await;
        let after = writes().await?;
        anyhow::ensure!(!before.is_empty(), "the audit log shows nothing of the operator");
        anyhow::ensure!(
            after.len() == before.len(),
            "written:\n{}",
            after[before.len()..].join("\n")
        );
        chat.end(PATIENCE).await?;
        Ok(())
    })
    .await
}
