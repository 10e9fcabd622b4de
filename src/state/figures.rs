//! Figures derived from the state: counts, stages, outcome, and who can be retried.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use super::{
    Attempt, BuildPhase, BuildState, HostState, HostStatus, LaneState, Outcome, Place, PushPhase, RolloutState,
    SendPhase, SendState, State, TagPhase, Verdict,
};
use crate::names::{BuildId, CommandId, Digest, HostId, Millis, Region, RolloutName, Token};
use crate::plan::UNKNOWN;
use crate::problem::{Kind, Problem};
use crate::text::Clean;

/// A driver that records nothing for longer is told of as silent.
const SILENCE: Duration = Duration::from_secs(60);

/// How many hosts stand how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Not among any invocations yet.
    pub waiting: usize,
    /// Under way.
    pub running: usize,
    /// Done and right.
    pub succeeded: usize,
    /// Ran and did not succeed.
    pub failed: usize,
    /// Unknown whether they ran.
    pub unknown: usize,
    /// Did not run.
    pub not_run: usize,
}

impl Counts {
    /// All hosts.
    pub fn total(self) -> usize {
        self.waiting + self.running + self.unsuccessful() + self.succeeded
    }

    /// Those from which nothing more will come.
    pub fn ended(self) -> usize {
        self.succeeded + self.unsuccessful()
    }

    /// Those that ended without success.
    pub fn unsuccessful(self) -> usize {
        self.failed + self.unknown + self.not_run
    }

    fn slot(&mut self, verdict: Verdict) -> &mut usize {
        match verdict {
            Verdict::Waiting => &mut self.waiting,
            Verdict::Running => &mut self.running,
            Verdict::Succeeded => &mut self.succeeded,
            Verdict::Failed => &mut self.failed,
            Verdict::Unknown => &mut self.unknown,
            Verdict::NotRun => &mut self.not_run,
        }
    }

    /// One host went from one verdict to another.
    pub(super) fn shift(&mut self, from: Verdict, to: Verdict) {
        let slot = self.slot(from);
        *slot = slot.saturating_sub(1);
        *self.slot(to) += 1;
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            running: self.running + other.running,
            succeeded: self.succeeded + other.succeeded,
            failed: self.failed + other.failed,
            unknown: self.unknown + other.unknown,
            not_run: self.not_run + other.not_run,
        }
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), std::ops::Add::add)
    }
}

/// What there is to say of a rollout's hosts beside their counts. The fold keeps it up to date host by host, so that no
/// frame has to walk the fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Hosts that ran and failed, as a retry of the failed means it.
    pub failed: usize,
    /// Hosts that SSM has not sent the command to, or that have not confirmed it.
    pub pending: usize,
    /// Hosts that SSM could not reach so far.
    pub delayed: usize,
    /// Hosts that preflight did not expect.
    pub unplanned: usize,
    /// When a host last changed.
    pub changed_at: Option<Millis>,
    /// The positions of the hosts that ended without success, by what they ended in.
    trouble: BTreeMap<(Verdict, Clean), BTreeSet<usize>>,
}

impl Tally {
    /// Hosts that ended without success, by verdict and word: their positions in the rollout, in its order.
    pub fn trouble(&self) -> impl Iterator<Item = (Verdict, &Clean, &BTreeSet<usize>)> {
        self.trouble
            .iter()
            .map(|((verdict, word), hosts)| (*verdict, word, hosts))
    }

    /// The host at `position` went from one status to another.
    pub(super) fn shift(&mut self, position: usize, from: &HostStatus, to: &HostStatus) {
        if from == to {
            return;
        }
        for (status, comes) in [(from, false), (to, true)] {
            if let Some(count) = self.count(status) {
                *count = if comes { *count + 1 } else { count.saturating_sub(1) };
            }
            if !status.verdict().is_trouble() {
                continue;
            }
            let key = (status.verdict(), Clean::line(status.word()));
            let hosts = self.trouble.entry(key.clone()).or_default();
            if comes {
                hosts.insert(position);
            } else {
                hosts.remove(&position);
                if hosts.is_empty() {
                    self.trouble.remove(&key);
                }
            }
        }
    }

