//! `tim up`: runs a cluster on this machine, in the foreground or detached.
//!
//! Progress goes to standard error, the block that ends with "Try next" and the events after it to standard output.

mod block;
mod detach;
mod files;
mod narrator;
mod program;

use crate::arguments::{Global, UpArguments};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::question::confirm;
use crate::target::{parent_directory, shown_path};
use crate::terminal::Terminal;
use narrator::Narrator;
use std::path::PathBuf;
use std::time::Instant;
use tim_catalogue::{Report, command_line};
use tim_local::directory::{LocalDirectory, RESERVED_NAMES};
use tim_local::documents::{Loaded, ReplicasOverride, Source, SourceError};
use tim_local::event::EVENTS_MAX;
use tim_local::file::{FileError, Readers, create_folder, write_if_changed};
use tim_local::lock::{Holder, LockError, SupervisorLock};
use tim_local::objects::ObjectStore;
use tim_local::process::ProcessId;
use tim_local::supervisor::{Settings, Stop, Supervisor, SupervisorError};
use tim_local::view;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Whether somebody was asked and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Yes,
    No,
}

/// What a start is about.
struct Start<'a> {
    terminal: &'a Terminal,
    arguments: &'a UpArguments,
    directory: LocalDirectory,
    source: Source,
    cluster: String,
    program: PathBuf,
    /// What people type to run `tim`.
    command: &'static str,
}

/// Starts.
///
/// # Errors
/// The files have mistakes, something is taken, or the nodes cannot be started.
pub async fn run(terminal: &Terminal, global: &Global, arguments: &UpArguments) -> Outcome {
    let mut began = Instant::now();
    let parent = parent_directory(global);
    let directory = LocalDirectory::of(&parent);
    let mut source = Source {
        files: files::choose(terminal, &directory, &arguments.files, arguments.dry_run)?,
        replicas: None,
    };
    let loaded = load(&mut source, arguments)?;
    let cluster = loaded.cluster.metadata.name.clone().unwrap_or_default();
    if RESERVED_NAMES.contains(&cluster.as_str()) {
        let observed = format!("a cluster cannot be called \"{cluster}\" here: .tim uses that name itself");
        return Err(Failure::new(&command_line::NAMES_COLLIDE, observed));
    }
    if arguments.dry_run {
        return would_do(terminal, &directory, &loaded, arguments);
    }
    let command = if program::runs_through_cargo() {
        "cargo tim"
    } else {
        "tim"
    };
    let building = Instant::now();
    let program = program::find(terminal, arguments.background)?;
    // A build is no part of the start; cargo has told how long it took.
    began += building.elapsed();
    let start = Start {
        terminal,
        arguments,
        directory,
        source,
        cluster,
        program,
        command,
    };
    start.refuse_if_running()?;
    let narrator = Narrator::new(terminal.clone(), began);
    narrator.headline(&start.source.files, &start.cluster);
    if arguments.detach && !arguments.background {
        return detach::run(&start, global).await;
    }
    start.foreground(loaded, narrator).await
}

/// Says what a start would do; the files have been checked.
fn would_do(
    terminal: &Terminal,
    directory: &LocalDirectory,
    loaded: &Loaded,
    arguments: &UpArguments,
) -> Outcome {
    let name = loaded.cluster.metadata.name.clone().unwrap_or_default();
    terminal.message(format!(
        "local cluster {name} in {}/",
        shown_path(directory.root())
    ));
    let changes = loaded
        .preview(&ObjectStore::new(directory.objects()))
        .map_err(source_failure)?;
    let mut lines = match changes {
        None => vec![format!(
            "would be made, with replicas {}",
            loaded.cluster.spec.replicas
        )],
        Some(changes) if changes.is_empty() => vec!["the files say what it is already".to_owned()],
        Some(changes) => changes.iter().map(ToString::to_string).collect(),
    };
    if arguments.fresh && directory.cluster(&name).root().exists() {
        lines.push("all its data, keys and logs would be thrown away".into());
    }
    for line in lines {
        terminal.result(format!("{name}: {line} (dry run: nothing was changed)"));
    }
    Ok(Exit::Done)
}

fn load(source: &mut Source, arguments: &UpArguments) -> Outcome<Loaded> {
    let loaded = source.load().map_err(source_failure)?;
    let Some(wanted) = arguments.replicas else {
        return Ok(loaded);
    };
    source.replicas = Some(ReplicasOverride {
        wanted,
        file: Some(loaded.cluster.spec.replicas),
    });
    source.load().map_err(source_failure)
}

/// Mistakes in files, one per line.
fn source_failure(error: SourceError) -> Failure {
    match error {
        SourceError::Refused(report) => Failure::from_report(report),
        SourceError::Objects(error) => Failure::unexpected(&error),
        SourceError::Problems(problems) => {
            let mut found = problems.0.into_iter();
            let Some(first) = found.next() else {
                return Failure::usage("the files cannot be used");
            };
            let report = Report::new(
                first.cause,
                format!("{}:{}: {}", first.file, first.line, first.message),
            );
            found.fold(Failure::from_report(report), |failure, problem| {
                failure.detail(problem.to_string())
            })
        }
    }
}

