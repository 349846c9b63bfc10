//! What the methods do, apart from rosters and rooms, which are in [`super::people`].

use super::convert;
use super::machine;
use super::people;
use crate::accounts::online;
use crate::accounts::password_change::PasswordChange;
use crate::admin::access::{Admin, Caller};
use crate::admin::ack::Ack;
use crate::admin::operations;
use crate::admin::problem::Problem;
use crate::commands::in_name_of;
use crate::node::Node;
use crate::system_messages;
use bytes::Bytes;
use std::sync::Arc;
use tim_core::id::{AccountId, SessionId};
use tim_wire::frame::client_frame;
use tim_wire::server_api::{
    AdmAck, AdmMessageBroadcast, AdmOnlineUser, AdmPresenceBroadcast, AdmProxyMessage, AdmSysBlockList,
    AdmSysBlockUser, AdmTidList, AdmToken, AuthBean, Call, Message, ModifyPwd,
};
use tim_wire::{Command, Encoding, ErrorCode, Tid, WireStruct};

/// `admtype` of a token: the name is a login name, and its password is checked.
const WITH_PASSWORD: i8 = 0;
/// The name is a login name.
const BY_NAME: i8 = 1;
/// The name is the account's id.
const BY_NODE: i8 = 2;
/// `rtype` of [`Call::Vroom`]: makes one.
const CREATE: i8 = 1;
/// Accounts that are blocked by one call.
const BLOCKED_MAX: usize = 1_000;
/// Devices that [`Call::OnlineUser`] looks through: a caller with more to see uses the pages of `/api/v1/sessions`.
const ONLINE_MAX: usize = 100_000;
/// Devices in one answer.
const ONLINE_PAGE_MAX: usize = 10_000;
/// Accounts asked of the nodes at once.
const ASKED_AT_ONCE: usize = 1_000;

/// What is written as the result.
pub(super) enum Answer {
    Ack(Ack),
    Bytes(Bytes),
}

/// The answer that says no.
pub(super) fn refused(message: &Message, call: &Call, problem: &Problem) -> Bytes {
    let (code, text) = problem.wire();
    machine::refused(message, call, code, &text)
}

/// A text that is needed.
pub(super) fn text(field: &str, given: Option<String>) -> Result<String, Problem> {
    let given = given.filter(|text| !text.is_empty());
    given.ok_or_else(|| Problem::field(field, "is missing"))
}

/// An account that is needed.
pub(super) fn account(field: &str, given: Option<String>) -> Result<AccountId, Problem> {
    operations::account(field, &text(field, given)?)
}

/// Does what is asked; the answer.
pub(super) async fn answer(caller: &Caller<Admin>, message: &Message, call: Call) -> Bytes {
    let asked = call.clone();
    match Box::pin(result(caller, message, call)).await {
        Ok(Answer::Ack(ack)) => message.reply(&AdmAck::from(ack)).to_bytes(),
        Ok(Answer::Bytes(bytes)) => bytes,
        Err(problem) => refused(message, &asked, &problem),
    }
}

