//! A ledger that tells a plan what was left here, where no console offers it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use super::attach;
use crate::again::Again;
use crate::engine::ports::{Claim, Held, Ledger};
use crate::journal::{self, Archive};
use crate::names::{DeploymentId, Millis};
use crate::plan::Plan;
use crate::problem::{Kind, Problem};
use crate::state::{Driver, Fact, Recorded};
use crate::text::Clean;
use crate::words::ago;

/// Another ledger, and what the state folder says besides.
pub(super) struct Telling {
    /// Everything else is its.
    pub ledger: Arc<dyn Ledger>,
    /// The state folder.
    pub dir: PathBuf,
    /// How what was left is taken up.
    pub again: Again,
}

/// What `deploy` would meet.
pub(super) fn obstacles(dir: &Path, app: &Clean, environment: &Clean, again: &Again) -> Result<Vec<Clean>, Problem> {
    let mut notes = journal::obstacles(dir, app, environment)?;
    // A journal that cannot be read keeps nobody from starting anew.
    let left = Archive::open(dir).and_then(|archive| attach::unfinished(&archive, app, environment));
    if let Ok(Some(left)) = left {
        notes.push(Clean::line(&format!(
            "deployment {} (started {}) was left before it was done: `{}` takes it up",
            left.id.short(),
            ago(Millis::now(), left.started_at),
            again.attach(left.id)
        )));
    }
    Ok(notes)
}

#[async_trait]
impl Ledger for Telling {
    async fn claim(&self, plan: &Plan, driver: &Driver) -> Result<Box<dyn Claim>, Problem> {
        self.ledger.claim(plan, driver).await
    }

    async fn holder(&self, plan: &Plan) -> Option<Held> {
        self.ledger.holder(plan).await
    }

    async fn obstacles(&self, app: &Clean, environment: &Clean) -> Result<Vec<Clean>, Problem> {
        let (dir, again) = (self.dir.clone(), self.again.clone());
        let (app, environment) = (app.clone(), environment.clone());
        let looked = tokio::task::spawn_blocking(move || obstacles(&dir, &app, &environment, &again)).await;
        looked.unwrap_or_else(|error| {
            let what = format!("looking into the journal broke off: {error}");
            Err(Problem::new(Kind::Unexpected, what, ""))
        })
    }

    async fn append(&self, deployment: DeploymentId, facts: Vec<Fact>) -> Result<Vec<Recorded>, Problem> {
        self.ledger.append(deployment, facts).await
    }

    async fn since(&self, deployment: DeploymentId, seq: u64) -> Result<Vec<Recorded>, Problem> {
        self.ledger.since(deployment, seq).await
    }
}
