//! A deployment from its plan to its end, through as many processes as it takes.

use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use quarterdeck::aws::{Patience, Realm, connect_through};
use quarterdeck::engine::{Attach, Connect, Guards, Handle, Outside, Pace, Secrets, Setup, attach, launch};
use quarterdeck::journal::{Archive, Journal};
use quarterdeck::state::{Driver, Recorded, State};
use quarterdeck::text::Clean;

use crate::clock::Time;
use crate::machine::Machine;
use crate::operator::{self, Operator};
use crate::process::{Crash, Process, Struck};
use crate::trouble::Trouble;
use crate::wire::Wire;
use crate::world::{Size, World};
use crate::{checks, world};

/// The longest that a process may live in virtual time: no deployment of this size takes a day.
const LIFE: Duration = Duration::from_secs(36 * 3600);
/// Processes that one deployment may take.
const LIVES: u32 = 40;
/// The furthest that a machine's clock may be off: SigV4 refuses a request from beyond it.
const SKEW: i64 = 290_000;

/// What took place, to tell a simulation in which something happens from one in which nothing does.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Told {
    pub facts: u64,
    pub crashes: u64,
    pub takeovers: u64,
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
        self.takeovers += other.takeovers;
        self.retried += other.retried;
        self.unknown += other.unknown;
        self.cancelled += other.cancelled;
        self.faults += other.faults;
        self.requests += other.requests;
    }
}

/// Runs the deployment of a seed to its end, and panics where an invariant breaks.
pub fn deployment(seed: u64, size: Size, aloud: bool) -> (Told, Vec<Recorded>) {
    let mut rng = Rng::with_seed(seed);
    let dir = scratch();
    let time = Time::new();
    // The registries' listeners need a runtime; nobody connects to them, so nobody runs it.
    let outside = runtime();
    let world = outside.block_on(World::new(size, &mut rng, &dir.path().join("registry"), time.now()));
    let mut scene = Scene {
        operator: Operator::new(&mut rng, aloud),
        trouble: Arc::new(Trouble::new(rng.u32(0..6))),
        world,
        time,
        told: Told::default(),
    };
    for life in 0..LIVES {
        // In the last lives nothing strikes, so that an end is reached.
        let calm = life + 10 >= LIVES;
        let mut draw = || if calm { Crash::Never } else { Crash::draw(&mut rng) };
        let crashes = [draw(), draw()];
        let company = (rng.u8(0..3) == 0).then(|| Duration::from_millis(rng.u64(100..90_000)));
        fastrand::seed(rng.u64(..));
        if aloud {
            println!("life {life}: {crashes:?}, company after {company:?}");
        }
        let ended = scene.live(dir.path(), crashes, company);
        scene.world.book.check();
        scene.time.pass(rng.i64(0..120_000));
        let facts = facts(dir.path());
        checks::journal(&facts);
        checks::fleet(&scene.world, &scene.time, &scene.operator);
        if ended {
            checks::end(&scene.world, &scene.time, &scene.operator, &facts);
            let (mut told, operator) = (scene.told, &scene.operator);
            told.facts = facts.len() as u64;
            told.retried = operator.retried;
            told.cancelled = operator.cancelled;
            told.unknown = operator.unknown;
            told.requests = scene.world.desk.total();
            told.faults = world::struck(&scene.world);
            return (told, facts);
        }
        scene.told.crashes += 1;
    }
    panic!("the deployment did not end in {LIVES} lives");
}

/// What outlives processes.
struct Scene {
    world: World,
    time: Time,
    operator: Operator,
    trouble: Arc<Trouble>,
    told: Told,
}

impl Scene {
    /// One process after another on machines that share their time: the second comes after `company`, watches, and takes
    /// over when the first is gone. `true` where the deployment is done with.
    fn live(&mut self, dir: &Path, crashes: [Crash; 2], company: Option<Duration>) -> bool {
        let runtime = runtime();
        let ended = runtime.block_on(async {
            self.time = self.time.of_life();
            let [first, second] = crashes.map(|crash| Process::new(crash, self.world.book.clone()));
            let handle = self.begin(dir, &first);
            let mut watching = None;
            let done = {
                let arrives = async {
                    match company {
                        Some(company) => tokio::time::sleep(company).await,
                        None => std::future::pending().await,
                    }
                };
                let (begin, world, time) = (Begin::of(self), &self.world, &self.time);
                let mut followed = pin!(operator::follow(handle, &mut self.operator, world, time));
                let (mut arrives, mut dies) = (pin!(arrives), pin!(dies(&first)));
                loop {
                    tokio::select! {
                        biased;
                        () = &mut dies => break false,
                        done = &mut followed => break done,
                        () = &mut arrives, if watching.is_none() => {
                            // Without a deployment there is nothing to watch.
                            let facts = facts(dir);
                            watching = Some((!facts.is_empty()).then(|| begin.attach(dir, &second, facts)));
                        }
                    }
                }
            };
            match watching.flatten() {
                Some(handle) if !done => {
                    self.told.takeovers += 1;
                    tokio::select! {
                        biased;
                        () = dies(&second) => false,
                        done = operator::follow(handle, &mut self.operator, &self.world, &self.time) => done,
                    }
                }
                Some(_) | None => done,
            }
        });
        // Everything that the processes had under way goes with them.
        drop(runtime);
        ended
    }

