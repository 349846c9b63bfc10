//! What the system tells accounts, and messages in the name of a connection.

use super::body::Body;
use crate::admin::access::{Admin, Caller, Operate};
use crate::admin::operations;
use crate::admin::problem::{Document, Problem};
use crate::system_messages;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tim_core::id::AccountId;
use tim_wire::TimMessage;
use utoipa::ToSchema;

/// A message from the system.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SystemMessage {
    /// Ids of the accounts that are told, 1 to 1000; each is told once.
    accounts: Vec<String>,
    /// What it says.
    text: Option<String>,
    /// Bytes, in base64.
    data: Option<String>,
    /// What it means: 1 (when absent) or, by agreement of applications, 31 to 127.
    operation: Option<i8>,
    /// Kind of the data, for applications.
    data_type: Option<i16>,
    /// How it is shown, for applications.
    show: Option<i16>,
    /// For applications.
    extend: Option<BTreeMap<String, String>>,
    /// An id of the caller's own other than 0: an account that has the message already is not told again, however often
    /// the call is repeated.
    id: Option<i64>,
}

/// Who has been told.
#[derive(Serialize, ToSchema)]
pub(super) struct Told {
    /// How many accounts have the message, or get it when they come.
    told: usize,
    /// Who has not, and why; to be repeated with the same id.
    untold: Vec<Untold>,
}

/// An account that has not been told.
#[derive(Serialize, ToSchema)]
pub(super) struct Untold {
    /// Its id.
    account: String,
    /// Our code; `tim explain CODE` tells more.
    code: String,
    /// What is wrong.
    detail: String,
}

/// A message in the name of a connection.
#[derive(Deserialize, ToSchema)]
pub(super) struct Frame {
    /// The frame as a client sends it, with its first byte (90, 92 or 93, plus 128 for JSON), in base64.
    frame: String,
}

fn bytes(field: &str, base64: &str) -> Result<Vec<u8>, Problem> {
    let decoded = base64::engine::general_purpose::STANDARD.decode(base64);
    decoded.map_err(|error| Problem::field(field, &format!("not base64: {error}")))
}

impl SystemMessage {
    fn message(self) -> Result<TimMessage, Problem> {
        let data = self.data.map(|data| bytes("data", &data)).transpose()?;
        if self.text.is_none() && data.is_none() {
            return Err(Problem::field("text", "text or data is needed"));
        }
        let message = TimMessage {
            od_type: self.operation.unwrap_or_default(),
            id: self.id,
            data_string: self.text,
            data_binary: data.map(Bytes::from),
            udtype: self.data_type,
            udshow: self.show,
            extend: self.extend,
            ..TimMessage::default()
        };
        Ok(system_messages::checked(message)?)
    }
}

fn untold((account, problem): (AccountId, Problem)) -> Untold {
    let (code, detail) = problem.told();
    Untold {
        account: account.as_str().to_owned(),
        code: code.to_owned(),
        detail: detail.to_owned(),
    }
}

/// Tells accounts something in the name of the system: their devices get it at once, or when they come. It is in nobody's
/// history.
#[utoipa::path(post, path = "/api/v1/system-messages", tag = "messages", security(("token" = ["operate"])),
    request_body = SystemMessage,
    responses((status = 200, body = Told), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn tell(
    caller: Caller<Operate>,
    Body(given): Body<SystemMessage>,
) -> Result<Json<Told>, Problem> {
    let accounts = operations::targets("accounts", &given.accounts)?;
    let (count, message) = (accounts.len(), given.message()?);
    let work = operations::tell(Arc::clone(&caller.node), accounts, message);
    let left = caller.change("send_system_message", None, work).await?;
    Ok(Json(Told {
        told: count - left.len(),
        untold: left.into_iter().map(untold).collect(),
    }))
}

/// Sends a message in the name of a connection, as if its client had sent it: under the account's rights and rates. The
/// connection gets the answers.
#[utoipa::path(post, path = "/api/v1/connections/{connection}/messages", tag = "messages", security(("token" = ["admin"])),
    params(("connection" = String, Path, description = "Id of the connection, as the answer to its login names it (`n2`).")),
    request_body = Frame,
    responses((status = 202), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn send_as(
    caller: Caller<Admin>,
    Path(connection): Path<String>,
    Body(given): Body<Frame>,
) -> Result<StatusCode, Problem> {
    let session = operations::connection("connection", &connection)?;
    let frame = operations::message_frame("frame", bytes("frame", &given.frame)?.into())?;
    let work = operations::send_as(Arc::clone(&caller.node), session, frame);
    caller.change("send_as_connection", None, work).await?;
    Ok(StatusCode::ACCEPTED)
}
