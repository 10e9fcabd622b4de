//! The invariants.

use std::collections::{HashMap, HashSet};

use quarterdeck::names::{CommandId, HostId, Region, Token};
use quarterdeck::rehearsal::fleet::{Fleet, Images as _, Printed, Run, Status};
use quarterdeck::rehearsal::ssm::Region as SsmRegion;
use quarterdeck::state::{
    Attempt, Counts, Fact, HostStatus, Outcome, Output, Recorded, RolloutState, Selection, SendPhase, SendTo, State,
    Verdict,
};
use quarterdeck::text::Clean;

use crate::clock::Time;
use crate::operator::Operator;
use crate::world::World;

/// Looks at a region as it is now.
fn look<T>(world: &World, time: &Time, region: &Region, look: impl FnOnce(&SsmRegion, &Fleet) -> T) -> T {
    world.street.deliver(time.now());
    world.desk.with_ssm(time.now(), |ssm| {
        let region = ssm.region(region.as_str()).expect("the region is there");
        look(region, region.fleet())
    })
}

fn number(region: &SsmRegion, id: &CommandId) -> Option<usize> {
    (0..region.fleet().commands().len()).find(|number| region.command_id(*number) == Some(id.as_str()))
}

/// The id of the command with this token, if SSM has it. It never has two.
pub fn command(world: &World, time: &Time, region: &Region, token: &Token) -> Option<String> {
    look(world, time, region, |region, fleet| {
        let mut numbers = (0..fleet.commands().len()).filter(|number| region.comment(*number) == Some(token.as_str()));
        let number = numbers.next()?;
        assert!(numbers.next().is_none(), "{token} was sent twice");
        region.command_id(number).map(str::to_owned)
    })
}

/// An invocation as it stands on the fleet.
struct Truth {
    status: Status,
    listed: bool,
    printed: Printed,
}

fn truth(world: &World, time: &Time, region: &Region, id: &CommandId, host: &HostId) -> Option<Truth> {
    look(world, time, region, |region, fleet| {
        let number = number(region, id)?;
        let node = fleet.find(host.as_str())?;
        let mut invocations = fleet.commands()[number].invocations.iter().enumerate();
        let (at, invocation) = invocations.find(|(_, one)| one.node == node)?;
        Some(Truth {
            status: invocation.status,
            listed: invocation.listed,
            printed: fleet.printed(number, at),
        })
    })
}

