//! How each kind of work is started: what is recorded first, and what its task is given.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Drive;
use crate::engine::next::Step;
use crate::engine::poll::Tracker;
use crate::engine::setup::CLOCK_SKEW;
use crate::engine::work::Work;
use crate::engine::{build, push, retries, send};
use crate::names::{BuildId, CommandId, HostId, Millis, Region, RolloutName, Token};
use crate::plan::{LanePlan, RolloutPlan};
use crate::problem::{Kind, Problem};
use crate::state::live::Progress;
use crate::state::{Fact, HostStatus, RolloutState, SendTo};
use crate::text::Clean;

/// How long a script may run where the document does not say: the agent's own default (3600 s).
const EXECUTION: i64 = 3600 * 1000;

impl Drive {
    /// Starts a step.
    pub(super) async fn begin(&mut self, step: Step) -> Result<(), Problem> {
        match step {
            Step::Build(id) => self.build(id).await,
            Step::Push(region) => self.push(region).await,
            Step::Tags(region) => {
                self.tags(region);
                Ok(())
            }
            Step::Send(region, rollout) => self.send(&region, &rollout, SendTo::Targets).await,
            Step::Reconcile(token) => {
                self.reconcile(token);
                Ok(())
            }
            Step::Cancel(command) => {
                self.cancel_command(command);
                Ok(())
            }
            Step::Retry(region, rollout, hosts) => self.send(&region, &rollout, SendTo::Hosts(hosts)).await,
            Step::StopRetry(region, rollout, why) => {
                let stopped = self.retry_stopped(&region, &rollout, &why);
                self.record(stopped.into_iter().collect()).await
            }
        }
    }

    /// Runs a task whose facts are recorded when it ends.
    pub(super) fn spawn(&mut self, work: Work, task: impl Future<Output = Vec<Fact>> + Send + 'static) {
        let id = self.jobs.spawn(task).id();
        self.busy.insert(id, work);
    }

    pub(super) fn stop_of(&mut self, work: &Work) -> CancellationToken {
        let stop = CancellationToken::new();
        self.stops.insert(work.clone(), stop.clone());
        stop
    }

    pub(super) async fn build(&mut self, id: BuildId) -> Result<(), Problem> {
        let attempt = self.state.build(&id).map_or(0, |build| build.attempts) + 1;
        let log = self.means.logs.join(format!("{id}-{attempt}.log"));
        let started = Fact::BuildStarted {
            build: id.clone(),
            log: Clean::line(&log.display().to_string()),
        };
        self.record(vec![started]).await?;
        self.means.show(Progress::BuildReset { build: id.clone() });
        let work = Work::Build(id.clone());
        let stop = self.stop_of(&work);
        let task = build::run(self.means.clone(), id, log, stop);
        self.spawn(work, task);
        Ok(())
    }

    pub(super) async fn push(&mut self, region: Region) -> Result<(), Problem> {
        let lane = self.state.lane(&region);
        let build = lane.and_then(|lane| lane.build.clone());
        let planned = self.means.plan.lane(&region);
        let already = planned.is_some_and(|lane| lane.already.is_some());
        let image = build.as_ref().and_then(|id| self.state.image(id)).cloned();
        let job = push::Job {
            image: image.filter(|_| !already),
            twin: self.state.lanes.iter().find_map(|twin| {
                let same = build.is_some() && twin.build == build && twin.region != region;
                let digest = twin.digest().filter(|_| same)?;
                Some((twin.region.clone(), digest.clone()))
            }),
        };
        if job.image.is_some() {
            let region = region.clone();
            self.record(vec![Fact::PushStarted { region }]).await?;
        }
        let work = Work::Push(region.clone());
        let stop = self.stop_of(&work);
        let task = push::run(self.means.clone(), region, job, stop);
        self.spawn(work, task);
        Ok(())
    }

    /// Takes the SHA tag off the local image, now that the push is recorded. Nobody waits for it.
    pub(super) fn untag(&mut self, region: &Region) {
        let pushes = |lane: &&LanePlan| lane.build.is_some() && lane.already.is_none();
        if let Some(lane) = self.means.plan.lane(region).filter(pushes) {
            let name = format!("{}:{}", lane.repository.uri, lane.sha_tag);
            let docker = self.means.outside.docker.clone();
            self.jobs.spawn(async move {
                docker.untag(&name).await;
                Vec::new()
            });
        }
    }

