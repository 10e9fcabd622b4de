//! An operator, drawn from the seed: starts, watches, cancels, retries, looks things up, and leaves in the end.

use std::collections::HashSet;
use std::time::Duration;

use fastrand::Rng;
use quarterdeck::engine::{Action, Handle, Scope, Update};
use quarterdeck::names::{HostId, Region, RolloutName, Token};
use quarterdeck::state::{
    BuildPhase, Fact, Outcome, PushPhase, RetrySet, Selection, SendPhase, SendTo, State, TagPhase, Verdict,
};
use quarterdeck::text::Clean;

use crate::checks;
use crate::clock::Time;
use crate::world::World;

/// Retries that an operator asks for before giving up on a fleet.
const ROUNDS: u32 = 8;

pub struct Operator {
    rng: Rng,
    aloud: bool,
    rounds: u32,
    /// The last fact that was seen.
    pub seen: u64,
    /// Hosts that were retried though nobody knew whether they had run, by the token of the retry.
    pub risked: HashSet<(Token, HostId)>,
    /// Regions of which it was said that outputs could not be read.
    pub unread: HashSet<Region>,
    pub retried: u64,
    pub cancelled: u64,
    pub unknown: u64,
    cancels: u32,
    leaves: u32,
    /// Hosts that are retried as soon as they fail, whatever is still known or asked of them.
    eager: u32,
    /// Hosts that could be retried a while ago.
    stale: Option<RetrySet>,
}

impl Operator {
    pub fn new(rng: &mut Rng, aloud: bool) -> Self {
        Self {
            rng: Rng::with_seed(rng.u64(..)),
            aloud,
            rounds: ROUNDS,
            seen: 0,
            risked: HashSet::new(),
            unread: HashSet::new(),
            retried: 0,
            cancelled: 0,
            unknown: 0,
            cancels: rng.u32(0..3).saturating_sub(u32::from(rng.bool())),
            eager: rng.u32(0..6),
            leaves: u32::from(rng.u8(0..4) == 0),
            stale: None,
        }
    }
}

/// Follows one process; `true` once the deployment is done with.
pub async fn follow(mut handle: Handle, operator: &mut Operator, world: &World, time: &Time) -> bool {
    let mut state = State::default();
    let mut over = false;
    // Until this process drives, what it hears is another one's: its last words may only be read now.
    let mut watching = true;
    loop {
        let whim = Duration::from_millis(operator.rng.u64(500..90_000));
        let update = tokio::select! {
            biased;
            update = handle.updates.recv() => update,
            () = tokio::time::sleep(whim) => {
                operator.whim(&handle, &state);
                continue;
            }
        };
        world.book.check();
        match update {
            Some(Update::Ready(_)) => {
                watching = false;
                act(&handle, Action::Start);
            }
            Some(Update::Blocked(problems)) => {
                if operator.aloud {
                    println!("blocked: {problems:?}");
                }
                assert!(state.plan.is_none(), "a deployment that runs is not planned");
                tokio::time::sleep(Duration::from_secs(30)).await;
                act(&handle, Action::Recheck);
            }
            Some(Update::Fact(recorded)) => {
                let new = recorded.seq > operator.seen;
                if operator.aloud && new {
                    println!("{:>8.3} {:>4} {}", seconds(time), recorded.seq, brief(&recorded.fact));
                }
                assert!(
                    recorded.seq <= world.book.durable(),
                    "fact {} is shown before it is durable",
                    recorded.seq
                );
                if new {
                    operator.seen = recorded.seq;
                    checks::fact(world, time, &state, &recorded);
                    operator.notice(&state, &recorded.fact);
                }
                let before = checks::Others::of(&state, &recorded.fact);
                state.apply(&recorded);
                before.check(&state, &recorded.fact);
                if new && !watching {
                    operator.hurry(&handle, &state, &recorded.fact);
                }
                if new && matches!(recorded.fact, Fact::DeploymentSettled { .. }) {
                    checks::settled(&state);
                    // Whoever only watches can do nothing about it yet.
                    if !watching {
                        over = operator.settled(&handle, &state, world, time);
                    }
                }
            }
            Some(Update::RetryChecked { set, .. }) => {
                if !set.is_empty() {
                    act(
                        &handle,
                        Action::Retry {
                            despite_moved: set.in_regions(),
                            set,
                        },
                    );
                }
            }
            Some(Update::Watching(_)) => {
                watching = true;
                // What a watcher asks for is refused.
                act(&handle, Action::Cancel(Scope::All));
            }
            Some(Update::Orphaned) => act(&handle, Action::TakeOver),
            Some(Update::Driving) => watching = false,
            Some(Update::Notice(problem)) => {
                if operator.aloud {
                    println!("notice: {problem}");
                }
                assert!(!problem.what.as_str().contains("a defect in Quarterdeck"), "{problem}");
                if let Some((region, _)) = problem
                    .what
                    .as_str()
                    .split_once(": what failed hosts printed is not read")
                {
                    operator.unread.insert(Region::new(region));
                }
                // Nothing comes of a retry whose hosts are all gone: there is something else to do, or nothing.
                if !watching && state.settled.is_some() && problem.what.as_str().contains("the retry leaves out") {
                    over = operator.settled(&handle, &state, world, time);
                }
            }
            // What was asked for a moment before leaving may have gone out since: that is for the next process to follow.
            Some(Update::Stopped(None)) => return over && state.settled.is_some(),
            Some(Update::Stopped(Some(_))) if world.book.disk_was_full() => return false,
            Some(Update::Stopped(Some(problem))) => panic!("the engine stopped: {problem}"),
            None => panic!("the engine went away without a word"),
            Some(Update::Checks(_)) => {}
        }
    }
}

