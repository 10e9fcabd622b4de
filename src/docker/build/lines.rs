//! Lines out of a log's chunks, which end anywhere.

use crate::mask::Mask;
use crate::text::Clean;

/// A longer line is handed on in pieces, so that its length costs no memory.
const LINE_MAX: usize = 16 * 1024;

/// What has come of the current line so far.
#[derive(Default)]
pub struct Lines {
    held: Vec<u8>,
}

impl Lines {
    /// Takes a chunk and hands on every line that it ends.
    pub fn push(&mut self, chunk: &[u8], mask: &Mask, mut line: impl FnMut(Clean)) {
        self.push_both(chunk, mask, |_, masked| line(masked));
    }

    /// As [`Lines::push`], with each line as it came before it, for whoever has to understand it and shows it to nobody.
    pub fn push_both(&mut self, chunk: &[u8], mask: &Mask, mut line: impl FnMut(&str, Clean)) {
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.hold(&rest[..end], mask, &mut line);
            let held = String::from_utf8_lossy(&self.held);
            line(&held, mask.block(&held));
            self.held.clear();
            rest = &rest[end + 1..];
        }
        self.hold(rest, mask, &mut line);
    }

    /// Hands on what is left without a line break.
    pub fn finish(&mut self, mask: &Mask, line: impl FnOnce(Clean)) {
        if !self.held.is_empty() {
            line(mask.block(&String::from_utf8_lossy(&self.held)));
            self.held = Vec::new();
        }
    }

    fn hold(&mut self, bytes: &[u8], mask: &Mask, line: &mut impl FnMut(&str, Clean)) {
        let max = LINE_MAX.max(mask.longest() * 2);
        for part in bytes.chunks(LINE_MAX) {
            self.held.extend_from_slice(part);
            if self.held.len() > max {
                self.start_over();
            }
            if self.held.len() > max {
                self.hand_on(mask, line);
            }
        }
    }

    /// Drops the states of a progress bar that its latest one has overwritten.
    fn start_over(&mut self) {
        let printed = self.held.iter().rposition(|byte| *byte != b'\r').unwrap_or(0);
        if let Some(restart) = self.held[..printed].iter().rposition(|byte| *byte == b'\r') {
            self.held.drain(..=restart);
        }
    }

    /// Hands on the start of a long line. The secrets in it are masked first, and so much of its end is kept that one which
    /// has not come whole yet stays in one piece.
    fn hand_on(&mut self, mask: &Mask, line: &mut impl FnMut(&str, Clean)) {
        let whole = self.held.len() - unfinished(&self.held);
        let held = String::from_utf8_lossy(&self.held[..whole]);
        let text = mask.text(&held);
        let cut = text.floor_char_boundary(text.len().saturating_sub(mask.longest()));
        // However much a long secret makes this hold, the screen keeps short pieces.
        let mut rest = &text[..cut];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(LINE_MAX));
            line(piece, mask.block(piece));
            rest = after;
        }
        self.held = [&text.as_bytes()[cut..], &self.held[whole..]].concat();
    }
}

/// How many bytes at the end are the start of a character that has not come whole.
fn unfinished(bytes: &[u8]) -> usize {
    let Some(after) = bytes.iter().rev().take(3).position(|byte| *byte >= 0xC0) else {
        return 0;
    };
    let length = match bytes[bytes.len() - 1 - after] {
        0xF0.. => 4,
        0xE0.. => 3,
        _ => 2,
    };
    if after + 1 < length { after + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    /// The lines of these chunks.
    fn lines(chunks: &[&[u8]], mask: &Mask) -> Vec<String> {
        let mut lines = Lines::default();
        let mut out: Vec<String> = Vec::new();
        for chunk in chunks {
            lines.push(chunk, mask, |line| out.push(line.into()));
        }
        lines.finish(mask, |line| out.push(line.into()));
        out
    }

    #[test]
    fn a_line_in_pieces_is_one_line() {
        let chunks: [&[u8]; 4] = [b"com", b"piling", b" 1\nwar", b"ning\n"];
        assert_eq!(lines(&chunks, &Mask::default()), ["compiling 1", "warning"]);
    }

    #[test]
    fn a_character_in_pieces_is_one_character_and_what_is_none_is_replaced() {
        let chunks: [&[u8]; 3] = [b"gr\xc3", b"\xbc\xc3\x9fe\n", b"\xff!\n"];
        assert_eq!(lines(&chunks, &Mask::default()), ["grüße", "\u{fffd}!"]);
    }

    #[test]
    fn a_progress_bar_is_its_last_state() {
        let chunks: [&[u8]; 3] = [b"10%\r", b"50%\r10", b"0%\r\n"];
        assert_eq!(lines(&chunks, &Mask::default()), ["100%"]);
    }

    #[test]
    fn a_line_without_end_is_handed_on_in_pieces_and_nothing_is_lost() {
        let mask = Mask::default();
        let mut lines = Lines::default();
        let (mut seen, mut longest) = (0, 0);
        for _ in 0..100 {
            lines.push("ü".repeat(32 * 1024).as_bytes(), &mask, |line| {
                seen += line.as_str().len();
                assert!(!line.as_str().contains('\u{fffd}'), "a character was cut");
            });
            longest = longest.max(lines.held.capacity());
        }
        lines.finish(&mask, |line| seen += line.as_str().len());
        assert_eq!(seen, 100 * 64 * 1024);
        assert!(longest < 8 * LINE_MAX, "{longest} bytes were held");
    }

    #[test]
    fn a_long_secret_makes_no_long_pieces() {
        let secret = "ü".repeat(32 * 1024);
        let mask = Mask::new(&[SecretString::from(secret.as_str())]);
        let text = format!("{}{secret}{}", "ä".repeat(300_000), "ö".repeat(900_000));
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(8192).collect();
        let out = lines(&chunks, &mask);
        assert!(out[..out.len() - 1].iter().all(|piece| piece.len() <= LINE_MAX));
        assert_eq!(
            out.concat(),
            format!("{}***{}", "ä".repeat(300_000), "ö".repeat(900_000))
        );
    }

    #[test]
    fn a_progress_bar_without_end_stays_small() {
        let mask = Mask::default();
        let mut lines = Lines::default();
        for n in 0..100_000 {
            lines.push(format!("\r{n:>40}").as_bytes(), &mask, |line| {
                panic!("no line ended, but {line}")
            });
        }
        assert!(lines.held.len() <= LINE_MAX, "{} bytes were held", lines.held.len());
    }

    #[test]
    fn a_secret_across_the_cut_of_a_long_line_is_masked() {
        let mask = Mask::new(&[SecretString::from("hunter2-hunter2")]);
        for before in LINE_MAX - 20..LINE_MAX + 4 {
            let text = format!("{}hunter2-hunter2{}", ".".repeat(before), ".".repeat(40_000));
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(1000).collect();
            let out = lines(&chunks, &mask).concat();
            assert!(
                out.contains("***") && !out.contains("hunter"),
                "with {before} bytes before it"
            );
        }
    }
}