    fn count(&mut self, status: &HostStatus) -> Option<&mut usize> {
        match status {
            HostStatus::Failed | HostStatus::ExecutionTimedOut => Some(&mut self.failed),
            HostStatus::Pending => Some(&mut self.pending),
            HostStatus::Delayed => Some(&mut self.delayed),
            HostStatus::Waiting
            | HostStatus::NotSent
            | HostStatus::InProgress
            | HostStatus::Cancelling
            | HostStatus::Success
            | HostStatus::DeliveryTimedOut
            | HostStatus::Undeliverable
            | HostStatus::Terminated
            | HostStatus::Cancelled
            | HostStatus::InvalidPlatform
            | HostStatus::AccessDenied
            | HostStatus::Missing
            | HostStatus::Other { .. } => None,
        }
    }
}

/// Where a lane stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its build is not done.
    Building,
    /// Its push is due or under way.
    Pushing,
    /// Its moving tags are due.
    Tagging,
    /// Its commands are due or under way.
    RollingOut,
    /// It went to its end.
    Done,
    /// It stopped before its end: a failed build, push, tag or send, or the operator.
    Halted,
}

/// Which hosts the operator means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These, by region, rollout and id: the host under the cursor, or the marked ones.
    Hosts(Vec<(Region, RolloutName, HostId)>),
    /// All that failed, in one lane or anywhere.
    Failed(Option<Region>),
    /// All that did not succeed, in one lane or anywhere.
    Unsuccessful(Option<Region>),
}

/// The hosts that a retry goes to, and what the operator has to know before it does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetrySet {
    /// By lane and rollout.
    pub hosts: BTreeMap<(Region, RolloutName), Vec<HostId>>,
    /// How many of them may have run the script already, which the retry then runs twice.
    pub unknown: usize,
}

impl RetrySet {
    /// How many hosts.
    pub fn len(&self) -> usize {
        self.hosts.values().map(Vec::len).sum()
    }

    /// Whether there is nothing to retry.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// The regions that it is about, each once.
    pub fn in_regions(&self) -> Vec<Region> {
        let mut regions: Vec<Region> = self.hosts.keys().map(|(region, _)| region.clone()).collect();
        regions.dedup();
        regions
    }
}

impl State {
    /// The lane of a region.
    pub fn lane(&self, region: &Region) -> Option<&LaneState> {
        self.lanes.iter().find(|lane| lane.region == *region)
    }

    /// A build.
    pub fn build(&self, id: &BuildId) -> Option<&BuildState> {
        self.builds.iter().find(|build| build.id == *id)
    }

    /// The image that a build made, once it has.
    pub fn image(&self, id: &BuildId) -> Option<&Digest> {
        match &self.build(id)?.phase {
            BuildPhase::Succeeded { image, .. } => Some(image),
            BuildPhase::Waiting | BuildPhase::Running | BuildPhase::Failed { .. } | BuildPhase::Cancelled => None,
        }
    }

    /// Whether a lane waits for the build's image: one that was stopped does not, nor one that has pushed it.
    pub fn is_wanted(&self, id: &BuildId) -> bool {
        let mut lanes = self.lanes.iter();
        lanes.any(|lane| lane.build.as_ref() == Some(id) && !lane.cancelled && lane.digest().is_none())
    }

    /// Where a command belongs: its lane, its rollout and its place among the rollout's sends.
    pub fn command(&self, id: &CommandId) -> Option<(&LaneState, &RolloutState, usize)> {
        self.at(*self.commands.get(id)?)
    }

    /// Where a send belongs: its lane, its rollout and its place among the rollout's sends.
    pub fn send(&self, token: &Token) -> Option<(&LaneState, &RolloutState, usize)> {
        self.at(*self.tokens.get(token)?)
    }

