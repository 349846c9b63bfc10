//! The process that runs a cluster: it observes, asks the planner, and carries out, as the operator does on Kubernetes.
//!
//! ```text
//!   files of the user ─┐                                ┌─▶ keys, certificates, DSN files
//!   .tim/objects ──────┼─▶ Observed ─▶ plan() ─▶ Plan ──┼─▶ list of processes ─▶ runner ─▶ processes
//!   processes, nodes ──┘                                └─▶ drain, undrain, control group
//! ```
//!
//! It may be killed at any moment: everything it knows is in `.tim`, and the next one goes on from there.

mod carry_out;
mod observe;
mod problems;
mod progress;
mod recovery;
mod repartitions;
mod source;
mod stopping;

use crate::changes;
use crate::control::Controls;
use crate::databases::{self, Place};
use crate::directory::{ClusterDirectory, LocalDirectory};
use crate::documents::{Source, SourceError};
use crate::event::Event;
use crate::file::FileError;
use crate::launch::{Launcher, program_identity};
use crate::lock::SupervisorLock;
use crate::objects::{ObjectError, ObjectStore};
use crate::poller::{Asked, Poller};
use crate::runner::Runner;
use crate::trust::{TrustFileError, TrustFiles};
use problems::Problems;
use progress::Progress;
use recovery::Recoveries;
use source::SourceWatcher;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tim_catalogue::Report;
use tim_crds::cluster::RetainPolicy;
use tim_crds::{TimCluster, TimRepartition};
use tim_plan::intent::Intent;
use tim_plan::observed::Secrets;
use tokio::sync::{Notify, mpsc, watch};

/// How often processes and files are looked at.
const TICK: Duration = Duration::from_millis(50);
/// How often a plan is made while something is under way,
const PLAN_BUSY: Duration = Duration::from_millis(250);
/// and when nothing is.
const PLAN_CALM: Duration = Duration::from_secs(1);
/// How long certificates are believed to be as they were found.
const TRUST_LOOK: Duration = Duration::from_secs(30);
/// A tick this late means that this process was stopped: silence of nodes until then says nothing about them.
const LATE: Duration = Duration::from_secs(2);

/// What a supervisor is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder `.tim`.
    pub directory: LocalDirectory,
    /// Name of the cluster; its object is there.
    pub cluster: String,
    /// The program of the nodes.
    pub program: PathBuf,
    /// What `--port` insists on for clients of the first node.
    pub client_port: Option<u16>,
    /// The user's files, watched.
    pub source: Option<Source>,
}

/// How far a stop has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stop {
    /// Go on.
    #[default]
    Run,
    /// Stop cleanly: nodes are asked to.
    Cleanly,
    /// Stop at once: nodes are killed. What they acknowledged is durable.
    AtOnce,
}

/// The supervisor cannot go on. Nodes that run go on without it; the next one adopts them.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// Objects.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// Files.
    #[error(transparent)]
    File(#[from] FileError),
    /// Keys and certificates.
    #[error(transparent)]
    Trust(#[from] TrustFileError),
    /// Something that the user has to decide otherwise.
    #[error("{0}")]
    Refused(Report),
    /// The object of the cluster is gone.
    #[error("the object of the cluster is gone")]
    Gone,
}

/// Runs one cluster.
pub struct Supervisor {
    settings: Settings,
    directory: ClusterDirectory,
    store: ObjectStore,
    trust: TrustFiles,
    controls: Option<Arc<Controls>>,
    poller: Option<Poller>,
    runner: Runner,
    source: Option<SourceWatcher>,
    events: mpsc::Sender<Event>,
    news: Arc<Notify>,
    cluster: TimCluster,
    places: Vec<Place>,
    secrets: Secrets,
    trust_looked: Option<Instant>,
    seen: Seen,
    progress: Progress,
    recoveries: Recoveries,
    problems: Problems,
    repartitions: repartitions::Told,
    plan_due: Instant,
    last_tick: Instant,
    revision: String,
    /// The program as it was at the start: one that is built anew meanwhile takes effect at the next.
    image: String,
    /// Lives that were seen serving, by node.
    serving: std::collections::BTreeMap<String, String>,
    _lock: SupervisorLock,
}

/// Fingerprints of what was read last.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    clusters: Vec<(PathBuf, std::time::SystemTime, u64)>,
    repartitions: Vec<(PathBuf, std::time::SystemTime, u64)>,
}

