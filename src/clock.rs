//! Moments and durations in words, in the operator's time zone. `TZ` and `/etc/localtime` decide which that is.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::names::Millis;

/// `2026-11-24 17:05`, local.
pub fn date_and_time(at: Millis) -> String {
    print(at, "%Y-%m-%d %H:%M")
}

/// `17:05:09`, local.
pub fn time(at: Millis) -> String {
    print(at, "%H:%M:%S")
}

/// `2026-11-24T17:05:09Z`.
pub fn rfc3339(at: Millis) -> String {
    in_zone(at, "%Y-%m-%dT%H:%M:%SZ", TimeZone::UTC)
}

fn print(at: Millis, format: &str) -> String {
    in_zone(at, format, TimeZone::system())
}

/// A moment outside of the calendar (the years -9999 to 9999) is shown as its number.
fn in_zone(at: Millis, format: &str, zone: TimeZone) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(moment) => moment.to_zoned_datetime(zone).strftime(format).to_string(),
        Err(_) => at.0.to_string(),
    }
}

/// A duration by its two largest units: `4s`, `2m 05s`, `1h 02m`, `3d 04h`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_shows_its_two_largest_units() {
        let shown = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(
            [shown(0), shown(59), shown(125), shown(3725), shown(273_600)],
            ["0s", "59s", "2m 05s", "1h 02m", "3d 04h"]
        );
    }

    #[test]
    fn a_moment_outside_of_the_calendar_does_not_panic() {
        assert_eq!(date_and_time(Millis(i64::MAX)), i64::MAX.to_string());
        assert_eq!(rfc3339(Millis(0)), "1970-01-01T00:00:00Z");
    }
}
