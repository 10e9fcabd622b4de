//! What config.toml says, checked and with every region's overrides merged: one [`LaneConfig`] a region.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::template::{Template, Vars};
use crate::names::{Region, RolloutName};
use crate::plan::{Environment, Source, Value};
use crate::problem::{Kind, Problem};
use crate::text::Clean;

/// A whole config.toml.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that it was read from, as it was named.
    pub path: PathBuf,
    /// The application's name.
    pub app: Clean,
    /// The branch that a commit must be on; any commit is taken without it.
    pub branch: Option<Clean>,
    /// Where to.
    pub environment: Environment,
    /// Where the build context comes from.
    pub source: Source,
    /// Which of Docker's builders to use.
    pub builder: BuilderChoice,
    /// One a region, in the file's order; at least one.
    pub lanes: Vec<LaneConfig>,
}

impl Config {
    /// The variables of a lane, once the commit and the lane's account are known.
    ///
    /// `sha` is what `{sha}` stands for, which in a changed working directory is more than the commit's id.
    pub fn vars<'a>(&'a self, lane: &'a LaneConfig, account: &'a str, sha: &'a str, short_sha: &'a str) -> Vars<'a> {
        Vars {
            app: self.app.as_str(),
            environment: self.environment.name.as_str(),
            region: lane.region.as_str(),
            account,
            sha,
            short_sha,
            // A file that uses `{branch}` without setting it does not load.
            branch: self.branch.as_ref().map_or("", Clean::as_str),
        }
    }

    /// Keeps the lanes that `--regions` (all of them when it is empty) and `--exclude-regions` leave.
    ///
    /// The problem is a region that the file does not have, or that none is left.
    pub fn keep_regions(&mut self, only: &[Region], except: &[Region]) -> Result<(), Problem> {
        let configured: Vec<_> = self.lanes.iter().map(|lane| lane.region.as_str()).collect();
        let remedy = format!("{} has {}", self.path.display(), configured.join(", "));
        for (flag, regions) in [("--regions", only), ("--exclude-regions", except)] {
            let Some(unknown) = regions.iter().find(|region| !configured.contains(&region.as_str())) else {
                continue;
            };
            let what = format!("{flag} names {unknown}, which is not configured");
            return Err(Problem::new(Kind::Config, what, remedy));
        }
        let is_kept = |region: &Region| (only.is_empty() || only.contains(region)) && !except.contains(region);
        if !self.lanes.iter().any(|lane| is_kept(&lane.region)) {
            let what = "--regions and --exclude-regions leave no region to deploy to";
            return Err(Problem::new(Kind::Config, what, remedy));
        }
        self.lanes.retain(|lane| is_kept(&lane.region));
        Ok(())
    }
}

/// `build.builder`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuilderChoice {
    /// BuildKit where the engine has it, the classic builder elsewhere.
    Auto,
    /// BuildKit or nothing.
    Buildkit,
    /// The classic builder.
    Classic,
}

/// One region's part of the configuration.
#[derive(Debug, Clone)]
pub struct LaneConfig {
    /// The region.
    pub region: Region,
    /// How to reach AWS there.
    pub aws: AwsConfig,
    /// The ECR repository's name; may use `{account}`, but nothing of the commit.
    pub repository: Template,
    /// The image's tags: the first names the commit, the others move. Never empty, never `{account}`.
    pub tags: Vec<Template>,
    /// What the image is built from.
    pub build: BuildInputs,
    /// The target groups, in the file's order; empty where the region only gets the image.
    pub rollouts: Vec<RolloutConfig>,
}

/// How to reach AWS in a region. Variables are filled in already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsConfig {
    /// The profile of ~/.aws/config; the SDK's default chain without it.
    pub profile: Option<String>,
    /// The ARN of a role to assume.
    pub role: Option<String>,
    /// Other addresses than AWS's own.
    pub endpoints: Endpoints,
}

/// Endpoint URLs by service; `endpoint_url` has been taken as the default of all three.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Systems Manager.
    pub ssm: Option<String>,
    /// The container registry's API (not the registry itself).
    pub ecr: Option<String>,
    /// The Security Token Service.
    pub sts: Option<String>,
}

