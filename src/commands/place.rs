//! Where things are on this machine.

use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, Xdg};

use super::served;
use crate::cli::Global;
use crate::problem::{Kind, Problem};
use crate::text::Clean;

/// The state folder: `--state-dir`, or `$XDG_STATE_HOME/quarterdeck`, on every system alike. A shell that leads to a
/// rehearsal has the rehearsals' own within it, so that the histories never mix.
///
/// # Errors
/// Nobody knows where the home folder is.
pub(super) fn state_dir(global: &Global) -> Result<PathBuf, Problem> {
    if let Some(dir) = &global.state_dir {
        return Ok(dir.clone());
    }
    let state = Xdg::new().ok().and_then(|folders| folders.state_dir());
    let dir = state.map(|dir| dir.join("quarterdeck")).ok_or_else(|| {
        Problem::new(
            Kind::Config,
            "there is no place for the state folder: HOME is not set",
            "set HOME or XDG_STATE_HOME, or name a folder with --state-dir",
        )
    })?;
    Ok(if served::is_led() { rehearsals(&dir) } else { dir })
}

/// A path as it can be shown: a folder may be called anything.
pub(super) fn shown(path: &Path) -> Clean {
    Clean::line(&path.to_string_lossy())
}

/// The rehearsals' state folder within `dir`.
pub(super) fn rehearsals(dir: &Path) -> PathBuf {
    dir.join("rehearsal")
}

/// The working directory.
///
/// # Errors
/// It was removed, or may not be read.
pub(super) fn here() -> Result<PathBuf, Problem> {
    std::env::current_dir().map_err(|error| {
        Problem::new(
            Kind::Config,
            format!("the working directory cannot be told: {error}"),
            "change to the repository and run it again",
        )
    })
}
