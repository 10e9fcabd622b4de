//! Preflight: every look at the outside that the plan needs, all that are possible at the same time, none of which changes
//! anything.
//!
//! What can be looked at next and what an answer means is decided by [`Draft`]; here the questions are put.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::ports::{AwsError, Git, RegionPorts};
use super::{Outside, Setup};
use crate::names::{CommitId, DeploymentId, Region};
use crate::plan::Plan;
use crate::plan::check::{Check, CheckState};
use crate::plan::draft::{Draft, Finding, Findings, Look, Since};
use crate::plan::found::Dockerfile;
use crate::problem::{Kind, Problem};

/// Pauses before a throttled read is tried again. The SDK has tried a few times itself by then.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Subjects of new commits that the plan keeps.
const SUBJECTS: usize = 10;

/// Resolves what will be done. `show` gets all checks as pending at once, and again each time one has its result.
///
/// Dropping the future stops every look.
///
/// # Errors
///
/// Every reason why the plan cannot start, in the order of the checks; one region's trouble hides no other's.
pub async fn preflight(
    setup: &Setup,
    outside: &Outside,
    show: &(dyn Fn(Vec<Check>) + Send + Sync),
) -> Result<Plan, Vec<Problem>> {
    let now = setup.clock.now();
    let mut findings = Findings::default();
    let mut shown = Vec::new();
    let mut started: Vec<Look> = Vec::new();
    let mut looks = FuturesUnordered::new();
    loop {
        let draft = Draft {
            config: &setup.config,
            guards: setup.guards,
            rehearsal: setup.rehearsal,
            findings: &findings,
            now,
        };
        let checks = draft.checks();
        let decided = checks.iter().all(|check| check.state != CheckState::Pending);
        if checks != shown {
            show(checks.clone());
            shown = checks;
        }
        if decided && let Some(plan) = draft.plan(DeploymentId::generate()) {
            return plan;
        }
        for look in draft.looks() {
            if !started.contains(&look) {
                started.push(look.clone());
                looks.push(find(setup, outside, look));
            }
        }
        match looks.next().await {
            Some(finding) => findings.add(finding),
            None => return Err(vec![stuck()]),
        }
        // What else is there already is taken in with it: all checks are made anew, and a large fleet has many.
        while let Some(Some(finding)) = looks.next().now_or_never() {
            findings.add(finding);
        }
    }
}

fn stuck() -> Problem {
    Problem::new(
        Kind::Unexpected,
        "preflight has nothing left to look at, and a check is still pending",
        "this is a defect of Quarterdeck: please report it",
    )
}

/// Puts one question.
async fn find(setup: &Setup, outside: &Outside, look: Look) -> Finding {
    let git = outside.git.as_ref();
    let source = setup.config.source;
    match look {
        Look::Commit => {
            let branch = setup.config.branch.as_ref().map(|branch| branch.as_str());
            Finding::Commit(git.commit(&setup.revision, branch).await)
        }
        Look::Changes(commit) => Finding::Changes(git.dirty_hash(&commit).await),
        Look::File(commit, path) => {
            let found = git.file(&commit, source, &path).await;
            Finding::File(path, found.map(|text| text.map(|text| Dockerfile::read(&text))))
        }
        Look::Engine => Finding::Engine(outside.docker.info().await),
        Look::Journal => {
            let config = &setup.config;
            let found = setup.ledger.obstacles(&config.app, &config.environment.name).await;
            Finding::Journal(found)
        }
        Look::Since {
            region,
            running,
            commit,
        } => Finding::Since(region, since(git, &running, &commit).await),
        Look::Account(region) => {
            let found = ask(outside, &region, |ports| ports.sts.identity()).await;
            Finding::Account(region, found)
        }
        Look::Repository(region, name) => {
            let found = ask(outside, &region, |ports| ports.ecr.repository(&name)).await;
            Finding::Repository(region, found.map(|found| found.map(|found| found.repository)))
        }
        Look::Image {
            region,
            repository,
            tag,
        } => {
            let found = ask(outside, &region, |ports| ports.ecr.image(&repository, &tag)).await;
            Finding::Image(region, found)
        }
        Look::Current {
            region,
            repository,
            tag,
        } => {
            let found = ask(outside, &region, |ports| ports.ecr.image(&repository, &tag)).await;
            Finding::Current(region, found)
        }
        Look::UnderWay(region) => {
            let found = ask(outside, &region, |ports| ports.ssm.under_way()).await;
            Finding::UnderWay(region, found)
        }
        Look::Document {
            region,
            rollout,
            name,
            version,
        } => {
            let found = ask(outside, &region, |ports| ports.ssm.document(&name, &version)).await;
            Finding::Document(region, rollout, found)
        }
        Look::Hosts {
            region,
            rollout,
            targets,
        } => {
            let found = ask(outside, &region, |ports| ports.ssm.hosts(&targets)).await;
            Finding::Hosts(region, rollout, found)
        }
    }
}

/// One question to AWS, put again after a while when AWS asks to slow down.
async fn ask<'a, T>(
    outside: &'a Outside,
    region: &Region,
    question: impl Fn(&'a RegionPorts) -> BoxFuture<'a, Result<T, AwsError>>,
) -> Result<T, Problem> {
    let Some(ports) = outside.regions.get(region) else {
        return Err(Problem::new(
            Kind::Unexpected,
            format!("no connection to {region} was made"),
            "this is a defect of Quarterdeck: please report it",
        ));
    };
    let mut pauses = PAUSES.iter();
    loop {
        match (question(ports).await, pauses.next()) {
            (Ok(answer), _) => return Ok(answer),
            (Err(AwsError::Throttled(_)), Some(pause)) => tokio::time::sleep(*pause).await,
            (Err(error), _) => return Err(error.problem().clone()),
        }
    }
}

/// How the deployed commit stands to the first of the running ones that the repository has.
async fn since(git: &dyn Git, running: &[CommitId], commit: &CommitId) -> Result<Option<Since>, Problem> {
    for running in running {
        if let Some((subjects, ahead)) = git.between(running, commit, SUBJECTS).await? {
            let behind = git.between(commit, running, 1).await?;
            return Ok(Some(Since {
                running: running.clone(),
                subjects,
                ahead,
                behind: behind.map_or(0, |(_, count)| count),
            }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