/// What an image is built from, before the commit is known. Variables in its paths and names are filled in already.
#[derive(Debug, Clone)]
pub struct BuildInputs {
    /// The context directory within the repository, `.` for the whole tree.
    pub context: String,
    /// The Dockerfile, relative to the context.
    pub dockerfile: String,
    /// The stage to build.
    pub target: Option<String>,
    /// `os/arch[/variant]`, when not the engine's own.
    pub platform: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, Input>,
    /// Image labels.
    pub labels: BTreeMap<String, Template>,
}

impl BuildInputs {
    /// Fills the variables in. Lanes whose results are equal share one build.
    pub fn resolve(&self, vars: &Vars<'_>) -> ResolvedBuild {
        ResolvedBuild {
            context: self.context.clone(),
            dockerfile: self.dockerfile.clone(),
            target: self.target.clone(),
            platform: self.platform.clone(),
            args: self
                .args
                .iter()
                .map(|(name, input)| (name.clone(), input.resolve(vars)))
                .collect(),
            labels: self
                .labels
                .iter()
                .map(|(name, value)| (name.clone(), value.render(vars)))
                .collect(),
        }
    }
}

/// A value that may be a secret. A secret is taken as it is: braces mean nothing in it.
#[derive(Debug, Clone)]
pub enum Input {
    /// Can be shown.
    Plain(Template),
    /// Must not be shown or stored.
    Secret(SecretString),
}

impl Input {
    fn resolve(&self, vars: &Vars<'_>) -> ResolvedInput {
        match self {
            Self::Plain(template) => ResolvedInput::Plain(template.render(vars)),
            Self::Secret(secret) => ResolvedInput::Secret(secret.clone()),
        }
    }
}

/// What an image is built from, as the builder gets it. Equality is what lets regions share a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedBuild {
    /// The context directory within the repository, `.` for the whole tree.
    pub context: String,
    /// The Dockerfile, relative to the context.
    pub dockerfile: String,
    /// The stage to build.
    pub target: Option<String>,
    /// `os/arch[/variant]`, when not the engine's own.
    pub platform: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, ResolvedInput>,
    /// Image labels.
    pub labels: BTreeMap<String, String>,
}

/// A value with its variables filled in; its `Debug` does not show a secret.
#[derive(Debug, Clone)]
pub enum ResolvedInput {
    /// Can be shown.
    Plain(String),
    /// Must not be shown or stored.
    Secret(SecretString),
}

impl ResolvedInput {
    /// The value itself, for the request that needs it and nothing else.
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(secret) => secret.expose_secret(),
        }
    }
}

impl PartialEq for ResolvedInput {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(one), Self::Plain(two)) => one == two,
            (Self::Secret(one), Self::Secret(two)) => one.expose_secret() == two.expose_secret(),
            (Self::Plain(_), Self::Secret(_)) | (Self::Secret(_), Self::Plain(_)) => false,
        }
    }
}

impl Eq for ResolvedInput {}

impl From<&ResolvedInput> for Value {
    /// What the plan may hold of it.
    fn from(input: &ResolvedInput) -> Self {
        match input {
            ResolvedInput::Plain(text) => Self::Plain(Clean::block(text)),
            ResolvedInput::Secret(_) => Self::Secret,
        }
    }
}

/// One target group in one region.
#[derive(Debug, Clone)]
pub struct RolloutConfig {
    /// Its name: 1 to 32 of `a-z`, `0-9` and `-`.
    pub name: RolloutName,
    /// The SSM document's name or ARN.
    pub document: Template,
    /// `$LATEST`, `$DEFAULT` or a number.
    pub document_version: Clean,
    /// What selects the hosts: one to five, ANDed.
    pub targets: Vec<TargetConfig>,
    /// The document's parameters.
    pub parameters: BTreeMap<String, Parameter>,
    /// SSM's TimeoutSeconds: how long a host may take to start, 30 to 2 592 000.
    pub delivery_timeout_secs: u32,
    /// SSM's MaxConcurrency: a number from 1 or `1%` to `100%`.
    pub max_concurrency: Clean,
    /// SSM's MaxErrors: a number or `0%` to `100%`.
    pub max_errors: Clean,
}

/// One key that selects hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetConfig {
    /// `tag:Key` or `InstanceIds`.
    pub key: Clean,
    /// Any of these; never empty.
    pub values: Vec<Template>,
}

/// An SSM parameter.
#[derive(Debug, Clone)]
pub enum Parameter {
    /// SSM takes a list; a String parameter is a list of one.
    Plain(Vec<Template>),
    /// Must not be shown or stored.
    Secret(SecretString),
}
