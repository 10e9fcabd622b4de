//! A host's state as SSM tells it, and what it means for the operator.

use serde::{Deserialize, Serialize};

use crate::text::Clean;

/// The state of one invocation.
///
/// SSM's details decide and its status comes second: the enumeration of statuses cannot tell a script that timed out
/// from a host that was never reached (SSM user guide, "Understanding command statuses").
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostStatus {
    /// Expected, and not among a command's invocations yet.
    Waiting,
    /// SSM refused the command that was meant for it; it did not run.
    NotSent,
    /// SSM has not sent it, or the host has not received it.
    Pending,
    /// Being sent, or running.
    InProgress,
    /// SSM could not reach the host and tries again.
    Delayed,
    /// Asked to stop, not confirmed.
    Cancelling,
    /// Its script ended with 0.
    Success,
    /// Its script ended with another code.
    Failed,
    /// It started and was killed at the document's execution timeout.
    ExecutionTimedOut,
    /// The delivery window closed; whether it ran is unknown.
    DeliveryTimedOut,
    /// SSM could not deliver it; whether it ran is unknown.
    Undeliverable,
    /// SSM stopped the command at its error limit before this host; it never started.
    Terminated,
    /// Cancelled; it may have run in part.
    Cancelled,
    /// The document does not support the host's platform; it did not run.
    InvalidPlatform,
    /// The caller may not command this host; it did not run.
    AccessDenied,
    /// The command ended and the host never appeared among its invocations.
    Missing,
    /// A word that this version does not know, shown as it is.
    Other {
        /// SSM's StatusDetails.
        details: Clean,
        /// Whether SSM's Status says that it ended.
        ended: bool,
    },
}

/// What a state means for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Not sent to yet.
    Waiting,
    /// Under way.
    Running,
    /// Done and right.
    Succeeded,
    /// It ran and did not succeed.
    Failed,
    /// Nobody knows whether it ran; a retry may run it twice.
    Unknown,
    /// It did not run; a retry is harmless.
    NotRun,
}

impl Verdict {
    /// Whether it is an end, and not success.
    pub fn is_trouble(self) -> bool {
        match self {
            Self::Waiting | Self::Running | Self::Succeeded => false,
            Self::Failed | Self::Unknown | Self::NotRun => true,
        }
    }
}

impl HostStatus {
    /// Reads SSM's two words for an invocation. Spaces are stripped and case folded, as the documentation's spelling
    /// has spaces and the wire's has none.
    pub fn read(status: &str, details: &str) -> Self {
        let fold = |text: &str| {
            text.chars()
                .filter(|c| !c.is_whitespace())
                .collect::<String>()
                .to_ascii_lowercase()
        };
        let by_word = |word: &str| {
            Some(match word {
                "pending" => Self::Pending,
                "inprogress" => Self::InProgress,
                "delayed" => Self::Delayed,
                "cancelling" => Self::Cancelling,
                "success" => Self::Success,
                "failed" => Self::Failed,
                "executiontimedout" => Self::ExecutionTimedOut,
                "deliverytimedout" => Self::DeliveryTimedOut,
                "undeliverable" => Self::Undeliverable,
                "terminated" => Self::Terminated,
                "cancelled" | "canceled" => Self::Cancelled,
                "invalidplatform" => Self::InvalidPlatform,
                "accessdenied" => Self::AccessDenied,
                _ => return None,
            })
        };
        let (status_word, details_word) = (fold(status), fold(details));
        if let Some(known) = by_word(&details_word) {
            return known;
        }
        if details_word.is_empty()
            && let Some(known) = by_word(&status_word)
        {
            return known;
        }
        let shown = if details_word.is_empty() { status } else { details };
        let ended = !matches!(
            status_word.as_str(),
            "" | "pending" | "inprogress" | "delayed" | "cancelling"
        );
        Self::Other {
            details: Clean::line(shown),
            ended,
        }
    }

