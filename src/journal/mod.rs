//! The journal: the durable, append-only list of facts, in one SQLite file.
//!
//! A fact is in it before anything else sees it: [`Journal::append`](crate::engine::ports::Ledger::append) answers after
//! the COMMIT, with the file synchronised. One thread owns the writing connection and puts whatever is queued into one
//! transaction, so many facts cost one synchronisation. Readers have connections of their own ([`Archive`]), so a
//! deployment can be looked at while another process drives it.
//!
//! The state folder, which only its owner can enter:
//!
//! ```text
//! journal.db          facts, and one row a deployment for the history
//! locks/app@env.lock  held by the process that drives a deployment of app and env, with its name inside; its date is
//!                     that process's last sign of life
//! logs/<deployment>/  whole build logs
//! quarterdeck.log     what the program did, for a bug report
//! ```

mod archive;
mod claim;
mod salvage;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

pub use archive::{Archive, Entry, Standing, is_name};
pub use claim::Holder;
pub use salvage::{Health, Salvaged};

use crate::engine::Clock;
use crate::engine::ports::{Claim, Held, Ledger};
use crate::names::DeploymentId;
use crate::plan::Plan;
use crate::problem::{Kind, Problem};
use crate::state::{Driver, Fact, Recorded};
use crate::text::Clean;

/// The database's name in the state folder.
const FILE: &str = "journal.db";

/// The writing end of the journal. Clones share one writer; when the last one goes, what is queued is written first.
#[derive(Clone)]
pub struct Journal {
    dir: PathBuf,
    writer: Arc<writer::Writer>,
}

impl Journal {
    /// Opens the journal in the state folder `dir`, making both as needed.
    ///
    /// # Errors
    /// A [`Problem`] that names the file when the folder cannot be written, or the database is damaged or was
    /// written by a newer version.
    pub fn open(dir: &Path) -> Result<Self, Problem> {
        Self::open_with(dir, Clock::default())
    }

    /// [`open`](Self::open) with a clock of one's own, which dates the facts.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(dir: &Path, clock: Clock) -> Result<Self, Problem> {
        make_dir(dir)?;
        let path = dir.join(FILE);
        let connection = schema::open_to_write(&path)?;
        Ok(Self {
            dir: dir.to_owned(),
            writer: Arc::new(writer::Writer::start(connection, path, clock)?),
        })
    }

    /// The state folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A reader of the same journal.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn archive(&self) -> Result<Archive, Problem> {
        Archive::open(&self.dir)
    }

    /// [`Ledger::append`] for callers outside of the runtime; blocks until the facts are durable.
    ///
    /// # Errors
    /// As [`Ledger::append`].
    pub fn append_blocking(&self, deployment: DeploymentId, facts: Vec<Fact>) -> Result<Vec<Recorded>, Problem> {
        self.writer
            .append(deployment, facts)?
            .blocking_recv()
            .unwrap_or_else(|_| Err(self.writer.gone()))
    }
}

#[async_trait]
impl Ledger for Journal {
    async fn claim(&self, plan: &Plan, driver: &Driver) -> Result<Box<dyn Claim>, Problem> {
        let holder = Holder::of(plan, driver);
        let dir = self.dir.clone();
        let taken = tokio::task::spawn_blocking(move || claim::Claim::take(&dir, &holder)).await;
        match taken {
            Ok(claim) => Ok(Box::new(claim?)),
            Err(error) => Err(Problem::new(
                Kind::Unexpected,
                format!("taking the deploy lock broke off: {error}"),
                "",
            )),
        }
    }

    async fn holder(&self, plan: &Plan) -> Option<Held> {
        claim::holder(&self.dir, &plan.app, &plan.environment.name).map(|holder| Held {
            deployment: holder.deployment,
            problem: holder.problem(&self.dir),
        })
    }

    async fn obstacles(&self, app: &Clean, environment: &Clean) -> Result<Vec<Clean>, Problem> {
        let (dir, app, environment) = (self.dir.clone(), app.clone(), environment.clone());
        let looked = tokio::task::spawn_blocking(move || obstacles(&dir, &app, &environment)).await;
        looked.unwrap_or_else(|error| Err(broke_off(&error)))
    }

    async fn append(&self, deployment: DeploymentId, facts: Vec<Fact>) -> Result<Vec<Recorded>, Problem> {
        match self.writer.append(deployment, facts)?.await {
            Ok(answer) => answer,
            Err(_) => Err(self.writer.gone()),
        }
    }

    async fn since(&self, deployment: DeploymentId, seq: u64) -> Result<Vec<Recorded>, Problem> {
        let dir = self.dir.clone();
        let read = tokio::task::spawn_blocking(move || Archive::open(&dir)?.since(deployment, seq)).await;
        read.unwrap_or_else(|error| Err(broke_off(&error)))
    }
}

/// What a new deployment meets in the state folder `dir`, as [`Ledger::obstacles`] tells it. Nothing is written.
///
/// # Errors
/// As [`Ledger::obstacles`].
pub fn obstacles(dir: &Path, app: &Clean, environment: &Clean) -> Result<Vec<Clean>, Problem> {
    if let Some(holder) = claim::holder(dir, app, environment) {
        return Err(holder.problem(dir));
    }
    let damage = Archive::open(dir)?.damage();
    Ok(damage
        .iter()
        .map(|problem| Clean::line(&format!("{}: {}", problem.what, problem.remedy)))
        .collect())
}

fn broke_off(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(Kind::Unexpected, format!("reading the journal broke off: {error}"), "")
}

/// Makes a folder that only its owner can enter. One that exists is left as it is: `--state-dir` may name anything.
///
/// # Errors
/// A [`Problem`] that names the folder.
pub fn make_dir(dir: &Path) -> Result<(), Problem> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| cannot_write(dir, &error))
}

/// What to do about a journal of which something is lost.
pub const RESCUE: &str = "`quarterdeck journal check` says what is wrong, and `quarterdeck journal export` saves what can \
     be read. With the file moved aside, or with another --state-dir, `quarterdeck attach ID` or `quarterdeck attach \
     --command-id ID --region REGION` finds in SSM what was sent";

/// The state folder cannot be written.
fn cannot_write(path: &Path, error: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        Kind::Config,
        format!("cannot write to the state folder: {}: {error}", path.display()),
        "make it writable, or name another folder with --state-dir or QUARTERDECK_STATE_DIR",
    )
}
