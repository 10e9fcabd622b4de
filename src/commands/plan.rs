//! `plan`: everything that a deployment would do, need and meet. It cannot start one: its ledger takes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use super::connect::connect;
use super::look::{self, Face};
use super::session::{self, Show};
use super::{Failure, attach, deploy, place, settings};
use crate::cli::{self, Global, Progress};
use crate::engine::ports::{Claim, Held, Ledger};
use crate::engine::{self, Clock, Pace, Setup};
use crate::headless::Task;
use crate::journal::{self, Archive};
use crate::names::{DeploymentId, Millis};
use crate::plan::Plan;
use crate::problem::{Exit, Kind, Problem};
use crate::state::{Driver, Fact, Recorded};
use crate::text::Clean;
use crate::words::ago;

/// Looks, and changes nothing. It prints even on a terminal, so that the plan stays there; `--progress tui` shows it on
/// the console's first screen.
pub(super) fn run(global: &Global, args: &cli::Plan) -> Result<Exit, Failure> {
    let face = match global.progress {
        Progress::Tui => Face::choose(global.progress)?,
        other => Face::Output(look::format(other)),
    };
    let config = settings::scoped(global, &args.scope)?;
    let ways = deploy::ways()?;
    let dir = place::state_dir(global)?;
    let setup = Setup {
        connect: connect(&config, &ways),
        config: Arc::clone(&config),
        revision: args.revision.clone(),
        guards: deploy::guards(&args.scope),
        driver: session::driver(),
        logs: dir.join("logs"),
        ledger: Arc::new(Looks { dir }),
        rehearsal: ways.rehearsal.is_some(),
        pace: Pace::default(),
        clock: Clock::default(),
    };
    let show = Show {
        global,
        app: &config.app,
        environment: &config.environment.name,
        rehearsal: ways.rehearsal.is_some(),
        passing: false,
        task: Task::Plan,
        wait: None,
        unfinished: None,
    };
    let runtime = session::runtime()?;
    let ended = session::follow(&runtime, face, &show, || engine::launch(setup));
    runtime.shutdown_background();
    Ok(ended?.exit())
}

/// A journal that is only looked at: nothing can start.
struct Looks {
    dir: PathBuf,
}

/// What `deploy` would meet. A console offers what was left to be taken up; here it is told.
pub(super) fn obstacles(dir: &Path, app: &Clean, environment: &Clean) -> Result<Vec<Clean>, Problem> {
    let mut notes = journal::obstacles(dir, app, environment)?;
    // A journal that cannot be read keeps nobody from starting anew.
    let left = Archive::open(dir).and_then(|archive| attach::unfinished(&archive, app, environment));
    if let Ok(Some(left)) = left {
        let id = left.id.short();
        let when = ago(Millis::now(), left.started_at);
        notes.push(Clean::line(&format!(
            "deployment {id} (started {when}) was left before it was done: `quarterdeck attach {id}` takes it up"
        )));
    }
    Ok(notes)
}

fn refused() -> Problem {
    Problem::new(
        Kind::Guard,
        "this is only a look at the plan: nothing can be started from here",
        "run `quarterdeck deploy`",
    )
}

#[async_trait]
impl Ledger for Looks {
    async fn claim(&self, _: &Plan, _: &Driver) -> Result<Box<dyn Claim>, Problem> {
        Err(refused())
    }

    async fn holder(&self, _: &Plan) -> Option<Held> {
        None
    }

    async fn obstacles(&self, app: &Clean, environment: &Clean) -> Result<Vec<Clean>, Problem> {
        let (dir, app, environment) = (self.dir.clone(), app.clone(), environment.clone());
        let looked = tokio::task::spawn_blocking(move || obstacles(&dir, &app, &environment)).await;
        looked.unwrap_or_else(|error| {
            let what = format!("looking into the journal broke off: {error}");
            Err(Problem::new(Kind::Unexpected, what, ""))
        })
    }

    async fn append(&self, _: DeploymentId, _: Vec<Fact>) -> Result<Vec<Recorded>, Problem> {
        Err(refused())
    }

    async fn since(&self, _: DeploymentId, _: u64) -> Result<Vec<Recorded>, Problem> {
        Ok(Vec::new())
    }
}
