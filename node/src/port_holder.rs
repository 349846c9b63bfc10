//! Which process listens on a port, as far as `/proc` tells; for the message about a port that is taken.

use std::fs;

/// State "listening" in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// `process 3312 (nginx)`, if the system shows it to us.
pub(crate) fn describe(port: u16) -> Option<String> {
    let inode = [
        "/proc/net/tcp",
        "/proc/net/tcp6",
        "/proc/net/udp",
        "/proc/net/udp6",
    ]
    .iter()
    .filter_map(|path| {
        fs::read_to_string(path)
            .ok()
            .map(|text| (path.contains("tcp"), text))
    })
    .find_map(|(tcp, text)| inode_of(&text, port, tcp))?;
    let pid = holder_of(&inode)?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(format!("process {pid} ({})", name.trim()))
}

/// The socket's inode from a table like `/proc/net/tcp`.
fn inode_of(table: &str, port: u16, tcp: bool) -> Option<String> {
    let wanted = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let fits = local.ends_with(&wanted) && (!tcp || *state == LISTENING);
        fits.then(|| (*inode).to_owned())
    })
}

fn holder_of(inode: &str) -> Option<String> {
    let wanted = format!("socket:[{inode}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid = process.file_name().into_string().ok()?;
        if !pid.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let files = fs::read_dir(process.path().join("fd")).ok()?;
        files
            .flatten()
            .any(|file| fs::read_link(file.path()).is_ok_and(|link| link.to_string_lossy() == wanted))
            .then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_listener_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let described = describe(port).unwrap();
        assert!(
            described.starts_with(&format!("process {} (", std::process::id())),
            "{described}"
        );
    }

    #[test]
    fn a_connection_from_the_port_is_no_listener() {
        let table = "head\n 0: 0100007F:13D8 0100007F:9C40 01 0:0 0:0 0 1000 0 4242 1\n";
        assert_eq!(inode_of(table, 5080, true), None);
    }
}
