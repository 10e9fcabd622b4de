//! What an engine is given to work with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::ports::{Docker, Git, Ledger, RegionPorts};
use crate::config::Config;
use crate::names::Region;
use crate::problem::Problem;
use crate::state::Driver;

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
}

/// Guards that the operator opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guards {
    /// Deploy though the working directory differs from the commit (the image holds the commit all the same).
    pub allow_dirty: bool,
    /// Deploy a commit that is not on the configured branch, or that no remote has.
    pub allow_unpushed: bool,
}
