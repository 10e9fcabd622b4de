//! `attach`: a deployment that was left is taken up; one that another process drives is watched; and one that this
//! machine's journal does not have is rebuilt from what SSM remembers of it.

use super::access::Access;
use super::find::{self, Found};
use super::look::Face;
use super::session::{self, Session, Show};
use super::{Failure, place};
use crate::cli::{Attach, Drive, Global, Reach, Retry};
use crate::console::Unfinished;
use crate::engine::{self, Clock, Pace};
use crate::headless::Task;
use crate::journal::{Archive, Entry, Standing};
use crate::names::DeploymentId;
use crate::problem::{Exit, Kind, Problem};
use crate::state::{Selection, State};
use crate::text::Clean;

/// Takes it up.
pub(super) fn run(global: &Global, args: &Attach) -> Result<Exit, Failure> {
    let face = Face::choose(global.progress)?;
    if face == Face::Console && args.retry.is_some() {
        let what = "--retry is for outputs without the console";
        return Err(Problem::new(Kind::Config, what, "press R in the console, or pass --progress plain").into());
    }
    let session = Session::open(global, &place::state_dir(global)?)?;
    let access = Access::of(global, &args.reach)?;
    let mut options = args.drive.clone();
    let found = session.ask(&mut options.wait_timeout, find::find(&session, &access, args))?;
    let retries = Retries {
        which: args.retry.map(|which| match which {
            Retry::Failed => Selection::Failed(None),
            Retry::Unsuccessful => Selection::Unsuccessful(None),
        }),
        despite_moved_tag: args.despite_moved_tag,
    };
    session.through(|session| drive(session, global, face, &access, found, &options, retries))
}

/// What is retried once nothing is under way, where no operator presses a key for it.
#[derive(Debug, Default)]
struct Retries {
    which: Option<Selection>,
    despite_moved_tag: bool,
}

/// Takes up a deployment of the session's journal, with the whole of the configuration.
pub(super) fn take_up(
    session: &Session,
    global: &Global,
    face: Face,
    id: DeploymentId,
    options: &Drive,
) -> Result<Exit, Failure> {
    let access = Access::of(global, &Reach::default())?;
    let mut options = options.clone();
    let found = session.ask(&mut options.wait_timeout, find::known(session, &access, id))?;
    drive(session, global, face, &access, found, &options, Retries::default())
}

fn drive(
    session: &Session,
    global: &Global,
    face: Face,
    access: &Access,
    found: Found,
    options: &Drive,
    retries: Retries,
) -> Result<Exit, Failure> {
    let plan = found.plan;
    let mut notices = found.notices;
    // Without a configuration nothing says where else it went. Lines have that in the plan's notes and in the summary.
    if face == Face::Console && access.config.is_none() {
        notices.extend(plan.elsewhere());
    }
    let attach = engine::Attach {
        plan: plan.clone(),
        facts: found.facts,
        secrets: found.secrets,
        notices,
        connect: access.connect(&plan),
        ledger: session.journal.clone(),
        driver: session::driver(),
        logs: session.logs(),
        pace: Pace::default(),
        clock: Clock::default(),
    };
    let show = Show {
        global,
        app: &plan.app,
        environment: &plan.environment.name,
        rehearsal: plan.rehearsal,
        passing: false,
        again: access.again.clone(),
        task: Task::Attach {
            retry: retries.which,
            consent: session::consent(options),
            despite_moved_tag: retries.despite_moved_tag,
        },
        wait: options.wait_timeout,
        unfinished: None,
    };
    Ok(session.follow(face, &show, || engine::attach(attach))?.exit())
}

/// The latest deployment of an application and environment, where it is not settled.
///
/// # Errors
/// The journal, or a fact of that deployment, cannot be read.
pub(super) fn unfinished(archive: &Archive, app: &Clean, environment: &Clean) -> Result<Option<Unfinished>, Problem> {
    let ours = |entry: &Entry| entry.app == *app && entry.environment == *environment;
    let Some(entry) = archive.list(find::RECENT)?.into_iter().find(ours) else {
        return Ok(None);
    };
    let driven = match entry.standing {
        Standing::Settled(_) => return Ok(None),
        Standing::Running => true,
        Standing::Left | Standing::Interrupted => false,
    };
    Ok(Some(Unfinished {
        id: entry.id,
        started_at: entry.started_at,
        counts: State::replay(&archive.facts(entry.id)?).counts(),
        driven,
    }))
}
