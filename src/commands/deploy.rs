//! `deploy`: plan, build, push, roll out.

use std::sync::Arc;

use super::connect::{Ways, connect};
use super::look::Face;
use super::session::{self, Session, Show};
use super::{Failure, place, settings};
use crate::aws::Realm;
use crate::cli::{Deploy, Global, Scope};
use crate::docker::Address;
use crate::engine::{self, Clock, Guards, Pace, Setup};
use crate::headless::Task;
use crate::problem::Exit;

/// Deploys a revision of the repository around the working directory.
pub(super) fn run(global: &Global, args: &Deploy) -> Result<Exit, Failure> {
    let face = Face::choose(global.progress)?;
    let config = settings::scoped(global, &args.run.scope)?;
    let ways = ways()?;
    let session = Session::open(global, &place::state_dir(global)?)?;
    let setup = Setup {
        connect: connect(&config, &ways),
        config: Arc::clone(&config),
        revision: args.revision.clone(),
        guards: guards(&args.run.scope),
        ledger: session.journal.clone(),
        driver: session::driver(),
        logs: session.logs(),
        rehearsal: false,
        pace: Pace::default(),
        clock: Clock::default(),
    };
    let show = Show {
        global,
        config: &config,
        rehearsal: false,
        task: Task::Deploy(session::consent(&args.run.drive)),
        wait: args.run.drive.wait_timeout,
    };
    session.follow(face, &show, || engine::launch(setup))
}

/// The ways of everything that is real.
pub(super) fn ways() -> Result<Ways, Failure> {
    Ok(Ways {
        folder: place::here()?,
        docker: Address::Environment,
        realm: Realm::Aws,
    })
}

/// The guards that the command line opens.
pub(super) fn guards(scope: &Scope) -> Guards {
    Guards {
        allow_dirty: scope.allow_dirty,
        allow_unpushed: scope.allow_unpushed,
    }
}
