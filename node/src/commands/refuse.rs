//! Answers that say no: the code of the wire, and in its text our own code with what is wrong and where.

use crate::edge::Connection;
use crate::session::frames;
use tim_catalogue::{Cause, Report, node, protocol, storage};
use tim_core::conversation;
use tim_core::rate::TooFast;
use tim_wire::{Encoding, ErrorCode, TimAck};

/// A limit of the configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// Its key.
    pub(crate) key: &'static str,
    /// What is set.
    pub(crate) value: u32,
}

/// What a refused operation was about: a room, and an account.
#[derive(Debug, Clone)]
struct About {
    room: Option<String>,
    account: Option<String>,
}

/// Why an operation is refused.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// What clients know.
    pub(crate) code: ErrorCode,
    /// What telemetry counts it under.
    pub(crate) error_type: &'static str,
    info: String,
    /// The operation within the command, where the answer names it.
    t: Option<i64>,
    /// What it was about, where the answer names it. Apart, as it is rare.
    about: Option<Box<About>>,
    /// The id that the client gave its message, by which it knows which one is meant.
    message_id: Option<i64>,
}

impl Refusal {
    fn of(code: ErrorCode, cause: &'static Cause, detail: &str) -> Self {
        Self {
            code,
            error_type: cause.name,
            info: format!("{} {detail}", cause.code),
            t: None,
            about: None,
            message_id: None,
        }
    }

    /// A field is outside its valid set; the detail names it.
    pub(crate) fn field(code: ErrorCode, detail: String) -> Self {
        Self::of(code, &protocol::INVALID_FIELD, &detail)
    }

    /// The same under another code of the wire.
    pub(crate) fn with_code(mut self, code: ErrorCode) -> Self {
        self.code = code;
        self
    }

    /// A command, or a kind of it, is not offered.
    pub(crate) fn not_supported(number: u8) -> Self {
        Self::of(
            ErrorCode::Parameters,
            &protocol::NOT_SUPPORTED,
            &format!("command {number} is not offered by this version"),
        )
    }

    /// An operation within a command is not offered.
    pub(crate) fn operation_not_supported(detail: &str) -> Self {
        Self::of(ErrorCode::Parameters, &protocol::NOT_SUPPORTED, detail)
    }

    /// The database cannot do it now.
    pub(crate) fn database(report: &Report) -> Self {
        Self::of(ErrorCode::Database, report.cause(), report.observed())
    }

    /// No database of the cluster takes a message of that size.
    pub(crate) fn too_large(bytes: usize) -> Self {
        let limit = tim_store::MAX_BODY_BYTES;
        let detail = format!("a message of {bytes} bytes; at most {limit} are stored");
        Self::of(ErrorCode::Parameters, &storage::TOO_LARGE, &detail)
    }

    /// A limit is reached.
    pub(crate) fn overloaded(detail: &str) -> Self {
        Self::of(ErrorCode::Overload, &node::OVERLOADED, detail)
    }

    /// A rate of the configuration is used up.
    pub(crate) fn too_fast(limit: &Limit, too_fast: TooFast) -> Self {
        let detail = format!(
            "{} is {}; again in {} ms",
            limit.key, limit.value, too_fast.wait_ms
        );
        Self::of(ErrorCode::Overload, &protocol::TOO_FAST, &detail)
    }

    /// Whose token it is cannot be found out now.
    pub(crate) fn issuer_unknown() -> Self {
        let detail = "the keys of the issuer of tokens cannot be read now";
        Self::of(ErrorCode::Overload, &node::ISSUER_KEYS_UNREADABLE, detail)
    }

    /// Who looks at logins has not answered.
    pub(crate) fn callback_fails() -> Self {
        let detail = "who has to agree to logins does not answer now";
        Self::of(ErrorCode::Overload, &node::LOGIN_CALLBACK_FAILS, detail)
    }

    /// The database of users has not answered.
    pub(crate) fn users_unknown() -> Self {
        let detail = "the database of users does not answer now";
        Self::of(ErrorCode::Overload, &node::USER_DATABASE_FAILS, detail)
    }

    /// The database of users has given an answer that cannot be taken; the detail says which and why.
    pub(crate) fn answer_of_no_use(detail: &str) -> Self {
        Self::of(ErrorCode::Overload, &node::USER_DATABASE_FAILS, detail)
    }

    /// A command is switched off in this cluster.
    pub(crate) fn switched_off(number: u8) -> Self {
        let detail = format!("command {number} is switched off (sessions.commands_off)");
        Self::of(ErrorCode::Interface, &protocol::SWITCHED_OFF, &detail)
    }

