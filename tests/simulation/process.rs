//! One process of an operator: what ends with it when it dies, and what it is held to while it lives.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use quarterdeck::engine::ports::{Claim, Held, Ledger};
use quarterdeck::journal::{Archive, Journal};
use quarterdeck::names::{DeploymentId, Millis};
use quarterdeck::plan::Plan;
use quarterdeck::problem::{Kind, Problem};
use quarterdeck::state::{Driver, Fact, Recorded};
use tokio_util::sync::CancellationToken;

/// What holds across processes, and what of it was broken. The engine's tasks swallow panics, so what is seen within them
/// is put down here.
#[derive(Default)]
pub struct Book {
    broken: Mutex<Option<String>>,
    durable: AtomicU64,
    intended: Mutex<HashSet<String>>,
    drivers: AtomicU32,
    disk_is_full: AtomicBool,
}

impl Book {
    /// Puts down what was broken; the first word counts.
    pub fn blame(&self, what: String) {
        lock(&self.broken).get_or_insert(what);
    }

    /// Fails the simulation if anything was broken.
    pub fn check(&self) {
        if let Some(what) = lock(&self.broken).take() {
            panic!("{what}");
        }
    }

    /// The number of the last fact that is durable.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Relaxed)
    }

    /// Whether a process has ended, or will, because nothing could be written any more.
    pub fn disk_was_full(&self) -> bool {
        self.disk_is_full.load(Ordering::Relaxed)
    }

    /// A SendCommand with this Comment leaves a process.
    pub fn sends(&self, token: &str) {
        if !lock(&self.intended).contains(token) {
            self.blame(format!("{token} goes out before its intent is durable"));
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a process dies: before or after the append of a fact is durable, when SSM has a command and its answer is on
/// the way, at some moment; or where it has to give up.
#[derive(Debug, Clone, Copy)]
pub enum Crash {
    Never,
    BeforeFact(u32),
    AfterFact(u32),
    /// At the n-th SendCommand, which reaches SSM so much later.
    AtSend(u32, Duration),
    AtMoment(Duration),
    /// From this fact on the disk is full, until there is room again for the next process.
    FullDisk(u32),
}

impl Crash {
    pub fn draw(rng: &mut Rng) -> Self {
        match rng.u8(0..11) {
            0 | 1 => Self::BeforeFact(rng.u32(1..60)),
            2 | 3 => Self::AfterFact(rng.u32(1..60)),
            4 | 5 => Self::AtMoment(Duration::from_millis(rng.u64(10..240_000))),
            6 => Self::AtSend(rng.u32(1..4), Duration::ZERO),
            7 => Self::AtSend(rng.u32(1..4), Duration::from_millis(rng.u64(1..60_000))),
            8 => Self::FullDisk(rng.u32(1..60)),
            _ => Self::Never,
        }
    }
}

/// A process. Once it is dead, nothing that it began comes to anything, and its lock is free.
#[derive(Clone)]
pub struct Process {
    pub dead: CancellationToken,
    pub crash: Crash,
    pub book: Arc<Book>,
    claim: Arc<Mutex<Option<Box<dyn Claim>>>>,
    appended: Arc<AtomicU32>,
    sent: Arc<AtomicU32>,
}

impl Process {
    pub fn new(crash: Crash, book: Arc<Book>) -> Self {
        Self {
            dead: CancellationToken::new(),
            crash,
            book,
            claim: Arc::default(),
            appended: Arc::default(),
            sent: Arc::default(),
        }
    }

    pub fn die(&self) {
        self.dead.cancel();
        self.let_go();
    }

    /// Whether the crash strikes at this SendCommand, and when it reaches SSM then.
    pub fn strikes_at_send(&self) -> Option<Duration> {
        let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        match self.crash {
            Crash::AtSend(at, late) if at == number => Some(late),
            Crash::Never
            | Crash::BeforeFact(_)
            | Crash::AfterFact(_)
            | Crash::AtSend(..)
            | Crash::AtMoment(_)
            | Crash::FullDisk(_) => None,
        }
    }

    /// Goes on for the living only.
    pub async fn lives(&self) {
        if self.dead.is_cancelled() {
            std::future::pending().await
        }
    }

    fn let_go(&self) {
        if lock(&self.claim).take().is_some() {
            self.book.drivers.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A claim that ends with its process as well.
struct Kept(Process);

impl Claim for Kept {
    fn last_sign(&self) -> Option<Millis> {
        lock(&self.0.claim).as_ref().and_then(|claim| claim.last_sign())
    }

    fn sign(&mut self, now: Millis) {
        // The dead show none.
        if let Some(claim) = lock(&self.0.claim).as_mut() {
            claim.sign(now);
        }
    }

    fn leave(&mut self) {
        if let Some(claim) = lock(&self.0.claim).as_mut() {
            claim.leave();
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

/// The real journal, as a process that can die uses it.
pub struct Struck {
    pub journal: Journal,
    pub process: Process,
}

impl Struck {
    async fn die(&self) -> ! {
        self.process.die();
        std::future::pending().await
    }
}

#[async_trait]
impl Ledger for Struck {
    async fn claim(&self, plan: &Plan, driver: &Driver) -> Result<Box<dyn Claim>, Problem> {
        self.process.lives().await;
        let claim = self.journal.claim(plan, driver).await?;
        let book = &self.process.book;
        if book.drivers.fetch_add(1, Ordering::Relaxed) > 0 {
            book.blame("two processes drive the deployment".to_owned());
        }
        *lock(&self.process.claim) = Some(claim);
        Ok(Box::new(Kept(self.process.clone())))
    }

    async fn holder(&self, plan: &Plan) -> Option<Held> {
        self.process.lives().await;
        self.journal.holder(plan).await
    }

    async fn append(&self, deployment: DeploymentId, facts: Vec<Fact>) -> Result<Vec<Recorded>, Problem> {
        let (process, book) = (&self.process, &self.process.book);
        process.lives().await;
        if lock(&process.claim).is_none() {
            book.blame("a process that does not drive the deployment records facts".to_owned());
        }
        let count = u32::try_from(facts.len()).expect("few");
        let before = process.appended.fetch_add(count, Ordering::Relaxed);
        let strikes = |at: u32| (before..before + count).contains(&at);
        if let Crash::BeforeFact(at) = process.crash
            && strikes(at)
        {
            self.die().await;
        }
        if let Crash::FullDisk(at) = process.crash
            && before + count > at
        {
            book.disk_is_full.store(true, Ordering::Relaxed);
            return Err(Problem::new(Kind::Config, "no space left on device", "make room"));
        }
        // The disk takes its time, and whoever does not wait for it is found out.
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..8))).await;
        process.lives().await;
        // On a thread of its own, and waited for: virtual time must not pass while the disk is at work.
        let recorded = std::thread::scope(|scope| {
            let append = scope.spawn(|| self.journal.append_blocking(deployment, facts));
            append.join().expect("the journal does not panic")
        });
        for recorded in recorded.iter().flatten() {
            book.durable.fetch_max(recorded.seq, Ordering::Relaxed);
            if let Fact::SendIntended { token, .. } = &recorded.fact {
                lock(&book.intended).insert(token.as_str().to_owned());
            }
        }
        if let Crash::AfterFact(at) = process.crash
            && strikes(at)
        {
            self.die().await;
        }
        recorded
    }

    async fn since(&self, deployment: DeploymentId, seq: u64) -> Result<Vec<Recorded>, Problem> {
        self.process.lives().await;
        Archive::open(self.journal.dir())?.since(deployment, seq)
    }
}
