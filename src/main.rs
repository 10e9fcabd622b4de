//! Parse, install hooks, dispatch; nothing else.

use std::process::ExitCode;

use quarterdeck::cli::Cli;
use quarterdeck::commands;

fn main() -> ExitCode {
    let (global, command) = Cli::read().into_parts();
    // A second installation cannot happen, and without the hook a panic is only plainer.
    let _ = color_eyre::install();
    match commands::run(&global, command) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.tell().into(),
    }
}
