//! The HTTP admin API of tim 2.0, for backends that speak it: POST, console user and password in headers, JSON or a form
//! in the body, a `TimAck` as the answer (section 19.1 of the wire protocol).
//!
//! What the reference registers and leaves empty does here what its name says ([`people`]).

mod input;
mod people;

use super::access::{Admin, Caller, Interface, Observed, address, started};
use super::ack::Ack;
use super::limits;
use super::operations;
use super::problem::Problem;
use super::routes::AdminState;
use crate::accounts::online;
use crate::node::Node;
use crate::system_messages;
use axum::extract::{FromRequest, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Router, middleware};
use input::Input;
use std::sync::Arc;
use tim_wire::{Encoding, Tid, TimAck, WireStruct};

/// Most accounts in one `/timOnline`; the API under `/api/v1` has pages.
const ONLINE_MAX: usize = 10_000;
/// Accounts asked of the nodes at once.
const ONLINE_PAGE: usize = 1_000;

/// A console user's call: who it is was checked before the body was read.
struct Call {
    caller: Caller<Admin>,
    input: Input,
}

/// The same with a frame of a client as the body.
struct FrameCall {
    caller: Caller<Admin>,
    /// Which connection sends it.
    id: String,
    frame: bytes::Bytes,
}

/// Who calls, once it has given its password.
async fn caller(parts: &Parts, state: &AdminState) -> Result<Caller<Admin>, Response> {
    let node = started(state).map_err(|problem| refused(&problem))?;
    let from = address(parts).map_err(|problem| refused(&problem))?;
    let text = |name| header_text(&parts.headers, name);
    let (name, password) = (text("username"), text("password"));
    let fits = state.access.by_password(&node, (name, password), from);
    if let Err(problem) = Box::pin(fits).await {
        Observed::refused(Interface::Tim20, "authenticate", &node, problem.name());
        // As the reference does: the code, and nothing else.
        return Err(problem.status().into_response());
    }
    Ok(Caller::console_user(name, node, Interface::Tim20))
}

impl FromRequest<AdminState> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let caller = Box::pin(caller(&parts, state)).await?;
        let body = limits::body(body, state)
            .await
            .map_err(|problem| refused(&problem))?;
        let kind = header_text(&parts.headers, header::CONTENT_TYPE.as_str());
        let input = Input::read(&body, kind).map_err(|problem| refused(&problem))?;
        Ok(Self { caller, input })
    }
}

impl FromRequest<AdminState> for FrameCall {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let caller = Box::pin(caller(&parts, state)).await?;
        let frame = limits::body(body, state)
            .await
            .map_err(|problem| refused(&problem))?;
        let id = header_text(&parts.headers, "id").to_owned();
        Ok(Self { caller, id, frame })
    }
}

fn header_text<'header>(headers: &'header HeaderMap, name: &str) -> &'header str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

fn refused(problem: &Problem) -> Response {
    answer(problem.into())
}

fn answer(ack: Ack) -> Response {
    json(TimAck::from(ack).encode_payload(Encoding::Json))
}

