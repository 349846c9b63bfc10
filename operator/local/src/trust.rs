//! Keys and certificates of a cluster, as files: what Secrets are on Kubernetes.
//!
//! ```text
//! keys/keyring.toml, keys/storage.key      the cluster secret, and the key that seals what is stored
//! tls/ca.crt, tls/ca.key                   the cluster's authority
//! tls/operator.crt, tls/operator.key       the supervisor's own certificate
//! tls/nodes/{ca.crt,NODE.crt,NODE.key}     what nodes read
//! ```

use crate::directory::ClusterDirectory;
use crate::file::{FileError, Readers, read_optional, remove_folder, write_atomically, write_if_changed};
use jiff::Timestamp;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use tim_plan::SecretKind;
use tim_plan::observed::{Certificate, Secrets};
use tim_plan::trust::{
    AUTHORITY_FILE, AUTHORITY_KEY_FILE, Authority, Holder, KEY_RING_FILE, OPERATOR_CERTIFICATE_FILE,
    OPERATOR_KEY_FILE, STORAGE_KEY_FILE, TrustError, certificate_file, inspect, key_file, new_key_ring,
    new_storage_key,
};

/// Keys or certificates could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum TrustFileError {
    /// The files. Nothing was half written; retrying helps once the cause is gone.
    #[error(transparent)]
    File(#[from] FileError),
    /// The content. It stays so until the file is mended.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The authority is not there yet. Making it comes first in every plan.
    #[error("the certificate authority is not there yet")]
    NoAuthority,
}

/// The keys and certificates of one cluster.
#[derive(Debug, Clone)]
pub struct TrustFiles {
    directory: ClusterDirectory,
    cluster_id: String,
}

impl TrustFiles {
    /// Those in that folder; nothing is created.
    pub fn new(directory: ClusterDirectory, cluster_id: String) -> Self {
        Self {
            directory,
            cluster_id,
        }
    }

    /// The key ring.
    pub fn key_ring(&self) -> PathBuf {
        self.directory.keys().join(KEY_RING_FILE)
    }

    /// The storage key.
    pub fn storage_key(&self) -> PathBuf {
        self.directory.keys().join(STORAGE_KEY_FILE)
    }

    /// The folder that nodes read.
    pub fn node_directory(&self) -> PathBuf {
        self.directory.tls().join("nodes")
    }

    /// What is there, as a plan wants to know it.
    ///
    /// # Errors
    /// A file is there and cannot be read, or the authority's is not one.
    pub fn observe(&self) -> Result<Secrets, TrustFileError> {
        let mut secrets = Secrets::default();
        for kind in SecretKind::ALL {
            if self.marker(kind).exists() {
                secrets.present.insert(kind);
            }
        }
        let Some(authority) = self.authority()? else {
            return Ok(secrets);
        };
        secrets.authority_not_after = Some(authority.not_after()?);
        let operator = self.directory.tls().join(OPERATOR_CERTIFICATE_FILE);
        secrets.operator_certificate = self.certificate(&authority, &Holder::Operator, &operator)?;
        for node in self.node_names()? {
            let path = self.node_directory().join(certificate_file(&node));
            if let Some(certificate) = self.certificate(&authority, &holder(&node), &path)? {
                secrets.certificates.insert(node, certificate);
            }
        }
        Ok(secrets)
    }

    /// Makes what is missing; what is there stays.
    ///
    /// # Errors
    /// See [`TrustFileError`].
    pub fn create(&self, kind: SecretKind, now: Timestamp) -> Result<(), TrustFileError> {
        if self.marker(kind).exists() {
            return Ok(());
        }
        match kind {
            SecretKind::Cluster => write_key(&self.key_ring(), &new_key_ring()?),
            SecretKind::Storage => write_key(&self.storage_key(), &new_storage_key()?),
            SecretKind::Authority => self.write_authority(&Authority::new(&self.cluster_id, now)?),
            SecretKind::NodeTls => {
                let authority = self.authority()?.ok_or(TrustFileError::NoAuthority)?;
                Ok(write_atomically(
                    &self.marker(kind),
                    authority.bundle().as_bytes(),
                    Readers::Everyone,
                )?)
            }
        }
    }

    /// Makes a new authority that is believed beside the old one.
    ///
    /// # Errors
    /// See [`TrustFileError`].
    pub fn renew_authority(&self, now: Timestamp) -> Result<(), TrustFileError> {
        let present = self.authority()?.ok_or(TrustFileError::NoAuthority)?;
        self.write_authority(&present.renewed(&self.cluster_id, now)?)
    }

    /// Makes certificates for nodes, and the supervisor's own if `operator`.
    ///
    /// # Errors
    /// See [`TrustFileError`].
    pub fn issue(&self, nodes: &[String], operator: bool, now: Timestamp) -> Result<(), TrustFileError> {
        let authority = self.authority()?.ok_or(TrustFileError::NoAuthority)?;
        let folder = self.node_directory();
        write_if_changed(
            &folder.join(AUTHORITY_FILE),
            authority.bundle().as_bytes(),
            Readers::Everyone,
        )?;
        for node in nodes {
            let leaf = authority.issue(&self.cluster_id, &holder(node), now)?;
            write_key(&folder.join(key_file(node)), &leaf.key)?;
            write_atomically(
                &folder.join(certificate_file(node)),
                leaf.certificate.as_bytes(),
                Readers::Everyone,
            )?;
        }
        if operator {
            let leaf = authority.issue(&self.cluster_id, &Holder::Operator, now)?;
            let folder = self.directory.tls();
            write_key(&folder.join(OPERATOR_KEY_FILE), &leaf.key)?;
            let certificate = folder.join(OPERATOR_CERTIFICATE_FILE);
            write_atomically(&certificate, leaf.certificate.as_bytes(), Readers::Everyone)?;
        }
        Ok(())
    }

