//! The drive of a deployment: one loop that selects over the operator, the tasks and their ends, turns each into facts,
//! journals them, folds them, and starts what is due then.
//!
//! Tasks never share state with the drive: they are given what they need and send what happened. A fact is appended to
//! the journal before it is applied here or sent to the face; if that fails, the drive stops, since nothing may happen
//! that would be forgotten.

mod act;
mod begin;
mod close;
mod log;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::means::Means;
use super::outputs::{Outputs, Wanted};
use super::poll::Tracker;
use super::ports::{Claim, Ledger};
use super::work::{Event, Waiter, Work};
use super::{Action, Update, next, outputs, push};
use crate::names::{CommandId, HostId, Millis, Region, Token};
use crate::problem::Problem;
use crate::state::{BuildPhase, Fact, HostStatus, PushPhase, Recorded, RetrySet, SendPhase, State};
use crate::text::Clean;

/// How long leaving waits for the answers to commands that are going out.
const LAST_WORDS: Duration = Duration::from_secs(4);
/// And after that for those that are not going out just now to say so.
const LAST_TRY: Duration = Duration::from_millis(250);
/// Events that go into the journal together at most.
const BATCH: usize = 512;

/// A deployment in motion.
pub(super) struct Drive {
    means: Means,
    ledger: Arc<dyn Ledger>,
    state: State,
    face: mpsc::UnboundedSender<Update>,
    events: mpsc::UnboundedReceiver<Event>,
    jobs: JoinSet<Vec<Fact>>,
    busy: HashMap<Id, Work>,
    /// What stops a build or a push on the operator's word.
    stops: BTreeMap<Work, CancellationToken>,
    pollers: BTreeMap<Region, mpsc::UnboundedSender<Tracker>>,
    outputs: Outputs,
    waits: BTreeMap<Region, BTreeMap<Waiter, Problem>>,
    /// How many looks before a retry there were.
    checks: u64,
    /// The retries that the operator wants and that are looked into, by the number of the look.
    wanted_retries: BTreeMap<u64, RetrySet>,
    /// Regions that could not be asked what another machine has sent there: no host of theirs is retried before.
    pub unasked: BTreeSet<Region>,
    /// The pollers' tasks, each with its region.
    watches: JoinSet<()>,
    watched: HashMap<Id, Region>,
}

impl Drive {
    /// A drive of the deployment that `state` is the fold of.
    pub fn new(
        means: Means,
        ledger: Arc<dyn Ledger>,
        state: State,
        face: mpsc::UnboundedSender<Update>,
        events: mpsc::UnboundedReceiver<Event>,
    ) -> Self {
        Self {
            means,
            ledger,
            state,
            face,
            events,
            jobs: JoinSet::new(),
            busy: HashMap::new(),
            stops: BTreeMap::new(),
            pollers: BTreeMap::new(),
            outputs: Outputs::default(),
            waits: BTreeMap::new(),
            checks: 0,
            wanted_retries: BTreeMap::new(),
            unasked: BTreeSet::new(),
            watches: JoinSet::new(),
            watched: HashMap::new(),
        }
    }

    /// Drives until the operator leaves; `first` is recorded before anything is done.
    ///
    /// # Errors
    /// The journal's problem. Nothing is driven any more then; what runs in the fleet goes on.
    pub async fn run(
        mut self,
        first: Vec<Fact>,
        claim: &mut dyn Claim,
        actions: &mut mpsc::UnboundedReceiver<Action>,
    ) -> Result<(), Problem> {
        let driven = self.drive(first, claim, actions).await;
        if driven.is_ok() {
            claim.leave();
        } else {
            // Whoever takes it up finds in SSM what went out, and nothing of what was cut off on its way there. The journal's
            // first problem is the one to tell.
            let _ = self.last_words().await;
        }
        driven
    }

    async fn drive(
        &mut self,
        first: Vec<Fact>,
        claim: &mut dyn Claim,
        actions: &mut mpsc::UnboundedReceiver<Action>,
    ) -> Result<(), Problem> {
        self.record(first).await?;
        let mut signs = interval(self.means.pace.signs);
        signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.pick_up().await?;
        loop {
            self.advance().await?;
            tokio::select! {
                biased;
                action = actions.recv() => match action {
                    Some(Action::Leave { reason }) => return self.leave(reason).await,
                    Some(action) => self.act(action).await?,
                    None => return self.leave(Clean::line("whoever watched it went away")).await,
                },
                _ = signs.tick() => claim.sign(self.means.clock.now()),
                Some(event) = self.events.recv() => self.take(event).await?,
                Some(ended) = self.jobs.join_next_with_id() => self.ended(ended).await?,
                Some(ended) = self.watches.join_next_with_id() => self.unwatched(ended),
            }
        }
    }

