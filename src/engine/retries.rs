//! Retries that are larger than one command: SSM takes fifty instance ids at most, so the rest waits for its turn.
//!
//! The chunks of a rollout go out one after the other, so that its MaxConcurrency still holds; and its MaxErrors is held
//! against all of them together, since they are one retry to whoever asked for it. What was not sent keeps its state.

use std::collections::{BTreeMap, VecDeque};

use crate::names::{HostId, Region, RolloutName, Token};
use crate::plan::Plan;
use crate::problem::{Kind, Problem};
use crate::state::{HostStatus, RetrySet, RolloutState, SendPhase, SendTo, State};

/// SSM refuses more instance ids in one SendCommand (service model).
const CHUNK: usize = 50;

/// The retries that are not wholly sent.
#[derive(Debug, Default)]
pub(super) struct Retries(BTreeMap<(Region, RolloutName), Queue>);

#[derive(Debug)]
struct Queue {
    chunks: VecDeque<Vec<HostId>>,
    /// MaxErrors as a number of hosts, of all that the retry is for.
    tolerated: usize,
    sent: Vec<Token>,
}

/// What is due.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// Commands to send.
    pub sends: Vec<(Region, RolloutName, Vec<HostId>)>,
    /// Retries that stopped early, and why.
    pub stopped: Vec<Problem>,
}

impl Retries {
    /// Adds a retry. Hosts that wait in an unfinished one already are not added twice.
    pub fn add(&mut self, plan: &Plan, set: &RetrySet) {
        for ((region, rollout), hosts) in &set.hosts {
            let queue = self.0.entry((region.clone(), rollout.clone())).or_insert(Queue {
                chunks: VecDeque::new(),
                tolerated: 0,
                sent: Vec::new(),
            });
            let queued: Vec<&HostId> = queue.chunks.iter().flatten().collect();
            let new: Vec<HostId> = hosts.iter().filter(|host| !queued.contains(host)).cloned().collect();
            let limits = plan.lane(region).and_then(|lane| lane.rollout(rollout));
            queue.tolerated += limits.map_or(0, |rollout| rollout.limits(new.len()).errors);
            queue.chunks.extend(new.chunks(CHUNK).map(<[HostId]>::to_vec));
        }
    }

    /// A chunk went out under this token.
    pub fn sent(&mut self, region: &Region, rollout: &RolloutName, token: Token) {
        if let Some(queue) = self.0.get_mut(&(region.clone(), rollout.clone())) {
            queue.sent.push(token);
        }
    }

    /// Forgets what waits in a rollout, and says how many hosts that were.
    pub fn forget(&mut self, region: &Region, rollout: &RolloutName) -> usize {
        let queue = self.0.remove(&(region.clone(), rollout.clone()));
        queue.map_or(0, |queue| queue.chunks.iter().map(Vec::len).sum())
    }

    /// How many hosts wait.
    pub fn waiting(&self) -> usize {
        self.0.values().flat_map(|queue| &queue.chunks).map(Vec::len).sum()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out what can be sent now.
    pub fn due(&mut self, state: &State) -> Due {
        let mut due = Due::default();
        self.0.retain(|(region, rollout), queue| {
            let current = state.lane(region).and_then(|lane| lane.rollout(rollout));
            // Whoever sent it, and before whatever crash: two at once would be twice MaxConcurrency.
            if current.is_some_and(is_being_retried) {
                return true;
            }
            match queue.next(state) {
                Next::Stop(why) => {
                    let left: usize = queue.chunks.iter().map(Vec::len).sum();
                    due.stopped.push(stopped(region, rollout, left, &why));
                    return false;
                }
                Next::Go => {}
            }
            // A host may have been retried on its own while it waited here.
            while let Some(mut hosts) = queue.chunks.pop_front() {
                hosts.retain(|id| {
                    current
                        .and_then(|now| now.host(id))
                        .is_some_and(|host| host.can_be_retried())
                });
                if !hosts.is_empty() {
                    due.sends.push((region.clone(), rollout.clone(), hosts));
                    return true;
                }
            }
            false
        });
        due
    }
}

/// Whether a command that went to some of its hosts is not over.
fn is_being_retried(rollout: &RolloutState) -> bool {
    let mut retries = rollout.sends.iter().filter(|send| matches!(send.to, SendTo::Hosts(_)));
    retries.any(|send| !send.is_over())
}

enum Next {
    Go,
    Stop(String),
}

impl Queue {
    fn next(&self, state: &State) -> Next {
        let Some(last) = self.sent.last().and_then(|token| state.send(token)) else {
            return Next::Go;
        };
        let (_, rollout, at) = last;
        match &rollout.sends[at].phase {
            SendPhase::Intended | SendPhase::Accepted { .. } => {}
            SendPhase::Refused(_) => return self.stop("SSM refused the command before"),
            SendPhase::Unknown(_) | SendPhase::Abandoned => {
                return self.stop("it is unknown whether the command before went out");
            }
        }
        if rollout.sends[at].cancel_asked {
            return self.stop("it was cancelled");
        }
        let sent: Vec<usize> = self
            .sent
            .iter()
            .filter_map(|token| state.send(token).map(|(_, _, at)| at))
            .collect();
        let errors = rollout
            .hosts
            .iter()
            .flat_map(|host| &host.attempts)
            .filter(|attempt| sent.contains(&attempt.send))
            .filter(|attempt| matches!(attempt.status, HostStatus::Failed | HostStatus::ExecutionTimedOut))
            .count();
        if errors > self.tolerated {
            return self.stop(&format!(
                "{errors} failed again, and max_errors allows {}",
                self.tolerated
            ));
        }
        Next::Go
    }

    /// There is nothing to stop behind the last chunk.
    fn stop(&self, why: &str) -> Next {
        if self.chunks.is_empty() {
            Next::Go
        } else {
            Next::Stop(why.to_owned())
        }
    }
}

fn stopped(region: &Region, rollout: &RolloutName, left: usize, why: &str) -> Problem {
    let hosts = crate::words::plural(left, "host");
    Problem::new(
        Kind::Guard,
        format!("{region} {rollout}: the retry stopped before {hosts}: {why}"),
        "they are as they were; retry again to go on",
    )
}
