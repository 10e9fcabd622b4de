//! The plan: what will be done, resolved before anything runs. Pure data, journaled whole as a deployment's first fact.
//!
//! `draft` folds the preflight's findings into checks and, when none of them forbids it, into a [`Plan`].
//! Nothing here holds a secret: a secret build argument or parameter is present by its name only.

pub mod check;
pub mod draft;
pub mod found;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{AccountId, BuildId, CommitId, DeploymentId, Digest, HostId, Millis, Region, RolloutName};
use crate::problem::{Kind, Problem};
use crate::text::Clean;
use crate::words::names;

/// What stands in a plan that was rebuilt from SSM where SSM knows nothing.
pub const UNKNOWN: &str = "unknown";

/// One deployment as it will be executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The deployment that executes it.
    pub id: DeploymentId,
    /// The application's name from config.toml.
    pub app: Clean,
    /// Where to, and whether its name has to be typed before the start.
    pub environment: Environment,
    /// Whether everything below is the rehearsal's.
    pub rehearsal: bool,
    /// When the plan was resolved.
    pub made_at: Millis,
    /// What is deployed.
    pub commit: Commit,
    /// Where the image's content comes from.
    pub source: Source,
    /// The Docker Engine that builds and pushes; it may be unknown where nothing is built.
    pub engine: Option<EngineInfo>,
    /// Every different build, each with the regions that share it.
    pub builds: Vec<BuildPlan>,
    /// One lane a region, in the configuration's order.
    pub lanes: Vec<LanePlan>,
    /// What the operator was told before the start and went on with.
    pub warnings: Vec<Clean>,
}

/// The environment that the fleet belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Its name, such as `qa`.
    pub name: Clean,
    /// A protected environment asks for its name typed before the start.
    pub protected: bool,
}

/// A commit and how it stands to the repository around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The full id.
    pub id: CommitId,
    /// The first line of its message.
    pub subject: Clean,
    /// The author's name.
    pub author: Clean,
    /// When it was authored.
    pub authored_at: Millis,
    /// The branch it was resolved through, if `HEAD` is on one.
    pub branch: Option<Clean>,
    /// Whether it is an ancestor of (or is) the configured branch; `None` where none is configured or it is unknown here.
    pub on_branch: Option<bool>,
    /// Paths of the working directory that are not as committed where it stands, at most a few; empty when clean.
    pub dirty: Vec<Clean>,
    /// How many such paths there are in all.
    pub dirty_count: u32,
    /// Whether a remote-tracking branch contains it; `None` without a remote.
    pub pushed: Option<bool>,
}

/// Where the build context comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The commit's tree, so that the image holds what the SHA says.
    Commit,
    /// The working directory as it is, tagged `<sha>-dirty-<hash>` when it differs from the commit.
    Worktree,
}

/// The Docker Engine in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// Its address, such as `unix:///var/run/docker.sock`.
    pub host: Clean,
    /// Where the address came from: `DOCKER_HOST`, `context colima`, `default`, `rehearsal`.
    pub origin: Clean,
    /// The server's version, such as `28.5.2`.
    pub version: Clean,
    /// The server's `os/arch`, such as `linux/amd64`.
    pub platform: Clean,
    /// The builder that will be used there.
    pub builder: Builder,
}

/// Docker's two builders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Builder {
    /// BuildKit, `POST /build?version=2`.
    Buildkit,
    /// The classic builder, `POST /build?version=1`.
    Classic,
}

/// One image build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildPlan {
    /// Its id within the plan.
    pub id: BuildId,
    /// The context directory, relative to the repository's root; `.` is the whole tree.
    pub context: Clean,
    /// The Dockerfile, relative to the context.
    pub dockerfile: Clean,
    /// The stage to build; the last one when absent.
    pub target: Option<Clean>,
    /// Build arguments.
    pub args: BTreeMap<String, Value>,
    /// `os/arch`, when not the engine's own.
    pub platform: Option<Clean>,
    /// Image labels.
    pub labels: BTreeMap<String, Clean>,
    /// The regions whose lanes use the image.
    pub regions: Vec<Region>,
}

/// A value that may be a secret; the secret itself is in the configuration, never here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Can be shown.
    Plain(Clean),
    /// Must not be shown or stored.
    Secret,
}

