//! Whole deployments on virtual time: the real engine, SDK, journal and fold against the stand-in's fleets. Nothing goes
//! wrong but hosts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use quarterdeck::aws::{Patience, Realm, connect_through};
use quarterdeck::config::{self, Config};
use quarterdeck::engine::ports::{BuildFailure, Claim, Held, Ledger, PushFailure};
use quarterdeck::engine::{Action, Connect, Guards, Outside, Pace, Setup, Update, launch};
use quarterdeck::journal::{Archive, Journal};
use quarterdeck::names::{AccountId, DeploymentId, HostId, Millis, Region};
use quarterdeck::plan::{Mutability, Plan};
use quarterdeck::problem::Problem;
use quarterdeck::rehearsal::desk::EcrApi;
use quarterdeck::rehearsal::ecr::EcrStandIn;
use quarterdeck::rehearsal::faults::Faults;
use quarterdeck::rehearsal::fleet::Pace as FleetPace;
use quarterdeck::rehearsal::fleet::story::{self, Troubles};
use quarterdeck::rehearsal::ssm::{Ssm, World};
use quarterdeck::rehearsal::{ACCOUNT, Desk};
use quarterdeck::state::{Driver, Fact, Recorded};
use quarterdeck::text::Clean;
use tempfile::TempDir;

use super::clock::Time;
use super::machine::{Machine, Work};
use super::wire::Wire;

/// What is deployed to.
pub struct Fleet {
    /// How many regions.
    pub regions: usize,
    /// How many hosts, in all of them together.
    pub hosts: usize,
    /// Each rollout's name, and the operating systems of its hosts.
    pub rollouts: &'static [(&'static str, &'static [&'static str])],
    /// How many hosts of a rollout run at once.
    pub concurrency: &'static str,
    /// What goes wrong in the region of this number with so many hosts.
    pub troubles: fn(usize, usize) -> Troubles,
}

/// A deployment that has settled.
pub struct Voyage {
    /// What its journal has.
    pub facts: Vec<Recorded>,
    /// The services that it used.
    pub desk: Arc<Desk>,
    /// Its state folder.
    pub dir: TempDir,
    time: Time,
}

impl Voyage {
    /// When the fleet was done with a host's only invocation.
    pub fn ended_at(&self, host: &HostId) -> Millis {
        self.invocations(|fleet_host, ended| (fleet_host == host.as_str()).then_some(ended))
            .into_iter()
            .max()
            .expect("the fleet was done with it")
    }

    /// When the fleet was done with its last host.
    pub fn last_end(&self) -> Millis {
        let ends = self.invocations(|_, ended| Some(ended));
        ends.into_iter().max().expect("there are hosts")
    }

    fn invocations<T>(&self, look: impl Fn(&str, Millis) -> Option<T>) -> Vec<T> {
        self.desk.with_ssm(self.time.now(), |ssm| {
            let names: Vec<String> = ssm.regions().map(str::to_owned).collect();
            let fleets = names
                .iter()
                .filter_map(|name| ssm.region(name))
                .map(|region| region.fleet());
            let found = fleets.flat_map(|fleet| {
                let invocations = fleet.commands().iter().flat_map(|command| &command.invocations);
                invocations.filter_map(|one| look(&fleet.nodes()[one.node].id, one.ended_at?))
            });
            found.collect()
        })
    }
}

/// Deploys to a fleet as a seed makes it, from the plan to the first settling.
pub fn sail(seed: u64, fleet: &Fleet) -> Voyage {
    fastrand::seed(seed);
    let dir = scratch();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime starts");
    let (desk, time) = runtime.block_on(async {
        let time = Time::begin();
        let (desk, ecr, config) = world(seed, fleet, dir.path(), time.now()).await;
        let journal = Journal::open_with(dir.path(), time.clock()).expect("the journal opens");
        let machine = Machine {
            registry: ecr,
            clock: time.clock(),
            work: Arc::new(Calm),
        };
        let mut handle = launch(Setup {
            config: config.clone(),
            revision: "HEAD".to_owned(),
            guards: Guards::default(),
            connect: connect(&config, &desk, &time, &machine),
            ledger: Arc::new(Unhurried(journal)),
            driver: driver(),
            logs: dir.path().join("logs"),
            rehearsal: true,
            pace: Pace::default(),
            clock: time.clock(),
        });
        while let Some(update) = handle.updates.recv().await {
            match update {
                Update::Ready(_) => handle.actions.send(Action::Start).expect("the engine listens"),
                Update::Blocked(problems) => panic!("it cannot start: {problems:?}"),
                Update::Fact(recorded) if matches!(recorded.fact, Fact::DeploymentSettled { .. }) => break,
                Update::Stopped(problem) => panic!("the engine stopped: {problem:?}"),
                _ => {}
            }
        }
        (desk, time)
    });
    let archive = Archive::open(dir.path()).expect("the journal can be read");
    let entry = archive.find("latest").expect("it has the deployment");
    Voyage {
        facts: archive.facts(entry.id).expect("the facts can be read"),
        desk,
        dir,
        time,
    }
}

