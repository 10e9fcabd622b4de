//! What should be under way, as a pure function of the state: the same for a deployment just started and for one taken
//! up after its process died in the middle.

use super::retries;
use super::work::Work;
use crate::names::{BuildId, CommandId, HostId, Region, RolloutName, Token};
use crate::plan::Plan;
use crate::state::{BuildPhase, LaneState, PushPhase, SendPhase, State, TagPhase};

/// A step that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Start the build.
    Build(BuildId),
    /// Push the lane's SHA tag, or find it there.
    Push(Region),
    /// Move the lane's tags.
    Tags(Region),
    /// Send the rollout's first command.
    Send(Region, RolloutName),
    /// Look for a command that was about to go out when its process ended.
    Reconcile(Token),
    /// Ask SSM to cancel a command.
    Cancel(CommandId),
    /// Send the next command of a rollout's retry, to these hosts.
    Retry(Region, RolloutName, Vec<HostId>),
    /// Give up what has not gone out of a rollout's retry, for this reason.
    StopRetry(Region, RolloutName, String),
}

/// Everything that is due and not `busy`. What failed or was stopped is not due: it waits for the operator.
pub(super) fn due(plan: &Plan, state: &State, busy: impl Fn(&Work) -> bool) -> Vec<Step> {
    let mut steps = Vec::new();
    for build in &state.builds {
        let unfinished = matches!(build.phase, BuildPhase::Waiting | BuildPhase::Running);
        if unfinished && state.is_wanted(&build.id) && !busy(&Work::Build(build.id.clone())) {
            steps.push(Step::Build(build.id.clone()));
        }
    }
    for lane in &state.lanes {
        if !lane.cancelled {
            lane_step(plan, state, lane, &busy, &mut steps);
        }
        for rollout in &lane.rollouts {
            let limits = plan.lane(&lane.region).and_then(|lane| lane.rollout(&rollout.name));
            steps.extend(retries::due(&lane.region, limits, rollout));
        }
        // A command may be out there whatever became of the lane since.
        for send in lane.rollouts.iter().flat_map(|rollout| &rollout.sends) {
            if send.phase == SendPhase::Intended && !busy(&Work::Send(send.token.clone())) {
                steps.push(Step::Reconcile(send.token.clone()));
            }
            let unasked = send.cancel_intended && !send.cancel_asked && send.cancel_problem.is_none();
            if let Some(command) = send.command().filter(|_| unasked && !send.is_over())
                && !busy(&Work::Cancel(command.clone()))
            {
                steps.push(Step::Cancel(command.clone()));
            }
        }
    }
    steps
}

fn lane_step(plan: &Plan, state: &State, lane: &LaneState, busy: &impl Fn(&Work) -> bool, steps: &mut Vec<Step>) {
    let region = &lane.region;
    match &lane.push {
        PushPhase::Waiting | PushPhase::Running => {
            if has_image(plan, state, lane) && !busy(&Work::Push(region.clone())) {
                steps.push(Step::Push(region.clone()));
            }
        }
        PushPhase::Succeeded { .. } => {
            let failed = lane.tags.iter().any(|tag| matches!(tag.phase, TagPhase::Failed(_)));
            let moved = lane.tags.iter().all(|tag| matches!(tag.phase, TagPhase::Moved { .. }));
            if moved {
                let unsent = lane.rollouts.iter().filter(|rollout| rollout.is_unsent());
                steps.extend(unsent.map(|rollout| Step::Send(region.clone(), rollout.name.clone())));
            } else if !failed && !busy(&Work::Tags(region.clone())) {
                steps.push(Step::Tags(region.clone()));
            }
        }
        PushPhase::Failed(_) | PushPhase::Cancelled => {}
    }
}

/// Whether there is something to push, or nothing needs to be pushed.
fn has_image(plan: &Plan, state: &State, lane: &LaneState) -> bool {
    let already = plan.lane(&lane.region).is_some_and(|lane| lane.already.is_some());
    already || lane.build.as_ref().is_none_or(|id| state.image(id).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::fixture::{Story, build_id, plan, region};
    use crate::state::{Fact, SendTo};

    fn steps(story: &Story) -> Vec<Step> {
        let plan = story.state.plan.as_ref().expect("a story has a plan");
        due(plan, &story.state, |_| false)
    }

    /// The second lane goes on.
    fn cancelled(mut story: Story) -> Story {
        story.tell(Fact::LaneCancelled { region: region(0) });
        story
    }

    /// Whoever takes the deployment up finds it at any of these moments.
    #[test]
    fn a_cancelled_lane_pushes_moves_and_sends_nothing() {
        let begun = || Story::start(plan(2, 4));
        let [first, second] = [0, 1].map(region);
        assert_eq!(steps(&cancelled(begun())), [Step::Build(build_id())]);
        assert_eq!(steps(&cancelled(begun().built())), [Step::Push(second.clone())]);
        let mut pushed = begun().built();
        for region in [&first, &second] {
            pushed.tell(Fact::PushSucceeded {
                region: region.clone(),
                digest: crate::names::Digest::new("sha256:1"),
                layers_pushed: 1,
                layers_present: 0,
            });
        }
        assert_eq!(steps(&cancelled(pushed)), [Step::Tags(second.clone())]);
        let name = |at: usize| crate::console::tests::fixture::rollout_name(at);
        let sends = [0, 1].map(|at| Step::Send(second.clone(), name(at)));
        assert_eq!(steps(&cancelled(begun().built().pushed())), sends);
        let mut half = begun().built().pushed();
        half.send(0, 0, 1, SendTo::Targets);
        assert_eq!(steps(&cancelled(half)), sends);
    }

    #[test]
    fn a_build_that_no_lane_waits_for_is_not_begun() {
        let mut story = Story::start(plan(2, 4)).built();
        story.tell(Fact::PushSucceeded {
            region: region(0),
            digest: crate::names::Digest::new("sha256:1"),
            layers_pushed: 1,
            layers_present: 0,
        });
        story.tell(Fact::BuildStarted {
            build: build_id(),
            log: crate::text::Clean::line("again.log"),
        });
        assert!(
            steps(&story).contains(&Step::Build(build_id())),
            "the second lane waits"
        );
        story.tell(Fact::LaneCancelled { region: region(1) });
        assert!(!steps(&story).contains(&Step::Build(build_id())));
    }
}
