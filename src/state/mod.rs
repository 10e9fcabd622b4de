//! What has happened so far: the fold of a deployment's facts.
//!
//! [`State::apply`] is pure. The same fold serves the live console, a reopened deployment, the outputs without a
//! terminal and every test, so what they show cannot differ. [`live`] holds what is only worth showing now.

mod changes;
pub mod fact;
mod figures;
mod fold;
pub mod live;
mod redo;
pub mod status;

use std::collections::HashMap;

pub use changes::Changes;
pub use fact::{Driver, Fact, Outcome, Output, Recorded, SendTo, Step};
pub use figures::{Counts, RetrySet, Selection, Stage, Tally};
pub use status::{HostStatus, Verdict};

use crate::names::{BuildId, CommandId, Digest, HostId, Millis, Region, RolloutName, Token};
use crate::plan::{Ping, Plan};
use crate::problem::Problem;
use crate::text::Clean;

/// A deployment as its facts tell it.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The plan; absent until the first fact.
    pub plan: Option<std::sync::Arc<Plan>>,
    /// The number of the last fact applied.
    pub seq: u64,
    /// Who drives it, or drove it last.
    pub driver: Option<Driver>,
    /// Since when.
    pub driven_since: Option<Millis>,
    /// When it was started.
    pub started_at: Option<Millis>,
    /// When the last fact was recorded.
    pub last_at: Option<Millis>,
    /// How it stands since when, while nothing is under way.
    pub settled: Option<(Outcome, Millis)>,
    /// How it was settled before it was taken up, where nothing has changed since.
    settled_before: Option<(Outcome, Millis)>,
    /// Why its driver left it, if it did.
    pub left: Option<Clean>,
    /// The builds, in the plan's order.
    pub builds: Vec<BuildState>,
    /// The lanes, in the plan's order.
    pub lanes: Vec<LaneState>,
    /// Where a command is in `lanes`.
    commands: HashMap<CommandId, Place>,
    /// Where a send is in `lanes`.
    tokens: HashMap<Token, Place>,
}

/// The position of a command: lane, rollout, command.
#[derive(Debug, Clone, Copy)]
struct Place {
    lane: usize,
    rollout: usize,
    command: usize,
}

/// One build.
#[derive(Debug, Clone)]
pub struct BuildState {
    /// Which.
    pub id: BuildId,
    /// How often it was started.
    pub attempts: u32,
    /// When the latest attempt started.
    pub started_at: Option<Millis>,
    /// When the latest attempt ended.
    pub ended_at: Option<Millis>,
    /// The file with the latest attempt's log.
    pub log: Option<Clean>,
    /// Steps of the latest attempt that ended, in their order.
    pub steps: Vec<Step>,
    /// How it stands.
    pub phase: BuildPhase,
}

/// How a build stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildPhase {
    /// Not started.
    Waiting,
    /// Under way.
    Running,
    /// The image is in the engine.
    Succeeded {
        /// Its id.
        image: Digest,
        /// Bytes of context that were sent.
        context_bytes: u64,
    },
    /// No image.
    Failed {
        /// Why.
        problem: Problem,
        /// The failed step.
        step: Option<Step>,
        /// Its command's exit code.
        exit_code: Option<i64>,
        /// The end of its log.
        log_tail: Vec<Clean>,
    },
    /// Stopped by the operator.
    Cancelled,
}

/// One region's lane.
#[derive(Debug, Clone)]
pub struct LaneState {
    /// The region.
    pub region: Region,
    /// The build that it waits for, if it needs one.
    pub build: Option<BuildId>,
    /// How often the push was started.
    pub push_attempts: u32,
    /// When the latest push started.
    pub push_started_at: Option<Millis>,
    /// When the latest push ended.
    pub push_ended_at: Option<Millis>,
    /// How the push of the SHA tag stands.
    pub push: PushPhase,
    /// The moving tags, in the plan's order.
    pub tags: Vec<TagState>,
    /// The rollouts, in the plan's order.
    pub rollouts: Vec<RolloutState>,
    /// What it waits for, if it cannot go on by itself.
    pub waits: Option<Problem>,
    /// Whether the operator stopped it before it sent its commands.
    pub cancelled: bool,
}

/// How the push of the SHA tag stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushPhase {
    /// Not started.
    Waiting,
    /// Under way.
    Running,
    /// The registry has it.
    Succeeded {
        /// The digest that the registry names.
        digest: Digest,
        /// Whether it was there before the deployment.
        skipped: bool,
        /// Layers uploaded.
        layers_pushed: u32,
        /// Layers found in the registry.
        layers_present: u32,
    },
    /// It did not complete.
    Failed(Problem),
    /// Stopped by the operator.
    Cancelled,
}

/// One moving tag of a lane.
#[derive(Debug, Clone)]
pub struct TagState {
    /// Such as `latest`.
    pub tag: Clean,
    /// How it stands.
    pub phase: TagPhase,
}

/// How a moving tag stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagPhase {
    /// Not moved yet.
    Waiting,
    /// It points at the deployment's digest.
    Moved {
        /// What it pointed at before.
        from: Option<Digest>,
        /// The deployment's digest.
        to: Digest,
    },
    /// It could not be moved.
    Failed(Problem),
}

/// One rollout of a lane.
#[derive(Debug, Clone)]
pub struct RolloutState {
    /// Its name.
    pub name: RolloutName,
    /// Its sends in order: the first goes to the targets, later ones are retries.
    pub sends: Vec<SendState>,
    /// Its hosts: the expected ones by id as in the plan, then unplanned ones as they appeared.
    pub hosts: Vec<HostState>,
    /// How many hosts stand how; kept up to date by the fold.
    pub counts: Counts,
    /// Who among them is in trouble, and what else there is to say of them; kept up to date by the fold.
    pub tally: Tally,
    /// Which of them changed lately; kept up to date by the fold.
    pub changes: Changes,
    /// The latest retry.
    pub retry: RetryState,
    /// Where a host is in `hosts`.
    index: HashMap<HostId, usize>,
}

