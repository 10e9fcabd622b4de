//! One build: logins for private base images, the context from git, the image from the Docker Engine.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::means::Means;
use super::ports::{BuildFailure, BuildSpec, Context, ContextSpec};
use crate::names::BuildId;
use crate::plan::{BuildPlan, EngineInfo, Source};
use crate::problem::{Kind, Problem};
use crate::state::{Fact, Step};

/// The label by which an image says which commit it holds (OCI image specification, annotations).
const REVISION: &str = "org.opencontainers.image.revision";

/// Builds, and returns what to record. `log` is the file that takes the whole log.
pub(super) async fn run(means: Means, id: BuildId, log: std::path::PathBuf, stop: CancellationToken) -> Vec<Fact> {
    let Some(plan) = means.plan.builds.iter().find(|build| build.id == id) else {
        return failed(&id, unplanned(&id));
    };
    let cancelled = || vec![Fact::BuildCancelled { build: id.clone() }];
    // A login in a region that does not answer, or a look at a large working directory, can take a minute.
    let prepared = tokio::select! {
        biased;
        () = stop.cancelled() => return cancelled(),
        prepared = prepare(&means, plan, log) => prepared,
    };
    let (spec, context) = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => return failed(&id, problem),
    };
    let docker = &means.outside.docker;
    match docker.build(spec, context, means.sink(), stop.clone()).await {
        Ok(built) => {
            let unchanged = tokio::select! {
                biased;
                () = stop.cancelled() => return cancelled(),
                unchanged = unchanged(&means) => unchanged,
            };
            if let Err(problem) = unchanged {
                return failed(&id, problem);
            }
            let mut facts = ended(&id, built.steps);
            facts.push(Fact::BuildSucceeded {
                build: id,
                image: built.image,
                context_bytes: built.context_bytes,
            });
            facts
        }
        Err(BuildFailure::Cancelled) => cancelled(),
        Err(BuildFailure::Failed {
            problem,
            step,
            exit_code,
            log_tail,
            steps,
        }) => {
            let mut facts = ended(&id, steps);
            facts.push(Fact::BuildFailed {
                build: id,
                problem,
                step,
                exit_code,
                log_tail,
            });
            facts
        }
    }
}

/// What the Docker Engine is asked with, and the context that it reads.
async fn prepare(means: &Means, plan: &BuildPlan, log: std::path::PathBuf) -> Result<(BuildSpec, Context), Problem> {
    let spec = spec(means, plan, log).await?;
    let context = ContextSpec {
        commit: means.plan.commit.id.clone(),
        source: means.plan.source,
        directory: plan.context.clone(),
        dockerfile: plan.dockerfile.clone(),
    };
    unchanged(means).await?;
    Ok((spec, means.outside.git.context(&context).await?))
}

/// The working directory is still what the tag says it is: `…-dirty-<hash>` was made when the plan was.
async fn unchanged(means: &Means) -> Result<(), Problem> {
    if means.plan.source == Source::Commit {
        return Ok(());
    }
    let git = &means.outside.git;
    let tags = means.plan.lanes.iter().map(|lane| lane.sha_tag.as_str());
    let marks = tags.filter_map(|tag| tag.rsplit_once("-dirty-"));
    let same = match marks.map(|(_, mark)| mark).next() {
        Some(mark) => git.dirty_hash(&means.plan.commit.id).await? == mark,
        None => git.commit(means.plan.commit.id.as_str(), None).await?.dirty_count == 0,
    };
    if same {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Build,
        "the working directory changed since the plan was made, so its tag would name something else",
        "plan again",
    ))
}

async fn spec(means: &Means, plan: &BuildPlan, log: std::path::PathBuf) -> Result<BuildSpec, Problem> {
    let mut labels: BTreeMap<String, String> = plan
        .labels
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().to_owned()))
        .collect();
    labels
        .entry(REVISION.to_owned())
        .or_insert_with(|| means.plan.commit.id.as_str().to_owned());
    let engine = engine(means, plan).await?;
    Ok(BuildSpec {
        build: plan.id.clone(),
        builder: engine.builder,
        dockerfile: plan.dockerfile.as_str().to_owned(),
        target: plan.target.as_ref().map(|target| target.as_str().to_owned()),
        args: means.secrets.build_args(plan)?,
        platform: plan.platform.as_ref().map(|platform| platform.as_str().to_owned()),
        labels,
        tag: local_tag(means, plan),
        credentials: credentials(means, plan).await,
        log,
    })
}

/// The engine that builds. Where a deployment is taken up it may be another one than the plan was made with, and have
/// another builder; one that builds for another platform would send the hosts an image that was never agreed to.
async fn engine(means: &Means, plan: &BuildPlan) -> Result<EngineInfo, Problem> {
    let planned = means.plan.engine.as_ref().ok_or_else(|| unplanned(&plan.id))?;
    let engine = means.outside.docker.info().await?;
    if plan.platform.is_some() || engine.platform == planned.platform {
        return Ok(engine);
    }
    Err(Problem::new(
        Kind::Build,
        format!(
            "the plan is for {}, which the Docker Engine at {} had, and the one at {} builds for {}",
            planned.platform, planned.host, engine.host, engine.platform
        ),
        "take the deployment up where its engine answers (DOCKER_HOST), or deploy anew from here",
    ))
}

/// Logins for the registries of the build's own regions, in case its `FROM` names one of them. A login that fails is
/// left out: most builds need none, and a push that needs it will say what is wrong.
async fn credentials(means: &Means, plan: &BuildPlan) -> Vec<(String, String, secrecy::SecretString)> {
    let logins = plan.regions.iter().filter_map(|region| {
        let ports = means.outside.regions.get(region)?;
        Some(async move { ports.ecr.login().await.ok() })
    });
    join_all(logins)
        .await
        .into_iter()
        .flatten()
        .map(|login| (login.host, login.user, login.password))
        .collect()
}

/// `quarterdeck/<app>:<sha tag>[-build-2]`: where the image is found on the engine afterwards.
fn local_tag(means: &Means, plan: &BuildPlan) -> String {
    let app: String = means.plan.app.as_str().to_lowercase();
    let app: String = app
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let app = app.trim_matches('-');
    let app = if app.is_empty() { "app" } else { app };
    let several = means.plan.builds.len() > 1;
    let suffix = if several {
        format!("-{}", plan.id)
    } else {
        String::new()
    };
    format!("quarterdeck/{app}:{}{suffix}", means.plan.commit.id)
}

fn ended(id: &BuildId, steps: Vec<Step>) -> Vec<Fact> {
    steps
        .into_iter()
        .map(|step| Fact::BuildStepEnded {
            build: id.clone(),
            step,
        })
        .collect()
}

/// A build that failed before or outside of its steps.
pub(super) fn failed(id: &BuildId, problem: Problem) -> Vec<Fact> {
    vec![Fact::BuildFailed {
        build: id.clone(),
        problem,
        step: None,
        exit_code: None,
        log_tail: Vec::new(),
    }]
}

fn unplanned(id: &BuildId) -> Problem {
    Problem::new(Kind::Unexpected, format!("{id} is not in the plan"), "")
}
