//! Retries that are larger than one command: SSM takes fifty instance ids at most, so the rest waits for its turn.
//!
//! The commands of a rollout's retry go out one after the other, so that its MaxConcurrency still holds; and its MaxErrors
//! is held against all of them together, since they are one retry to whoever asked for it.

use super::next::Step;
use crate::names::{HostId, Region};
use crate::plan::RolloutPlan;
use crate::problem::{Kind, Problem};
use crate::state::{HostStatus, RolloutState, SendPhase, SendTo};
use crate::words::plural;

/// SSM refuses more instance ids in one SendCommand (service model).
const CHUNK: usize = 50;

/// What is due of the rollout's retry.
pub(super) fn due(region: &Region, plan: Option<&RolloutPlan>, rollout: &RolloutState) -> Option<Step> {
    let mut waiting = rollout.waiting_for_retry().peekable();
    waiting.peek()?;
    // Whoever sent it, and before whatever crash: two at once would be twice MaxConcurrency.
    if is_being_retried(rollout) {
        return None;
    }
    let (region, name) = (region.clone(), rollout.name.clone());
    Some(match trouble(plan, rollout) {
        Some(why) => Step::StopRetry(region, name, why),
        None => {
            let hosts: Vec<HostId> = waiting.take(CHUNK).cloned().collect();
            Step::Retry(region, name, hosts)
        }
    })
}

/// The rest of a retry does not go out, for this reason.
pub(super) fn stopped(region: &Region, rollout: &RolloutState, why: &str) -> Problem {
    let hosts = plural(rollout.waiting_for_retry().count(), "host");
    Problem::new(
        Kind::Guard,
        format!("{region} {}: the retry stopped before {hosts}: {why}", rollout.name),
        "they are as they were; retry again to go on",
    )
}

/// Whether a command that went to some of its hosts is not over.
fn is_being_retried(rollout: &RolloutState) -> bool {
    let mut retries = rollout.sends.iter().filter(|send| matches!(send.to, SendTo::Hosts(_)));
    retries.any(|send| !send.is_over())
}

/// What in the commands before keeps the next one from going out.
fn trouble(plan: Option<&RolloutPlan>, rollout: &RolloutState) -> Option<String> {
    let retry = &rollout.retry;
    let last = rollout.sends.get(*retry.sends.last()?)?;
    match &last.phase {
        SendPhase::Intended | SendPhase::Accepted { .. } => {}
        SendPhase::Refused(problem) => return Some(format!("the command before did not go out: {}", problem.what)),
        SendPhase::Unknown(_) | SendPhase::Abandoned => {
            return Some("it is unknown whether the command before went out".to_owned());
        }
    }
    if last.cancel_asked {
        return Some("it was cancelled".to_owned());
    }
    let attempts = rollout.hosts.iter().flat_map(|host| &host.attempts);
    let errors = attempts
        .filter(|attempt| retry.sends.contains(&attempt.send))
        .filter(|attempt| matches!(attempt.status, HostStatus::Failed | HostStatus::ExecutionTimedOut))
        .count();
    let tolerated = plan.map_or(0, |plan| plan.limits(retry.asked).errors);
    (errors > tolerated).then(|| format!("{errors} failed again, and max_errors allows {tolerated}"))
}
