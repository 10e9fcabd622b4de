//! Facts: what happened and must never be lost. Reading this enum is reading the program.
//!
//! A fact says what happened and nothing about how it is shown. It is in the journal before anything else sees it,
//! and [`State::apply`](super::State::apply) is the only thing that gives it a meaning. The JSON form of a fact is
//! both the journal's and `--progress json`'s: fields may be added with a default, never renamed or reused.

use serde::{Deserialize, Serialize};

use super::status::HostStatus;
use crate::names::{BuildId, CommandId, DeploymentId, Digest, HostId, Millis, Region, RolloutName, Token};
use crate::plan::Plan;
use crate::problem::{Exit, Problem};
use crate::text::Clean;

/// A fact with its place in the deployment's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When it was recorded.
    pub at: Millis,
    /// What happened.
    pub fact: Fact,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// The operator saw the plan and started it. Always the first fact.
    DeploymentStarted {
        /// What will be done.
        plan: Box<Plan>,
        /// Who started it.
        driver: Driver,
    },
    /// A process took up a deployment that another one had left.
    DeploymentResumed {
        /// Who drives it from here on.
        driver: Driver,
    },
    /// The process stopped driving while something was still going on in the fleet.
    DeploymentLeft {
        /// Why: the operator left, a signal, the wait timed out.
        reason: Clean,
    },
    /// Nothing is under way any more. A later retry opens the deployment again.
    DeploymentSettled {
        /// How it stands.
        outcome: Outcome,
    },

    /// A build begins.
    BuildStarted {
        /// Which of the plan's builds.
        build: BuildId,
        /// The file with its whole log.
        log: Clean,
    },
    /// A step of a build ended.
    BuildStepEnded {
        /// Which build.
        build: BuildId,
        /// Which step.
        step: Step,
    },
    /// The build ended with an image.
    BuildSucceeded {
        /// Which build.
        build: BuildId,
        /// The image's id in the engine.
        image: Digest,
        /// Bytes of context sent to the engine.
        context_bytes: u64,
    },
    /// The build ended without an image. Retrying it records a new [`Fact::BuildStarted`].
    BuildFailed {
        /// Which build.
        build: BuildId,
        /// Why, and what to do.
        problem: Problem,
        /// The step that failed, if it was a step.
        step: Option<Step>,
        /// The exit code of its command, if it was a command.
        exit_code: Option<i64>,
        /// The end of its log, a few lines.
        log_tail: Vec<Clean>,
    },
    /// The build was stopped on the operator's word.
    BuildCancelled {
        /// Which build.
        build: BuildId,
    },

    /// A lane begins to push the SHA tag.
    PushStarted {
        /// Whose.
        region: Region,
    },
    /// The repository already has the SHA tag; nothing is pushed.
    PushSkipped {
        /// Whose.
        region: Region,
        /// The digest it has.
        digest: Digest,
    },
    /// The push is complete, and the registry itself names this digest for the SHA tag.
    PushSucceeded {
        /// Whose.
        region: Region,
        /// The digest verified with the registry.
        digest: Digest,
        /// Layers uploaded.
        layers_pushed: u32,
        /// Layers that were there already or mounted from another repository.
        layers_present: u32,
    },
    /// The push did not complete. The lane goes no further until it is retried.
    PushFailed {
        /// Whose.
        region: Region,
        /// What it was and what to do.
        problem: Problem,
    },
    /// The push was stopped on the operator's word.
    PushCancelled {
        /// Whose.
        region: Region,
    },
    /// A moving tag points at the deployment's digest.
    TagMoved {
        /// Whose.
        region: Region,
        /// Such as `latest`.
        tag: Clean,
        /// What it pointed at before; equal to the new digest when nothing had to be done.
        from: Option<Digest>,
        /// What it points at now.
        to: Digest,
    },
    /// A moving tag could not be moved. The lane goes no further until it is retried.
    TagFailed {
        /// Whose.
        region: Region,
        /// Such as `latest`.
        tag: Clean,
        /// Why.
        problem: Problem,
    },

    /// A SendCommand is about to go out; recorded before it does.
    SendIntended {
        /// Whose.
        region: Region,
        /// Which rollout.
        rollout: RolloutName,
        /// Carried in the command's Comment.
        token: Token,
        /// What it is sent to.
        to: SendTo,
    },
    /// SSM has the command.
    SendAccepted {
        /// Which send.
        token: Token,
        /// The command's id.
        command: CommandId,
        /// When SSM gives up on hosts that have not finished: its ExpiresAfter.
        expires_at: Option<Millis>,
        /// Whether the answer was lost and the command found by its token.
        adopted: bool,
    },
    /// The command did not go out, or SSM refused it; nothing ran.
    SendRefused {
        /// Which send.
        token: Token,
        /// Why, and what to do.
        problem: Problem,
        /// Whether it was stopped before it went out: on the operator's word, or since its process was to end.
        #[serde(default)]
        stopped: bool,
    },
    /// The answer was lost and no command with the token was found in the visibility window. It may exist all the same.
    SendUnknown {
        /// Which send.
        token: Token,
        /// What happened.
        problem: Problem,
    },
    /// The operator decided that an unknown send never took place.
    SendAbandoned {
        /// Which send.
        token: Token,
    },

    /// The operator retries these hosts; recorded before any of their commands. They go out at most fifty a command, one
    /// command after the other, whichever process drives by then.
    RetryIntended {
        /// Whose.
        region: Region,
        /// Which rollout.
        rollout: RolloutName,
        /// The hosts, in the order in which they go out.
        hosts: Vec<HostId>,
        /// Whether it goes out wherever the moving tags point: the operator was told that one points elsewhere.
        #[serde(default)]
        despite_moved_tag: bool,
    },
    /// What has not gone out of a retry does not go out any more. Its hosts are as they were.
    RetryStopped {
        /// Whose.
        region: Region,
        /// Which rollout.
        rollout: RolloutName,
        /// Why, and what to do.
        problem: Problem,
    },

    /// An invocation is in this state now. Recorded only when it changed.
    HostChanged {
        /// Which command.
        command: CommandId,
        /// Which host.
        host: HostId,
        /// Its state.
        status: HostStatus,
        /// The exit code of its script; absent while there is none.
        exit_code: Option<i32>,
    },
    /// The output of an ended invocation was read.
    OutputRead {
        /// Which command.
        command: CommandId,
        /// Which host.
        host: HostId,
        /// What it said.
        output: Output,
    },
    /// SSM is done with the command, its invocations were read to the end, and these of its hosts never appeared.
    CommandEnded {
        /// Which command.
        command: CommandId,
        /// SSM's own StatusDetails, for the record; the outcome comes from the invocations.
        details: Clean,
        /// Hosts that it was sent to, or that preflight expected, and that have no invocation.
        missing: Vec<HostId>,
    },
    /// The operator wants this send cancelled; recorded before CancelCommand goes out. A send that SSM does not have yet is
    /// cancelled as soon as it has, whichever process sees that.
    CancelIntended {
        /// Which send.
        token: Token,
    },
    /// CancelCommand was accepted; the hosts follow, or finish first.
    CancelAsked {
        /// Which command.
        command: CommandId,
    },
    /// CancelCommand was refused.
    CancelFailed {
        /// Which command.
        command: CommandId,
        /// Why.
        problem: Problem,
    },

    /// A lane cannot go on and waits, for fresh credentials for instance.
    LaneWaits {
        /// Whose.
        region: Region,
        /// For what.
        problem: Problem,
    },
    /// The lane goes on.
    LaneResumed {
        /// Whose.
        region: Region,
    },
    /// The operator stopped the lane before it sent its commands.
    LaneCancelled {
        /// Whose.
        region: Region,
    },
    /// The operator started a stopped lane again: its build or its push is retried, and so are tags that were not moved.
    LaneReopened {
        /// Whose.
        region: Region,
    },
}

