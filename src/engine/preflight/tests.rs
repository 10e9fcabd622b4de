//! The order in which questions are put, and that they are questions only.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Barrier, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::Config;
use crate::engine::ports::{
    Accepted, BuildFailure, BuildSpec, Built, Caller, Claim, CommandCounts, Context, ContextSpec, Docker, Document,
    Ecr, FoundImage, FoundRepository, Held, Ledger, Login, Only, Page, PushFailure, PushSpec, Pushed, Retagged,
    SendRequest, SentCommand, Sink, Ssm, Sts, UnderWay,
};
use crate::engine::{Clock, Pace};
use crate::names::{CommandId, Digest, HostId, Millis, Token};
use crate::plan::check::{CheckState, Subject};
use crate::plan::draft::{Guards, fixture};
use crate::plan::{Commit, EngineInfo, ExpectedHost, Source, Target};
use crate::state::{Driver, Fact, Output, Recorded};
use crate::text::Clean;

/// An outside that answers as the fixture does. Whatever would change something panics.
struct World {
    findings: Findings,
    /// Calls that have to be under way together before one of them is answered.
    together: Option<Barrier>,
    /// One permit for each answer of SSM, where that is held back.
    permits: Option<Semaphore>,
    /// How often an account is refused by throttling before it is told.
    throttled: AtomicU32,
    asked: Mutex<Vec<String>>,
}

impl World {
    fn new(config: &Config) -> Self {
        Self {
            findings: fixture::findings(config),
            together: None,
            permits: None,
            throttled: AtomicU32::new(0),
            asked: Mutex::default(),
        }
    }

    fn note(&self, call: String) {
        self.asked.lock().expect("no test panics with it").push(call);
    }

    async fn meet(&self) {
        if let Some(barrier) = &self.together {
            barrier.wait().await;
        }
    }
}

/// A region of the world.
struct Corner {
    world: Arc<World>,
    region: Region,
}

impl Corner {
    fn found(&self) -> &crate::plan::draft::RegionFindings {
        &self.world.findings.regions[&self.region]
    }

    async fn answer<T: Clone>(&self, call: &str, found: Option<&Result<T, Problem>>) -> Result<T, AwsError> {
        self.world.note(format!("{} {call}", self.region));
        let found = found.expect("the fixture has an answer").clone();
        found.map_err(AwsError::Refused)
    }
}

#[async_trait]
impl Sts for Corner {
    async fn identity(&self) -> Result<Caller, AwsError> {
        let left = &self.world.throttled;
        if left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok()
        {
            return Err(AwsError::Throttled(Problem::new(Kind::Unexpected, "slow down", "")));
        }
        self.answer("account", self.found().caller.as_ref()).await
    }
}

#[async_trait]
impl Ecr for Corner {
    async fn login(&self) -> Result<Login, AwsError> {
        panic!("a look needs no login")
    }

    async fn repository(&self, name: &str) -> Result<Option<FoundRepository>, AwsError> {
        self.world.meet().await;
        let found = self
            .answer(&format!("repository {name}"), self.found().repository.as_ref())
            .await?;
        Ok(found.map(|repository| FoundRepository { repository }))
    }

    async fn image(&self, _: &str, tag: &str) -> Result<Option<FoundImage>, AwsError> {
        let found = self.found();
        let found = if tag == "latest" { &found.current } else { &found.image };
        self.answer(&format!("image {tag}"), found.as_ref()).await
    }

    async fn retag(&self, _: &str, _: &str, _: &Digest, _: &str) -> Result<Retagged, AwsError> {
        panic!("preflight moved a tag")
    }
}

#[async_trait]
impl Ssm for Corner {
    async fn hosts(&self, targets: &[Target]) -> Result<Vec<ExpectedHost>, AwsError> {
        self.world.meet().await;
        if let Some(permits) = &self.world.permits {
            permits.acquire().await.expect("never closed").forget();
        }
        let ubuntu = targets[1].values[0].as_str() == "Ubuntu";
        let rollout = if ubuntu { fixture::ubuntu() } else { fixture::linux() };
        self.answer(&format!("hosts {rollout}"), self.found().hosts.get(&rollout))
            .await
    }

