//! Looking at files again and again.
//!
//! Polling, not notification: a mounted Secret is exchanged as a symbolic link that watchers of files do not see. Files are
//! written one after the other, so a pair that does not fit is normal for a moment: what is in use stays until all fit.

use super::identity::PeerIdentity;
use super::material::{Material, MaterialError};
use super::trust::Trust;
use crate::keyring::{KeyRing, KeyRingError};
use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::node;
use tokio_util::sync::CancellationToken;

/// Where trust comes from.
#[derive(Debug, Clone)]
pub struct TrustFiles {
    /// Folder with `ca.crt`, `STEM.crt`, `STEM.key`.
    pub tls_directory: PathBuf,
    /// Names the certificate and key.
    pub stem: String,
    /// Whom the certificate must name.
    pub identity: PeerIdentity,
    /// The key ring.
    pub keyring_file: PathBuf,
}

/// Why trust cannot be begun with. Nothing was started; heals when the files do.
#[derive(Debug, thiserror::Error)]
pub enum TrustFilesError {
    /// Certificate, key or roots.
    #[error(transparent)]
    Material(#[from] MaterialError),
    /// The key ring.
    #[error(transparent)]
    KeyRing(#[from] KeyRingError),
}

impl TrustFilesError {
    /// The catalogue's entry.
    pub fn cause(&self) -> &'static tim_catalogue::Cause {
        match self {
            Self::Material(error) => error.cause(),
            Self::KeyRing(_) => &node::KEY_RING_UNREADABLE,
        }
    }
}

/// What one look at the files has found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Certificate, key or roots were replaced.
    pub material_replaced: bool,
    /// The key ring was replaced.
    pub keys_replaced: bool,
    /// Something there cannot be used; what was in use stays.
    pub failed: bool,
}

/// Trust from files, kept up to date.
pub struct TrustReloader {
    files: TrustFiles,
    trust: Trust,
    keys: Arc<ArcSwap<KeyRing>>,
    seen: Option<Fingerprint>,
    expiry_said_for: Option<i64>,
}

type Fingerprint = Vec<u8>;

impl TrustReloader {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// What cannot be used, and why.
    pub fn load(files: TrustFiles) -> Result<Self, TrustFilesError> {
        let seen = fingerprint(&files);
        let trust = Trust::new(Material::load(
            &files.tls_directory,
            &files.stem,
            &files.identity,
        )?)?;
        let keys = Arc::new(ArcSwap::from_pointee(KeyRing::load(&files.keyring_file)?));
        let mut reloader = Self {
            files,
            trust,
            keys,
            seen: Some(seen),
            expiry_said_for: None,
        };
        reloader.say_expiry();
        Ok(reloader)
    }

    /// Certificate, key and roots, as they are in use.
    pub fn trust(&self) -> Trust {
        self.trust.clone()
    }

    /// The key ring, as it is in use.
    pub fn keys(&self) -> Arc<ArcSwap<KeyRing>> {
        self.keys.clone()
    }

    /// Looks at the files once.
    pub fn look(&mut self) -> Looked {
        self.say_expiry();
        let now = fingerprint(&self.files);
        if self.seen.as_ref() == Some(&now) {
            return Looked::default();
        }
        let mut looked = Looked::default();
        let material = Material::load(&self.files.tls_directory, &self.files.stem, &self.files.identity);
        match material.and_then(|material| self.trust.replace(material)) {
            Ok(()) => looked.material_replaced = true,
            Err(error) => {
                looked.failed = true;
                let code = error.cause().code;
                tracing::warn!(code, %error, "{code}: new certificate files cannot be used, the former stay in use");
            }
        }
        match KeyRing::load(&self.files.keyring_file) {
            Ok(ring) => {
                tracing::info!(primary = ring.primary().id(), "key ring read");
                self.keys.store(Arc::new(ring));
                looked.keys_replaced = true;
            }
            Err(error) => {
                looked.failed = true;
                let code = node::KEY_RING_UNREADABLE.code;
                tracing::warn!(code, %error, "{code}: new key ring cannot be used, the former stays in use");
            }
        }
        // Remembered although it failed: the same content is not complained of twice.
        self.seen = Some(now);
        self.say_expiry();
        looked
    }

    /// Once per certificate: that it has ended.
    fn say_expiry(&mut self) {
        let status = self.trust.status();
        if status.expired && self.expiry_said_for != Some(status.not_after) {
            self.expiry_said_for = Some(status.not_after);
            let code = node::CERTIFICATE_EXPIRED.code;
            tracing::error!(
                code,
                not_after_unix_seconds = status.not_after,
                "{code}: the certificate of {} has ended; links that stand stay, new ones fail",
                status.identity
            );
        }
    }
}

/// Looks at the files at every interval until cancelled.
pub fn watch_files(mut reloader: TrustReloader, interval: Duration, cancelled: CancellationToken) {
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = cancelled.cancelled() => return,
                () = tokio::time::sleep(interval) => {}
            }
            let looked = tokio::task::spawn_blocking(move || {
                reloader.look();
                reloader
            });
            match looked.await {
                Ok(returned) => reloader = returned,
                // The runtime ends.
                Err(_) => return,
            }
        }
    });
}

/// Of everything that is read; a missing file counts as empty.
fn fingerprint(files: &TrustFiles) -> Fingerprint {
    let mut context = digest::Context::new(&digest::SHA256);
    let certificate = [
        "ca.crt".to_owned(),
        format!("{}.crt", files.stem),
        format!("{}.key", files.stem),
    ];
    let paths = certificate.into_iter().map(|name| files.tls_directory.join(name));
    for path in paths.chain([files.keyring_file.clone()]) {
        let content = zeroize::Zeroizing::new(std::fs::read(path).unwrap_or_default());
        context.update(&content.len().to_be_bytes());
        context.update(&content);
    }
    context.finish().as_ref().to_vec()
}
