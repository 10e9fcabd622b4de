//! The fold: what each fact means. No clock, no I/O; a fact that refers to what is not there changes nothing.

use std::collections::HashSet;
use std::sync::Arc;

use super::{
    Attempt, BuildPhase, BuildState, Changes, Counts, Fact, HostState, HostStatus, LaneState, Place, PushPhase,
    Recorded, RetryState, RolloutState, SendPhase, SendState, SendTo, State, TagPhase, TagState, Tally,
};
use crate::names::{BuildId, CommandId, HostId, Millis, Region, RolloutName, Token};
use crate::plan::{LanePlan, Plan, RolloutPlan};
use crate::text::Clean;

impl State {
    /// The fold of a whole journal.
    pub fn replay<'a>(facts: impl IntoIterator<Item = &'a Recorded>) -> Self {
        let mut state = Self::default();
        for fact in facts {
            state.apply(fact);
        }
        state
    }

    /// What was settled is not any more. Taken up and found as it was, it has ended when it ended first.
    fn reopen(&mut self, fact: &Fact) {
        if let Fact::DeploymentResumed { .. } = fact {
            self.settled_before = self.settled.or(self.settled_before);
        } else if fact.reopens() || matches!(fact, Fact::HostChanged { .. }) {
            self.settled_before = None;
        }
        if fact.reopens() {
            self.settled = None;
        }
    }

    /// Takes in one fact. Facts already applied (by number) are passed over, so a reader may see one twice.
    pub fn apply(&mut self, recorded: &Recorded) {
        if recorded.seq <= self.seq {
            return;
        }
        self.seq = recorded.seq;
        self.last_at = Some(recorded.at);
        let at = recorded.at;
        self.reopen(&recorded.fact);
        match &recorded.fact {
            Fact::DeploymentStarted { plan, driver } => {
                self.driver = Some(driver.clone());
                self.driven_since = Some(at);
                // One that was found in SSM had begun with the first of its commands.
                self.started_at = Some(if plan.is_adopted() { at.min(plan.made_at) } else { at });
                self.begin(plan);
            }
            Fact::DeploymentResumed { driver } => {
                self.driver = Some(driver.clone());
                self.driven_since = Some(at);
                self.left = None;
            }
            Fact::DeploymentLeft { reason } => self.left = Some(reason.clone()),
            Fact::DeploymentSettled { outcome } => {
                let before = self.settled_before.take().filter(|(before, _)| before == outcome);
                self.settled = before.or(Some((*outcome, at)));
            }

            Fact::BuildStarted { build, log } => self.with_build(build, |build| {
                build.attempts += 1;
                build.started_at = Some(at);
                build.ended_at = None;
                build.log = Some(log.clone());
                build.steps.clear();
                build.phase = BuildPhase::Running;
            }),
            Fact::BuildStepEnded { build, step } => self.with_build(build, |build| build.steps.push(step.clone())),
            Fact::BuildSucceeded {
                build,
                image,
                context_bytes,
            } => self.with_build(build, |build| {
                build.ended_at = Some(at);
                build.phase = BuildPhase::Succeeded {
                    image: image.clone(),
                    context_bytes: *context_bytes,
                };
            }),
            Fact::BuildFailed {
                build,
                problem,
                step,
                exit_code,
                log_tail,
            } => self.with_build(build, |build| {
                build.ended_at = Some(at);
                build.phase = BuildPhase::Failed {
                    problem: problem.clone(),
                    step: step.clone(),
                    exit_code: *exit_code,
                    log_tail: log_tail.clone(),
                };
            }),
            Fact::BuildCancelled { build } => self.with_build(build, |build| {
                build.ended_at = Some(at);
                build.phase = BuildPhase::Cancelled;
            }),

            Fact::PushStarted { region } => self.with_lane(region, |lane| {
                lane.push_attempts += 1;
                lane.push_started_at = Some(at);
                lane.push_ended_at = None;
                lane.push = PushPhase::Running;
            }),
            Fact::PushSkipped { region, digest } => self.with_lane(region, |lane| {
                lane.push_ended_at = Some(at);
                lane.push = PushPhase::Succeeded {
                    digest: digest.clone(),
                    skipped: true,
                    layers_pushed: 0,
                    layers_present: 0,
                };
            }),
            Fact::PushSucceeded {
                region,
                digest,
                layers_pushed,
                layers_present,
            } => self.with_lane(region, |lane| {
                lane.push_ended_at = Some(at);
                lane.push = PushPhase::Succeeded {
                    digest: digest.clone(),
                    skipped: false,
                    layers_pushed: *layers_pushed,
                    layers_present: *layers_present,
                };
            }),
            Fact::PushFailed { region, problem } => self.with_lane(region, |lane| {
                lane.push_ended_at = Some(at);
                lane.push = PushPhase::Failed(problem.clone());
            }),
            Fact::PushCancelled { region } => self.with_lane(region, |lane| {
                lane.push_ended_at = Some(at);
                lane.push = PushPhase::Cancelled;
            }),
            Fact::TagMoved { region, tag, from, to } => {
                self.with_tag(
                    region,
                    tag,
                    TagPhase::Moved {
                        from: from.clone(),
                        to: to.clone(),
                    },
                );
            }
            Fact::TagFailed { region, tag, problem } => self.with_tag(region, tag, TagPhase::Failed(problem.clone())),

            Fact::SendIntended {
                region,
                rollout,
                token,
                to,
            } => self.intend(region, rollout, token, to, at),
            Fact::SendAccepted {
                token,
                command,
                expires_at,
                adopted,
            } => {
                if let Some(place) = self.tokens.get(token).copied() {
                    self.commands.insert(command.clone(), place);
                    self.send_mut(place).phase = SendPhase::Accepted {
                        command: command.clone(),
                        expires_at: *expires_at,
                        adopted: *adopted,
                        ended: None,
                    };
                }
            }
            Fact::SendRefused {
                token,
                problem,
                stopped,
            } => {
                self.unsend(
                    token,
                    SendPhase::Refused(problem.clone()),
                    Some(&HostStatus::NotSent),
                    at,
                );
                if let Some(place) = self.tokens.get(token).copied().filter(|_| *stopped) {
                    self.send_mut(place).stopped = true;
                    self.lanes[place.lane].rollouts[place.rollout].withdrawn(place.command);
                }
            }
            Fact::SendUnknown { token, problem } => self.unsend(token, SendPhase::Unknown(problem.clone()), None, at),
            Fact::SendAbandoned { token } => {
                self.unsend(token, SendPhase::Abandoned, Some(&HostStatus::NotSent), at);
            }

            Fact::RetryIntended {
                region,
                rollout,
                hosts,
                despite_moved_tag,
            } => self.with_rollout(region, rollout, |rollout| {
                rollout.intend_retry(hosts, *despite_moved_tag);
            }),
            Fact::RetryStopped {
                region,
                rollout,
                problem,
            } => self.with_rollout(region, rollout, |rollout| {
                rollout.retry.waiting.clear();
                rollout.retry.stopped = Some(problem.clone());
            }),

            Fact::HostChanged {
                command,
                host,
                status,
                exit_code,
            } => {
                self.host_changed(command, host, status, *exit_code, at);
            }
            Fact::OutputRead { command, host, output } => {
                if let Some((place, rollout)) = self.rollout_of(command)
                    && let Some(attempt) = rollout.attempt_mut(host, place.command)
                {
                    attempt.output = Some(Arc::new(output.clone()));
                }
            }
            Fact::CommandEnded {
                command,
                details,
                missing,
            } => {
                if let Some((place, rollout)) = self.rollout_of(command) {
                    for host in missing {
                        rollout.set_status(host, place.command, &HostStatus::Missing, None, at);
                    }
                    if let SendPhase::Accepted { ended, .. } = &mut rollout.sends[place.command].phase {
                        *ended = Some(details.clone());
                    }
                }
            }
            Fact::CancelIntended { token } => {
                if let Some(place) = self.tokens.get(token).copied() {
                    // Two machines that counted on from the same number have sent with one token.
                    let sends = self.lanes[place.lane].rollouts[place.rollout].sends.iter_mut();
                    let named = sends
                        .enumerate()
                        .filter(|(at, send)| *at == place.command || send.token == *token && !send.is_over());
                    for (_, send) in named {
                        send.cancel_intended = true;
                        send.cancel_problem = None;
                    }
                }
            }
            Fact::CancelAsked { command } => {
                if let Some((place, rollout)) = self.rollout_of(command) {
                    rollout.sends[place.command].cancel_asked = true;
                }
            }
            Fact::CancelFailed { command, problem } => {
                if let Some((place, rollout)) = self.rollout_of(command) {
                    rollout.sends[place.command].cancel_problem = Some(problem.clone());
                }
            }

            Fact::LaneWaits { region, problem } => self.with_lane(region, |lane| lane.waits = Some(problem.clone())),
            Fact::LaneResumed { region } => self.with_lane(region, |lane| lane.waits = None),
            Fact::LaneCancelled { region } => self.with_lane(region, |lane| lane.cancelled = true),
            Fact::LaneReopened { region } => self.with_lane(region, |lane| {
                lane.cancelled = false;
                for tag in &mut lane.tags {
                    if let TagPhase::Failed(_) = tag.phase {
                        tag.phase = TagPhase::Waiting;
                    }
                }
            }),
        }
    }

    fn begin(&mut self, plan: &Plan) {
        // A journal holds one plan. Were there a second one, no send of the first would have a place in it.
        self.commands.clear();
        self.tokens.clear();
        self.builds = plan
            .builds
            .iter()
            .map(|build| BuildState {
                id: build.id.clone(),
                attempts: 0,
                started_at: None,
                ended_at: None,
                log: None,
                steps: Vec::new(),
                phase: BuildPhase::Waiting,
            })
            .collect();
        self.lanes = plan.lanes.iter().map(lane_of).collect();
        self.plan = Some(Arc::new(plan.clone()));
    }

    fn with_build(&mut self, id: &BuildId, change: impl FnOnce(&mut BuildState)) {
        if let Some(build) = self.builds.iter_mut().find(|build| build.id == *id) {
            change(build);
        }
    }

    fn with_lane(&mut self, region: &Region, change: impl FnOnce(&mut LaneState)) {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.region == *region) {
            change(lane);
        }
    }

    fn with_rollout(&mut self, region: &Region, name: &RolloutName, change: impl FnOnce(&mut RolloutState)) {
        self.with_lane(region, |lane| {
            if let Some(rollout) = lane.rollouts.iter_mut().find(|rollout| rollout.name == *name) {
                change(rollout);
            }
        });
    }

    fn with_tag(&mut self, region: &Region, tag: &Clean, phase: TagPhase) {
        self.with_lane(region, |lane| {
            if let Some(state) = lane.tags.iter_mut().find(|state| state.tag == *tag) {
                state.phase = phase;
            }
        });
    }

    fn intend(&mut self, region: &Region, name: &RolloutName, token: &Token, to: &SendTo, at: Millis) {
        let Some(lane_at) = self.lanes.iter().position(|lane| lane.region == *region) else {
            return;
        };
        let rollouts = &mut self.lanes[lane_at].rollouts;
        let Some(rollout_at) = rollouts.iter().position(|rollout| rollout.name == *name) else {
            return;
        };
        let rollout = &mut rollouts[rollout_at];
        let command = rollout.sends.len();
        rollout.sends.push(SendState {
            token: token.clone(),
            to: to.clone(),
            intended_at: at,
            phase: SendPhase::Intended,
            cancel_intended: false,
            cancel_asked: false,
            cancel_problem: None,
            stopped: false,
        });
        self.tokens.insert(
            token.clone(),
            Place {
                lane: lane_at,
                rollout: rollout_at,
                command,
            },
        );
        let hosts: Vec<HostId> = match to {
            SendTo::Targets => rollout
                .hosts
                .iter()
                .filter(|host| host.is_planned())
                .map(|host| host.id.clone())
                .collect(),
            SendTo::Hosts(hosts) => {
                rollout.retry.sent(command, hosts);
                hosts.clone()
            }
        };
        for host in &hosts {
            rollout.set_status(host, command, &HostStatus::Waiting, None, at);
        }
    }

    /// Ends a send that has no command; its hosts take on `status`, if they have to.
    fn unsend(&mut self, token: &Token, phase: SendPhase, status: Option<&HostStatus>, at: Millis) {
        let Some(place) = self.tokens.get(token).copied() else {
            return;
        };
        self.send_mut(place).phase = phase;
        let Some(status) = status else { return };
        let rollout = &mut self.lanes[place.lane].rollouts[place.rollout];
        let hosts: Vec<HostId> = rollout
            .hosts
            .iter()
            .filter(|host| host.latest().is_some_and(|attempt| attempt.send == place.command))
            .map(|host| host.id.clone())
            .collect();
        for host in &hosts {
            rollout.set_status(host, place.command, status, None, at);
        }
    }

    fn host_changed(&mut self, command: &CommandId, host: &HostId, status: &HostStatus, code: Option<i32>, at: Millis) {
        if let Some((place, rollout)) = self.rollout_of(command) {
            rollout.set_status(host, place.command, status, code, at);
        }
    }

    fn rollout_of(&mut self, command: &CommandId) -> Option<(Place, &mut RolloutState)> {
        let place = self.commands.get(command).copied()?;
        Some((place, &mut self.lanes[place.lane].rollouts[place.rollout]))
    }

    fn send_mut(&mut self, place: Place) -> &mut SendState {
        &mut self.lanes[place.lane].rollouts[place.rollout].sends[place.command]
    }
}