impl Supervisor {
    /// Begins with what is there; running nodes are adopted.
    ///
    /// # Errors
    /// See [`SupervisorError`]; nothing was started.
    pub fn new(
        settings: Settings,
        lock: SupervisorLock,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, SupervisorError> {
        let directory = settings.directory.cluster(&settings.cluster);
        let store = ObjectStore::new(settings.directory.objects());
        let cluster: TimCluster = store.get(&settings.cluster)?.ok_or(SupervisorError::Gone)?;
        let trust = TrustFiles::new(directory.clone(), cluster.cluster_id());
        let launcher = Launcher::new(
            directory.clone(),
            trust.clone(),
            settings.program.clone(),
            settings.client_port,
        );
        let runner = Runner::adopt(&settings.cluster, directory.clone(), launcher)?;
        runner
            .check_port(settings.client_port)
            .map_err(SupervisorError::Refused)?;
        let now = Instant::now();
        Ok(Self {
            source: settings.source.clone().map(SourceWatcher::new),
            image: program_identity(&settings.program),
            settings,
            directory,
            store,
            trust,
            controls: None,
            poller: None,
            runner,
            events,
            news: Arc::default(),
            cluster,
            places: Vec::new(),
            secrets: Secrets::default(),
            trust_looked: None,
            seen: Seen::default(),
            progress: Progress::new(now),
            recoveries: Recoveries::default(),
            problems: Problems::default(),
            repartitions: repartitions::Told::default(),
            plan_due: now,
            last_tick: now,
            revision: String::new(),
            serving: std::collections::BTreeMap::new(),
            _lock: lock,
        })
    }

    /// Runs until it is told to stop, and stops the nodes then.
    ///
    /// # Errors
    /// See [`SupervisorError`]; nodes go on.
    pub async fn run(mut self, mut stop: watch::Receiver<Stop>) -> Result<(), SupervisorError> {
        self.say_adopted();
        while *stop.borrow_and_update() == Stop::Run {
            self.tick().await?;
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { break },
                () = self.news.notified() => self.plan_due = self.plan_due.min(Instant::now() + TICK),
                () = tokio::time::sleep(TICK) => {}
            }
        }
        self.stop_all(stop).await;
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), SupervisorError> {
        let now = Instant::now();
        let late = now.duration_since(self.last_tick) > LATE;
        self.last_tick = now;
        self.apply_changed_files();
        if self.read_changed_objects()? {
            self.plan_due = now;
        }
        if late {
            self.forget_answers();
        }
        // Before the first plan nobody knows for which revision processes are to be started; a guess would be corrected by
        // restarting each of them.
        if !self.revision.is_empty() && self.run_processes() {
            self.plan_due = now;
        }
        self.kill_silent();
        if now >= self.plan_due {
            let busy = self.plan_and_carry_out().await?;
            self.plan_due = Instant::now() + if busy { PLAN_BUSY } else { PLAN_CALM };
        }
        self.follow_nodes();
        Ok(())
    }

    fn say(&self, event: Event) {
        // Nodes come before words: a reader that does not read loses events, and no node waits for it.
        let _ = self.events.try_send(event);
    }

    fn say_adopted(&self) {
        let nodes: Vec<String> = self
            .runner
            .nodes()
            .filter(|node| node.life().is_some())
            .map(|node| node.name.clone())
            .collect();
        if !nodes.is_empty() {
            self.say(Event::Adopted { nodes });
        }
    }

    /// Reads objects again if a file of them has changed.
    fn read_changed_objects(&mut self) -> Result<bool, SupervisorError> {
        let seen = Seen {
            clusters: self.store.fingerprint::<TimCluster>(),
            repartitions: self.store.fingerprint::<TimRepartition>(),
        };
        if seen == self.seen {
            return Ok(false);
        }
        self.seen = seen;
        let before = std::mem::replace(
            &mut self.cluster,
            self.store
                .get(&self.settings.cluster)?
                .ok_or(SupervisorError::Gone)?,
        );
        let changes = changes::between_clusters(&before, &self.cluster);
        let by_file = self.source.as_mut().is_some_and(SourceWatcher::take_applied);
        if !changes.is_empty() && !by_file && self.progress.is_ready() {
            self.say(Event::Changed {
                file: None,
                changes,
                reverted: Vec::new(),
            });
        }
        Ok(true)
    }

