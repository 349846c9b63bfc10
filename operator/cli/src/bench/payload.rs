//! The text of a message: its number among those of its sender, when it was sent, and dots.

use std::time::Duration;

/// Clocks of server and tool may differ by a little.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// `SEQUENCE NANOSECONDS` and dots up to the wanted length.
pub(super) fn write(sequence: u64, since_start: Duration, bytes: usize) -> String {
    let mut text = format!("{sequence} {} ", since_start.as_nanos());
    while text.len() < bytes {
        text.push('.');
    }
    text
}

/// Sequence and time of a payload.
pub(super) fn read(text: &str) -> Option<(u64, Duration)> {
    let mut parts = text.split(' ');
    let sequence = parts.next()?.parse().ok()?;
    let nanoseconds = parts.next()?.parse().ok()?;
    Some((sequence, Duration::from_nanos(nanoseconds)))
}

/// Sequence and time of a stored message of this run; nothing of others, which come again to those who had not confirmed
/// them. Their times since their own start may look like this run's; those that the server gave do not.
pub(super) fn of_this_run(
    text: Option<&str>,
    timestamp: Option<i64>,
    elapsed: Duration,
) -> Option<(u64, Duration)> {
    let (sequence, sent) = text.and_then(read)?;
    let earlier = timestamp.is_some_and(|time| is_of_earlier_run(time, elapsed));
    (sent <= elapsed && !earlier).then_some((sequence, sent))
}

fn is_of_earlier_run(unix_nanoseconds: i64, elapsed: Duration) -> bool {
    let now = jiff::Timestamp::now().as_nanosecond();
    let age = now - i128::from(unix_nanoseconds);
    age > i128::try_from((elapsed + CLOCK_SKEW).as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_has_its_length_and_is_read_again() {
        let text = write(42, Duration::from_nanos(77), 64);
        assert_eq!(text.len(), 64);
        assert_eq!(read(&text), Some((42, Duration::from_nanos(77))));
        assert_eq!(read("probe"), None);
    }

    #[test]
    fn what_an_earlier_run_sent_is_told_apart() {
        let text = write(3, Duration::from_secs(1), 16);
        let at = |age: i64| {
            let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
            of_this_run(
                Some(&text),
                Some(now - age * 1_000_000_000),
                Duration::from_secs(2),
            )
        };
        assert_eq!(at(1), Some((3, Duration::from_secs(1))));
        assert_eq!(at(60), None);
        assert_eq!(of_this_run(Some(&text), None, Duration::from_millis(500)), None);
    }
}
