//! The verbs and what each takes.

use super::bench::BenchArguments;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What the columns of `tim status` hold.
const STATUS_COLUMNS: &str = "\
Columns
  MSG/S, ACK P99   messages stored for the node's clients over the last ten seconds, and what 99 of 100 took
  LAG              changes of the partition map that the node has not applied yet, 0 when it is in step:
                   entries of the control group's log that any node knows
  SIZE             bytes of the whole database, as of a minute ago at most
  COMMIT P99       what 99 of 100 group commits took over the last ten seconds, at the slowest node";

/// What a line of `tim accounts import` is.
const IMPORT_LINES: &str = "\
Lines, one JSON object each
  {\"name\": \"bob\", \"domain\": \"example.org\", \"passwordHash\": \"$2a$10$...\", \"profile\": {\"nickname\": \"Bobby\"}}
  {\"account\": \"QdH6CCms5EU\", \"passwordHash\": \"$argon2id$...\"}
Accounts that are there stay as they are, so an import may be repeated from the beginning.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Start a cluster on this machine
    #[command(before_help = "\
Examples
  tim up                               the file of last time, else examples/chat.yaml
  tim up my.yaml --port 6000           this file; the first node's clients on port 6000
  tim up --detach                      return when it is ready; tim down stops it
  tim up --fresh                       begin with empty databases
  tim up my.yaml --dry-run             check the file and say what would change")]
    Up(UpArguments),
    /// Stop a cluster of this machine; its data are kept
    #[command(before_help = "\
Examples
  tim down                             stop the cluster of this directory
  tim down chat --dir ~/work           the cluster chat of another one")]
    Down(DownArguments),
    /// Show nodes, partitions, and whether all is well
    #[command(before_help = "\
Examples
  tim status                           one screen
  tim status -w                        again and again, until Ctrl-C
  tim status --wait-for healthy --timeout 5m
  tim status --output json             for scripts
  kubectl tim status chat -n chat      the same on Kubernetes", after_help = STATUS_COLUMNS)]
    Status(StatusArguments),
    /// Change the number of nodes
    #[command(before_help = "\
Examples
  tim scale chat --replicas 5          two more; clients notice nothing
  tim scale chat --replicas 2          nodes are emptied before they stop")]
    Scale(ScaleArguments),
    /// Move a part of the data to another database while people chat
    #[command(before_help = "\
Examples
  tim split chat --at 262144           on a laptop: to a new SQLite database
  tim split chat --at 262144 --to d2   to a database that spec.databases names
  tim split chat --at 262144 --wait --yes        for scripts")]
    Split(SplitArguments),
    /// Talk to someone
    #[command(before_help = "\
Examples
  tim chat --as alice bob              registers alice if she is new, befriends bob, chats
  tim chat --as bob alice              the other side, in a second terminal
  tim chat --as alice bob --url ws://127.0.0.1:5080/tim
  tim chat --as alice bob --url wss://chat.example:5080/tim --ca ca.crt
Lines you type are sent; Ctrl-D ends it.")]
    Chat(ChatArguments),
    /// Show where clients connect, and how to run the examples against it
    #[command(before_help = "\
Examples
  tim url                              the addresses of every node
  tim url --for go                     what to paste to run the example in Go
  tim url --output json                for scripts")]
    Url(UrlArguments),
    /// Measure a server, and check that nothing is lost, doubled or reordered
    #[command(before_help = "\
Examples
  tim bench                            8 pairs, as fast as it goes, 10 s, the local cluster
  tim bench direct --pairs 32 --rate 4000 --duration 1m
  tim bench idle --sessions 5000       memory per connected client
  tim bench reconnect --sessions 5000  kills a node of the local cluster: how soon its clients are back
  tim bench relay --url ws://127.0.0.1:5080/tim --output json")]
    Bench(BenchArguments),
    /// Import accounts with the hashes of their passwords
    #[command(before_help = "\
Examples
  tim accounts import accounts.ndjson --token-file admin.token    into the local cluster
  export-users | tim accounts import - --url https://chat.example:5082 --token-file admin.token
  tim accounts import accounts.ndjson --dry-run                   only check the lines", after_help = IMPORT_LINES)]
    Accounts(AccountsArguments),
    /// Show the logs of nodes of this machine
    #[command(before_help = "\
Examples
  tim logs                             the end of every node's log
  tim logs chat-1 -f                   one node's, and what follows")]
    Logs(LogsArguments),
    /// Explain a code such as TIM-N104 or 4104
    #[command(before_help = "\
Examples
  tim explain TIM-S103                 what, why, what it means, what to do
  tim explain 4104                     a code that a client was sent
  tim explain                          all of them")]
    Explain(ExplainArguments),
    /// Print the version
    #[command(before_help = "\
Examples
  tim version
  tim version --output json")]
    Version,
    /// Print completions for a shell
    #[command(before_help = "\
Examples
  source <(tim completion bash)
  tim completion fish > ~/.config/fish/completions/tim.fish")]
    Completion(CompletionArguments),
    /// Print manual pages
    #[command(before_help = "\
Examples
  tim man                              the first page
  tim man --to ~/.local/share/man/man1 one page per verb, for man tim-up")]
    Man(ManArguments),
    /// Help on a verb or topic
    #[command(before_help = "\
Examples
  tim help up
  tim help exit-codes")]
    Help(HelpArguments),
}

/// `tim up`.
#[derive(Debug, Clone, Args)]
pub struct UpArguments {
    /// Files with a TimCluster and what belongs to it
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Return when the cluster is ready
    #[arg(long)]
    pub detach: bool,
    /// Throw the cluster's data away first
    #[arg(long)]
    pub fresh: bool,
    /// Client port of the first node; without it 5080, or another one if that is taken
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Number of nodes, instead of the file's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..=1000))]
    pub replicas: Option<i32>,
    /// Do not ask before data are thrown away
    #[arg(long)]
    pub yes: bool,
    /// Only check the files and say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Run without a terminal, as the background half of --detach
    #[arg(long, hide = true)]
    pub background: bool,
}

/// `tim down`.
#[derive(Debug, Clone, Args)]
pub struct DownArguments {
    /// Name of the cluster; needed where there are several
    #[arg(value_name = "CLUSTER")]
    pub cluster: Option<String>,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// What `tim status` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WaitFor {
    /// The verdict is HEALTHY.
    Healthy,
}

/// `tim status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArguments {
    /// Name of the cluster; needed where there are several
    #[arg(value_name = "CLUSTER")]
    pub cluster: Option<String>,
    /// Show it again and again
    #[arg(long, short)]
    pub watch: bool,
    /// Show conditions, certificates and databases too
    #[arg(long, short)]
    pub verbose: bool,
    /// Wait until the cluster is so
    #[arg(long, value_enum, value_name = "STATE")]
    pub wait_for: Option<WaitFor>,
}