/// One region's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanePlan {
    /// The region.
    pub region: Region,
    /// The account that its credentials belong to.
    pub account: AccountId,
    /// Who the credentials say we are.
    pub arn: Clean,
    /// The build whose image is pushed here; `None` when the image is there already and nothing needs it built.
    pub build: Option<BuildId>,
    /// The ECR repository.
    pub repository: Repository,
    /// The tag that names the commit, such as `4f1c…`; pushed first.
    pub sha_tag: Clean,
    /// Tags that move to the image once the push is complete, such as `latest`.
    pub moving_tags: Vec<Clean>,
    /// The digest that `sha_tag` names before the start, if it exists.
    pub already: Option<Digest>,
    /// What the first moving tag points to before the start.
    pub current: Option<CurrentImage>,
    /// The target groups, in order; sent side by side.
    pub rollouts: Vec<RolloutPlan>,
}

/// An ECR repository as preflight found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Its name in ECR.
    pub name: Clean,
    /// `host[:port]/name`, what an image is tagged with to be pushed there.
    pub uri: Clean,
    /// Whether existing tags may be overwritten.
    pub mutability: Mutability,
}

/// ECR's tag mutability setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mutability {
    /// Every tag can move.
    Mutable,
    /// No tag can move.
    Immutable,
    /// No tag can move except those matching one of these wildcard filters.
    ImmutableExcept(Vec<Clean>),
    /// Every tag can move except those matching one of these wildcard filters.
    MutableExcept(Vec<Clean>),
}

impl Mutability {
    /// Whether `tag` can be moved to another image.
    pub fn lets_move(&self, tag: &str) -> bool {
        let any = |filters: &[Clean]| filters.iter().any(|filter| wildcard(filter.as_str(), tag));
        match self {
            Self::Mutable => true,
            Self::Immutable => false,
            Self::ImmutableExcept(filters) => any(filters),
            Self::MutableExcept(filters) => !any(filters),
        }
    }
}

/// ECR's `WILDCARD` filters: `*` stands for any run of characters, everything else for itself.
fn wildcard(filter: &str, tag: &str) -> bool {
    match filter.split_once('*') {
        None => filter == tag,
        Some((head, rest)) => tag.strip_prefix(head).is_some_and(|tail| {
            tail.char_indices()
                .map(|(at, _)| at)
                .chain([tail.len()])
                .any(|at| wildcard(rest, &tail[at..]))
        }),
    }
}

/// The image that the fleet pulls before this deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentImage {
    /// Its digest.
    pub digest: Digest,
    /// When it was pushed.
    pub pushed_at: Option<Millis>,
    /// The commit that one of its tags names, if it names one that this repository has.
    pub commit: Option<CommitId>,
    /// The commits that the deployment adds to it, newest first, at most a few.
    pub new_commits: Vec<Clean>,
    /// How many there are in all; `None` when the two can't be compared.
    pub new_commit_count: Option<u32>,
}

/// One target group of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutPlan {
    /// Its name.
    pub name: RolloutName,
    /// The SSM document's name or ARN.
    pub document: Clean,
    /// As configured and as sent: `$LATEST`, `$DEFAULT` or a number.
    pub document_version: Clean,
    /// The number that it means now.
    pub resolved_version: Clean,
    /// The name of the document's step whose output is fetched (GetCommandInvocation's PluginName), if it has several.
    pub output_step: Option<Clean>,
    /// The document's parameters.
    pub parameters: BTreeMap<String, ParameterValue>,
    /// What selects the hosts; several are ANDed, the values of one are ORed.
    pub targets: Vec<Target>,
    /// SSM's TimeoutSeconds: how long a host may take to *start*, 30 to 2 592 000 seconds.
    pub delivery_timeout_secs: u32,
    /// SSM's MaxConcurrency: a number or a percentage.
    pub max_concurrency: Clean,
    /// SSM's MaxErrors: a number or a percentage.
    pub max_errors: Clean,
    /// The hosts that the targets match now, by id: the ledger that reports are held against.
    pub expected: Vec<ExpectedHost>,
}

/// An SSM parameter's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterValue {
    /// SSM takes a list; a String parameter is a list of one.
    Plain(Vec<Clean>),
    /// Must not be shown or stored.
    Secret,
}

/// One entry of SendCommand's Targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// `tag:Key` or `InstanceIds`.
    pub key: Clean,
    /// Any of these.
    pub values: Vec<Clean>,
}

/// A host that preflight found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedHost {
    /// Its id.
    pub id: HostId,
    /// Its computer name, or empty.
    pub name: Clean,
    /// Whether its agent answers.
    pub ping: Ping,
    /// The platform's name, such as `Ubuntu`.
    pub platform: Clean,
}

/// DescribeInstanceInformation's PingStatus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ping {
    /// The agent is connected.
    Online,
    /// The agent was heard of before and is not now.
    ConnectionLost,
    /// AWS says so; it means offline.
    Inactive,
    /// A word that this version does not know, shown as it is.
    Other(Clean),
}

