//! Every login is shown to somebody outside first, who may refuse it.

use crate::board::{Board, Effect, Place};
use crate::commands::Refusal;
use crate::outgoing::Outgoing;
use http_body_util::Full;
use hyper::Request;
use std::sync::Arc;
use std::time::Duration;
use tim_catalogue::{Report, node as causes};
use tim_config::{LoginCallback, shown_address};
use tim_wire::{Encoding, ErrorCode, TimAuth, WireStruct};
use tokio::sync::Semaphore;

/// First byte of an answer that lets a login go on.
const ACCEPTED: u8 = 1;
/// Largest answer in bytes; all but the first are of no use.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Asks somebody outside.
pub(super) struct Callback {
    url: String,
    outgoing: Outgoing,
    places: Semaphore,
    board: Arc<Board>,
}

impl std::fmt::Debug for Callback {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = shown_address(&self.url);
        formatter
            .debug_struct("Callback")
            .field("url", &shown)
            .finish_non_exhaustive()
    }
}

impl Callback {
    /// Nothing, where nobody is to be asked.
    pub(super) fn new(config: &LoginCallback, board: Arc<Board>) -> Option<Self> {
        (!config.url.is_empty()).then(|| Self {
            url: config.url.clone(),
            outgoing: Outgoing::new(Duration::from_millis(config.timeout_millis)),
            places: Semaphore::new(config.requests_max as usize),
            board,
        })
    }

    /// Whether a login may go on.
    ///
    /// # Errors
    /// Refused like a wrong password; or nobody has answered, or too many are asked about.
    pub(super) async fn ask(&self, auth: &TimAuth) -> Result<(), Refusal> {
        let place = self.places.try_acquire();
        let _place = place
            .map_err(|_| Refusal::overloaded("accounts.callback.requests_max logins wait for an answer"))?;
        match self.answer(auth).await {
            Ok(answer) => {
                self.board.clear(&Place::LoginCallback);
                match answer {
                    Some(ACCEPTED) => Ok(()),
                    _ => Err(Refusal::plain(ErrorCode::PermissionDenied, "refused_by_callback")),
                }
            }
            Err(reason) => {
                let observed = format!("{} (accounts.callback.url): {reason}", shown_address(&self.url));
                let report = Report::new(&causes::LOGIN_CALLBACK_FAILS, observed);
                self.board.raise(Place::LoginCallback, Effect::Told, report);
                Err(Refusal::callback_fails())
            }
        }
    }

    /// The first byte of what was answered.
    async fn answer(&self, auth: &TimAuth) -> Result<Option<u8>, String> {
        let request = Request::post(&self.url)
            .header("content-type", "application/json")
            .body(Full::new(auth.encode_payload(Encoding::Json)));
        let request = request.map_err(|error| format!("the request cannot be made: {error}"))?;
        let answer = self.outgoing.body(request, ANSWER_BYTES_MAX).await?;
        Ok(answer.first().copied())
    }
}
