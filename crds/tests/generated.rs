//! The committed YAML is what the types say.

use std::{fs, path::PathBuf};

/// Largest definition that `kubectl apply` without `--server-side` can still hold in its annotation is 262,144 bytes;
/// ours stay far below.
const SIZE_BYTES_MAX: usize = 100_000;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("yaml")
}

#[test]
fn committed_files_are_current() -> anyhow::Result<()> {
    for file in tim_crds::yaml::all()? {
        let committed = fs::read_to_string(folder().join(&file.name)).unwrap_or_default();
        assert!(
            committed == file.text,
            "{} is stale; run: cargo test -p tim-crds --test generated -- --ignored",
            file.name
        );
        assert!(
            file.text.len() < SIZE_BYTES_MAX,
            "{} has {} bytes",
            file.name,
            file.text.len()
        );
    }
    Ok(())
}

#[test]
#[ignore = "writes the files instead of checking them"]
fn write_files() -> anyhow::Result<()> {
    fs::create_dir_all(folder())?;
    for file in tim_crds::yaml::all()? {
        fs::write(folder().join(&file.name), &file.text)?;
    }
    Ok(())
}
