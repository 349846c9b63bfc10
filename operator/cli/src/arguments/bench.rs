//! What `tim bench` takes.

use crate::quantity::parse_duration;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Kinds of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchLoad {
    /// One-to-one messages: stored, echoed, delivered, confirmed
    Direct,
    /// One-to-one messages that are not stored (odType 5)
    Relay,
    /// Messages to rooms: stored once, delivered to every member
    Rooms,
    /// Clients that are connected and do nothing
    Idle,
    /// Clients of which one node's share loses its node and logs in again at the others, all at once; kills a node of the
    /// local cluster
    Reconnect,
    /// Logins
    Logins,
    /// One-to-one messages without, then with newcomers who register and log in as fast as the server takes them
    Storm,
}

/// `tim bench`.
#[derive(Debug, Clone, Args)]
pub struct BenchArguments {
    /// Kind of load
    #[arg(value_enum, default_value = "direct", value_name = "LOAD")]
    pub load: BenchLoad,
    /// Pairs of accounts, one of which writes to the other
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub pairs: u32,
    /// Rooms, in each of which one member writes
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub rooms: u32,
    /// Members of each room who are online
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=60_000))]
    pub members: u32,
    /// Further members of each room who are not; made once, which takes a password hash each
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub absent: u32,
    /// Members of each room, of those who are online, who read nothing; what they get is not looked at
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=60_000))]
    pub silent: u32,
    /// Sessions, for idle, reconnect and logins
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub sessions: u32,
    /// Connections that never log in, held open beside the load
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=60_000))]
    pub strangers: u32,
    /// Messages (or logins) per second over all senders, whether answered or not; without it as fast as answers come
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,
    /// Messages of one sender under way at once, without --rate
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub window: u32,
    /// How long to measure; each of both halves, for storm
    #[arg(long, default_value = "10s", value_parser = parse_duration, value_name = "DURATION")]
    pub duration: Duration,
    /// Bytes of text in each message
    #[arg(long, default_value_t = 64, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(16..=65_536))]
    pub payload: u32,
    /// Address of a server; may be given several times; without it the nodes of the local cluster
    #[arg(long, value_name = "URL")]
    pub url: Vec<String>,
    /// File with the certificates of authorities to trust at wss addresses; the local cluster's own is known
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Do not make the accounts of a pair friends, for servers on which everybody may write to everybody
    #[arg(long)]
    pub no_friends: bool,
    /// Wait between the opening of a connection and its login: some servers drop sessions that log in at once
    #[arg(long, default_value = "0s", value_parser = parse_duration, value_name = "DURATION")]
    pub login_wait: Duration,
    /// How long a message may be without an answer; then it counts as unanswered, which is a failure
    #[arg(long, default_value = "60s", value_parser = parse_duration, value_name = "DURATION")]
    pub answer_timeout: Duration,
    /// Process of a server whose memory and processor time are measured; those of the local cluster are known
    #[arg(long, value_name = "PID")]
    pub server_pid: Vec<u32>,
    /// Name of the local cluster; needed where there are several
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
}
