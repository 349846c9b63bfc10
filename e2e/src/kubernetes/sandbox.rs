//! A namespace of its own for each test, which enforces the pod security level "restricted".

use std::path::PathBuf;

use anyhow::Context as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::{Api, Resource};

use super::Surroundings;
use super::command::{expect, kubectl, run};
use super::surroundings::{OPERATOR_NAMESPACE, RESTRICTED};
use crate::kubernetes::repository_root;

/// Lines of each log that a failed test keeps.
const LOG_LINES: &str = "2000";

/// A namespace of a test.
#[derive(Clone)]
pub struct Sandbox {
    /// The cluster around it.
    pub surroundings: Surroundings,
    /// Its name.
    pub namespace: String,
}

impl Sandbox {
    /// Runs a test in a fresh namespace, with the operator installed. A test that fails leaves its
    /// objects and logs in a folder that the error names; with `TIM_TEST_KEEP` also its namespace.
    ///
    /// # Errors
    /// What the test says.
    pub async fn run(name: &str, test: impl AsyncFnOnce(&Self) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let surroundings = Surroundings::with_operator().await?;
        let sandbox = Self::create(surroundings, name).await?;
        match test(&sandbox).await {
            Ok(()) => sandbox.delete().await,
            Err(error) => {
                let folder = sandbox.keep_evidence().await?;
                // Its nodes would be in the way of the scenarios that follow.
                let left = match std::env::var_os("TIM_TEST_KEEP") {
                    Some(_) => None,
                    None => sandbox.delete().await.err(),
                };
                let stays = left.map_or_else(String::new, |left| format!(" (it stays: {left:#})"));
                Err(error.context(format!(
                    "namespace {}{stays}, evidence in {}",
                    sandbox.namespace,
                    folder.display()
                )))
            }
        }
    }

    /// Makes the namespace.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn create(surroundings: Surroundings, name: &str) -> anyhow::Result<Self> {
        let namespaces: Api<Namespace> = Api::all(surroundings.client.clone());
        let (key, value) = RESTRICTED.split_once('=').context("label")?;
        let namespace = Namespace {
            metadata: ObjectMeta {
                generate_name: Some(format!("{name}-")),
                labels: Some(
                    [
                        (key.to_owned(), value.to_owned()),
                        ("tim-test".to_owned(), name.to_owned()),
                    ]
                    .into(),
                ),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let made = namespaces.create(&PostParams::default(), &namespace).await?;
        let namespace = made.metadata.name.context("the API server named no namespace")?;
        Ok(Self {
            surroundings,
            namespace,
        })
    }

    /// Asks for the namespace to go; that it does is a test of its own.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn delete(&self) -> anyhow::Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.surroundings.client.clone());
        namespaces
            .delete(&self.namespace, &DeleteParams::default())
            .await?;
        Ok(())
    }

    /// The objects of a kind in this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.surroundings.client.clone(), &self.namespace)
    }

    /// `kubectl` in this namespace.
    ///
    /// # Errors
    /// It ends with another code than 0.
    pub async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut all = vec!["--namespace", &self.namespace];
        all.extend(arguments);
        kubectl(&all).await
    }

    /// Applies a file of the repository as a user does.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn apply_file(&self, path: &str) -> anyhow::Result<()> {
        self.kubectl(&["apply", "--filename", path]).await.map(drop)
    }

    /// Applies YAML.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn apply(&self, yaml: &str) -> anyhow::Result<()> {
        let arguments = ["--namespace", &self.namespace, "apply", "--filename", "-"];
        expect("kubectl", &arguments, Some(yaml)).await.map(drop)
    }

    /// Writes down what could explain a failure; gives the folder.
    async fn keep_evidence(&self) -> anyhow::Result<PathBuf> {
        let folder = std::env::var_os("TIM_TEST_EVIDENCE")
            .map_or_else(|| repository_root().join("target/kubernetes"), PathBuf::from)
            .join(&self.namespace);
        tokio::fs::create_dir_all(&folder).await?;
        let kinds = "pods,events,statefulsets,timclusters,timrepartitions,services,configmaps,persistentvolumeclaims,networkpolicies";
        let namespace = self.namespace.as_str();
        for (file, arguments) in [
            (
                "objects.yaml",
                vec!["--namespace", namespace, "get", kinds, "--output=yaml"],
            ),
            (
                "objects.txt",
                vec!["--namespace", namespace, "get", kinds, "--output=wide"],
            ),
            (
                "operator.log",
                vec![
                    "--namespace",
                    OPERATOR_NAMESPACE,
                    "logs",
                    "--selector=app.kubernetes.io/name=tim-operator",
                    "--prefix",
                    "--tail",
                    LOG_LINES,
                ],
            ),
        ] {
            let output = run("kubectl", &arguments, None).await?;
            tokio::fs::write(folder.join(file), output.stdout + &output.stderr).await?;
        }
        let pods = self.kubectl(&["get", "pods", "--output=name"]).await?;
        for pod in pods.lines() {
            for (suffix, previous) in [("", "--previous=false"), ("-previous", "--previous=true")] {
                let arguments = [
                    "--namespace",
                    namespace,
                    "logs",
                    pod,
                    "--all-containers",
                    previous,
                    "--tail",
                    LOG_LINES,
                ];
                let output = run("kubectl", &arguments, None).await?;
                if output.success {
                    let file = format!("{}{suffix}.log", pod.replace('/', "-"));
                    tokio::fs::write(folder.join(file), output.stdout).await?;
                }
            }
        }
        Ok(folder)
    }
}
