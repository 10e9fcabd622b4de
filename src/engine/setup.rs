//! What an engine is given to work with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::ports::{Docker, Git, Ledger, RegionPorts};
use crate::config::Config;
use crate::names::{Millis, Region};
pub use crate::plan::draft::Guards;
use crate::problem::Problem;
use crate::state::Driver;

/// How many milliseconds this machine's clock and AWS's may be apart: SigV4 refuses a request that is more than five
/// minutes off.
pub(super) const CLOCK_SKEW: i64 = 6 * 60 * 1000;

/// Everything outside that a deployment needs, connected.
#[derive(Clone)]
pub struct Outside {
    /// The repository.
    pub git: Arc<dyn Git>,
    /// The Docker Engine.
    pub docker: Arc<dyn Docker>,
    /// One region's clients each.
    pub regions: BTreeMap<Region, RegionPorts>,
}

/// Makes the connections. The engine calls it, so that a face shows its first frame before profiles and certificates are
/// read; and again on [`Action::Recheck`](super::Action::Recheck), so that a mended profile counts.
pub type Connect = Arc<dyn Fn() -> BoxFuture<'static, Result<Outside, Problem>> + Send + Sync>;

/// What an engine needs to plan and run a new deployment.
#[derive(Clone)]
pub struct Setup {
    /// The checked config.toml.
    pub config: Arc<Config>,
    /// The revision to deploy, as git understands it.
    pub revision: String,
    /// What the operator allowed on the command line.
    pub guards: Guards,
    /// Makes the connections.
    pub connect: Connect,
    /// The journal.
    pub ledger: Arc<dyn Ledger>,
    /// This process.
    pub driver: Driver,
    /// The folder under which build logs go, one folder a deployment.
    pub logs: PathBuf,
    /// Whether everything is the rehearsal's.
    pub rehearsal: bool,
    /// How often and how long the engine looks.
    pub pace: Pace,
    /// What tells the time.
    pub clock: Clock,
}

/// How often and how long the engine looks. AWS publishes no request rates for Run Command; one-second loops were seen
/// to be throttled, two and five seconds were not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two looks at a command that was just sent.
    pub early: Duration,
    /// How long a command counts as just sent.
    pub early_for: Duration,
    /// Between two looks after that.
    pub steady: Duration,
    /// Between two looks at most, however often AWS asks to slow down.
    pub slowest: Duration,
    /// The first pause after a call that was throttled or not answered; each later one is twice as long, up to `slowest`.
    pub pause: Duration,
    /// Between two looks at whether fresh credentials have come.
    pub credentials: Duration,
    /// Between two looks for a command whose answer was lost.
    pub search: Duration,
    /// How long a command may take to show in ListCommands after a lost answer, before the operator is asked.
    pub visibility: Duration,
    /// How long after its ExpiresAfter SSM may take to say how an invocation ended.
    pub grace: Duration,
    /// The first pause before an interrupted push is tried again; each later one is four times as long.
    pub push_pause: Duration,
    /// Between two signs of life of whoever drives: facts may be an hour apart while an image is built.
    pub signs: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            early: Duration::from_secs(2),
            early_for: Duration::from_secs(10),
            steady: Duration::from_secs(5),
            slowest: Duration::from_secs(30),
            pause: Duration::from_secs(2),
            credentials: Duration::from_secs(5),
            search: Duration::from_secs(3),
            visibility: Duration::from_secs(90),
            grace: Duration::from_secs(120),
            push_pause: Duration::from_secs(2),
            signs: Duration::from_secs(60),
        }
    }
}

/// What tells the time: the wall clock, or a simulation's.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Millis + Send + Sync>);

impl Clock {
    /// A clock of one's own.
    pub fn new(now: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The present moment.
    pub fn now(&self) -> Millis {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(Millis::now)
    }
}