    /// The account has as many sessions as it may, and the login before was a moment ago.
    pub(crate) fn too_many_devices(limit: &Limit, wait_ms: u64) -> Self {
        let detail = format!(
            "{} is {}, and the account logged in a moment ago; again in {wait_ms} ms",
            limit.key, limit.value
        );
        Self::of(ErrorCode::OverEntry, &protocol::TOO_MANY_DEVICES, &detail)
    }

    /// The account may not log in until a time, in Unix milliseconds.
    pub(crate) fn blocked(until_ms: i64) -> Self {
        let detail = format!("the account is blocked until {} (Unix seconds)", until_ms / 1_000);
        Self::of(ErrorCode::PermissionDenied, &protocol::ACCOUNT_BLOCKED, &detail)
    }

    /// A frame is larger than it may be; which command it was is not known.
    pub(crate) fn frame_too_large(limit: usize) -> Self {
        let detail = format!("limits.frame_bytes_max is {limit}");
        Self::of(ErrorCode::Parameters, &protocol::FRAME_TOO_LARGE, &detail)
    }

    /// The node leaves; another one takes the client.
    pub(crate) fn draining() -> Self {
        Self::of(
            ErrorCode::Overload,
            &node::DRAINING,
            "this node is leaving, connect again",
        )
    }

    /// A code with the text that clients of the reference know.
    pub(crate) fn plain(code: ErrorCode, error_type: &'static str) -> Self {
        Self {
            code,
            error_type,
            info: code.info().to_owned(),
            t: None,
            about: None,
            message_id: None,
        }
    }

    /// What the rules of a conversation said.
    pub(crate) fn judged(refusal: conversation::Refusal) -> Self {
        let error_type = match refusal {
            conversation::Refusal::NotFriends => "not_friends",
            conversation::Refusal::Blocked => "blocked",
            conversation::Refusal::OwnAccount => "own_account",
            conversation::Refusal::AlreadyFriends => "already_friends",
            conversation::Refusal::NotRelated => "not_related",
            conversation::Refusal::NoSuchMessage => "no_such_message",
            conversation::Refusal::NotTheirs => "not_theirs",
            conversation::Refusal::NotAMember => "not_a_member",
            conversation::Refusal::NotAllowed => "not_allowed",
            conversation::Refusal::AlreadyMember => "already_member",
            conversation::Refusal::Cancelled => "cancelled",
            conversation::Refusal::NoSuchRoom => "no_such_room",
            conversation::Refusal::NothingPending => "nothing_pending",
            conversation::Refusal::OtherwiseRelated => "otherwise_related",
            conversation::Refusal::RoomFull => "room_full",
            conversation::Refusal::BannedFromPrivate => "banned_from_private",
            conversation::Refusal::Malformed => "malformed",
        };
        let code = ErrorCode::from_number(refusal.wire_code()).unwrap_or(ErrorCode::PermissionDenied);
        Self::plain(code, error_type)
    }

    /// What is wrong, with our own code in front where there is one.
    pub(crate) fn info(&self) -> &str {
        &self.info
    }

    /// Names the operation within the command.
    pub(crate) fn within(mut self, operation: i32) -> Self {
        self.t = Some(i64::from(operation));
        self
    }

    /// Names what the operation was about: a room, and the account that it concerned.
    pub(crate) fn about(mut self, room: Option<String>, account: Option<String>) -> Self {
        self.about = Some(Box::new(About { room, account }));
        self
    }

    /// Names the message that is refused, by the id its client gave it.
    pub(crate) fn of_message(mut self, id: Option<i64>) -> Self {
        self.message_id = id;
        self
    }

    /// The answer, as clients get it.
    pub(crate) fn ack(self, tim_type: i8) -> TimAck {
        let (n, n2) = self
            .about
            .map_or((None, None), |about| (about.room, about.account));
        TimAck {
            t: self.t,
            n,
            n2,
            t2: self.message_id,
            ..TimAck::failure_of(tim_type, self.code.error_with(self.info))
        }
    }

    /// Answers on a connection.
    pub(crate) fn answer(mut self, connection: &mut Connection, tim_type: i8) {
        if self.info.starts_with(protocol::INVALID_FIELD.code) {
            self.info = format!(
                "{} (frame {}, type {tim_type})",
                self.info, connection.frame_number
            );
        }
        let encoding = connection.encoding(Encoding::Thrift);
        connection.out.push(frames::ack(&self.ack(tim_type), encoding));
    }
}
