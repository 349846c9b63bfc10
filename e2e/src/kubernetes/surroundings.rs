//! The Kubernetes cluster that the tests run against, the operator in it, and the machine around it if that is ours.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use kube::{Client, Config};

use super::command::{expect, helm, kubectl};
use crate::kubernetes::repository_root;

/// Namespace of the operator.
pub const OPERATOR_NAMESPACE: &str = "tim-system";
/// Release and Deployment.
pub const OPERATOR_RELEASE: &str = "tim";
/// Its Deployment, ServiceAccount and lease.
pub const OPERATOR: &str = "tim-operator";
/// How long the operator may take to be ready, image present.
const OPERATOR_READY: &str = "90s";
/// How long the API server may take to answer.
const API_TIMEOUT: Duration = Duration::from_secs(30);
/// Label by which a namespace refuses every pod that is not "restricted".
pub const RESTRICTED: &str = "pod-security.kubernetes.io/enforce=restricted";

/// A cluster with the operator in it.
#[derive(Clone)]
pub struct Surroundings {
    /// The administrator's client.
    pub client: Client,
    /// The test cluster's program; none on a cluster that was given by KUBECONFIG.
    machine: Option<PathBuf>,
}

impl Surroundings {
    /// Finds the cluster by `KUBECONFIG`.
    ///
    /// # Errors
    /// There is none; `e2e/kubernetes/run` gives one.
    pub async fn find() -> anyhow::Result<Self> {
        // Others in the process may have chosen the same one before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut config = Config::infer()
            .await
            .context("no Kubernetes; run these tests by e2e/kubernetes/run")?;
        config.read_timeout = None;
        config.connect_timeout = Some(API_TIMEOUT);
        let client = Client::try_from(config)?;
        let external = std::env::var_os("TIM_TEST_EXTERNAL_CLUSTER").is_some();
        let machine = (!external).then(|| repository_root().join("e2e/cluster/cluster"));
        Ok(Self { client, machine })
    }

    /// As [`Self::find`], and installs the chart as a user does; does nothing when that has been done.
    ///
    /// # Errors
    /// Helm refuses, or the operator is not ready in time.
    pub async fn with_operator() -> anyhow::Result<Self> {
        static INSTALLED: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
        let surroundings = Self::find().await?;
        INSTALLED
            .get_or_try_init(|| async {
                let installed = surroundings.install_operator().await;
                if installed.is_err() {
                    surroundings.show_operator().await;
                }
                installed
            })
            .await?;
        Ok(surroundings)
    }

    async fn install_operator(&self) -> anyhow::Result<()> {
        let namespace = OPERATOR_NAMESPACE;
        let made =
            serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        expect("kubectl", &["apply", "--filename", "-"], Some(&made.to_string())).await?;
        kubectl(&["label", "--overwrite", "namespace", namespace, RESTRICTED]).await?;
        let endpoint = format!(
            "telemetry.otlpEndpoint={}",
            self.collector().await?.unwrap_or_default()
        );
        let (image, node_image) = (operator_image_values(), format!("nodeImage={}", node_image()));
        let mut arguments = vec!["upgrade", "--install", OPERATOR_RELEASE, "charts/tim-operator"];
        arguments.extend([
            "--namespace",
            namespace,
            "--set",
            &image,
            "--set",
            &node_image,
            "--set",
            &endpoint,
        ]);
        helm(&arguments).await?;
        let deployment = format!("deployment/{OPERATOR}");
        let timeout = format!("--timeout={OPERATOR_READY}");
        kubectl(&[
            "--namespace",
            namespace,
            "rollout",
            "status",
            &deployment,
            &timeout,
        ])
        .await?;
        Ok(())
    }

    #[allow(clippy::print_stderr, reason = "a failed test shows why")]
    async fn show_operator(&self) {
        for arguments in [
            &["get", "pods,events", "--output=wide"][..],
            &["logs", "deployment/tim-operator", "--tail=50"],
        ] {
            let mut all = vec!["--namespace", OPERATOR_NAMESPACE];
            all.extend(arguments);
            match kubectl(&all).await {
                Ok(text) => eprintln!("{text}"),
                Err(error) => eprintln!("{error:#}"),
            }
        }
    }

    /// The OTLP endpoint of the test cluster's collector; started when it is not running.
    ///
    /// # Errors
    /// It does not start.
    pub async fn collector(&self) -> anyhow::Result<Option<String>> {
        match &self.machine {
            Some(_) => Ok(Some(self.machine(&["collector"]).await?)),
            None => Ok(None),
        }
    }

    /// Runs a command of the test cluster's program and gives its answer.
    ///
    /// # Errors
    /// The cluster is not ours, or the command fails.
    pub async fn machine(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let program = self
            .machine
            .as_ref()
            .context("this test needs the cluster of e2e/cluster, not one by KUBECONFIG")?;
        Ok(expect(program, arguments, None).await?.trim().to_owned())
    }

    /// Sends a signal to the first process of a pod.
    ///
    /// # Errors
    /// The cluster is not ours, or the pod has no running container.
    pub async fn signal(&self, signal: &str, namespace: &str, pod: &str) -> anyhow::Result<()> {
        self.machine(&["signal", signal, namespace, pod]).await.map(drop)
    }

    /// What the API server wrote down so far.
    ///
    /// # Errors
    /// The cluster is not ours.
    pub async fn audit_log(&self) -> anyhow::Result<String> {
        Ok(tokio::fs::read_to_string(self.machine(&["audit-log"]).await?).await?)
    }

    /// What the collector received so far; nothing is fine.
    ///
    /// # Errors
    /// The cluster is not ours.
    pub async fn collected(&self) -> anyhow::Result<String> {
        let path = self.machine(&["collector-file"]).await?;
        Ok(tokio::fs::read_to_string(path).await.unwrap_or_default())
    }
}

/// The image of the nodes.
pub fn node_image() -> String {
    std::env::var("TIM_TEST_NODE_IMAGE").unwrap_or_else(|_| "localhost/tim-node:test".to_owned())
}

/// The image of the operator.
pub fn operator_image() -> String {
    std::env::var("TIM_TEST_OPERATOR_IMAGE").unwrap_or_else(|_| "localhost/tim-operator:test".to_owned())
}

/// The chart's values for [`operator_image`].
pub fn operator_image_values() -> String {
    let image = operator_image();
    let (repository, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
    format!("image.repository={repository},image.tag={tag}")
}
