//! Figures that cost a walk over all hosts, made once per change of the state and not once per frame.

use std::collections::BTreeMap;

use crate::names::Millis;
use crate::state::{BuildPhase, HostState, HostStatus, PushPhase, State, Verdict};
use crate::text::Clean;

/// Names kept for each sort of trouble; a panel has no room for more.
const NAMED: usize = 12;

/// Figures of a whole deployment.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// The fact that they are up to date with.
    seq: u64,
    /// By lane and rollout, in the state's order.
    rollouts: Vec<Vec<RolloutFigures>>,
}

/// Figures of one rollout.
#[derive(Debug, Clone, Default)]
pub struct RolloutFigures {
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
    /// Hosts that did not succeed, by the word for it: how many, and the first names.
    pub trouble: BTreeMap<(Verdict, Clean), (usize, Vec<String>)>,
}

impl Figures {
    /// Makes them anew if the state changed.
    pub fn refresh(&mut self, state: &State) {
        if self.seq == state.seq && self.rollouts.len() == state.lanes.len() {
            return;
        }
        self.seq = state.seq;
        self.rollouts = state
            .lanes
            .iter()
            .map(|lane| {
                lane.rollouts
                    .iter()
                    .map(|rollout| RolloutFigures::of(&rollout.hosts))
                    .collect()
            })
            .collect();
    }

    /// One rollout's.
    pub fn rollout(&self, lane: usize, rollout: usize) -> Option<&RolloutFigures> {
        self.rollouts.get(lane)?.get(rollout)
    }

    /// Hosts that a retry of the failed goes to, in one lane or anywhere.
    pub fn failed(&self, lane: Option<usize>) -> usize {
        self.rollouts
            .iter()
            .enumerate()
            .filter(|(at, _)| lane.is_none_or(|lane| lane == *at))
            .flat_map(|(_, rollouts)| rollouts)
            .map(|rollout| rollout.failed)
            .sum()
    }

    /// Hosts that did not succeed, by the word for it, over all lanes.
    pub fn trouble(&self) -> BTreeMap<(Verdict, Clean), (usize, Vec<String>)> {
        let mut all: BTreeMap<(Verdict, Clean), (usize, Vec<String>)> = BTreeMap::new();
        for (word, (count, names)) in self.rollouts.iter().flatten().flat_map(|rollout| &rollout.trouble) {
            let entry = all.entry(word.clone()).or_default();
            entry.0 += count;
            let room = NAMED.saturating_sub(entry.1.len());
            entry.1.extend(names.iter().take(room).cloned());
        }
        all
    }
}

impl RolloutFigures {
    fn of(hosts: &[HostState]) -> Self {
        let mut figures = Self::default();
        for host in hosts {
            let status = host.status();
            match status {
                HostStatus::Failed | HostStatus::ExecutionTimedOut => figures.failed += 1,
                HostStatus::Pending => figures.pending += 1,
                HostStatus::Delayed => figures.delayed += 1,
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
                | HostStatus::Other { .. } => {}
            }
            if !host.is_planned() {
                figures.unplanned += 1;
            }
            figures.changed_at = figures.changed_at.max(host.latest().map(|attempt| attempt.since));
            if host.can_be_retried() {
                let key = (status.verdict(), Clean::line(status.word()));
                let entry = figures.trouble.entry(key).or_default();
                entry.0 += 1;
                if entry.1.len() < NAMED {
                    entry.1.push(host.label().to_owned());
                }
            }
        }
        figures
    }
}

/// Whether something is under way that a spinner stands for: a build or a push.
pub(super) fn spins(state: &State) -> bool {
    state.builds.iter().any(|build| build.phase == BuildPhase::Running)
        || state.lanes.iter().any(|lane| lane.push == PushPhase::Running)
}
