//! `show`: a deployment of the history, on the console's screens or as the lines it had.

use std::io::Write;

use color_eyre::eyre::WrapErr;

use super::look::{self, Face};
use super::{Failure, place, printed, served};
use crate::again::Again;
use crate::cli::{Global, Reach, Show};
use crate::console;
use crate::headless::{self, Format, Summary};
use crate::journal::{Archive, Entry};
use crate::problem::Exit;
use crate::state::{Recorded, State};

/// Shows it. Its own outcome does not matter to the exit code: looking went well.
pub(super) fn run(global: &Global, args: &Show) -> Result<Exit, Failure> {
    let archive = Archive::open(&place::state_dir(global)?)?;
    let entry = archive.find(&args.id)?;
    let facts = archive.facts(entry.id)?;
    match Face::choose(global.progress)? {
        Face::Console => review(global, &entry, &facts),
        Face::Output(format) => {
            let again = place::again(global, &Reach::default());
            printed(|out| print(format, &facts, &again, out))
        }
    }
}

fn review(global: &Global, entry: &Entry, facts: &[Recorded]) -> Result<Exit, Failure> {
    let state = State::replay(facts);
    let rehearsal = state.plan.as_ref().is_some_and(|plan| plan.rehearsal);
    let options = look::console(global, &entry.app, &entry.environment, rehearsal);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .wrap_err("failed to start the runtime")?;
    runtime.block_on(console::review(state, options))?;
    Ok(Exit::Success)
}

pub(super) fn print(format: Format, facts: &[Recorded], again: &Again, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (lines, state) = headless::replay(format, facts);
    for line in lines {
        writeln!(out, "{line}")?;
    }
    let exit = state.settled.map_or(Exit::Left, |(outcome, _)| outcome.exit());
    let rehearsal = state.plan.as_ref().is_some_and(|plan| plan.rehearsal);
    let summary = Summary {
        state: &state,
        exit,
        problems: &[],
        rehearsal,
        plan_only: false,
        watched: false,
        passing: !served::is_led() && rehearsal,
        again,
    };
    for line in format.summary(&summary) {
        writeln!(out, "{line}")?;
    }
    Ok(Exit::Success)
}