    /// Takes up what another process left: commands are followed again, and unread outputs read.
    async fn pick_up(&mut self) -> Result<(), Problem> {
        let waiting: Vec<Region> = self
            .state
            .lanes
            .iter()
            .filter(|lane| lane.waits.is_some())
            .map(|lane| lane.region.clone())
            .collect();
        let resumed = waiting.into_iter().map(|region| Fact::LaneResumed { region });
        let mut facts: Vec<Fact> = resumed.collect();
        facts.extend(self.broken_off());
        self.record(facts).await?;
        let commands: Vec<CommandId> = self
            .state
            .lanes
            .iter()
            .flat_map(|lane| &lane.rollouts)
            .flat_map(|rollout| &rollout.sends)
            .filter(|send| !send.is_over())
            .filter_map(|send| send.command().cloned())
            .collect();
        for command in &commands {
            self.follow(command);
        }
        // What was not found before may show by now.
        let unknown: Vec<Token> = self
            .state
            .lanes
            .iter()
            .flat_map(|lane| &lane.rollouts)
            .flat_map(|rollout| &rollout.sends)
            .filter(|send| matches!(send.phase, SendPhase::Unknown(_)))
            .map(|send| send.token.clone())
            .collect();
        for token in unknown {
            self.reconcile(token);
        }
        for (region, command, host, status) in outputs::unread(&self.state) {
            let wanted = self.wanted(region, command, host, false);
            self.outputs.ended(&status, wanted);
        }
        Ok(())
    }

    /// Builds and pushes that were stopped on the operator's word by a process that ended before it could say so.
    fn broken_off(&self) -> Vec<Fact> {
        let builds = self.state.builds.iter();
        let builds = builds
            .filter(|build| build.phase == BuildPhase::Running && !self.state.is_wanted(&build.id))
            .map(|build| Fact::BuildCancelled {
                build: build.id.clone(),
            });
        let lanes = self.state.lanes.iter();
        let pushes = lanes
            .filter(|lane| lane.push == PushPhase::Running && lane.cancelled)
            .map(|lane| Fact::PushCancelled {
                region: lane.region.clone(),
            });
        builds.chain(pushes).collect()
    }

    /// Starts everything that is due, and says so when nothing is under way any more.
    async fn advance(&mut self) -> Result<(), Problem> {
        loop {
            let steps = next::due(&self.means.plan, &self.state, |work| self.is_busy(work));
            if steps.is_empty() {
                break;
            }
            for step in steps {
                self.begin(step).await?;
            }
        }
        for wanted in self.outputs.due() {
            let work = Work::Output(wanted.command.clone(), wanted.host.clone());
            let means = self.means.clone();
            self.spawn(work, async move {
                outputs::run(means, wanted).await;
                Vec::new()
            });
        }
        let quiet = self.busy.is_empty() && self.outputs.is_idle();
        if quiet && self.events.is_empty() && self.state.settled.is_none() && self.state.is_quiet() {
            let outcome = self.state.outcome();
            self.record(vec![Fact::DeploymentSettled { outcome }]).await?;
        }
        Ok(())
    }

    fn is_busy(&self, work: &Work) -> bool {
        self.busy.values().any(|busy| busy == work)
    }

    /// Journals facts, folds them, and passes them on.
    async fn record(&mut self, facts: Vec<Fact>) -> Result<(), Problem> {
        if facts.is_empty() {
            return Ok(());
        }
        let recorded = self.ledger.append(self.means.plan.id, facts).await?;
        for recorded in recorded {
            log::fact(&recorded);
            self.state.apply(&recorded);
            self.react(&recorded);
            self.say(Update::Fact(recorded));
        }
        Ok(())
    }

    /// What a fact sets in motion besides the state.
    fn react(&mut self, recorded: &Recorded) {
        if let Fact::SendAccepted { command, .. } = &recorded.fact {
            self.follow(command);
        }
        if let Fact::PushSucceeded { region, .. } | Fact::PushSkipped { region, .. } = &recorded.fact {
            self.untag(region);
        }
        if let Fact::HostChanged {
            command, host, status, ..
        } = &recorded.fact
        {
            self.host_changed(command, host, status);
        }
    }

    fn host_changed(&mut self, command: &CommandId, host: &HostId, status: &HostStatus) {
        if !outputs::says_why(status) {
            return;
        }
        if let Some(region) = self.state.command(command).map(|(lane, ..)| lane.region.clone()) {
            let wanted = self.wanted(region, command.clone(), host.clone(), false);
            self.outputs.ended(status, wanted);
        }
    }

    fn wanted(&self, region: Region, command: CommandId, host: HostId, opened: bool) -> Wanted {
        let step = self.state.command(&command).and_then(|(lane, rollout, _)| {
            let plan = self.means.plan.lane(&lane.region)?.rollout(&rollout.name)?;
            plan.output_step.as_ref().map(|step| step.as_str().to_owned())
        });
        Wanted {
            region,
            command,
            host,
            step,
            opened,
        }
    }

    /// Tells the face. A face that went away is noticed by its actions ending.
    fn say(&self, update: Update) {
        let _ = self.face.send(update);
    }

