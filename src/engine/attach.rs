//! How a deployment is taken up: driven, if nobody does, and watched as long as somebody does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::drive::Drive;
use super::launch::{Ends, ends, folder};
use super::means::Means;
use super::ports::Ledger;
use super::secrets::Secrets;
use super::setup::{Clock, Connect, Pace};
use super::{Action, Handle, Update};
use crate::plan::Plan;
use crate::problem::{Kind, Problem};
use crate::state::{Driver, Fact, Recorded, State};

/// Between two looks at the journal of a deployment that another process drives.
const WATCH: Duration = Duration::from_millis(500);

/// What an engine needs to take up a deployment.
#[derive(Clone)]
pub struct Attach {
    /// All of its facts so far.
    pub facts: Vec<Recorded>,
    /// The secrets that its plan names, from the present configuration.
    pub secrets: Secrets,
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

type Claim = Box<dyn Send + Sync>;

async fn run(attach: Attach, mut ends: Ends) -> Result<(), Problem> {
    let mut state = State::default();
    show(&mut state, &ends, attach.facts.iter().cloned());
    let plan = state.plan.clone().ok_or_else(|| {
        Problem::new(
            Kind::Unexpected,
            "the deployment's journal does not begin with its plan",
            "it cannot be taken up; `quarterdeck journal check` says what is wrong with the journal",
        )
    })?;
    let Some(claim) = claim(&attach, &plan, &mut state, &mut ends).await? else {
        return Ok(());
    };
    // Whoever drove it until now may have had last words.
    let more = attach.ledger.since(plan.id, state.seq).await?;
    show(&mut state, &ends, more);
    ends.say(Update::Driving);
    let outside = (attach.connect)().await?;
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
    let drive = Drive::new(means, attach.ledger, state, ends.face.clone(), incoming);
    let driven = drive.run(fact, &mut ends.actions).await;
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
async fn claim(attach: &Attach, plan: &Plan, state: &mut State, ends: &mut Ends) -> Result<Option<Claim>, Problem> {
    let locked = match attach.ledger.claim(plan, &attach.driver).await {
        Ok(claim) => return Ok(Some(claim)),
        Err(problem) => problem,
    };
    match attach.ledger.holder(plan).await {
        Some(held) if held.deployment == plan.id => watch(attach, plan, state, ends, held.problem).await,
        Some(_) | None => Err(locked),
    }
}

async fn watch(
    attach: &Attach,
    plan: &Plan,
    state: &mut State,
    ends: &mut Ends,
    mut driver: Problem,
) -> Result<Option<Claim>, Problem> {
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
                    Err(problem) => ends.say(Update::Notice(problem)),
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
