//! What the engine asks of the outside: small traits that it owns, so that it runs alike on AWS, on the rehearsal and in
//! a simulation. Implementations live in `source`, `docker` and `aws`; every text they return is clean already.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::config::ResolvedInput;
use crate::names::{AccountId, BuildId, CommandId, CommitId, DeploymentId, Digest, HostId, Millis, Region, Token};
pub use crate::plan::found::{Caller, Document, DocumentParameter, FoundImage, UnderWay};
use crate::plan::{Builder, Commit, EngineInfo, ExpectedHost, Plan, Repository, Source, Target};
use crate::problem::Problem;
use crate::state::live::Progress;
use crate::state::{Driver, Fact, HostStatus, Output, Recorded, Step};
use crate::text::Clean;

/// Where rooms put progress. Cheap, never blocks, never fails.
pub type Sink = Arc<dyn Fn(Progress) + Send + Sync>;

/// git, as far as the engine needs it.
#[async_trait]
pub trait Git: Send + Sync {
    /// Resolves a revision to a commit and how it stands to `branch`, remotes and the working directory.
    async fn commit(&self, revision: &str, branch: Option<&str>) -> Result<Commit, Problem>;

    /// The subjects of `old..new`, newest first, at most `limit`, and how many there are in all; `None` when the
    /// repository does not have `old`.
    async fn between(&self, old: &CommitId, new: &CommitId, limit: usize)
    -> Result<Option<(Vec<Clean>, u32)>, Problem>;

    /// The text of a file (a path from the root), so that a Dockerfile that is missing or cannot be built is told before
    /// anything runs; `None` when the source does not have it. What a link in a commit leads to is not read, and its text
    /// is empty. The working directory is looked into for its own commit only.
    async fn file(&self, commit: &CommitId, source: Source, path: &str) -> Result<Option<String>, Problem>;

    /// A digest (12 hexadecimal digits) of the working directory's differences from its commit, untracked files included
    /// and ignored ones not, for the tag of a dirty tree.
    async fn dirty_hash(&self, commit: &CommitId) -> Result<String, Problem>;

    /// Starts the build context as a stream of tar bytes, `.dockerignore` applied.
    async fn context(&self, spec: &ContextSpec) -> Result<Context, Problem>;
}

/// Which context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextSpec {
    /// The commit whose tree it is (or stands beside, for the working directory).
    pub commit: CommitId,
    /// The commit's tree or the working directory.
    pub source: Source,
    /// The context directory, relative to the repository's root.
    pub directory: Clean,
    /// The Dockerfile, relative to the context directory; never ignored.
    pub dockerfile: Clean,
}

/// A build context in chunks. An `Err` item ends it: a half-sent tree must never build.
pub type Context = std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<bytes::Bytes, Problem>> + Send>>;

/// The Docker Engine.
#[async_trait]
pub trait Docker: Send + Sync {
    /// Which engine it is; an error says what is wrong with the connection and what to do.
    async fn info(&self) -> Result<EngineInfo, Problem>;

    /// Builds an image. Cancelling stops it on the engine too.
    async fn build(
        &self,
        spec: BuildSpec,
        context: Context,
        sink: Sink,
        stop: CancellationToken,
    ) -> Result<Built, BuildFailure>;

    /// The digests under which the engine knows that it pushed the image to `repository` (its RepoDigests), as far as it
    /// can be asked.
    async fn digests(&self, _image: &Digest, _repository: &str) -> Vec<Digest> {
        Vec::new()
    }

    /// Takes the tag `name` off its image, if the image has another one. Whether it worked is of no matter: the tag has
    /// served its end, and each deployment would leave one more.
    ///
    /// Not before the push is recorded: the engine forgets [`Self::digests`] together with the repository's last tag.
    async fn untag(&self, _name: &str) {}

    /// Tags `image` as `spec.reference` and pushes that tag once; trying again is the caller's business. The tag stays.
    async fn push(&self, spec: PushSpec, sink: Sink, stop: CancellationToken) -> Result<Pushed, PushFailure>;
}