    /// What it means.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Waiting => Verdict::Waiting,
            Self::Pending | Self::InProgress | Self::Delayed | Self::Cancelling => Verdict::Running,
            Self::Success => Verdict::Succeeded,
            Self::Failed | Self::ExecutionTimedOut | Self::Cancelled => Verdict::Failed,
            Self::DeliveryTimedOut | Self::Undeliverable | Self::Missing => Verdict::Unknown,
            Self::NotSent | Self::Terminated | Self::InvalidPlatform | Self::AccessDenied => Verdict::NotRun,
            Self::Other { ended, .. } => {
                if *ended {
                    Verdict::Unknown
                } else {
                    Verdict::Running
                }
            }
        }
    }

    /// Whether nothing more will come.
    pub fn is_end(&self) -> bool {
        match self.verdict() {
            Verdict::Waiting | Verdict::Running => false,
            Verdict::Succeeded | Verdict::Failed | Verdict::Unknown | Verdict::NotRun => true,
        }
    }

    /// The word on the screen and in every output.
    pub fn word(&self) -> &str {
        match self {
            Self::Waiting => "waiting",
            Self::NotSent => "not sent",
            Self::Pending => "pending",
            Self::InProgress => "running",
            Self::Delayed => "delayed",
            Self::Cancelling => "cancelling",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::ExecutionTimedOut => "timed out",
            Self::DeliveryTimedOut => "not delivered",
            Self::Undeliverable => "undeliverable",
            Self::Terminated => "not started",
            Self::Cancelled => "cancelled",
            Self::InvalidPlatform => "wrong platform",
            Self::AccessDenied => "access denied",
            Self::Missing => "no report",
            Self::Other { details, .. } => details.as_str(),
        }
    }

    /// One sentence for the host's page: what the word means and whether a retry is safe.
    pub fn meaning(&self) -> &'static str {
        match self {
            Self::Waiting => "it is not among the invocations of a command yet",
            Self::NotSent => "SSM refused the command that was meant for it: the script did not run",
            Self::Pending => "SSM has not sent the command to it, or it has not confirmed it",
            Self::InProgress => "the command is being sent or is running",
            Self::Delayed => "SSM could not reach it and tries again until the delivery window closes",
            Self::Cancelling => "it was asked to stop and has not confirmed",
            Self::Success => "its script ended with exit code 0",
            Self::Failed => "its script ran and ended with an error",
            Self::ExecutionTimedOut => "its script started and was killed at the document's execution timeout",
            Self::DeliveryTimedOut => "the delivery window closed: it is unknown whether the script ran",
            Self::Undeliverable => "SSM could not deliver the command: it is unknown whether the script ran",
            Self::Terminated => "SSM stopped at the error limit before this host: the script never started",
            Self::Cancelled => "it was cancelled: the script may have run in part",
            Self::InvalidPlatform => "the document does not support its platform: the script did not run",
            Self::AccessDenied => "these credentials may not command it: the script did not run",
            Self::Missing => {
                "it was expected and never appeared among the command's invocations: it is unknown whether the script ran"
            }
            Self::Other { .. } => "SSM says this, and Quarterdeck does not know the word",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_come_first_and_spelling_does_not_matter() {
        assert_eq!(
            HostStatus::read("TimedOut", "Delivery Timed Out"),
            HostStatus::DeliveryTimedOut
        );
        assert_eq!(
            HostStatus::read("TimedOut", "ExecutionTimedOut"),
            HostStatus::ExecutionTimedOut
        );
        assert_eq!(HostStatus::read("Failed", "Undeliverable"), HostStatus::Undeliverable);
        assert_eq!(HostStatus::read("Cancelled", "Terminated"), HostStatus::Terminated);
        assert_eq!(HostStatus::read("Success", ""), HostStatus::Success);
    }

    #[test]
    fn an_unknown_word_is_kept_and_its_status_says_whether_it_ended() {
        let ended = HostStatus::read("Failed", "Quantum Flux");
        assert_eq!(ended.word(), "Quantum Flux");
        assert_eq!(ended.verdict(), Verdict::Unknown);
        assert_eq!(HostStatus::read("InProgress", "Warming Up").verdict(), Verdict::Running);
        assert!(!HostStatus::read("TimedOut", "").verdict().eq(&Verdict::Succeeded));
    }
}
