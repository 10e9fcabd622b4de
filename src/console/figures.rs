//! Figures over several rollouts. They cost what is in trouble, not what there is.

use std::collections::BTreeMap;

use super::view::Item;
use crate::state::{BuildPhase, LaneState, PushPhase, RolloutState, State, TagPhase, Verdict};
use crate::text::Clean;

/// Hosts that ended in the same way without success.
#[derive(Debug)]
pub(super) struct Trouble<'a> {
    /// What it means.
    pub verdict: Verdict,
    /// The word for it.
    pub word: &'a Clean,
    /// How many.
    pub count: usize,
    /// The names of the first ones.
    pub names: Vec<&'a str>,
}

/// Who is in trouble, in the order of the verdicts; at most `show` names each.
pub(super) fn trouble<'a>(rollouts: impl IntoIterator<Item = &'a RolloutState>, show: usize) -> Vec<Trouble<'a>> {
    let mut all: BTreeMap<(Verdict, &Clean), Trouble> = BTreeMap::new();
    for rollout in rollouts {
        for (verdict, word, hosts) in rollout.tally.trouble() {
            let trouble = all.entry((verdict, word)).or_insert(Trouble {
                verdict,
                word,
                count: 0,
                names: Vec::new(),
            });
            trouble.count += hosts.len();
            let room = show.saturating_sub(trouble.names.len());
            let named = hosts.iter().filter_map(|at| rollout.hosts.get(*at)).take(room);
            trouble.names.extend(named.map(crate::state::HostState::short_label));
        }
    }
    all.into_values().collect()
}

/// Hosts that a retry of the failed goes to, in one lane or anywhere.
pub(super) fn failed(state: &State, lane: Option<usize>) -> usize {
    let lanes = state.lanes.iter().enumerate();
    lanes
        .filter(|(at, _)| lane.is_none_or(|lane| lane == *at))
        .flat_map(|(_, lane)| &lane.rollouts)
        .map(|rollout| rollout.tally.failed)
        .sum()
}

/// Whether an item of a lane failed, or ended without success somewhere.
pub(super) fn is_troubled(state: &State, lane: &LaneState, item: Item) -> bool {
    match item {
        Item::Build => {
            let mut builds = state
                .builds
                .iter()
                .filter(|build| lane.build.as_ref() == Some(&build.id));
            builds.any(|build| matches!(build.phase, BuildPhase::Failed { .. } | BuildPhase::Cancelled))
        }
        Item::Push => {
            let tag = lane.tags.iter().any(|tag| matches!(tag.phase, TagPhase::Failed(_)));
            tag || matches!(lane.push, PushPhase::Failed(_) | PushPhase::Cancelled)
        }
        Item::Rollout(at) => lane.rollouts.get(at).is_some_and(|rollout| {
            rollout.counts.unsuccessful() > 0
                || rollout.send_problem().is_some()
                || rollout.has_unknown_send()
                || rollout.reached_nobody()
        }),
    }
}

/// Whether something is under way that a spinner stands for: a build or a push.
pub(super) fn spins(state: &State) -> bool {
    state.builds.iter().any(|build| build.phase == BuildPhase::Running)
        || state.lanes.iter().any(|lane| lane.push == PushPhase::Running)
}

/// Lanes that cannot go on without the operator: they wait for something, or a send is unknown.
pub(super) fn lanes_in_need(state: &State) -> usize {
    state.lanes.iter().filter(|lane| needs_a_word(lane)).count()
}

/// Whether a lane cannot go on without the operator.
pub(super) fn needs_a_word(lane: &LaneState) -> bool {
    lane.waits.is_some() || lane.rollouts.iter().any(RolloutState::has_unknown_send)
}
