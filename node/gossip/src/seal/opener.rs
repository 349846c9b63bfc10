//! The receiver's side.

use super::Rejection;
use super::header::{HEADER_BYTES, Header, associated, boot_key};
use super::replay::ReplayWindow;
use crate::keyring::{KeyRing, KeyTag};
use aws_lc_rs::aead::LessSafeKey;
use std::collections::HashMap;

/// Most senders' lives remembered; beyond it the one unheard for longest is forgotten. Only authentic datagrams count.
pub const BOOTS_MAX: usize = 1_024;

/// Opens what others sealed, each datagram once.
#[derive(Debug)]
pub struct Opener {
    cluster_id: String,
    lives: HashMap<(KeyTag, u64), Life>,
    n_opened: u64,
}

#[derive(Debug)]
struct Life {
    key: LessSafeKey,
    window: ReplayWindow,
    last_heard: u64,
}

impl Opener {
    /// An opener that remembers nobody yet.
    pub fn new(cluster_id: &str) -> Self {
        Self {
            cluster_id: cluster_id.to_owned(),
            lives: HashMap::new(),
            n_opened: 0,
        }
    }

    /// Gives the payload of an authentic datagram that was not seen before.
    ///
    /// # Errors
    /// Why it was not let in; nothing is remembered of it.
    pub fn open(&mut self, ring: &KeyRing, datagram: &[u8]) -> Result<Vec<u8>, Rejection> {
        let header = Header::read(datagram)?;
        // Looked up each time: a key that has left the ring ends with it.
        let ring_key = ring.find(&header.tag).ok_or(Rejection::UnknownKey)?;
        let id = (header.tag, header.boot);
        if let Some(life) = self.lives.get_mut(&id) {
            if !life.window.is_new(header.counter) {
                return Err(Rejection::Replayed);
            }
            let payload = decrypt(&life.key, header, datagram, &self.cluster_id)?;
            life.window.mark(header.counter);
            self.n_opened += 1;
            life.last_heard = self.n_opened;
            return Ok(payload);
        }
        let key = boot_key(ring_key, header.boot).ok_or(Rejection::Forged)?;
        let payload = decrypt(&key, header, datagram, &self.cluster_id)?;
        self.n_opened += 1;
        self.make_room();
        let mut window = ReplayWindow::default();
        window.mark(header.counter);
        let last_heard = self.n_opened;
        self.lives.insert(
            id,
            Life {
                key,
                window,
                last_heard,
            },
        );
        Ok(payload)
    }

    fn make_room(&mut self) {
        if self.lives.len() < BOOTS_MAX {
            return;
        }
        let oldest = self
            .lives
            .iter()
            .min_by_key(|(_, life)| life.last_heard)
            .map(|(id, _)| *id);
        if let Some(id) = oldest {
            self.lives.remove(&id);
        }
    }
}

fn decrypt(
    key: &LessSafeKey,
    header: Header,
    datagram: &[u8],
    cluster_id: &str,
) -> Result<Vec<u8>, Rejection> {
    let mut sealed = datagram[HEADER_BYTES..].to_vec();
    let length = key
        .open_in_place(
            header.nonce(),
            associated(&header.write(), cluster_id),
            &mut sealed,
        )
        .map_err(|_| Rejection::Forged)?
        .len();
    sealed.truncate(length);
    Ok(sealed)
}
