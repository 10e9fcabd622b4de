//! Preflight over the real wire: a real repository, the real SDK, and the rehearsal's regions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use quarterdeck::aws::{Realm, connect};
use quarterdeck::config::{self, AwsConfig, Config, Endpoints};
use quarterdeck::engine::ports::{
    BuildFailure, BuildSpec, Built, Claim, Context, Docker, Held, Ledger, PushFailure, PushSpec, Pushed, Sink,
};
use quarterdeck::engine::{Action, Clock, Guards, Handle, Outside, Pace, Setup, Update, launch};
use quarterdeck::names::{DeploymentId, Millis, Region};
use quarterdeck::plan::check::{Check, CheckState};
use quarterdeck::plan::{Builder, EngineInfo, Plan};
use quarterdeck::problem::{Kind, Problem};
use quarterdeck::rehearsal::faults::{Act, Rule};
use quarterdeck::rehearsal::{Options, Rehearsal};
use quarterdeck::source::Repository;
use quarterdeck::state::{Driver, Fact, Recorded};
use quarterdeck::text::Clean;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// What preflight may ask of AWS.
const QUESTIONS: [&str; 7] = [
    "GetCallerIdentity",
    "DescribeRepositories",
    "DescribeImages",
    "DescribeDocument",
    "GetDocument",
    "DescribeInstanceInformation",
    "ListCommands",
];

/// A Docker Engine that is there and does nothing.
struct Idle;

#[async_trait]
impl Docker for Idle {
    async fn info(&self) -> Result<EngineInfo, Problem> {
        Ok(EngineInfo {
            host: Clean::line("unix:///var/run/docker.sock"),
            origin: Clean::line("default"),
            version: Clean::line("28.5.2"),
            platform: Clean::line("linux/amd64"),
            builder: Builder::Buildkit,
        })
    }

    async fn build(&self, _: BuildSpec, _: Context, _: Sink, _: CancellationToken) -> Result<Built, BuildFailure> {
        panic!("preflight built an image")
    }

    async fn push(&self, _: PushSpec, _: Sink, _: CancellationToken) -> Result<Pushed, PushFailure> {
        panic!("preflight pushed an image")
    }
}

/// A journal that nothing may be written to.
struct Sealed;

#[async_trait]
impl Ledger for Sealed {
    async fn claim(&self, _: &Plan, _: &Driver) -> Result<Box<dyn Claim>, Problem> {
        panic!("preflight claimed the deployment")
    }

    async fn holder(&self, _: &Plan) -> Option<Held> {
        None
    }

    async fn append(&self, _: DeploymentId, _: Vec<Fact>) -> Result<Vec<Recorded>, Problem> {
        panic!("preflight wrote a fact")
    }

    async fn since(&self, _: DeploymentId, _: u64) -> Result<Vec<Recorded>, Problem> {
        panic!("preflight read the journal")
    }
}

