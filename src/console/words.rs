//! Durations, sizes, names and clipping: how figures are put into words. Widths are columns, never bytes or chars.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::names::Millis;

/// A duration as people say it: `0.4s`, `12s`, `3m07s`, `1h02m`, `2d03h`.
pub(super) fn duration(duration: Duration) -> String {
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
pub(super) fn seconds(duration_: Duration) -> String {
    duration(Duration::from_secs(duration_.as_secs()))
}

/// How long ago, in one unit: `3 h ago`.
pub(super) fn ago(now: Millis, then: Millis) -> String {
    let secs = now.since(then).as_secs();
    match secs {
        0..=59 => "just now".to_owned(),
        60..=3599 => format!("{} min ago", secs / 60),
        3600..=86_399 => format!("{} h ago", secs / 3600),
        _ => plural(usize::try_from(secs / 86_400).unwrap_or(usize::MAX), "day") + " ago",
    }
}

/// Decimal units, as Docker prints them.
pub(super) fn bytes(bytes: u64) -> String {
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
pub(super) fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        format!("1 {word}")
    } else {
        format!("{count} {word}s")
    }
}

/// The first names and how many more there are: `a, b and 3 more`.
pub(super) fn names<S: AsRef<str>>(names: &[S], total: usize, show: usize) -> String {
    let shown: Vec<&str> = names.iter().take(show).map(AsRef::as_ref).collect();
    let list = shown.join(", ");
    match total.saturating_sub(shown.len()) {
        0 => list,
        more if shown.is_empty() => more.to_string(),
        more => format!("{list} and {more} more"),
    }
}

/// The time of day, in the operator's zone.
pub(super) fn clock(at: Millis, zone: &TimeZone) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(
        |_| "?".to_owned(),
        |stamp| stamp.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S").to_string(),
    )
}

/// The columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// A text cut to `columns`, with an ellipsis where something is missing.
pub(super) fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let next = width(grapheme);
        if used + next + 1 > columns {
            break;
        }
        out.push_str(grapheme);
        used += next;
    }
    if columns > 0 {
        out.push('…');
    }
    Cow::Owned(out)
}

/// A text cut or filled up to exactly `columns`.
pub(super) fn pad(text: &str, columns: usize) -> String {
    let mut out = fit(text, columns).into_owned();
    for _ in width(&out)..columns {
        out.push(' ');
    }
    out
}

/// Breaks a text into lines of at most `columns`, at spaces where there are any; line breaks in it are kept.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut used = 0;
        for word in paragraph.split_inclusive(' ') {
            let bare = width(word.trim_end());
            if used > 0 && used + bare > columns {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
                used = 0;
            }
            if bare > columns {
                for grapheme in word.graphemes(true) {
                    if used + width(grapheme) > columns {
                        lines.push(std::mem::take(&mut line));
                        used = 0;
                    }
                    line.push_str(grapheme);
                    used += width(grapheme);
                }
            } else {
                line.push_str(word);
                used += width(word);
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// Breaks one line of output at exactly `columns`, keeping its spaces.
pub(super) fn chop(line: &str, columns: usize) -> Vec<&str> {
    let columns = columns.max(2);
    let mut pieces = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, grapheme) in line.grapheme_indices(true) {
        let next = width(grapheme);
        if used + next > columns {
            pieces.push(&line[start..at]);
            (start, used) = (at, 0);
        }
        used += next;
    }
    pieces.push(&line[start..]);
    pieces
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
    fn clipping_counts_columns_and_never_splits_a_wide_character() {
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(pad("ab", 4), "ab  ");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn wrapping_breaks_at_spaces_and_splits_what_has_none() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(chop("abc def", 4), ["abc ", "def"]);
    }
}
