//! Whether a command does something now. The footer shows only those that do, and the others say why they do not.

use super::figures;
use super::host_list::host_at;
use super::keymap::Command;
use super::view::{Dialog, HostAt, Item, ListScope, Readiness, Role, Screen, View, items};
use crate::state::{BuildPhase, BuildState, LaneState, PushPhase, RolloutState, SendPhase, SendState, State};

/// Whether `command` does something on this screen now.
pub(super) fn is_enabled(command: Command, view: &View, state: &State) -> bool {
    let acts = view.drives() && state.plan.is_some();
    match command {
        Command::Start => view.drives() && matches!(view.preflight.readiness, Readiness::Ready(_)),
        Command::Recheck => view.drives() && !matches!(view.preflight.readiness, Readiness::Starting(_)),
        Command::TakeUp => view.unfinished.is_some() && !matches!(view.preflight.readiness, Readiness::Starting(_)),
        Command::Open => can_open(view, state),
        Command::Log => build(view, state).is_some(),
        Command::Zoom => !state.lanes.is_empty(),
        Command::AllHosts => state.lanes.iter().any(|lane| !lane.rollouts.is_empty()),
        Command::Retry => acts && can_retry(view, state),
        Command::RetryLane => acts && lane_of(view).is_some_and(|lane| figures::failed(state, Some(lane)) > 0),
        Command::RetryFailed => acts && figures::failed(state, None) > 0,
        Command::RetryAll => acts && state.counts().unsuccessful() > 0,
        Command::RetryBuild => {
            acts && build(view, state).is_some_and(|build| build_stopped(build) || may_be_lost(state, build))
        }
        Command::RetryPush => acts && lane(view, state).is_some_and(|lane| state.can_push_again(lane)),
        Command::Resend => acts && rollout(view, state).is_some_and(RolloutState::can_be_resent),
        Command::Abandon => acts && rollout(view, state).is_some_and(|rollout| unknown_send(rollout).is_some()),
        // A retry that waits for credentials has not opened anything yet.
        Command::Cancel => acts && (!state.is_quiet() || state.lanes.iter().any(|lane| lane.waits.is_some())),
        Command::TakeOver => view.role == Role::Orphaned,
        Command::Mark | Command::MarkRange | Command::MarkAll | Command::Sort => !view.hosts.index.rows().is_empty(),
        Command::ClearMarks => !view.marks.is_empty(),
        Command::NextHit | Command::PreviousHit => !view.window.query.value().is_empty(),
        Command::Follow => !view.window.follow,
        Command::PreviousAttempt | Command::NextAttempt => open_host(view)
            .and_then(|at| host_at(state, at))
            .is_some_and(|(_, _, host)| host.attempts.len() > 1),
        Command::NextPanel | Command::PreviousPanel => state.lanes.len() > 1,
        Command::Panel(n) => usize::from(n) <= state.lanes.len(),
        Command::Yes => match &view.dialog {
            Some(Dialog::Retry { moved, .. }) => moved.is_some(),
            Some(Dialog::Quit | Dialog::Abandon(_) | Dialog::TakeOver) => true,
            Some(Dialog::TypeName(_) | Dialog::Cancel { .. } | Dialog::Interrupt { .. }) | None => false,
        },
        Command::YesByDefault => match &view.dialog {
            Some(Dialog::TypeName(typed)) => view
                .plan(state)
                .is_some_and(|plan| plan.environment.name.as_str() == typed.value()),
            Some(Dialog::Retry { moved, .. }) => moved.as_ref().is_some_and(Vec::is_empty),
            Some(Dialog::Abandon(_) | Dialog::TakeOver) => false,
            Some(Dialog::Quit | Dialog::Cancel { .. } | Dialog::Interrupt { .. }) | None => true,
        },
        Command::Copy => super::copy::text(view, state).is_some(),
        Command::Unfold
        | Command::Back
        | Command::Filter
        | Command::Trouble
        | Command::Search
        | Command::Wrap
        | Command::Times
        | Command::Save
        | Command::Up
        | Command::Down
        | Command::Left
        | Command::Right
        | Command::PageUp
        | Command::PageDown
        | Command::HalfUp
        | Command::HalfDown
        | Command::First
        | Command::Last
        | Command::No
        | Command::Mouse
        | Command::Repaint
        | Command::Help
        | Command::Quit
        | Command::Interrupt
        | Command::Suspend => true,
    }
}

fn can_open(view: &View, state: &State) -> bool {
    match view.screen() {
        Screen::Hosts => !view.hosts.index.rows().is_empty(),
        Screen::Lanes => item(view, state).is_some(),
        Screen::Lane => matches!(item(view, state), Some(Item::Build | Item::Rollout(_))),
        Screen::Plan | Screen::Host(_) | Screen::Log(_) => false,
    }
}

fn can_retry(view: &View, state: &State) -> bool {
    match view.screen() {
        Screen::Lanes | Screen::Lane => figures::failed(state, Some(view.focus.lane)) > 0,
        Screen::Hosts if !view.marks.is_empty() => view.marks.iter().any(|at| retryable(state, *at)),
        Screen::Hosts => view
            .hosts
            .index
            .rows()
            .get(view.hosts.cursor)
            .is_some_and(|at| retryable(state, *at)),
        Screen::Host(at) => retryable(state, *at),
        Screen::Plan | Screen::Log(_) => false,
    }
}

/// Whether a host can be retried.
pub(super) fn retryable(state: &State, at: HostAt) -> bool {
    host_at(state, at).is_some_and(|(_, _, host)| host.can_be_retried())
}

