//! The deployment that `attach` means: one of this machine's journal, or one that only SSM remembers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::access::Access;
use super::connect::{self, Accounts};
use super::place;
use super::session::{self, Session};
use crate::cli::Attach;
use crate::config::Config;
use crate::engine::ports::Ledger as _;
use crate::engine::{self, Adopted, Secrets, Whose};
use crate::headless::was_sent;
use crate::journal::{Archive, Entry, RESCUE, is_name};
use crate::names::{CommandId, DeploymentId, Millis};
use crate::plan::{ParameterValue, Plan};
use crate::problem::{Kind, Problem};
use crate::state::{Recorded, State};

/// The name of the newest deployment.
const LATEST: &str = "latest";
/// The newest deployments of the journal among which the latest of an application and environment is looked for.
pub(super) const RECENT: usize = 100;
/// How often SSM is asked for a deployment that must be there.
const LOOKS: u32 = 5;
/// Between two of these.
const LOOK: Duration = Duration::from_millis(500);

/// A deployment to take up.
pub(super) struct Found {
    /// What was to be done.
    pub plan: Arc<Plan>,
    /// What happened.
    pub facts: Vec<Recorded>,
    /// What neither of them holds.
    pub secrets: Secrets,
    /// What could not be found out.
    pub notices: Vec<Problem>,
}

/// Finds the deployment in the journal, or else in SSM.
///
/// # Errors
/// It is in neither; it belongs to a rehearsal and this shell does not, or the other way round; AWS's problem.
pub(super) async fn find(session: &Session, access: &Access, args: &Attach) -> Result<Found, Problem> {
    let archive = session.journal.archive()?;
    if let (Some(command), Some(region)) = (&args.reach.command_id, &args.reach.region) {
        let whose = Whose::Command(region.clone(), CommandId::new(command));
        return adopted(session, &archive, access, whose).await;
    }
    if archive.called(&args.id)?.is_empty() {
        refuse_an_ended_rehearsal(session.journal.dir(), access, &args.id)?;
        if is_name(&args.id) {
            if access.to_search().is_empty() {
                return Err(nowhere_to_look(&archive, &args.id));
            }
            return adopted(session, &archive, access, Whose::Called(args.id.clone())).await;
        }
    }
    let id = match &access.config {
        Some(config) if args.id.trim() == LATEST => latest_of(&archive, config)?,
        Some(_) | None => archive.find(&args.id)?.id,
    };
    known(session, access, id).await
}

fn nowhere_to_look(archive: &Archive, id: &str) -> Problem {
    Problem::new(
        Kind::Config,
        format!(
            "no deployment is called {id:?} in {}, and without a config.toml no region is known to look for it in",
            archive.dir().display()
        ),
        "`quarterdeck history` lists what was driven from here. One that was started elsewhere is found with --regions, or \
         by one of its commands with --command-id ID --region REGION",
    )
}

/// The newest deployment of the configuration's application and environment: the state folder is shared by all
/// repositories of this machine.
fn latest_of(archive: &Archive, config: &Config) -> Result<DeploymentId, Problem> {
    let ours = |entry: &Entry| entry.app == config.app && entry.environment == config.environment.name;
    let entries = archive.list(RECENT)?;
    entries.into_iter().find(ours).map(|entry| entry.id).ok_or_else(|| {
        Problem::new(
            Kind::Config,
            format!(
                "no deployment of {} to {} was driven from here lately",
                config.app, config.environment.name
            ),
            "`quarterdeck history` lists what there is; name one by its id",
        )
    })
}

/// The configuration has the connections and the secrets: another application's would send this one's commands with them.
fn refuse_another_app(plan: &Plan, access: &Access) -> Result<(), Problem> {
    match &access.config {
        Some(config)
            if !plan.is_adopted() && (config.app != plan.app || config.environment.name != plan.environment.name) =>
        {
            Err(Problem::new(
                Kind::Config,
                format!(
                    "deployment {} is of {} to {}, and {} is about {} to {}",
                    plan.id.short(),
                    plan.app,
                    plan.environment.name,
                    config.path.display(),
                    config.app,
                    config.environment.name
                ),
                "attach in that repository, or name its configuration with --config",
            ))
        }
        Some(_) | None => Ok(()),
    }
}

/// A deployment that SSM remembers. Its beginning goes into the journal, unless that has it already.
async fn adopted(session: &Session, archive: &Archive, access: &Access, whose: Whose) -> Result<Found, Problem> {
    let adopted = adopt(access, access.to_search(), whose, Duration::MAX).await?;
    let mut facts = archive.facts(adopted.deployment)?;
    if facts.is_empty() {
        facts = match session.journal.append(adopted.deployment, adopted.facts).await {
            Ok(recorded) => recorded,
            // Another process may have adopted it in the same moment: the journal takes a deployment's beginning once.
            Err(problem) => match archive.facts(adopted.deployment)? {
                told if told.is_empty() => return Err(problem),
                told => told,
            },
        };
    }
    let plan = plan(&facts)?;
    refuse_the_wrong_world(&plan, access)?;
    refuse_another_app(&plan, access)?;
    let secrets = secrets(&plan, access, Some(adopted.secrets));
    let notices = adopted.unasked.iter().map(|(region, problem)| {
        Problem::new(
            problem.kind,
            format!("{region}: left out, since it could not be asked: {}", problem.what),
            "what was sent there is neither shown nor followed here; attach once it answers, with another --state-dir",
        )
    });
    Ok(Found {
        plan,
        facts,
        secrets,
        notices: notices.collect(),
    })
}

