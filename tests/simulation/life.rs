//! A deployment from its plan to its end, through as many processes as it takes.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use quarterdeck::aws::{Patience, Realm, connect_through};
use quarterdeck::engine::ports::{Held, Ledger};
use quarterdeck::engine::{Attach, Connect, Guards, Handle, Outside, Pace, Secrets, Setup, attach, launch};
use quarterdeck::journal::{Archive, Journal};
use quarterdeck::names::DeploymentId;
use quarterdeck::plan::Plan;
use quarterdeck::problem::Problem;
use quarterdeck::state::{Driver, Fact, Recorded, State};
use quarterdeck::text::Clean;
use tokio::sync::Notify;

use crate::clock::Time;
use crate::machine::Machine;
use crate::operator::{self, Operator};
use crate::wire::Wire;
use crate::world::World;
use crate::{checks, world};

/// The longest that a process may live in virtual time: no deployment of this size takes a day.
const LIFE: Duration = Duration::from_secs(36 * 3600);
/// Processes that one deployment may take.
const LIVES: u32 = 40;

/// What took place, to tell a simulation in which something happens from one in which nothing does.
#[derive(Debug, Default, Clone)]
pub struct Told {
    pub facts: u64,
    pub crashes: u64,
    pub retried: u64,
    pub unknown: u64,
    pub cancelled: u64,
    pub faults: u64,
    pub requests: u64,
}

impl Told {
    pub fn add(&mut self, other: &Self) {
        self.facts += other.facts;
        self.crashes += other.crashes;
        self.retried += other.retried;
        self.unknown += other.unknown;
        self.cancelled += other.cancelled;
        self.faults += other.faults;
        self.requests += other.requests;
    }
}

/// Where a process dies: before or after the append of a fact is durable, or at some moment in between.
#[derive(Debug, Clone, Copy)]
enum Crash {
    Never,
    BeforeFact(u32),
    AfterFact(u32),
    AtMoment(Duration),
}

impl Crash {
    fn draw(rng: &mut Rng) -> Self {
        match rng.u8(0..8) {
            0 | 1 => Self::BeforeFact(rng.u32(1..60)),
            2 | 3 => Self::AfterFact(rng.u32(1..60)),
            4 | 5 => Self::AtMoment(Duration::from_millis(rng.u64(10..240_000))),
            _ => Self::Never,
        }
    }
}

/// The real journal, which a crash can strike.
struct Struck {
    journal: Journal,
    crash: Crash,
    appended: AtomicU32,
    dead: Arc<Notify>,
}

impl Struck {
    async fn die(&self) -> ! {
        self.dead.notify_one();
        std::future::pending().await
    }
}

#[async_trait]
impl Ledger for Struck {
    async fn claim(&self, plan: &Plan, driver: &Driver) -> Result<Box<dyn Send + Sync>, Problem> {
        self.journal.claim(plan, driver).await
    }

    async fn holder(&self, plan: &Plan) -> Option<Held> {
        self.journal.holder(plan).await
    }

    async fn append(&self, deployment: DeploymentId, facts: Vec<Fact>) -> Result<Vec<Recorded>, Problem> {
        let count = u32::try_from(facts.len()).expect("few");
        let before = self.appended.fetch_add(count, Ordering::Relaxed);
        let strikes = |at: u32| (before..before + count).contains(&at);
        if let Crash::BeforeFact(at) = self.crash
            && strikes(at)
        {
            self.die().await;
        }
        // On a thread of its own, and waited for: virtual time must not pass while the disk is at work.
        let recorded = std::thread::scope(|scope| {
            let append = scope.spawn(|| self.journal.append_blocking(deployment, facts));
            append.join().expect("the journal does not panic")
        });
        if let Crash::AfterFact(at) = self.crash
            && strikes(at)
        {
            self.die().await;
        }
        recorded
    }

    async fn since(&self, deployment: DeploymentId, seq: u64) -> Result<Vec<Recorded>, Problem> {
        Archive::open(self.journal.dir())?.since(deployment, seq)
    }
}

