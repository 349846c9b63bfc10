//! The Secrets that the operator makes: reading what they hold, creating, renewing and issuing.
//!
//! The storage key is created and never written again; it has no owner, so that it outlives the TimCluster.

use crate::context::Context;
use crate::failure::Failure;
use crate::node_links::OperatorTrust;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Resource as _, ResourceExt as _};
use std::collections::{BTreeMap, BTreeSet};
use tim_catalogue::{Report, kubernetes};
use tim_crds::{TimCluster, labels};
use tim_plan::SecretKind;
use tim_plan::names;
use tim_plan::observed::{Certificate, Secrets};
use tim_plan::trust::{
    AUTHORITY_FILE, AUTHORITY_KEY_FILE, Authority, Holder, KEY_RING_FILE, OPERATOR_CERTIFICATE_FILE,
    OPERATOR_KEY_FILE, STORAGE_KEY_FILE, TrustError, certificate_file, inspect, key_file, new_key_ring,
    new_storage_key,
};
use zeroize::Zeroizing;

/// The Secrets of one cluster, as they were read for this reconcile.
pub(crate) struct ClusterSecrets {
    namespace: String,
    cluster: String,
    cluster_id: String,
    found: BTreeMap<SecretKind, Secret>,
    foreign: BTreeSet<SecretKind>,
}

impl ClusterSecrets {
    /// Reads them, one request each: Secrets are never listed or cached.
    pub(crate) async fn read(context: &Context, cluster: &TimCluster) -> Result<Self, Failure> {
        let namespace = cluster.namespace().unwrap_or_default();
        let api = Api::<Secret>::namespaced(context.client.clone(), &namespace);
        let mut found = BTreeMap::new();
        let mut foreign = BTreeSet::new();
        for kind in SecretKind::ALL {
            let name = names::secret(&cluster.name_any(), kind);
            let Some(secret) = api
                .get_opt(&name)
                .await
                .map_err(Failure::api(format!("read Secret {name}")))?
            else {
                continue;
            };
            if belongs_to(&secret, cluster) {
                found.insert(kind, secret);
            } else {
                foreign.insert(kind);
            }
        }
        Ok(Self {
            namespace,
            cluster: cluster.name_any(),
            cluster_id: cluster.cluster_id(),
            found,
            foreign,
        })
    }

    /// What the plan has to know of them.
    pub(crate) fn observed(&self, nodes: &[String]) -> Secrets {
        let authority = self.authority().ok();
        let vouched = |holder: &Holder, certificate: Option<String>| {
            let certificate = certificate?;
            let known = authority
                .as_ref()?
                .vouches_for(&self.cluster_id, holder, &certificate);
            if known { inspect(&certificate).ok() } else { None }
        };
        let certificates = nodes
            .iter()
            .filter_map(|node| {
                let text = self.text(SecretKind::NodeTls, &certificate_file(node));
                Some((node.clone(), vouched(&self.holder(node), text)?))
            })
            .collect::<BTreeMap<String, Certificate>>();
        let operator = self.text(SecretKind::Authority, OPERATOR_CERTIFICATE_FILE);
        Secrets {
            present: self.found.keys().copied().collect(),
            foreign: self.foreign.clone(),
            authority_not_after: authority
                .as_ref()
                .and_then(|authority| authority.not_after().ok()),
            certificates,
            operator_certificate: vouched(&Holder::Operator, operator),
        }
    }

    /// What the operator needs to talk to this cluster's nodes; none before its certificate is there.
    pub(crate) fn operator_trust(&self) -> Option<OperatorTrust> {
        Some(OperatorTrust {
            cluster_id: self.cluster_id.clone(),
            roots: self.text(SecretKind::Authority, AUTHORITY_FILE)?,
            certificate: self.text(SecretKind::Authority, OPERATOR_CERTIFICATE_FILE)?,
            key: Zeroizing::new(self.text(SecretKind::Authority, OPERATOR_KEY_FILE)?),
        })
    }