/// Held against every new fact, before it is folded into `state`.
pub fn fact(world: &World, time: &Time, state: &State, recorded: &Recorded) {
    match &recorded.fact {
        Fact::HostChanged {
            command,
            host,
            status,
            exit_code,
        } => {
            let (lane, rollout, at) = state.command(command).expect("a host changes within a known command");
            let before = rollout.host(host).and_then(|host| host.attempt(at));
            assert!(
                before.is_none_or(|before| !before.status.is_end() || status.is_end()),
                "{host} had ended as {before:?} and is {status:?} now"
            );
            let truth = truth(world, time, &lane.region, command, host);
            let truth = truth.unwrap_or_else(|| panic!("{host} is {status:?} in {command}, which does not have it"));
            assert!(truth.listed, "{host} is {status:?} and was never listed");
            // A word that nobody knows is a fault's; every end that is known is the fleet's own.
            if status.is_end() && !matches!(status, HostStatus::Other { .. }) {
                let true_status = HostStatus::read(truth.status.word(), truth.status.details());
                assert_eq!(*status, true_status, "{host} is said to have ended");
            }
            if exit_code.is_some() {
                assert_eq!(*exit_code, truth.printed.code, "{host}'s exit code");
            }
        }
        Fact::SendIntended {
            region,
            rollout,
            to,
            token,
        } => {
            let lane = state.lane(region).expect("a send has a lane");
            let rollout = lane.rollout(rollout).expect("and a rollout");
            match to {
                SendTo::Hosts(hosts) => retry(rollout, token, hosts),
                SendTo::Targets => {
                    assert!(!lane.cancelled, "{token} goes out though its lane was cancelled");
                    let name = crate::world::repository(region);
                    let pulled = world.ecr.pulls(region.as_str(), &name, "latest");
                    assert_eq!(
                        pulled.as_deref(),
                        lane.digest().map(|digest| digest.as_str()),
                        "{token} goes out, and `latest` is something else"
                    );
                    let out = |phase: &SendPhase| !matches!(phase, SendPhase::Refused(_) | SendPhase::Abandoned);
                    assert!(
                        !rollout.sends.iter().any(|send| out(&send.phase)),
                        "{token} goes to the targets, and another command may have gone there"
                    );
                }
            }
        }
        Fact::RetryIntended {
            region, rollout, hosts, ..
        } => {
            let place = |host: &HostId| (region.clone(), rollout.clone(), host.clone());
            let named = state.retry_set(&Selection::Hosts(hosts.iter().map(place).collect()));
            assert_eq!(
                named.len(),
                hosts.len(),
                "a retry of {hosts:?} is wanted, and not all of them wait for one"
            );
        }
        Fact::SendAccepted { token, command: id, .. } => {
            let (lane, ..) = state.send(token).expect("a send is intended before it is accepted");
            let true_id = command(world, time, &lane.region, token);
            assert_eq!(true_id.as_deref(), Some(id.as_str()), "{token} was accepted by nobody");
        }
        Fact::OutputRead { command, host, output } => {
            let (lane, rollout, at) = state.command(command).expect("an output belongs to a known command");
            let attempt = rollout.host(host).and_then(|host| host.attempt(at));
            let attempt = attempt.expect("an output belongs to a known host");
            assert!(attempt.output.is_none(), "{host}'s output of {command} is read twice");
            assert!(
                attempt.status.is_end(),
                "{host}'s output of {command} is read before its end"
            );
            let truth = truth(world, time, &lane.region, command, host).expect("the fleet knows the host");
            let says = |shown: &Clean, printed: &str, cut: bool| {
                let printed = Clean::block(printed);
                let start: String = printed.as_str().chars().take(5_000).collect();
                cut && shown.as_str().starts_with(&start) || *shown == printed
            };
            assert!(
                says(&output.stdout, &truth.printed.stdout, output.stdout_cut)
                    && says(&output.stderr, &truth.printed.stderr, output.stderr_cut),
                "{host} printed something else in {command}"
            );
        }
        Fact::CommandEnded { command, missing, .. } => {
            let (lane, ..) = state.command(command).expect("a command that ends was accepted");
            let ended = look(world, time, &lane.region, |region, fleet| {
                number(region, command).is_some_and(|number| fleet.commands()[number].ended_at.is_some())
            });
            assert!(ended, "{command} is said to be over, and it goes on");
            for host in missing {
                let listed = truth(world, time, &lane.region, command, host).is_some_and(|truth| truth.listed);
                assert!(!listed, "{host} is called missing in {command}, which lists it");
            }
        }
        _ => {}
    }
}

/// A retry goes to hosts that are done and did not succeed, and waits for the one before.
fn retry(rollout: &RolloutState, token: &Token, hosts: &[HostId]) {
    for send in rollout.sends.iter().filter(|send| matches!(send.to, SendTo::Hosts(_))) {
        assert!(send.is_over(), "{token} goes out beside {}", send.token);
    }
    assert!(hosts.len() <= 50, "{token} goes to {} hosts", hosts.len());
    let distinct: HashSet<_> = hosts.iter().collect();
    assert_eq!(distinct.len(), hosts.len(), "{token} names a host twice");
    for host in hosts {
        let status = rollout.host(host).expect("a retry goes to a known host").status();
        assert!(status.is_end(), "{host} is retried while it is {status:?}");
        assert_ne!(
            status.verdict(),
            Verdict::Succeeded,
            "{host} is retried after its success"
        );
    }
}

/// What a fact about one attempt must leave alone: the other attempts of its host.
pub struct Others(Option<Vec<(usize, HostStatus, Option<Output>)>>);

impl Others {
    pub fn of(state: &State, fact: &Fact) -> Self {
        Self(others(state, fact))
    }

    pub fn check(self, state: &State, fact: &Fact) {
        if self.0.is_some() {
            assert_eq!(self.0, others(state, fact), "{fact:?} changes another attempt");
        }
        if let Fact::OutputRead { command, host, output } = fact {
            let attempt = state
                .command(command)
                .and_then(|(_, rollout, at)| rollout.host(host)?.attempt(at));
            let kept = attempt.and_then(|attempt| attempt.output.as_deref());
            assert_eq!(
                kept,
                Some(output),
                "{host}'s output of {command} is not where it belongs"
            );
        }
    }
}