impl Fact {
    /// Whether something is under way again after a settled deployment.
    pub fn reopens(&self) -> bool {
        match self {
            Fact::BuildStarted { .. }
            | Fact::PushStarted { .. }
            | Fact::PushSkipped { .. }
            | Fact::TagMoved { .. }
            | Fact::SendIntended { .. }
            | Fact::SendAccepted { .. }
            | Fact::RetryIntended { .. }
            | Fact::LaneReopened { .. }
            | Fact::DeploymentResumed { .. } => true,
            Fact::DeploymentStarted { .. }
            | Fact::DeploymentLeft { .. }
            | Fact::DeploymentSettled { .. }
            | Fact::BuildStepEnded { .. }
            | Fact::BuildSucceeded { .. }
            | Fact::BuildFailed { .. }
            | Fact::BuildCancelled { .. }
            | Fact::PushSucceeded { .. }
            | Fact::PushFailed { .. }
            | Fact::PushCancelled { .. }
            | Fact::TagFailed { .. }
            | Fact::SendRefused { .. }
            | Fact::SendUnknown { .. }
            | Fact::SendAbandoned { .. }
            | Fact::RetryStopped { .. }
            | Fact::HostChanged { .. }
            | Fact::OutputRead { .. }
            | Fact::CommandEnded { .. }
            | Fact::CancelIntended { .. }
            | Fact::CancelAsked { .. }
            | Fact::CancelFailed { .. }
            | Fact::LaneWaits { .. }
            | Fact::LaneResumed { .. }
            | Fact::LaneCancelled { .. } => false,
        }
    }
}

