//! The file of administrators, followed while the node runs.

use super::{Access, Known};
use crate::board::{Board, Effect, Place};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::{Report, configuration};
use tim_config::Administrators;

/// Largest file of administrators.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Everybody as configuration and file say now. A file that cannot be used lets nobody in that only it names.
pub(super) fn known(config: &tim_config::Admin) -> Known {
    let configured = Administrators {
        tokens: config.tokens.clone(),
        users: config.users.clone(),
    };
    let path = &config.tokens_file;
    let read = match path.as_os_str().is_empty() {
        true => Ok(Administrators::default()),
        false => read(path),
    };
    match read {
        Ok(read) => Known::of([&configured, &read], None),
        Err(report) => Known::of([&configured, &Administrators::default()], Some(report)),
    }
}

fn read(path: &Path) -> Result<Administrators, Report> {
    let place = path.display().to_string();
    let unreadable = |reason: String| {
        let observed = format!("{place} (admin.tokens_file): {reason}");
        Report::new(&configuration::UNREADABLE_FILE, observed)
    };
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut text = String::new();
    let length = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    let length = length.map_err(|error| unreadable(error.to_string()))?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(unreadable(format!("more than {FILE_BYTES_MAX} bytes")));
    }
    Administrators::parse(&text, &place).map_err(|error| error.report().clone())
}

impl Access {
    /// Looks at the file again and again, until the process ends.
    pub(crate) async fn follow(self: Arc<Self>, interval: Duration, board: Arc<Board>) {
        loop {
            self.tell(&board);
            tokio::time::sleep(interval).await;
            let config = self.config.clone();
            // A file may lie on a disk that does not answer.
            let Ok(known) = tokio::task::spawn_blocking(move || known(&config)).await else {
                continue;
            };
            if known != **self.known.load() {
                let (tokens, users) = (known.tokens.len(), known.users.len());
                tracing::info!(tokens, users, "administrators have changed");
                self.known.store(Arc::new(known));
            }
        }
    }

    fn tell(&self, board: &Board) {
        match &self.known.load().trouble {
            Some(report) => board.raise(Place::Administrators, Effect::Told, report.clone()),
            None => board.clear(&Place::Administrators),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::new_token;
    use super::*;
    use tim_config::Role;

    #[test]
    fn a_file_that_cannot_be_used_lets_nobody_in_that_only_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let mut config = tim_config::Admin {
            tokens_file: path.clone(),
            ..tim_config::Admin::default()
        };
        let missing = known(&config);
        assert!(missing.tokens.is_empty() && missing.trouble.is_some());
        let made = new_token("ci", Role::Read);
        std::fs::write(&path, &made.lines).unwrap();
        let present = known(&config);
        assert!(present.by_token(&made.token).is_some() && present.trouble.is_none());
        std::fs::write(&path, format!("{}surplus = 1\n", made.lines)).unwrap();
        let broken = known(&config);
        assert!(broken.by_token(&made.token).is_none());
        let told = broken.trouble.unwrap().to_string();
        assert!(
            told.contains("tokens.toml:5") && told.contains("surplus"),
            "{told}"
        );
        config.tokens_file = std::path::PathBuf::new();
        assert_eq!(known(&config), Known::default());
    }
}
