//! A deployment rebuilt from SSM alone, for whoever has no journal of it: another machine, or another operator.
//!
//! SSM remembers each command with its Comment, and the token in it says which deployment, region, rollout and send it
//! was. What SSM does not know (the commit, the build, the image's digest) is unknown here and said to be.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::ports::{AwsError, Recipients, RegionPorts, SendRequest, SentCommand, Ssm};
use super::secrets::Secrets;
use super::setup::CLOCK_SKEW;
use crate::config::{Config, Parameter, RolloutConfig};
use crate::names::{AccountId, CommandId, CommitId, DeploymentId, Digest, HostId, Millis, Region, RolloutName, Token};
use crate::pages::Pages;
use crate::plan::{
    Commit, Environment, ExpectedHost, LanePlan, Mutability, ParameterValue, Ping, Plan, Repository, RolloutPlan,
    Source, Target, UNKNOWN,
};
use crate::problem::{Kind, Problem};
use crate::state::{Driver, Fact, SendPhase, SendTo, State};
use crate::text::Clean;

/// How often a read is made when AWS asks to slow down.
const TRIES: u32 = 5;
/// How often it is made when nobody answers: the client has waited for an answer several times by then.
const UNANSWERED: u32 = 2;
/// The pause before the second of them, doubled for each.
const PAUSE: Duration = Duration::from_secs(1);
/// Values of a filter that DescribeInstanceInformation takes (service model).
const FILTER_VALUES: usize = 100;

/// How long a region has to answer before the others go on without it.
pub const ANSWER: Duration = Duration::from_secs(10);

/// Which deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// By its id.
    Deployment(DeploymentId),
    /// By the start of its id, or by the digits of its short form.
    Called(String),
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
    /// The regions that could not be asked, and why: facts and secrets have nothing of them.
    pub unasked: Vec<(Region, Problem)>,
}

/// Looks for a deployment's commands in `regions`. Some of these may be out of reach, as long as another has some.
///
/// A region that has not told its commands `within` this time is left out.
///
/// # Errors
/// AWS's problem, or that SSM remembers no such command: it forgets commands after 30 days.
pub async fn adopt(
    whose: Whose,
    within: Duration,
    regions: &BTreeMap<Region, RegionPorts>,
    config: Option<&Arc<Config>>,
    driver: Driver,
    rehearsal: bool,
    now: Millis,
) -> Result<Adopted, Problem> {
    let mut unasked = Vec::new();
    let deployment = match &whose {
        Whose::Deployment(id) => *id,
        Whose::Called(name) => by_name(regions, name, &mut unasked).await?,
        Whose::Command(region, command) => by_command(regions, region, command).await?,
    };
    let asked = regions
        .iter()
        .filter(|(region, _)| unasked.iter().all(|(other, _)| other != *region));
    let looks = asked.map(|(region, ports)| async move {
        let look = timeout(within, lane(deployment, region, ports, config)).await;
        (region, look.unwrap_or_else(|_| Err(silence())))
    });
    let mut lanes = Vec::new();
    for (region, look) in join_all(looks).await {
        match look {
            Ok(lane) => lanes.extend(lane),
            Err(problem) => unasked.push((region.clone(), problem)),
        }
    }
    if lanes.is_empty() {
        return Err(nothing(&deployment.to_string(), regions, unasked));
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
            facts.extend(told(sent, region, rollout));
        }
    }
    // A configuration that has none of its rollouts is another application's.
    let config = config.filter(|_| lanes.iter().any(|lane| lane.is_configured));
    let started = Fact::DeploymentStarted {
        plan: Box::new(plan(deployment, lanes, config, (regions, &unasked), rehearsal, now)),
        driver,
    };
    facts.insert(0, started);
    Ok(Adopted {
        deployment,
        facts,
        secrets,
        unasked,
    })
}

/// What a journal says of a command that another machine sent.
fn told(sent: &SentCommand, region: Region, rollout: RolloutName) -> [Fact; 2] {
    let token = &sent.request.token;
    let intended = Fact::SendIntended {
        region,
        rollout,
        token: token.clone(),
        to: match &sent.request.to {
            Recipients::Targets(_) => SendTo::Targets,
            Recipients::Hosts(hosts) => SendTo::Hosts(hosts.clone()),
        },
    };
    let accepted = Fact::SendAccepted {
        token: token.clone(),
        command: sent.accepted.command.clone(),
        expires_at: sent.accepted.expires_at,
        adopted: true,
    };
    [intended, accepted]
}

