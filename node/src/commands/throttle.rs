//! What is refused before anybody looks into it: commands that are switched off, and requests that come too fast.

use super::{Limit, Refusal, big_data, message};
use crate::edge::Connection;
use bytes::Bytes;
use parking_lot::Mutex;
use tim_config::NodeConfig;
use tim_core::rate::{Meter, Rate, TooFast};
use tim_core::time::Moment;
use tim_wire::{ClientFrame, ClientRequest, Command};

/// How often sessions, accounts, and all of a node together may ask for something, and what nobody may ask for.
#[derive(Debug)]
pub(crate) struct Throttle {
    session: (Limit, Option<Rate>),
    account: (Limit, Option<Rate>),
    node: (Limit, Option<Rate>),
    /// Of this node.
    meter: Mutex<Meter>,
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
            node: rate("limits.node_requests_per_second", limits.node_requests_per_second),
            meter: Mutex::default(),
            off: config.sessions.commands_off.iter().fold(0, |off, number| {
                off | 1_u128.checked_shl(u32::from(*number)).unwrap_or(0)
            }),
        }
    }

    /// Lets one request pass, or says which limit it reaches; who is refused uses nothing up.
    fn take(&self, session: &mut Meter, account: &mut Meter, now: Moment) -> Result<(), (&Limit, TooFast)> {
        let mut unmetered = Meter::default();
        let mut shared = self.node.1.map(|_| self.meter.lock());
        let node = shared.as_deref_mut().unwrap_or(&mut unmetered);
        let mut parts = [
            (&self.session, session),
            (&self.account, account),
            (&self.node, node),
        ];
        for ((limit, rate), meter) in &parts {
            let looked = rate.map_or(Ok(()), |rate| meter.look(&rate, now));
            looked.map_err(|too_fast| (limit, too_fast))?;
        }
        for ((limit, rate), meter) in &mut parts {
            let taken = rate.map_or(Ok(()), |rate| meter.take(&rate, now));
            taken.map_err(|too_fast| (&*limit, too_fast))?;
        }
        Ok(())
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
    let live = connection.live.as_mut()?;
    let mut account = live.account_meter.lock();
    let now = crate::clock::now();
    let (limit, too_fast) = connection
        .node
        .throttle
        .take(&mut live.meter, &mut account, now)
        .err()?;
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
    fn the_first_limit_reached_is_named_and_a_refusal_uses_nothing_up() {
        let mut config = NodeConfig::default();
        config.limits.session_requests_per_second = 3;
        config.limits.account_requests_per_second = 4;
        config.limits.node_requests_per_second = 5;
        let throttle = Throttle::new(&config);
        let mut meters = [Meter::default(); 4];
        let [first, second, account, other] = &mut meters;
        let now = Moment(1_000);
        let take = |session: &mut Meter, account: &mut Meter| {
            let taken = throttle.take(session, account, now);
            taken.map_err(|(limit, too_fast)| (limit.key, too_fast.wait_ms))
        };
        for _ in 0..3 {
            assert_eq!(take(first, account), Ok(()));
        }
        assert_eq!(
            take(first, account),
            Err(("limits.session_requests_per_second", 334))
        );
        assert_eq!(take(second, account), Ok(()));
        assert_eq!(
            take(second, account),
            Err(("limits.account_requests_per_second", 250))
        );
        assert_eq!(take(second, other), Ok(()));
        assert_eq!(take(second, other), Err(("limits.node_requests_per_second", 200)));
    }

    #[test]
    fn only_what_is_listed_is_off() {
        let mut config = NodeConfig::default();
        config.sessions.commands_off = vec![22, 97];
        let throttle = Throttle::new(&config);
        let off: Vec<u8> = (0..=255).filter(|number| throttle.is_off(*number)).collect();
        assert_eq!(off, [22, 97]);
    }
}
