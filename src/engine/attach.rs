//! How a deployment is taken up: driven, if nobody does, and watched as long as somebody does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::adopt::ANSWER;
use super::drive::Drive;
use super::launch::{Ends, ends, folder};
use super::means::Means;
use super::ports::{AwsError, Claim, Ledger};
use super::retries;
use super::secrets::Secrets;
use super::setup::{Clock, Connect, Outside, Pace};
use super::{Action, Handle, Update, adopt};
use crate::names::Region;
use crate::plan::Plan;
use crate::problem::{Kind, Problem};
use crate::state::{Driver, Fact, LaneState, Recorded, Stage, State};

/// Between two looks at the journal of a deployment that another process drives.
const WATCH: Duration = Duration::from_millis(500);

/// A deployment that was left for longer, or whose driver was killed longer ago, does not begin anything new by itself.
const STALE: Duration = Duration::from_secs(30 * 60);

/// What an engine needs to take up a deployment.
#[derive(Clone)]
pub struct Attach {
    /// What was to be done, as its first fact says.
    pub plan: Arc<Plan>,
    /// All of its facts so far.
    pub facts: Vec<Recorded>,
    /// The secrets that its plan names, from the present configuration.
    pub secrets: Secrets,
    /// What the operator is told first.
    pub notices: Vec<Problem>,
    /// Makes the connections.
    pub connect: Connect,
    /// The journal.
    pub ledger: Arc<dyn Ledger>,
    /// This process.
    pub driver: Driver,
    /// The folder under which build logs go, one folder a deployment.
    pub logs: PathBuf,
    /// How often and how long the engine looks.
    pub pace: Pace,
    /// What tells the time.
    pub clock: Clock,
}

/// Starts an engine that takes up a deployment: it replays the facts to the face, looks for commands whose answer was
/// lost, reads all invocations anew, starts again what was half built or half pushed, and goes on.
///
/// While another process drives the deployment, its facts are shown as they come ([`Update::Watching`]); when that process
/// is gone ([`Update::Orphaned`]), [`Action::TakeOver`] drives it from here. Must be called within a tokio runtime.
pub fn attach(attach: Attach) -> Handle {
    let (handle, ends) = ends();
    tokio::spawn(async move {
        let face = ends.face.clone();
        let stopped = run(attach, ends).await.err();
        let _ = face.send(Update::Stopped(stopped));
    });
    handle
}

/// The plan's accounts are those of the present credentials: a profile of another account would send the deployment to
/// that account's hosts.
async fn same_accounts(plan: &Plan, outside: &Outside) -> Result<(), Problem> {
    let looks = plan.lanes.iter().map(|lane| async move {
        let Some(ports) = outside.regions.get(&lane.region) else {
            return Ok(());
        };
        ports.sts.expect(&lane.account);
        let Ok(identity) = timeout(ANSWER, ports.sts.identity()).await else {
            return Ok(());
        };
        match identity {
            Ok(caller) if caller.account == lane.account => Ok(()),
            Ok(caller) => Err(Problem::new(
                Kind::Credentials,
                format!(
                    "{}: this deployment belongs to account {}, and these credentials to {} ({})",
                    lane.region, lane.account, caller.account, caller.arn
                ),
                "attach with the profile that it was started with",
            )),
            // Nothing can be sent without an answer either, and whoever waits for one says so.
            Err(AwsError::Throttled(_) | AwsError::Unknown(_) | AwsError::Expired(_)) => Ok(()),
            Err(AwsError::Refused(problem)) => Err(problem),
        }
    });
    try_join_all(looks).await.map(drop)
}

/// Until the operator leaves. Whatever else is asked for has to wait until it is known how things are.
async fn left(actions: &mut mpsc::UnboundedReceiver<Action>) {
    while let Some(action) = actions.recv().await {
        if let Action::Leave { .. } = action {
            return;
        }
    }
}