    async fn document(&self, name: &str, version: &str) -> Result<Option<Document>, AwsError> {
        self.world.meet().await;
        self.answer(
            &format!("document {name} {version}"),
            self.found().documents.get(&fixture::ubuntu()),
        )
        .await
    }

    async fn send(&self, _: &SendRequest) -> Result<Accepted, AwsError> {
        panic!("preflight sent a command")
    }

    async fn find(&self, _: &Token, _: Millis) -> Result<Option<Accepted>, AwsError> {
        panic!("nothing was sent")
    }

    async fn under_way(&self) -> Result<Vec<UnderWay>, AwsError> {
        self.world.meet().await;
        self.answer("under way", self.found().under_way.as_ref()).await
    }

    async fn sent(&self, _: &str, _: Option<Millis>) -> Result<Vec<SentCommand>, AwsError> {
        panic!("nothing was sent")
    }

    async fn sent_as(&self, _: &CommandId) -> Result<Option<SentCommand>, AwsError> {
        panic!("nothing was sent")
    }

    async fn counts(&self, _: &CommandId) -> Result<Option<CommandCounts>, AwsError> {
        panic!("nothing was sent")
    }

    async fn invocations(&self, _: &CommandId, _: Option<Only>, _: Option<&str>) -> Result<Page, AwsError> {
        panic!("nothing was sent")
    }

    async fn output(
        &self,
        _: &CommandId,
        _: &HostId,
        _: Option<&str>,
    ) -> Result<Option<(Output, Option<i32>)>, AwsError> {
        panic!("nothing was sent")
    }

    async fn cancel(&self, _: &CommandId) -> Result<(), AwsError> {
        panic!("nothing was sent")
    }
}

#[async_trait]
impl Git for World {
    async fn commit(&self, revision: &str, branch: Option<&str>) -> Result<Commit, Problem> {
        self.note(format!("commit {revision} on {}", branch.unwrap_or("any branch")));
        self.findings.commit.clone().expect("the fixture has a commit")
    }

    async fn between(&self, old: &CommitId, new: &CommitId, _: usize) -> Result<Option<(Vec<Clean>, u32)>, Problem> {
        self.note(format!("between {} {}", old.short(), new.short()));
        let ahead = *old == fixture::running();
        Ok(Some(if ahead {
            (vec![Clean::line("Count the queue")], 1)
        } else {
            (Vec::new(), 0)
        }))
    }

    async fn file(&self, _: &CommitId, source: Source, path: &str) -> Result<Option<String>, Problem> {
        assert_eq!(source, Source::Commit);
        let found = self.findings.files[path].clone();
        found.map(|found| found.map(|_| "FROM scratch".to_owned()))
    }

    async fn dirty_hash(&self, _: &CommitId) -> Result<String, Problem> {
        panic!("the source is the commit")
    }

    async fn context(&self, _: &ContextSpec) -> Result<Context, Problem> {
        panic!("preflight read a build context")
    }
}

#[async_trait]
impl Docker for World {
    async fn info(&self) -> Result<EngineInfo, Problem> {
        self.findings.engine.clone().expect("the fixture has an engine")
    }

    async fn build(&self, _: BuildSpec, _: Context, _: Sink, _: CancellationToken) -> Result<Built, BuildFailure> {
        panic!("preflight built an image")
    }

    async fn push(&self, _: PushSpec, _: Sink, _: CancellationToken) -> Result<Pushed, PushFailure> {
        panic!("preflight pushed an image")
    }
}

/// No journal: preflight writes nothing.
struct NoLedger;

#[async_trait]
impl Ledger for NoLedger {
    async fn claim(&self, _: &Plan, _: &Driver) -> Result<Box<dyn Claim>, Problem> {
        panic!("preflight claimed the deployment")
    }

