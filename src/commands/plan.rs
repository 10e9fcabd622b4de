//! `plan`: everything that a deployment would do, need and meet. It cannot start one: its ledger takes nothing.

use std::sync::Arc;

use async_trait::async_trait;

use super::connect::connect;
use super::look::{self, Face};
use super::session::{self, Show};
use super::telling::Telling;
use super::{Failure, deploy, place, settings};
use crate::cli::{self, Global, Progress, Reach};
use crate::engine::ports::{Claim, Held, Ledger};
use crate::engine::{self, Clock, Pace, Setup};
use crate::headless::Task;
use crate::names::DeploymentId;
use crate::plan::Plan;
use crate::problem::{Exit, Kind, Problem};
use crate::state::{Driver, Fact, Recorded};

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
    let again = place::again(global, &Reach::default());
    let setup = Setup {
        connect: connect(&config, &ways),
        config: Arc::clone(&config),
        revision: args.revision.clone(),
        guards: deploy::guards(&args.scope),
        driver: session::driver(),
        logs: dir.join("logs"),
        ledger: Arc::new(Telling {
            ledger: Arc::new(Looks),
            dir,
            again: again.clone(),
        }),
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
        again: again.clone(),
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
struct Looks;

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

    async fn append(&self, _: DeploymentId, _: Vec<Fact>) -> Result<Vec<Recorded>, Problem> {
        Err(refused())
    }

    async fn since(&self, _: DeploymentId, _: u64) -> Result<Vec<Recorded>, Problem> {
        Ok(Vec::new())
    }
}