fn lane_of(plan: &LanePlan) -> LaneState {
    LaneState {
        region: plan.region.clone(),
        build: plan.build.clone(),
        push_attempts: 0,
        push_started_at: None,
        push_ended_at: None,
        push: PushPhase::Waiting,
        tags: plan
            .moving_tags
            .iter()
            .map(|tag| TagState {
                tag: tag.clone(),
                phase: TagPhase::Waiting,
            })
            .collect(),
        rollouts: plan.rollouts.iter().map(rollout_of).collect(),
        waits: None,
        cancelled: false,
    }
}

fn rollout_of(plan: &RolloutPlan) -> RolloutState {
    let hosts: Vec<HostState> = plan
        .expected
        .iter()
        .map(|host| HostState {
            id: host.id.clone(),
            name: host.name.clone(),
            platform: host.platform.clone(),
            ping: Some(host.ping.clone()),
            attempts: Vec::new(),
        })
        .collect();
    let index = hosts
        .iter()
        .enumerate()
        .map(|(at, host)| (host.id.clone(), at))
        .collect();
    let counts = Counts {
        waiting: hosts.len(),
        ..Counts::default()
    };
    RolloutState {
        name: plan.name.clone(),
        sends: Vec::new(),
        hosts,
        counts,
        tally: Tally::default(),
        changes: Changes::default(),
        retry: RetryState::default(),
        index,
    }
}