    async fn holder(&self, _: &Plan) -> Option<Held> {
        panic!("preflight asked who drives")
    }

    async fn since(&self, _: DeploymentId, _: u64) -> Result<Vec<Recorded>, Problem> {
        panic!("preflight read the journal")
    }

    async fn append(&self, _: DeploymentId, _: Vec<Fact>) -> Result<Vec<Recorded>, Problem> {
        panic!("preflight wrote a fact")
    }
}

fn setup() -> Setup {
    Setup {
        config: Arc::new(fixture::config()),
        revision: "HEAD".to_owned(),
        guards: Guards::default(),
        connect: Arc::new(|| panic!("preflight is given its connections")),
        ledger: Arc::new(NoLedger),
        driver: Driver {
            user: Clean::line("mara"),
            machine: Clean::line("laptop"),
            pid: 1,
            version: Clean::line("0.1.0"),
        },
        logs: PathBuf::from("/nowhere"),
        rehearsal: false,
        pace: Pace::default(),
        clock: Clock::new(|| fixture::NOW),
    }
}

fn outside(world: &Arc<World>) -> Outside {
    let corner = |region: Region| {
        let corner = Arc::new(Corner {
            world: world.clone(),
            region: region.clone(),
        });
        let ports = RegionPorts {
            ssm: corner.clone(),
            ecr: corner.clone(),
            sts: corner,
        };
        (region, ports)
    };
    Outside {
        git: world.clone(),
        docker: world.clone(),
        regions: BTreeMap::from([corner(fixture::east()), corner(fixture::ohio())]),
    }
}

/// Runs preflight; no test waits for a minute of real time, since time stands still while nothing else can go on.
async fn run(world: &Arc<World>) -> (Result<Plan, Vec<Problem>>, Vec<Vec<Check>>) {
    let (setup, outside) = (setup(), outside(world));
    let shown = Mutex::new(Vec::new());
    let show = |checks| shown.lock().expect("no test panics with it").push(checks);
    let preflight = preflight(&setup, &outside, &show);
    let plan = tokio::time::timeout(Duration::from_secs(60), preflight).await;
    let plan = plan.expect("preflight ends");
    (plan, shown.into_inner().expect("no test panics with it"))
}

