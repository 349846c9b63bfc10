//! Who calls: an extractor that refuses before anything else of the request is read, and the audit of what it does.

use super::{Access, Interface, Observed};
use crate::admin::problem::Problem;
use crate::admin::routes::AdminState;
use crate::edge::Arrival;
use crate::node::Node;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;
use tim_catalogue::{administration as causes, node as node_causes};
use tim_config::Role;
use tim_core::id::AccountId;

/// The role that an endpoint needs, as a type, so that its signature names it.
pub(in crate::admin) trait Needs {
    const ROLE: Role;
}

/// Needs [`Role::Read`].
#[derive(Debug)]
pub(in crate::admin) struct Read;
/// Needs [`Role::Operate`].
#[derive(Debug)]
pub(in crate::admin) struct Operate;
/// Needs [`Role::Admin`].
#[derive(Debug)]
pub(in crate::admin) struct Admin;

impl Needs for Read {
    const ROLE: Role = Role::Read;
}
impl Needs for Operate {
    const ROLE: Role = Role::Operate;
}
impl Needs for Admin {
    const ROLE: Role = Role::Admin;
}

/// Somebody who may do what needs the role.
#[derive(Debug)]
pub(in crate::admin) struct Caller<N> {
    /// Whose token it is.
    name: String,
    /// The node, which is there once somebody may call.
    pub(in crate::admin) node: Arc<Node>,
    interface: Interface,
    needs: PhantomData<N>,
}

impl<N: Needs> FromRequestParts<AdminState> for Caller<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        let node = started(state)?;
        let from = address(parts)?;
        let presented = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let allowed = allowed::<N>(&state.access, &node, presented, from);
        let name = allowed.inspect_err(|problem| {
            Observed::refused(Interface::Api, "authenticate", &node, problem.name());
        })?;
        Ok(Self {
            name,
            node,
            interface: Interface::Api,
            needs: PhantomData,
        })
    }
}

/// The node, once its parts are there.
pub(in crate::admin) fn started(state: &AdminState) -> Result<Arc<Node>, Problem> {
    state.node.get().cloned().ok_or_else(|| {
        let observed = "the node is starting; see /readyz";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, &node_causes::STARTING, observed)
    })
}

/// Where a request comes from.
pub(in crate::admin) fn address(parts: &Parts) -> Result<IpAddr, Problem> {
    let arrival = parts.extensions.get::<Arrival>();
    arrival.map(|arrival| arrival.remote.ip()).ok_or_else(|| {
        let observed = "where the request comes from is not known";
        Problem::new(StatusCode::UNAUTHORIZED, &causes::NOT_AUTHENTICATED, observed)
    })
}

fn allowed<N: Needs>(
    access: &Access,
    node: &Node,
    presented: Option<&str>,
    from: IpAddr,
) -> Result<String, Problem> {
    let (name, role) = access.by_token(node, presented, from)?;
    if role >= N::ROLE {
        return Ok(name);
    }
    let observed = format!(
        "the token {name} has the role {}; {} is needed",
        role.as_str(),
        N::ROLE.as_str()
    );
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        &causes::ROLE_TOO_LOW,
        observed,
    ))
}

impl Caller<Admin> {
    /// A console user who has given its password.
    pub(in crate::admin) fn console_user(name: &str, node: Arc<Node>, interface: Interface) -> Self {
        Self {
            name: name.to_owned(),
            node,
            interface,
            needs: PhantomData,
        }
    }
}

impl<N> Caller<N> {
    /// Does what changes nothing.
    pub(in crate::admin) async fn read<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, Problem>> + Send,
    ) -> Result<T, Problem> {
        let observed = Observed::begin(self.interface, operation);
        let outcome = Box::pin(work).await;
        observed.end(&self.node, outcome.as_ref().err().map(Problem::name));
        outcome
    }

    /// Does what changes something, and says so in the log. It runs to its end, and is told of, also when the caller is
    /// gone or has waited long enough.
    pub(in crate::admin) async fn change<T: Send + 'static>(
        &self,
        operation: &'static str,
        account: Option<&AccountId>,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        let (node, name) = (Arc::clone(&self.node), self.name.clone());
        // Names stay out of the log.
        let account_hash = account.map(|account| tim_core::placement::hash(account.as_bytes()));
        let account_hash = account_hash.map_or_else(String::new, |hash| format!("{hash:016x}"));
        let observed = Observed::begin(self.interface, operation);
        let work = Box::pin(work);
        let done = tokio::spawn(async move {
            let outcome = work.await;
            let cause = outcome.as_ref().err().map(Problem::name);
            observed.end(&node, cause);
            tracing::info!(
                administrator = name,
                operation,
                account_hash,
                result = cause.unwrap_or("done"),
                "an administrator's call"
            );
            outcome
        });
        done.await.unwrap_or_else(|_| {
            let observed = "the call has broken off";
            Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                &causes::TIMED_OUT,
                observed,
            ))
        })
    }
}
