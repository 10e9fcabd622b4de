//! `deploy`: plan, build, push, roll out.

use std::sync::Arc;

use super::connect::{Ways, connect};
use super::look::Face;
use super::session::{self, Next, Session, Show};
use super::telling::Telling;
use super::{Failure, attach, place, served, settings};
use crate::cli::{Deploy, Global, Reach, Scope};
use crate::config::Config;
use crate::console::Unfinished;
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
    session.through(|session| deploy(session, global, args, face, &config, &ways))
}

fn deploy(
    session: &Session,
    global: &Global,
    args: &Deploy,
    face: Face,
    config: &Arc<Config>,
    ways: &Ways,
) -> Result<Exit, Failure> {
    let again = place::again(global, &Reach::default());
    let setup = Setup {
        connect: connect(config, ways),
        config: Arc::clone(config),
        revision: args.revision.clone(),
        guards: guards(&args.run.scope),
        ledger: match face {
            Face::Console => session.journal.clone(),
            Face::Output(_) => Arc::new(Telling {
                ledger: session.journal.clone(),
                dir: session.journal.dir().to_owned(),
                again: again.clone(),
            }),
        },
        driver: session::driver(),
        logs: session.logs(),
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
        again,
        task: Task::Deploy(session::consent(&args.run.drive)),
        wait: args.run.drive.wait_timeout,
        unfinished: unfinished(session, config),
    };
    match session.follow(face, &show, || engine::launch(setup))? {
        Next::Exit(exit) => Ok(exit),
        Next::Attach(id) => attach::take_up(session, global, face, id, &args.run.drive),
    }
}

/// What the console offers to take up instead. A journal that cannot be read keeps nobody from starting anew.
fn unfinished(session: &Session, config: &Config) -> Option<Unfinished> {
    let archive = session.journal.archive();
    let found = archive.and_then(|archive| attach::unfinished(&archive, &config.app, &config.environment.name));
    found.unwrap_or_else(|problem| {
        tracing::warn!(%problem, "the latest deployment is not offered");
        None
    })
}

/// The ways that lead out of this shell.
pub(super) fn ways() -> Result<Ways, Failure> {
    Ok(Ways {
        folder: place::here()?,
        docker: Address::Environment,
        rehearsal: served::api()?,
    })
}

/// The guards that the command line opens.
pub(super) fn guards(scope: &Scope) -> Guards {
    Guards {
        allow_dirty: scope.allow_dirty,
        allow_unpushed: scope.allow_unpushed,
    }
}