/// The host whose page is open.
pub(super) fn open_host(view: &View) -> Option<HostAt> {
    match view.screen() {
        Screen::Host(at) => Some(*at),
        Screen::Plan | Screen::Lanes | Screen::Lane | Screen::Hosts | Screen::Log(_) => None,
    }
}

/// The lane that the screen is about.
pub(super) fn lane_of(view: &View) -> Option<usize> {
    match view.screen() {
        Screen::Lanes | Screen::Lane => Some(view.focus.lane),
        Screen::Host(at) => Some(at.lane),
        Screen::Hosts => match view.hosts.scope {
            ListScope::Lane(lane) | ListScope::Rollout(lane, _) => Some(lane),
            ListScope::All => view.hosts.index.rows().get(view.hosts.cursor).map(|at| at.lane),
        },
        Screen::Plan | Screen::Log(_) => None,
    }
}

/// The lane that keys go to.
pub(super) fn lane<'a>(view: &View, state: &'a State) -> Option<&'a LaneState> {
    state.lanes.get(lane_of(view)?)
}

/// The item under the cursor.
pub(super) fn item(view: &View, state: &State) -> Option<Item> {
    items(state.lanes.get(view.focus.lane)?).get(view.focus.item).copied()
}

/// The rollout that keys go to: the one under the cursor, or the lane's only one that needs a word.
pub(super) fn rollout<'a>(view: &View, state: &'a State) -> Option<&'a RolloutState> {
    let lane = lane(view, state)?;
    if let (Screen::Lanes | Screen::Lane, Some(Item::Rollout(at))) = (view.screen(), item(view, state)) {
        return lane.rollouts.get(at);
    }
    lane.rollouts
        .iter()
        .find(|rollout| rollout.can_be_resent() || unknown_send(rollout).is_some())
}

/// The build that keys go to.
pub(super) fn build<'a>(view: &View, state: &'a State) -> Option<&'a BuildState> {
    let id = match view.screen() {
        Screen::Log(id) => Some(id),
        Screen::Lanes | Screen::Lane => lane(view, state)?.build.as_ref(),
        Screen::Plan | Screen::Hosts | Screen::Host(_) => None,
    }?;
    state.builds.iter().find(|build| build.id == *id)
}

fn build_stopped(build: &BuildState) -> bool {
    matches!(build.phase, BuildPhase::Failed { .. } | BuildPhase::Cancelled)
}

/// Whether pushes failed and none went well: the engine may have lost the image, and only a build brings it back.
fn may_be_lost(state: &State, build: &BuildState) -> bool {
    let mut pushes = state
        .lanes
        .iter()
        .filter(|lane| lane.build.as_ref() == Some(&build.id))
        .map(|lane| &lane.push);
    let failed = |push: &PushPhase| matches!(push, PushPhase::Failed(_));
    let stopped = |push: &PushPhase| failed(push) || matches!(push, PushPhase::Cancelled);
    matches!(build.phase, BuildPhase::Succeeded { .. }) && pushes.clone().any(failed) && pushes.all(stopped)
}

/// The send of which nobody knows whether it took place.
pub(super) fn unknown_send(rollout: &RolloutState) -> Option<&SendState> {
    rollout
        .sends
        .iter()
        .rfind(|send| matches!(send.phase, SendPhase::Unknown(_)))
}

/// Whether a command asks something of the engine, which only who drives can do.
pub(super) fn asks(command: Command) -> bool {
    matches!(
        command,
        Command::Start
            | Command::Recheck
            | Command::Retry
            | Command::RetryLane
            | Command::RetryFailed
            | Command::RetryAll
            | Command::RetryBuild
            | Command::RetryPush
            | Command::Resend
            | Command::Abandon
            | Command::Cancel
    )
}

/// Why a key does nothing now.
pub(super) fn why_not(command: Command, view: &View) -> String {
    let asks = asks(command);
    match (view.role, command) {
        (Role::Hears, _) if asks => "who drives this deployment is not known yet",
        (Role::Watches, _) if asks => "another process drives this deployment: here it is only watched",
        (Role::Orphaned, _) if asks => "nobody drives this deployment: T takes it over",
        (Role::Reviews, _) if asks => "this is the record of a deployment: nothing can be asked of it here",
        (_, Command::TakeUp) => "no deployment was left here",
        (_, Command::Start) => "the plan cannot start yet: see its checks",
        (_, Command::Retry) if matches!(view.screen(), Screen::Hosts | Screen::Host(_)) => {
            "only hosts that ended without success can be retried"
        }
        (_, Command::Retry | Command::RetryLane) => "no host of this lane failed: R retries whatever did not succeed",
        (_, Command::RetryFailed) => "no host failed: R retries whatever did not succeed",
        (_, Command::RetryAll) => "no host ended without success: nothing to retry",
        (_, Command::RetryBuild) => "the build has not failed",
        (_, Command::RetryPush) => "the push has not failed",
        (_, Command::Resend) => "no first command was refused here",
        (_, Command::Abandon) => "no send is unknown here",
        (_, Command::Cancel) => "nothing is under way",
        (Role::Watches, Command::TakeOver) => "its driver is alive: it can be taken over once that is gone",
        (_, Command::TakeOver) => "there is nothing to take over here",
        (_, Command::Panel(n)) => return format!("there is no lane {n}"),
        (_, Command::Yes | Command::YesByDefault) => "not yet, or not with this key: see the question",
        (_, Command::ClearMarks) => "no host is marked",
        (_, Command::NextHit | Command::PreviousHit) => "nothing is searched: / searches",
        (_, Command::Follow) => "it is followed already",
        (_, Command::PreviousAttempt | Command::NextAttempt) => "there is only one attempt",
        (_, Command::Copy) => "there is nothing to copy here yet",
        _ => "nothing to do here",
    }
    .to_owned()
}
