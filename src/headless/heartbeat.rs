//! What is under way, for the times when nothing happens for long.

use super::facts::Said;
use crate::names::Millis;
use crate::state::live::{Live, StepPhase};
use crate::state::{BuildPhase, Counts, LaneState, RolloutState, SendPhase, Stage, State};
use crate::words::{bytes, plural, seconds};

/// A line for each thing that is under way.
pub(super) fn lines(state: &State, live: &Live, now: Millis) -> Vec<Said> {
    let mut said = Vec::new();
    for build in state.builds.iter().filter(|build| build.phase == BuildPhase::Running) {
        let mut text = format!("{}: still building", build.id);
        if let Some(started) = build.started_at {
            text.push_str(&format!(", for {}", seconds(now.since(started))));
        }
        let running = live.builds.get(&build.id).and_then(|live| {
            let running = |phase| match phase {
                StepPhase::Running { since } => Some(since),
                StepPhase::Pending | StepPhase::Done | StepPhase::Failed => None,
            };
            live.steps
                .iter()
                .rev()
                .find_map(|step| Some((step, running(step.phase)?)))
        });
        if let Some((step, since)) = running {
            let step = &step.step;
            if step.number > 0 {
                text.push_str(&format!("; step {} of {}", step.number, step.of));
            }
            text.push_str(&format!(", {} for {}", step.name, seconds(now.since(since))));
        }
        said.push(Said::new(None, text));
    }
    for lane in &state.lanes {
        lane_lines(state, lane, live, now, &mut said);
    }
    said
}

fn lane_lines(state: &State, lane: &LaneState, live: &Live, now: Millis, said: &mut Vec<Said>) {
    let mut line = |text: String| said.push(Said::new(Some(&lane.region), text));
    if let Some(problem) = &lane.waits {
        line(format!("still waits: {}", problem.what));
    }
    match state.stage(lane) {
        Stage::Pushing => {
            let push = live.pushes.get(&lane.region);
            let mut text = "still pushing".to_owned();
            if let Some(push) = push {
                let (done, all) = push.layers_done();
                if all > 0 {
                    text.push_str(&format!(", {done} of {}", plural(all, "layer")));
                }
                let (sent, total) = push.bytes();
                if total > 0 {
                    text.push_str(&format!(", {} of {}", bytes(sent), bytes(total)));
                }
                if !push.note.is_empty() {
                    text.push_str(&format!("; {}", push.note));
                }
            }
            line(text);
        }
        Stage::Tagging => line("still moving its tags".to_owned()),
        Stage::Building | Stage::RollingOut | Stage::Done | Stage::Halted => {}
    }
    for rollout in &lane.rollouts {
        if !rollout.is_unsent() && !rollout.is_over() {
            line(rollout_words(rollout, now));
        }
    }
    if let Some(trouble) = live.polls.get(&lane.region).and_then(|poll| poll.trouble.as_ref()) {
        line(format!("no news of the hosts: {trouble}"));
    }
}

/// `ubuntu: 31 of 60 done, 29 succeeded, 2 failed, delivery window closes in 7m12s`.
fn rollout_words(rollout: &RolloutState, now: Millis) -> String {
    let mut text = format!("{}: {}", rollout.name, counts_words(rollout.counts));
    let open = rollout.sends.iter().rev().find(|send| !send.is_over());
    match open.map(|send| &send.phase) {
        Some(SendPhase::Intended) => text.push_str(", looking for the command"),
        Some(SendPhase::Accepted {
            expires_at: Some(expires),
            ..
        }) => {
            let left = expires.since(now);
            if left.is_zero() {
                text.push_str(", the delivery window has closed");
            } else {
                text.push_str(&format!(", delivery window closes in {}", seconds(left)));
            }
        }
        Some(
            SendPhase::Accepted { expires_at: None, .. }
            | SendPhase::Refused(_)
            | SendPhase::Unknown(_)
            | SendPhase::Abandoned,
        )
        | None => {}
    }
    text
}

/// `31 of 60 done, 29 succeeded, 2 failed`; what does not occur is left out.
pub(super) fn counts_words(counts: Counts) -> String {
    let mut text = format!("{} of {} done", counts.ended(), counts.total());
    for (count, word) in [
        (counts.succeeded, "succeeded"),
        (counts.failed, "failed"),
        (counts.unknown, "unknown"),
        (counts.not_run, "not run"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    text
}
