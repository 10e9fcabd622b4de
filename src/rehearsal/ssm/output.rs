//! How much of what a script printed is kept, and how the cut is marked.

/// GetCommandInvocation gives so many characters of standard output (API reference).
const STDOUT_MAX: usize = 24_000;
/// And so many of standard error.
const STDERR_MAX: usize = 8_000;
/// A plugin's Output in ListCommandInvocations has so many characters of both (API reference).
const BOTH_MAX: usize = 2_500;
/// The agent's mark behind a stream that it cut.
const CUT: &str = "\n--output truncated--";
/// The agent's marks within a plugin's Output (amazon-ssm-agent, `iohandler.go`).
const STDOUT_CUT: &str = "\n---Output truncated---";
const STDERR_CUT: &str = "\n---Error truncated----";
const STDERR_TITLE: &str = "\n----------ERROR-------\n";

/// Standard output as GetCommandInvocation gives it.
pub(super) fn stdout(text: &str) -> String {
    stream(text, STDOUT_MAX)
}

/// Standard error as GetCommandInvocation gives it.
pub(super) fn stderr(text: &str) -> String {
    stream(text, STDERR_MAX)
}

fn stream(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    format!("{}{CUT}", first(text, max - CUT.len()))
}

/// A plugin's Output: both streams in one text, cut as the agent cuts them.
pub(super) fn both(stdout: &str, stderr: &str) -> String {
    joined(stdout, stderr, BOTH_MAX)
}

/// Neither stream pushes the other out: what is short stays whole, and two long ones get a half each.
fn joined(stdout: &str, stderr: &str, max: usize) -> String {
    let (out, err) = (stdout.chars().count(), stderr.chars().count());
    let title = if err > 0 { STDERR_TITLE } else { "" };
    let room = max - title.len();
    if out + err < room {
        return format!("{stdout}{title}{stderr}");
    }
    if out > room / 2 && err > room / 2 {
        let half = (room - STDERR_CUT.len() - STDOUT_CUT.len()) / 2;
        let (stdout, stderr) = (first(stdout, half), first(stderr, half));
        return format!("{stdout}{STDOUT_CUT}{title}{stderr}{STDERR_CUT}");
    }
    if out < room / 2 {
        let stderr = first(stderr, (room - STDERR_CUT.len()).saturating_sub(out));
        return format!("{stdout}{title}{stderr}{STDERR_CUT}");
    }
    let stdout = first(stdout, (room - STDOUT_CUT.len()).saturating_sub(err));
    format!("{stdout}{STDOUT_CUT}{title}{stderr}")
}

fn first(text: &str, chars: usize) -> &str {
    let end = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_whole() {
        assert_eq!(joined("out", "", 100), "out");
        assert_eq!(joined("out", "err", 100), "out\n----------ERROR-------\nerr");
    }

    #[test]
    fn a_long_stream_leaves_the_short_one_whole() {
        let long = "x".repeat(200);
        let text = joined("short", &long, 100);
        assert!(text.starts_with("short\n----------ERROR-------\nx") && text.ends_with(STDERR_CUT));
        assert_eq!(text.len(), 100);
        let text = joined(&long, "short", 100);
        assert!(text.ends_with("\n---Output truncated---\n----------ERROR-------\nshort"));
        assert_eq!(text.len(), 100);
        assert_eq!(joined(&long, "", 100).len(), 100);
    }

    #[test]
    fn two_long_streams_get_a_half_each() {
        let text = joined(&"o".repeat(200), &"e".repeat(200), 100);
        assert_eq!(
            text,
            format!(
                "{}{STDOUT_CUT}{STDERR_TITLE}{}{STDERR_CUT}",
                "o".repeat(15),
                "e".repeat(15)
            )
        );
    }

    #[test]
    fn streams_are_cut_in_characters_at_their_own_limits() {
        let text = stdout(&"é".repeat(30_000));
        assert_eq!(text.chars().count(), 24_000);
        assert!(text.ends_with("--output truncated--"));
        assert_eq!(stderr(&"é".repeat(8000)).chars().count(), 8000);
    }
}