#[tokio::test(start_paused = true)]
async fn all_checks_are_pending_at_once_and_each_gets_its_result_by_itself() {
    let world = Arc::new(World::new(&fixture::config()));
    let (plan, shown) = run(&world).await;
    assert_eq!(plan.expect("all is well").lanes.len(), 2);
    assert!(shown[0].iter().all(|check| check.state == CheckState::Pending));
    for two in shown.windows(2) {
        let changed = two[0].iter().zip(&two[1]).filter(|(old, new)| old != new);
        let changed: Vec<_> = changed.collect();
        assert!(!changed.is_empty(), "shown twice: {:#?}", two[0]);
        assert!(
            changed.iter().all(|(old, _)| old.state == CheckState::Pending),
            "{changed:#?}"
        );
    }
    let last = shown.last().expect("something was shown");
    assert!(
        last.iter().all(|check| matches!(check.state, CheckState::Passed(_))),
        "{last:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn regions_and_rollouts_are_looked_at_side_by_side() {
    let mut world = World::new(&fixture::config());
    // In each of two regions: the repository, what is under way, two documents, two sets of hosts. None is answered before all are asked.
    world.together = Some(Barrier::new(2 * 6));
    let (plan, _) = run(&Arc::new(world)).await;
    plan.expect("all is well");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_twice() {
    let world = Arc::new(World::new(&fixture::config()));
    run(&world).await.0.expect("all is well");
    let asked = world.asked.lock().expect("no test panics with it").clone();
    // In each region: the account, the repository, what is under way, two tags, two documents, two sets of hosts, and what git says both ways.
    assert_eq!(asked.len(), 1 + 2 * (1 + 1 + 1 + 2 + 2 + 2 + 2), "{asked:#?}");
    assert!(asked.contains(&"commit HEAD on main".to_owned()), "{asked:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_fails_hides_no_other() {
    let mut world = World::new(&fixture::config());
    let expired = Problem::new(
        Kind::Credentials,
        "the credentials for us-east-1 are expired",
        "aws sso login",
    );
    let east = world
        .findings
        .regions
        .get_mut(&fixture::east())
        .expect("the fixture has it");
    east.caller = Some(Err(expired));
    let ohio = world
        .findings
        .regions
        .get_mut(&fixture::ohio())
        .expect("the fixture has it");
    ohio.hosts.insert(fixture::linux(), Ok(Vec::new()));
    world.findings.engine = Some(Err(Problem::new(Kind::Build, "Docker does not answer", "start it")));
    let (plan, shown) = run(&Arc::new(world)).await;
    let kinds: Vec<Kind> = plan
        .expect_err("three things failed")
        .iter()
        .map(|problem| problem.kind)
        .collect();
    assert_eq!(kinds, [Kind::Build, Kind::Credentials, Kind::NoHosts]);
    let last = shown.last().expect("something was shown");
    let passed = last
        .iter()
        .find(|check| check.subject == Subject::Hosts(fixture::ohio(), fixture::ubuntu()));
    assert!(
        passed.is_some_and(|check| matches!(check.state, CheckState::Passed(_))),
        "{last:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_region_keeps_no_other_waiting() {
    let mut world = World::new(&fixture::config());
    world.permits = Some(Semaphore::new(0));
    let world = Arc::new(world);
    let (setup, outside) = (setup(), outside(&world));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let show = move |checks: Vec<Check>| tell.send(checks).expect("the test listens");
    let mut preflight = Box::pin(preflight(&setup, &outside, &show));
    let pending = |checks: &[Check]| checks.iter().filter(|check| check.state == CheckState::Pending).count();
    let is_hosts = |check: &&Check| matches!(check.subject, Subject::Hosts(..));
    // Everything but the hosts has its result.
    loop {
        let checks = tokio::select! {
            plan = &mut preflight => panic!("hosts are not known yet: {plan:?}"),
            checks = told.recv() => checks.expect("preflight shows more"),
        };
        if pending(&checks) == 4 {
            assert!(
                checks
                    .iter()
                    .filter(is_hosts)
                    .all(|check| check.state == CheckState::Pending)
            );
            break;
        }
    }
    world.permits.as_ref().expect("set above").add_permits(4);
    preflight.await.expect("all is well");
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out_with_growing_pauses() {
    let world = Arc::new(World::new(&fixture::config()));
    world.throttled.store(6, Ordering::Relaxed);
    let start = Instant::now();
    run(&world).await.0.expect("all is well in the end");
    assert_eq!(
        start.elapsed().as_secs(),
        1 + 2 + 4,
        "three refusals in each of two regions"
    );
}

#[tokio::test(start_paused = true)]
async fn throttling_without_end_is_told() {
    let world = Arc::new(World::new(&fixture::config()));
    world.throttled.store(u32::MAX, Ordering::Relaxed);
    let problems = run(&world).await.0.expect_err("nobody answers");
    assert_eq!(problems.len(), 2);
    assert!(problems[0].what.as_str().contains("slow down"));
}

#[tokio::test(start_paused = true)]
async fn dropping_it_stops_every_look() {
    let mut world = World::new(&fixture::config());
    world.permits = Some(Semaphore::new(0));
    let world = Arc::new(world);
    let owners = Arc::strong_count(&world);
    {
        let (setup, outside) = (setup(), outside(&world));
        let preflight = preflight(&setup, &outside, &|_| {});
        assert!(
            tokio::time::timeout(Duration::from_secs(1), is_send(preflight))
                .await
                .is_err()
        );
    }
    assert_eq!(Arc::strong_count(&world), owners);
}

/// The engine may run it on any thread.
fn is_send<T: Send>(future: T) -> T {
    future
}
