//! config.toml: read, checked as a whole, and merged into one [`LaneConfig`] a region. No AWS, no Docker, no git.
//!
//! Whatever is wrong with a file is told at once, each mistake with its line, its place and what is allowed there.
//! What comes out can't be wrong any more as far as the file alone can tell: names have the grammar that AWS and
//! Docker ask for, in every region, with the variables filled in.

mod suggest;
mod template;
mod types;

pub use template::{Template, TemplateError, TemplateMistake, Variable, Vars};
pub use types::{
    AwsConfig, BuildInputs, BuilderChoice, Config, Endpoints, Input, LaneConfig, Parameter, ResolvedBuild,
    ResolvedInput, RolloutConfig, TargetConfig,
};
