//! What the operator asks for, held against the state: an action that no longer fits is told, never guessed at.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Drive;
use crate::engine::ports::SentCommand;
use crate::engine::present::Absent;
use crate::engine::work::{Asked, Event, Work};
use crate::engine::{Action, MovedTag, Scope, Update};
use crate::engine::{adopt, moved, present};
use crate::names::{BuildId, CommandId, Digest, HostId, Region, RolloutName, Token};
use crate::problem::{Kind, Problem};
use crate::state::{BuildPhase, Fact, PushPhase, RetrySet, RolloutState, SendPhase, SendState, SendTo, TagPhase};
use crate::words::plural;

impl Drive {
    /// Does what the operator asks for.
    pub(super) async fn act(&mut self, action: Action) -> Result<(), Problem> {
        match action {
            // The plan runs already, this process drives it, and leaving is the loop's business.
            Action::Recheck | Action::Start | Action::TakeOver | Action::Leave { .. } => Ok(()),
            Action::CheckRetry(set) => {
                self.check_retry(set, Asked::Question);
                Ok(())
            }
            Action::Retry { set, despite_moved } => {
                self.check_retry(set, Asked::Retry { despite_moved });
                Ok(())
            }
            Action::RetryBuild(id) => self.retry_build(id).await,
            Action::RetryPush(region) => self.retry_push(region).await,
            Action::Resend(region, rollout) => self.resend(region, rollout).await,
            Action::Abandon(token) => self.abandon(token).await,
            Action::ReadOutput { region, rollout, host } => {
                self.read_output(region, &rollout, host);
                Ok(())
            }
            Action::Cancel(scope) => self.cancel(scope).await,
        }
    }

    pub(super) fn refuse(&self, what: impl AsRef<str>, remedy: &str) {
        self.say(Update::Notice(Problem::new(Kind::Guard, what, remedy)));
    }

    /// The hosts of `set` that can still be retried.
    fn narrow(&self, set: &RetrySet) -> RetrySet {
        let hosts = set.hosts.iter().flat_map(|((region, rollout), hosts)| {
            hosts
                .iter()
                .map(move |host| (region.clone(), rollout.clone(), host.clone()))
        });
        self.state.retry_set(&crate::state::Selection::Hosts(hosts.collect()))
    }

    /// Looks at the moving tags, and for a retry that the operator wants at its hosts too.
    fn check_retry(&mut self, set: RetrySet, asked: Asked) {
        let set = self.narrow(&set);
        let lanes = self.state.lanes.iter();
        let digests: Vec<(Region, Digest)> = lanes
            .filter(|lane| set.hosts.keys().any(|(of, _)| *of == lane.region))
            .filter(|lane| !matches!(&asked, Asked::Retry { despite_moved } if despite_moved.contains(&lane.region)))
            .filter_map(|lane| Some((lane.region.clone(), lane.digest()?.clone())))
            .collect();
        let unasked: Vec<Region> = self
            .unasked
            .iter()
            .filter(|region| set.hosts.keys().any(|(of, _)| of == *region))
            .cloned()
            .collect();
        self.checks += 1;
        let serial = self.checks;
        match &asked {
            Asked::Question => self.forget_question(),
            Asked::Retry { .. } => drop(self.wanted_retries.insert(serial, set.clone())),
        }
        let work = Work::RetryCheck(serial);
        let stop = self.stop_of(&work);
        let means = self.means.clone();
        self.spawn(work.clone(), async move {
            let looks = async {
                // One after the other: they wait as the same work.
                let mut elsewhere = Vec::new();
                for region in unasked {
                    let sent = match means.region(&region) {
                        Ok(ports) => adopt::sent(means.plan.id, &region, ports, Duration::MAX).await,
                        Err(problem) => Err(problem),
                    };
                    elsewhere.push((region, sent));
                }
                let moved = moved::tags(&means, &work, &digests).await;
                let absent = match &asked {
                    Asked::Question => Absent::default(),
                    Asked::Retry { .. } => present::absent(&means, &work, &set).await,
                };
                (elsewhere, moved, absent)
            };
            let (elsewhere, moved, absent) = tokio::select! {
                biased;
                () = stop.cancelled() => return Vec::new(),
                looked = looks => looked,
            };
            means.tell(Event::RetryChecked {
                serial,
                set,
                moved,
                absent,
                elsewhere,
                asked,
            });
            Vec::new()
        });
    }

