//! The administrators' API under `/api/v1`: HTTP and JSON, described by OpenAPI.
//!
//! Every endpoint's signature names the role it needs ([`Caller`](super::access::Caller)); who calls is decided before
//! anything but the head of a request is read.

#[allow(unused_qualifications, reason = "utoipa's macros name types by their path")]
mod accounts;
#[allow(unused_qualifications, reason = "utoipa's macros name types by their path")]
mod blocks;
mod body;
#[allow(unused_qualifications, reason = "utoipa's macros name types by their path")]
mod deletions;
#[allow(unused_qualifications, reason = "utoipa's macros name types by their path")]
mod history;
#[allow(unused_qualifications, reason = "utoipa's macros name types by their path")]
mod messages;
#[allow(unused_qualifications, reason = "utoipa's macros name types by their path")]
mod rooms;
#[allow(unused_qualifications, reason = "utoipa's macros name types by their path")]
mod rosters;
mod sessions;
#[allow(unused_qualifications, reason = "utoipa's macros name types by their path")]
mod virtual_rooms;

use super::limits;
use super::problem::{self, Problem};
use super::routes::AdminState;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Router, middleware};
use tim_catalogue::administration as causes;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// The whole API.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "TimCluster administration",
        description = "Accounts, rosters, rooms, history, blocks, sessions, system messages and virtual rooms of a TimCluster; any node answers for the whole cluster. \
            Each operation needs a token of the role named under its security, or a higher one: read, operate, admin.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        accounts::register,
        accounts::find,
        accounts::set_password,
        accounts::profile,
        accounts::change_profile,
        accounts::make_token,
        deletions::delete,
        deletions::list,
        blocks::block,
        blocks::unblock,
        blocks::list,
        sessions::of_account,
        sessions::end,
        sessions::list,
        messages::tell,
        messages::send_as,
        virtual_rooms::create,
        virtual_rooms::remove,
        rosters::friends,
        rosters::add,
        rosters::remove,
        rosters::blocked,
        rosters::block,
        rosters::unblock,
        rosters::rooms_of,
        rosters::join,
        rosters::leave,
        rosters::blocked_rooms,
        rosters::block_room,
        rooms::create,
        rooms::find,
        rooms::change,
        rooms::cancel,
        rooms::members,
        rooms::pull,
        rooms::kick,
        rooms::reject,
        rooms::banned,
        rooms::ban,
        history::of_accounts,
        history::of_room,
    ),
    components(schemas(problem::Document)),
    modifiers(&Token),
)]
struct Api;

struct Token;

impl Modify for Token {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token that `tim-node admin-token` has printed."));
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    }
}

/// The description of the API, as it is served and committed.
pub(crate) fn document() -> String {
    let text = Api::openapi().to_pretty_json();
    // Plain data always has a JSON form.
    text.map_or_else(|error| error.to_string(), |text| text + "\n")
}

/// The routes below `/api/v1`.
pub(super) fn router(state: AdminState) -> Router<AdminState> {
    Router::new()
        .route("/openapi.json", get(described))
        .route("/accounts", post(accounts::register).get(accounts::find))
        .route("/accounts/{account}", delete(deletions::delete))
        .route("/deletions", get(deletions::list))
        .route("/accounts/{account}/password", put(accounts::set_password))
        .route(
            "/accounts/{account}/profile",
            get(accounts::profile).patch(accounts::change_profile),
        )
        .route("/accounts/{account}/tokens", post(accounts::make_token))
        .route(
            "/accounts/{account}/block",
            put(blocks::block).delete(blocks::unblock),
        )
        .route("/blocks", get(blocks::list))
        .route(
            "/accounts/{account}/sessions",
            get(sessions::of_account).delete(sessions::end),
        )
        .route("/sessions", get(sessions::list))
        .route("/system-messages", post(messages::tell))
        .route("/connections/{connection}/messages", post(messages::send_as))
        .route("/virtual-rooms", post(virtual_rooms::create))
        .route("/virtual-rooms/{room}", delete(virtual_rooms::remove))
        .merge(people())
        .fallback(nothing)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(state, limits::within))
}

/// Rosters, rooms and what was said.
fn people() -> Router<AdminState> {
    Router::new()
        .route("/accounts/{account}/roster", get(rosters::friends))
        .route(
            "/accounts/{account}/roster/{peer}",
            put(rosters::add).delete(rosters::remove),
        )
        .route("/accounts/{account}/blocked-accounts", get(rosters::blocked))
        .route(
            "/accounts/{account}/blocked-accounts/{peer}",
            put(rosters::block).delete(rosters::unblock),
        )
        .route("/accounts/{account}/rooms", get(rosters::rooms_of))
        .route(
            "/accounts/{account}/rooms/{room}",
            put(rosters::join).delete(rosters::leave),
        )
        .route("/accounts/{account}/blocked-rooms", get(rosters::blocked_rooms))
        .route(
            "/accounts/{account}/blocked-rooms/{room}",
            put(rosters::block_room),
        )
        .route("/accounts/{account}/history/{peer}", get(history::of_accounts))
        .route("/rooms", post(rooms::create))
        .route(
            "/rooms/{room}",
            get(rooms::find).patch(rooms::change).delete(rooms::cancel),
        )
        .route("/rooms/{room}/members", get(rooms::members))
        .route(
            "/rooms/{room}/members/{account}",
            put(rooms::pull).delete(rooms::kick),
        )
        .route("/rooms/{room}/applications/{account}", delete(rooms::reject))
        .route("/rooms/{room}/banned", get(rooms::banned))
        .route("/rooms/{room}/banned/{account}", put(rooms::ban))
        .route("/rooms/{room}/history", get(history::of_room))
}

async fn described() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}

async fn nothing() -> Problem {
    let observed = "there is nothing under this path";
    Problem::new(StatusCode::NOT_FOUND, &causes::NO_SUCH_PATH, observed)
}

async fn no_such_method() -> Problem {
    let observed = "this path has no such method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, &causes::NO_SUCH_PATH, observed)
}
