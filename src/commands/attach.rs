//! `attach`: a deployment that was left is taken up; one that another process drives is watched.

use std::sync::Arc;

use super::connect::connect;
use super::look::Face;
use super::session::{self, Session, Show};
use super::{Failure, deploy, place, settings};
use crate::cli::{Attach, Global, Retry};
use crate::engine::{self, Clock, Pace, Secrets};
use crate::headless::Task;
use crate::problem::{Exit, Kind, Problem};
use crate::state::{Selection, State};

/// Takes it up.
pub(super) fn run(global: &Global, args: &Attach) -> Result<Exit, Failure> {
    let face = Face::choose(global.progress)?;
    if face == Face::Console && args.retry.is_some() {
        let what = "--retry is for outputs without the console";
        return Err(Problem::new(Kind::Config, what, "press R in the console, or pass --progress plain").into());
    }
    let session = Session::open(global, &place::state_dir(global)?)?;
    let archive = session.journal.archive()?;
    let entry = archive.find(&args.id)?;
    let facts = archive.facts(entry.id)?;
    drop(archive);
    refuse_a_rehearsal(&State::replay(&facts))?;
    let config = Arc::new(settings::load(global)?);
    let attach = engine::Attach {
        facts,
        secrets: Secrets::of(&config),
        connect: connect(&config, &deploy::ways()?),
        ledger: session.journal.clone(),
        driver: session::driver(),
        logs: session.logs(),
        pace: Pace::default(),
        clock: Clock::default(),
    };
    let retry = args.retry.map(|which| match which {
        Retry::Failed => Selection::Failed(None),
        Retry::Unsuccessful => Selection::Unsuccessful(None),
    });
    let show = Show {
        global,
        config: &config,
        rehearsal: false,
        task: Task::Attach {
            retry,
            consent: session::consent(&args.drive),
            despite_moved_tag: args.despite_moved_tag,
        },
        wait: args.drive.wait_timeout,
    };
    session.follow(face, &show, || engine::attach(attach))
}

/// Its stand-ins are gone, and its commands mean nothing to AWS.
fn refuse_a_rehearsal(state: &State) -> Result<(), Problem> {
    match &state.plan {
        Some(plan) if plan.rehearsal => Err(Problem::new(
            Kind::Guard,
            format!(
                "deployment {} was a rehearsal, and its stand-ins are gone",
                plan.id.short()
            ),
            "rehearse anew with `quarterdeck rehearse`",
        )),
        Some(_) | None => Ok(()),
    }
}