/// One build, ready for the engine: secrets included, so it has no Debug.
pub struct BuildSpec {
    /// Which of the plan's builds.
    pub build: BuildId,
    /// BuildKit or the classic builder.
    pub builder: Builder,
    /// The Dockerfile, relative to the context.
    pub dockerfile: String,
    /// The stage to build.
    pub target: Option<String>,
    /// Build arguments with their values. Secret ones are masked in everything that comes out of the build.
    pub args: BTreeMap<String, ResolvedInput>,
    /// `os/arch`.
    pub platform: Option<String>,
    /// Image labels.
    pub labels: BTreeMap<String, String>,
    /// A local tag for the image, such as `quarterdeck/sento:4f1c2ab`.
    pub tag: String,
    /// Credentials for registries that `FROM` may name: host, user name, password.
    pub credentials: Vec<(String, String, SecretString)>,
    /// The file that takes the whole log, created with mode 0600.
    pub log: PathBuf,
}

/// A finished build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The image's id.
    pub image: Digest,
    /// Bytes of context sent.
    pub context_bytes: u64,
    /// The steps that ran, for the record.
    pub steps: Vec<Step>,
}

/// A build without an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildFailure {
    /// Stopped on request.
    Cancelled,
    /// It failed.
    Failed {
        /// What it was and what to do.
        problem: Problem,
        /// The step that failed, or in which the engine was lost.
        step: Option<Step>,
        /// Its command's exit code.
        exit_code: Option<i64>,
        /// The end of that step's log.
        log_tail: Vec<Clean>,
        /// Steps that ended before.
        steps: Vec<Step>,
    },
}

/// One push.
pub struct PushSpec {
    /// Whose lane.
    pub region: Region,
    /// The image's id in the engine.
    pub image: Digest,
    /// `host[:port]/name`, without a tag.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// The registry's user name.
    pub user: String,
    /// The registry's password.
    pub password: SecretString,
}

/// A complete push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The digest that the engine says it pushed.
    pub digest: Digest,
    /// Layers uploaded.
    pub layers_pushed: u32,
    /// Layers found in the registry.
    pub layers_present: u32,
}

/// An incomplete push; the variant decides whether it is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushFailure {
    /// Stopped on request.
    Cancelled,
    /// The token is expired or missing: a fresh one is worth one more try.
    Expired(Problem),
    /// Network, 5xx, throttling or a stall: worth trying again after a while.
    Transient(Problem),
    /// The tag is there and immutable: equal digests are a success.
    TagImmutable(Problem),
    /// Trying again changes nothing: no repository, not authorised, no such image.
    Final(Problem),
}

/// What an AWS call can come to, besides its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwsError {
    /// AWS asked to slow down; the call was refused.
    Throttled(Problem),
    /// Credentials are missing or expired: fresh ones mend it.
    Expired(Problem),
    /// No answer, or a 5xx: nobody knows whether the call took place.
    Unknown(Problem),
    /// AWS refused; trying again changes nothing.
    Refused(Problem),
}

impl AwsError {
    /// The problem, whichever it is.
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Throttled(problem) | Self::Expired(problem) | Self::Unknown(problem) | Self::Refused(problem) => {
                problem
            }
        }
    }
}

/// The journal, as far as the engine needs it.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Makes this process the only one that drives a deployment of the plan's application and environment, until the
    /// returned claim is dropped.
    async fn claim(&self, plan: &Plan, driver: &Driver) -> Result<Box<dyn Claim>, Problem>;

    /// Who drives a deployment of the plan's application and environment now, if anybody does.
    async fn holder(&self, plan: &Plan) -> Option<Held>;

    /// What a new deployment of this application to this environment meets here, for the plan: a line each.
    ///
    /// # Errors
    /// What keeps it from starting: another process drives one, or the journal cannot be read.
    async fn obstacles(&self, _app: &Clean, _environment: &Clean) -> Result<Vec<Clean>, Problem> {
        Ok(Vec::new())
    }

    /// Appends facts in one transaction and returns them numbered and dated, once they are durable.
    async fn append(&self, deployment: DeploymentId, facts: Vec<Fact>) -> Result<Vec<Recorded>, Problem>;

    /// The deployment's facts behind number `seq`, in their order.
    async fn since(&self, deployment: DeploymentId, seq: u64) -> Result<Vec<Recorded>, Problem>;
}

