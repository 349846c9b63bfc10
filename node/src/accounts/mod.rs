//! Accounts: registration, login tokens, logins.

pub(crate) mod blocks;
mod callback;
pub(crate) mod deletion;
mod devices;
pub(crate) mod imported;
mod jwt;
pub(crate) mod online;
mod passwords;
pub(crate) mod remembered;
mod users;

use crate::board::Board;
use crate::commands::Refusal;
use crate::edge::AddressRates;
use crate::node::Node;
use aws_lc_rs::hmac;
use blocks::BlockNews;
use bytes::Bytes;
use callback::Callback;
use deletion::DeletionNews;
pub(crate) use devices::limits as device_limits;
use moka::sync::Cache;
pub(crate) use passwords::hash_once as hash_password;
use passwords::{HashError, PasswordWorkers, Stored};
use remembered::Remembered;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tim_config::NodeConfig;
use tim_core::id::{AccountId, DeviceClass};
use tim_store::{Account, Created};
use tim_wire::{
    ClientFrame, ClientRequest, Command, Encoding, ErrorCode, LoginToken, TimAck, TimAuth, WireStruct,
};
use users::{Found, Users};

/// Longest login name, domain and password in bytes.
const CREDENTIAL_BYTES_MAX: usize = 256;
/// Accounts known to exist that are remembered, and for how long: a node that was not told of a deletion is wrong for so
/// long.
const EXISTING_MAX: u64 = 50_000;
const EXISTING_KEPT: Duration = Duration::from_secs(60);

/// What accounts need besides the databases.
#[derive(Debug)]
pub(crate) struct Accounts {
    workers: PasswordWorkers,
    pub(crate) remembered: Remembered,
    existing: Cache<AccountId, ()>,
    /// Accounts that this node was told lately to be deleted: what was read before that must not be remembered after it.
    deleted: Cache<AccountId, ()>,
    pub(crate) deletion_news: DeletionNews,
    /// Blocks that this node was told of lately.
    pub(crate) block_news: BlockNews,
    address_rates: AddressRates,
    /// Tokens of another user system, where such are taken.
    tokens: Option<jwt::Tokens>,
    /// Whose the users are.
    pub(crate) users: Users,
    /// Who is asked about every login, where somebody is.
    callback: Option<Callback>,
}

/// How the change of a password ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PasswordChange {
    /// It counts from now on, on every node.
    Changed,
    /// The old one is not what it was said to be, or not any more.
    WrongPassword,
}

/// Who has logged in.
#[derive(Debug)]
pub(crate) struct LoggedIn {
    pub(crate) account: AccountId,
    pub(crate) domain: Option<String>,
    /// When, by the account's own reckoning.
    pub(crate) logged_in_ms: u64,
}

/// A cache of what was so a moment ago.
fn lately(kept: Duration) -> Cache<AccountId, ()> {
    let cache = Cache::builder().max_capacity(EXISTING_MAX).time_to_live(kept);
    cache.build()
}

fn parameters(detail: &str) -> Refusal {
    Refusal::field(ErrorCode::Parameters, detail.to_owned())
}

impl From<HashError> for Refusal {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::overloaded("too many logins wait for a password worker"),
            HashError::Malformed => Self::plain(ErrorCode::Database, "damaged_credential"),
        }
    }
}

impl Accounts {
    /// `password_tags`: the key of what is remembered of passwords, the same on every node.
    pub(crate) fn new(
        config: &NodeConfig,
        board: &Arc<Board>,
        password_tags: hmac::Key,
    ) -> anyhow::Result<Self> {
        let passwords = &config.accounts.passwords;
        Ok(Self {
            workers: PasswordWorkers::start(passwords)?,
            remembered: Remembered::new(passwords, password_tags),
            block_news: BlockNews::default(),
            address_rates: AddressRates::new(&config.limits),
            existing: lately(EXISTING_KEPT),
            deleted: lately(2 * EXISTING_KEPT),
            deletion_news: DeletionNews::default(),
            tokens: jwt::Tokens::new(&config.accounts.jwt, Arc::clone(board)),
            users: Users::new(config, board),
            callback: Callback::new(&config.accounts.callback, Arc::clone(board)),
        })
    }

