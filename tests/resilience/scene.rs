//! The scene of every test: a rehearsal, a state folder, and processes that deploy to the one out of the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use quarterdeck::aws::{Patience, Realm, connect_with};
use quarterdeck::config::{self, Config, Endpoints};
use quarterdeck::engine::ports::{BuildFailure, Ledger as _, PushFailure, Recipients, SendRequest};
use quarterdeck::engine::{
    Action, Adopted, Attach, Clock, Connect, Guards, Handle, MovedTag, Outside, Pace, Secrets, Setup, Update, Whose,
    adopt, attach, launch,
};
use quarterdeck::journal::{Archive, Journal};
use quarterdeck::names::{CommandId, Digest, HostId, Millis, Region, RolloutName, Token};
use quarterdeck::plan::Plan;
use quarterdeck::problem::Problem;
use quarterdeck::rehearsal::ecr::EcrStandIn;
use quarterdeck::rehearsal::{Options, Rehearsal, Request};
use quarterdeck::state::live::{Live, Poll};
use quarterdeck::state::{Driver, Fact, HostStatus, Outcome, Recorded, RetrySet, RolloutState, SendPhase, State};
use quarterdeck::text::Clean;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::machine::{Machine, Registry, Work};

pub const EAST: &str = "us-east-1";
pub const OHIO: &str = "us-east-2";

/// Hosts of these scenes are so many times faster than believable ones: most scripts take an eighth of a second.
pub const SPEED: f64 = 60.0;
/// A delivery window of ten minutes is two and a half seconds: longer than whatever goes wrong here on purpose.
const TIMEOUTS: &str = "timeouts = 4.0\n";
/// Two regions, with three Ubuntu hosts and one Amazon Linux host each.
pub const SMALL: &str = "hosts = 8\n";
/// One region with three Ubuntu hosts and two Amazon Linux hosts.
pub const TINY: &str = "regions = [\"us-east-1\"]\nhosts = 5\n";
/// How long anything may take that is waited for.
const LONG: Duration = Duration::from_secs(20);

/// Between two looks at what nobody tells.
const GLANCE: Duration = Duration::from_millis(10);

/// As the engine looks in a rehearsal of this speed, and patient in proportion.
pub const PACE: Pace = Pace {
    early: Duration::from_millis(50),
    early_for: Duration::from_secs(10),
    steady: Duration::from_millis(100),
    slowest: Duration::from_millis(600),
    pause: Duration::from_millis(30),
    credentials: Duration::from_millis(80),
    search: Duration::from_millis(50),
    visibility: Duration::from_millis(800),
    grace: Duration::from_secs(5),
    push_pause: Duration::from_millis(20),
    signs: Duration::from_millis(50),
};

/// Everything outside of the processes.
pub struct Scene {
    pub rehearsal: Arc<Rehearsal>,
    pub hands: Arc<Hands>,
    config: Arc<Config>,
    folder: tempfile::TempDir,
}

struct Ecr(Arc<Rehearsal>);

impl Registry for Ecr {
    fn ecr(&self) -> &EcrStandIn {
        self.0.ecr()
    }
}

impl Scene {
    /// Sets a scene with the scenario `story`, in which nobody has trouble that it does not tell of.
    pub async fn set(story: &str) -> Self {
        Self::set_with(story, &[]).await
    }

    /// Sets a scene whose config.toml is the sample's with these changes.
    pub async fn set_with(story: &str, changes: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the state");
        let scenario = folder.path().join("scenario.toml");
        let timeouts = if story.contains("timeouts") { "" } else { TIMEOUTS };
        let trouble = if story.contains("[trouble]") {
            ""
        } else {
            "\n[trouble]\n"
        };
        std::fs::write(&scenario, format!("{timeouts}{story}{trouble}")).expect("it can be written");
        let rehearsal = Rehearsal::start(Options {
            scenario: Some(scenario),
            speed: Some(SPEED),
            ..Options::default()
        });
        let rehearsal = rehearsal.await.unwrap_or_else(|problem| panic!("{problem}"));
        let sample = rehearsal.sample().path.join("config.toml");
        let mut text = std::fs::read_to_string(sample).expect("the sample has one");
        for (old, new) in changes {
            assert!(text.contains(old), "the sample has `{old}`");
            text = text.replace(old, new);
        }
        let mut config = config::parse(Path::new("config.toml"), &text).unwrap_or_else(|errors| panic!("{errors}"));
        let api = Some(rehearsal.api());
        for lane in &mut config.lanes {
            lane.aws.endpoints = Endpoints {
                ssm: api.clone(),
                ecr: api.clone(),
                sts: api.clone(),
            };
        }
        Self {
            rehearsal: Arc::new(rehearsal),
            hands: Arc::default(),
            config: Arc::new(config),
            folder,
        }
    }