/// Runs the deployment of a seed to its end, and panics where an invariant breaks.
pub fn deployment(seed: u64, aloud: bool) -> Told {
    let mut rng = Rng::with_seed(seed);
    let dir = scratch();
    let time = Time::new();
    // The registries' listeners need a runtime; nobody connects to them, so nobody runs it.
    let outside = runtime();
    let world = outside.block_on(World::new(&mut rng, &dir.path().join("registry"), time.now()));
    let mut operator = Operator::new(&mut rng, aloud);
    let mut told = Told::default();
    let trouble = Arc::new(AtomicU32::new(rng.u32(0..6)));
    for life in 0..LIVES {
        // In the last lives nothing strikes, so that an end is reached.
        let crash = if life + 10 < LIVES {
            Crash::draw(&mut rng)
        } else {
            Crash::Never
        };
        fastrand::seed(rng.u64(..));
        if aloud {
            println!("life {life}: {crash:?}");
        }
        let ended = live(&world, &time, dir.path(), crash, &mut operator, &trouble);
        time.pass(rng.i64(0..120_000));
        let facts = facts(dir.path());
        checks::journal(&facts);
        if ended {
            checks::end(&world, &time, &facts);
            told.facts += facts.len() as u64;
            told.retried += operator.retried;
            told.cancelled += operator.cancelled;
            told.unknown += operator.unknown;
            told.requests += world.desk.total();
            told.faults += world::struck(&world);
            return told;
        }
        checks::fleet(&world, &time, &operator);
        told.crashes += 1;
    }
    panic!("the deployment did not end in {LIVES} lives");
}

/// One process: from its start to its end, which is `true` where the deployment is done with.
fn live(
    world: &World,
    time: &Time,
    dir: &Path,
    crash: Crash,
    operator: &mut Operator,
    trouble: &Arc<AtomicU32>,
) -> bool {
    let runtime = runtime();
    let ended = runtime.block_on(async {
        let time = time.of_life();
        let dead = Arc::new(Notify::new());
        let journal = Journal::open_with(dir, time.clock()).expect("the journal opens");
        let ledger: Arc<dyn Ledger> = Arc::new(Struck {
            journal,
            crash,
            appended: AtomicU32::new(0),
            dead: dead.clone(),
        });
        let machine = Machine {
            ecr: world.ecr.clone(),
            time: time.clone(),
            trouble: trouble.clone(),
        };
        let facts = facts(dir);
        let handle = begin(world, &time, dir, ledger, machine, facts.clone());
        let moment = async {
            match crash {
                Crash::AtMoment(moment) => tokio::time::sleep(moment).await,
                Crash::Never | Crash::BeforeFact(_) | Crash::AfterFact(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = operator::follow(handle, operator, world, &time, &facts) => ended,
            () = dead.notified() => false,
            () = moment => false,
            () = tokio::time::sleep(LIFE) => panic!("the process still lives after {LIFE:?}"),
        }
    });
    // Everything that the process had under way goes with it.
    drop(runtime);
    ended
}

fn begin(
    world: &World,
    time: &Time,
    dir: &Path,
    ledger: Arc<dyn Ledger>,
    machine: Machine,
    facts: Vec<Recorded>,
) -> Handle {
    let connect = connect(world, time, &machine);
    let driver = Driver {
        user: Clean::line("ada"),
        machine: Clean::line("laptop"),
        pid: 1,
        version: Clean::line("0"),
    };
    let (logs, clock, pace) = (dir.join("logs"), time.clock(), Pace::default());
    if facts.is_empty() {
        return launch(Setup {
            config: world.config.clone(),
            revision: "HEAD".to_owned(),
            guards: Guards::default(),
            connect,
            ledger,
            driver,
            logs,
            rehearsal: true,
            pace,
            clock,
        });
    }
    attach(Attach {
        facts,
        secrets: Secrets::of(&world.config),
        connect,
        ledger,
        driver,
        logs,
        pace,
        clock,
    })
}

fn connect(world: &World, time: &Time, machine: &Machine) -> Connect {
    let (config, desk) = (world.config.clone(), world.desk.clone());
    let (time, machine) = (time.clone(), machine.clone());
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

/// The facts of the one deployment that the journal has, if it has begun.
fn facts(dir: &Path) -> Vec<Recorded> {
    let archive = Archive::open(dir).expect("the journal can be read");
    let entries = archive.list(2).expect("the journal can be read");
    assert!(
        entries.len() <= 1,
        "one deployment was started, and the journal has {}",
        entries.len()
    );
    let entry = entries.first();
    entry.map_or_else(Vec::new, |entry| {
        archive.facts(entry.id).expect("the facts can be read")
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime starts")
}

/// In memory where the machine has such a folder: a thousand journals are a hundred thousand synchronisations.
fn scratch() -> tempfile::TempDir {
    static FOLDER: Mutex<Option<std::path::PathBuf>> = Mutex::new(None);
    let mut folder = FOLDER.lock().expect("no panic while it is held");
    let folder = folder.get_or_insert_with(|| {
        let memory = Path::new("/dev/shm");
        if tempfile::tempdir_in(memory).is_ok() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        }
    });
    tempfile::tempdir_in(folder).expect("a folder for the journal")
}

/// The state that facts fold to.
pub fn state(facts: &[Recorded]) -> State {
    State::replay(facts)
}
