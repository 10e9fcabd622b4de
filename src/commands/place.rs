//! Where things are on this machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, Xdg};

use super::served;
use crate::again::Again;
use crate::cli::{Global, Reach};
use crate::problem::{Kind, Problem};
use crate::text::Clean;

/// The configuration where none is named.
const CONFIG: &str = "config.toml";

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

/// How the next command is typed. What was named on the command line is named again: without it, another journal would be
/// looked into, or another account. What the environment names, the next command finds there, too.
pub(super) fn again(global: &Global, reach: &Reach) -> Again {
    let typed = |variable: &str, value: &OsStr| std::env::var_os(variable).as_deref() != Some(value);
    let mut again = Again::default();
    if let Some(dir) = &global.state_dir
        && typed("QUARTERDECK_STATE_DIR", dir.as_os_str())
    {
        again = again.with_path("--state-dir", dir);
    }
    let config = &global.config;
    if config != Path::new(CONFIG) && typed("QUARTERDECK_CONFIG", config.as_os_str()) {
        again = again.with_path("--config", config);
    }
    let told = [
        ("--profile", "QUARTERDECK_PROFILE", &reach.profile),
        ("--role", "QUARTERDECK_ROLE", &reach.role),
    ];
    for (option, variable, value) in told {
        if let Some(value) = value
            && typed(variable, OsStr::new(value))
        {
            again = again.attaching_with(option, value);
        }
    }
    again
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
