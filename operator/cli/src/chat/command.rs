//! What a line that begins with a slash asks for. A line that begins with two is text with one.

/// Messages that `/history` shows without a number.
const HISTORY_DEFAULT: u32 = 10;
/// Most that it shows.
const HISTORY_MAX: u32 = 100;

/// What `/help` says, a line each.
pub(super) const HELP: [&str; 11] = [
    "/back [NUMBER]      take back a message of yours, the last one without a number",
    "/burn NUMBER        burn a message: it is erased on both sides",
    "/history [COUNT]    the last messages of this conversation (10)",
    "/friends            who your friends are",
    "/status TEXT        tell friends who are online, for example: /status at lunch",
    "/room new TOPIC     make a room that anybody may join, and talk there",
    "/room join ID       join a room, and talk there; /room alone: back to the one you began with",
    "/room add ACCOUNT   take somebody into the room you talk in",
    "/room leave | list  leave the room you talk in; which rooms you are in",
    "/quit               leave",
    "//TEXT              a message that begins with a slash",
];

/// A typed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// To be sent.
    Text(String),
    /// Take back a message, the last one without a number.
    Back(Option<i64>),
    /// Burn a message.
    Burn(i64),
    /// Show so many messages.
    History(u32),
    /// List the friends.
    Friends,
    /// Rooms.
    Room(RoomLine),
    /// Tell friends.
    Status(String),
    /// Say what there is.
    Help,
    /// Leave.
    Quit,
    /// Not understood, and why.
    Wrong(String),
}

/// What of rooms a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RoomLine {
    /// Make one about this.
    New(String),
    /// Join this one, and talk there.
    Join(String),
    /// Take this account in.
    Add(String),
    /// Leave the one that is talked in.
    Leave,
    /// Which there are.
    List,
    /// Talk to the other side again.
    Back,
}

/// Reads a typed line.
pub(super) fn read(line: &str) -> Line {
    let Some(command) = line.strip_prefix('/') else {
        return Line::Text(line.to_owned());
    };
    if command.starts_with('/') {
        return Line::Text(command.to_owned());
    }
    let (verb, rest) = command
        .split_once(char::is_whitespace)
        .map_or((command, ""), |(verb, rest)| (verb, rest.trim()));
    match (verb, rest) {
        ("back", "") => Line::Back(None),
        ("back", number) => with_number(number, "/back 12", |number| Line::Back(Some(number))),
        ("burn", number) => with_number(number, "/burn 12", Line::Burn),
        ("history", "") => Line::History(HISTORY_DEFAULT),
        ("history", count) => with_number(count, "/history 20", |count| {
            Line::History(u32::try_from(count).unwrap_or(HISTORY_MAX).min(HISTORY_MAX))
        }),
        ("friends", "") => Line::Friends,
        ("room", rest) => room(rest),
        ("status", "") => Line::Wrong("/status needs a text, as in: /status at lunch".to_owned()),
        ("status", text) => Line::Status(text.to_owned()),
        ("help", _) => Line::Help,
        ("quit", "") => Line::Quit,
        _ => Line::Wrong(format!(
            "/{verb} is not known; /help says what is, // begins a text"
        )),
    }
}

fn room(rest: &str) -> Line {
    let (verb, what) = rest
        .split_once(char::is_whitespace)
        .map_or((rest, ""), |(verb, what)| (verb, what.trim()));
    let what = what.to_owned();
    match (verb, what.is_empty()) {
        ("", _) => Line::Room(RoomLine::Back),
        ("new", false) => Line::Room(RoomLine::New(what)),
        ("join", false) => Line::Room(RoomLine::Join(what)),
        ("add", false) => Line::Room(RoomLine::Add(what)),
        ("leave", true) => Line::Room(RoomLine::Leave),
        ("list", true) => Line::Room(RoomLine::List),
        _ => Line::Wrong("/room new TOPIC, join ID, add ACCOUNT, leave, or list".to_owned()),
    }
}

fn with_number(text: &str, example: &str, line: impl Fn(i64) -> Line) -> Line {
    match text.trim_start_matches('#').parse::<i64>() {
        Ok(number) if number > 0 => line(number),
        _ => Line::Wrong(format!("a number is needed, as in: {example}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_and_two_slashes_are_one() {
        assert_eq!(read("hello /there"), Line::Text("hello /there".into()));
        assert_eq!(read("//etc/passwd"), Line::Text("/etc/passwd".into()));
    }

    #[test]
    fn commands_and_what_is_wrong_with_them() {
        assert_eq!(read("/back"), Line::Back(None));
        assert_eq!(read("/back #12"), Line::Back(Some(12)));
        assert_eq!(read("/burn 7"), Line::Burn(7));
        assert_eq!(read("/history"), Line::History(10));
        assert_eq!(read("/history 5000"), Line::History(100));
        assert_eq!(read("/status at lunch"), Line::Status("at lunch".into()));
        assert_eq!(read("/quit"), Line::Quit);
        assert_eq!(
            read("/room new the garden"),
            Line::Room(RoomLine::New("the garden".into()))
        );
        assert_eq!(read("/room join 5pTh"), Line::Room(RoomLine::Join("5pTh".into())));
        assert_eq!(read("/room"), Line::Room(RoomLine::Back));
        assert_eq!(read("/room list"), Line::Room(RoomLine::List));
        for wrong in [
            "/burn",
            "/burn x",
            "/back 0",
            "/history -1",
            "/status",
            "/bakc",
            "/friends of",
            "/room new",
            "/room leave now",
            "/room dance",
        ] {
            assert!(matches!(read(wrong), Line::Wrong(_)), "{wrong}");
        }
    }
}
