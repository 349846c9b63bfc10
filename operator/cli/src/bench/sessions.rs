//! Sessions that cost the tool as little as can be, so that it holds many.

use super::Bench;
use super::accounts::LoggedIn;
use super::measured::Live;
use crate::failure::Outcome;
use tim_client::{Options, ReconnectPolicy};

/// So many as asked for, logged in, of one account each.
pub(super) async fn log_in(bench: &Bench<'_>, reconnect: Option<ReconnectPolicy>) -> Outcome<Vec<LoggedIn>> {
    let count = bench.n_sessions();
    bench.ensure_accounts(count).await?;
    let adjust = |options: &mut Options| {
        bench.adjust(options);
        options.reconnect = reconnect;
        options.limits.events_max = 4;
        options.limits.commands_max = 4;
        options.limits.in_flight_max = 1;
        options.limits.remembered_max = 0;
        options.limits.read_buffer_bytes = 1 << 10;
    };
    let at = |number: usize| bench.server(number);
    let logged_in = || Live::raise(&bench.live.sessions);
    bench.accounts.log_in_all(count, &at, &adjust, logged_in).await
}
