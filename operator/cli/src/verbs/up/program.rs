//! The program of the nodes: the one beside this one, built first when everything runs through cargo.

use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;
use std::path::{Path, PathBuf};
use std::process::Command;
use tim_catalogue::command_line;

const NAME: &str = "tim-node";

/// Whether `cargo run` (`cargo tim`) started this process.
pub(super) fn runs_through_cargo() -> bool {
    std::env::var_os("CARGO").is_some() && std::env::var_os("CARGO_MANIFEST_DIR").is_some()
}

/// Finds the program; builds it first with the profile of this one when started through cargo.
///
/// # Errors
/// It is not there, or does not build.
pub(super) fn find(terminal: &Terminal, built_already: bool) -> Outcome<PathBuf> {
    let own = std::env::current_exe().map_err(|error| Failure::unexpected(&error))?;
    let folder = own.parent().unwrap_or_else(|| Path::new("."));
    if runs_through_cargo() && !built_already {
        build(terminal, folder)?;
    }
    let program = folder.join(NAME);
    if program.is_file() {
        return Ok(program);
    }
    let observed = format!("{} is not there", program.display());
    Err(Failure::new(&command_line::NODE_PROGRAM_MISSING, observed))
}

/// Builds with cargo, which shows its own progress.
fn build(terminal: &Terminal, folder: &Path) -> Outcome<()> {
    let profile = profile_of(folder);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let mut command = Command::new(cargo);
    command
        .args(["build", "--profile", &profile, "--package", NAME, "--bin", NAME])
        .current_dir(manifest);
    // Without work to do cargo takes a moment and has nothing to say; its progress bar appears when it has.
    let status = command.status().map_err(|error| Failure::unexpected(&error))?;
    if status.success() {
        return Ok(());
    }
    terminal.message("");
    Err(Failure::new(
        &command_line::BUILD_FAILED,
        format!("cargo build --profile {profile} -p {NAME} failed"),
    ))
}

/// The profile whose folder that is; only `dev` has another name there.
fn profile_of(folder: &Path) -> String {
    match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev".to_owned(),
        Some(name) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_tells_the_profile() {
        assert_eq!(profile_of(Path::new("/target/debug")), "dev");
        assert_eq!(profile_of(Path::new("/target/local")), "local");
        assert_eq!(profile_of(Path::new("/target/release")), "release");
    }
}