/// The plan's commands that the journal does not have, as facts, and the regions that could not be asked for them.
pub(super) async fn elsewhere(
    plan: &Plan,
    state: &State,
    regions: &BTreeMap<Region, RegionPorts>,
) -> (Vec<Fact>, BTreeMap<Region, Problem>) {
    // Where nothing was sent too: the journal may be an older copy.
    let asked = regions.iter().filter(|(region, _)| plan.lane(region).is_some());
    let looks = asked.map(|(region, ports)| async move { (region, sent(plan.id, region, ports, ANSWER).await) });
    let (mut facts, mut unasked) = (Vec::new(), BTreeMap::new());
    for (region, look) in join_all(looks).await {
        match look {
            Ok(commands) => facts.extend(news(plan, state, region, commands)),
            Err(problem) => drop(unasked.insert(region.clone(), problem)),
        }
    }
    (facts, unasked)
}

/// The deployment's commands in a region that answers `within` this time, whoever sent them. Another machine that has
/// taken up the same deployment may have: who was retried there may have succeeded.
pub(super) async fn sent(
    deployment: DeploymentId,
    region: &Region,
    ports: &RegionPorts,
    within: Duration,
) -> Result<Vec<SentCommand>, Problem> {
    let commands = timeout(within, commands(deployment, ports)).await;
    commands.unwrap_or_else(|_| Err(silence())).map_err(|problem| {
        Problem::new(
            problem.kind,
            format!(
                "{region}: whether another machine has sent more of this deployment could not be asked: {}",
                problem.what
            ),
            "no host there is retried before that is known; a retry asks again",
        )
    })
}

/// A region is left out for now, so that the others do not wait for it.
fn silence() -> Problem {
    Problem::new(
        Kind::Unexpected,
        "SSM does not answer",
        "look at the network and at AWS's status for the region",
    )
}

/// What the journal does not have of a region's commands.
pub(super) fn news(plan: &Plan, state: &State, region: &Region, commands: Vec<SentCommand>) -> Vec<Fact> {
    let mut facts = Vec::new();
    for sent in commands {
        if let Some((_, of, rollout, _)) = sent.request.token.parts()
            && of == *region
            && plan.lane(region).is_some_and(|lane| lane.rollout(&rollout).is_some())
            && is_news(state, &sent)
        {
            facts.extend(told(&sent, of, rollout));
        }
    }
    facts
}

/// Whether the journal does not have the command, and nobody is going to look for it.
///
/// Its token may be known all the same: another machine counts on from what SSM shows, and so gives a number again that
/// was refused, or abandoned, or is in use here. Each of its commands is a send of its own.
fn is_news(state: &State, sent: &SentCommand) -> bool {
    let awaited = state
        .send(&sent.request.token)
        .is_some_and(|(_, rollout, at)| match &rollout.sends[at].phase {
            SendPhase::Intended | SendPhase::Unknown(_) => true,
            SendPhase::Accepted { .. } | SendPhase::Refused(_) | SendPhase::Abandoned => false,
        });
    !awaited && state.command(&sent.accepted.command).is_none()
}

async fn by_name(
    regions: &BTreeMap<Region, RegionPorts>,
    name: &str,
    unasked: &mut Vec<(Region, Problem)>,
) -> Result<DeploymentId, Problem> {
    let digits = name.to_ascii_lowercase().replace('-', "");
    let looks = regions
        .iter()
        .map(|(region, ports)| async move { (region, patiently(|| ports.ssm.sent(Token::OURS, None)).await) });
    let mut found = BTreeSet::new();
    for (region, list) in join_all(looks).await {
        match list {
            Ok(list) => {
                let tokens = list.into_iter().filter_map(|sent| sent.request.token.parts());
                found.extend(tokens.map(|(id, ..)| id).filter(|id| id.is_called(&digits)));
            }
            Err(problem) => unasked.push((region.clone(), problem)),
        }
    }
    let Some(first) = found.first().copied() else {
        return Err(nothing(name, regions, std::mem::take(unasked)));
    };
    if found.len() > 1 {
        let list: String = found.iter().map(|id| format!("\n  {id}")).collect();
        let what = format!("{name:?} may be any of these deployments:{list}");
        return Err(Problem::new(Kind::Config, what, "give more of its id"));
    }
    Ok(first)
}

/// Nothing was found: because a region could not be asked, or else because there is nothing.
fn nothing(deployment: &str, regions: &BTreeMap<Region, RegionPorts>, unasked: Vec<(Region, Problem)>) -> Problem {
    let first = unasked.into_iter().next();
    first.map_or_else(|| none(deployment, regions), |(_, problem)| problem)
}

fn none(deployment: &str, regions: &BTreeMap<Region, RegionPorts>) -> Problem {
    Problem::new(
        Kind::Config,
        format!(
            "SSM has no command of deployment {deployment} in {}",
            names(regions.keys())
        ),
        "name its regions with --regions and its account with --profile or AWS_PROFILE; SSM forgets commands after 30 days",
    )
}