fn act(handle: &Handle, action: Action) {
    // An engine that does not listen any more has said why.
    let _ = handle.actions.send(action);
}

impl Operator {
    /// Something that comes to mind in between.
    fn whim(&mut self, handle: &Handle, state: &State) {
        if state.plan.is_none() {
            return;
        }
        if self.leaves > 0 && self.rng.u8(0..6) == 0 {
            self.leaves -= 1;
            let reason = Clean::line("the train leaves");
            return act(handle, Action::Leave { reason });
        }
        if self.cancels > 0 && self.rng.u8(0..4) == 0 {
            self.cancels -= 1;
            self.cancelled += 1;
            let lane = &state.lanes[self.rng.usize(0..state.lanes.len())];
            let scope = match self.rng.u8(0..3) {
                0 => Scope::All,
                1 => Scope::Lane(lane.region.clone()),
                _ => Scope::Rollout(lane.region.clone(), lane.rollouts[0].name.clone()),
            };
            act(handle, Action::Cancel(scope));
            return;
        }
        let hosts: Vec<(Region, RolloutName, HostId)> = state
            .lanes
            .iter()
            .flat_map(|lane| lane.rollouts.iter().map(move |rollout| (lane, rollout)))
            .flat_map(|(lane, rollout)| {
                let place = (lane.region.clone(), rollout.name.clone());
                rollout
                    .hosts
                    .iter()
                    .map(move |host| (place.0.clone(), place.1.clone(), host.id.clone()))
            })
            .collect();
        if hosts.is_empty() {
            return;
        }
        let one = hosts[self.rng.usize(0..hosts.len())].clone();
        match self.rng.u8(0..7) {
            0 => act(
                handle,
                Action::ReadOutput {
                    region: one.0,
                    rollout: one.1,
                    host: one.2,
                },
            ),
            2 => self.mischief(handle, state),
            // What was right a while ago, and twice.
            3 if self.rounds > 0 => match self.stale.take() {
                Some(set) => {
                    self.rounds -= 1;
                    let despite_moved = if self.rng.bool() { set.in_regions() } else { Vec::new() };
                    for set in [set.clone(), set] {
                        let despite_moved = despite_moved.clone();
                        act(handle, Action::Retry { set, despite_moved });
                    }
                }
                None => {
                    self.stale = Some(state.retry_set(&Selection::Unsuccessful(None))).filter(|set| !set.is_empty())
                }
            },
            // A retry while others still run.
            1 if self.rounds > 0 => {
                let set = state.retry_set(&Selection::Hosts(vec![one]));
                if !set.is_empty() {
                    self.rounds -= 1;
                    act(
                        handle,
                        Action::Retry {
                            set,
                            despite_moved: Vec::new(),
                        },
                    );
                }
            }
            _ => {}
        }
    }

    /// Retries a host at the very moment at which it is known to have failed.
    fn hurry(&mut self, handle: &Handle, state: &State, fact: &Fact) {
        let Fact::HostChanged {
            command, host, status, ..
        } = fact
        else {
            return;
        };
        if self.eager == 0 || !status.verdict().is_trouble() || self.rng.bool() {
            return;
        }
        let Some((lane, rollout, _)) = state.command(command) else {
            return;
        };
        self.eager -= 1;
        let one = (lane.region.clone(), rollout.name.clone(), host.clone());
        act(
            handle,
            Action::Retry {
                despite_moved: vec![one.0.clone()],
                set: state.retry_set(&Selection::Hosts(vec![one])),
            },
        );
    }

