//! The configuration as a command uses it: read, checked, and cut to the regions that were asked for.

use std::sync::Arc;

use super::{Failure, look};
use crate::cli::{Global, Scope};
use crate::config::{self, Config};
use crate::names::Region;
use crate::problem::{Kind, Problem};

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
/// As [`load`], and [`Kind::Config`] when a region is not in the configuration, or none is left.
pub(super) fn scoped(global: &Global, scope: &Scope) -> Result<Arc<Config>, Failure> {
    let mut config = load(global)?;
    keep(&mut config, scope)?;
    Ok(Arc::new(config))
}

fn keep(config: &mut Config, scope: &Scope) -> Result<(), Problem> {
    let has = |region: &Region| config.lanes.iter().any(|lane| lane.region == *region);
    let known = || {
        let regions: Vec<&str> = config.lanes.iter().map(|lane| lane.region.as_str()).collect();
        format!("{} has {}", config.path.display(), regions.join(", "))
    };
    for (flag, regions) in [
        ("--regions", &scope.regions),
        ("--exclude-regions", &scope.exclude_regions),
    ] {
        if let Some(unknown) = regions.iter().find(|region| !has(region)) {
            let what = format!("{flag} names {unknown}, which is no region of the configuration");
            return Err(Problem::new(Kind::Config, what, known()));
        }
    }
    let wanted = |region: &Region| {
        (scope.regions.is_empty() || scope.regions.contains(region)) && !scope.exclude_regions.contains(region)
    };
    if !config.lanes.iter().any(|lane| wanted(&lane.region)) {
        let what = "--regions and --exclude-regions leave no region";
        return Err(Problem::new(Kind::Config, what, known()));
    }
    config.lanes.retain(|lane| wanted(&lane.region));
    Ok(())
}