    fn at(&self, place: Place) -> Option<(&LaneState, &RolloutState, usize)> {
        let lane = self.lanes.get(place.lane)?;
        Some((lane, lane.rollouts.get(place.rollout)?, place.command))
    }

    /// How all hosts stand.
    pub fn counts(&self) -> Counts {
        self.lanes.iter().map(LaneState::counts).sum()
    }

    /// Where a lane stands.
    pub fn stage(&self, lane: &LaneState) -> Stage {
        if lane.cancelled {
            return Stage::Halted;
        }
        // Once it has pushed, it is of no matter to the lane that another one has the image built again.
        let build = lane.build.as_ref().filter(|_| lane.digest().is_none());
        if let Some(build) = build.and_then(|id| self.build(id)) {
            match build.phase {
                BuildPhase::Waiting | BuildPhase::Running => return Stage::Building,
                BuildPhase::Failed { .. } | BuildPhase::Cancelled => return Stage::Halted,
                BuildPhase::Succeeded { .. } => {}
            }
        }
        match lane.push {
            PushPhase::Waiting | PushPhase::Running => return Stage::Pushing,
            PushPhase::Failed(_) | PushPhase::Cancelled => return Stage::Halted,
            PushPhase::Succeeded { .. } => {}
        }
        if lane.tags.iter().any(|tag| matches!(tag.phase, TagPhase::Failed(_))) {
            return Stage::Halted;
        }
        if lane.tags.iter().any(|tag| matches!(tag.phase, TagPhase::Waiting)) {
            return Stage::Tagging;
        }
        if lane.rollouts.iter().any(|rollout| !rollout.is_over()) {
            return Stage::RollingOut;
        }
        if lane.rollouts.iter().any(|rollout| rollout.send_problem().is_some()) {
            Stage::Halted
        } else {
            Stage::Done
        }
    }

    /// How long whoever drives it has recorded nothing, once that is long and something is under way: a step of the build or
    /// the hosts may take their time, and the process may be suspended or out of reach of AWS.
    pub fn silence(&self, now: Millis) -> Option<Duration> {
        let silence = now.since(self.last_at?);
        (self.settled.is_none() && silence >= SILENCE).then_some(silence)
    }

    /// Whether nothing is under way and nothing will start by itself.
    pub fn is_quiet(&self) -> bool {
        self.plan.is_some()
            && self.lanes.iter().all(|lane| {
                let over = |rollout: &RolloutState| {
                    rollout.sends.iter().all(SendState::is_over) && rollout.waiting_for_retry().next().is_none()
                };
                matches!(self.stage(lane), Stage::Done | Stage::Halted) && lane.rollouts.iter().all(over)
            })
            && !self
                .builds
                .iter()
                .any(|build| matches!(build.phase, BuildPhase::Running))
    }

    /// How the deployment stands now, whether or not it is quiet. The first that applies, from the top of [`Outcome`]'s
    /// causes: what stopped the machine before what stopped a host.
    pub fn outcome(&self) -> Outcome {
        let has = |kind: Kind| self.problems().any(|problem| problem.kind == kind);
        let counts = self.counts();
        if has(Kind::Credentials) {
            return Outcome::NotAllowed;
        }
        let failed = |lane: &LaneState| {
            matches!(lane.push, PushPhase::Failed(_))
                || lane.tags.iter().any(|tag| matches!(tag.phase, TagPhase::Failed(_)))
        };
        let unbuilt = |build: &BuildState| matches!(build.phase, BuildPhase::Failed { .. });
        if self.builds.iter().any(unbuilt) || self.lanes.iter().any(failed) {
            return Outcome::BuildFailed;
        }
        let mut rollouts = self.lanes.iter().flat_map(|lane| &lane.rollouts);
        if has(Kind::NoHosts) || rollouts.clone().any(RolloutState::reached_nobody) {
            return Outcome::NoHosts;
        }
        let unsent = |rollout: &RolloutState| rollout.send_problem().is_some() && !rollout.was_cancelled();
        if rollouts.any(unsent) {
            return Outcome::SendFailed;
        }
        let cancelled = self.lanes.iter().any(|lane| {
            lane.cancelled
                || matches!(lane.push, PushPhase::Cancelled)
                || lane.rollouts.iter().any(RolloutState::was_cancelled)
                || lane
                    .rollouts
                    .iter()
                    .flat_map(|rollout| &rollout.hosts)
                    .any(|host| *host.status() == HostStatus::Cancelled)
        }) || self.builds.iter().any(|build| build.phase == BuildPhase::Cancelled);
        if cancelled {
            return Outcome::Cancelled;
        }
        if counts.succeeded == counts.total() {
            Outcome::Succeeded
        } else {
            Outcome::HostsFailed
        }
    }

