//! What is refused before anybody looks into it: commands that are switched off, and requests that come too fast.

use super::{Limit, Refusal, big_data, message};
use crate::edge::Connection;
use bytes::Bytes;
use tim_config::NodeConfig;
use tim_core::rate::Rate;
use tim_wire::{ClientFrame, ClientRequest, Command};

/// How often sessions and accounts may ask for something, and what nobody may ask for.
#[derive(Debug)]
pub(crate) struct Throttle {
    session: (Limit, Option<Rate>),
    account: (Limit, Option<Rate>),
    /// One bit per command.
    off: u128,
}

impl Throttle {
    pub(crate) fn new(config: &NodeConfig) -> Self {
        let rate = |key, value| (Limit { key, value }, Rate::per_second(value));
        let limits = &config.limits;
        Self {
            session: rate(
                "limits.session_requests_per_second",
                limits.session_requests_per_second,
            ),
            account: rate(
                "limits.account_requests_per_second",
                limits.account_requests_per_second,
            ),
            off: config.sessions.commands_off.iter().fold(0, |off, number| {
                off | 1_u128.checked_shl(u32::from(*number)).unwrap_or(0)
            }),
        }
    }

    /// Whether a command is switched off.
    pub(crate) fn is_off(&self, number: u8) -> bool {
        1_u128
            .checked_shl(u32::from(number))
            .is_some_and(|bit| self.off & bit != 0)
    }
}

/// What costs nothing, or ends a cost: confirmations, pings, and the login of who is logged in.
fn is_free(frame: &ClientFrame) -> bool {
    matches!(
        frame.command(),
        Some(Command::Ack | Command::Ping | Command::Auth)
    )
}

/// Answers a frame of a session if it is refused; whether it was.
pub(super) fn refuses(connection: &mut Connection, frame: &ClientFrame, whole: &Bytes) -> bool {
    let refused = if connection.node.throttle.is_off(frame.number) {
        connection.node.metrics.limit_reached("sessions.commands_off");
        Some(Refusal::switched_off(frame.number))
    } else if is_free(frame) {
        None
    } else {
        too_fast(connection)
    };
    match refused {
        None => false,
        Some(refusal) => {
            answer(connection, frame, whole, refusal);
            true
        }
    }
}

fn too_fast(connection: &mut Connection) -> Option<Refusal> {
    let throttle = &connection.node.throttle;
    let live = connection.live.as_mut()?;
    let now = crate::clock::now();
    let mut account = live.account_meter.lock();
    let (limit, too_fast) = match (&throttle.session, &throttle.account) {
        ((limit, Some(rate)), _) if let Err(too_fast) = live.meter.look(rate, now) => (limit, too_fast),
        (_, (limit, Some(rate))) if let Err(too_fast) = account.take(rate, now) => (limit, too_fast),
        ((_, rate), _) => {
            // It was looked at just now.
            let _ = rate.map(|rate| live.meter.take(&rate, now));
            return None;
        }
    };
    connection.node.metrics.limit_reached(limit.key);
    Some(Refusal::too_fast(limit, too_fast))
}

/// A message is named by its client's id, and of a big-data frame the rest is passed over.
fn answer(connection: &mut Connection, frame: &ClientFrame, whole: &Bytes, refusal: Refusal) {
    let tim_type = frame.tim_type();
    if frame.command().is_some_and(Command::is_big_data) {
        big_data::pass_over(connection, whole.clone());
        return refusal.answer(connection, tim_type);
    }
    match frame.request() {
        Ok(ClientRequest::Message { message, .. }) => {
            let id = message::client_id(&message);
            message::refuse(connection, tim_type, id, refusal);
        }
        _ => refusal.answer(connection, tim_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_is_off() {
        let mut config = NodeConfig::default();
        config.sessions.commands_off = vec![22, 97];
        let throttle = Throttle::new(&config);
        let off: Vec<u8> = (0..=255).filter(|number| throttle.is_off(*number)).collect();
        assert_eq!(off, [22, 97]);
    }
}