impl Start<'_> {
    fn lock_path(&self) -> PathBuf {
        self.directory.cluster(&self.cluster).lock()
    }

    fn refuse_if_running(&self) -> Outcome<()> {
        match SupervisorLock::holder(&self.lock_path()) {
            Ok(None) => Ok(()),
            Ok(Some(holder)) => Err(self.already_running(Some(&holder))),
            Err(error) => Err(Failure::unexpected(&error)),
        }
    }

    fn already_running(&self, holder: Option<&Holder>) -> Failure {
        let who = holder.map_or_else(String::new, |holder| {
            format!(" by tim up, process {}", holder.process.pid)
        });
        let observed = format!("{} is run{who} already", self.cluster);
        let remedy = format!(
            "{0} status {1}, or {0} down {1} first; edits of the file are taken up as they are",
            self.command, self.cluster
        );
        Failure::new(&command_line::ALREADY_RUNNING, observed)
            .remedy(remedy)
            .exit(Exit::Refused)
    }

    fn take_lock(&self) -> Outcome<SupervisorLock> {
        let process = ProcessId::own().unwrap_or(ProcessId {
            pid: std::process::id(),
            start_ticks: 0,
        });
        let holder = Holder {
            process,
            detached: self.arguments.background,
        };
        SupervisorLock::take(&self.lock_path(), &holder).map_err(|error| match error {
            LockError::Held { holder } => self.already_running(holder.as_ref()),
            LockError::File(error) => Failure::unexpected(&error),
        })
    }

    /// Throws the data away, if that was asked for and confirmed.
    async fn discard_if_fresh(&self) -> Outcome<Asked> {
        if !self.arguments.fresh {
            return Ok(Asked::No);
        }
        let mut asked = Asked::No;
        let folder = self.directory.cluster(&self.cluster);
        if folder.root().exists() {
            let data = shown_path(folder.root());
            self.terminal
                .message(format!("--fresh throws away all data, keys and logs in {data}."));
            confirm(self.terminal, &self.cluster, self.arguments.yes)?;
            asked = if self.arguments.yes { Asked::No } else { Asked::Yes };
        }
        let stopped = view::stop_unsupervised(&folder, std::time::Duration::from_secs(5)).await;
        stopped.map_err(|error| Failure::unexpected(&error))?;
        view::discard(&self.directory, &self.cluster).map_err(|error| Failure::unexpected(&error))?;
        Ok(asked)
    }

    async fn foreground(self, loaded: Loaded, mut narrator: Narrator) -> Outcome {
        let lock = self.take_lock()?;
        if self.discard_if_fresh().await? == Asked::Yes {
            narrator.begin();
        }
        self.keep_out_of_version_control()?;
        self.log_to_file()?;
        narrator.kept_data(&self.directory.cluster(&self.cluster));
        let store = ObjectStore::new(self.directory.objects());
        let applied = loaded.apply(&store, &self.source).map_err(source_failure)?;
        narrator.applied(&applied, &store, &self.directory);
        let settings = Settings {
            directory: self.directory.clone(),
            cluster: self.cluster.clone(),
            program: self.program.clone(),
            client_port: self.arguments.port,
            source: Some(self.source.clone()),
        };
        let (events, mut told) = mpsc::channel(EVENTS_MAX);
        let supervisor = Supervisor::new(settings, lock, events).map_err(supervisor_failure)?;
        let (stop, stopping) = watch::channel(Stop::Run);
        let stopper = tokio::spawn(stop_on_signals(stop));
        let supervised = tokio::spawn(supervisor.run(stopping));
        while let Some(event) = told.recv().await {
            let ready = matches!(event, tim_local::event::Event::Ready { .. });
            narrator.tell(event);
            if ready {
                self.show_block().await?;
            }
        }
        stopper.abort();
        match supervised.await {
            Ok(Ok(())) => Ok(narrator.exit()),
            Ok(Err(error)) => Err(supervisor_failure(error)),
            Err(error) => Err(Failure::unexpected(&error)),
        }
    }

    /// What the supervisor logs goes beside the nodes' logs: the terminal is for what people want to know.
    fn log_to_file(&self) -> Outcome<()> {
        let path = self.directory.cluster(&self.cluster).supervisor_log();
        let failed = |error: FileError| Failure::unexpected(&error);
        if let Some(folder) = path.parent() {
            create_folder(folder).map_err(failed)?;
        }
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(FileError::at(&path)).map_err(failed)?;
        let subscriber = tracing_subscriber::fmt()
            .with_writer(std::sync::Mutex::new(file))
            .with_ansi(false);
        // A second start in one process keeps the first one's log.
        subscriber.try_init().ok();
        Ok(())
    }

    /// Keys and chats do not belong into anybody's repository.
    fn keep_out_of_version_control(&self) -> Outcome<()> {
        let path = self.directory.root().join(".gitignore");
        write_if_changed(&path, b"*\n", Readers::Everyone)
            .map(drop)
            .map_err(|error| Failure::unexpected(&error))
    }

    async fn show_block(&self) -> Outcome<()> {
        let seen = view::observe(
            &self.directory,
            &self.cluster,
            crate::status::observation::NODE_ANSWER_MAX,
        )
        .await;
        let seen = seen.map_err(|error| Failure::unexpected(&error))?;
        let context = block::Context {
            command: self.command,
            folder: shown_path(self.directory.cluster(&self.cluster).root()),
            file: self
                .source
                .files
                .last()
                .map(|file| shown_path(file))
                .unwrap_or_default(),
            detached: self.arguments.detach && !self.arguments.background,
        };
        block::lines(&seen, &context)
            .iter()
            .for_each(|line| self.terminal.result(line));
        Ok(())
    }
}

fn supervisor_failure(error: SupervisorError) -> Failure {
    match error {
        SupervisorError::Refused(report) => Failure::from_report(report),
        other => Failure::unexpected(&other),
    }
}

/// The first signal stops cleanly, a second one at once.
async fn stop_on_signals(stop: watch::Sender<Stop>) {
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        return;
    };
    for how in [Stop::Cleanly, Stop::AtOnce] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        if stop.send(how).is_err() {
            return;
        }
    }
}