impl Ping {
    /// Whether the host can be expected to take a command at once.
    pub fn is_online(&self) -> bool {
        matches!(self, Self::Online)
    }

    /// The word to show.
    pub fn word(&self) -> &str {
        match self {
            Self::Online => "online",
            Self::ConnectionLost => "offline",
            Self::Inactive => "inactive",
            Self::Other(word) => word.as_str(),
        }
    }
}

impl Plan {
    /// Whether it was rebuilt from SSM alone, which knows nothing of commit, build and digest.
    pub fn is_adopted(&self) -> bool {
        self.commit.id.as_str() == UNKNOWN
    }

    /// Where else an adopted deployment may have been sent, and how to look there: a command does not say where else its
    /// deployment sent any.
    pub fn elsewhere(&self) -> Option<Problem> {
        let regions: Vec<&str> = self.lanes.iter().map(|lane| lane.region.as_str()).collect();
        self.is_adopted().then(|| {
            Problem::new(
                Kind::Config,
                format!(
                    "only what was sent in {} is shown: it may have gone to other regions, too",
                    names(&regions, regions.len(), 6)
                ),
                format!(
                    "`quarterdeck attach {} --regions REGION,… --state-dir DIR`, with another DIR, looks in others",
                    self.id.short()
                ),
            )
        })
    }

    /// The lane of a region.
    pub fn lane(&self, region: &Region) -> Option<&LanePlan> {
        self.lanes.iter().find(|lane| lane.region == *region)
    }

    /// How many host rows there are: a host in two rollouts counts twice, since it is told twice.
    pub fn host_count(&self) -> usize {
        self.lanes
            .iter()
            .flat_map(|lane| &lane.rollouts)
            .map(|rollout| rollout.expected.len())
            .sum()
    }
}

impl LanePlan {
    /// The rollout of that name.
    pub fn rollout(&self, name: &RolloutName) -> Option<&RolloutPlan> {
        self.rollouts.iter().find(|rollout| rollout.name == *name)
    }
}

impl RolloutPlan {
    /// SSM's rate limits as numbers for a command to `hosts` hosts.
    pub fn limits(&self, hosts: usize) -> Limits {
        Limits::of(self.max_concurrency.as_str(), self.max_errors.as_str(), hosts)
    }
}

/// What max_concurrency and max_errors really allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Hosts at work at the same time, at least 1.
    pub concurrency: usize,
    /// Error results that are tolerated; one more stops the command.
    pub errors: usize,
    /// How many hosts can fail before SSM stops sending: the tolerated, the one too many, and those then in flight.
    pub worst_case: usize,
}

impl Limits {
    /// Percentages are of the command's own targets and rounded down, concurrency to at least 1.
    fn of(concurrency: &str, errors: &str, hosts: usize) -> Self {
        let share = |text: &str, fallback: usize| match text.strip_suffix('%') {
            Some(percent) => percent
                .parse::<usize>()
                .map_or(fallback, |percent| hosts.saturating_mul(percent) / 100),
            None => text.parse().unwrap_or(fallback),
        };
        let concurrency = share(concurrency, 50).max(1);
        let errors = share(errors, 0);
        let worst_case = errors.saturating_add(concurrency).min(hosts);
        Self {
            concurrency,
            errors,
            worst_case,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_errors_0_with_concurrency_50_lets_50_of_200_fail() {
        assert_eq!(
            Limits::of("50", "0", 200),
            Limits {
                concurrency: 50,
                errors: 0,
                worst_case: 50
            }
        );
        assert_eq!(Limits::of("1", "0", 200).worst_case, 1);
        assert_eq!(
            Limits::of("10%", "10%", 50),
            Limits {
                concurrency: 5,
                errors: 5,
                worst_case: 10
            }
        );
        assert_eq!(Limits::of("50", "0", 3).worst_case, 3);
        // As only an edited journal has them.
        assert_eq!(
            Limits::of(&format!("{}%", usize::MAX), &usize::MAX.to_string(), 3).worst_case,
            3
        );
    }

    #[test]
    fn exclusion_filters_decide_which_tags_move() {
        let except = Mutability::ImmutableExcept(vec![Clean::line("latest*")]);
        assert!(except.lets_move("latest") && except.lets_move("latest-qa") && !except.lets_move("4f1c"));
        let only = Mutability::MutableExcept(vec![Clean::line("v*.*")]);
        assert!(only.lets_move("latest") && !only.lets_move("v1.2") && only.lets_move("v1"));
    }
}