    /// Something that may not be done now; the engine has to know.
    fn mischief(&mut self, handle: &Handle, state: &State) {
        let lane = &state.lanes[self.rng.usize(0..state.lanes.len())];
        let rollout = &lane.rollouts[self.rng.usize(0..lane.rollouts.len())];
        let accepted = rollout.sends.iter().find(|send| send.command().is_some());
        match (self.rng.u8(0..6), state.builds.first(), accepted) {
            (0, ..) => act(handle, Action::Resend(lane.region.clone(), rollout.name.clone())),
            (1, ..) => act(handle, Action::RetryPush(lane.region.clone())),
            (2, Some(build), _) => act(handle, Action::RetryBuild(build.id.clone())),
            (3, _, Some(send)) => act(handle, Action::Abandon(send.token.clone())),
            (4, ..) => act(handle, Action::TakeOver),
            _ => act(handle, Action::Start),
        }
    }

    /// Remembers what was risked, before the fact is folded.
    fn notice(&mut self, state: &State, fact: &Fact) {
        match fact {
            Fact::SendIntended {
                region,
                rollout,
                token,
                to: SendTo::Hosts(hosts),
            } => {
                self.retried += hosts.len() as u64;
                let rollout = state.lane(region).and_then(|lane| lane.rollout(rollout));
                for host in hosts {
                    let known = rollout.and_then(|rollout| rollout.host(host));
                    if known.is_none_or(|host| host.attempts.iter().any(|one| one.status.verdict() == Verdict::Unknown))
                    {
                        self.risked.insert((token.clone(), host.clone()));
                    }
                }
            }
            Fact::SendUnknown { .. } => self.unknown += 1,
            _ => {}
        }
    }

    /// Nothing is under way: mend something, or be done with it. Whether it is done with.
    fn settled(&mut self, handle: &Handle, state: &State, world: &World, time: &Time) -> bool {
        let leave = || {
            act(
                handle,
                Action::Leave {
                    reason: Clean::line("done"),
                },
            );
        };
        // Of a send that nobody knows of the operator looks into the AWS console, and gives it time.
        for lane in &state.lanes {
            let sends = lane.rollouts.iter().flat_map(|rollout| &rollout.sends);
            for send in sends.filter(|send| matches!(send.phase, SendPhase::Unknown(_))) {
                if checks::command(world, time, &lane.region, &send.token).is_some() || world.street.is_busy() {
                    // Whoever attaches again looks for it once more.
                    leave();
                    return false;
                }
            }
        }
        let outcome = state.settled.map(|(outcome, _)| outcome);
        if outcome == Some(Outcome::Succeeded) || self.rounds == 0 {
            leave();
            return true;
        }
        self.rounds -= 1;
        if let Some(build) = state
            .builds
            .iter()
            .find(|build| matches!(build.phase, BuildPhase::Failed { .. } | BuildPhase::Cancelled))
        {
            act(handle, Action::RetryBuild(build.id.clone()));
            return false;
        }
        for lane in &state.lanes {
            let failed = matches!(lane.push, PushPhase::Failed(_) | PushPhase::Cancelled)
                || lane.tags.iter().any(|tag| matches!(tag.phase, TagPhase::Failed(_)))
                || lane.cancelled;
            if failed {
                act(handle, Action::RetryPush(lane.region.clone()));
                return false;
            }
        }
        for lane in &state.lanes {
            for rollout in &lane.rollouts {
                let place = (lane.region.clone(), rollout.name.clone());
                let mut sends = rollout.sends.iter();
                let unknown = sends.find(|send| matches!(send.phase, SendPhase::Unknown(_)));
                match unknown.map(|send| (&send.token, &send.to)) {
                    Some((token, SendTo::Targets)) => {
                        act(handle, Action::Abandon(token.clone()));
                        act(handle, Action::Resend(place.0, place.1));
                        return false;
                    }
                    Some((token, SendTo::Hosts(hosts))) => {
                        act(handle, Action::Abandon(token.clone()));
                        let set = RetrySet {
                            hosts: [(place, hosts.clone())].into(),
                            unknown: 0,
                        };
                        act(handle, Action::CheckRetry(set));
                        return false;
                    }
                    None if rollout.can_be_resent() => {
                        act(handle, Action::Resend(place.0, place.1));
                        return false;
                    }
                    None => {}
                }
            }
        }
        let selection = if self.rng.bool() {
            Selection::Failed(None)
        } else {
            Selection::Unsuccessful(None)
        };
        let mut set = state.retry_set(&selection);
        if set.is_empty() {
            set = state.retry_set(&Selection::Unsuccessful(None));
        }
        if set.is_empty() {
            leave();
            return true;
        }
        act(handle, Action::CheckRetry(set));
        false
    }
}

fn seconds(time: &Time) -> f64 {
    time.now().0 as f64 / 1000.0 % 100_000.0
}

fn brief(fact: &Fact) -> String {
    let text = match fact {
        Fact::DeploymentStarted { .. } => "DeploymentStarted".to_owned(),
        fact => format!("{fact:?}"),
    };
    text.chars().take(260).collect()
}