impl RetryState {
    /// A command goes out to these hosts. Beside a retry that has gone out whole, it is none of it.
    fn sent(&mut self, send: usize, hosts: &[HostId]) {
        if !self.waiting.is_empty() {
            let hosts: HashSet<&HostId> = hosts.iter().collect();
            self.waiting.retain(|host| !hosts.contains(host));
            self.sends.push(send);
        }
    }
}

impl RolloutState {
    /// Adds to the retry that is going out, or begins one.
    fn intend_retry(&mut self, hosts: &[HostId], despite_moved_tag: bool) {
        let waiting: HashSet<&HostId> = self.waiting_for_retry().collect();
        let new: Vec<HostId> = hosts.iter().filter(|host| !waiting.contains(host)).cloned().collect();
        if waiting.is_empty() {
            self.retry = RetryState {
                despite_moved_tag,
                ..RetryState::default()
            };
        }
        // They go out together, so what was said of a part of them does not hold for all.
        self.retry.despite_moved_tag &= despite_moved_tag;
        self.retry.asked += new.len();
        self.retry.waiting.extend(new);
    }

    /// The hosts of a retry's command that was withdrawn wait for their turn again.
    fn withdrawn(&mut self, send: usize) {
        let withdrawn = &self.sends[send];
        if let SendTo::Hosts(hosts) = &withdrawn.to
            && withdrawn.is_withdrawn()
        {
            self.retry.sends.retain(|other| *other != send);
            self.retry.waiting.splice(..0, hosts.iter().cloned());
        }
    }

