//! A SendCommand that goes out at most once, and the search for one whose answer was lost.

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::means::{Means, Patience};
use super::moved;
use super::ports::{Accepted, AwsError, Recipients, SendRequest};
use super::setup::CLOCK_SKEW;
use super::work::{Waiter, Work};
use crate::engine::MovedTag;
use crate::names::{Digest, Millis, Region, RolloutName, Token};
use crate::plan::{LanePlan, RolloutPlan};
use crate::problem::{Kind, Problem};
use crate::state::{Fact, SendTo};

/// One send, its intent journaled already.
#[derive(Clone)]
pub(super) struct Send {
    pub region: Region,
    pub rollout: RolloutName,
    pub token: Token,
    pub to: SendTo,
    /// The digest that the lane's moving tags have to point at, if they do.
    pub digest: Option<Digest>,
    /// When it was about to go out.
    pub intended_at: Millis,
}

/// Sends the command and returns what to record. `stop` ends its waits, never a call that is going out.
pub(super) async fn run(means: Means, send: Send, stop: CancellationToken) -> Vec<Fact> {
    let fact = match go_out(&means, &send, &stop).await {
        Ok(Outcome::Accepted(accepted)) => accepted_as(&send, accepted, false),
        Ok(Outcome::Lost(problem)) => return reconcile(means, send, problem).await,
        Ok(Outcome::Stopped) => Fact::SendRefused {
            problem: stopped(&send),
            token: send.token,
            stopped: true,
        },
        Err(problem) => Fact::SendRefused {
            token: send.token,
            problem,
            stopped: false,
        },
    };
    vec![fact]
}

enum Outcome {
    Accepted(Accepted),
    /// Nobody knows whether it took place.
    Lost(Problem),
    /// It has not gone out, and will not.
    Stopped,
}

/// Throttled and expired calls were refused, so they may go out again. Nothing else may.
///
/// The moving tags are looked at first, and again after a wait that was a long one.
async fn go_out(means: &Means, send: &Send, stop: &CancellationToken) -> Result<Outcome, Problem> {
    let ssm = &means.region(&send.region)?.ssm;
    let request = request(means, send)?;
    let waiter = Waiter::Work(Work::Send(send.token.clone()));
    let mut patience = Patience::new(means, &send.region, waiter);
    let mut looked: Option<Instant> = None;
    loop {
        // Not before every try: where half of all calls are throttled, each send could be the half that is.
        if looked.is_none_or(|looked| looked.elapsed() >= 2 * means.pace.slowest) {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Outcome::Stopped),
                still = still_ours(means, send) => still?,
            }
            looked = Some(Instant::now());
        }
        match ssm.send(&request).await {
            Ok(accepted) => return Ok(Outcome::Accepted(accepted)),
            Err(AwsError::Unknown(problem)) => {
                tracing::warn!(token = %send.token, %problem, "the answer to a send was lost: looking for the command");
                return Ok(Outcome::Lost(problem));
            }
            Err(error) => tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Outcome::Stopped),
                borne = patience.bear(error) => borne?,
            },
        }
    }
}

fn stopped(send: &Send) -> Problem {
    let what = format!("{} {}: stopped before its command went out", send.region, send.rollout);
    Problem::new(Kind::Guard, what, "nothing ran")
}

/// The hosts pull what the moving tags point at. Between their move and now there may be days, if another process left the
/// deployment there, or another deployment; between a retry's first command and its last there may be hours.
async fn still_ours(means: &Means, send: &Send) -> Result<(), Problem> {
    let Some(digest) = &send.digest else { return Ok(()) };
    let digests = [(send.region.clone(), digest.clone())];
    let moved = moved::tags(means, &Work::Send(send.token.clone()), &digests).await;
    match moved.first() {
        None => Ok(()),
        Some(MovedTag {
            problem: Some(problem), ..
        }) => Err(problem.clone()),
        Some(moved) => Err(Problem::new(
            Kind::Guard,
            format!(
                "{} {}: not sent, since {} points at {} by now and not at this deployment's {}",
                send.region,
                send.rollout,
                moved.tag,
                moved.now.as_ref().map_or("nothing", Digest::short),
                digest.short()
            ),
            "somebody else deploys here; retry these hosts if they are to pull what it points at now",
        )),
    }
}

