//! `man`: the manual page.

use std::io::Write;

use clap::CommandFactory;
use clap_mangen::Man;

use super::Failure;
use crate::cli::{self, Cli};
use crate::problem::{Exit, Kind, Problem};

/// Prints the page of the whole or of one command.
pub(super) fn run(args: &cli::Man, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut whole = Cli::command();
    whole.build();
    let page = match &args.command {
        None => whole,
        Some(name) => whole.find_subcommand(name).cloned().ok_or_else(|| {
            let names: Vec<&str> = whole.get_subcommands().map(clap::Command::get_name).collect();
            Problem::new(
                Kind::Config,
                format!("there is no command {name:?}"),
                format!("the commands are {}", names.join(", ")),
            )
        })?,
    };
    Man::new(page).render(out)?;
    Ok(Exit::Success)
}
