//! `config`: whether the configuration is right, and an example of one.

use std::io::Write;

use super::{Failure, place, settings};
use crate::cli::{Config, Global};
use crate::problem::Exit;
use crate::words::plural;

/// The commented example, which is also a test's input.
const EXAMPLE: &str = include_str!("../../config.toml.example");

/// Checks the configuration, or prints an example.
pub(super) fn run(global: &Global, args: Config, out: &mut dyn Write) -> Result<Exit, Failure> {
    match args {
        Config::Example => write!(out, "{EXAMPLE}")?,
        Config::Check => {
            let config = settings::load(global)?;
            let rollouts: usize = config.lanes.iter().map(|lane| lane.rollouts.len()).sum();
            writeln!(
                out,
                "{} is right: {} to {}, {}, {}",
                place::shown(&config.path),
                config.app,
                config.environment.name,
                plural(config.lanes.len(), "region"),
                plural(rollouts, "rollout"),
            )?;
        }
    }
    Ok(Exit::Success)
}