fn request(means: &Means, send: &Send) -> Result<SendRequest, Problem> {
    let (lane, plan) = rollout(means, send)?;
    Ok(SendRequest {
        document: plan.document.as_str().to_owned(),
        document_version: plan.document_version.as_str().to_owned(),
        parameters: means.secrets.parameters(&send.region, plan)?,
        secrets: means.secrets.of_lane(lane),
        to: match &send.to {
            SendTo::Targets => Recipients::Targets(plan.targets.clone()),
            SendTo::Hosts(hosts) => Recipients::Hosts(hosts.clone()),
        },
        delivery_timeout_secs: plan.delivery_timeout_secs,
        max_concurrency: plan.max_concurrency.as_str().to_owned(),
        max_errors: plan.max_errors.as_str().to_owned(),
        token: send.token.clone(),
    })
}

fn rollout<'a>(means: &'a Means, send: &Send) -> Result<(&'a LanePlan, &'a RolloutPlan), Problem> {
    let lane = means.plan.lane(&send.region);
    let found = lane.and_then(|lane| Some((lane, lane.rollout(&send.rollout)?)));
    found.ok_or_else(|| {
        let what = format!("{}: rollout {} is not in the plan", send.region, send.rollout);
        Problem::new(Kind::Unexpected, what, "")
    })
}

/// Looks for a command by its token until it shows or the visibility window closes, and returns what to record.
///
/// A look that fails says nothing about whether the command is there, so the window only counts looks that were answered.
pub(super) async fn reconcile(means: Means, send: Send, lost: Problem) -> Vec<Fact> {
    let fact = match search(&means, &send).await {
        Ok(Some(accepted)) => accepted_as(&send, accepted, true),
        Ok(None) => {
            let window = crate::words::seconds(means.pace.visibility);
            let why = format!("ListCommands did not show {} within {window}", send.token);
            unknown(send, Kind::Unexpected, &lost, &why, LOOK)
        }
        // A search that came to no end says as little about the command as its lost answer.
        Err(broken) => {
            let why = format!("it cannot be looked for: {}", broken.what);
            let remedy = format!("{AGAIN}; {LOOK}");
            let remedy = match broken.remedy.as_str() {
                "" => remedy,
                first => format!("{first}; {remedy}"),
            };
            unknown(send, broken.kind, &lost, &why, &remedy)
        }
    };
    vec![fact]
}

/// How the operator finds out what Quarterdeck could not.
const LOOK: &str =
    "look for that Comment in Run Command's history; if it is not there, `A` in the console takes it as never sent";
/// Where the search broke off, another one may come to its end.
const AGAIN: &str = "`quarterdeck attach` looks for the command again";

fn unknown(send: Send, kind: Kind, lost: &Problem, why: &str, remedy: &str) -> Fact {
    let what = format!(
        "{} {}: it is unknown whether SSM has the command: {}; {why}",
        send.region, send.rollout, lost.what
    );
    Fact::SendUnknown {
        token: send.token,
        problem: Problem::new(kind, what, remedy),
    }
}

async fn search(means: &Means, send: &Send) -> Result<Option<Accepted>, Problem> {
    let ssm = &means.region(&send.region)?.ssm;
    let since = Millis(send.intended_at.0 - CLOCK_SKEW);
    let work = Work::Send(send.token.clone());
    let mut opened = None;
    loop {
        let look = || ssm.find(&send.token, since);
        if let Some(accepted) = means.patiently(&send.region, &work, look).await? {
            return Ok(Some(accepted));
        }
        // The window opens with the first answer: a wait for credentials says nothing about the command.
        let opened = *opened.get_or_insert_with(Instant::now);
        if opened.elapsed() >= means.pace.visibility {
            return Ok(None);
        }
        sleep(means.pace.search).await;
    }
}

fn accepted_as(send: &Send, accepted: Accepted, adopted: bool) -> Fact {
    Fact::SendAccepted {
        token: send.token.clone(),
        command: accepted.command,
        expires_at: accepted.expires_at,
        adopted,
    }
}