/// A retry that the operator asked for, which can take more than one command.
#[derive(Debug, Clone, Default)]
pub struct RetryState {
    /// How many hosts it is for.
    pub asked: usize,
    /// Its commands, as places among the rollout's sends.
    pub sends: Vec<usize>,
    /// Why the rest of it did not go out, if it did not.
    pub stopped: Option<Problem>,
    /// Whether all of it goes out wherever the moving tags point.
    pub despite_moved_tag: bool,
    /// The hosts that no command was sent to yet, in their order.
    waiting: Vec<HostId>,
}

/// One SendCommand of a rollout.
#[derive(Debug, Clone)]
pub struct SendState {
    /// Its token.
    pub token: Token,
    /// What it was meant for.
    pub to: SendTo,
    /// When it was about to go out.
    pub intended_at: Millis,
    /// How it stands.
    pub phase: SendPhase,
    /// Whether the operator wants it cancelled.
    pub cancel_intended: bool,
    /// Whether CancelCommand was accepted for it.
    pub cancel_asked: bool,
    /// Why CancelCommand was refused, if it was.
    pub cancel_problem: Option<Problem>,
    /// Whether it was stopped before it went out.
    pub stopped: bool,
}

/// How a send stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendPhase {
    /// About to go out, or its answer is awaited or being looked for.
    Intended,
    /// SSM has it.
    Accepted {
        /// The command.
        command: CommandId,
        /// When SSM gives up on unfinished hosts.
        expires_at: Option<Millis>,
        /// Whether it was found by its token after a lost answer.
        adopted: bool,
        /// SSM's closing words once it has ended.
        ended: Option<Clean>,
    },
    /// SSM refused it, or it was stopped before it went out; nothing ran.
    Refused(Problem),
    /// Nobody knows whether SSM has it.
    Unknown(Problem),
    /// Unknown, and the operator decided that it never took place.
    Abandoned,
}

impl SendState {
    /// The command's id, once SSM has it.
    pub fn command(&self) -> Option<&CommandId> {
        match &self.phase {
            SendPhase::Accepted { command, .. } => Some(command),
            SendPhase::Intended | SendPhase::Refused(_) | SendPhase::Unknown(_) | SendPhase::Abandoned => None,
        }
    }

    /// Whether it was stopped with its process, and not on the operator's word: whoever drives next sends anew.
    pub fn is_withdrawn(&self) -> bool {
        self.stopped && !self.cancel_intended
    }

    /// Whether nothing more will come of it by itself.
    pub fn is_over(&self) -> bool {
        match &self.phase {
            SendPhase::Intended => false,
            SendPhase::Accepted { ended, .. } => ended.is_some(),
            SendPhase::Refused(_) | SendPhase::Unknown(_) | SendPhase::Abandoned => true,
        }
    }
}

/// One host of a rollout.
#[derive(Debug, Clone)]
pub struct HostState {
    /// Its id.
    pub id: HostId,
    /// Its computer name, or empty.
    pub name: Clean,
    /// Its platform's name, or empty.
    pub platform: Clean,
    /// Whether its agent answered at preflight; `None` for an unplanned host.
    pub ping: Option<Ping>,
    /// Its invocations in this deployment, the latest last; empty until something is sent to it.
    pub attempts: Vec<Attempt>,
}

/// One invocation of a host.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Which of the rollout's sends it belongs to.
    pub send: usize,
    /// Its state.
    pub status: HostStatus,
    /// Since when.
    pub since: Millis,
    /// The exit code of its script.
    pub exit_code: Option<i32>,
    /// What it printed, once that was read.
    pub output: Option<std::sync::Arc<Output>>,
}

impl HostState {
    /// The attempt that says how it stands: the latest one that went out. A retry that SSM refused changes nothing about
    /// what the host did before.
    pub fn latest(&self) -> Option<&Attempt> {
        let mut attempts = self.attempts.iter().rev();
        let sent = attempts.find(|attempt| attempt.status != HostStatus::NotSent);
        sent.or(self.attempts.last())
    }

    /// Its state: the latest attempt's, or waiting.
    pub fn status(&self) -> &HostStatus {
        self.latest().map_or(&HostStatus::Waiting, |attempt| &attempt.status)
    }

    /// Whether preflight expected it.
    pub fn is_planned(&self) -> bool {
        self.ping.is_some()
    }

    /// What to call it: its name, or its id where it has none.
    pub fn label(&self) -> &str {
        if self.name.is_empty() {
            self.id.as_str()
        } else {
            self.name.as_str()
        }
    }
}

impl HostState {
    /// What to call it where room is short: without the domain that EC2 gives every private name of a region.
    pub fn short_label(&self) -> &str {
        let label = self.label();
        match label.split_once('.') {
            Some((host, "ec2.internal")) => host,
            Some((host, domain)) if domain.ends_with(".compute.internal") => host,
            Some(_) | None => label,
        }
    }
}

impl RolloutState {
    /// A host by its id.
    pub fn host(&self, id: &HostId) -> Option<&HostState> {
        self.index.get(id).map(|&at| &self.hosts[at])
    }

    /// The hosts whose retry has not gone out yet, in the order in which it does. One that succeeded after all, by a late
    /// word of an earlier command, is not among them.
    pub fn waiting_for_retry(&self) -> impl Iterator<Item = &HostId> {
        let waiting = self.retry.waiting.iter();
        waiting.filter(|id| self.host(id).is_some_and(HostState::can_be_retried))
    }
}