fn json(body: bytes::Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn told(outcome: Result<Ack, Problem>) -> Response {
    outcome.map_or_else(|problem| refused(&problem), answer)
}

/// The routes, at the root of the admin port.
pub(super) fn router(state: AdminState) -> Router<AdminState> {
    Router::new()
        .route("/timToken", post(token))
        .route("/timRegister", post(register))
        .route("/timResetAuth", post(reset_password))
        .route("/timModifyUserInfo", post(change_profile))
        .route("/timVroom", post(virtual_room))
        .route("/timBlockUser", post(block))
        .route("/timBlockList", post(blocks))
        .route("/timOnline", post(who_is_online))
        .route("/timDetect", post(nothing))
        .route("/timOsMessage", post(system_message))
        .route("/timMessage", post(message_of_a_connection))
        .merge(people::router())
        .route_layer(middleware::from_fn_with_state(state.clone(), switched_on))
        .route_layer(middleware::from_fn_with_state(state, limits::within))
}

/// Whether the cluster offers this interface at all.
async fn switched_on(State(state): State<AdminState>, request: Request, next: middleware::Next) -> Response {
    if state.access.config().tim_2_0_api {
        return next.run(request).await;
    }
    let observed =
        "the HTTP admin API of tim 2.0 is switched off (admin.tim_2_0_api); /api/v1 offers the same and more";
    let cause = &tim_catalogue::administration::NO_SUCH_PATH;
    Problem::new(axum::http::StatusCode::NOT_FOUND, cause, observed).into_response()
}

async fn token(call: Call) -> Response {
    told(Box::pin(try_token(call)).await)
}

/// With a password the name is the login name, without one it is the account.
async fn try_token(Call { caller, input }: Call) -> Result<Ack, Problem> {
    let node = Arc::clone(&caller.node);
    let name = input.text("name")?;
    let domain = input.optional_text("domain")?;
    let account = match input
        .optional_text("password")?
        .filter(|password| !password.is_empty())
    {
        None => operations::account("name", &name)?,
        Some(password) => {
            let auth = operations::credentials(name, password, domain);
            match Box::pin(node.accounts.owner(&node, &auth)).await? {
                Some(account) => account,
                None => return Ok(Ack::WrongPassword),
            }
        }
    };
    let work = operations::make_token(node, account.clone());
    let (token, _) = caller.change("make_login_token", Some(&account), work).await?;
    Ok(Ack::Token(account, token))
}

async fn register(call: Call) -> Response {
    told(Box::pin(try_register(call)).await)
}

async fn try_register(Call { caller, input }: Call) -> Result<Ack, Problem> {
    let node = Arc::clone(&caller.node);
    let (name, domain) = (input.text("username")?, input.optional_text("domain")?);
    let id = operations::id_of(&node, &name, domain.as_deref());
    let auth = operations::credentials(name, input.text("password")?, domain);
    let work = operations::register(node, auth);
    let account = caller.change("register_account", id.as_ref(), work).await?;
    Ok(Ack::named(account.as_str()))
}

async fn reset_password(call: Call) -> Response {
    told(Box::pin(try_reset_password(call)).await)
}

async fn try_reset_password(Call { caller, input }: Call) -> Result<Ack, Problem> {
    let node = Arc::clone(&caller.node);
    let name = input.text("loginname")?;
    let domain = input.optional_text("domain")?;
    let id = operations::id_of(&node, &name, domain.as_deref()).ok_or_else(Problem::no_such_account)?;
    let work = operations::set_password(node, id.clone(), input.text("pwd")?);
    caller.change("set_password", Some(&id), work).await?;
    Ok(Ack::named(&name))
}

async fn change_profile(call: Call) -> Response {
    told(Box::pin(try_change_profile(call)).await)
}

async fn try_change_profile(Call { caller, input }: Call) -> Result<Ack, Problem> {
    let account = operations::account("node", &input.text("node")?)?;
    let given = input.profile("userbean")?;
    let work = operations::change_profile(Arc::clone(&caller.node), account.clone(), given);
    caller.change("change_profile", Some(&account), work).await?;
    Ok(Ack::Done)
}

async fn virtual_room(call: Call) -> Response {
    told(Box::pin(try_virtual_room(call)).await)
}

async fn try_virtual_room(Call { caller, input }: Call) -> Result<Ack, Problem> {
    let owner = operations::account("node", &input.text("node")?)?;
    if input.number("rtype")? != 1 {
        return Err(Problem::field("rtype", "valid: 1 (create)"));
    }
    let work = operations::create_virtual_room(Arc::clone(&caller.node), owner.clone());
    let room = caller.change("create_virtual_room", Some(&owner), work).await?;
    Ok(Ack::named(&room))
}

async fn block(call: Call) -> Response {
    told(Box::pin(try_block(call)).await)
}

/// So many seconds from now; negative ones lift the block.
async fn try_block(Call { caller, input }: Call) -> Result<Ack, Problem> {
    let account = operations::account("account", &input.text("account")?)?;
    let (operation, until_ms) = operations::block_for("time", input.number("time")?)?;
    let work = operations::block(Arc::clone(&caller.node), account.clone(), until_ms);
    caller.change(operation, Some(&account), work).await?;
    Ok(Ack::named(account.as_str()))
}

async fn blocks(Call { caller, .. }: Call) -> Response {
    let listed = caller.read("list_blocks", operations::blocks(&caller.node)).await;
    match listed {
        Err(problem) => refused(&problem),
        Ok(blocks) => {
            let blocks = blocks.into_iter().map(|(account, until_ms)| {
                (
                    account.as_str().to_owned(),
                    serde_json::Value::from(until_ms / 1_000),
                )
            });
            let object: serde_json::Map<String, serde_json::Value> = blocks.collect();
            json(serde_json::Value::Object(object).to_string().into())
        }
    }
}

async fn who_is_online(Call { caller, .. }: Call) -> Response {
    let node = &caller.node;
    let listed = caller
        .read("list_online", async { Ok(Box::pin(online_tids(node)).await) })
        .await;
    let mut body = Vec::from(*b"[");
    for (index, tid) in listed.unwrap_or_default().iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&tid.encode_payload(Encoding::Json));
    }
    body.push(b']');
    json(body.into())
}

/// One address per device.
async fn online_tids(node: &Node) -> Vec<Tid> {
    let mut tids = Vec::new();
    let mut after = None;
    loop {
        let page = online::list(node, after.as_ref(), ONLINE_PAGE).await;
        after = page.accounts.last().map(|(account, _)| account.clone());
        for (account, devices) in page.accounts {
            tids.extend(devices.into_values().flatten().map(|class| Tid {
                termtyp: Some(class.0),
                ..Tid::of(account.as_str())
            }));
        }
        if !page.more || tids.len() >= ONLINE_MAX {
            tids.truncate(ONLINE_MAX);
            return tids;
        }
    }
}

/// 200 without a body. Of `/timDetect` that is all it takes: the node finds dead connections by itself.
async fn nothing(_: Call) {}

async fn system_message(call: Call) -> Response {
    told(Box::pin(try_system_message(call)).await)
}

/// Accounts in a list or in `TimNodes`, whichever generation writes.
async fn try_system_message(Call { caller, input }: Call) -> Result<Ack, Problem> {
    let accounts = operations::targets("nodes", &input.accounts("nodes")?)?;
    let message = system_messages::checked(input.message("message")?)?;
    let count = accounts.len();
    let work = operations::tell(Arc::clone(&caller.node), accounts, message);
    let untold = caller.change("send_system_message", None, work).await?;
    Ok(Ack::of_untold(count, untold))
}

async fn message_of_a_connection(FrameCall { caller, id, frame }: FrameCall) -> Response {
    let sent = async {
        let session = operations::connection("id", &id)?;
        let frame = operations::message_frame("body", frame)?;
        let work = operations::send_as(Arc::clone(&caller.node), session, frame);
        caller.change("send_as_connection", None, work).await?;
        Ok(Ack::Done)
    };
    told(Box::pin(sent).await)
}
