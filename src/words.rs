//! Durations, sizes, counts and moments in words, alike on the screen and in every other output.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::names::Millis;

/// A duration as people say it: `0.4s`, `12s`, `3m07s`, `1h02m`, `2d03h`.
pub fn duration(duration: Duration) -> String {
    let secs = duration.as_secs();
    match secs {
        0..=9 if duration.subsec_millis() >= 50 && secs < 10 => format!("{:.1}s", duration.as_secs_f32()),
        0..=59 => format!("{secs}s"),
        60..=3599 => format!("{}m{:02}s", secs / 60, secs % 60),
        3600..=86_399 => format!("{}h{:02}m", secs / 3600, secs % 3600 / 60),
        _ => format!("{}d{:02}h", secs / 86_400, secs % 86_400 / 3600),
    }
}

/// A duration in whole seconds, for figures that tick.
pub fn seconds(duration_: Duration) -> String {
    duration(Duration::from_secs(duration_.as_secs()))
}

/// How long ago, in one unit: `3 h ago`.
pub fn ago(now: Millis, then: Millis) -> String {
    let secs = now.since(then).as_secs();
    match secs {
        0..=59 => "just now".to_owned(),
        60..=3599 => format!("{} min ago", secs / 60),
        3600..=86_399 => format!("{} h ago", secs / 3600),
        _ => plural(usize::try_from(secs / 86_400).unwrap_or(usize::MAX), "day") + " ago",
    }
}

/// Decimal units, as Docker prints them.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.95 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// `1 host`, `2 hosts`.
pub fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        format!("1 {word}")
    } else {
        format!("{count} {word}s")
    }
}

/// The first names and how many more there are: `a, b and 3 more`.
pub fn names<S: AsRef<str>>(names: &[S], total: usize, show: usize) -> String {
    let shown: Vec<&str> = names.iter().take(show).map(AsRef::as_ref).collect();
    let list = shown.join(", ");
    match total.saturating_sub(shown.len()) {
        0 => list,
        more if shown.is_empty() => more.to_string(),
        more => format!("{list} and {more} more"),
    }
}

/// An address without what could be a password: scheme, host and port, or a socket's path.
pub fn address(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some(("unix", _)) => return text.to_owned(),
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None if text.starts_with('/') => return text.to_owned(),
        None => (String::new(), text),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => host,
        // A password with a slash in it ends the host too early.
        None if rest.contains('@') => "…",
        None => authority,
    };
    format!("{scheme}{host}")
}

/// The time of day in `zone`: `17:05:09`.
pub fn clock(at: Millis, zone: &TimeZone) -> String {
    print(at, "%H:%M:%S", zone)
}

/// Day and minute in `zone`: `2026-11-24 17:05`.
pub fn date_and_time(at: Millis, zone: &TimeZone) -> String {
    print(at, "%Y-%m-%d %H:%M", zone)
}

/// A moment outside of the calendar (the years -9999 to 9999) is shown as `?`.
fn print(at: Millis, format: &str, zone: &TimeZone) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(
        |_| "?".to_owned(),
        |stamp| stamp.to_zoned_datetime(zone.clone()).strftime(format).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let say = |millis| duration(Duration::from_millis(millis));
        assert_eq!(
            [
                say(0),
                say(420),
                say(12_000),
                say(187_000),
                say(3_720_000),
                say(183_600_000)
            ],
            ["0s", "0.4s", "12s", "3m07s", "1h02m", "2d03h"]
        );
    }

    #[test]
    fn sizes_have_two_or_three_digits() {
        assert_eq!(
            [bytes(0), bytes(999), bytes(1_500), bytes(99_900), bytes(123_456_789)],
            ["0 B", "999 B", "1.5 kB", "99.9 kB", "123 MB"]
        );
    }

    #[test]
    fn an_address_is_shown_without_its_login() {
        for (address_, shown) in [
            ("https://me:pa55@proxy:8080/x?token=y", "https://proxy:8080"),
            ("https://me:pa/55@proxy:8080", "https://…"),
            ("me:pa55@proxy:2376", "proxy:2376"),
            ("http://[::1]:4566", "http://[::1]:4566"),
            ("unix:///run/user@1/docker.sock", "unix:///run/user@1/docker.sock"),
        ] {
            assert_eq!(address(address_), shown);
        }
    }

    #[test]
    fn a_moment_outside_of_the_calendar_does_not_panic() {
        assert_eq!(date_and_time(Millis(i64::MAX), &TimeZone::UTC), "?");
        assert_eq!(date_and_time(Millis(0), &TimeZone::UTC), "1970-01-01 00:00");
    }
}