    /// The state folder.
    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The ways out of the machine.
    pub fn connect(&self) -> Connect {
        let machine = Machine {
            registry: Arc::new(Ecr(self.rehearsal.clone())),
            clock: Clock::default(),
            work: self.hands.clone(),
        };
        let config = self.config.clone();
        let patience = Patience {
            attempt: Duration::from_secs(1),
            backoff: Duration::from_millis(5),
            ..Patience::default()
        };
        Arc::new(move || {
            let (machine, config) = (machine.clone(), config.clone());
            Box::pin(async move {
                let mut regions = BTreeMap::new();
                for lane in &config.lanes {
                    let ports = connect_with(&lane.aws, &lane.region, Realm::Rehearsal, patience).await?;
                    regions.insert(lane.region.clone(), ports);
                }
                Ok(Outside {
                    git: Arc::new(machine.clone()),
                    docker: Arc::new(machine),
                    regions,
                })
            })
        })
    }

    /// A process that makes a plan.
    pub fn launch(&self) -> Process {
        self.launch_by(Clock::default())
    }

    fn launch_by(&self, clock: Clock) -> Process {
        Process::of(launch(Setup {
            config: self.config.clone(),
            revision: "HEAD".to_owned(),
            guards: Guards::default(),
            connect: self.connect(),
            ledger: Arc::new(self.journal()),
            driver: driver(1),
            logs: self.state_dir().join("logs"),
            rehearsal: true,
            pace: PACE,
            clock,
        }))
    }

    /// A process that has made a plan, which can be started.
    pub async fn planned(&self) -> Process {
        self.planned_by(Clock::default()).await
    }

    async fn planned_by(&self, clock: Clock) -> Process {
        let mut process = self.launch_by(clock);
        process.until("the plan", |process| process.ready.is_some()).await;
        process
    }

    /// A process whose deployment has begun.
    pub async fn start(&self) -> Process {
        let process = self.planned().await;
        process.act(Action::Start);
        process
    }

    /// The same on a machine with this clock, which the journal does not go by.
    pub async fn start_by(&self, clock: Clock) -> Process {
        let process = self.planned_by(clock).await;
        process.act(Action::Start);
        process
    }

    /// A process that takes up the deployment that the journal has.
    pub fn attach(&self) -> Process {
        self.attach_by(Clock::default())
    }

    /// The same on a machine with this clock.
    pub fn attach_by(&self, clock: Clock) -> Process {
        self.attach_through(self.connect(), clock)
    }

    /// The same over these connections.
    pub fn attach_through(&self, connect: Connect, clock: Clock) -> Process {
        let facts = self.facts();
        Process::of(attach(Attach {
            plan: plan_of(&facts),
            facts,
            secrets: Secrets::of(&self.config),
            notices: Vec::new(),
            connect,
            ledger: Arc::new(self.journal()),
            driver: driver(2),
            logs: self.state_dir().join("logs"),
            pace: PACE,
            clock,
        }))
    }

    /// What SSM remembers of a deployment.
    pub async fn remembered(&self, whose: Whose, configured: bool) -> Result<Adopted, Problem> {
        let outside = (self.connect())().await?;
        let config = configured.then_some(&self.config);
        adopt(
            whose,
            Duration::MAX,
            &outside.regions,
            config,
            driver(3),
            true,
            Millis::now(),
        )
        .await
    }

    /// A process on a machine whose journal begins with what SSM remembers.
    pub async fn adopt(&self, adopted: Adopted) -> Process {
        let journal = self.journal();
        let facts = journal.append(adopted.deployment, adopted.facts).await;
        let facts = facts.expect("the facts are taken");
        Process::of(attach(Attach {
            plan: plan_of(&facts),
            facts,
            secrets: adopted.secrets,
            notices: Vec::new(),
            connect: self.connect(),
            ledger: Arc::new(journal),
            driver: driver(3),
            logs: self.state_dir().join("logs"),
            pace: PACE,
            clock: Clock::default(),
        }))
    }