/// A process that drives a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Driver {
    /// The operator's login name.
    pub user: Clean,
    /// The machine.
    pub machine: Clean,
    /// The process id there.
    pub pid: u32,
    /// Quarterdeck's version.
    pub version: Clean,
}

/// A step of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its number within its stage, from 1; 0 where the builder numbers nothing.
    pub number: u32,
    /// How many steps its stage has.
    pub of: u32,
    /// The stage, in a Dockerfile with several.
    pub stage: Option<Clean>,
    /// The instruction, such as `RUN cargo build`.
    pub name: Clean,
    /// Whether the builder took it from its cache.
    pub cached: bool,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// Which hosts a command is sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SendTo {
    /// The rollout's targets, resolved by SSM.
    Targets,
    /// Exactly these hosts, at most 50: a retry.
    Hosts(Vec<HostId>),
}

/// What an invocation printed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Standard output, as far as SSM kept it (24 000 characters).
    pub stdout: Clean,
    /// Standard error, as far as SSM kept it (8 000 characters).
    pub stderr: Clean,
    /// Whether SSM cut standard output.
    pub stdout_cut: bool,
    /// Whether SSM cut standard error.
    pub stderr_cut: bool,
}

/// How a settled deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every lane went to its end and every expected host succeeded.
    Succeeded,
    /// Hosts failed, timed out, were not reached or did not report.
    HostsFailed,
    /// A rollout's targets matched no host.
    NoHosts,
    /// A build, push or tag failed, so hosts were not told.
    BuildFailed,
    /// Credentials or permissions stopped it.
    NotAllowed,
    /// SSM refused a command for another reason, or a send is unknown.
    SendFailed,
    /// The operator cancelled it.
    Cancelled,
}

impl Outcome {
    /// Its word in the history, in outputs for machines and in the journal's index.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::HostsFailed => "hosts-failed",
            Self::NoHosts => "no-hosts",
            Self::BuildFailed => "build-failed",
            Self::NotAllowed => "not-allowed",
            Self::SendFailed => "send-failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The exit code of a process that saw it. After a failed send the hosts have not reported, whatever its reason was.
    pub fn exit(self) -> Exit {
        match self {
            Self::Succeeded => Exit::Success,
            Self::HostsFailed | Self::SendFailed => Exit::Hosts,
            Self::NoHosts => Exit::NoHosts,
            Self::BuildFailed => Exit::Build,
            Self::NotAllowed => Exit::Credentials,
            Self::Cancelled => Exit::Cancelled,
        }
    }
}

/// The id of the deployment that a list of facts belongs to.
pub fn deployment_of(facts: &[Recorded]) -> Option<DeploymentId> {
    match &facts.first()?.fact {
        Fact::DeploymentStarted { plan, .. } => Some(plan.id),
        _ => None,
    }
}