    /// Takes in an event and whatever else is there already, so that many facts cost one synchronisation of the journal.
    async fn take(&mut self, event: Event) -> Result<(), Problem> {
        let mut facts = Vec::new();
        let mut next = Some(event);
        while let Some(event) = next {
            match event {
                Event::Facts(more) => facts.extend(more),
                Event::Output {
                    command,
                    host,
                    output,
                    exit_code,
                } => {
                    // What is known of the host has to be folded before it is repeated with the exit code.
                    self.record(std::mem::take(&mut facts)).await?;
                    facts.extend(self.output_facts(command, host, output, exit_code));
                }
                Event::Unread(region, problem) => {
                    // Once it has settled nobody waits for it, and a host that is opened says why.
                    if self.outputs.give_up(&region) && self.state.settled.is_none() {
                        self.say(Update::Notice(outputs::given_up(&region, &problem)));
                    }
                }
                Event::Waits(region, waiter, problem) => facts.extend(self.waits(region, waiter, problem)),
                Event::Goes(region, waiter) => facts.extend(self.goes(region, &waiter)),
                Event::RetryChecked {
                    serial,
                    set,
                    moved,
                    absent,
                    elsewhere,
                    asked,
                } => {
                    // What is known of the hosts comes before what is decided about them.
                    self.record(std::mem::take(&mut facts)).await?;
                    let closed = self.heard(elsewhere).await?;
                    self.retry_checked(serial, set, moved, absent, &closed, asked).await?;
                }
                Event::Notice(problem) => self.say(Update::Notice(problem)),
            }
            next = if facts.len() < BATCH {
                self.events.try_recv().ok()
            } else {
                None
            };
        }
        self.record(facts).await
    }

    fn output_facts(
        &self,
        command: CommandId,
        host: HostId,
        output: crate::state::Output,
        exit_code: Option<i32>,
    ) -> Vec<Fact> {
        let attempt = self
            .state
            .command(&command)
            .and_then(|(_, rollout, send)| rollout.host(&host)?.attempt(send));
        let mut facts = Vec::new();
        if let Some(attempt) = attempt
            && exit_code.is_some()
            && attempt.exit_code != exit_code
            && attempt.status.is_end()
        {
            facts.push(Fact::HostChanged {
                command: command.clone(),
                host: host.clone(),
                status: attempt.status.clone(),
                exit_code,
            });
        }
        facts.push(Fact::OutputRead { command, host, output });
        facts
    }

    /// A lane is told to wait when the first of its tasks does.
    fn waits(&mut self, region: Region, waiter: Waiter, problem: Problem) -> Option<Fact> {
        let waits = self.waits.entry(region.clone()).or_default();
        let first = waits.is_empty();
        waits.insert(waiter, problem.clone());
        first.then_some(Fact::LaneWaits { region, problem })
    }

    /// And to go on when the last of them does.
    fn goes(&mut self, region: Region, waiter: &Waiter) -> Option<Fact> {
        let waits = self.waits.get_mut(&region)?;
        let waited = waits.remove(waiter).is_some();
        (waited && waits.is_empty()).then_some(Fact::LaneResumed { region })
    }

    /// A task came to its end, or broke off.
    async fn ended(&mut self, ended: Result<(Id, Vec<Fact>), JoinError>) -> Result<(), Problem> {
        // Whatever the task said before it ended comes first.
        while let Ok(event) = self.events.try_recv() {
            self.take(event).await?;
        }
        match ended {
            Ok((id, facts)) => {
                self.done(id);
                let facts = facts.into_iter().map(|fact| self.compared(fact)).collect();
                self.record(facts).await
            }
            Err(error) => match self.done(error.id()) {
                Some(work) if error.is_panic() => self.broke(work).await,
                Some(_) | None => Ok(()),
            },
        }
    }

    fn done(&mut self, id: Id) -> Option<Work> {
        let work = self.busy.remove(&id)?;
        self.stops.remove(&work);
        if let Work::Output(command, host) = &work {
            self.outputs.read(command, host);
        }
        Some(work)
    }

    /// One build is one digest in every region: that is what makes it the same image. Pushes of one build run side by
    /// side, so they are compared when they end.
    fn compared(&self, fact: Fact) -> Fact {
        let Fact::PushSucceeded { region, digest, .. } = &fact else {
            return fact;
        };
        let build = self.state.lane(region).and_then(|lane| lane.build.as_ref());
        let mut lanes = self.state.lanes.iter();
        let twin = lanes.find_map(|lane| {
            let twin = build.is_some() && lane.build.as_ref() == build && lane.region != *region;
            let other = lane.digest().filter(|other| twin && *other != digest)?;
            Some((&lane.region, other))
        });
        match twin {
            None => fact,
            Some((twin, other)) => Fact::PushFailed {
                problem: push::differs(region, digest, twin, other),
                region: region.clone(),
            },
        }
    }

    fn waiting_tags(&self, region: &Region) -> Vec<Clean> {
        let lane = self.state.lane(region);
        let tags = lane.into_iter().flat_map(|lane| &lane.tags);
        tags.filter(|tag| !matches!(tag.phase, crate::state::TagPhase::Moved { .. }))
            .map(|tag| tag.tag.clone())
            .collect()
    }

    fn now(&self) -> Millis {
        self.means.clock.now()
    }
}
