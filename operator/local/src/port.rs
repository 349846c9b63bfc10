//! Choosing ports on loopback, and saying who has one that is taken.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// Ports are taken from below the range that systems use for outgoing connections, so that a node that starts again
/// finds its own port still free.
const CHOICE_FIRST: u16 = 20_000;
/// See [`CHOICE_FIRST`].
const CHOICE_LAST: u16 = 31_999;
/// How many ports are tried before giving up.
const ATTEMPTS_MAX: usize = 4_000;

/// Loopback with that port.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Whether nobody listens on the port, neither TCP nor UDP.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(loopback(port)).is_ok() && UdpSocket::bind(loopback(port)).is_ok()
}

/// A free port that is not among `avoid`; adds it there.
pub fn choose(avoid: &mut BTreeSet<u16>) -> Option<u16> {
    for _ in 0..ATTEMPTS_MAX {
        let port = rand::random_range(CHOICE_FIRST..=CHOICE_LAST);
        if !avoid.contains(&port) && is_free(port) {
            avoid.insert(port);
            return Some(port);
        }
    }
    None
}

/// The process that listens on a TCP port of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortOwner {
    /// Its number.
    pub pid: u32,
    /// Its name, as the system lists it.
    pub name: String,
}

/// Who listens on the port, as far as this user may know.
pub fn owner(port: u16) -> Option<PortOwner> {
    let inodes = listening_inodes(port);
    if inodes.is_empty() {
        return None;
    }
    let processes = std::fs::read_dir("/proc").ok()?;
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| holds_any(*pid, &inodes))
        .map(|pid| PortOwner {
            pid,
            name: crate::process::name_of(pid).unwrap_or_default(),
        })
}

fn listening_inodes(port: u16) -> BTreeSet<String> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .flat_map(|table| parse_listeners(&table, port))
        .collect()
}

fn parse_listeners(table: &str, port: u16) -> Vec<String> {
    const LISTENING: &str = "0A";
    let wanted = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            (local.ends_with(&wanted) && *state == LISTENING).then(|| (*inode).to_owned())
        })
        .collect()
}

fn holds_any(pid: u32, inodes: &BTreeSet<String>) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|target| {
            target
                .to_str()
                .and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']'))
                .is_some_and(|inode| inodes.contains(inode))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_chosen_and_its_owner_is_named() {
        let listener = TcpListener::bind(loopback(0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(port));
        let owner = owner(port).unwrap();
        assert_eq!(owner.pid, std::process::id());
        assert!(!owner.name.is_empty());
        drop(listener);
        assert!(is_free(port));
        assert_eq!(super::owner(port), None);
    }

    #[test]
    fn a_port_taken_for_datagrams_only_is_not_free_either() {
        let socket = UdpSocket::bind(loopback(0)).unwrap();
        assert!(!is_free(socket.local_addr().unwrap().port()));
    }

    #[test]
    fn chosen_ports_differ() {
        let mut avoid = BTreeSet::new();
        let chosen: BTreeSet<u16> = (0..20).map(|_| choose(&mut avoid).unwrap()).collect();
        assert_eq!(chosen.len(), 20);
        assert_eq!(chosen, avoid);
    }

    #[test]
    fn only_listening_sockets_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
             0: 0100007F:13D8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1 0 100 0\n   \
             1: 0100007F:13D8 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 222 1 0 100 0\n";
        assert_eq!(parse_listeners(table, 5080), ["111"]);
    }
}
