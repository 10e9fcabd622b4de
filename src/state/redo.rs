//! What can be done again, for whoever offers it and for whoever does it.

use super::{BuildPhase, LaneState, PushPhase, Stage, State, TagPhase};

impl State {
    /// Whether a lane can go on with its push: it failed or was stopped, or a tag could not be moved. Where its build has
    /// stopped there is nothing to push, and building again goes on with the push by itself.
    pub fn can_push_again(&self, lane: &LaneState) -> bool {
        let build = lane.build.as_ref().and_then(|id| self.build(id));
        let built = build.is_none_or(|build| !matches!(build.phase, BuildPhase::Failed { .. } | BuildPhase::Cancelled));
        let built = built || lane.digest().is_some();
        let stopped = match lane.push {
            PushPhase::Failed(_) | PushPhase::Cancelled => true,
            PushPhase::Waiting => lane.cancelled,
            PushPhase::Succeeded { .. } => {
                lane.cancelled || lane.tags.iter().any(|tag| matches!(tag.phase, TagPhase::Failed(_)))
            }
            PushPhase::Running => false,
        };
        stopped && built && self.stage(lane) == Stage::Halted
    }
}