async fn world(seed: u64, fleet: &Fleet, dir: &Path, since: Millis) -> (Arc<Desk>, Arc<EcrStandIn>, Arc<Config>) {
    let names = story::regions(fleet.regions);
    let regions: Vec<Region> = names.iter().map(Region::new).collect();
    let ecr = EcrStandIn::start(&dir.join("registry"), &AccountId::new(ACCOUNT), &regions).await;
    let ecr = Arc::new(ecr.expect("loopback has ports and the directory can be written"));
    for region in &regions {
        ecr.create_repository(region, &format!("sento-{region}-processor-ecr"), Mutability::Mutable);
    }
    let nodes = names.iter().enumerate().map(|(at, name)| {
        let share = fleet.hosts / names.len() + usize::from(at < fleet.hosts % names.len());
        (
            name.clone(),
            story::nodes(seed, name, share, (fleet.troubles)(at, share)),
        )
    });
    let ssm = Ssm::new(World {
        seed,
        pace: FleetPace::REAL,
        since,
        regions: nodes.collect(),
        images: ecr.clone(),
    });
    let api = ecr.clone();
    let api: EcrApi = Arc::new(move |region, operation, body| api.handle(region, operation, body));
    let desk = Arc::new(Desk::new(ssm, api, Faults::new(since, Vec::new())));
    (desk, ecr, Arc::new(configuration(fleet, &names)))
}

fn configuration(fleet: &Fleet, regions: &[String]) -> Config {
    let rollouts = fleet.rollouts.iter().map(|(name, systems)| {
        let concurrency = fleet.concurrency;
        format!(
            "[[rollout]]\nname = \"{name}\"\ndocument = \"{{region}}-pull-image-document\"\n\
             targets = {{ \"tag:Environment\" = [\"QA\"], \"tag:OS\" = {systems:?} }}\n\
             parameters = {{ image = \"AI\", region = \"{{region}}\" }}\n\
             delivery_timeout = 600\nmax_concurrency = \"{concurrency}\"\nmax_errors = \"100%\"\n"
        )
    });
    let text = format!(
        "app = \"sento\"\nregions = {regions:?}\n[environment]\nname = \"QA\"\n\
         [image]\nrepository = \"sento-{{region}}-processor-ecr\"\ntags = [\"{{sha}}\", \"latest\"]\n{}",
        rollouts.collect::<String>()
    );
    config::parse(Path::new("config.toml"), &text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn connect(config: &Arc<Config>, desk: &Arc<Desk>, time: &Time, machine: &Machine) -> Connect {
    let (config, desk, time, machine) = (config.clone(), desk.clone(), time.clone(), machine.clone());
    Arc::new(move || {
        let (config, desk, time, machine) = (config.clone(), desk.clone(), time.clone(), machine.clone());
        Box::pin(async move {
            let mut outside = Outside {
                git: Arc::new(machine.clone()),
                docker: Arc::new(machine),
                regions: std::collections::BTreeMap::new(),
            };
            for lane in &config.lanes {
                let mut aws = lane.aws.clone();
                let nowhere = Some("http://127.0.0.1:9".to_owned());
                (aws.endpoints.ssm, aws.endpoints.ecr, aws.endpoints.sts) = (nowhere.clone(), nowhere.clone(), nowhere);
                let http = Wire::client(desk.clone(), time.clone());
                let ports = connect_through(&aws, &lane.region, Realm::Rehearsal, Patience::default(), http).await?;
                outside.regions.insert(lane.region.clone(), ports);
            }
            Ok(outside)
        })
    })
}

/// The real journal, waited for on the spot: virtual time must not pass while the disk is at work.
struct Unhurried(Journal);

#[async_trait]
impl Ledger for Unhurried {
    async fn claim(&self, plan: &Plan, driver: &Driver) -> Result<Box<dyn Claim>, Problem> {
        self.0.claim(plan, driver).await
    }

    async fn holder(&self, plan: &Plan) -> Option<Held> {
        self.0.holder(plan).await
    }

    async fn append(&self, deployment: DeploymentId, facts: Vec<Fact>) -> Result<Vec<Recorded>, Problem> {
        std::thread::scope(|scope| {
            let append = scope.spawn(|| self.0.append_blocking(deployment, facts));
            append.join().expect("the journal does not panic")
        })
    }

    async fn since(&self, deployment: DeploymentId, seq: u64) -> Result<Vec<Recorded>, Problem> {
        self.0.since(deployment, seq).await
    }
}

/// Builds and pushes that go well.
struct Calm;

#[async_trait]
impl Work for Calm {
    async fn build(&self) -> Result<(), BuildFailure> {
        tokio::time::sleep(Duration::from_secs(20)).await;
        Ok(())
    }

    async fn push(&self, _: &Region) -> Result<(), PushFailure> {
        tokio::time::sleep(Duration::from_secs(10)).await;
        Ok(())
    }
}

fn driver() -> Driver {
    Driver {
        user: Clean::line("ada"),
        machine: Clean::line("laptop"),
        pid: 1,
        version: Clean::line("0"),
    }
}

/// In memory where the machine has such a folder: the disk's speed is no figure of ours.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a folder for the journal")
}
