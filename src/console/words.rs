//! Clipping, filling and wrapping. Widths are columns, never bytes or chars.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

pub(super) use crate::words::{ago, bytes, clock, date_and_time, duration, names, plural, seconds};

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

/// The parts that fit in `columns`, with a dot between them: the first ones first, and only the first is ever cut.
pub(super) fn join(parts: &[String], columns: usize) -> String {
    let mut out = String::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if out.is_empty() {
            out = fit(part, columns).into_owned();
        } else if width(&out) + 3 + width(part) <= columns {
            out.push_str(" · ");
            out.push_str(part);
        } else {
            break;
        }
    }
    out
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
    fn clipping_counts_columns_and_never_splits_a_wide_character() {
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(pad("ab", 4), "ab  ");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn a_part_that_does_not_fit_is_left_out_whole() {
        let parts = ["9 steps", "", "1m11s", "context 12 MB"].map(str::to_owned);
        assert_eq!(join(&parts, 40), "9 steps · 1m11s · context 12 MB");
        assert_eq!(join(&parts, 20), "9 steps · 1m11s");
        assert_eq!(join(&parts, 5), "9 st…");
    }

    #[test]
    fn wrapping_breaks_at_spaces_and_splits_what_has_none() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(chop("abc def", 4), ["abc ", "def"]);
    }
}