async fn result(caller: &Caller<Admin>, message: &Message, call: Call) -> Result<Answer, Problem> {
    let ack = match call {
        // Answered by the connection itself.
        Call::Ping | Call::Auth(_) => Ack::Done,
        Call::Token(given) => Box::pin(token(caller, given)).await?,
        Call::Register(given) => Box::pin(register(caller, given)).await?,
        Call::ModifyPwd(given) => Box::pin(change_password(caller, given)).await?,
        Call::ModifyUserInfo(given) => {
            let whose = account("node", given.node)?;
            let profile = given.userbean.unwrap_or_default();
            let work = operations::change_profile(Arc::clone(&caller.node), whose.clone(), profile);
            caller.change("change_profile", Some(&whose), work).await?;
            Ack::Done
        }
        Call::SysBlockUser(given) => Box::pin(block(caller, given)).await?,
        Call::SysBlockList => {
            let listed = caller
                .read("list_blocks", operations::blocks(&caller.node))
                .await?;
            let ends = listed
                .into_iter()
                .map(|(account, until_ms)| (account.as_str().to_owned(), until_ms / 1_000));
            let list = AdmSysBlockList {
                usermap: Some(ends.collect()),
            };
            return Ok(Answer::Bytes(message.reply(&list).to_bytes()));
        }
        Call::OnlineUser(given) => {
            let work = async { Ok(Box::pin(online(&caller.node, &given)).await) };
            let list = caller.read("list_online", work).await?;
            return Ok(Answer::Bytes(message.reply(&list).to_bytes()));
        }
        Call::Detect(_) => Ack::Done,
        Call::TimMessageBroadcast(given) => Box::pin(tell(caller, given)).await?,
        Call::TimPresenceBroadcast(given) => Box::pin(tell_presence(caller, given)).await?,
        Call::ProxyMessage(given) => Box::pin(send_as(caller, given)).await?,
        Call::Vroom(given) => {
            let owner = account("node", given.node)?;
            if given.rtype != Some(CREATE) {
                return Err(Problem::field("rtype", "valid: 1 (create)"));
            }
            let work = operations::create_virtual_room(Arc::clone(&caller.node), owner.clone());
            Ack::named(&caller.change("create_virtual_room", Some(&owner), work).await?)
        }
        call => return Box::pin(people::result(caller, message, call)).await,
    };
    Ok(Answer::Ack(ack))
}

async fn token(caller: &Caller<Admin>, given: AdmToken) -> Result<Ack, Problem> {
    let node = Arc::clone(&caller.node);
    let name = text("name", given.name)?;
    let account = match given.admtype.unwrap_or(WITH_PASSWORD) {
        WITH_PASSWORD => {
            let password = text("password", given.password)?;
            let auth = operations::credentials(name, password, given.domain);
            match Box::pin(node.accounts.owner(&node, &auth)).await? {
                Some(account) => account,
                None => return Ok(Ack::WrongPassword),
            }
        }
        BY_NAME => {
            let id = operations::id_of(&node, &name, given.domain.as_deref());
            id.ok_or_else(Problem::no_such_account)?
        }
        BY_NODE => operations::account("name", &name)?,
        other => {
            return Err(Problem::field("admtype", &format!("{other}; valid: 0, 1, 2")));
        }
    };
    let work = operations::make_token(node, account.clone());
    let (token, _) = caller.change("make_login_token", Some(&account), work).await?;
    Ok(Ack::Token(account, token))
}

async fn register(caller: &Caller<Admin>, given: AuthBean) -> Result<Ack, Problem> {
    let node = Arc::clone(&caller.node);
    let (name, password) = (
        text("username", given.username)?,
        text("password", given.password)?,
    );
    let id = operations::id_of(&node, &name, given.domain.as_deref());
    let auth = operations::credentials(name, password, given.domain);
    let work = operations::register(node, auth);
    Ok(Ack::named(
        caller
            .change("register_account", id.as_ref(), work)
            .await?
            .as_str(),
    ))
}

/// By position: account, domain, present password, new one.
async fn change_password(caller: &Caller<Admin>, given: ModifyPwd) -> Result<Ack, Problem> {
    let whose = account("fromnode", given.node)?;
    let (old, new) = (text("oldpwd", given.oldpwd)?, text("newpwd", given.newpwd)?);
    let (node, changed) = (Arc::clone(&caller.node), whose.clone());
    let work = async move { Ok(Box::pin(node.accounts.change_password(&node, &changed, old, new)).await?) };
    match caller.change("change_password", Some(&whose), work).await? {
        PasswordChange::Changed => Ok(Ack::Done),
        PasswordChange::WrongPassword => {
            let code = ErrorCode::ModifyPassword;
            Ok(Ack::Refused(code, code.info().to_owned()))
        }
    }
}