    fn begin(&self, dir: &Path, process: &Process) -> Handle {
        let facts = facts(dir);
        let begin = Begin::of(self);
        if facts.is_empty() {
            begin.launch(dir, process)
        } else {
            begin.attach(dir, process, facts)
        }
    }
}

/// Ends with the process's death, and fails if it never comes.
async fn dies(process: &Process) {
    match process.crash {
        Crash::AtMoment(moment) => {
            tokio::select! {
                () = tokio::time::sleep(moment) => process.die(),
                () = process.dead.cancelled() => {}
            }
        }
        Crash::Never | Crash::BeforeFact(_) | Crash::AfterFact(_) | Crash::AtSend(..) | Crash::FullDisk(_) => {
            tokio::select! {
                () = process.dead.cancelled() => {}
                () = tokio::time::sleep(LIFE) => panic!("the process still lives after {LIFE:?}"),
            }
        }
    }
}

/// What a process begins with.
struct Begin {
    config: Arc<quarterdeck::config::Config>,
    street: Arc<crate::wire::Street>,
    machine: Machine,
    time: Time,
}

impl Begin {
    fn of(scene: &Scene) -> Self {
        Self {
            config: scene.world.config.clone(),
            street: scene.world.street.clone(),
            machine: Machine {
                registry: scene.world.ecr.clone(),
                clock: scene.time.clock(0),
                work: scene.trouble.clone(),
            },
            time: scene.time.clone(),
        }
    }

    fn launch(&self, dir: &Path, process: &Process) -> Handle {
        let clock = self.clock();
        launch(Setup {
            config: self.config.clone(),
            revision: "HEAD".to_owned(),
            guards: Guards::default(),
            connect: self.connect(process),
            ledger: ledger(dir, process, clock.clone()),
            driver: driver(),
            logs: dir.join("logs"),
            rehearsal: true,
            pace: Pace::default(),
            clock,
        })
    }

    fn attach(&self, dir: &Path, process: &Process, facts: Vec<Recorded>) -> Handle {
        let clock = self.clock();
        attach(Attach {
            plan: State::replay(&facts).plan.expect("the plan comes first"),
            facts,
            secrets: Secrets::of(&self.config),
            notices: Vec::new(),
            connect: self.connect(process),
            ledger: ledger(dir, process, clock.clone()),
            driver: driver(),
            logs: dir.join("logs"),
            pace: Pace::default(),
            clock,
        })
    }

    /// Every process is on a machine of its own, whose clock may be off.
    fn clock(&self) -> quarterdeck::engine::Clock {
        let ahead = if fastrand::bool() {
            0
        } else {
            fastrand::i64(-SKEW..=SKEW)
        };
        self.time.clock(ahead)
    }

    fn connect(&self, process: &Process) -> Connect {
        let (config, street) = (self.config.clone(), self.street.clone());
        let (time, machine, process) = (self.time.clone(), self.machine.clone(), process.clone());
        Arc::new(move || {
            let (config, street, process) = (config.clone(), street.clone(), process.clone());
            let (time, machine) = (time.clone(), machine.clone());
            Box::pin(async move {
                let mut outside = Outside {
                    git: Arc::new(machine.clone()),
                    docker: Arc::new(machine),
                    regions: std::collections::BTreeMap::new(),
                };
                for lane in &config.lanes {
                    let mut aws = lane.aws.clone();
                    let nowhere = Some("http://127.0.0.1:9".to_owned());
                    (aws.endpoints.ssm, aws.endpoints.ecr, aws.endpoints.sts) =
                        (nowhere.clone(), nowhere.clone(), nowhere);
                    let http = Wire::client(street.clone(), time.clone(), process.clone());
                    let ports =
                        connect_through(&aws, &lane.region, Realm::Rehearsal, Patience::default(), http).await?;
                    outside.regions.insert(lane.region.clone(), ports);
                }
                Ok(outside)
            })
        })
    }
}

fn ledger(dir: &Path, process: &Process, clock: quarterdeck::engine::Clock) -> Arc<Struck> {
    Arc::new(Struck {
        journal: Journal::open_with(dir, clock).expect("the journal opens"),
        process: process.clone(),
    })
}

fn driver() -> Driver {
    Driver {
        user: Clean::line("ada"),
        machine: Clean::line("laptop"),
        pid: 1,
        version: Clean::line("0"),
    }
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