/// Without a connection to its region a command would be followed by nobody, and the deployment would never end.
fn can_follow(state: &State, outside: &Outside) -> Result<(), Problem> {
    let open = |lane: &&LaneState| {
        let mut sends = lane.rollouts.iter().flat_map(|rollout| &rollout.sends);
        sends.any(|send| !send.is_over()) && !outside.regions.contains_key(&lane.region)
    };
    state.lanes.iter().find(open).map_or(Ok(()), |lane| {
        Err(Problem::new(
            Kind::Config,
            format!(
                "{}: commands of this deployment are under way there, and the configuration does not have the region any more",
                lane.region
            ),
            "put the region back into config.toml, or name its account with --profile or --role",
        ))
    })
}

/// Retries in these regions that have not gone out do not go out, for this reason.
fn retries_stopped(state: &State, of: impl Fn(&Region) -> bool, why: &str) -> Vec<Fact> {
    let lanes = state.lanes.iter().filter(|lane| of(&lane.region));
    let rollouts = lanes.flat_map(|lane| lane.rollouts.iter().map(move |rollout| (lane, rollout)));
    let waiting = rollouts.filter(|(_, rollout)| rollout.waiting_for_retry().next().is_some());
    let facts = waiting.map(|(lane, rollout)| Fact::RetryStopped {
        region: lane.region.clone(),
        rollout: rollout.name.clone(),
        problem: retries::stopped(&lane.region, rollout, why),
    });
    facts.collect()
}

/// What was left long ago is not begun without a word: somebody may have deployed something newer since. Retries that
/// have not gone out are stopped, and lanes whose hosts were not told yet, which go on when their push is retried. What
/// was sent is followed all the same, and what waits for the operator's word anyway goes on waiting for it.
fn stopped(state: &State, ends: &Ends) -> Vec<Fact> {
    let unsent = |lane: &&LaneState| {
        let told = !lane.rollouts.is_empty() && lane.rollouts.iter().all(|rollout| !rollout.is_unsent());
        !lane.cancelled && !told && !matches!(state.stage(lane), Stage::Done | Stage::Halted)
    };
    let regions: Vec<Region> = state
        .lanes
        .iter()
        .filter(unsent)
        .map(|lane| lane.region.clone())
        .collect();
    if !regions.is_empty() {
        let names: Vec<&str> = regions.iter().map(Region::as_str).collect();
        ends.say(Update::Notice(Problem::new(
            Kind::Guard,
            format!(
                "{}: left long ago, before its hosts were told, and stopped now",
                names.join(", ")
            ),
            "see what was deployed since, then push again in the lane to go on",
        )));
    }
    let lanes = regions.into_iter().map(|region| Fact::LaneCancelled { region });
    lanes
        .chain(retries_stopped(state, |_| true, "it was left long ago"))
        .collect()
}

async fn run(attach: Attach, mut ends: Ends) -> Result<(), Problem> {
    let mut state = State::default();
    show(&mut state, &ends, attach.facts.iter().cloned());
    for notice in &attach.notices {
        ends.say(Update::Notice(notice.clone()));
    }
    let plan = Arc::clone(&attach.plan);
    let Some(mut claim) = claim(&attach, &plan, &mut state, &mut ends).await? else {
        return Ok(());
    };
    // Whoever drove it until now may have had last words.
    let more = attach.ledger.since(plan.id, state.seq).await?;
    show(&mut state, &ends, more);
    ends.say(Update::Driving);
    let outside = (attach.connect)().await?;
    can_follow(&state, &outside)?;
    // Before it is told what other machines did: however new that is, this deployment was left when it was left.
    let last = state.last_at.max(claim.last_sign());
    let stale = last.is_some_and(|at| attach.clock.now().since(at) > STALE);
    // A claim is one machine's: another one may have taken the deployment up and retried hosts meanwhile.
    let asked = async {
        same_accounts(&plan, &outside).await?;
        Ok::<_, Problem>(adopt::elsewhere(&plan, &state, &outside.regions).await)
    };
    let (sent, unasked) = tokio::select! {
        biased;
        () = left(&mut ends.actions) => {
            claim.leave();
            return Ok(());
        }
        asked = asked => asked?,
    };
    for problem in unasked.values() {
        ends.say(Update::Notice(problem.clone()));
    }
    if !sent.is_empty() {
        let recorded = attach.ledger.append(plan.id, sent).await?;
        show(&mut state, &ends, recorded);
    }
    let (events, incoming) = mpsc::unbounded_channel();
    let means = Means {
        logs: folder(&attach.logs, plan.id),
        plan,
        outside,
        secrets: Arc::new(attach.secrets),
        pace: attach.pace,
        clock: attach.clock,
        board: Arc::clone(&ends.board),
        events,
    };
    let fact = Fact::DeploymentResumed { driver: attach.driver };
    let mut first = vec![fact];
    if stale {
        first.extend(stopped(&state, &ends));
    }
    // Another machine may have been quicker there.
    let held_up = "what another machine sent there could not be asked";
    first.extend(retries_stopped(&state, |region| unasked.contains_key(region), held_up));
    let mut drive = Drive::new(means, attach.ledger, state, ends.face.clone(), incoming);
    drive.unasked = unasked.into_keys().collect();
    let driven = drive.run(first, &mut *claim, &mut ends.actions).await;
    drop(claim);
    driven
}

