//! Clean text: the one place where text from outside is made safe to show, store and print.
//!
//! Foreign text (build logs, host output, tags, git subjects, error messages) may hold escape sequences, C1 controls,
//! bidirectional overrides, zero-width runs or invalid UTF-8. Whatever arrives passes here once, at the boundary;
//! a [`Clean`] can then be written to a terminal, a log or a file as it is.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthChar as _;

/// Text without control characters, escape sequences, bidi overrides or zero-width characters.
///
/// A clean *line* has no line break; a clean *block* may hold `\n` and nothing else of that kind.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Clean(Box<str>);

impl Clean {
    /// One line: line breaks and tabs become spaces, what a terminal would obey or hide is dropped.
    pub fn line(text: &str) -> Self {
        Self(clean(text, false).into())
    }

    /// Several lines: `\r\n` and `\n` stay breaks, a lone `\r` starts its line over as a terminal would.
    pub fn block(text: &str) -> Self {
        Self(clean(text, true).into())
    }

    /// A line of at most `max` bytes, `…` where it was cut: for text whose length nobody answers for.
    ///
    /// What is behind the cut costs no memory; a secret has to be masked before.
    pub fn line_within(text: &str, max: usize) -> Self {
        Self(clean_within(text, false, max).into())
    }

    /// A block of at most `max` bytes, `…` where it was cut; see [`Clean::line_within`].
    pub fn block_within(text: &str, max: usize) -> Self {
        Self(clean_within(text, true, max).into())
    }

    /// A block out of bytes that need not be UTF-8; what is not becomes U+FFFD.
    pub fn bytes(bytes: &[u8]) -> Self {
        Self::block(&String::from_utf8_lossy(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Clean {
    fn from(text: String) -> Self {
        Self::block(&text)
    }
}

impl From<&str> for Clean {
    fn from(text: &str) -> Self {
        Self::block(text)
    }
}

impl From<Clean> for String {
    fn from(clean: Clean) -> Self {
        clean.0.into()
    }
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Whether a terminal shows nothing for it, or lets it change the order of what is beside it: Unicode's
/// Default_Ignorable_Code_Point, the bidi controls, and what separates lines and annotations.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// More marks in a row are on no letter of any language; they only paint over the lines around them.
const MARKS_MAX: usize = 8;

/// Runs `text` through the escape-sequence parser and keeps what would be seen.
fn clean(text: &str, breaks: bool) -> String {
    let mut out = Printer::new(text.len(), breaks);
    vte::Parser::new().advance(&mut out, text.as_bytes());
    out.text
}

/// As [`clean`], until `max` bytes are there.
fn clean_within(text: &str, breaks: bool, max: usize) -> String {
    /// So much is taken in at a time.
    const PART: usize = 4096;
    if text.len() <= max {
        return clean(text, breaks);
    }
    let mut out = Printer::new(max.saturating_add(PART), breaks);
    let mut parser = vte::Parser::new();
    for part in text.as_bytes().chunks(PART) {
        parser.advance(&mut out, part);
        if out.text.len() > max {
            let room = max.saturating_sub(CUT.len());
            out.text.truncate(out.text.floor_char_boundary(room));
            out.text.push_str(CUT);
            break;
        }
    }
    out.text
}

/// Stands where a text was cut.
const CUT: &str = "…";

struct Printer {
    text: String,
    breaks: bool,
    /// Where the current line starts in `text`.
    line: usize,
    /// A `\r` was seen: the next printed character starts the line over.
    restart: bool,
    /// How many marks without a width of their own came last.
    marks: usize,
}

impl Printer {
    fn new(capacity: usize, breaks: bool) -> Self {
        Self {
            text: String::with_capacity(capacity),
            breaks,
            line: 0,
            restart: false,
            marks: 0,
        }
    }

    fn push(&mut self, c: char) {
        if self.restart {
            self.text.truncate(self.line);
            self.restart = false;
            self.marks = 0;
        }
        self.marks = if c.width() == Some(0) { self.marks + 1 } else { 0 };
        if self.marks > MARKS_MAX {
            return;
        }
        self.text.push(c);
    }
}

impl vte::Perform for Printer {
    fn print(&mut self, c: char) {
        if !is_invisible(c) && !c.is_control() {
            self.push(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' if self.breaks => {
                self.restart = false;
                self.marks = 0;
                self.text.push('\n');
                self.line = self.text.len();
            }
            b'\r' if self.breaks => self.restart = true,
            b'\n' | b'\r' | b'\t' => self.push(' '),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_leave_no_trace() {
        assert_eq!(
            Clean::line("\u{1b}[91mwarn\u{1b}[0m: \u{1b}]8;;https://x\u{1b}\\link\u{1b}]8;;\u{1b}\\").as_str(),
            "warn: link"
        );
        // A C1 introducer goes; what followed it is plain text then.
        assert_eq!(Clean::line("a\u{9b}31mb\u{202e}c\u{200b}d").as_str(), "a31mbcd");
    }

    #[test]
    fn a_progress_bar_ends_as_its_last_state() {
        assert_eq!(Clean::block("10%\r50%\r100%\r\ndone\n").as_str(), "100%\ndone\n");
    }

    #[test]
    fn a_long_text_is_cut_where_it_is_said_and_its_rest_costs_nothing() {
        let long = "\u{1b}[31mä\u{1b}[0m".repeat(1_000_000);
        let cut = Clean::line_within(&long, 10);
        assert_eq!(cut.as_str(), "äää…");
        assert!(cut.0.len() <= 10);
        assert_eq!(Clean::block_within("a\nb", 10).as_str(), "a\nb");
        assert_eq!(Clean::line_within("äää", 6).as_str(), "äää");
        // What is not seen does not count.
        assert_eq!(Clean::line_within(&"\u{1b}[0m".repeat(10), 3).as_str(), "");
        assert_eq!(Clean::block_within("1%\r2%\r3%\r4%", 4).as_str(), "4%");
    }

    #[test]
    fn a_heap_of_marks_on_one_letter_does_not_paint_over_its_neighbours() {
        let heap = format!("a{}b", "\u{301}".repeat(500));
        assert_eq!(
            Clean::line(&heap).as_str(),
            format!("a{}b", "\u{301}".repeat(MARKS_MAX))
        );
        let vietnamese = "Vie\u{323}\u{302}t";
        assert_eq!(Clean::line(vietnamese).as_str(), vietnamese);
    }

    #[test]
    fn a_line_has_no_break() {
        assert_eq!(Clean::line("a\nb\tc").as_str(), "a b c");
    }
}
