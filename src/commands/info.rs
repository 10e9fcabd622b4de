//! `info`: what a bug report has to say about the machine. Never a secret.

use std::io::{IsTerminal, Write};
use std::path::Path;

use super::{Failure, look, place};
use crate::cli::Global;
use crate::config::BuilderChoice;
use crate::docker::{Address, Engine};
use crate::journal::Archive;
use crate::problem::Exit;
use crate::text::Clean;
use crate::words::{address, bytes, plural};

/// Variables that decide where things are. Their values are no secrets; those of credentials are not here.
const VARIABLES: [&str; 12] = [
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ENDPOINT_URL",
    "TERM",
    "NO_COLOR",
    "XDG_STATE_HOME",
];

/// Prints it.
pub(super) fn run(global: &Global, out: &mut dyn Write) -> Result<Exit, Failure> {
    let dir = place::state_dir(global)?;
    let mut line = |name: &str, value: &str| writeln!(out, "{name:<28}  {}", Clean::line(value));
    line("quarterdeck", env!("CARGO_PKG_VERSION"))?;
    line(
        "system",
        &format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    )?;
    line("configuration", &file(&global.config))?;
    line("state folder", &dir.display().to_string())?;
    line("journal", &file(&dir.join("journal.db")))?;
    line("journal's health", &health(&dir))?;
    line("log", &file(&dir.join("quarterdeck.log")))?;
    line("Docker", &docker())?;
    line("terminal", &terminal())?;
    line("colours", if look::colour(global) { "yes" } else { "no" })?;
    for name in VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            let value = value.to_string_lossy();
            let is_address = ["DOCKER_HOST", "AWS_ENDPOINT_URL"].contains(&name);
            line(
                name,
                &if is_address {
                    address(&value)
                } else {
                    value.into_owned()
                },
            )?;
        }
    }
    Ok(Exit::Success)
}

/// A path and what is there.
fn file(path: &Path) -> String {
    let path_ = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match std::fs::metadata(path) {
        Ok(found) => format!("{} ({})", path_.display(), bytes(found.len())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("{} (not there)", path_.display()),
        Err(error) => format!("{} ({error})", path_.display()),
    }
}

/// Which engine would build, and why that one. It is not asked: it may not be there.
fn docker() -> String {
    let engine = Engine::open(&Address::Environment, BuilderChoice::Auto);
    engine.address().unwrap_or_else(|problem| problem.what.to_string())
}

fn health(dir: &Path) -> String {
    let health = match Archive::open(dir) {
        Ok(archive) => archive.health(),
        Err(problem) => return problem.what.to_string(),
    };
    let read = format!(
        "{} with {}",
        plural(health.deployments, "deployment"),
        plural(health.facts, "fact")
    );
    match health.troubles.len() {
        0 => format!("whole: {read}"),
        count => format!("{}, {read}: see `quarterdeck journal check`", plural(count, "problem")),
    }
}

fn terminal() -> String {
    let is = |name: &str, yes: bool| format!("{name} {}", if yes { "is one" } else { "is none" });
    let mut said = vec![
        is("input", std::io::stdin().is_terminal()),
        is("output", std::io::stdout().is_terminal()),
    ];
    if let Ok((columns, rows)) = crossterm::terminal::size() {
        said.push(format!("{columns}x{rows}"));
    }
    said.join(", ")
}