/// This process's claim to drive a deployment.
pub trait Claim: Send + Sync {
    /// The last sign of life of the deployment's driver before this one, if that one did not leave in order; `None` if it
    /// did, or another deployment was driven since.
    fn last_sign(&self) -> Option<Millis>;

    /// Shows that this process drives. Cheap, and never fails: whoever drives records facts as well.
    fn sign(&mut self, now: Millis);

    /// This process stops driving in order, and has recorded so: its signs say nothing any more.
    fn leave(&mut self);
}

/// A claim that another process holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The deployment that it drives.
    pub deployment: DeploymentId,
    /// Who it is, as a [`Kind::Locked`](crate::problem::Kind::Locked) problem.
    pub problem: Problem,
}

/// One region's clients.
#[derive(Clone)]
pub struct RegionPorts {
    /// Run Command.
    pub ssm: Arc<dyn Ssm>,
    /// The registry's API.
    pub ecr: Arc<dyn Ecr>,
    /// Who we are.
    pub sts: Arc<dyn Sts>,
}

/// STS.
#[async_trait]
pub trait Sts: Send + Sync {
    /// GetCallerIdentity.
    async fn identity(&self) -> Result<Caller, AwsError>;

    /// From now on the region is called with credentials of this account only: where they were read anew, and where
    /// nobody could be asked whose they are, that is asked before anything else.
    fn expect(&self, _account: &AccountId) {}
}

/// ECR.
#[async_trait]
pub trait Ecr: Send + Sync {
    /// GetAuthorizationToken: user name and password for the registry's host, good for hours.
    async fn login(&self) -> Result<Login, AwsError>;

    /// DescribeRepositories for one name; `None` when it does not exist.
    async fn repository(&self, name: &str) -> Result<Option<FoundRepository>, AwsError>;

    /// DescribeImages for one tag; `None` when it does not exist.
    async fn image(&self, repository: &str, tag: &str) -> Result<Option<FoundImage>, AwsError>;

    /// BatchGetImage of `from` and PutImage as `tag`, guarded by `digest`.
    async fn retag(&self, repository: &str, from: &str, digest: &Digest, tag: &str) -> Result<Retagged, AwsError>;
}

/// A registry login. No Debug: the password is a secret.
pub struct Login {
    /// `AWS`, as far as is known.
    pub user: String,
    /// The password.
    pub password: SecretString,
    /// The registry's host and port, without a scheme.
    pub host: String,
}

/// A repository as ECR describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRepository {
    /// Name, address and mutability.
    pub repository: Repository,
}

/// What became of moving a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retagged {
    /// The tag points at the digest now.
    Moved,
    /// It did already.
    Already,
    /// The repository forbids moving it.
    Immutable,
}

/// SSM.
#[async_trait]
pub trait Ssm: Send + Sync {
    /// DescribeInstanceInformation: the managed nodes that match all targets, to the last page.
    async fn hosts(&self, targets: &[Target]) -> Result<Vec<ExpectedHost>, AwsError>;

    /// DescribeDocument and GetDocument; `None` when the region does not have the document or the version.
    async fn document(&self, name: &str, version: &str) -> Result<Option<Document>, AwsError>;

    /// SendCommand, once: the SDK's own retries are off. [`AwsError::Unknown`] means that it may have taken place.
    async fn send(&self, request: &SendRequest) -> Result<Accepted, AwsError>;

    /// ListCommands since `since`, to the last page, for the command whose Comment is `token`.
    async fn find(&self, token: &Token, since: Millis) -> Result<Option<Accepted>, AwsError>;

