//! The commands, a file each: what is typed, put together out of the rooms.
//!
//! A command returns the process's exit code or a [`Failure`]; `main` does nothing but pass them on.

mod access;
mod attach;
mod completions;
mod config;
mod connect;
mod deploy;
mod failure;
mod find;
mod history;
mod info;
mod journal;
mod log;
mod look;
mod man;
mod place;
mod plan;
mod rehearse;
mod served;
mod session;
mod settings;
mod show;
mod signals;
mod telling;
#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, Write};

pub use failure::Failure;

use crate::cli::{Command, Global};
use crate::problem::Exit;

/// Runs a command.
///
/// # Errors
/// Whatever ended it, to be told once the terminal is the shell's again.
pub fn run(global: &Global, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Deploy(args) => deploy::run(global, &args),
        Command::Plan(args) => plan::run(global, &args),
        Command::Attach(args) => attach::run(global, &args),
        Command::Rehearse(args) => rehearse::run(global, &args),
        Command::Config(args) => printed(|out| config::run(global, args, out)),
        Command::History(args) => printed(|out| history::run(global, &args, out)),
        Command::Show(args) => show::run(global, &args),
        Command::Journal(args) => printed(|out| journal::run(global, &args, out)),
        Command::Info => printed(|out| info::run(global, out)),
        Command::Completions(args) => printed(|out| completions::run(args, out)),
        Command::Man(args) => printed(|out| man::run(&args, out)),
    }
}

/// Runs a command that prints and ends. A reader that has seen enough, as `head` has, is no failure.
fn printed(command: impl FnOnce(&mut dyn Write) -> Result<Exit, Failure>) -> Result<Exit, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let ended = command(&mut out).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    match ended {
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Success),
        ended => ended,
    }
}
