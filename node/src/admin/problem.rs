//! Why a call of an administrator is refused, as it is told: a problem document (RFC 9457) with our code, the field and
//! what to do.

use crate::commands::Refusal;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tim_catalogue::{Cause, Report, administration as causes, configuration, protocol};
use tim_wire::ErrorCode;
use utoipa::ToSchema;

/// A refusal. Nothing was changed, unless its code says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    status: StatusCode,
    report: Report,
    field: Option<String>,
    /// What clients of the wire protocol are told, where the status does not say enough.
    wire: Option<ErrorCode>,
}

/// What is wrong and what to do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document<'problem> {
    /// The HTTP status.
    status: u16,
    /// Our code; `tim explain CODE` and docs/reference/errors.md tell more.
    code: &'problem str,
    /// What has happened, in general.
    title: &'problem str,
    /// What was observed.
    detail: &'problem str,
    /// The field or parameter that is wrong, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'problem str>,
    /// What to do.
    remedy: &'problem str,
}

impl Problem {
    pub(super) fn new(status: StatusCode, cause: &'static Cause, observed: impl Into<String>) -> Self {
        Self::of(status, Report::new(cause, observed))
    }

    pub(super) fn of(status: StatusCode, report: Report) -> Self {
        Self {
            status,
            report,
            field: None,
            wire: None,
        }
    }

    /// A field or parameter holds what it must not.
    pub(super) fn field(field: &str, observed: &str) -> Self {
        Self::invalid(&causes::INVALID_REQUEST, field, observed)
    }

    /// A field or parameter is wrong in a way that has a cause of its own.
    pub(super) fn invalid(cause: &'static Cause, field: &str, observed: &str) -> Self {
        let observed = format!("{field}: {observed}");
        Self {
            field: Some(field.to_owned()),
            ..Self::new(StatusCode::BAD_REQUEST, cause, observed)
        }
    }

    pub(super) fn no_such_account() -> Self {
        let observed = "there is no account of that id or name";
        Self::new(StatusCode::NOT_FOUND, &causes::NO_SUCH_ACCOUNT, observed)
    }

    pub(super) fn no_such_room() -> Self {
        let observed = "there is no room of that id, or it has ended";
        Self::new(StatusCode::NOT_FOUND, &causes::NO_SUCH_ROOM, observed)
    }

    /// A database cannot do it now.
    pub(super) fn database(report: Report) -> Self {
        Self::of(StatusCode::SERVICE_UNAVAILABLE, report)
    }

    /// The cause as telemetry counts it.
    pub(super) fn name(&self) -> &'static str {
        self.report.cause().name
    }

    /// The code that clients of 2.0 know, and a text.
    pub(super) fn wire(&self) -> (ErrorCode, String) {
        let code = self.wire.unwrap_or_else(|| self.code_of_status());
        (code, self.report.to_string())
    }

    fn code_of_status(&self) -> ErrorCode {
        match self.status {
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::Parameters,
            StatusCode::NOT_FOUND => ErrorCode::Account,
            StatusCode::CONFLICT => ErrorCode::HasExist,
            StatusCode::TOO_MANY_REQUESTS => ErrorCode::Overload,
            StatusCode::NOT_IMPLEMENTED => ErrorCode::Interface,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorCode::PermissionDenied,
            _ if self.report.cause().code.starts_with("TIM-S") => ErrorCode::Database,
            _ => ErrorCode::Overload,
        }
    }

    fn with_wire(mut self, code: ErrorCode) -> Self {
        self.wire = Some(code);
        self
    }

    /// Our code, and what was observed.
    pub(super) fn told(&self) -> (&'static str, &str) {
        (self.report.cause().code, self.report.observed())
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }
}

