//! The configuration as a command uses it: read, checked, and cut to the regions that were asked for.

use std::sync::Arc;

use super::{Failure, look};
use crate::cli::{Global, Scope};
use crate::config::{self, Config};

/// Reads the configuration.
///
/// # Errors
/// [`Failure::Config`] with every mistake in it.
pub(super) fn load(global: &Global) -> Result<Config, Failure> {
    config::load(&global.config).map_err(|errors| Failure::Config {
        errors,
        colour: look::colour_of_errors(global),
    })
}

/// Reads the configuration and keeps the lanes of `scope`.
///
/// # Errors
/// As [`load`], and [`Kind::Config`](crate::problem::Kind::Config) when a region is not in the configuration, or none is left.
pub(super) fn scoped(global: &Global, scope: &Scope) -> Result<Arc<Config>, Failure> {
    let mut config = load(global)?;
    config.keep_regions(&scope.regions, &scope.exclude_regions)?;
    Ok(Arc::new(config))
}