fn names<'a>(regions: impl IntoIterator<Item = &'a Region>) -> String {
    let names: Vec<&str> = regions.into_iter().map(Region::as_str).collect();
    names.join(", ")
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
    /// Whether the configuration has one of its rollouts.
    is_configured: bool,
}

/// The deployment's commands in a region, in the order in which they were sent.
async fn commands(deployment: DeploymentId, ports: &RegionPorts) -> Result<Vec<SentCommand>, Problem> {
    let prefix = Token::prefix(deployment);
    // An account may have sent a great many other commands since SSM began to remember.
    let since = deployment.made_at().map(|made| Millis(made.0 - CLOCK_SKEW));
    let mut sent = patiently(|| ports.ssm.sent(&prefix, since)).await?;
    let serial = |sent: &SentCommand| sent.request.token.parts().map_or(0, |(.., serial)| serial);
    // Two machines may have counted on from the same number: what was sent last is the last word.
    sent.sort_by_key(|sent| (sent.requested_at, serial(sent)));
    Ok(sent)
}

async fn lane(
    deployment: DeploymentId,
    region: &Region,
    ports: &RegionPorts,
    config: Option<&Arc<Config>>,
) -> Result<Option<Lane>, Problem> {
    let sent = commands(deployment, ports).await?;
    if sent.is_empty() {
        return Ok(None);
    }
    let caller = patiently(|| ports.sts.identity()).await?;
    let mut rollouts: Vec<RolloutPlan> = Vec::new();
    let mut is_configured = false;
    for sent in &sent {
        let Some((.., name, _)) = sent.request.token.parts() else {
            continue;
        };
        if rollouts.iter().all(|rollout| rollout.name != name) {
            let configured =
                config.and_then(|config| configured(config, region, &caller.account, &name, &sent.request));
            is_configured |= configured.is_some();
            let known = configured.map(known).unwrap_or_default();
            rollouts.push(rollout(name, region, sent, ports.ssm.as_ref(), &known).await?);
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
    Ok(Some(Lane {
        plan,
        sent,
        is_configured,
    }))
}

/// The rollout as its first command tells it.
///
/// Parameters that may be secret are: the plan, and with it the journal, keeps their names only. `known` has those of which
/// the configuration says whether they are. Of the others, a value that is told here anyway is none: the region, what the
/// targets name, what the document lists.
async fn rollout(
    name: RolloutName,
    region: &Region,
    sent: &SentCommand,
    ssm: &dyn Ssm,
    known: &BTreeMap<String, bool>,
) -> Result<RolloutPlan, Problem> {
    let request = &sent.request;
    // Whoever may send a command may still not read its document; then a host's output is that of its only step.
    let document = patiently(|| ssm.document(&request.document, &request.document_version)).await;
    let document = document.ok().flatten();
    let mut told = BTreeSet::from([region.as_str()]);
    if let Recipients::Targets(targets) = &request.to {
        told.extend(targets.iter().flat_map(|target| &target.values).map(Clean::as_str));
    }
    let listed = document.iter().flat_map(|document| &document.parameters);
    told.extend(
        listed
            .flat_map(|parameter| &parameter.allowed_values)
            .map(Clean::as_str),
    );
    let parameters = request.parameters.iter().map(|(name, values)| {
        let values: Vec<Clean> = values.iter().map(|value| Clean::block(value.expose_secret())).collect();
        let secret = known.get(name).copied();
        let secret = secret.unwrap_or_else(|| values.iter().any(|value| !told.contains(value.as_str())));
        let value = if secret {
            ParameterValue::Secret
        } else {
            ParameterValue::Plain(values)
        };
        (name.clone(), value)
    });
    let parameters = parameters.collect();
    Ok(RolloutPlan {
        name,
        document: Clean::line(&request.document),
        document_version: Clean::line(&request.document_version),
        resolved_version: Clean::line(UNKNOWN),
        output_step: document.and_then(|document| document.output_step()),
        parameters,
        targets: match &request.to {
            Recipients::Targets(targets) => targets.clone(),
            Recipients::Hosts(_) => Vec::new(),
        },
        delivery_timeout_secs: request.delivery_timeout_secs,
        max_concurrency: Clean::line(&request.max_concurrency),
        max_errors: Clean::line(&request.max_errors),
        expected: expected(sent, ssm).await?,
    })
}

/// The hosts of a rollout's first command, with the names that they have today.
///
/// Whom its targets matched when it went out is kept nowhere, and by now they may match others: a host that was launched
/// since must not be missed. So it is those that SSM lists; where it lists none yet, those that the targets match now.
async fn expected(sent: &SentCommand, ssm: &dyn Ssm) -> Result<Vec<ExpectedHost>, Problem> {
    let listed = match &sent.request.to {
        Recipients::Hosts(hosts) => hosts.iter().cloned().collect(),
        Recipients::Targets(_) => listed(&sent.accepted.command, ssm).await?,
    };
    let mut known: BTreeMap<HostId, ExpectedHost> = BTreeMap::new();
    for targets in asked(&sent.request.to, &listed) {
        let found = patiently(|| ssm.hosts(&targets)).await?;
        known.extend(found.into_iter().map(|host| (host.id.clone(), host)));
    }
    if listed.is_empty() {
        return Ok(known.into_values().collect());
    }
    let host = |id: HostId| known.remove(&id).unwrap_or_else(|| gone(id));
    Ok(listed.into_iter().map(host).collect())
}

/// Every host that SSM lists for the command.
async fn listed(command: &CommandId, ssm: &dyn Ssm) -> Result<BTreeSet<HostId>, Problem> {
    let mut hosts = BTreeSet::new();
    let mut pages = Pages::default();
    loop {
        let token = pages.token();
        let page = patiently(|| ssm.invocations(command, None, token.as_deref())).await?;
        hosts.extend(page.invocations.into_iter().map(|invocation| invocation.host));
        if !pages.go_on(page.next.as_deref()) {
            break;
        }
    }
    if pages.circles() {
        // Whoever is not listed would be expected by nobody.
        let what = format!("ListCommandInvocations of {command} leads in circles: its page token repeats");
        return Err(Problem::new(Kind::Unexpected, what, "try again"));
    }
    Ok(hosts)
}

/// What names the hosts: the command's own targets, or their ids where it has none.
pub(super) fn asked(to: &Recipients, listed: &BTreeSet<HostId>) -> Vec<Vec<Target>> {
    match to {
        Recipients::Targets(targets) => vec![targets.clone()],
        Recipients::Hosts(_) => {
            let ids: Vec<Clean> = listed.iter().map(|host| Clean::line(host.as_str())).collect();
            let target = |ids: &[Clean]| Target {
                key: Clean::line("InstanceIds"),
                values: ids.to_vec(),
            };
            ids.chunks(FILTER_VALUES).map(|ids| vec![target(ids)]).collect()
        }
    }
}

/// A host that the command went to and that its targets do not match any more.
fn gone(id: HostId) -> ExpectedHost {
    ExpectedHost {
        id,
        name: Clean::default(),
        ping: Ping::Other(Clean::line(UNKNOWN)),
        platform: Clean::default(),
    }
}

/// The command's rollout in the configuration. Another application's may have the same name, and sends other things.
fn configured<'a>(
    config: &'a Config,
    region: &Region,
    account: &AccountId,
    name: &RolloutName,
    request: &SendRequest,
) -> Option<&'a RolloutConfig> {
    let lane = config.lanes.iter().find(|lane| lane.region == *region)?;
    let vars = config.vars(lane, account.as_str(), "", "");
    lane.rollouts.iter().find(|rollout| {
        rollout.name == *name
            && rollout.document.render(&vars) == request.document
            && rollout.parameters.keys().eq(request.parameters.keys())
    })
}

