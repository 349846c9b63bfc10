//! Writing files so that a reader, or a crash, never meets half of one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// The owner alone: keys, DSNs, passwords.
    Owner,
    /// Anybody whom the folders above let through.
    Everyone,
}

impl Readers {
    fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Everyone => 0o644,
        }
    }
}

/// A file could not be read or written. Nothing was half written; trying again helps once the cause is gone.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// Names the path a failure belongs to.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

/// Makes a folder and those above it.
///
/// # Errors
/// What the system refused.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(FileError::at(path))
}

/// Replaces the file by `content`: a temporary file beside it, synced, renamed, and the folder synced.
///
/// # Errors
/// What the system refused; the old content is then still there.
pub fn write_atomically(path: &Path, content: &[u8], readers: Readers) -> Result<(), FileError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let folder = folder_of(path);
    create_folder(folder)?;
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{number}.new", std::process::id()));
    let written = write_synced(&temporary, content, readers).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // The rename did not happen; what is left is a stray file that nobody reads.
        let _ = fs::remove_file(&temporary);
        return Err(FileError::at(path)(error));
    }
    File::open(folder)
        .and_then(|opened| opened.sync_all())
        .map_err(FileError::at(folder))
}

/// The folder that holds it; that of a bare name is the current one.
fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn write_synced(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(readers.mode())
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// As [`write_atomically`], unless the file holds just that already. Says whether it wrote.
///
/// # Errors
/// What the system refused.
pub fn write_if_changed(path: &Path, content: &[u8], readers: Readers) -> Result<bool, FileError> {
    if fs::read(path).is_ok_and(|present| present == content) {
        return Ok(false);
    }
    write_atomically(path, content, readers)?;
    Ok(true)
}

/// The content, or nothing if there is no such file.
///
/// # Errors
/// What the system refused, other than that the file is missing.
pub fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::at(path)(error)),
    }
}

/// Removes the file; one that is not there is fine.
///
/// # Errors
/// What the system refused.
pub fn remove_file(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::at(path)(error)),
        _ => Ok(()),
    }
}

/// Removes the folder with all that is in it; one that is not there is fine.
///
/// # Errors
/// What the system refused.
pub fn remove_folder(path: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::at(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_write_replaces_the_whole_file_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("file.yaml");
        write_atomically(&path, b"a longer first content", Readers::Owner).unwrap();
        write_atomically(&path, b"second", Readers::Owner).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_bare_name_is_in_the_current_folder() {
        assert_eq!(folder_of(Path::new("chat.yaml")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/chat.yaml")), Path::new("a"));
    }

    #[test]
    fn an_equal_content_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(write_if_changed(&path, b"x", Readers::Everyone).unwrap());
        assert!(!write_if_changed(&path, b"x", Readers::Everyone).unwrap());
        assert!(write_if_changed(&path, b"y", Readers::Everyone).unwrap());
    }

    #[test]
    fn a_missing_file_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing");
        assert!(read_optional(&path).unwrap().is_none());
        remove_file(&path).unwrap();
        remove_folder(&path).unwrap();
    }
}