    /// Creates a Secret that does not exist; finding it there after all is success.
    pub(crate) async fn create(
        &self,
        context: &Context,
        cluster: &TimCluster,
        kind: SecretKind,
    ) -> Result<(), Failure> {
        let data = match kind {
            SecretKind::Cluster => texts([(KEY_RING_FILE, new_key_ring().map_err(trust)?.as_str())]),
            SecretKind::Storage => texts([(STORAGE_KEY_FILE, new_storage_key().map_err(trust)?.as_str())]),
            SecretKind::Authority => {
                let authority = Authority::new(&self.cluster_id, Timestamp::now()).map_err(trust)?;
                texts([
                    (AUTHORITY_FILE, authority.bundle()),
                    (AUTHORITY_KEY_FILE, authority.key()),
                ])
            }
            // An authority made by an earlier action of the same plan is not in `found`: the next plan completes it.
            SecretKind::NodeTls => self.bundle_data(),
        };
        let secret = self.secret(cluster, kind, data);
        context.api_writes.add(1, &[]);
        match self.api(context).create(&PostParams::default(), &secret).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            Err(error) => Err(Failure::api(format!("create Secret {}", secret.name_any()))(
                error,
            )),
        }
    }

    /// Makes a new authority; the old certificate stays in the bundle.
    pub(crate) async fn renew_authority(
        &self,
        context: &Context,
        cluster: &TimCluster,
    ) -> Result<(), Failure> {
        let renewed = self
            .authority()?
            .renewed(&self.cluster_id, Timestamp::now())
            .map_err(trust)?;
        let mut data = self.data(SecretKind::Authority);
        data.extend(texts([
            (AUTHORITY_FILE, renewed.bundle()),
            (AUTHORITY_KEY_FILE, renewed.key()),
        ]));
        self.apply(context, cluster, SecretKind::Authority, data).await
    }

    /// Issues certificates for nodes and, when asked, for the operator; others stay as they are.
    pub(crate) async fn issue(
        &self,
        context: &Context,
        cluster: &TimCluster,
        nodes: &[String],
        operator: bool,
    ) -> Result<(), Failure> {
        // Read again: an earlier action of this plan may have made the authority.
        let fresh = Self::read(context, cluster).await?;
        let authority = fresh.authority()?;
        let now = Timestamp::now();
        if operator {
            let leaf = authority
                .issue(&self.cluster_id, &Holder::Operator, now)
                .map_err(trust)?;
            let mut data = fresh.data(SecretKind::Authority);
            data.extend(texts([
                (OPERATOR_CERTIFICATE_FILE, leaf.certificate.as_str()),
                (OPERATOR_KEY_FILE, &leaf.key),
            ]));
            fresh.apply(context, cluster, SecretKind::Authority, data).await?;
        }
        let mut data = fresh.data(SecretKind::NodeTls);
        data.extend(texts([(AUTHORITY_FILE, authority.bundle())]));
        for node in nodes {
            let leaf = authority
                .issue(&self.cluster_id, &self.holder(node), now)
                .map_err(trust)?;
            let (certificate, key) = (certificate_file(node), key_file(node));
            data.extend(texts([
                (certificate.as_str(), leaf.certificate.as_str()),
                (key.as_str(), &leaf.key),
            ]));
        }
        fresh.apply(context, cluster, SecretKind::NodeTls, data).await
    }

    fn holder(&self, node: &str) -> Holder {
        Holder::Node {
            name: node.to_owned(),
            dns_names: names::node_dns_names(&self.cluster, &self.namespace, node),
            addresses: Vec::new(),
        }
    }

    fn authority(&self) -> Result<Authority, Failure> {
        let text = |file: &str| {
            let name = names::secret(&self.cluster, SecretKind::Authority);
            self.text(SecretKind::Authority, file)
                .ok_or_else(|| Failure::Trust(format!("Secret {name} has no {file}")))
        };
        Authority::from_pem(&text(AUTHORITY_FILE)?, &Zeroizing::new(text(AUTHORITY_KEY_FILE)?)).map_err(trust)
    }

    fn bundle_data(&self) -> BTreeMap<String, ByteString> {
        self.text(SecretKind::Authority, AUTHORITY_FILE)
            .map_or_else(BTreeMap::new, |bundle| texts([(AUTHORITY_FILE, bundle.as_str())]))
    }

    fn data(&self, kind: SecretKind) -> BTreeMap<String, ByteString> {
        self.found
            .get(&kind)
            .and_then(|secret| secret.data.clone())
            .unwrap_or_default()
    }

    fn text(&self, kind: SecretKind, file: &str) -> Option<String> {
        let bytes = self.found.get(&kind)?.data.as_ref()?.get(file)?;
        String::from_utf8(bytes.0.clone()).ok()
    }

    fn api(&self, context: &Context) -> Api<Secret> {
        Api::namespaced(context.client.clone(), &self.namespace)
    }

    async fn apply(
        &self,
        context: &Context,
        cluster: &TimCluster,
        kind: SecretKind,
        data: BTreeMap<String, ByteString>,
    ) -> Result<(), Failure> {
        let secret = self.secret(cluster, kind, data);
        let name = secret.name_any();
        if self.foreign.contains(&kind) {
            let observed = format!(
                "Secret {}/{name} exists and is not of TimCluster {}",
                self.namespace, self.cluster
            );
            return Err(Failure::NameTaken(Report::new(&kubernetes::NAME_TAKEN, observed)));
        }
        context.api_writes.add(1, &[]);
        let parameters = PatchParams::apply(labels::MANAGER).force();
        self.api(context)
            .patch(&name, &parameters, &Patch::Apply(&secret))
            .await
            .map_err(Failure::api(format!("write Secret {name}")))?;
        Ok(())
    }

    fn secret(&self, cluster: &TimCluster, kind: SecretKind, data: BTreeMap<String, ByteString>) -> Secret {
        let owner = match kind {
            SecretKind::Storage => None,
            _ => cluster.controller_owner_ref(&()).map(|owner| vec![owner]),
        };
        Secret {
            metadata: ObjectMeta {
                name: Some(names::secret(&self.cluster, kind)),
                namespace: Some(self.namespace.clone()),
                labels: Some(BTreeMap::from([
                    (labels::LABEL_NAME.to_owned(), labels::NAME.to_owned()),
                    (labels::LABEL_INSTANCE.to_owned(), self.cluster.clone()),
                    (labels::LABEL_MANAGED_BY.to_owned(), labels::MANAGER.to_owned()),
                ])),
                owner_references: owner,
                ..ObjectMeta::default()
            },
            data: Some(data),
            type_: Some(String::from("Opaque")),
            ..Secret::default()
        }
    }
}

/// Whether a Secret is this cluster's: controlled by it, or by nobody (a retained or restored storage key).
fn belongs_to(secret: &Secret, cluster: &TimCluster) -> bool {
    let controller = secret
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true));
    match controller {
        Some(owner) => Some(&owner.uid) == cluster.meta().uid.as_ref(),
        None => true,
    }
}

fn texts<'text>(files: impl IntoIterator<Item = (&'text str, &'text str)>) -> BTreeMap<String, ByteString> {
    files
        .into_iter()
        .map(|(name, text)| (name.to_owned(), ByteString(text.as_bytes().to_vec())))
        .collect()
}

fn trust(error: TrustError) -> Failure {
    Failure::Trust(error.to_string())
}
