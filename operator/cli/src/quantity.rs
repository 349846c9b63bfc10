//! Numbers as people read them: durations, bytes, counts.

use std::time::Duration;

/// `41 s`, `6 min`, `3 h 2 min`, `6 d 2 h`.
pub fn long_duration(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m {}s", seconds / MINUTE, seconds % MINUTE),
        HOUR..DAY => format!("{}h {}m", seconds / HOUR, seconds % HOUR / MINUTE),
        _ => format!("{}d {}h", seconds / DAY, seconds % DAY / HOUR),
    }
}

/// `0.31 s`, `12.4 s`, `2 min 5 s`.
pub fn short_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match duration.as_secs() {
        0..10 => format!("{seconds:.2} s"),
        10..100 => format!("{seconds:.1} s"),
        whole => format!("{} min {} s", whole / 60, whole % 60),
    }
}

/// `512 Ki`, `38.2 Mi`, `212 Mi`, `1.4 Gi`.
pub fn bytes(count: u64) -> String {
    const STEP: f64 = 1024.0;
    let mut value = count as f64;
    let mut unit = 0;
    const UNITS: [&str; 5] = ["", " Ki", " Mi", " Gi", " Ti"];
    while value >= STEP && unit + 1 < UNITS.len() {
        value /= STEP;
        unit += 1;
    }
    if unit == 0 || value >= 100.0 {
        format!("{value:.0}{}", UNITS[unit])
    } else {
        format!("{value:.1}{}", UNITS[unit])
    }
}

/// `524,288`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `1,840`, `0.4`, `0`: a number per second.
pub fn rate(per_second: f64) -> String {
    if per_second <= 0.0 {
        return "0".into();
    }
    if per_second < 10.0 {
        return format!("{per_second:.1}");
    }
    let whole = per_second.round() as u64;
    count(whole)
}

/// `0.9 ms`, `11 ms`, `1,203 ms`.
pub fn milliseconds(value: f64) -> String {
    format!("{} ms", rate(value))
}

/// Reads `30s`, `5m`, `250ms`, `2h`.
///
/// # Errors
/// The forms that are understood.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| DURATION_FORMS.to_owned())?;
    let milliseconds_per_unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err(DURATION_FORMS.to_owned()),
    };
    number
        .checked_mul(milliseconds_per_unit)
        .map(Duration::from_millis)
        .ok_or_else(|| DURATION_FORMS.to_owned())
}

const DURATION_FORMS: &str = "a duration is a whole number with ms, s, m or h, such as 250ms, 30s, 5m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        assert_eq!(long_duration(41), "41s");
        assert_eq!(long_duration(6 * 86_400 + 2 * 3_600), "6d 2h");
        assert_eq!(short_duration(Duration::from_millis(20)), "0.02 s");
        assert_eq!(short_duration(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(bytes(212 * 1024 * 1024), "212 Mi");
        assert_eq!(bytes(40_000_000), "38.1 Mi");
        assert_eq!(count(524_288), "524,288");
        assert_eq!(count(7), "7");
        assert_eq!(
            (rate(0.0), rate(0.42), rate(1_840.4)),
            ("0".into(), "0.4".into(), "1,840".into())
        );
        assert_eq!(
            (milliseconds(0.91), milliseconds(11.2)),
            ("0.9 ms".into(), "11 ms".into())
        );
    }

    #[test]
    fn durations_are_read_with_their_unit_only() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["5", "m", "", "-1s", "1.5s", "99999999999999999999h"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