    /// A command that another program sends to the same hosts.
    pub async fn foreign(&self, region: &str) -> CommandId {
        let lane = self.config.lanes.iter().find(|lane| lane.region.as_str() == region);
        let host = self.rehearsal.desk().with_ssm(Millis(0), |ssm| {
            let region = ssm.region(region).expect("the region is there");
            HostId::new(&region.fleet().nodes()[0].id)
        });
        let request = SendRequest {
            document: "AWS-RunShellScript".to_owned(),
            document_version: "$DEFAULT".to_owned(),
            parameters: [("commands".to_owned(), vec!["true".into()])].into(),
            secrets: Vec::new(),
            to: Recipients::Hosts(vec![host]),
            delivery_timeout_secs: 600,
            max_concurrency: "1".to_owned(),
            max_errors: "0".to_owned(),
            token: Token::new("nightly patch"),
        };
        let lane = lane.expect("the region is configured");
        let outside = (self.connect())().await.expect("it connects");
        let sent = outside.regions[&lane.region].ssm.send(&request).await;
        sent.expect("SSM takes it").command
    }

    /// The machine is lost, and its state folder with it.
    pub fn forget(&self) {
        std::fs::remove_dir_all(self.state_dir()).expect("the state folder was there");
    }

    pub fn journal(&self) -> Journal {
        Journal::open(&self.state_dir()).expect("the journal opens")
    }

    /// The facts of the one deployment that the journal has.
    pub fn facts(&self) -> Vec<Recorded> {
        let archive = Archive::open(&self.state_dir()).expect("the journal can be read");
        let entry = archive.find("latest").unwrap_or_else(|problem| panic!("{problem}"));
        archive.facts(entry.id).expect("its facts can be read")
    }

    /// The requests of an operation, oldest first.
    pub fn requests(&self, operation: &str) -> Vec<Request> {
        let mut requests = self.rehearsal.requests();
        requests.retain(|request| request.operation == operation);
        requests
    }

    /// The Comments of a region's commands, as SSM has them.
    pub fn commands(&self, region: &str) -> Vec<String> {
        self.rehearsal.desk().with_ssm(Millis(0), |ssm| {
            let region = ssm.region(region).expect("the region is there");
            (0..region.fleet().commands().len())
                .filter_map(|number| region.comment(number).map(str::to_owned))
                .collect()
        })
    }

    /// Nothing went out twice: SSM has each token at most once, and each of its commands is one that was meant.
    pub fn sent_once(&self, state: &State) {
        for lane in &state.lanes {
            let commands = self.commands(lane.region.as_str());
            let tokens: BTreeSet<&str> = lane
                .rollouts
                .iter()
                .flat_map(|rollout| &rollout.sends)
                .map(|send| send.token.as_str())
                .collect();
            let unique: BTreeSet<&str> = commands.iter().map(String::as_str).collect();
            assert_eq!(unique.len(), commands.len(), "{commands:?}");
            assert!(unique.is_subset(&tokens), "{unique:?} were sent, {tokens:?} were meant");
        }
    }
}

fn plan_of(facts: &[Recorded]) -> Arc<Plan> {
    State::replay(facts).plan.expect("the plan comes first")
}

fn driver(pid: u32) -> Driver {
    Driver {
        user: Clean::line("ada"),
        machine: Clean::line("laptop"),
        pid,
        version: Clean::line("0"),
    }
}

/// One process's engine, and what its face has been told.
pub struct Process {
    handle: Handle,
    pub ready: Option<Plan>,
    pub blocked: Vec<Problem>,
    pub state: State,
    pub facts: Vec<Recorded>,
    pub notices: Vec<Problem>,
    /// Who drives, while it only watches.
    pub watching: Option<Problem>,
    pub orphaned: bool,
    pub checked: Option<(RetrySet, Vec<MovedTag>)>,
    pub stopped: Option<Option<Problem>>,
    live: Live,
    seen: u64,
}

impl Process {
    fn of(handle: Handle) -> Self {
        Self {
            handle,
            ready: None,
            blocked: Vec::new(),
            state: State::default(),
            facts: Vec::new(),
            notices: Vec::new(),
            watching: None,
            orphaned: false,
            checked: None,
            stopped: None,
            live: Live::default(),
            seen: 0,
        }
    }