    /// What stopped builds, pushes, tags and sends, as things stand now.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        let builds = self.builds.iter().filter_map(|build| match &build.phase {
            BuildPhase::Failed { problem, .. } => Some(problem),
            BuildPhase::Waiting | BuildPhase::Running | BuildPhase::Succeeded { .. } | BuildPhase::Cancelled => None,
        });
        let lanes = self.lanes.iter().flat_map(|lane| {
            let push = match &lane.push {
                PushPhase::Failed(problem) => Some(problem),
                PushPhase::Waiting | PushPhase::Running | PushPhase::Succeeded { .. } | PushPhase::Cancelled => None,
            };
            let tags = lane.tags.iter().filter_map(|tag| match &tag.phase {
                TagPhase::Failed(problem) => Some(problem),
                TagPhase::Waiting | TagPhase::Moved { .. } => None,
            });
            let sends = lane.rollouts.iter().filter_map(RolloutState::send_problem);
            push.into_iter().chain(tags).chain(sends)
        });
        builds.chain(lanes)
    }

    /// The digest that the registries name for the deployment; `None` before the first push is complete, and for a
    /// deployment that was rebuilt from SSM.
    pub fn digest(&self) -> Option<&Digest> {
        let digest = self.lanes.iter().find_map(LaneState::digest);
        digest.filter(|digest| digest.as_str() != UNKNOWN)
    }

    /// How many hosts wait for a retry that has not gone out to them yet.
    pub fn waiting_for_retry(&self) -> usize {
        let rollouts = self.lanes.iter().flat_map(|lane| &lane.rollouts);
        rollouts.map(|rollout| rollout.waiting_for_retry().count()).sum()
    }

    /// The hosts of `selection` that can be retried: their latest attempt ended, and not in success, and they do not wait
    /// for a retry already.
    pub fn retry_set(&self, selection: &Selection) -> RetrySet {
        let mut set = RetrySet::default();
        let named: HashSet<_> = match selection {
            Selection::Hosts(hosts) => hosts.iter().map(|(region, name, host)| (region, name, host)).collect(),
            Selection::Failed(_) | Selection::Unsuccessful(_) => HashSet::new(),
        };
        for lane in &self.lanes {
            for rollout in &lane.rollouts {
                let waiting: HashSet<&HostId> = rollout.waiting_for_retry().collect();
                for host in &rollout.hosts {
                    let meant = match selection {
                        Selection::Hosts(_) => named.contains(&(&lane.region, &rollout.name, &host.id)),
                        Selection::Failed(of) | Selection::Unsuccessful(of)
                            if of.as_ref().is_some_and(|of| *of != lane.region) =>
                        {
                            false
                        }
                        Selection::Failed(_) => {
                            matches!(host.status(), HostStatus::Failed | HostStatus::ExecutionTimedOut)
                        }
                        Selection::Unsuccessful(_) => true,
                    };
                    if meant && host.can_be_retried() && !waiting.contains(&host.id) {
                        set.unknown += usize::from(host.may_have_run());
                        let key = (lane.region.clone(), rollout.name.clone());
                        set.hosts.entry(key).or_default().push(host.id.clone());
                    }
                }
            }
        }
        set
    }
}

impl HostState {
    /// Its attempt that belongs to the rollout's n-th send.
    pub fn attempt(&self, send: usize) -> Option<&Attempt> {
        self.attempts.iter().rev().find(|attempt| attempt.send == send)
    }