fn others(state: &State, fact: &Fact) -> Option<Vec<(usize, HostStatus, Option<Output>)>> {
    let (Fact::HostChanged { command, host, .. } | Fact::OutputRead { command, host, .. }) = fact else {
        return None;
    };
    let (_, rollout, at) = state.command(command)?;
    let attempts = rollout.host(host)?.attempts.iter().filter(|attempt| attempt.send != at);
    let seen = |attempt: &Attempt| (attempt.send, attempt.status.clone(), attempt.output.as_deref().cloned());
    Some(attempts.map(seen).collect())
}

/// Nothing is under way, so nobody waits for anything.
pub fn settled(state: &State) {
    for lane in &state.lanes {
        assert!(lane.waits.is_none(), "{} still waits: {:?}", lane.region, lane.waits);
        for rollout in &lane.rollouts {
            let waiting: Vec<_> = rollout.waiting_for_retry().collect();
            assert!(waiting.is_empty(), "called settled, and {waiting:?} wait for a retry");
        }
        let open = lane
            .rollouts
            .iter()
            .flat_map(|rollout| &rollout.sends)
            .any(|send| !send.is_over());
        assert!(!open, "{} is called settled, and a command is open", lane.region);
    }
}

/// Nothing is forgotten and nothing recorded twice.
pub fn journal(facts: &[Recorded]) {
    let mut tokens = HashSet::new();
    let mut settled = HashMap::new();
    let mut waits = HashSet::new();
    for (at, recorded) in facts.iter().enumerate() {
        assert_eq!(recorded.seq, at as u64 + 1, "the journal has no gaps");
        match &recorded.fact {
            Fact::SendIntended { token, .. } => assert!(tokens.insert(token.clone()), "{token} is intended twice"),
            Fact::SendAccepted { token, command, .. } => {
                assert!(
                    settled.insert(token.clone(), command.clone()).is_none(),
                    "{token} is accepted twice"
                );
            }
            Fact::LaneWaits { region, .. } => assert!(waits.insert(region.clone()), "{region} waits twice"),
            Fact::LaneResumed { region } => assert!(waits.remove(region), "{region} goes on and did not wait"),
            _ => {}
        }
    }
    // The fold of a part is never contradicted by the fold of the whole: what had ended stays ended.
    let half = State::replay(&facts[..facts.len() / 2]);
    let whole = State::replay(facts);
    for (then, now) in rollouts(&half).zip(rollouts(&whole)) {
        for host in &then.hosts {
            let later = now.host(&host.id).expect("a host is never forgotten");
            assert!(
                later.attempts.len() >= host.attempts.len(),
                "{} lost an attempt",
                host.id
            );
            for (one, other) in host.attempts.iter().zip(&later.attempts) {
                assert_eq!(one.send, other.send, "{} got other attempts", host.id);
                assert!(
                    !one.status.is_end() || other.status.is_end(),
                    "{} is alive again",
                    host.id
                );
            }
        }
        assert_eq!(now.counts, counted(now), "the counts of {} are off", now.name);
    }
}

fn rollouts(state: &State) -> impl Iterator<Item = &RolloutState> {
    state.lanes.iter().flat_map(|lane| &lane.rollouts)
}

fn counted(rollout: &RolloutState) -> Counts {
    let mut counts = Counts::default();
    for host in &rollout.hosts {
        *match host.status().verdict() {
            Verdict::Waiting => &mut counts.waiting,
            Verdict::Running => &mut counts.running,
            Verdict::Succeeded => &mut counts.succeeded,
            Verdict::Failed => &mut counts.failed,
            Verdict::Unknown => &mut counts.unknown,
            Verdict::NotRun => &mut counts.not_run,
        } += 1;
    }
    counts
}

/// What holds on the fleet at every moment: no token twice, no host at work for two of our commands at once.
pub fn fleet(world: &World, time: &Time, operator: &Operator) {
    for name in &world.regions {
        look(world, time, name, |region, fleet| {
            let mut comments = HashSet::new();
            for number in 0..fleet.commands().len() {
                let comment = region.comment(number).unwrap_or_default();
                assert!(comments.insert(comment.to_owned()), "{comment} was sent twice");
            }
            let apart = |a: &Run, b: &Run| a.ended_at.is_some_and(|ended| ended <= b.started_at);
            let mut by_host: HashMap<&str, Vec<&Run>> = HashMap::new();
            for run in fleet.runs() {
                for other in by_host.get(run.host.as_str()).into_iter().flatten() {
                    if apart(run, other) || apart(other, run) {
                        continue;
                    }
                    let token = Token::new(region.comment(run.command.max(other.command)).unwrap_or_default());
                    assert!(
                        operator.risked.contains(&(token.clone(), HostId::new(&run.host))),
                        "{} ran two commands at once, the later of them {token}",
                        run.host
                    );
                }
                by_host.entry(&run.host).or_default().push(run);
            }
        });
    }
}

