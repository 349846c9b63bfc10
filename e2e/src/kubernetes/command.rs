//! Programs that the tests run as a user would: kubectl, helm, and the test cluster's own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::kubernetes::repository_root;

/// Longest time that one program may take: a rollout on a busy machine.
const LIMIT: Duration = Duration::from_secs(300);

/// What a program said.
#[derive(Debug, Clone)]
pub struct Output {
    /// Whether it ended with 0.
    pub success: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a program in the folder of the repository; `input` goes to its standard input.
///
/// # Errors
/// It cannot be started, or takes too long. That it fails is part of the [`Output`].
pub async fn run(
    program: impl AsRef<Path>,
    arguments: &[&str],
    input: Option<&str>,
) -> anyhow::Result<Output> {
    let program = program.as_ref();
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(repository_root())
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), input) {
        pipe.write_all(text.as_bytes()).await?;
    }
    let output = tokio::time::timeout(LIMIT, child.wait_with_output())
        .await
        .with_context(|| format!("{} {arguments:?} takes more than {LIMIT:?}", program.display()))??;
    Ok(Output {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// As [`run`], gives the standard output.
///
/// # Errors
/// Also when it ends with another code than 0; the error holds what it said.
pub async fn expect(
    program: impl AsRef<Path>,
    arguments: &[&str],
    input: Option<&str>,
) -> anyhow::Result<String> {
    let output = run(&program, arguments, input).await?;
    anyhow::ensure!(
        output.success,
        "{} {} failed:\n{}{}",
        program.as_ref().display(),
        arguments.join(" "),
        output.stdout,
        output.stderr
    );
    Ok(output.stdout)
}

/// `kubectl`, as [`expect`].
///
/// # Errors
/// It ends with another code than 0.
pub async fn kubectl(arguments: &[&str]) -> anyhow::Result<String> {
    expect("kubectl", arguments, None).await
}

/// `helm`, as [`expect`].
///
/// # Errors
/// It ends with another code than 0.
pub async fn helm(arguments: &[&str]) -> anyhow::Result<String> {
    expect("helm", arguments, None).await
}
