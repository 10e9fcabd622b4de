//! config.toml: read, checked as a whole, and merged into one [`LaneConfig`] a region. No AWS, no Docker, no git.
//!
//! Whatever is wrong with a file is told at once, each mistake with its line, its place and what is allowed there.
//! What comes out can't be wrong any more as far as the file alone can tell: names have the grammar that AWS and
//! Docker ask for, in every region, with the variables filled in.
//!
//! The way through the files: `file` walks the text with a `reader` that goes on after a mistake, `tables` and `rollout`
//! read what is said for all regions or for one, `lanes` puts the two together and holds the result to the `grammar`s,
//! and `report` shows what was wrong.

mod file;
mod grammar;
mod lanes;
mod reader;
mod report;
mod rollout;
mod scope;
mod secret;
mod suggest;
mod table;
mod tables;
mod template;
mod types;

use std::path::Path;

pub use report::ConfigErrors;
pub(crate) use suggest::near_miss;
pub use template::{Template, TemplateError, TemplateMistake, Variable, Vars};
pub use types::{
    AwsConfig, BuildInputs, BuilderChoice, Config, Endpoints, Input, LaneConfig, Parameter, ResolvedBuild,
    ResolvedInput, RolloutConfig, TargetConfig,
};

/// Reads and checks the file at `path`; its secrets are read too, so that none is found missing later.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    let bytes = std::fs::read(path).map_err(|error| ConfigErrors::unreadable(path, &error))?;
    match str::from_utf8(&bytes) {
        Ok(text) => parse(path, text),
        Err(error) => Err(ConfigErrors::not_utf8(path, &bytes, error.valid_up_to())),
    }
}

/// Checks a text as if it was the file at `path`, from whose folder relative secret files are read.
pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigErrors> {
    let secrets = secret::Secrets {
        env: &|name| std::env::var(name),
        folder: path.parent().unwrap_or(Path::new("")),
    };
    file::read(path, text, secrets)
}

#[cfg(test)]
mod tests;
