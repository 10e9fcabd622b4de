//! Clean text: the one place where text from outside is made safe to show, store and print.
//!
//! Foreign text (build logs, host output, tags, git subjects, error messages) may hold escape sequences, C1 controls,
//! bidirectional overrides, zero-width runs or invalid UTF-8. Whatever arrives passes here once, at the boundary;
//! a [`Clean`] can then be written to a terminal, a log or a file as it is.

use std::fmt;

use serde::{Deserialize, Serialize};

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

/// Whether a terminal shows nothing for it, or lets it change the order of what is beside it.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E0FFF}')
}

/// Runs `text` through the escape-sequence parser and keeps what would be seen.
fn clean(text: &str, breaks: bool) -> String {
    let mut out = Printer {
        text: String::with_capacity(text.len()),
        breaks,
        line: 0,
        restart: false,
    };
    vte::Parser::new().advance(&mut out, text.as_bytes());
    out.text
}

struct Printer {
    text: String,
    breaks: bool,
    /// Where the current line starts in `text`.
    line: usize,
    /// A `\r` was seen: the next printed character starts the line over.
    restart: bool,
}

impl Printer {
    fn push(&mut self, c: char) {
        if self.restart {
            self.text.truncate(self.line);
            self.restart = false;
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
    fn a_line_has_no_break() {
        assert_eq!(Clean::line("a\nb\tc").as_str(), "a b c");
    }
}
