//! What the API server wrote down: who asked for what.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// HTTP status of a request that made an object.
const CREATED: u16 = 201;
/// The annotation with the authorizer's decision.
const DECISION: &str = "authorization.k8s.io/decision";

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Who asked.
    pub user: User,
    /// What for: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// On what; requests for the API server itself have none.
    pub object_ref: Option<ObjectRef>,
    /// The answer, once there is one.
    pub response_status: Option<ResponseStatus>,
    /// When it came in; RFC 3339, so that texts compare as times do.
    pub request_received_timestamp: String,
    /// Remarks, among them how the authorizer decided.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// `ResponseStarted` for the begin of a watch, `ResponseComplete` for an end.
    pub stage: String,
    /// The path, with its parameters.
    #[serde(rename = "requestURI")]
    pub uri: String,
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Name of the account.
    pub username: String,
}

/// On what.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectRef {
    /// Group; empty for the core.
    pub api_group: String,
    /// Kind, in the plural.
    pub resource: String,
    /// Part of the object, such as `status`.
    pub subresource: String,
    /// Namespace; empty for all or none.
    pub namespace: String,
    /// Name; empty for lists.
    pub name: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ResponseStatus {
    /// HTTP status.
    pub code: Option<u16>,
}

impl Request {
    /// Whether it changes something.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }

    /// Whether it was refused for want of rights. The status alone would not tell: what is created in a namespace that is
    /// about to go is answered with 403 as well.
    pub fn is_forbidden(&self) -> bool {
        self.annotations
            .get(DECISION)
            .is_some_and(|decision| decision == "forbid")
    }

    fn code(&self) -> Option<u16> {
        self.response_status.as_ref().and_then(|status| status.code)
    }

    /// One line for people.
    pub fn shown(&self) -> String {
        let code = self.code().unwrap_or_default();
        format!(
            "{} {} {} {code}",
            self.request_received_timestamp, self.verb, self.uri
        )
    }
}

/// The requests of one user, in the order of the log. A last line that is still being written is left out.
///
/// # Errors
/// A line is not what the API server writes.
pub fn requests_of(log: &str, user: &str) -> anyhow::Result<Vec<Request>> {
    let complete = log.rfind('\n').map_or("", |end| &log[..end]);
    // Parsing is slow and most lines are of others.
    let mention = format!("\"username\":\"{user}\"");
    let mut requests = Vec::new();
    for line in complete.lines().filter(|line| line.contains(&mention)) {
        let request: Request = serde_json::from_str(line)?;
        if request.user.username == user {
            requests.push(request);
        }
    }
    Ok(requests)
}

/// A right: API group, resource (with subresource), verb.
pub type Right = (String, String, String);

/// The rights that these requests used. Who applies an object that is not there yet needs the right to create it as well.
pub fn rights_used<'a>(requests: impl IntoIterator<Item = &'a Request>) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for request in requests {
        let Some(object) = &request.object_ref else {
            continue;
        };
        let resource = if object.subresource.is_empty() {
            object.resource.clone()
        } else {
            format!("{}/{}", object.resource, object.subresource)
        };
        let right = |verb: &str| (object.api_group.clone(), resource.clone(), verb.to_owned());
        rights.insert(right(&request.verb));
        if request.verb == "patch" && request.code() == Some(CREATED) {
            rights.insert(right("create"));
        }
    }
    rights
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = concat!(
        r#"{"stage":"ResponseComplete","requestURI":"/api/v1/namespaces/a/pods/p","verb":"delete","user":{"username":"op"},"objectRef":{"resource":"pods","namespace":"a","name":"p","apiVersion":"v1"},"responseStatus":{"code":403},"annotations":{"authorization.k8s.io/decision":"forbid"},"requestReceivedTimestamp":"2026-01-01T00:00:00Z"}"#,
        "\n",
        r#"{"stage":"ResponseComplete","requestURI":"/x","verb":"patch","user":{"username":"other"},"requestReceivedTimestamp":"2026-01-01T00:00:00Z"}"#,
        "\n",
        r#"{"stage":"ResponseComplete","requestURI":"/apis/timcluster.io/s","verb":"patch","user":{"username":"op"},"objectRef":{"resource":"timclusters","subresource":"status","apiGroup":"timcluster.io"},"responseStatus":{"code":201},"requestReceivedTimestamp":"2026-01-01T00:00:01Z"}"#,
        "\n",
        r#"{"stage":"Resp"#
    );

    #[test]
    fn requests_are_read_by_user_and_become_rights() {
        let requests = requests_of(LOG, "op").unwrap();
        assert_eq!(requests.len(), 2);
        assert!(requests[0].is_forbidden() && requests[0].is_write());
        let used: Vec<Right> = rights_used(&requests).into_iter().collect();
        let right = |group: &str, resource: &str, verb: &str| (group.into(), resource.into(), verb.into());
        assert_eq!(
            used,
            [
                right("", "pods", "delete"),
                right("timcluster.io", "timclusters/status", "create"),
                right("timcluster.io", "timclusters/status", "patch")
            ]
        );
    }
}
