//! The engine runs a plan: it is the only thing that talks to git, Docker and AWS, and the only writer of facts.
//!
//! A face (the console, or an output without a terminal) holds a [`Handle`]: it sends [`Action`]s and receives
//! [`Update`]s. Progress is not sent; it waits on the [`Board`] until the face looks.

mod adopt;
mod attach;
pub mod board;
mod build;
mod drive;
mod launch;
mod means;
mod moved;
mod next;
mod outputs;
mod poll;
pub mod ports;
mod preflight;
mod present;
mod push;
mod retries;
pub mod secrets;
mod send;
pub mod setup;
mod work;

use tokio::sync::mpsc;

pub use adopt::{ANSWER, Adopted, Whose, adopt};
pub use attach::{Attach, attach};
pub use board::Board;
pub use launch::launch;
pub use secrets::Secrets;
pub use setup::{Clock, Connect, Guards, Outside, Pace, Setup};

use crate::names::{BuildId, Digest, HostId, Region, RolloutName, Token};
use crate::plan::Plan;
use crate::plan::check::Check;
use crate::problem::Problem;
use crate::state::{Recorded, RetrySet};
use crate::text::Clean;

/// What an operator can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Run preflight again.
    Recheck,
    /// Run the plan that preflight made.
    Start,
    /// Look whether these hosts would still pull this deployment's image; answered by [`Update::RetryChecked`].
    CheckRetry(RetrySet),
    /// Send a new command to exactly these hosts.
    Retry {
        /// The hosts.
        set: RetrySet,
        /// Where to go on though a moving tag points elsewhere by now: the operator was told of each of these regions.
        despite_moved: Vec<Region>,
    },
    /// Start a failed or cancelled build again; the lanes that wait for it go on.
    RetryBuild(BuildId),
    /// Push again in a lane whose push or tag failed; the lane goes on.
    RetryPush(Region),
    /// Send a rollout's first command again, after SSM refused it.
    Resend(Region, RolloutName),
    /// Take an unknown send as never having taken place, so that it can be sent again.
    Abandon(Token),
    /// Read what a host printed.
    ReadOutput {
        /// Its region.
        region: Region,
        /// Its rollout.
        rollout: RolloutName,
        /// The host.
        host: HostId,
    },
    /// Stop builds, pushes and commands in this scope.
    Cancel(Scope),
    /// Drive the deployment that is only watched, now that its driver is gone.
    TakeOver,
    /// Stop driving; what runs in the fleet goes on.
    Leave {
        /// Why, for the record.
        reason: Clean,
    },
}

/// How much to cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One rollout of a lane.
    Rollout(Region, RolloutName),
    /// One lane.
    Lane(Region),
    /// Everything.
    All,
}

/// What the engine tells its face.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// All of preflight's checks as they stand now.
    Checks(Vec<Check>),
    /// Preflight is done and the plan can start.
    Ready(Box<Plan>),
    /// Preflight is done and the plan cannot start; every reason.
    Blocked(Vec<Problem>),
    /// A fact, already in the journal.
    Fact(Recorded),
    /// The answer to [`Action::CheckRetry`].
    RetryChecked {
        /// The hosts that were asked about, as far as they can still be retried.
        set: RetrySet,
        /// Moving tags that point elsewhere by now, or could not be looked up.
        moved: Vec<MovedTag>,
    },
    /// Another process drives the deployment: its facts are shown as they come, and nothing can be done to it from here.
    /// The problem says who.
    Watching(Problem),
    /// The process that drove the watched deployment is gone, and it can be taken over.
    Orphaned,
    /// This process drives the deployment: it was taken up, or taken over.
    Driving,
    /// An action could not be done, or needs a word.
    Notice(Problem),
    /// The engine has stopped; no update follows. `Some` when it could not go on, with a full disk for instance.
    Stopped(Option<Problem>),
}

/// A moving tag that does not point at the deployment's digest any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedTag {
    /// The region.
    pub region: Region,
    /// Such as `latest`.
    pub tag: Clean,
    /// What it points at now; `None` when it is gone.
    pub now: Option<Digest>,
    /// Why it could not be looked up, if it could not.
    pub problem: Option<Problem>,
}

/// A face's end of the engine.
pub struct Handle {
    /// Where actions go.
    pub actions: mpsc::UnboundedSender<Action>,
    /// Where updates come from.
    pub updates: mpsc::UnboundedReceiver<Update>,
    /// Where progress is.
    pub board: std::sync::Arc<Board>,
}