    /// Forgets that an account exists.
    fn forget(&self, account: &AccountId) {
        self.deleted.insert(account.clone(), ());
        self.existing.invalidate(account);
    }

    /// Whether this node was told lately that an account is deleted.
    fn was_told_deleted(&self, account: &AccountId) -> bool {
        self.deleted.contains_key(account)
    }

    /// Remembers that an account exists.
    fn remember_existing(&self, account: &AccountId) {
        self.existing.insert(account.clone(), ());
        // Only now: either this sees that it was forgotten, or whoever forgets it sees this.
        if self.deleted.contains_key(account) {
            self.existing.invalidate(account);
        }
    }

    /// Whether an account exists.
    pub(crate) async fn exists(&self, node: &Node, account: &AccountId) -> Result<bool, Refusal> {
        if self.existing.contains_key(account) {
            return Ok(true);
        }
        let exists = if self.users.are_elsewhere() {
            let deleted = node.databases.is_deleted(account).await;
            !deleted.map_err(|report| Refusal::database(&report))? && self.users.exists(account).await?
        } else {
            self.there(node, account).await?
        };
        if exists {
            self.remember_existing(account);
        }
        Ok(exists)
    }

    /// Whether an account has its row, by what the database says now.
    async fn there(&self, node: &Node, account: &AccountId) -> Result<bool, Refusal> {
        let found = node.databases.find_account(account).await;
        Ok(found.map_err(|report| Refusal::database(&report))?.is_some())
    }