fn show(state: &mut State, ends: &Ends, facts: impl IntoIterator<Item = Recorded>) {
    for fact in facts {
        state.apply(&fact);
        ends.say(Update::Fact(fact));
    }
}

/// The claim to drive, after a watch if need be; `None` when the operator leaves the watch.
async fn claim(
    attach: &Attach,
    plan: &Plan,
    state: &mut State,
    ends: &mut Ends,
) -> Result<Option<Box<dyn Claim>>, Problem> {
    let locked = match attach.ledger.claim(plan, &attach.driver).await {
        Ok(claim) => return Ok(Some(claim)),
        Err(problem) => problem,
    };
    match attach.ledger.holder(plan).await {
        Some(held) if held.deployment == plan.id => watch(attach, plan, state, ends, held.problem).await,
        Some(_) => Err(locked),
        // It has ended between the two looks.
        None => attach.ledger.claim(plan, &attach.driver).await.map(Some),
    }
}

async fn watch(
    attach: &Attach,
    plan: &Plan,
    state: &mut State,
    ends: &mut Ends,
    mut driver: Problem,
) -> Result<Option<Box<dyn Claim>>, Problem> {
    let mut orphaned = false;
    ends.say(Update::Watching(driver.clone()));
    let mut ticks = tokio::time::interval(WATCH);
    loop {
        tokio::select! {
            biased;
            action = ends.actions.recv() => match action {
                Some(Action::Leave { .. }) | None => return Ok(None),
                Some(Action::TakeOver) => match attach.ledger.claim(plan, &attach.driver).await {
                    Ok(claim) => return Ok(Some(claim)),
                    Err(problem) => {
                        // As with a first attach, nobody waits here for another deployment's end.
                        if attach.ledger.holder(plan).await.is_some_and(|held| held.deployment != plan.id) {
                            return Err(problem);
                        }
                        // If it is still nobody's at the next look, that is said again.
                        orphaned = false;
                        ends.say(Update::Notice(problem));
                    }
                },
                Some(_) => ends.say(Update::Notice(Problem::new(
                    Kind::Guard,
                    format!("this is only watched: {}", driver.what),
                    "once that process is gone it can be taken over",
                ))),
            },
            _ = ticks.tick() => {
                let held = attach.ledger.holder(plan).await.filter(|held| held.deployment == plan.id);
                let more = attach.ledger.since(plan.id, state.seq).await?;
                show(state, ends, more);
                match held {
                    None if !orphaned => {
                        orphaned = true;
                        ends.say(Update::Orphaned);
                    }
                    Some(held) if orphaned || held.problem != driver => {
                        orphaned = false;
                        driver = held.problem;
                        ends.say(Update::Watching(driver.clone()));
                    }
                    None | Some(_) => {}
                }
            }
        }
    }
}