    /// Takes in what another machine has sent; the regions that still nobody knows of.
    pub(super) async fn heard(
        &mut self,
        elsewhere: Vec<(Region, Result<Vec<SentCommand>, Problem>)>,
    ) -> Result<BTreeSet<Region>, Problem> {
        let mut closed = BTreeSet::new();
        for (region, sent) in elsewhere {
            match sent {
                Ok(commands) => {
                    self.unasked.remove(&region);
                    let news = adopt::news(&self.means.plan, &self.state, &region, commands);
                    self.record(news).await?;
                }
                Err(problem) => {
                    self.say(Update::Notice(problem));
                    closed.insert(region);
                }
            }
        }
        Ok(closed)
    }

    /// The latest question counts: the answer to one before it would change the hosts of another.
    fn forget_question(&mut self) {
        let wanted = &self.wanted_retries;
        self.stops.retain(|work, stop| {
            let question = matches!(work, Work::RetryCheck(serial) if !wanted.contains_key(serial));
            if question {
                stop.cancel();
            }
            !question
        });
    }

    /// Takes back the retries that are being looked into, as far as they are in one of these rollouts; of how many hosts.
    fn take_back(&mut self, scope: &[(Region, Option<RolloutName>)]) -> usize {
        let mut hosts = 0;
        let stops = &mut self.stops;
        self.wanted_retries.retain(|serial, set| {
            let before = set.len();
            set.hosts.retain(|(region, rollout), _| {
                !scope
                    .iter()
                    .any(|(of, only)| of == region && only.as_ref().is_none_or(|only| only == rollout))
            });
            hosts += before - set.len();
            let stop = stops.get(&Work::RetryCheck(*serial)).filter(|_| set.is_empty());
            if let Some(stop) = stop {
                stop.cancel();
            }
            !set.is_empty()
        });
        hosts
    }

    /// A confirmed retry goes ahead if no tag moved; otherwise the operator is told first.
    pub(super) async fn retry_checked(
        &mut self,
        serial: u64,
        mut set: RetrySet,
        moved: Vec<MovedTag>,
        absent: Absent,
        closed: &BTreeSet<Region>,
        asked: Asked,
    ) -> Result<(), Problem> {
        set.hosts.retain(|(region, _), _| !closed.contains(region));
        let in_time = self.stops.remove(&Work::RetryCheck(serial)).is_some();
        match asked {
            Asked::Question if in_time => self.say_checked(&set, moved),
            Asked::Question => {}
            Asked::Retry { despite_moved } => {
                // Some of it may have been taken back meanwhile.
                let Some(mut set) = self.wanted_retries.remove(&serial) else {
                    return Ok(());
                };
                set.hosts.retain(|(region, _), _| !closed.contains(region));
                if set.is_empty() && !closed.is_empty() {
                    return Ok(());
                }
                if moved.is_empty() {
                    return self.retry(set, absent, &despite_moved).await;
                }
                // The question may be gone from the screen by now.
                self.refuse(
                    "nothing was sent again: a tag moved while that was looked into",
                    "ask again: the question says where it points now",
                );
                self.say_checked(&set, moved);
            }
        }
        Ok(())
    }

    fn say_checked(&self, set: &RetrySet, moved: Vec<MovedTag>) {
        let set = self.narrow(set);
        self.say(Update::RetryChecked { set, moved });
    }

    /// Records that the operator wants it; `advance` sends what may go out now.
    ///
    /// Hosts that can't be reached are left out, and that is said once it is recorded: until then a notice means that
    /// nothing comes of it.
    async fn retry(&mut self, mut set: RetrySet, absent: Absent, despite_moved: &[Region]) -> Result<(), Problem> {
        for ((region, _), hosts) in &mut set.hosts {
            hosts.retain(|host| !absent.hosts.contains(&(region.clone(), host.clone())));
        }
        let set = self.narrow(&set);
        if set.is_empty() && absent.hosts.is_empty() {
            self.refuse(
                "nothing to retry: these hosts did not end without success, or wait for their retry already",
                "",
            );
        }
        let intended = set
            .hosts
            .into_iter()
            .map(|((region, rollout), hosts)| Fact::RetryIntended {
                despite_moved_tag: despite_moved.contains(&region),
                region,
                rollout,
                hosts,
            });
        self.record(intended.collect()).await?;
        for problem in absent.said {
            self.say(Update::Notice(problem));
        }
        Ok(())
    }