async fn block(caller: &Caller<Admin>, given: AdmSysBlockUser) -> Result<Ack, Problem> {
    let names = given.nodelist.unwrap_or_default();
    if names.is_empty() || names.len() > BLOCKED_MAX {
        let observed = format!("{} accounts; valid: 1 to {BLOCKED_MAX}", names.len());
        return Err(Problem::field("nodelist", &observed));
    }
    let seconds = given.blocktime.unwrap_or_default();
    let (operation, until_ms) = operations::block_for("blocktime", seconds)?;
    let accounts = names.iter().map(|name| operations::account("nodelist", name));
    let accounts: Vec<AccountId> = accounts.collect::<Result<_, _>>()?;
    for account in accounts {
        let work = operations::block(Arc::clone(&caller.node), account.clone(), until_ms);
        caller.change(operation, Some(&account), work).await?;
    }
    Ok(Ack::Done)
}

/// One address per device, behind so many others.
async fn online(node: &Node, given: &AdmOnlineUser) -> AdmTidList {
    let from = usize::try_from(given.index.unwrap_or_default()).unwrap_or_default();
    let wanted = usize::try_from(given.limit.unwrap_or_default()).unwrap_or_default();
    let wanted = if wanted == 0 {
        ONLINE_PAGE_MAX
    } else {
        wanted.min(ONLINE_PAGE_MAX)
    };
    let (mut tidlist, mut count, mut after) = (Vec::new(), 0_usize, None);
    loop {
        let page = online::list(node, after.as_ref(), ASKED_AT_ONCE).await;
        after = page.accounts.last().map(|(account, _)| account.clone());
        for (account, devices) in page.accounts {
            for class in devices.into_values().flatten() {
                if (from..from.saturating_add(wanted)).contains(&count) {
                    tidlist.push(Tid {
                        termtyp: Some(class.0),
                        ..Tid::of(account.as_str())
                    });
                }
                count += 1;
            }
        }
        if !page.more || count >= ONLINE_MAX {
            let size = i64::try_from(count).ok();
            return AdmTidList {
                tidlist: Some(tidlist),
                size,
            };
        }
    }
}

async fn tell(caller: &Caller<Admin>, given: AdmMessageBroadcast) -> Result<Ack, Problem> {
    let accounts = operations::targets("nodes", &given.nodes.unwrap_or_default())?;
    let message = convert::message(given.message.unwrap_or_default());
    let message = system_messages::checked(message)?;
    let count = accounts.len();
    let work = operations::tell(Arc::clone(&caller.node), accounts, message);
    let untold = caller.change("send_system_message", None, work).await?;
    Ok(Ack::of_untold(count, untold))
}

async fn tell_presence(caller: &Caller<Admin>, given: AdmPresenceBroadcast) -> Result<Ack, Problem> {
    let presence = given.presence.unwrap_or_default();
    let mut names = given.nodes.unwrap_or_default();
    names.extend(presence.to_node.clone().filter(|node| !node.is_empty()));
    names.extend(presence.to_list.clone().unwrap_or_default());
    let accounts = operations::targets("nodes", &names)?;
    let presence = convert::presence(presence);
    if let Some(from) = &presence.from_tid {
        operations::account("fromNode", &from.node)?;
    }
    let node = Arc::clone(&caller.node);
    let work = async move { Ok(Box::pin(in_name_of::tell_presence(&node, accounts, &presence)).await?) };
    caller.change("send_presence", None, work).await?;
    Ok(Ack::Done)
}

/// A connection is named by the number that the answer to its login had as `n2`, in hexadecimal digits.
pub(super) fn connection(number: Option<i64>, field: &str) -> Result<SessionId, Problem> {
    let number = number.filter(|number| *number != 0);
    let number = number.ok_or_else(|| Problem::field(field, "is missing"))?;
    Ok(SessionId(number.cast_unsigned()))
}

async fn send_as(caller: &Caller<Admin>, given: AdmProxyMessage) -> Result<Ack, Problem> {
    let session = connection(given.connectid, "connectid")?;
    let message = convert::message(given.message.unwrap_or_default());
    let payload = message.encode_payload(Encoding::Thrift);
    let frame = client_frame(Command::Message, Encoding::Thrift, &payload);
    let work = operations::send_as(Arc::clone(&caller.node), session, frame);
    caller.change("send_as_connection", None, work).await?;
    Ok(Ack::Done)
}