    fn apply_changed_files(&mut self) {
        let Some(source) = &mut self.source else {
            return;
        };
        match source.look(&self.store) {
            None | Some(Ok(None)) => {}
            Some(Ok(Some(event))) => self.say(event),
            Some(Err(error)) => self.say(Event::Refused {
                message: refusal(&error),
            }),
        }
    }

    /// Lets processes follow the workload. Says whether something happened to them.
    fn run_processes(&mut self) -> bool {
        let replicas = self.wanted_processes();
        let grace = Duration::from_secs(u64::try_from(self.cluster.spec.drain.timeout_seconds).unwrap_or(0));
        let happened = self.runner.tick(&self.cluster, replicas, &self.revision, grace);
        for event in &happened {
            if let Event::Ended { node, how } = event {
                self.recoveries.ended(node, how, Instant::now());
            }
        }
        let any = !happened.is_empty();
        self.delete_volumes_of_stopped(&happened);
        for event in happened {
            self.say(event);
        }
        let asked: Vec<Asked> = self.asked();
        if let Some(poller) = &mut self.poller {
            poller.watch(&asked);
        }
        any
    }

    /// Carries `storage.retain.whenScaled` out for nodes that are not wanted any more.
    fn delete_volumes_of_stopped(&mut self, happened: &[Event]) {
        if self.cluster.spec.storage.retain.when_scaled != RetainPolicy::Delete {
            return;
        }
        for event in happened {
            let Event::Stopped { node, again: false } = event else {
                continue;
            };
            if let Err(error) = self.runner.delete_volume(node) {
                tracing::warn!(node, %error, "the volume of a node that is not wanted any more stays");
            }
        }
    }

    fn asked(&self) -> Vec<Asked> {
        let living = self.runner.nodes().filter_map(|node| Some((node, node.life()?)));
        living
            .map(|(node, life)| Asked {
                node: node.name.clone(),
                uid: life.uid(),
                address: node.record.peer_address(),
            })
            .collect()
    }

    /// Looks, plans, does. Says whether something is under way.
    async fn plan_and_carry_out(&mut self) -> Result<bool, SupervisorError> {
        self.places = databases::write(&self.store, &self.directory, &self.cluster)?;
        self.look_at_trust()?;
        let observed = self.observe()?;
        self.revision = Intent::of(&observed).revision;
        let plan = tim_plan::plan(&observed);
        let mut busy = !plan.actions.is_empty();
        for action in &plan.actions {
            if let Err(error) = self.carry_out(action).await {
                tracing::warn!(?action, %error, "an action failed; the next plan begins with it");
                break;
            }
        }
        if self
            .store
            .write_status::<TimCluster>(&self.settings.cluster, &plan.status)?
        {
            self.cluster.status = Some(plan.status.clone());
        }
        self.tell_problems(plan.problems);
        busy |= self.drive_repartitions(&observed).await?;
        Ok(busy || !self.progress.is_ready() || plan.requeue < Duration::from_secs(5))
    }

    fn look_at_trust(&mut self) -> Result<(), SupervisorError> {
        if self
            .trust_looked
            .is_none_or(|looked| looked.elapsed() >= TRUST_LOOK)
        {
            self.secrets = self.trust.observe()?;
            self.trust_looked = Some(Instant::now());
        }
        if self.controls.is_none() && self.secrets.operator_certificate.is_some() {
            self.load_controls();
        }
        Ok(())
    }

    fn load_controls(&mut self) {
        match Controls::load(&self.directory.tls(), &self.cluster.cluster_id()) {
            Ok(controls) => {
                let controls = Arc::new(controls);
                self.poller = Some(Poller::new(controls.clone(), self.news.clone()));
                self.controls = Some(controls);
            }
            Err(error) => tracing::error!(
                code = tim_catalogue::node::CERTIFICATE_UNREADABLE.code,
                %error,
                "the supervisor's certificate cannot be used"
            ),
        }
    }

    fn tell_problems(&mut self, problems: Vec<Report>) {
        for event in self.problems.follow(problems, Instant::now()) {
            if let Event::Problem(report) = &event {
                tracing::warn!(code = report.cause().code, "{report}");
            }
            self.say(event);
        }
    }
}

fn refusal(error: &SourceError) -> String {
    error.to_string()
}
