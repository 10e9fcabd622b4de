//! The vocabulary between the drive and its tasks: what can be under way, and what a task has to say.

use crate::engine::MovedTag;
use crate::engine::ports::SentCommand;
use crate::engine::present::Absent;
use crate::names::{BuildId, CommandId, HostId, Region, Token};
use crate::problem::Problem;
use crate::state::{Fact, RetrySet};

/// Something under way. There is never more than one task for the same work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Work {
    /// A build.
    Build(BuildId),
    /// A lane's push of the SHA tag.
    Push(Region),
    /// The move of a lane's tags.
    Tags(Region),
    /// A SendCommand, or the search for one whose answer was lost.
    Send(Token),
    /// A CancelCommand.
    Cancel(CommandId),
    /// The reading of what a host printed.
    Output(CommandId, HostId),
    /// A look at the hosts and the moving tags before a retry, by its number.
    RetryCheck(u64),
}

impl Work {
    /// Whether leaving may not break it off at once: a command may have gone out and its answer belongs in the journal.
    pub fn is_precious(&self) -> bool {
        match self {
            Self::Send(_) | Self::Cancel(_) => true,
            Self::Build(_) | Self::Push(_) | Self::Tags(_) | Self::Output(..) | Self::RetryCheck(_) => false,
        }
    }
}

/// What a task says. No Debug: parameters of a command may be secret.
pub(super) enum Event {
    /// This happened.
    Facts(Vec<Fact>),
    /// A host's output was read; the exit code belongs to the same invocation.
    Output {
        /// Which command.
        command: CommandId,
        /// Which host.
        host: HostId,
        /// What it printed.
        output: crate::state::Output,
        /// The exit code of its script.
        exit_code: Option<i32>,
    },
    /// An output that nobody opened can't be read, for this reason.
    Unread(Region, Problem),
    /// A task of this lane can't go on by itself for now.
    Waits(Region, Waiter, Problem),
    /// It goes on.
    Goes(Region, Waiter),
    /// The moving tags were looked at for a retry.
    RetryChecked {
        /// Which of the looks it was.
        serial: u64,
        /// Which hosts the operator meant.
        set: RetrySet,
        /// Tags that point elsewhere by now, or could not be looked up.
        moved: Vec<MovedTag>,
        /// Hosts that can't be reached, where that was looked up.
        absent: Absent,
        /// What SSM has of the deployment in regions that could not be asked before, or why they still can't.
        elsewhere: Vec<(Region, Result<Vec<SentCommand>, Problem>)>,
        /// What it is for.
        asked: Asked,
    },
    /// The operator should know.
    Notice(Problem),
}

/// What a look before a retry is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// The question that the operator has to answer.
    Question,
    /// The retry itself: it starts, unless a tag moved and the operator did not say that it matters nothing.
    Retry {
        /// Of which regions the operator did.
        despite_moved: Vec<Region>,
    },
}

/// Who in a lane waits. A lane waits while at least one of them does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Waiter {
    /// The poller.
    Poller,
    /// A task.
    Work(Work),
}
