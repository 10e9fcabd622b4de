//! How a new deployment begins: with a plan that preflight makes and the operator starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::drive::Drive;
use super::means::Means;
use super::preflight::preflight;
use super::secrets::Secrets;
use super::setup::{Outside, Setup};
use super::{Action, Board, Handle, Update};
use crate::names::DeploymentId;
use crate::plan::Plan;
use crate::problem::{Kind, Problem};
use crate::state::{Fact, State};

/// How long a plan may be looked at before it is made anew instead of started.
const STALE: Duration = Duration::from_secs(30 * 60);

/// Starts an engine that plans a new deployment and runs it once [`Action::Start`] comes.
///
/// Must be called within a tokio runtime. The engine ends after [`Action::Leave`], when the handle is dropped, or when the
/// journal can't be written.
pub fn launch(setup: Setup) -> Handle {
    let (handle, ends) = ends();
    tokio::spawn(async move {
        let face = ends.face.clone();
        let stopped = plan_and_drive(setup, ends).await.err();
        let _ = face.send(Update::Stopped(stopped));
    });
    handle
}

/// The engine's ends of a [`Handle`].
pub(super) struct Ends {
    pub actions: mpsc::UnboundedReceiver<Action>,
    pub face: mpsc::UnboundedSender<Update>,
    pub board: Arc<Board>,
}

/// Both ends.
pub(super) fn ends() -> (Handle, Ends) {
    let (actions, incoming) = mpsc::unbounded_channel();
    let (face, updates) = mpsc::unbounded_channel();
    let board = Board::new();
    let handle = Handle {
        actions,
        updates,
        board: Arc::clone(&board),
    };
    let ends = Ends {
        actions: incoming,
        face,
        board,
    };
    (handle, ends)
}

impl Ends {
    /// A face that went away is noticed by its actions ending.
    pub fn say(&self, update: Update) {
        let _ = self.face.send(update);
    }
}

async fn plan_and_drive(setup: Setup, mut ends: Ends) -> Result<(), Problem> {
    loop {
        let Some((plan, outside)) = planned(&setup, &mut ends).await else {
            return Ok(());
        };
        match setup.ledger.claim(&plan, &setup.driver).await {
            Ok(mut claim) => {
                let logs = folder(&setup.logs, plan.id);
                let fact = Fact::DeploymentStarted {
                    plan: Box::new(plan.clone()),
                    driver: setup.driver.clone(),
                };
                for lane in &plan.lanes {
                    if let Some(ports) = outside.regions.get(&lane.region) {
                        ports.sts.expect(&lane.account);
                    }
                }
                let (events, incoming) = mpsc::unbounded_channel();
                let means = Means {
                    plan: Arc::new(plan),
                    outside,
                    secrets: Arc::new(Secrets::of(&setup.config)),
                    logs,
                    pace: setup.pace,
                    clock: setup.clock.clone(),
                    board: Arc::clone(&ends.board),
                    events,
                };
                let drive = Drive::new(
                    means,
                    setup.ledger.clone(),
                    State::default(),
                    ends.face.clone(),
                    incoming,
                );
                let driven = drive.run(vec![fact], &mut *claim, &mut ends.actions).await;
                drop(claim);
                return driven;
            }
            // The operator can wait for the other deployment's end and look again.
            Err(problem) => ends.say(Update::Blocked(vec![problem])),
        }
        if !wait_for_recheck(&mut ends).await {
            return Ok(());
        }
    }
}

/// Runs preflight, again as often as the operator asks, until the plan is started; `None` when the operator leaves.
async fn planned(setup: &Setup, ends: &mut Ends) -> Option<(Plan, Outside)> {
    loop {
        let face = ends.face.clone();
        let looking = async {
            let outside = (setup.connect)().await.map_err(|problem| vec![problem])?;
            let show = move |checks| {
                let _ = face.send(Update::Checks(checks));
            };
            let plan = preflight(setup, &outside, &show).await?;
            Ok::<_, Vec<Problem>>((plan, outside))
        };
        let found = tokio::select! {
            biased;
            again = told(&mut ends.actions) => match again {
                Told::Recheck => continue,
                Told::Leave => return None,
            },
            found = looking => found,
        };
        match found {
            Ok((plan, outside)) => {
                ends.say(Update::Ready(Box::new(plan.clone())));
                loop {
                    match ends.actions.recv().await {
                        Some(Action::Start) if setup.clock.now().since(plan.made_at) > STALE => {
                            ends.say(Update::Notice(stale()));
                            break;
                        }
                        Some(Action::Start) => return Some((plan, outside)),
                        Some(Action::Recheck) => break,
                        Some(Action::Leave { .. }) | None => return None,
                        Some(_) => {}
                    }
                }
            }
            Err(problems) => {
                ends.say(Update::Blocked(problems));
                if !wait_for_recheck(ends).await {
                    return None;
                }
            }
        }
    }
}

/// A plan is what was true when it was made: hosts come and go, and so do tags.
fn stale() -> Problem {
    Problem::new(
        Kind::Guard,
        format!(
            "the plan is older than {}: looking again",
            crate::words::duration(STALE)
        ),
        "start it once the checks are through",
    )
}

enum Told {
    Recheck,
    Leave,
}

/// The next word that means something before a deployment has started.
async fn told(actions: &mut mpsc::UnboundedReceiver<Action>) -> Told {
    loop {
        match actions.recv().await {
            Some(Action::Recheck) => return Told::Recheck,
            Some(Action::Leave { .. }) | None => return Told::Leave,
            Some(_) => {}
        }
    }
}

async fn wait_for_recheck(ends: &mut Ends) -> bool {
    matches!(told(&mut ends.actions).await, Told::Recheck)
}

/// The folder of a deployment's build logs.
pub(super) fn folder(logs: &Path, id: DeploymentId) -> PathBuf {
    logs.join(id.to_string())
}