/// A repository with a Dockerfile and two commits on `main`.
fn repository() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder for a repository");
    git(dir.path(), &["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(dir.path().join("Dockerfile"), "FROM scratch\n").expect("write a file");
    for subject in ["Begin", "Count the queue"] {
        git(dir.path(), &["add", "--all"]);
        git(dir.path(), &["commit", "--quiet", "--allow-empty", "-m", subject]);
    }
    dir
}

fn git(at: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(at)
        .args(["-c", "user.name=Mara Okafor", "-c", "user.email=mara@sento.example"])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git runs");
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .expect("git answers in UTF-8")
        .trim()
        .to_owned()
}

/// The example that comes with Quarterdeck, with some words replaced by others.
fn config(changes: &[(&str, &str)]) -> Config {
    let mut text = include_str!("../../config.toml.example").to_owned();
    for (old, new) in changes {
        assert!(text.contains(old), "the example has `{old}`");
        text = text.replace(old, new);
    }
    config::parse(Path::new("config.toml"), &text).expect("the example is right")
}

/// What the engine needs, with every road leading to the rehearsal.
fn setup(config: Config, repository: &Path, api: String) -> Setup {
    let (repository, regions) = (repository.to_owned(), config.lanes.clone());
    Setup {
        config: Arc::new(config),
        revision: "HEAD".to_owned(),
        guards: Guards::default(),
        connect: Arc::new(move || {
            let (repository, lanes, api) = (repository.clone(), regions.clone(), api.clone());
            Box::pin(async move {
                let mut regions = BTreeMap::new();
                for lane in lanes {
                    regions.insert(
                        lane.region.clone(),
                        connect(&loopback(&api), &lane.region, Realm::Rehearsal).await?,
                    );
                }
                Ok(Outside {
                    git: Arc::new(Repository::open(&repository).await?),
                    docker: Arc::new(Idle),
                    regions,
                })
            })
        }),
        ledger: Arc::new(Sealed),
        driver: Driver {
            user: Clean::line("mara"),
            machine: Clean::line("laptop"),
            pid: 1,
            version: Clean::line("0.1.0"),
        },
        logs: PathBuf::from("/nowhere"),
        rehearsal: true,
        pace: Pace::default(),
        clock: Clock::default(),
    }
}

fn loopback(api: &str) -> AwsConfig {
    let api = Some(api.to_owned());
    AwsConfig {
        endpoints: Endpoints {
            ssm: api.clone(),
            ecr: api.clone(),
            sts: api,
        },
        ..AwsConfig::default()
    }
}

/// The last checks, and the plan or why there is none.
async fn preflight(setup: Setup) -> (Vec<Check>, Result<Plan, Vec<Problem>>) {
    decided(&mut launch(setup)).await
}

/// Waits for the end of the preflight that is under way.
async fn decided(handle: &mut Handle) -> (Vec<Check>, Result<Plan, Vec<Problem>>) {
    let mut last = Vec::new();
    let decided = async {
        loop {
            match handle.updates.recv().await.expect("the engine goes on") {
                Update::Checks(checks) => last = checks,
                Update::Ready(plan) => break Ok(*plan),
                Update::Blocked(problems) => break Err(problems),
                other => panic!("not before the start: {other:?}"),
            }
        }
    };
    let plan = tokio::time::timeout(Duration::from_secs(60), decided).await;
    (last, plan.expect("preflight ends"))
}

async fn rehearsal() -> Rehearsal {
    Rehearsal::start(Options::default())
        .await
        .expect("loopback has a free port")
}

fn only_questions(rehearsal: &Rehearsal) {
    for request in rehearsal.requests() {
        assert!(
            QUESTIONS.contains(&request.operation.as_str()),
            "{request:?} changes something"
        );
    }
}

#[tokio::test]
async fn the_example_is_planned_and_nothing_is_changed() {
    let (repository, rehearsal) = (repository(), rehearsal().await);
    let head = git(repository.path(), &["rev-parse", "HEAD"]);
    let before = git(repository.path(), &["rev-parse", "HEAD~1"]);
    let east = Region::new("us-east-1");
    rehearsal
        .ecr()
        .preload(
            &east,
            "sento-us-east-1-processor-ecr",
            &["latest", &before],
            b"what was deployed last",
            Millis(0),
        )
        .expect("the repository is there");
    let (checks, plan) = preflight(setup(config(&[]), repository.path(), rehearsal.api())).await;
    let plan = plan.unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert!(
        checks.iter().all(|check| check.state != CheckState::Pending),
        "{checks:#?}"
    );
    assert_eq!(plan.commit.id.as_str(), head);
    assert_eq!((plan.lanes.len(), plan.builds.len()), (2, 1));
    for lane in &plan.lanes {
        assert_eq!(lane.sha_tag.as_str(), head);
        assert_eq!(lane.already, None);
        assert_eq!(lane.rollouts.len(), 2);
        for rollout in &lane.rollouts {
            assert!(!rollout.expected.is_empty(), "{} has hosts", rollout.name);
            assert!(
                rollout.resolved_version.as_str().parse::<u32>().is_ok(),
                "{}",
                rollout.resolved_version
            );
        }
    }
    let current = plan
        .lane(&east)
        .and_then(|lane| lane.current.as_ref())
        .expect("something runs");
    assert_eq!(
        current.commit.as_ref().map(|commit| commit.as_str()),
        Some(before.as_str())
    );
    assert_eq!(current.new_commits, [Clean::line("Count the queue")]);
    only_questions(&rehearsal);
}

#[tokio::test]
async fn everything_that_forbids_a_start_is_told_at_once() {
    let (repository, rehearsal) = (repository(), rehearsal().await);
    std::fs::write(repository.path().join("Dockerfile"), "FROM busybox\n").expect("write a file");
    let changes = [
        ("\"sento-{region}-processor-ecr\"", "\"sento-{region}-procesor-ecr\""),
        ("\"tag:OS\" = [\"Linux\"]", "\"tag:OS\" = [\"Plan9\"]"),
        ("os = \"Linux\" }", "ox = \"Linux\" }"),
    ];
    let (_, plan) = preflight(setup(config(&changes), repository.path(), rehearsal.api())).await;
    let problems = plan.expect_err("much is wrong");
    let kinds: Vec<Kind> = problems.iter().map(|problem| problem.kind).collect();
    let region = [Kind::Config, Kind::Config, Kind::NoHosts];
    assert_eq!(kinds, [&[Kind::Guard][..], &region, &region].concat(), "{problems:#?}");
    assert!(
        problems[1]
            .remedy
            .as_str()
            .starts_with("aws ecr create-repository --repository-name sento-us-east-1-procesor-ecr")
    );
    assert!(
        problems[2].what.as_str().contains("did you mean `os`?"),
        "{}",
        problems[2]
    );
    only_questions(&rehearsal);
}

#[tokio::test]
async fn credentials_of_one_region_hide_no_other_and_a_new_look_finds_them_mended() {
    let (repository, rehearsal) = (repository(), rehearsal().await);
    let expired = Rule::on("GetCallerIdentity", Act::Expired).within("us-east-1").times(1);
    let denied = Rule::on("DescribeDocument", Act::Denied).within("us-east-2").times(1);
    for rule in [expired, denied] {
        rehearsal.faults().add(rule);
    }
    let mut handle = launch(setup(config(&[]), repository.path(), rehearsal.api()));
    let (_, plan) = decided(&mut handle).await;
    let problems = plan.expect_err("two regions are in trouble");
    let kinds: Vec<Kind> = problems.iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [Kind::Credentials, Kind::Credentials], "{problems:#?}");
    assert!(problems[0].what.as_str().contains("us-east-1"), "{}", problems[0]);
    assert!(problems[1].what.as_str().contains("us-east-2"), "{}", problems[1]);
    handle.actions.send(Action::Recheck).expect("the engine listens");
    let (checks, plan) = decided(&mut handle).await;
    plan.unwrap_or_else(|problems| panic!("{problems:#?}\n{checks:#?}"));
    only_questions(&rehearsal);
}