    /// The attempt of `host` that belongs to the rollout's n-th send.
    fn attempt_mut(&mut self, host: &HostId, send: usize) -> Option<&mut Attempt> {
        let at = *self.index.get(host)?;
        self.hosts[at]
            .attempts
            .iter_mut()
            .rev()
            .find(|attempt| attempt.send == send)
    }

    /// Puts the attempt of `host` that belongs to send `send` into `status`, creating host and attempt as needed.
    ///
    /// The counts follow the latest attempt only: a late word of an earlier command changes that attempt and no count.
    fn set_status(&mut self, host: &HostId, send: usize, status: &HostStatus, code: Option<i32>, at: Millis) {
        let position = *self.index.entry(host.clone()).or_insert_with(|| {
            self.hosts.push(HostState {
                id: host.clone(),
                name: Clean::default(),
                platform: Clean::default(),
                ping: None,
                attempts: Vec::new(),
            });
            self.counts.waiting += 1;
            self.tally.unplanned += 1;
            self.hosts.len() - 1
        });
        let host = &mut self.hosts[position];
        let before = host.status().clone();
        match host.attempts.iter_mut().find(|attempt| attempt.send == send) {
            Some(attempt) => {
                if attempt.status != *status {
                    attempt.status = status.clone();
                    attempt.since = at;
                    self.tally.changed_at = Some(at);
                }
                attempt.exit_code = code.or(attempt.exit_code);
            }
            None => {
                let attempt = Attempt {
                    send,
                    status: status.clone(),
                    since: at,
                    exit_code: code,
                    output: None,
                };
                let place = host.attempts.partition_point(|attempt| attempt.send < send);
                host.attempts.insert(place, attempt);
                self.tally.changed_at = Some(at);
            }
        }
        let after = host.status();
        self.counts.shift(before.verdict(), after.verdict());
        self.tally.shift(position, &before, after);
        self.changes.note(position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::fixture::{Story, plan};
    use crate::state::Selection;

    /// Its host's first attempt went nowhere that anybody knows, and its second one was not sent.
    #[test]
    fn a_retry_that_did_not_go_out_leaves_open_whether_the_host_ran() {
        use crate::console::tests::fixture::{host_id, region, rollout_name};
        let mut story = Story::start(plan(1, 2)).built().pushed();
        story.send(0, 0, 1, SendTo::Targets);
        story.host(0, 0, 1, 0, HostStatus::DeliveryTimedOut);
        let token = Token::compose(
            story.state.plan.as_ref().expect("it has one").id,
            &region(0),
            &rollout_name(0),
            2,
        );
        story.tell(Fact::SendIntended {
            region: region(0),
            rollout: rollout_name(0),
            token: token.clone(),
            to: SendTo::Hosts(vec![host_id(0, 0, 0)]),
        });
        story.tell(Fact::SendRefused {
            token,
            problem: crate::problem::Problem::new(crate::problem::Kind::Unexpected, "refused", "ask again"),
            stopped: false,
        });
        let rollout = &story.state.lanes[0].rollouts[0];
        let host = rollout.host(&host_id(0, 0, 0)).expect("it is there");
        assert_eq!(*host.status(), HostStatus::DeliveryTimedOut);
        assert_eq!(host.attempts.len(), 2, "what was tried is kept");
        assert_eq!(rollout.counts.unknown, 1);
        let place = (region(0), rollout_name(0), host_id(0, 0, 0));
        let set = story.state.retry_set(&Selection::Hosts(vec![place]));
        assert_eq!((set.len(), set.unknown), (1, 1));
    }

    /// Two machines counted on from the same number, and one has taken in what the other sent.
    #[test]
    fn a_token_that_two_commands_have_is_cancelled_for_both() {
        use crate::console::tests::fixture::{host_id, region, rollout_name};
        use crate::names::CommandId;
        let mut story = Story::start(plan(1, 2)).built().pushed().rolling().finished();
        let id = story.state.plan.as_ref().expect("it has one").id;
        let token = Token::compose(id, &region(0), &rollout_name(0), 2);
        for host in 0..2 {
            story.tell(Fact::SendIntended {
                region: region(0),
                rollout: rollout_name(0),
                token: token.clone(),
                to: SendTo::Hosts(vec![host_id(0, 0, host)]),
            });
            story.tell(Fact::SendAccepted {
                token: token.clone(),
                command: CommandId::new(format!("command-{host}")),
                expires_at: None,
                adopted: host > 0,
            });
        }
        story.tell(Fact::CancelIntended { token });
        let sends = story.state.lanes[0].rollouts[0].sends.iter();
        let intended: Vec<bool> = sends.map(|send| send.cancel_intended).collect();
        assert_eq!(intended, [false, true, true]);
    }

    #[test]
    fn a_deployment_that_is_taken_up_and_found_as_it_was_has_not_lasted_longer() {
        let mut story = Story::start(plan(1, 2)).built().pushed().rolling().finished();
        let settled = story.state.settled;
        let (outcome, _) = settled.expect("it is finished");
        let driver = story.state.driver.clone().expect("somebody drove it");
        let resumed = Fact::DeploymentResumed { driver };
        for fact in [resumed.clone(), resumed, Fact::DeploymentSettled { outcome }] {
            story.tell(fact);
        }
        assert_eq!(story.state.settled, settled);

        let again = story.retried().state.settled;
        assert!(
            again.map(|(_, at)| at) > settled.map(|(_, at)| at),
            "a retry has an end of its own"
        );
    }

    #[test]
    fn a_journal_with_two_plans_is_read_as_the_second_one() {
        let story = Story::start(plan(3, 4)).built().pushed().rolling();
        let mut facts = story.facts;
        let mut state = State::replay(&facts);
        let last = facts.last().expect("a story has facts").clone();
        let Fact::DeploymentStarted { plan, driver } = facts.remove(0).fact else {
            panic!("a story begins with its plan");
        };
        let smaller = Plan {
            lanes: plan.lanes[..1].to_vec(),
            ..*plan
        };
        let second = Fact::DeploymentStarted {
            plan: Box::new(smaller),
            driver,
        };
        for (seq, fact) in (last.seq + 1..).zip([second].into_iter().chain(facts.into_iter().map(|told| told.fact))) {
            state.apply(&Recorded { seq, at: last.at, fact });
        }
        assert_eq!(state.lanes.len(), 1);
    }
}