/// Refusals that clients get as well, in the words of HTTP. Their texts begin with our code where there is one.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        if let Some(rule) = rule(refusal.error_type) {
            let problem = Self::new(StatusCode::CONFLICT, &causes::AGAINST_THE_RULES, rule);
            return problem.with_wire(refusal.code);
        }
        if refusal.error_type == causes::NO_SUCH_ROOM.name {
            let observed = "there is no room of that id";
            let problem = Self::new(StatusCode::NOT_FOUND, &causes::NO_SUCH_ROOM, observed);
            return problem.with_wire(refusal.code);
        }
        match refusal.code {
            ErrorCode::HasExist => {
                let observed = "an account of that name and domain exists";
                return Self::new(StatusCode::CONFLICT, &causes::ACCOUNT_EXISTS, observed);
            }
            ErrorCode::Account => return Self::no_such_account(),
            _ => {}
        }
        let (code, detail) = refusal.info().split_once(' ').unwrap_or(("", refusal.info()));
        let Some(cause) = tim_catalogue::find(code) else {
            let observed = refusal.info().to_owned();
            return Self::new(StatusCode::BAD_REQUEST, &causes::INVALID_REQUEST, observed);
        };
        if *cause == protocol::INVALID_FIELD {
            let (path, observed) = detail.split_once(": ").unwrap_or(("", detail));
            return Self::field(request_field(path), observed);
        }
        let status = match *cause == protocol::TOO_FAST {
            true => StatusCode::TOO_MANY_REQUESTS,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, cause, detail)
    }
}

/// The rule of rosters and rooms that is behind a refusal.
fn rule(error_type: &str) -> Option<&'static str> {
    Some(match error_type {
        "own_account" => "an account cannot do that with itself",
        "not_friends" => "the two are not friends",
        "already_friends" => "the two are friends already",
        "not_related" => "there is nothing between the two that could end",
        "blocked" => "the other side has blocked it",
        "not_a_member" => "the account is not in the room",
        "not_allowed" => "the account may not do that in the room as it is now",
        "already_member" => "the account is in the room already",
        "cancelled" => "the room has ended",
        "nothing_pending" => "the account has not applied to the room, or is not in it",
        "otherwise_related" => "the account has not applied to the room, but has another standing to it",
        "room_full" => "the room has as many members as limits.room_members_max allows",
        "banned_from_private" => "the account is banned from the room",
        "users_are_elsewhere" => "that is said by the database of accounts.database, and changed there",
        "malformed" => "who is to lead the room is not in it, or they are too many",
        _ => return None,
    })
}

/// What a field of the client protocol is called here.
fn request_field(path: &str) -> &str {
    match path {
        "auth.pwd" => "password",
        "nodes.usermap" => "profile",
        "nodes.roommap" => "room",
        path => path.rsplit('.').next().unwrap_or(path),
    }
}

/// A name that is none of those there are, with the nearest of them.
pub(super) fn unknown<'name>(name: &str, known: impl Iterator<Item = &'name String>) -> Problem {
    let nearest = known
        .max_by(|one, other| strsim::jaro_winkler(one, name).total_cmp(&strsim::jaro_winkler(other, name)));
    let hint = nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"));
    let observed = format!("is not a field of this request{hint}");
    Problem::invalid(&configuration::UNKNOWN_FIELD, name, &observed)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            status: self.status.as_u16(),
            code: self.report.cause().code,
            title: self.report.cause().what,
            detail: self.report.observed(),
            field: self.field.as_deref(),
            remedy: self.report.remedy(),
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let kind = (header::CONTENT_TYPE, "application/problem+json");
        let mut response = (self.status, [kind], body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tim_catalogue::node::OVERLOADED;

    #[test]
    fn refusals_of_clients_name_the_field_as_it_is_called_here() {
        let refusal = Refusal::field(
            ErrorCode::Parameters,
            "auth.pwd: 0 bytes; 1 to 256 are needed".to_owned(),
        );
        let problem = Problem::from(refusal);
        assert_eq!(problem.field.as_deref(), Some("password"));
        assert_eq!(
            problem.report.observed(),
            "password: 0 bytes; 1 to 256 are needed"
        );
        assert_eq!(
            (problem.status, problem.wire().0),
            (StatusCode::BAD_REQUEST, ErrorCode::Parameters)
        );
        let exists = Problem::from(Refusal::plain(ErrorCode::HasExist, "account_exists"));
        assert_eq!(
            (exists.status.as_u16(), exists.wire().0),
            (409, ErrorCode::HasExist)
        );
        let busy = Problem::from(Refusal::overloaded("too many logins"));
        assert_eq!((busy.status.as_u16(), busy.name()), (503, OVERLOADED.name));
    }

    #[test]
    fn an_unknown_field_is_told_with_the_nearest() {
        let known = ["name".to_owned(), "password".to_owned()];
        let problem = unknown("pasword", known.iter());
        let text = problem.report.to_string();
        assert!(
            text.contains("TIM-C101 pasword: is not a field") && text.contains("mean password?"),
            "{text}"
        );
    }
}
