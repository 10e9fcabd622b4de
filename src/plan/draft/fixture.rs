//! A configuration to draft from, the workflow that Quarterdeck replaces, and what preflight finds when all is well.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Findings, RegionFindings, Since};
use crate::config::{Config, Template};
use crate::names::{AccountId, CommitId, Digest, HostId, Millis, Region, RolloutName};
use crate::plan::found::{Caller, Dockerfile, Document, DocumentParameter, FoundImage};
use crate::plan::{Builder, Commit, EngineInfo, ExpectedHost, Mutability, Ping, Repository};
use crate::text::Clean;

/// `us-east-1`.
pub(crate) fn east() -> Region {
    Region::new("us-east-1")
}

/// `us-east-2`.
pub(crate) fn ohio() -> Region {
    Region::new("us-east-2")
}

/// The first rollout.
pub(crate) fn ubuntu() -> RolloutName {
    RolloutName::new("ubuntu")
}

/// The second rollout.
pub(crate) fn linux() -> RolloutName {
    RolloutName::new("linux")
}

pub(crate) fn template(text: &str) -> Template {
    Template::parse(text).expect("a good template")
}

/// Two regions, two rollouts each: the example that comes with Quarterdeck.
pub(crate) fn config() -> Config {
    let text = include_str!("../../../config.toml.example");
    crate::config::parse(Path::new("config.toml"), text).expect("the example is right")
}

/// The present moment of every test.
pub(crate) const NOW: Millis = Millis(1_764_057_600_000);

const HOUR: i64 = 3_600_000;

/// The commit that is deployed.
pub(crate) fn commit() -> Commit {
    Commit {
        id: CommitId::new("4f1c2ab09d3e8b7a6c5d4e3f2a1b0c9d8e7f6a5b"),
        subject: Clean::line("Count the queue before draining it"),
        author: Clean::line("Mara Okafor"),
        authored_at: Millis(NOW.0 - 3 * HOUR),
        branch: Some(Clean::line("main")),
        on_branch: Some(true),
        dirty: Vec::new(),
        dirty_count: 0,
        pushed: Some(true),
    }
}

/// The commit that runs.
pub(crate) fn running() -> CommitId {
    CommitId::new("9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b")
}

pub(crate) fn digest(digit: char) -> Digest {
    Digest::new(format!("sha256:{}", String::from(digit).repeat(64)))
}

pub(crate) fn image(digit: char, tags: &[&str]) -> FoundImage {
    FoundImage {
        digest: digest(digit),
        tags: tags.iter().map(|tag| Clean::line(tag)).collect(),
        pushed_at: Some(Millis(NOW.0 - 26 * HOUR)),
    }
}

pub(crate) fn engine() -> EngineInfo {
    EngineInfo {
        host: Clean::line("unix:///var/run/docker.sock"),
        origin: Clean::line("default"),
        version: Clean::line("28.5.2"),
        platform: Clean::line("linux/amd64"),
        builder: Builder::Buildkit,
    }
}

pub(crate) fn caller() -> Caller {
    Caller {
        account: AccountId::new("123456789012"),
        arn: Clean::line("arn:aws:sts::123456789012:assumed-role/deployer/mara"),
        endpoint: None,
    }
}

pub(crate) fn repository(region: &Region) -> Repository {
    let name = format!("sento-{region}-processor-ecr");
    Repository {
        uri: Clean::line(&format!("123456789012.dkr.ecr.{region}.amazonaws.com/{name}")),
        name: Clean::line(&name),
        mutability: Mutability::Mutable,
    }
}

pub(crate) fn parameter(name: &str) -> DocumentParameter {
    DocumentParameter {
        name: Clean::line(name),
        is_list: false,
        required: true,
        allowed_values: Vec::new(),
        allowed_pattern: None,
    }
}

pub(crate) fn document() -> Document {
    let os = DocumentParameter {
        required: false,
        ..parameter("os")
    };
    Document {
        version: Clean::line("7"),
        parameters: vec![parameter("image"), parameter("region"), os],
        platforms: vec![Clean::line("Linux")],
        steps: vec![Clean::line("pull")],
        execution_timeout_secs: Some(900),
    }
}

/// Hosts `prefix-1` and so on, online.
pub(crate) fn hosts(prefix: &str, count: usize) -> Vec<ExpectedHost> {
    (1..=count)
        .map(|number| ExpectedHost {
            id: HostId::new(format!("i-{prefix}{number:04}")),
            name: Clean::line(&format!("{prefix}-{number}")),
            ping: Ping::Online,
            platform: Clean::line("Ubuntu"),
        })
        .collect()
}

/// Everything as it should be: an older commit runs, the SHA is not there yet, every host is online.
pub(crate) fn findings(config: &Config) -> Findings {
    let mut findings = Findings {
        commit: Some(Ok(commit())),
        changes: None,
        files: [("Dockerfile".to_owned(), Ok(Some(Dockerfile::default())))].into(),
        engine: Some(Ok(engine())),
        journal: Some(Ok(Vec::new())),
        regions: BTreeMap::new(),
    };
    for lane in &config.lanes {
        let region = RegionFindings {
            caller: Some(Ok(caller())),
            repository: Some(Ok(Some(repository(&lane.region)))),
            image: Some(Ok(None)),
            current: Some(Ok(Some(image('a', &["latest", running().as_str()])))),
            since: Some(Ok(Some(Since {
                running: running(),
                subjects: vec![
                    Clean::line("Count the queue before draining it"),
                    Clean::line("Name the worker in its log"),
                ],
                ahead: 2,
                behind: 0,
            }))),
            under_way: Some(Ok(Vec::new())),
            documents: [(ubuntu(), Ok(Some(document()))), (linux(), Ok(Some(document())))].into(),
            hosts: [(ubuntu(), Ok(hosts("web", 12))), (linux(), Ok(hosts("job", 3)))].into(),
        };
        findings.regions.insert(lane.region.clone(), region);
    }
    findings
}
