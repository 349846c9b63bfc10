//! Secrets that are nothing but random.

use base64::{Engine, engine::general_purpose::STANDARD};
use rand::{TryRngCore, rngs::OsRng};
use zeroize::Zeroizing;

use super::TrustError;

/// Bytes of every key.
const KEY_BYTES: usize = 32;

/// A new key ring of one key, as the text of `keyring.toml`.
///
/// # Errors
/// The system gives no random numbers.
pub fn new_key_ring() -> Result<Zeroizing<String>, TrustError> {
    let secret = random_base64()?;
    Ok(Zeroizing::new(format!(
        "primary = \"k1\"\n\n[[key]]\nid = \"k1\"\nsecret = \"{}\"\n",
        secret.as_str()
    )))
}

/// A new storage key, as the text of `storage.key`.
///
/// # Errors
/// The system gives no random numbers.
pub fn new_storage_key() -> Result<Zeroizing<String>, TrustError> {
    let mut text = random_base64()?;
    text.push('\n');
    Ok(text)
}

fn random_base64() -> Result<Zeroizing<String>, TrustError> {
    let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
    OsRng
        .try_fill_bytes(bytes.as_mut_slice())
        .map_err(|_| TrustError::Random)?;
    Ok(Zeroizing::new(STANDARD.encode(bytes.as_slice())))
}