    /// Takes away.
    ///
    /// # Errors
    /// The files cannot be removed.
    pub fn delete(&self, kind: SecretKind) -> Result<(), TrustFileError> {
        match kind {
            SecretKind::Cluster | SecretKind::Storage => crate::file::remove_file(&self.marker(kind))?,
            SecretKind::Authority => remove_folder(&self.directory.tls())?,
            SecretKind::NodeTls => remove_folder(&self.node_directory())?,
        }
        Ok(())
    }

    /// The file whose presence says that the whole is there.
    fn marker(&self, kind: SecretKind) -> PathBuf {
        match kind {
            SecretKind::Cluster => self.key_ring(),
            SecretKind::Storage => self.storage_key(),
            SecretKind::Authority => self.directory.tls().join(AUTHORITY_FILE),
            SecretKind::NodeTls => self.node_directory().join(AUTHORITY_FILE),
        }
    }

    fn write_authority(&self, authority: &Authority) -> Result<(), TrustFileError> {
        // The key first: a certificate without its key would count as an authority that cannot issue.
        let folder = self.directory.tls();
        write_key(&folder.join(AUTHORITY_KEY_FILE), authority.key())?;
        Ok(write_atomically(
            &folder.join(AUTHORITY_FILE),
            authority.bundle().as_bytes(),
            Readers::Everyone,
        )?)
    }

    fn authority(&self) -> Result<Option<Authority>, TrustFileError> {
        let folder = self.directory.tls();
        let (bundle, key) = (
            read_text(&folder.join(AUTHORITY_FILE))?,
            read_text(&folder.join(AUTHORITY_KEY_FILE))?,
        );
        match (bundle, key) {
            (Some(bundle), Some(key)) => Ok(Some(Authority::from_pem(&bundle, &key)?)),
            _ => Ok(None),
        }
    }

    fn certificate(
        &self,
        authority: &Authority,
        holder: &Holder,
        path: &Path,
    ) -> Result<Option<Certificate>, TrustFileError> {
        let Some(text) = read_text(path)? else {
            return Ok(None);
        };
        if !authority.vouches_for(&self.cluster_id, holder, &text) {
            return Ok(None);
        }
        Ok(inspect(&text).ok())
    }

    fn node_names(&self) -> Result<Vec<String>, TrustFileError> {
        let folder = self.node_directory();
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(FileError::at(&folder)(error).into()),
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".crt")?.to_owned()))
            .filter(|name| name != "ca")
            .collect();
        names.sort();
        Ok(names)
    }
}

fn holder(node: &str) -> Holder {
    Holder::Node {
        name: node.to_owned(),
        dns_names: vec!["localhost".into()],
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
    }
}

fn write_key(path: &Path, key: &str) -> Result<(), TrustFileError> {
    Ok(write_atomically(path, key.as_bytes(), Readers::Owner)?)
}

fn read_text(path: &Path) -> Result<Option<String>, TrustFileError> {
    Ok(read_optional(path)?.map(|content| String::from_utf8_lossy(&content).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::LocalDirectory;
    use std::os::unix::fs::PermissionsExt;

    fn files(folder: &Path) -> TrustFiles {
        TrustFiles::new(LocalDirectory::of(folder).cluster("chat"), "default.chat".into())
    }

    #[test]
    fn what_was_made_is_found_again_and_usable() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let now = Timestamp::now();
        assert!(files.observe().unwrap().present.is_empty());
        for kind in SecretKind::ALL {
            files.create(kind, now).unwrap();
        }
        files.issue(&["chat-0".into()], true, now).unwrap();
        let secrets = files.observe().unwrap();
        assert_eq!(secrets.present.len(), 4);
        assert!(secrets.operator_certificate.is_some());
        assert!(secrets.certificates.contains_key("chat-0"));
        crate::control::Controls::load(&folder.path().join(".tim/chat/tls"), "default.chat").unwrap();
    }

    #[test]
    fn keys_are_never_made_anew_and_never_readable_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        files.create(SecretKind::Storage, Timestamp::now()).unwrap();
        let key = std::fs::read(files.storage_key()).unwrap();
        files.create(SecretKind::Storage, Timestamp::now()).unwrap();
        assert_eq!(std::fs::read(files.storage_key()).unwrap(), key);
        assert_eq!(
            std::fs::metadata(files.storage_key())
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
    }

    #[test]
    fn a_certificate_of_another_authority_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let now = Timestamp::now();
        files.create(SecretKind::Authority, now).unwrap();
        files.issue(&["chat-0".into()], false, now).unwrap();
        std::fs::remove_file(folder.path().join(".tim/chat/tls/ca.crt")).unwrap();
        files.create(SecretKind::Authority, now).unwrap();
        assert!(files.observe().unwrap().certificates.is_empty());
    }
}