    /// ListCommands to the last page: the commands of Quarterdeck's that the region is executing, whoever sent them.
    async fn under_way(&self) -> Result<Vec<UnderWay>, AwsError>;

    /// ListCommands since `since`, if that is known, to the last page: every command whose Comment is a token that begins
    /// with `prefix`.
    async fn sent(&self, prefix: &str, since: Option<Millis>) -> Result<Vec<SentCommand>, AwsError>;

    /// ListCommands for one command, whole; `None` when SSM does not have it, or its Comment is no token.
    async fn sent_as(&self, command: &CommandId) -> Result<Option<SentCommand>, AwsError>;

    /// ListCommands for one command: the cheap look. `None` when SSM does not show it (yet).
    async fn counts(&self, command: &CommandId) -> Result<Option<CommandCounts>, AwsError>;

    /// One page of ListCommandInvocations, 50 at most, without output.
    async fn invocations(&self, command: &CommandId, only: Option<Only>, page: Option<&str>) -> Result<Page, AwsError>;

    /// GetCommandInvocation: what an ended invocation printed. `None` when SSM has no such invocation.
    async fn output(
        &self,
        command: &CommandId,
        host: &HostId,
        step: Option<&str>,
    ) -> Result<Option<(Output, Option<i32>)>, AwsError>;

    /// CancelCommand for all hosts of the command.
    async fn cancel(&self, command: &CommandId) -> Result<(), AwsError>;
}

/// One SendCommand. No Debug: parameters may be secret.
#[derive(Clone)]
pub struct SendRequest {
    /// The document's name or ARN.
    pub document: String,
    /// `$LATEST`, `$DEFAULT` or a number.
    pub document_version: String,
    /// Its parameters with their values.
    pub parameters: BTreeMap<String, Vec<SecretString>>,
    /// Those of the values that no text may show.
    pub secrets: Vec<SecretString>,
    /// Whom it goes to.
    pub to: Recipients,
    /// TimeoutSeconds.
    pub delivery_timeout_secs: u32,
    /// MaxConcurrency.
    pub max_concurrency: String,
    /// MaxErrors.
    pub max_errors: String,
    /// The Comment.
    pub token: Token,
}

/// Whom a command goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// Targets: all of them have to match.
    Targets(Vec<Target>),
    /// InstanceIds, at most 50.
    Hosts(Vec<HostId>),
}

/// A command that SSM has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub command: CommandId,
    /// ExpiresAfter.
    pub expires_at: Option<Millis>,
}

/// A command of ours as SSM remembers it. No Debug: its parameters may be secret.
#[derive(Clone)]
pub struct SentCommand {
    /// What was sent, the token included.
    pub request: SendRequest,
    /// What SSM made of it.
    pub accepted: Accepted,
    /// RequestedDateTime.
    pub requested_at: Option<Millis>,
}

/// The cheap look at a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandCounts {
    /// Status.
    pub status: Clean,
    /// StatusDetails.
    pub details: Clean,
    /// Whether Status says that it ended.
    pub ended: bool,
    /// TargetCount.
    pub targets: u32,
    /// CompletedCount: invocations that ended, well or badly.
    pub completed: u32,
    /// ErrorCount: Failed and Execution Timed Out.
    pub errors: u32,
    /// DeliveryTimedOutCount.
    pub delivery_timed_out: u32,
}

/// Restricts a listing to invocations in one status, as SSM's `Status` filter spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Only {
    /// `InProgress`.
    InProgress,
    /// `Failed`.
    Failed,
    /// `TimedOut`.
    TimedOut,
    /// `Cancelled`.
    Cancelled,
    /// `Success`.
    Success,
    /// `Delayed`.
    Delayed,
}

/// One page of invocations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// What it shows; it may be empty though more pages follow.
    pub invocations: Vec<Invocation>,
    /// The token of the next page; an empty one counts as none.
    pub next: Option<String>,
}

/// One invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The host.
    pub host: HostId,
    /// Its state.
    pub status: HostStatus,
}
