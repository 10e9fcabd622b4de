//! What an invocation printed.

use aws_sdk_ssm::operation::get_command_invocation::GetCommandInvocationOutput;

use crate::state::Output;
use crate::text::Clean;

/// GetCommandInvocation gives so many characters of standard output (API reference).
const STDOUT_MAX: usize = 24_000;
/// And so many of standard error.
const STDERR_MAX: usize = 8_000;
/// A character takes so many bytes at most.
const CHAR_MAX: usize = 4;
/// The agent ends a text that it cut with this (amazon-ssm-agent, `agent/framework/processor/executer/iohandler`).
const CUT_MARK: &str = "--output truncated--";
/// ResponseCode of an invocation that did not start or has not ended.
const NO_CODE: i32 = -1;

/// The texts and the exit code.
pub(super) fn output(answer: &GetCommandInvocationOutput) -> (Output, Option<i32>) {
    let stdout = answer.standard_output_content().unwrap_or_default();
    let stderr = answer.standard_error_content().unwrap_or_default();
    let code = answer.response_code();
    let output = Output {
        stdout: Clean::block_within(unmarked(stdout), STDOUT_MAX * CHAR_MAX),
        stderr: Clean::block_within(unmarked(stderr), STDERR_MAX * CHAR_MAX),
        stdout_cut: is_cut(stdout, STDOUT_MAX),
        stderr_cut: is_cut(stderr, STDERR_MAX),
    };
    (output, (code != NO_CODE).then_some(code))
}

/// The text without the agent's mark, up to where it was cut.
fn unmarked(text: &str) -> &str {
    let kept = text.trim_end().strip_suffix(CUT_MARK);
    kept.map_or(text, |kept| kept.strip_suffix('\n').unwrap_or(kept))
}

fn is_cut(text: &str, max: usize) -> bool {
    text.trim_end().ends_with(CUT_MARK) || text.chars().nth(max - 1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_shows_by_its_mark_or_by_its_length() {
        assert!(is_cut("abc\n--output truncated--\n", STDOUT_MAX));
        assert!(is_cut(&"é".repeat(8000), STDERR_MAX));
        assert!(!is_cut(&"é".repeat(7999), STDERR_MAX));
    }

    #[test]
    fn a_cut_text_ends_where_it_was_cut() {
        let answer = GetCommandInvocationOutput::builder()
            .standard_output_content("one\ntw\n--output truncated--")
            .standard_error_content("one\n")
            .build();
        let (output, _) = output(&answer);
        assert_eq!((output.stdout.as_str(), output.stdout_cut), ("one\ntw", true));
        assert_eq!((output.stderr.as_str(), output.stderr_cut), ("one\n", false));
    }

    #[test]
    fn an_output_beyond_all_measure_is_kept_to_what_ssm_keeps_and_said_to_be_cut() {
        let answer = GetCommandInvocationOutput::builder()
            .standard_output_content("\u{1b}[2Jx".repeat(1_000_000))
            .standard_error_content("y\r".repeat(1_000_000))
            .build();
        let (output, _) = output(&answer);
        assert!(output.stdout.as_str().len() <= STDOUT_MAX * CHAR_MAX && output.stdout.as_str().starts_with("xxx"));
        assert_eq!(output.stderr.as_str(), "y");
        assert!(output.stdout_cut && output.stderr_cut);
    }

    #[test]
    fn an_invocation_that_never_started_has_no_exit_code() {
        let answer = |code| GetCommandInvocationOutput::builder().response_code(code).build();
        assert_eq!(output(&answer(-1)).1, None);
        assert_eq!(output(&answer(3)).1, Some(3));
    }
}