/// The deployment is done with: its state is the fleet's truth.
pub fn end(world: &World, time: &Time, operator: &Operator, facts: &[Recorded]) {
    let state = State::replay(facts);
    let (outcome, _) = state.settled.expect("it ended unsettled");
    assert_eq!(outcome, state.outcome(), "it settled as something else than it is");
    settled(&state);
    for lane in &state.lanes {
        for rollout in &lane.rollouts {
            for send in &rollout.sends {
                let refused = send.cancel_problem.is_some();
                let accepted = send.command().is_some();
                let asked = !send.cancel_intended || !accepted || send.cancel_asked || refused;
                assert!(
                    asked || send.is_over(),
                    "{} was to be cancelled, and nobody asked",
                    send.token
                );
            }
            for host in &rollout.hosts {
                for attempt in &host.attempts {
                    let SendPhase::Accepted { command, .. } = &rollout.sends[attempt.send].phase else {
                        continue;
                    };
                    // What nobody reported is said to be unknown, and stays so.
                    let unknown = matches!(attempt.status, HostStatus::Missing | HostStatus::Other { .. });
                    if unknown {
                        continue;
                    }
                    let truth = truth(world, time, &lane.region, command, &host.id).expect("the fleet knows the host");
                    let status = HostStatus::read(truth.status.word(), truth.status.details());
                    assert_eq!(attempt.status, status, "{} in {command}", host.id);
                    // A fleet that fails as a whole is read in part; these fleets are smaller.
                    let tells = matches!(status, HostStatus::Failed | HostStatus::ExecutionTimedOut);
                    let told = attempt.output.is_some()
                        || host.latest().is_some_and(|last| last.send != attempt.send)
                        || operator.unread.contains(&lane.region);
                    assert!(told || !tells, "{}'s output of {command} was never read", host.id);
                }
            }
        }
        everything_that_ran_is_known(world, time, &state, &lane.region);
    }
    let trouble = rollouts(&state).any(|rollout| rollout.counts.unsuccessful() > 0);
    match outcome {
        Outcome::Succeeded => everybody_succeeded(world, time),
        Outcome::HostsFailed => assert!(trouble, "hosts failed, and none is named"),
        Outcome::NoHosts | Outcome::BuildFailed | Outcome::NotAllowed | Outcome::SendFailed | Outcome::Cancelled => {}
    }
}

fn everything_that_ran_is_known(world: &World, time: &Time, state: &State, name: &Region) {
    look(world, time, name, |region, fleet| {
        for run in fleet.runs() {
            let id = CommandId::new(region.command_id(run.command).unwrap_or_default());
            let token = Token::new(region.comment(run.command).unwrap_or_default());
            let sent = state.send(&token).map(|(_, rollout, at)| &rollout.sends[at].phase);
            // The operator was told that nobody knows, and gave up.
            if matches!(sent, Some(SendPhase::Unknown(_))) {
                continue;
            }
            let (_, rollout, at) = state
                .command(&id)
                .unwrap_or_else(|| panic!("{} ran {id}, which nobody knows", run.host));
            let attempt = rollout.host(&HostId::new(&run.host)).and_then(|host| host.attempt(at));
            assert!(attempt.is_some(), "{} ran {id}, and nobody knows that it did", run.host);
        }
    });
}

/// Each host's last command went well.
fn everybody_succeeded(world: &World, time: &Time) {
    for region in &world.regions {
        look(world, time, region, |_, fleet| {
            for (number, node) in fleet.nodes().iter().enumerate() {
                let of_node = |one: &&quarterdeck::rehearsal::fleet::Invocation| one.node == number;
                let mut invocations = fleet.commands().iter().flat_map(|command| &command.invocations);
                let last = invocations.rfind(of_node).map(|one| one.status);
                assert_eq!(last, Some(Status::Success), "{} is said to have succeeded", node.id);
            }
        });
    }
}
