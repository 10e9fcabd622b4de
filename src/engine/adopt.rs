//! A deployment rebuilt from SSM alone, for whoever has no journal of it: another machine, or another operator.
//!
//! SSM remembers each command with its Comment, and the token in it says which deployment, region, rollout and send it
//! was. What SSM does not know (the commit, the build, the image's digest) is unknown here and said to be.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use futures_util::future::join_all;
use secrecy::ExposeSecret;

use super::ports::{AwsError, Recipients, RegionPorts, SentCommand};
use super::secrets::Secrets;
use crate::config::{Config, Parameter};
use crate::names::{CommandId, CommitId, DeploymentId, Digest, Millis, Region, RolloutName};
use crate::plan::{
    Builder, Commit, EngineInfo, Environment, ExpectedHost, LanePlan, Mutability, ParameterValue, Plan, Repository,
    RolloutPlan, Source,
};
use crate::problem::{Kind, Problem};
use crate::state::{Driver, Fact, SendTo};
use crate::text::Clean;

/// How often a read is tried when AWS asks to slow down or does not answer.
const TRIES: u32 = 5;
/// The pause before the first of them, doubled for each.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);
/// What stands where SSM knows nothing.
const UNKNOWN: &str = "unknown";

/// Which deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// By its id.
    Deployment(DeploymentId),
    /// By one of its commands.
    Command(Region, CommandId),
}

/// A deployment as SSM remembers it.
pub struct Adopted {
    /// Its id.
    pub deployment: DeploymentId,
    /// The facts that its journal would begin with, the plan first; nothing of the hosts yet, which are read once it is
    /// attached.
    pub facts: Vec<Fact>,
    /// The parameters' values. SSM does not say which of them are secret, so the plan holds none of them.
    pub secrets: Secrets,
}

/// Looks for a deployment's commands in `regions`.
///
/// # Errors
/// AWS's problem, or that SSM remembers no such command: it forgets commands after 30 days.
pub async fn adopt(
    whose: Whose,
    regions: &BTreeMap<Region, RegionPorts>,
    config: Option<&Arc<Config>>,
    driver: Driver,
    rehearsal: bool,
    now: Millis,
) -> Result<Adopted, Problem> {
    let deployment = match &whose {
        Whose::Deployment(id) => *id,
        Whose::Command(region, command) => by_command(regions, region, command).await?,
    };
    let lanes = join_all(
        regions
            .iter()
            .map(|(region, ports)| lane(deployment, region, ports, config)),
    )
    .await;
    let lanes: Vec<Lane> = lanes
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect();
    if lanes.is_empty() {
        let looked: Vec<&str> = regions.keys().map(Region::as_str).collect();
        return Err(Problem::new(
            Kind::Config,
            format!("SSM has no command of deployment {deployment} in {}", looked.join(", ")),
            "name its regions with --regions and its account with AWS_PROFILE; SSM forgets commands after 30 days",
        ));
    }
    let mut secrets = Secrets::default();
    let mut facts = Vec::new();
    for lane in &lanes {
        facts.push(Fact::PushSkipped {
            region: lane.plan.region.clone(),
            digest: Digest::new(UNKNOWN),
        });
        for sent in &lane.sent {
            let Some((_, region, rollout, _)) = sent.request.token.parts() else {
                continue;
            };
            secrets.remember(&region, &rollout, &sent.request.parameters);
            facts.push(Fact::SendIntended {
                region,
                rollout,
                token: sent.request.token.clone(),
                to: match &sent.request.to {
                    Recipients::Targets(_) => SendTo::Targets,
                    Recipients::Hosts(hosts) => SendTo::Hosts(hosts.clone()),
                },
            });
            facts.push(Fact::SendAccepted {
                token: sent.request.token.clone(),
                command: sent.accepted.command.clone(),
                expires_at: sent.accepted.expires_at,
                adopted: true,
            });
        }
    }
    let started = Fact::DeploymentStarted {
        plan: Box::new(plan(deployment, lanes, config, rehearsal, now)),
        driver,
    };
    facts.insert(0, started);
    Ok(Adopted {
        deployment,
        facts,
        secrets,
    })
}

async fn by_command(
    regions: &BTreeMap<Region, RegionPorts>,
    region: &Region,
    command: &CommandId,
) -> Result<DeploymentId, Problem> {
    let ports = regions.get(region).ok_or_else(|| {
        let what = format!("{region} is not among the regions to look in");
        Problem::new(Kind::Config, what, "name it with --regions")
    })?;
    let sent = patiently(|| ports.ssm.sent_as(command)).await?;
    let parts = sent.and_then(|sent| sent.request.token.parts());
    parts.map(|(deployment, ..)| deployment).ok_or_else(|| {
        Problem::new(
            Kind::Config,
            format!("{region}: SSM has no command {command} that Quarterdeck sent"),
            "check the id and the region; a command that another program sent carries no token and cannot be attached to",
        )
    })
}

/// A region's part: its plan, and its commands in the order in which they were sent.
struct Lane {
    plan: LanePlan,
    sent: Vec<SentCommand>,
}

