//! Who runs a cluster: one process at a time holds its lock.

use crate::file::{FileError, create_folder};
use crate::process::ProcessId;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// What the holder says of itself in the lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// The supervising process.
    pub process: ProcessId,
    /// Whether it runs without a terminal (`tim up --detach`).
    pub detached: bool,
}

/// Why the lock was not taken. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else runs the cluster; it stays so until that process ends.
    #[error("the lock is held{}", holder.as_ref().map_or_else(String::new, |holder| format!(" by process {}", holder.process.pid)))]
    Held {
        /// Who, as far as it has said.
        holder: Option<Holder>,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The right to run a cluster; given back when dropped, or when the process ends, however it does.
#[derive(Debug)]
pub struct SupervisorLock {
    file: File,
}

impl SupervisorLock {
    /// Takes the lock, or says who has it.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn take(path: &Path, holder: &Holder) -> Result<Self, LockError> {
        if let Some(folder) = path.parent() {
            create_folder(folder)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(FileError::at(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held {
                    holder: read_holder(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(FileError::at(path)(error).into()),
        }
        let text = serde_json::to_string(holder).unwrap_or_default();
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_all())
            .map_err(FileError::at(path))?;
        Ok(Self { file })
    }

    /// Who holds the lock just now, without taking it.
    ///
    /// # Errors
    /// The lock file is there and cannot be used.
    pub fn holder(path: &Path) -> Result<Option<Holder>, FileError> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::at(path)(error)),
        };
        match file.try_lock_shared() {
            // Nobody holds it; the shared lock ends with `file`.
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(read_holder(&mut file)),
            Err(TryLockError::Error(error)) => Err(FileError::at(path)(error)),
        }
    }
}

impl Drop for SupervisorLock {
    fn drop(&mut self) {
        // What it says belongs to a holder; the lock itself ends with the file.
        let _ = self.file.set_len(0);
    }
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_has_it_and_gets_it_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat").join("lock");
        let holder = Holder {
            process: ProcessId::own().unwrap(),
            detached: true,
        };
        assert!(SupervisorLock::holder(&path).unwrap().is_none());
        let lock = SupervisorLock::take(&path, &holder).unwrap();
        assert_eq!(SupervisorLock::holder(&path).unwrap(), Some(holder.clone()));
        let refused = SupervisorLock::take(&path, &holder).unwrap_err();
        assert!(matches!(refused, LockError::Held { holder: Some(ref known) } if *known == holder));
        drop(lock);
        assert!(SupervisorLock::holder(&path).unwrap().is_none());
        SupervisorLock::take(&path, &holder).unwrap();
    }
}
