//! What becomes of a command on one host.

use serde::Deserialize;

/// What a host does with a command that it is sent. A host has one for each attempt; the last one stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Pulls, restarts, is healthy: exit code 0.
    Success,
    /// The machine restarts in the middle and the agent runs the script again: late, and exit code 0.
    Reboot,
    /// No room for the image.
    DiskFull,
    /// The instance's role may not read the repository.
    PullDenied,
    /// The tag is not in the repository.
    ImageMissing,
    /// The service starts and never answers its health check.
    Unhealthy,
    /// Prints far more than SSM keeps, and fails.
    Noisy,
    /// Hangs until the document's execution timeout.
    Hang,
    /// Not reachable: delayed, then given up as undeliverable.
    Offline,
    /// Not reachable: delayed until the delivery window closes.
    Unreached,
    /// Runs to its end, and its report is lost: in progress until the delivery window closes.
    Silent,
    /// The document does not support its platform.
    InvalidPlatform,
    /// The caller may not command this host.
    AccessDenied,
}

impl Fate {
    /// Whether the agent has lost its connection while this lies ahead.
    pub fn is_unreachable(self) -> bool {
        match self {
            Self::Offline | Self::Unreached => true,
            Self::Success
            | Self::Reboot
            | Self::DiskFull
            | Self::PullDenied
            | Self::ImageMissing
            | Self::Unhealthy
            | Self::Noisy
            | Self::Hang
            | Self::Silent
            | Self::InvalidPlatform
            | Self::AccessDenied => false,
        }
    }
}

/// The state of an invocation, as SSM's `StatusDetails` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Not sent yet.
    Pending,
    /// Sent, or running.
    InProgress,
    /// Not reachable; SSM tries again.
    Delayed,
    /// Asked to stop.
    Cancelling,
    /// Exit code 0.
    Success,
    /// Another exit code.
    Failed,
    /// Killed by the agent at the execution timeout.
    ExecutionTimedOut,
    /// The command expired first.
    DeliveryTimedOut,
    /// Given up.
    Undeliverable,
    /// The command stopped at its error limit before this host.
    Terminated,
    /// Stopped on request.
    Cancelled,
    /// Wrong platform.
    InvalidPlatform,
    /// Not permitted.
    AccessDenied,
}

impl Status {
    /// `StatusDetails`, spelt as the wire has it: without spaces.
    pub fn details(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Delayed => "Delayed",
            Self::Cancelling => "Cancelling",
            Self::Success => "Success",
            Self::Failed => "Failed",
            Self::ExecutionTimedOut => "ExecutionTimedOut",
            Self::DeliveryTimedOut => "DeliveryTimedOut",
            Self::Undeliverable => "Undeliverable",
            Self::Terminated => "Terminated",
            Self::Cancelled => "Cancelled",
            Self::InvalidPlatform => "InvalidPlatform",
            Self::AccessDenied => "AccessDenied",
        }
    }

    /// `Status`. AWS does not say which one goes with the last three details; these are our reading.
    pub fn word(self) -> &'static str {
        match self {
            Self::ExecutionTimedOut | Self::DeliveryTimedOut => "TimedOut",
            Self::Undeliverable | Self::InvalidPlatform | Self::AccessDenied => "Failed",
            Self::Terminated => "Cancelled",
            Self::Pending
            | Self::InProgress
            | Self::Delayed
            | Self::Cancelling
            | Self::Success
            | Self::Failed
            | Self::Cancelled => self.details(),
        }
    }

    /// Whether nothing more comes.
    pub fn is_end(self) -> bool {
        !matches!(
            self,
            Self::Pending | Self::InProgress | Self::Delayed | Self::Cancelling
        )
    }

    /// Whether it counts against MaxErrors, and in ErrorCount.
    pub fn is_error(self) -> bool {
        matches!(self, Self::Failed | Self::ExecutionTimedOut)
    }
}