async fn lane(
    deployment: DeploymentId,
    region: &Region,
    ports: &RegionPorts,
    config: Option<&Arc<Config>>,
) -> Result<Option<Lane>, Problem> {
    let prefix = crate::names::Token::prefix(deployment);
    let mut sent = patiently(|| ports.ssm.sent(&prefix)).await?;
    if sent.is_empty() {
        return Ok(None);
    }
    let serial = |sent: &SentCommand| sent.request.token.parts().map_or(0, |(.., serial)| serial);
    sent.sort_by_key(|sent| (serial(sent), sent.requested_at));
    let caller = patiently(|| ports.sts.identity()).await?;
    let mut rollouts: Vec<RolloutPlan> = Vec::new();
    for sent in &sent {
        let Some((.., name, _)) = sent.request.token.parts() else {
            continue;
        };
        if rollouts.iter().all(|rollout| rollout.name != name) {
            let plain = config.map_or_else(BTreeSet::new, |config| plain(config, region, &name));
            rollouts.push(rollout(name, sent, ports, &plain).await?);
        }
    }
    rollouts.sort_by(|a, b| a.name.cmp(&b.name));
    let plan = LanePlan {
        region: region.clone(),
        account: caller.account,
        arn: caller.arn,
        build: None,
        repository: Repository {
            name: Clean::line(UNKNOWN),
            uri: Clean::line(UNKNOWN),
            mutability: Mutability::Mutable,
        },
        sha_tag: Clean::line(UNKNOWN),
        moving_tags: Vec::new(),
        already: Some(Digest::new(UNKNOWN)),
        current: None,
        rollouts,
    };
    Ok(Some(Lane { plan, sent }))
}

/// The rollout as its first command tells it; its hosts are those that its targets match today, as names are kept nowhere else.
///
/// Parameters that are not named in `plain` may be secret: the plan, and with it the journal, keeps their names only.
async fn rollout(
    name: RolloutName,
    sent: &SentCommand,
    ports: &RegionPorts,
    plain: &BTreeSet<String>,
) -> Result<RolloutPlan, Problem> {
    let request = &sent.request;
    let (targets, expected): (_, Vec<ExpectedHost>) = match &request.to {
        Recipients::Targets(targets) => (targets.clone(), patiently(|| ports.ssm.hosts(targets)).await?),
        Recipients::Hosts(_) => (Vec::new(), Vec::new()),
    };
    let parameters = request.parameters.iter().map(|(name, values)| {
        let values = values.iter().map(|value| Clean::block(value.expose_secret()));
        let shown = plain.contains(name).then(|| ParameterValue::Plain(values.collect()));
        (name.clone(), shown.unwrap_or(ParameterValue::Secret))
    });
    Ok(RolloutPlan {
        name,
        document: Clean::line(&request.document),
        document_version: Clean::line(&request.document_version),
        resolved_version: Clean::line(&request.document_version),
        output_step: None,
        parameters: parameters.collect(),
        targets,
        delivery_timeout_secs: request.delivery_timeout_secs,
        max_concurrency: Clean::line(&request.max_concurrency),
        max_errors: Clean::line(&request.max_errors),
        expected,
    })
}

/// The parameters of a rollout that the configuration says are no secrets.
fn plain(config: &Config, region: &Region, rollout: &RolloutName) -> BTreeSet<String> {
    let lanes = config.lanes.iter().filter(|lane| lane.region == *region);
    let rollouts = lanes
        .flat_map(|lane| &lane.rollouts)
        .filter(|known| known.name == *rollout);
    rollouts
        .flat_map(|rollout| &rollout.parameters)
        .filter(|(_, value)| matches!(value, Parameter::Plain(_)))
        .map(|(name, _)| name.clone())
        .collect()
}

fn plan(id: DeploymentId, lanes: Vec<Lane>, config: Option<&Arc<Config>>, rehearsal: bool, now: Millis) -> Plan {
    let requested = lanes
        .iter()
        .flat_map(|lane| &lane.sent)
        .filter_map(|sent| sent.requested_at);
    let unknown = || Clean::line(UNKNOWN);
    Plan {
        id,
        app: config.map_or_else(unknown, |config| config.app.clone()),
        environment: config.map_or_else(
            || Environment {
                name: unknown(),
                protected: false,
            },
            |config| config.environment.clone(),
        ),
        rehearsal,
        made_at: requested.min().unwrap_or(now),
        commit: Commit {
            id: CommitId::new(UNKNOWN),
            subject: Clean::line("attached through SSM, which does not know the commit"),
            author: unknown(),
            authored_at: now,
            branch: None,
            on_branch: None,
            dirty: Vec::new(),
            dirty_count: 0,
            pushed: None,
        },
        source: Source::Commit,
        engine: EngineInfo {
            host: unknown(),
            origin: Clean::line("attached"),
            version: unknown(),
            platform: unknown(),
            builder: Builder::Buildkit,
        },
        builds: Vec::new(),
        lanes: lanes.into_iter().map(|lane| lane.plan).collect(),
        warnings: vec![Clean::line(
            "attached through SSM alone: the image's digest is unknown, so a retry cannot check that the tag still points at it",
        )],
    }
}

/// Reads are harmless to repeat.
async fn patiently<T, F>(mut call: impl FnMut() -> F) -> Result<T, Problem>
where
    F: Future<Output = Result<T, AwsError>>,
{
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(AwsError::Throttled(_) | AwsError::Unknown(_)) => tokio::time::sleep(pause).await,
            Err(AwsError::Expired(problem) | AwsError::Refused(problem)) => return Err(problem),
        }
        pause *= 2;
    }
    call().await.map_err(|error| error.problem().clone())
}