    /// Whether all of some accounts exist; those that are not remembered are looked for together.
    pub(crate) async fn all_exist(&self, node: &Node, mut accounts: Vec<AccountId>) -> Result<bool, Refusal> {
        accounts.retain(|account| !self.existing.contains_key(account));
        if self.users.are_elsewhere() {
            for account in &accounts {
                if !self.exists(node, account).await? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let found = node.databases.find_accounts(&accounts).await;
        let found = found.map_err(|report| Refusal::database(&report))?;
        for account in found.iter().flatten() {
            self.remember_existing(&account.id);
        }
        Ok(found.iter().all(Option::is_some))
    }

    async fn register(&self, node: &Node, auth: &TimAuth, from: IpAddr) -> Result<AccountId, Refusal> {
        self.users.refuse_changes()?;
        // Whoever names nothing that could be an account has not used up a registration.
        credentials(node, auth)?;
        self.address_rates.registrations.take(from, &node.metrics)?;
        self.create(node, auth).await
    }

    /// Makes an account, for whoever may do so without limit.
    pub(crate) async fn create(&self, node: &Node, auth: &TimAuth) -> Result<AccountId, Refusal> {
        self.users.refuse_changes()?;
        let (id, password) = credentials(node, auth)?;
        if self.exists(node, &id).await? {
            return Err(Refusal::plain(ErrorCode::HasExist, "account_exists"));
        }
        let account = Account {
            id: id.clone(),
            password_hash: self.workers.hash(password.to_owned()).await?,
            created_ns: crate::clock::wall_ns(),
            profile: Vec::new(),
        };
        match node.databases.create_account(&account).await {
            Ok(Created::New) => {
                // Who has just chosen it logs in with it next.
                let tag = self.remembered.tag(&id, &account.password_hash, password);
                remembered::tell(node, &id, tag);
                Ok(id)
            }
            Ok(Created::Exists) => Err(Refusal::plain(ErrorCode::HasExist, "account_exists")),
            Err(report) => Err(Refusal::database(&report)),
        }
    }

    /// The password of an account from now on, whatever it was; whether there is such an account.
    pub(crate) async fn set_password(
        &self,
        node: &Node,
        account: &AccountId,
        new: String,
    ) -> Result<bool, Refusal> {
        self.users.refuse_changes()?;
        if new.is_empty() || new.len() > CREDENTIAL_BYTES_MAX {
            return Err(parameters(&format!(
                "auth.pwd: {} bytes; 1 to {CREDENTIAL_BYTES_MAX} are needed",
                new.len()
            )));
        }
        let fresh = self.workers.hash(new).await?;
        let change = |account: &mut Account| {
            account.password_hash.clone_from(&fresh);
            true
        };
        let changed = node.databases.change_account(account, &change).await;
        Ok(changed.map_err(|report| Refusal::database(&report))?.is_some())
    }

    /// Whose name, domain and password these are, for whoever is not counted by address.
    pub(crate) async fn owner(&self, node: &Node, auth: &TimAuth) -> Result<Option<AccountId>, Refusal> {
        let (id, password) = credentials(node, auth)?;
        let found = node.databases.find_account(&id).await;
        let found = found.map_err(|report| Refusal::database(&report))?;
        let fits = self.fits(password.to_owned(), found.map(|account| account.password_hash));
        Ok(fits.await?.then_some(id))
    }

    /// Whether a password fits a stored form; without one it takes as long and says no.
    pub(crate) async fn fits(&self, password: String, stored: Option<String>) -> Result<bool, Refusal> {
        if password.len() > CREDENTIAL_BYTES_MAX {
            return Ok(false);
        }
        Ok(self.workers.verify(password, stored.map(Stored::from)).await?)
    }

    /// Whose name and password these are; nobody's takes as long.
    async fn verify(&self, node: &Node, auth: &TimAuth, from: IpAddr) -> Result<Option<AccountId>, Refusal> {
        if self.users.are_elsewhere() {
            return Box::pin(self.verify_elsewhere(node, auth, from)).await;
        }
        let (id, password) = credentials(node, auth)?;
        let found = node
            .databases
            .find_account(&id)
            .await
            .map_err(|report| Refusal::database(&report))?;
        let stored = found.map(|account| account.password_hash);
        // Of nobody's password as well: who is there must not be seen by the time it takes.
        let tag = self
            .remembered
            .tag(&id, stored.as_deref().unwrap_or_default(), password);
        if self.remembered.knows(&id, &tag) {
            node.metrics.password_checked("node");
            return Ok(Some(id));
        }
        // Who is remembered here gets in all the same: many clients may have one address. Other nodes are asked for nobody
        // who has guessed too often: that would be cheaper than a hash.
        let failures = &self.address_rates.failed_logins;
        failures.look(from, &node.metrics)?;
        if Box::pin(remembered::knows(node, &id, tag)).await && stored.is_some() {
            node.metrics.password_checked("owners");
            self.remember_existing(&id);
            return Ok(Some(id));
        }
        node.metrics.password_checked("hash");
        let before = || imported::before_password(node, &id, auth.domain.as_deref().unwrap_or_default());
        let found = stored.clone().map(|text| Stored::of(text, before));
        if !self.workers.verify(password.to_owned(), found).await? {
            // Of those that were looked at together the last ones find no room, which counts as well.
            let _ = failures.take(from, &node.metrics);
            return Ok(None);
        }
        if let Some(stored) = stored {
            let stored = imported::renewed(node, &id, stored, password).await;
            remembered::tell(node, &id, self.remembered.tag(&id, &stored, password));
        }
        self.remember_existing(&id);
        Ok(Some(id))
    }

    /// Whose name and password these are, where others know that.
    async fn verify_elsewhere(
        &self,
        node: &Node,
        auth: &TimAuth,
        from: IpAddr,
    ) -> Result<Option<AccountId>, Refusal> {
        let failures = &self.address_rates.failed_logins;
        failures.look(from, &node.metrics)?;
        let password = auth.pwd.as_deref().unwrap_or_default();
        let id = match self.users.find(node, auth).await.transpose()? {
            Some(Found::Account(id)) => Some(id),
            Some(Found::Stored(id, stored)) => {
                let fits = self.fits_elsewhere(node, &id, stored, password).await?;
                fits.then_some(id)
            }
            Some(Found::Nobody) | None => None,
        };
        let Some(id) = id else {
            // Of those that were looked at together the last ones find no room, which counts as well.
            let _ = failures.take(from, &node.metrics);
            return Ok(None);
        };
        Ok(self.ensure(node, &id).await?.then_some(id))
    }

    /// Whether a password fits the form that others have stored.
    async fn fits_elsewhere(
        &self,
        node: &Node,
        id: &AccountId,
        stored: String,
        password: &str,
    ) -> Result<bool, Refusal> {
        let tag = self.remembered.tag(id, &stored, password);
        if self.remembered.knows(id, &tag) {
            node.metrics.password_checked("node");
            return Ok(true);
        }
        if Box::pin(remembered::knows(node, id, tag)).await {
            node.metrics.password_checked("owners");
            return Ok(true);
        }
        node.metrics.password_checked("hash");
        let fits = self.fits(password.to_owned(), Some(stored)).await?;
        if fits {
            remembered::tell(node, id, tag);
        }
        Ok(fits)
    }

    /// Changes a password for whom knows the present one. Credentials that were verified under the old one are
    /// forgotten by that: they are kept together with the stored form that they fitted.
    pub(crate) async fn change_password(
        &self,
        node: &Node,
        account: &AccountId,
        old: String,
        new: String,
    ) -> Result<PasswordChange, Refusal> {
        self.users.refuse_changes()?;
        if new.is_empty() || new.len() > CREDENTIAL_BYTES_MAX {
            return Err(parameters(&format!(
                "request.reqStr2: {} bytes; a password has 1 to {CREDENTIAL_BYTES_MAX}",
                new.len()
            )));
        }
        if old.len() > CREDENTIAL_BYTES_MAX {
            return Ok(PasswordChange::WrongPassword);
        }
        let found = node.databases.find_account(account).await;
        let found = found.map_err(|report| Refusal::database(&report))?;
        let Some(stored) = found.map(|account| account.password_hash) else {
            return Ok(PasswordChange::WrongPassword);
        };
        if !self.workers.verify(old, Some(stored.clone().into())).await? {
            return Ok(PasswordChange::WrongPassword);
        }
        let fresh = self.workers.hash(new).await?;
        let change = |account: &mut Account| {
            // Of two changes that began with one password, one counts.
            let present = account.password_hash == stored;
            if present {
                account.password_hash.clone_from(&fresh);
            }
            present
        };
        let changed = node.databases.change_account(account, &change).await;
        let changed = changed.map_err(|report| Refusal::database(&report))?;
        Ok(match changed {
            Some(account) if account.password_hash == fresh => PasswordChange::Changed,
            _ => PasswordChange::WrongPassword,
        })
    }

    /// Whose token of another user system it is; the account is made where there is none yet. Nothing where such tokens are
    /// not taken.
    async fn identify(
        &self,
        node: &Node,
        auth: &TimAuth,
        from: IpAddr,
    ) -> Option<Result<(AccountId, Option<String>), Refusal>> {
        let tokens = self.tokens.as_ref()?;
        let token = match &auth.token {
            Some(tim_wire::Token::Text(text)) if text.contains('.') => text,
            _ => return None,
        };
        Some(Box::pin(self.owner_of(node, tokens, (auth, token), from)).await)
    }

    async fn owner_of(
        &self,
        node: &Node,
        tokens: &jwt::Tokens,
        (auth, token): (&TimAuth, &str),
        from: IpAddr,
    ) -> Result<(AccountId, Option<String>), Refusal> {
        let failures = &self.address_rates.failed_logins;
        failures.look(from, &node.metrics)?;
        let wrong = || {
            let _ = failures.take(from, &node.metrics);
            Refusal::plain(ErrorCode::Token, "wrong_token")
        };
        let identity = tokens.identity(token).await.map_err(|denied| match denied {
            jwt::Denied::Wrong => wrong(),
            jwt::Denied::NoKeys => Refusal::issuer_unknown(),
        })?;
        let domain = identity.domain.as_deref().unwrap_or_default();
        let id = node.ids.account_id(&identity.name, domain);
        // One generation of clients says a name too; then it must be the token's.
        let named = auth.name.as_deref().filter(|name| !name.is_empty());
        if named.is_some_and(|name| name != identity.name) || !node.ids.is_valid(&id) {
            return Err(wrong());
        }
        let account = AccountId::new(id).map_err(|_| wrong())?;
        let usable = match tokens.creates_accounts() {
            true => self.ensure(node, &account).await?,
            false => self.exists(node, &account).await?,
        };
        if !usable {
            return Err(wrong());
        }
        Ok((account, identity.domain))
    }

    /// A login token for an account, and when it ends in Unix milliseconds.
    pub(crate) async fn make_token(
        &self,
        node: &Node,
        account: &AccountId,
    ) -> Result<(LoginToken, i64), Refusal> {
        let token = LoginToken::from_random(crate::random::number());
        let lifetime_ms =
            i64::try_from(node.config.sessions.token_lifetime_seconds * 1_000).unwrap_or(i64::MAX);
        let expires_ms = crate::clock::wall_ms().saturating_add(lifetime_ms);
        node.databases
            .put_token(token, account, expires_ms)
            .await
            .map_err(|report| Refusal::database(&report))?;
        Ok((token, expires_ms))
    }

    async fn token(&self, node: &Node, auth: &TimAuth, from: IpAddr) -> Result<TimAck, Refusal> {
        let Some(account) = self.verify(node, auth, from).await? else {
            return Err(Refusal::plain(ErrorCode::NoPass, "wrong_password"));
        };
        let (token, _) = self.make_token(node, &account).await?;
        // Both forms: clients of either generation find theirs.
        Ok(TimAck {
            t: Some(token.number()),
            n: Some(token.text()),
            ..TimAck::success(Command::Token)
        })
    }
}

/// Account id and password of a request that has both.
fn credentials<'a>(node: &Node, auth: &'a TimAuth) -> Result<(AccountId, &'a str), Refusal> {
    let text = |field: &'a Option<String>| field.as_deref().unwrap_or_default();
    let (name, password, domain) = (text(&auth.name), text(&auth.pwd), text(&auth.domain));
    for (field, value) in [("auth.name", name), ("auth.pwd", password)] {
        if value.is_empty() || value.len() > CREDENTIAL_BYTES_MAX {
            return Err(parameters(&format!(
                "{field}: {} bytes; 1 to {CREDENTIAL_BYTES_MAX} are needed",
                value.len()
            )));
        }
    }
    if domain.len() > CREDENTIAL_BYTES_MAX {
        return Err(parameters(&format!(
            "auth.domain: longer than {CREDENTIAL_BYTES_MAX} bytes"
        )));
    }
    let id = node.ids.account_id(name, domain);
    let valid = node.ids.is_valid(&id);
    match AccountId::new(id) {
        Ok(id) if valid => Ok((id, password)),
        _ => Err(parameters(
            "auth.name: is the account's id here, of 1 to 64 bytes without '|' and without the byte 131",
        )),
    }
}

/// Decides a login.
pub(crate) async fn log_in(node: &Node, auth: &TimAuth, from: IpAddr) -> Result<LoggedIn, Refusal> {
    if !node.takes_logins() {
        return Err(Refusal::draining());
    }
    if let Some(callback) = &node.accounts.callback {
        let failures = &node.accounts.address_rates.failed_logins;
        failures.look(from, &node.metrics)?;
        if let Err(refusal) = Box::pin(callback.ask(auth)).await {
            if refusal.code == ErrorCode::PermissionDenied {
                let _ = failures.take(from, &node.metrics);
            }
            return Err(refusal);
        }
    }
    if let Some(identified) = node.accounts.identify(node, auth, from).await {
        let (account, domain) = identified?;
        return Box::pin(admit(node, auth, account, domain)).await;
    }
    let account = match auth.token.as_ref().filter(|token| !token.is_empty()) {
        Some(token) => by_token(node, auth, token).await?,
        None => {
            let verified = node.accounts.verify(node, auth, from).await;
            // Missing names and passwords are told like wrong ones.
            let denied = || Refusal::plain(ErrorCode::PermissionDenied, "wrong_password");
            match verified {
                Ok(account) => account.ok_or_else(denied)?,
                Err(refusal) if refusal.code == ErrorCode::Parameters => return Err(denied()),
                Err(refusal) => return Err(refusal),
            }
        }
    };
    Box::pin(admit(node, auth, account, auth.domain.clone())).await
}

/// Whether an account may have one more session now.
async fn admit(
    node: &Node,
    auth: &TimAuth,
    account: AccountId,
    domain: Option<String>,
) -> Result<LoggedIn, Refusal> {
    let blocked = node.databases.blocked_until(&account).await;
    if let Some(until_ms) = blocked.map_err(|report| Refusal::database(&report))? {
        return Err(Refusal::blocked(until_ms));
    }
    let class = DeviceClass(auth.termtyp.unwrap_or(0));
    let logged_in_ms = Box::pin(devices::admit(node, &account, class)).await?;
    Ok(LoggedIn {
        account,
        domain,
        logged_in_ms,
    })
}

async fn by_token(node: &Node, auth: &TimAuth, token: &tim_wire::Token) -> Result<AccountId, Refusal> {
    let wrong = || Refusal::plain(ErrorCode::Token, "wrong_token");
    let token = token.login_token().ok_or_else(wrong)?;
    let owner = node
        .databases
        .take_token(token)
        .await
        .map_err(|report| Refusal::database(&report))?
        .ok_or_else(wrong)?;
    if !node.accounts.there(node, &owner).await? {
        return Err(wrong());
    }
    // One generation says name and domain too; then they must be the token's.
    if let Some(name) = auth.name.as_deref().filter(|name| !name.is_empty()) {
        let named = node
            .ids
            .account_id(name, auth.domain.as_deref().unwrap_or_default());
        if named != owner.as_str() {
            return Err(wrong());
        }
    }
    Ok(owner)
}

/// Answers `/tim2`: register and token; everything else is empty, as with the reference.
pub(crate) async fn http_request(node: &Node, body: Bytes, from: IpAddr) -> Bytes {
    let Ok(frame) = ClientFrame::parse(body) else {
        return Bytes::new();
    };
    let command = match frame.command() {
        Some(command @ (Command::Register | Command::Token)) => command,
        _ => return Bytes::new(),
    };
    let outcome = match frame.request() {
        _ if node.throttle.is_off(frame.number) => {
            node.metrics.limit_reached("sessions.commands_off");
            Err(Refusal::switched_off(frame.number))
        }
        Ok(ClientRequest::Register(auth)) => {
            let registered = node.accounts.register(node, &auth, from).await;
            registered.map(|account| TimAck {
                n: Some(account.as_str().to_owned()),
                ..TimAck::success(command)
            })
        }
        Ok(ClientRequest::Token(auth)) => node.accounts.token(node, &auth, from).await,
        Ok(_) => return Bytes::new(),
        Err(error) => Err(parameters(&format!("the request cannot be read: {error}"))),
    };
    let ack = outcome.unwrap_or_else(|refusal| refusal.ack(command.tim_type()));
    encode(&ack, frame.encoding)
}

/// The leading byte never says JSON; the encoding is the request's.
fn encode(ack: &TimAck, encoding: Encoding) -> Bytes {
    tim_wire::frame::server_frame(Command::Ack, None, &ack.encode_payload(encoding))
}
