//! `journal`: whether every fact can be read, and all of them as JSON lines.

use std::io::Write;

use super::{Failure, place};
use crate::cli::{Global, Journal};
use crate::headless::json_fact;
use crate::journal::{Archive, Entry};
use crate::problem::{Exit, Kind, Problem};
use crate::state::{Recorded, State};
use crate::words::plural;

/// Checks or exports.
pub(super) fn run(global: &Global, args: &Journal, out: &mut dyn Write) -> Result<Exit, Failure> {
    let archive = Archive::open(&place::state_dir(global)?)?;
    match args {
        Journal::Check => check(&archive, out),
        Journal::Export { id } => export(&archive, id.as_deref(), out),
    }
}

/// Reads everything and folds it. What one deployment has lost does not keep the others from being looked at.
fn check(archive: &Archive, out: &mut dyn Write) -> Result<Exit, Failure> {
    let entries = archive.list(usize::MAX)?;
    let mut facts = 0;
    let mut worst = Exit::Success;
    for entry in &entries {
        match archive.facts(entry.id).and_then(|facts| whole(entry, facts)) {
            Ok(read) => facts += read.len(),
            Err(problem) => {
                worst = problem.kind.exit();
                writeln!(out, "{}: {problem}", entry.id.short())?;
            }
        }
    }
    writeln!(
        out,
        "{} with {} read in {}",
        plural(entries.len(), "deployment"),
        plural(facts, "fact"),
        archive.dir().display()
    )?;
    Ok(worst)
}

/// Whether nothing is missing between the first fact and the last.
fn whole(entry: &Entry, facts: Vec<Recorded>) -> Result<Vec<Recorded>, Problem> {
    let lost = |what: String| {
        Problem::new(
            Kind::Config,
            what,
            "the other deployments are not touched by it; `quarterdeck journal export` saves what is there",
        )
    };
    let gap = (1..).zip(&facts).find(|(seq, fact)| *seq != fact.seq);
    if let Some((seq, _)) = gap {
        return Err(lost(format!("fact {seq} is missing")));
    }
    if facts.len() != entry.facts as usize {
        return Err(lost(format!(
            "it has {} facts and should have {}",
            facts.len(),
            entry.facts
        )));
    }
    if State::replay(&facts).plan.is_none() {
        return Err(lost("it does not begin with its plan".to_owned()));
    }
    Ok(facts)
}

/// The same lines as `--progress json` has, oldest first.
fn export(archive: &Archive, id: Option<&str>, out: &mut dyn Write) -> Result<Exit, Failure> {
    let entries = match id {
        Some(id) => vec![archive.find(id)?],
        None => archive.list(usize::MAX)?,
    };
    for entry in entries.iter().rev() {
        for fact in archive.facts(entry.id)? {
            writeln!(out, "{}", json_fact(entry.id, &fact))?;
        }
    }
    Ok(Exit::Success)
}