    /// Whether nobody knows if its script ran: an attempt that did not run leaves the one before it open.
    fn may_have_run(&self) -> bool {
        let mut verdicts = self.attempts.iter().rev().map(|attempt| attempt.status.verdict());
        verdicts.find(|verdict| *verdict != Verdict::NotRun) == Some(Verdict::Unknown)
    }

    /// Whether its latest attempt ended, and not in success.
    pub fn can_be_retried(&self) -> bool {
        self.status().verdict().is_trouble()
    }
}

impl LaneState {
    /// The rollout of that name.
    pub fn rollout(&self, name: &RolloutName) -> Option<&RolloutState> {
        self.rollouts.iter().find(|rollout| rollout.name == *name)
    }

    /// How its hosts stand.
    pub fn counts(&self) -> Counts {
        self.rollouts.iter().map(|rollout| rollout.counts).sum()
    }

    /// The digest that its registry names for the SHA tag, once the push is complete.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.push {
            PushPhase::Succeeded { digest, .. } => Some(digest),
            PushPhase::Waiting | PushPhase::Running | PushPhase::Failed(_) | PushPhase::Cancelled => None,
        }
    }
}

impl RolloutState {
    /// The serial number of its last send; the next one has one more. Counting is not enough: of a deployment that was
    /// rebuilt from SSM, sends that SSM refused are not known.
    pub fn serial(&self) -> u32 {
        let tokens = self.sends.iter().filter_map(|send| send.token.parts());
        let last = tokens.map(|(.., serial)| serial).max().unwrap_or(0);
        last.max(u32::try_from(self.sends.len()).unwrap_or(u32::MAX))
    }

    /// Whether its first command has yet to go out by itself.
    pub fn is_unsent(&self) -> bool {
        self.sends.iter().all(SendState::is_withdrawn)
    }

    /// Whether something was sent and nothing more will come of any send.
    pub fn is_over(&self) -> bool {
        !self.is_unsent() && self.sends.iter().all(SendState::is_over)
    }

    /// Whether its first command can be sent again: nothing that was sent for it took place.
    ///
    /// Once SSM has taken a command, what did not succeed is a matter of a retry, which goes to those hosts alone.
    pub fn can_be_resent(&self) -> bool {
        !self.is_unsent()
            && self
                .sends
                .iter()
                .all(|send| matches!(send.phase, SendPhase::Refused(_) | SendPhase::Abandoned))
    }

    /// Why a send of it is unknown, or its last one did not take place. A later send supersedes a refused one; what nobody
    /// knows stays open until the operator decides.
    pub fn send_problem(&self) -> Option<&Problem> {
        let unknown = self.sends.iter().find_map(|send| match &send.phase {
            SendPhase::Unknown(problem) => Some(problem),
            SendPhase::Intended | SendPhase::Accepted { .. } | SendPhase::Refused(_) | SendPhase::Abandoned => None,
        });
        unknown.or_else(|| match &self.sends.last()?.phase {
            SendPhase::Refused(problem) => Some(problem),
            SendPhase::Intended | SendPhase::Accepted { .. } | SendPhase::Unknown(_) | SendPhase::Abandoned => None,
        })
    }

    /// Whether there is a send of which nobody knows whether SSM has it.
    pub fn has_unknown_send(&self) -> bool {
        let mut sends = self.sends.iter();
        sends.any(|send| matches!(send.phase, SendPhase::Unknown(_)))
    }

    /// Whether its last command was cancelled before it went out, and nobody wonders about another one.
    fn was_cancelled(&self) -> bool {
        let last = self.sends.last();
        !self.has_unknown_send()
            && last.is_some_and(|send| send.cancel_intended && matches!(send.phase, SendPhase::Refused(_)))
    }

    /// Whether its command ended without a single host: the tags matched nothing, which SSM calls a success.
    pub fn reached_nobody(&self) -> bool {
        self.hosts.is_empty() && self.is_over()
    }
}