/// A deployment that the journal has.
///
/// # Errors
/// As [`find`].
pub(super) async fn known(session: &Session, access: &Access, id: DeploymentId) -> Result<Found, Problem> {
    let facts = session.journal.archive()?.facts(id)?;
    let plan = plan(&facts)?;
    refuse_the_wrong_world(&plan, access)?;
    refuse_another_app(&plan, access)?;
    // SSM is asked for the values of parameters that neither journal nor configuration has, and a rehearsal's stand-ins
    // whether they are this deployment's.
    let asked = plan.is_adopted() || plan.rehearsal || access.config.is_none() && has_secrets(&plan);
    let (remembered, notices) = if asked && was_sent(&State::replay(&facts)) {
        let (secrets, notices) = remembered(access, &plan).await?;
        (Some(secrets), notices)
    } else {
        (None, Vec::new())
    };
    let secrets = secrets(&plan, access, remembered);
    Ok(Found {
        plan,
        facts,
        secrets,
        notices,
    })
}

/// What SSM remembers of a deployment that the journal has, and what it could not be asked for: only a retry needs it. Its
/// lists lag behind SendCommand, and a deployment whose process died a moment ago has only just sent.
async fn remembered(access: &Access, plan: &Plan) -> Result<(Secrets, Vec<Problem>), Problem> {
    let mut looks = 0;
    loop {
        looks += 1;
        match adopt(access, access.of_plan(plan), Whose::Deployment(plan.id), engine::ANSWER).await {
            Ok(adopted) => {
                let unasked = adopted.unasked.iter();
                let notices = unasked.map(|(region, problem)| unanswered(region.as_str(), problem));
                return Ok((adopted.secrets, notices.collect()));
            }
            Err(problem) if problem.kind == Kind::Config && looks < LOOKS => tokio::time::sleep(LOOK).await,
            // Another rehearsal's stand-ins answer, which know nothing of it.
            Err(problem) if plan.rehearsal && problem.kind == Kind::Config => return Err(ended(&plan.id.short(), "")),
            // Whether a rehearsal's stand-ins are this deployment's has to be known. Nor is it any use to go on without
            // credentials.
            Err(problem) if plan.rehearsal || problem.kind != Kind::Unexpected => return Err(problem),
            Err(problem) => return Ok((Secrets::default(), vec![unanswered("SSM", &problem)])),
        }
    }
}

fn unanswered(who: &str, problem: &Problem) -> Problem {
    Problem::new(
        problem.kind,
        format!(
            "{who}: could not be asked for the parameters that were sent: {}",
            problem.what
        ),
        "hosts are followed all the same; attach again once it answers, before hosts there are retried",
    )
}

async fn adopt(access: &Access, accounts: Accounts, whose: Whose, within: Duration) -> Result<Adopted, Problem> {
    let regions = connect::regions(&accounts, &access.ways).await?;
    let rehearsal = access.ways.rehearsal.is_some();
    let config = access.config.as_ref();
    let now = Millis::now();
    engine::adopt(whose, within, &regions, config, session::driver(), rehearsal, now).await
}

fn plan(facts: &[Recorded]) -> Result<Arc<Plan>, Problem> {
    State::replay(facts).plan.ok_or_else(|| {
        Problem::new(
            Kind::Unexpected,
            "the deployment's journal does not begin with its plan",
            RESCUE,
        )
    })
}

/// The configuration's secrets where the plan was made with it, and what was sent where it was not.
fn secrets(plan: &Plan, access: &Access, remembered: Option<Secrets>) -> Secrets {
    match &access.config {
        Some(config) if !plan.is_adopted() => Secrets::of(config),
        Some(_) | None => remembered.unwrap_or_default(),
    }
}

fn has_secrets(plan: &Plan) -> bool {
    let mut rollouts = plan.lanes.iter().flat_map(|lane| &lane.rollouts);
    rollouts.any(|rollout| {
        rollout
            .parameters
            .values()
            .any(|value| *value == ParameterValue::Secret)
    })
}

/// What a rehearsal sent means nothing to AWS, and the other way round.
fn refuse_the_wrong_world(plan: &Plan, access: &Access) -> Result<(), Problem> {
    let id = plan.id.short();
    match (plan.rehearsal, access.ways.rehearsal.is_some()) {
        (true, true) | (false, false) => Ok(()),
        (true, false) => Err(ended(&id, "")),
        (false, true) => Err(Problem::new(
            Kind::Guard,
            format!("this shell leads to a rehearsal, and deployment {id} was none"),
            "attach to it from a shell without the rehearsal's AWS_ENDPOINT_URL and keys",
        )),
    }
}

/// Rehearsals have a history of their own, which a shell that leads to none does not look into.
fn refuse_an_ended_rehearsal(dir: &Path, access: &Access, id: &str) -> Result<(), Problem> {
    if access.ways.rehearsal.is_some() {
        return Ok(());
    }
    let dir = place::rehearsals(dir);
    let found = Archive::open(&dir)?.called(id)?;
    match found.first() {
        Some(entry) => Err(ended(&entry.id.short(), &format!(" --state-dir {}", dir.display()))),
        None => Ok(()),
    }
}

fn ended(id: &str, place: &str) -> Problem {
    Problem::new(
        Kind::Guard,
        format!(
            "deployment {id} was a rehearsal: its hosts ended with the process that simulated them, or another shell leads \
             to it"
        ),
        format!(
            "`quarterdeck show {id}{place}` shows it. To rehearse attaching, keep the hosts running with \
             `quarterdeck rehearse --serve`, and deploy and attach from another shell with what that prints"
        ),
    )
}
