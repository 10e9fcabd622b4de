//! `journal`: whether every fact can be read, and all of them as JSON lines.

use std::io::Write;

use super::{Failure, place};
use crate::cli::{Global, Journal};
use crate::headless::{json_fact, problem_lines};
use crate::journal::Archive;
use crate::problem::{Exit, Problem};
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
    let health = archive.health();
    for trouble in &health.troubles {
        writeln!(out, "{trouble}")?;
    }
    writeln!(
        out,
        "{} with {} read in {}",
        plural(health.deployments, "deployment"),
        plural(health.facts, "fact"),
        place::shown(archive.dir())
    )?;
    Ok(exit(&health.troubles))
}

/// The same lines as `--progress json` has, oldest first. What can be read is printed, and what cannot is told on standard
/// error.
fn export(archive: &Archive, id: Option<&str>, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut troubles = Vec::new();
    let ids = match id {
        Some(id) => [archive.find(id)?.id].into(),
        None => archive.known(&mut troubles),
    };
    // One after the other: a history may be larger than this machine's memory.
    for id in ids {
        let salvaged = archive.salvage(id);
        for fact in &salvaged.facts {
            writeln!(out, "{}", json_fact(salvaged.id, fact))?;
        }
        troubles.extend(salvaged.troubles);
    }
    troubles.dedup();
    out.flush()?;
    for trouble in &troubles {
        // Nowhere is left to report a failure of standard error to.
        let _ = writeln!(std::io::stderr(), "{}", problem_lines(trouble).join("\n"));
    }
    Ok(exit(&troubles))
}

fn exit(troubles: &[Problem]) -> Exit {
    if troubles.is_empty() {
        Exit::Success
    } else {
        Exit::Unexpected
    }
}
