//! The invariants.

use std::collections::{HashMap, HashSet};

use quarterdeck::names::{CommandId, HostId, Region, Token};
use quarterdeck::rehearsal::fleet::Status;
use quarterdeck::state::{Fact, HostStatus, Recorded, SendPhase, SendTo, State, Verdict};

use crate::clock::Time;
use crate::operator::Operator;
use crate::world::World;

/// The fleet's own number of the command with this token, if SSM has it.
pub fn command(world: &World, time: &Time, region: &Region, token: &Token) -> Option<usize> {
    world.desk.with_ssm(time.now(), |ssm| {
        let region = ssm.region(region.as_str())?;
        let commands = region.fleet().commands().len();
        (0..commands).find(|number| region.comment(*number) == Some(token.as_str()))
    })
}

/// How an invocation stands on the fleet.
fn truth(world: &World, time: &Time, region: &Region, id: &CommandId, host: &HostId) -> Option<(Status, bool)> {
    world.desk.with_ssm(time.now(), |ssm| {
        let region = ssm.region(region.as_str())?;
        let fleet = region.fleet();
        let number = (0..fleet.commands().len()).find(|number| region.command_id(*number) == Some(id.as_str()))?;
        let node = fleet.find(host.as_str())?;
        let invocation = fleet.commands()[number]
            .invocations
            .iter()
            .find(|one| one.node == node)?;
        Some((invocation.status, invocation.listed))
    })
}

/// Held against every new fact, before it is folded into `state`.
pub fn fact(world: &World, time: &Time, state: &State, recorded: &Recorded) {
    match &recorded.fact {
        Fact::HostChanged {
            command, host, status, ..
        } => {
            let (lane, rollout, at) = state.command(command).expect("a host changes within a known command");
            let before = rollout
                .host(host)
                .and_then(|host| host.attempt(at))
                .map(|one| &one.status);
            assert!(
                before.is_none_or(|before| !before.is_end() || status.is_end()),
                "{host} had ended as {before:?} and is {status:?} now"
            );
            if *status == HostStatus::Success {
                let (truth, _) = truth(world, time, &lane.region, command, host).expect("the fleet knows the host");
                assert_eq!(truth, Status::Success, "{host} is called a success");
            }
        }
        Fact::SendIntended {
            region,
            rollout,
            to: SendTo::Hosts(hosts),
            token,
        } => {
            assert!(hosts.len() <= 50, "{token} goes to {} hosts", hosts.len());
            let lane = state.lane(region).expect("a send has a lane");
            let rollout = lane.rollout(rollout).expect("and a rollout");
            let resent = rollout.sends.last().is_some_and(|last| last.command().is_none());
            for host in hosts {
                let status = rollout.host(host).expect("a retry goes to a known host").status();
                let open = resent && status.verdict() == Verdict::Waiting;
                assert!(status.is_end() || open, "{host} is retried while it is {status:?}");
                assert_ne!(
                    status.verdict(),
                    Verdict::Succeeded,
                    "{host} is retried after its success"
                );
            }
        }
        Fact::SendAccepted { token, .. } => {
            let (lane, ..) = state.send(token).expect("a send is intended before it is accepted");
            assert!(
                command(world, time, &lane.region, token).is_some(),
                "{token} was accepted by nobody"
            );
        }
        _ => {}
    }
}

/// Nothing is forgotten and nothing recorded twice.
pub fn journal(facts: &[Recorded]) {
    for (at, fact) in facts.iter().enumerate() {
        assert_eq!(fact.seq, at as u64 + 1, "the journal has no gaps");
    }
    let mut tokens = HashSet::new();
    let mut settled = HashMap::new();
    for recorded in facts {
        match &recorded.fact {
            Fact::SendIntended { token, .. } => assert!(tokens.insert(token.clone()), "{token} is intended twice"),
            Fact::SendAccepted { token, command, .. } => {
                let before = settled.insert(token.clone(), command.clone());
                assert!(
                    before.is_none_or(|before| before == *command),
                    "{token} is two commands"
                );
            }
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
    }
}

fn rollouts(state: &State) -> impl Iterator<Item = &quarterdeck::state::RolloutState> {
    state.lanes.iter().flat_map(|lane| &lane.rollouts)
}

/// What holds on the fleet at every moment: no token twice, no host at work for two of our commands at once.
pub fn fleet(world: &World, time: &Time, operator: &Operator) {
    world.desk.with_ssm(time.now(), |ssm| {
        for region in &world.regions {
            let region = ssm.region(region.as_str()).expect("the region is there");
            let fleet = region.fleet();
            let mut comments = HashSet::new();
            for number in 0..fleet.commands().len() {
                let comment = region.comment(number).unwrap_or_default();
                assert!(comments.insert(comment.to_owned()), "{comment} was sent twice");
            }
            let runs = fleet.runs();
            for (at, run) in runs.iter().enumerate() {
                for other in &runs[..at] {
                    let apart = |a: &quarterdeck::rehearsal::fleet::Run, b: &quarterdeck::rehearsal::fleet::Run| {
                        a.ended_at.is_some_and(|ended| ended <= b.started_at)
                    };
                    if run.host != other.host || apart(run, other) || apart(other, run) {
                        continue;
                    }
                    let token = Token::new(region.comment(run.command.max(other.command)).unwrap_or_default());
                    let risked = operator.risked.contains(&(token.clone(), HostId::new(&run.host)));
                    assert!(
                        risked,
                        "{} ran two commands at once, the later of them {token}",
                        run.host
                    );
                }
            }
        }
    });
}

/// The deployment is done with: its state is the fleet's truth.
pub fn end(world: &World, time: &Time, facts: &[Recorded]) {
    let state = crate::life::state(facts);
    assert!(state.settled.is_some(), "it ended unsettled");
    for lane in &state.lanes {
        for rollout in &lane.rollouts {
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
                    let (truth, listed) =
                        truth(world, time, &lane.region, command, &host.id).expect("the fleet knows the host");
                    assert!(listed, "{} is known and was never listed", host.id);
                    let truth = HostStatus::read(truth.word(), truth.details());
                    assert_eq!(attempt.status, truth, "{} in {command}", host.id);
                }
            }
        }
    }
}