    async fn retry_build(&mut self, id: BuildId) -> Result<(), Problem> {
        let phase = self.state.build(&id).map(|build| &build.phase);
        // An image that the engine lost since can only be built again.
        let unpushed = |lane: &&crate::state::LaneState| {
            lane.build.as_ref() == Some(&id) && matches!(lane.push, PushPhase::Failed(_))
        };
        let lost = self.state.lanes.iter().any(|lane| unpushed(&lane));
        let can = match phase {
            Some(BuildPhase::Failed { .. } | BuildPhase::Cancelled) => true,
            Some(BuildPhase::Succeeded { .. }) => lost,
            Some(BuildPhase::Waiting | BuildPhase::Running) | None => false,
        };
        if !can || self.is_busy(&Work::Build(id.clone())) {
            self.refuse(format!("{id} did not fail, so there is nothing to build again"), "");
            return Ok(());
        }
        // Where none of its lanes waits for it, it is built for all that were stopped; where one does, those stay stopped.
        let wanted = self.state.is_wanted(&id);
        let stopped = self.state.lanes.iter().filter(|lane| lane.cancelled && !wanted);
        let reopened = stopped
            .filter(|lane| lane.build.as_ref() == Some(&id) && lane.digest().is_none())
            .map(|lane| Fact::LaneReopened {
                region: lane.region.clone(),
            });
        let reopened = reopened.collect();
        self.record(reopened).await?;
        self.build(id).await
    }

    async fn retry_push(&mut self, region: Region) -> Result<(), Problem> {
        let Some(lane) = self.state.lane(&region) else {
            return Ok(());
        };
        let work = Work::Push(region.clone());
        let reopen = lane.cancelled;
        let push_again = matches!(lane.push, PushPhase::Failed(_) | PushPhase::Cancelled);
        let pushed = matches!(lane.push, PushPhase::Succeeded { .. });
        let tags_again = pushed && lane.tags.iter().any(|tag| matches!(tag.phase, TagPhase::Failed(_)));
        let planned = self.means.plan.lane(&region);
        let has_image = planned.is_some_and(|lane| lane.already.is_some())
            || lane.build.as_ref().is_none_or(|id| self.state.image(id).is_some());
        let build = lane.build.as_ref().and_then(|id| self.state.build(id));
        let unbuilt =
            build.is_some_and(|build| matches!(build.phase, BuildPhase::Failed { .. } | BuildPhase::Cancelled));
        if self.is_busy(&work) || self.is_busy(&Work::Tags(region.clone())) {
            self.refuse(
                format!("{region}: its push is under way, or is being stopped"),
                "wait until that has ended",
            );
            return Ok(());
        }
        if !has_image && (push_again || unbuilt) {
            self.refuse(format!("{region}: there is no image to push"), "retry its build");
            return Ok(());
        }
        if !self.state.can_push_again(lane) {
            self.refuse(
                format!("{region}: its push did not fail, so there is nothing to push again"),
                "",
            );
            return Ok(());
        }
        if reopen || tags_again {
            let region = region.clone();
            self.record(vec![Fact::LaneReopened { region }]).await?;
        }
        if push_again { self.push(region).await } else { Ok(()) }
    }

    /// Sends a rollout's first command again. Never while a command may be out there.
    async fn resend(&mut self, region: Region, rollout: RolloutName) -> Result<(), Problem> {
        let state = self.state.lane(&region).and_then(|lane| lane.rollout(&rollout));
        let unknown = state.is_some_and(RolloutState::has_unknown_send);
        if state.is_some_and(RolloutState::can_be_resent) {
            let first = state.and_then(|rollout| rollout.sends.first());
            let to = first.map_or(SendTo::Targets, |send| send.to.clone());
            return self.send(&region, &rollout, to).await;
        }
        if unknown {
            self.refuse(
                format!("{region} {rollout}: it is unknown whether SSM has the command, so it is not sent twice"),
                "abandon the send first, once you know that it never took place",
            );
        } else {
            self.refuse(
                format!("{region} {rollout}: its first command was not refused"),
                "retry the hosts that did not succeed",
            );
        }
        Ok(())
    }

    async fn abandon(&mut self, token: Token) -> Result<(), Problem> {
        let unknown = self
            .state
            .send(&token)
            .is_some_and(|(_, rollout, at)| matches!(rollout.sends[at].phase, SendPhase::Unknown(_)));
        if unknown && self.is_busy(&Work::Send(token.clone())) {
            self.refuse("the command is being looked for just now", "wait until that has ended");
            Ok(())
        } else if unknown {
            self.record(vec![Fact::SendAbandoned { token }]).await
        } else {
            self.refuse(
                "only a send of which nobody knows whether it took place can be abandoned",
                "",
            );
            Ok(())
        }
    }

    fn read_output(&mut self, region: Region, rollout: &RolloutName, host: HostId) {
        let state = self.state.lane(&region).and_then(|lane| lane.rollout(rollout));
        let attempt = state.and_then(|rollout| Some((rollout, rollout.host(&host)?.latest()?)));
        let command = attempt.and_then(|(rollout, attempt)| rollout.sends.get(attempt.send)?.command().cloned());
        match (command, attempt) {
            (Some(_), Some((_, attempt))) if !attempt.status.is_end() => {
                self.refuse(
                    format!("{region}: {host} is at work, and SSM has its output once it has ended"),
                    "",
                );
            }
            (Some(command), Some((_, attempt))) if attempt.output.is_none() => {
                let wanted = self.wanted(region, command, host, true);
                self.outputs.open(wanted);
            }
            (Some(_) | None, _) => {}
        }
    }