/// The parameters of a configured rollout, and whether they are secret.
fn known(rollout: &RolloutConfig) -> BTreeMap<String, bool> {
    let parameters = rollout.parameters.iter();
    parameters
        .map(|(name, value)| (name.clone(), matches!(value, Parameter::Secret(_))))
        .collect()
}

fn plan(
    id: DeploymentId,
    lanes: Vec<Lane>,
    config: Option<&Arc<Config>>,
    (regions, unasked): (&BTreeMap<Region, RegionPorts>, &[(Region, Problem)]),
    rehearsal: bool,
    now: Millis,
) -> Plan {
    let unasked: Vec<&Region> = unasked.iter().map(|(region, _)| region).collect();
    let looked = names(regions.keys().filter(|region| !unasked.contains(region)));
    let mut warnings = vec![
        Clean::line("rebuilt from SSM alone: commit, build and digest are unknown"),
        Clean::line("a retry cannot check whether the tag still points at this deployment's image"),
        Clean::line(&format!("only what was sent in {looked} is shown")),
    ];
    if !unasked.is_empty() {
        let left_out = format!("{}: could not be asked, and left out", names(unasked));
        warnings.push(Clean::line(&left_out));
    }
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
        engine: None,
        builds: Vec::new(),
        lanes: lanes.into_iter().map(|lane| lane.plan).collect(),
        warnings,
    }
}

/// Reads are harmless to repeat.
async fn patiently<T, F>(mut call: impl FnMut() -> F) -> Result<T, Problem>
where
    F: Future<Output = Result<T, AwsError>>,
{
    let mut pause = PAUSE;
    let mut made = 0;
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        made += 1;
        let tries = match &error {
            AwsError::Throttled(_) => TRIES,
            AwsError::Unknown(_) => UNANSWERED,
            AwsError::Expired(_) | AwsError::Refused(_) => 1,
        };
        if made >= tries {
            return Err(error.problem().clone());
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}
