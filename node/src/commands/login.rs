//! Command 16: log in on this socket. Later frames wait until it is decided.

use super::Refusal;
use crate::accounts::login::{self, LoggedIn};
use crate::edge::{Connection, Continuation};
use crate::session::{Live, Sender, frames};
use std::sync::Arc;
use std::time::Instant;
use tim_core::presence::{Registration, SessionEntry};
use tim_telemetry::{attribute, names};
use tim_wire::{ClientFrame, Command, Encoding, ErrorCode, TimAck, TimAuth, WireStruct};

/// Longest text about a device that is kept and shown to others, in bytes.
const RESOURCE_BYTES_MAX: usize = 256;
/// Longest free map about a device, in entries and in bytes of all keys and values. What is kept of a sender stands beside
/// every one of its messages.
const EXTEND_ENTRIES_MAX: usize = 16;
const EXTEND_BYTES_MAX: usize = 4_096;

/// Starts a login.
pub(super) fn begin(connection: &mut Connection, frame: &ClientFrame) {
    let encoding = frame.encoding;
    let begun = Instant::now();
    let auth = match TimAuth::decode_payload(&frame.payload, encoding) {
        Ok(auth) => auth,
        Err(error) => {
            let refusal = Refusal::field(
                ErrorCode::Parameters,
                format!("the login cannot be read: {error}"),
            );
            return refused(connection, refusal, encoding, begun);
        }
    };
    let (node, from) = (Arc::clone(&connection.node), connection.address);
    connection.begin(Box::pin(async move {
        let outcome = Box::pin(login::log_in(&node, &auth, from)).await;
        let continuation: Continuation = Box::new(move |connection| match outcome {
            Ok(logged_in) => accepted(connection, logged_in, auth, encoding, begun),
            Err(refusal) => refused(connection, refusal, encoding, begun),
        });
        continuation
    }));
}

fn record(connection: &Connection, outcome: &'static str, begun: Instant) {
    connection.node.metrics.login_duration.record(
        begun.elapsed().as_secs_f64(),
        &[attribute(&names::LOGIN_OUTCOME, outcome)],
    );
}

/// The answer goes out in the frame's own encoding: there is no login that fixed one.
fn refused(connection: &mut Connection, refusal: Refusal, encoding: Encoding, begun: Instant) {
    let outcome = match refusal.code {
        ErrorCode::Overload => "busy",
        ErrorCode::Database => "failed",
        _ => "refused",
    };
    record(connection, outcome, begun);
    let answer = refusal.ack(Command::Auth.tim_type());
    connection.out.push(frames::ack(&answer, encoding));
}

fn accepted(
    connection: &mut Connection,
    logged_in: LoggedIn,
    auth: TimAuth,
    encoding: Encoding,
    begun: Instant,
) {
    let node = Arc::clone(&connection.node);
    let id = crate::random::session_id();
    let account = logged_in.account;
    let mut tid = tim_wire::Tid::of(account.as_str());
    let fits = |text: &String| text.len() <= RESOURCE_BYTES_MAX;
    tid.domain = logged_in
        .domain
        .filter(|domain| !domain.is_empty() && fits(domain));
    tid.resource = auth.resource.filter(fits);
    tid.termtyp = auth.termtyp;
    tid.extend = auth.extend.filter(|map| {
        let bytes: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
        map.len() <= EXTEND_ENTRIES_MAX && bytes <= EXTEND_BYTES_MAX
    });
    let live = Live::new(&node, id, account.clone(), Sender { tid }, encoding);
    let registration = Registration {
        account: account.clone(),
        entry: SessionEntry {
            session: id,
            node: node.name.clone(),
            class: live.class,
            generation: node.engine.next_generation(),
            logged_in_ms: logged_in.logged_in_ms,
        },
    };
    node.sessions.insert(id, Arc::clone(&connection.mailbox));
    // Only now: whoever blocks the account sees the session, or is seen here.
    if let Some(until_ms) = node.accounts.block_news.until(&account) {
        live.forget(&node);
        return refused(connection, Refusal::blocked(until_ms), encoding, begun);
    }
    let answer = TimAck {
        t: Some(i64::from(node.server_mark)),
        n: Some(account.as_str().to_owned()),
        n2: Some(format!("{:x}", id.0)),
        ..TimAck::success(Command::Auth)
    };
    connection.out.push(frames::ack(&answer, encoding));
    connection.live = Some(Box::new(live));
    connection.logged_in();
    let entry = &registration.entry;
    node.webhooks
        .logged_in(&node, &account, (entry.logged_in_ms, entry.session));
    node.engine.session_opened(registration);
    record(connection, "accepted", begun);
    tracing::debug!(tim.session.id = id.0, "session opened");
}