    pub fn act(&self, action: Action) {
        // An engine that has stopped has said so.
        let _ = self.handle.actions.send(action);
    }

    /// Waits until something is true of what the operator sees.
    pub async fn until(&mut self, what: &str, seen: impl Fn(&Self) -> bool) {
        let waiting = async {
            loop {
                self.seen = self.handle.board.refresh(self.seen, &mut self.live);
                while let Ok(update) = self.handle.updates.try_recv() {
                    self.hear(update);
                    if seen(self) {
                        return;
                    }
                }
                if seen(self) {
                    return;
                }
                tokio::select! {
                    update = self.handle.updates.recv() => match update {
                        Some(update) => self.hear(update),
                        None => sleep(LONG).await,
                    },
                    () = self.handle.board.changed() => {}
                    // Not everything that is waited for is told.
                    () = sleep(GLANCE) => {}
                }
            }
        };
        if timeout(LONG, waiting).await.is_err() {
            let last = self.facts.iter().rev().take(12).rev();
            let last: Vec<String> = last.map(brief).collect();
            panic!(
                "{what} does not come to pass; notices {:?}, blocked {:?}, stopped {:?}, polls {:?}, last facts:{}",
                self.notices,
                self.blocked,
                self.stopped,
                self.live.polls,
                last.concat()
            );
        }
    }

    fn hear(&mut self, update: Update) {
        match update {
            Update::Checks(_) => {}
            Update::Ready(plan) => self.ready = Some(*plan),
            Update::Blocked(problems) => self.blocked = problems,
            Update::Fact(recorded) => {
                self.state.apply(&recorded);
                self.facts.push(recorded);
            }
            Update::RetryChecked { set, moved } => self.checked = Some((set, moved)),
            Update::Watching(driver) => (self.watching, self.orphaned) = (Some(driver), false),
            Update::Orphaned => self.orphaned = true,
            Update::Driving => (self.watching, self.orphaned) = (None, false),
            Update::Notice(problem) => self.notices.push(problem),
            Update::Stopped(problem) => self.stopped = Some(problem),
        }
    }

    /// Waits until nothing is under way any more, and returns how it stands then.
    pub async fn settled(&mut self) -> Outcome {
        self.until("the end", |process| process.state.settled.is_some()).await;
        self.outcome()
    }

    /// Waits for the next end after the last one, when something has been asked for.
    pub async fn settled_again(&mut self, times: usize) -> Outcome {
        self.until("another end", |process| {
            process.count(|fact| matches!(fact, Fact::DeploymentSettled { .. })) >= times
        })
        .await;
        self.outcome()
    }

    fn outcome(&self) -> Outcome {
        self.state.settled.map(|(outcome, _)| outcome).expect("it has settled")
    }

    /// Leaves, and waits until the engine has stopped.
    pub async fn leave(&mut self) {
        self.act(Action::Leave {
            reason: Clean::line("the operator left"),
        });
        self.until("the engine's end", |process| process.stopped.is_some())
            .await;
        assert_eq!(self.stopped, Some(None), "it stopped in order");
    }

    /// How many facts are such.
    pub fn count(&self, such: impl Fn(&Fact) -> bool) -> usize {
        self.facts.iter().filter(|recorded| such(&recorded.fact)).count()
    }

    /// The number of the first fact that is such.
    pub fn first(&self, such: impl Fn(&Fact) -> bool) -> Option<u64> {
        let fact = self.facts.iter().find(|recorded| such(&recorded.fact));
        fact.map(|recorded| recorded.seq)
    }

    /// How the region is polled, as the screen shows it.
    pub fn poll(&self, region: &str) -> Poll {
        self.live.polls.get(&Region::new(region)).cloned().unwrap_or_default()
    }

    pub fn rollout(&self, region: &str, name: &str) -> &RolloutState {
        rollout(&self.state, region, name)
    }

    /// Whether the lane waits, and for what.
    pub fn waits(&self, region: &str) -> Option<&Problem> {
        let lane = self.state.lane(&Region::new(region));
        lane.and_then(|lane| lane.waits.as_ref())
    }

    /// Whether SSM has the first command of every rollout of the region.
    pub fn has_sent(&self, region: &str) -> bool {
        let lane = self.state.lane(&Region::new(region));
        lane.is_some_and(|lane| {
            lane.rollouts
                .iter()
                .all(|rollout| matches!(phase(rollout), Some(SendPhase::Accepted { .. })))
        })
    }