    /// Cancels what is under way in the scope, and keeps what has not begun from beginning.
    async fn cancel(&mut self, scope: Scope) -> Result<(), Problem> {
        let lanes: Vec<(Region, Option<RolloutName>)> = match scope {
            Scope::Rollout(region, rollout) => vec![(region, Some(rollout))],
            Scope::Lane(region) => vec![(region, None)],
            Scope::All => self
                .state
                .lanes
                .iter()
                .map(|lane| (lane.region.clone(), None))
                .collect(),
        };
        let mut facts = Vec::new();
        let taken_back = self.take_back(&lanes);
        for (region, only) in &lanes {
            let Some(lane) = self.state.lane(region) else { continue };
            let moves = lane.tags.iter().any(|tag| matches!(tag.phase, TagPhase::Waiting));
            let unsent = lane.rollouts.iter().any(RolloutState::is_unsent) || lane.digest().is_none() || moves;
            if only.is_none() && unsent && !lane.cancelled {
                facts.push(Fact::LaneCancelled { region: region.clone() });
            }
            for rollout in &lane.rollouts {
                if only.as_ref().is_some_and(|only| *only != rollout.name) {
                    continue;
                }
                if rollout.waiting_for_retry().next().is_some() {
                    facts.extend(self.retry_stopped(region, &rollout.name, "it was cancelled"));
                }
                // One that is going out, or is looked for, is cancelled as soon as SSM is seen to have it.
                let searched = |send: &SendState| self.is_busy(&Work::Send(send.token.clone()));
                let open = rollout.sends.iter().filter(|send| !send.is_over() || searched(send));
                facts.extend(open.filter(|send| !send.cancel_asked).map(|send| Fact::CancelIntended {
                    token: send.token.clone(),
                }));
            }
        }
        let nothing = facts.is_empty() && taken_back == 0;
        let asked = lanes.iter().any(|(region, only)| {
            let rollouts = self.state.lane(region).into_iter().flat_map(|lane| &lane.rollouts);
            let mut sends = rollouts
                .filter(|rollout| only.as_ref().is_none_or(|only| *only == rollout.name))
                .flat_map(|rollout| &rollout.sends);
            sends.any(|send| send.cancel_asked && !send.is_over())
        });
        self.record(facts).await?;
        self.stop_work();
        if taken_back > 0 {
            self.refuse(
                format!(
                    "the retry of {} is taken back before it went out",
                    plural(taken_back, "host")
                ),
                "they are as they were; retry again to go on",
            );
        }
        if nothing && asked {
            self.refuse(
                "SSM was asked to cancel that already: its hosts follow, or finish first",
                "what runs on a host cannot be stopped any harder from here",
            );
        } else if nothing {
            self.refuse(
                "nothing to cancel: no command is under way there",
                "a rollout that has not been sent yet is stopped together with its lane",
            );
        }
        Ok(())
    }

    /// Stops the pushes of cancelled lanes, and the builds that no other lane wants.
    fn stop_work(&self) {
        for (work, stop) in &self.stops {
            let unwanted = match work {
                Work::Build(id) => !self.state.is_wanted(id),
                Work::Push(region) | Work::Tags(region) => self.state.lane(region).is_some_and(|lane| lane.cancelled),
                Work::Send(token) => {
                    let send = self.state.send(token);
                    send.is_some_and(|(_, rollout, at)| rollout.sends[at].cancel_intended)
                }
                Work::Cancel(_) | Work::Output(..) | Work::RetryCheck(_) => false,
            };
            if unwanted {
                stop.cancel();
            }
        }
    }

    /// Asks SSM to cancel a command. Its hosts are followed to their true end all the same.
    pub(super) fn cancel_command(&mut self, command: CommandId) {
        let work = Work::Cancel(command.clone());
        let Some(region) = self.state.command(&command).map(|(lane, ..)| lane.region.clone()) else {
            return;
        };
        if self.is_busy(&work) {
            return;
        }
        let means = self.means.clone();
        let key = work.clone();
        self.spawn(work, async move {
            let cancelling = async {
                let ssm = &means.region(&region)?.ssm;
                means.patiently(&region, &key, || ssm.cancel(&command)).await
            };
            match cancelling.await {
                Ok(()) => vec![Fact::CancelAsked { command }],
                Err(problem) => vec![Fact::CancelFailed { command, problem }],
            }
        });
    }
}
