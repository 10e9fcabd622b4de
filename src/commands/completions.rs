//! `completions`: a shell's completion script.

use std::io::Write;

use clap::CommandFactory;

use super::Failure;
use crate::cli::{Cli, Completions};
use crate::problem::Exit;

/// Prints it.
pub(super) fn run(args: Completions, out: &mut dyn Write) -> Result<Exit, Failure> {
    // The generator panics when a write fails, so it gets something that takes everything.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "quarterdeck", &mut script);
    out.write_all(&script)?;
    Ok(Exit::Success)
}
