//! Accounts: registration, passwords, profiles, login tokens.

use super::body::{Body, Params};
use crate::admin::access::{Admin, Caller, Operate, Read};
use crate::admin::operations;
use crate::admin::problem::{Document, Problem};
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tim_wire::TimUserBean;
use utoipa::{IntoParams, ToSchema};

/// A new account.
#[derive(Deserialize, ToSchema)]
pub(super) struct Registration {
    /// Login name, 1 to 256 bytes.
    name: String,
    /// Password, 1 to 256 bytes.
    password: String,
    /// Namespace of the name; clients log in with the same one.
    domain: Option<String>,
}

/// Whose id is wanted.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(super) struct Named {
    /// Login name.
    name: String,
    /// Namespace of the name.
    domain: Option<String>,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Account {
    /// Its id.
    account: String,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
pub(super) struct Password {
    /// 1 to 256 bytes.
    password: String,
}

/// A profile. Of a change, fields that are given replace those that are there, and absent ones stay.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Profile {
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Nickname.
    #[serde(skip_serializing_if = "Option::is_none")]
    nickname: Option<String>,
    /// Birthday, as applications write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    birthday: Option<String>,
    /// Gender, as applications number it.
    #[serde(skip_serializing_if = "Option::is_none")]
    gender: Option<i8>,
    /// Picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    cover: Option<String>,
    /// Region.
    #[serde(skip_serializing_if = "Option::is_none")]
    area: Option<String>,
    /// Pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    photos: Option<Vec<String>>,
    /// For applications.
    #[serde(skip_serializing_if = "Option::is_none")]
    extend: Option<BTreeMap<String, String>>,
}

/// A login token: good for one login.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginToken {
    /// For clients of the 2.1 generation.
    token: String,
    /// The same token for clients of the 2.0 generation.
    number: i64,
    /// Until when it is good.
    expires_unix_millis: i64,
}

impl From<Profile> for TimUserBean {
    fn from(profile: Profile) -> Self {
        Self {
            name: profile.name,
            nick_name: profile.nickname,
            birthday: profile.birthday,
            gender: profile.gender,
            cover: profile.cover,
            area: profile.area,
            photo_tid_album: profile.photos,
            extend: profile.extend,
            ..Self::default()
        }
    }
}

impl From<TimUserBean> for Profile {
    fn from(bean: TimUserBean) -> Self {
        Self {
            name: bean.name,
            nickname: bean.nick_name,
            birthday: bean.birthday,
            gender: bean.gender,
            cover: bean.cover,
            area: bean.area,
            photos: bean.photo_tid_album,
            extend: bean.extend,
        }
    }
}

/// Makes an account.
#[utoipa::path(post, path = "/api/v1/accounts", tag = "accounts", security(("token" = ["admin"])), request_body = Registration,
    responses((status = 201, body = Account), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn register(
    caller: Caller<Admin>,
    Body(given): Body<Registration>,
) -> Result<(StatusCode, Json<Account>), Problem> {
    let node = Arc::clone(&caller.node);
    let id = operations::id_of(&node, &given.name, given.domain.as_deref());
    let auth = operations::credentials(given.name, given.password, given.domain);
    let work = operations::register(node, auth);
    let account = caller.change("register_account", id.as_ref(), work).await?;
    let account = account.as_str().to_owned();
    Ok((StatusCode::CREATED, Json(Account { account })))
}

/// The id of the account with a name.
#[utoipa::path(get, path = "/api/v1/accounts", tag = "accounts", security(("token" = ["read"])), params(Named),
    responses((status = 200, body = Account), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn find(
    caller: Caller<Read>,
    Params(named): Params<Named>,
) -> Result<Json<Account>, Problem> {
    let id = operations::id_of(&caller.node, &named.name, named.domain.as_deref());
    let id = id.ok_or_else(Problem::no_such_account)?;
    let found = caller
        .read("find_account", operations::find(&caller.node, &id))
        .await?;
    let account = found.id.as_str().to_owned();
    Ok(Json(Account { account }))
}

/// Sets the password of an account, whatever it was. Sessions go on; end them apart.
#[utoipa::path(put, path = "/api/v1/accounts/{account}/password", tag = "accounts", security(("token" = ["admin"])),
    params(("account" = String, Path, description = "Id of the account.")), request_body = Password,
    responses((status = 204), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn set_password(
    caller: Caller<Admin>,
    Path(account): Path<String>,
    Body(given): Body<Password>,
) -> Result<StatusCode, Problem> {
    let account = operations::account("account", &account)?;
    let work = operations::set_password(Arc::clone(&caller.node), account.clone(), given.password);
    caller.change("set_password", Some(&account), work).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The profile of an account.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/profile", tag = "accounts", security(("token" = ["read"])),
    params(("account" = String, Path, description = "Id of the account.")),
    responses((status = 200, body = Profile), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn profile(
    caller: Caller<Read>,
    Path(account): Path<String>,
) -> Result<Json<Profile>, Problem> {
    let account = operations::account("account", &account)?;
    let work = operations::profile(&caller.node, &account);
    let profile = caller.read("read_profile", work).await?;
    Ok(Json(profile.into()))
}

/// Changes the profile of an account.
#[utoipa::path(patch, path = "/api/v1/accounts/{account}/profile", tag = "accounts", security(("token" = ["operate"])),
    params(("account" = String, Path, description = "Id of the account.")), request_body = Profile,
    responses((status = 200, body = Profile), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn change_profile(
    caller: Caller<Operate>,
    Path(account): Path<String>,
    Body(given): Body<Profile>,
) -> Result<Json<Profile>, Problem> {
    let account = operations::account("account", &account)?;
    let work = operations::change_profile(Arc::clone(&caller.node), account.clone(), given.into());
    let profile = caller.change("change_profile", Some(&account), work).await?;
    Ok(Json(profile.into()))
}

/// Makes a token with which one client can log in once, on any node, as the account.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/tokens", tag = "accounts", security(("token" = ["admin"])),
    params(("account" = String, Path, description = "Id of the account.")),
    responses((status = 201, body = LoginToken), (status = "default", body = Document, content_type = "application/problem+json")))]
pub(super) async fn make_token(
    caller: Caller<Admin>,
    Path(account): Path<String>,
) -> Result<(StatusCode, Json<LoginToken>), Problem> {
    let account = operations::account("account", &account)?;
    let work = operations::make_token(Arc::clone(&caller.node), account.clone());
    let (token, expires_unix_millis) = caller.change("make_login_token", Some(&account), work).await?;
    let made = LoginToken {
        token: token.text(),
        number: token.number(),
        expires_unix_millis,
    };
    Ok((StatusCode::CREATED, Json(made)))
}