    /// Whether some host has begun.
    pub fn has_begun(&self) -> bool {
        let counts = self.state.counts();
        counts.running + counts.ended() > 0
    }
}

pub fn rollout<'a>(state: &'a State, region: &str, name: &str) -> &'a RolloutState {
    let lane = state.lane(&Region::new(region)).expect("the lane is there");
    lane.rollout(&RolloutName::new(name)).expect("the rollout is there")
}

/// The phase of a rollout's latest send.
pub fn phase(rollout: &RolloutState) -> Option<&SendPhase> {
    rollout.sends.last().map(|send| &send.phase)
}

/// The token of a rollout's latest send.
pub fn token(rollout: &RolloutState) -> Token {
    let send = rollout.sends.last().expect("it was sent");
    send.token.clone()
}

/// The hosts of a rollout in such a state.
pub fn hosts(rollout: &RolloutState, such: impl Fn(&HostStatus) -> bool) -> Vec<HostId> {
    let hosts = rollout.hosts.iter().filter(|host| such(host.status()));
    hosts.map(|host| host.id.clone()).collect()
}

/// Every row that a screen has: lane, rollout, host and what became of each of its attempts.
pub fn rows(state: &State) -> Vec<String> {
    let mut rows = Vec::new();
    for lane in &state.lanes {
        for rollout in &lane.rollouts {
            for host in &rollout.hosts {
                let attempts: Vec<String> = host
                    .attempts
                    .iter()
                    .map(|one| format!("{} {} {:?}", one.send, one.status.word(), one.exit_code))
                    .collect();
                rows.push(format!("{} {} {} {attempts:?}", lane.region, rollout.name, host.id));
            }
        }
    }
    rows
}

fn brief(recorded: &Recorded) -> String {
    let fact: String = format!("{:?}", recorded.fact).chars().take(300).collect();
    format!("\n  {} {fact}", recorded.seq)
}

/// A door that is open until it is closed.
pub struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(true))
    }
}

impl Gate {
    pub fn close(&self) {
        self.0.send_replace(false);
    }

    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn pass(&self) {
        let mut open = self.0.subscribe();
        open.wait_for(|open| *open).await.expect("the scene outlives its work");
    }
}

/// The hands that build and push: they wait where the test wants them to, and say whether they were stopped.
#[derive(Default)]
pub struct Hands {
    pub builds: Gate,
    pub pushes: Gate,
    /// What the next build comes to, if it does not go well.
    pub build_failure: Mutex<Option<BuildFailure>>,
    /// What the next push comes to, if it does not go well.
    pub push_failure: Mutex<Option<PushFailure>>,
    told: Mutex<Vec<String>>,
}

impl Hands {
    /// What was begun, done and stopped, in order.
    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn say(&self, what: String) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    async fn work(&self, what: &str, gate: &Gate) {
        let mut under_way = UnderWay {
            hands: self,
            what,
            done: false,
        };
        self.say(format!("{what} begins"));
        gate.pass().await;
        under_way.done = true;
    }
}

/// Says how a piece of work ended: its future runs to its end, or is dropped.
struct UnderWay<'a> {
    hands: &'a Hands,
    what: &'a str,
    done: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let how = if self.done { "is done" } else { "is stopped" };
        self.hands.say(format!("{} {how}", self.what));
    }
}

#[async_trait]
impl Work for Hands {
    async fn build(&self) -> Result<(), BuildFailure> {
        self.work("build", &self.builds).await;
        let failure = self.build_failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), Err)
    }

    async fn push(&self, region: &Region) -> Result<(), PushFailure> {
        self.work(&format!("push to {region}"), &self.pushes).await;
        let failure = self.push_failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), Err)
    }

    async fn untag(&self) {
        self.say("the tag is taken off".to_owned());
    }
}

/// The digest that a region's tag points at.
pub fn tag(scene: &Scene, region: &str, tag: &str) -> Option<Digest> {
    use quarterdeck::rehearsal::fleet::Images;
    let region = Region::new(region);
    let name = quarterdeck::rehearsal::sample::Sample::repository(&region);
    let digest = scene.rehearsal.ecr().pulls(region.as_str(), &name, tag);
    digest.map(Digest::new)
}