    pub(super) fn tags(&mut self, region: Region) {
        let Some(digest) = self.state.lane(&region).and_then(|lane| lane.digest()).cloned() else {
            return;
        };
        let tags = self.waiting_tags(&region);
        let work = Work::Tags(region.clone());
        let stop = self.stop_of(&work);
        let task = push::tags(self.means.clone(), region, digest, tags, stop);
        self.spawn(work, task);
    }

    /// That what has not gone out of the rollout's retry does not go out.
    pub(super) fn retry_stopped(&self, region: &Region, rollout: &RolloutName, why: &str) -> Option<Fact> {
        let state = self.state.lane(region).and_then(|lane| lane.rollout(rollout))?;
        Some(Fact::RetryStopped {
            region: region.clone(),
            rollout: rollout.clone(),
            problem: retries::stopped(region, state, why),
        })
    }

    /// Records the intent to send and sends, in this order.
    pub(super) async fn send(&mut self, region: &Region, rollout: &RolloutName, to: SendTo) -> Result<(), Problem> {
        let serial = self
            .state
            .lane(region)
            .and_then(|lane| lane.rollout(rollout))
            .map_or(0, RolloutState::serial);
        let token = Token::compose(self.means.plan.id, region, rollout, serial + 1);
        let intended = Fact::SendIntended {
            region: region.clone(),
            rollout: rollout.clone(),
            token: token.clone(),
            to: to.clone(),
        };
        self.record(vec![intended]).await?;
        let lane = self.state.lane(region);
        let retry = lane
            .and_then(|lane| lane.rollout(rollout))
            .map(|rollout| &rollout.retry);
        let despite_moved_tag = match to {
            SendTo::Targets => false,
            SendTo::Hosts(_) => retry.is_some_and(|retry| retry.despite_moved_tag),
        };
        let send = send::Send {
            region: region.clone(),
            rollout: rollout.clone(),
            token: token.clone(),
            to,
            digest: lane
                .filter(|_| !despite_moved_tag)
                .and_then(|lane| lane.digest())
                .cloned(),
            intended_at: self.now(),
        };
        let work = Work::Send(token.clone());
        let stop = self.stop_of(&work);
        let task = send::run(self.means.clone(), send, stop);
        self.spawn(work, task);
        Ok(())
    }

    /// Looks for a command whose process ended between the intent and the answer.
    pub(super) fn reconcile(&mut self, token: Token) {
        let Some((lane, rollout, at)) = self.state.send(&token) else {
            return;
        };
        let sent = &rollout.sends[at];
        let send = send::Send {
            region: lane.region.clone(),
            rollout: rollout.name.clone(),
            token: token.clone(),
            to: sent.to.clone(),
            digest: None,
            intended_at: sent.intended_at,
        };
        let lost = Problem::new(Kind::Unexpected, "the process that sent it ended before the answer", "");
        let task = send::reconcile(self.means.clone(), send, lost);
        self.spawn(Work::Send(token), task);
    }
}

/// The watch over the rollout's send number `at`.
pub(super) fn tracker(
    plan: &RolloutPlan,
    rollout: &RolloutState,
    at: usize,
    command: &CommandId,
    grace: Duration,
) -> Tracker {
    let send = &rollout.sends[at];
    let expected: BTreeSet<HostId> = match &send.to {
        SendTo::Targets => plan.expected.iter().map(|host| host.id.clone()).collect(),
        SendTo::Hosts(hosts) => hosts.iter().cloned().collect(),
    };
    let attempts = rollout
        .hosts
        .iter()
        .filter_map(|host| Some((host.id.clone(), host.attempt(at)?)));
    // A host that waits has not been seen among the invocations.
    let known = attempts
        .filter(|(_, attempt)| attempt.status != HostStatus::Waiting)
        .map(|(id, attempt)| (id, attempt.status.clone()));
    let expires_at = match &send.phase {
        crate::state::SendPhase::Accepted { expires_at, .. } => *expires_at,
        _ => None,
    };
    let window = i64::from(plan.delivery_timeout_secs) * 1000 + EXECUTION;
    // AWS's clock says when it expires, and this machine's when that is.
    let expires_at = expires_at.map_or(send.intended_at.0 + window, |at| at.0.saturating_add(CLOCK_SKEW));
    let grace = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
    let deadline = Millis(expires_at.saturating_add(grace));
    Tracker::new(command.clone(), expected, known, deadline)
}
