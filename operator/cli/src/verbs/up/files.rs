//! Which files `tim up` applies.

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;
use kube::ResourceExt;
use std::path::{Path, PathBuf};
use tim_catalogue::configuration;
use tim_crds::TimCluster;
use tim_local::directory::LocalDirectory;
use tim_local::documents::ANNOTATION_SOURCE;
use tim_local::file::{Readers, write_atomically};
use tim_local::objects::ObjectStore;

/// The file that a clone of the project has.
const EXAMPLE: &str = "examples/chat.yaml";
/// The file that is written where there is none.
const OWN: &str = "chat.yaml";
/// What is in it.
const OWN_CONTENT: &str = include_str!("../../../../../examples/chat.yaml");

/// The named files, else those of last time, else the example, else one that is written for the user to edit.
///
/// # Errors
/// A named file does not exist, or the example cannot be written.
pub(super) fn choose(
    terminal: &Terminal,
    directory: &LocalDirectory,
    named: &[PathBuf],
    dry_run: bool,
) -> Outcome<Vec<PathBuf>> {
    if let Some(missing) = named.iter().find(|file| !file.is_file()) {
        let observed = format!("{}: there is no such file", missing.display());
        return Err(Failure::new(&configuration::UNREADABLE_FILE, observed).exit(Exit::Usage));
    }
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    if let Some(files) = of_last_time(directory) {
        return Ok(files);
    }
    for usual in [EXAMPLE, OWN] {
        if Path::new(usual).is_file() {
            return Ok(vec![PathBuf::from(usual)]);
        }
    }
    if dry_run {
        return Err(
            Failure::usage(format!("there is no {EXAMPLE} and no {OWN} to check")).remedy(format!(
                "name a file, or run it without --dry-run: it writes {OWN} first"
            )),
        );
    }
    let own = PathBuf::from(OWN);
    write_atomically(&own, OWN_CONTENT.as_bytes(), Readers::Everyone)
        .map_err(|error| Failure::unexpected(&error))?;
    terminal.message(format!(
        "{OWN} written: three nodes and two databases; edit it as you like"
    ));
    Ok(vec![own])
}

/// The files from which the only cluster of the directory was applied last, if they are still there.
fn of_last_time(directory: &LocalDirectory) -> Option<Vec<PathBuf>> {
    let clusters = ObjectStore::new(directory.objects()).list::<TimCluster>().ok()?;
    let [cluster] = clusters.as_slice() else {
        return None;
    };
    let source = cluster.annotations().get(ANNOTATION_SOURCE)?;
    let files: Vec<PathBuf> = source.lines().map(PathBuf::from).collect();
    (!files.is_empty() && files.iter().all(|file| file.is_file())).then_some(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::{ColourChoice, Surroundings};

    #[test]
    fn a_named_file_that_is_missing_is_never_replaced_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let terminal = Terminal::new(Surroundings::default(), ColourChoice::Never);
        let directory = LocalDirectory::of(folder.path());
        let missing = folder.path().join("missing.yaml");
        let failure = choose(&terminal, &directory, std::slice::from_ref(&missing), false).unwrap_err();
        assert_eq!((failure.code(), failure.exit_code()), ("TIM-C103", Exit::Usage));
        std::fs::write(&missing, "").unwrap();
        assert_eq!(
            choose(&terminal, &directory, std::slice::from_ref(&missing), false).unwrap(),
            [missing]
        );
    }

    #[test]
    fn the_file_of_last_time_is_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let directory = LocalDirectory::of(folder.path());
        let file = folder.path().join("my.yaml");
        std::fs::write(&file, "").unwrap();
        let mut cluster = TimCluster::new("chat", tim_crds::TimClusterSpec::default());
        cluster
            .annotations_mut()
            .insert(ANNOTATION_SOURCE.into(), file.display().to_string());
        ObjectStore::new(directory.objects()).add(cluster).unwrap();
        assert_eq!(of_last_time(&directory), Some(vec![file.clone()]));
        std::fs::remove_file(file).unwrap();
        assert_eq!(of_last_time(&directory), None);
    }

    #[test]
    fn the_file_that_is_written_is_a_good_one() {
        let documents = tim_crds::document::read(OWN, OWN_CONTENT).unwrap();
        assert_eq!(documents.objects.len(), 1);
    }
}