/// `tim scale`.
#[derive(Debug, Clone, Args)]
pub struct ScaleArguments {
    /// Name of the cluster
    #[arg(value_name = "CLUSTER")]
    pub cluster: String,
    /// Number of nodes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..=1000))]
    pub replicas: i32,
    /// Return when all of them serve
    #[arg(long)]
    pub wait: bool,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// `tim split`.
#[derive(Debug, Clone, Args)]
pub struct SplitArguments {
    /// Name of the cluster
    #[arg(value_name = "CLUSTER")]
    pub cluster: String,
    /// First slot that moves; all above it up to the end of its range go along
    #[arg(long, value_name = "SLOT", value_parser = clap::value_parser!(u32).range(1..=1_048_575))]
    pub at: u32,
    /// Database that takes it; on a laptop a new SQLite database if left out
    #[arg(long, value_name = "DATABASE")]
    pub to: Option<String>,
    /// Return when it is done
    #[arg(long)]
    pub wait: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// `tim chat`.
#[derive(Debug, Clone, Args)]
pub struct ChatArguments {
    /// Whom to talk to
    #[arg(value_name = "PEER")]
    pub peer: String,
    /// Your name
    #[arg(long = "as", value_name = "NAME")]
    pub account: String,
    /// Address of a server; without it the nodes of the local cluster
    #[arg(long, value_name = "URL")]
    pub url: Vec<String>,
    /// File with the certificates of authorities to trust at wss addresses; the local cluster's own is known
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Name of the local cluster; needed where there are several
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
}

/// `tim url`.
#[derive(Debug, Clone, Args)]
pub struct UrlArguments {
    /// What to paste into a terminal to run the example client in a language
    #[arg(long = "for", value_enum, value_name = "LANGUAGE")]
    pub language: Option<ClientLanguage>,
    /// Name of the local cluster; needed where there are several
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
}

/// Languages that there is an example client in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClientLanguage {
    /// Node
    Javascript,
    /// Python
    Python,
    /// Go
    Go,
    /// Rust
    Rust,
}

/// What `tim accounts` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AccountsAction {
    /// Makes accounts of lines of JSON
    Import,
}

/// `tim accounts`.
#[derive(Debug, Clone, Args)]
pub struct AccountsArguments {
    /// What to do
    #[arg(value_enum, value_name = "ACTION")]
    pub action: AccountsAction,
    /// File with a line per account; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Address of the administrators' listener of a node; without it a node of the local cluster
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// File that holds the token of an administrator with the role admin
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    pub token_file: Option<PathBuf>,
    /// File with the certificate authority that https:// is to trust; without it those of the system
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Name of the local cluster; needed where there are several
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Only check the lines; nothing is contacted
    #[arg(long)]
    pub dry_run: bool,
}

/// `tim logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsArguments {
    /// A node; without it all of them
    #[arg(value_name = "NODE")]
    pub node: Option<String>,
    /// Go on with what is written from now on
    #[arg(long, short)]
    pub follow: bool,
    /// How many of the last lines of each log
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub lines: usize,
    /// Name of the cluster; needed where there are several
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
}

/// `tim explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArguments {
    /// The code; without it all of them
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

/// `tim completion`.
#[derive(Debug, Clone, Args)]
pub struct CompletionArguments {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `tim man`.
#[derive(Debug, Clone, Args)]
pub struct ManArguments {
    /// Folder to write all pages to
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
}

/// `tim help`.
#[derive(Debug, Clone, Args)]
pub struct HelpArguments {
    /// A verb, or exit-codes
    #[arg(value_name = "TOPIC")]
    pub topic: Option<String>,
}
