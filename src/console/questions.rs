//! What is asked before something is done, and what the answers do.

use std::collections::HashSet;

use super::commands::act;
use super::enabled;
use super::host_list::host_at;
use super::motion;
use super::update::{Closing, Effect};
use super::view::{Dialog, HostAt, Interruption, Item, ListScope, Notice, Readiness, Screen, View};
use crate::engine::{Action, MovedTag, Scope};
use crate::names::HostId;
use crate::state::live::Live;
use crate::state::{LaneState, RetrySet, Selection, Stage, State, Verdict};

/// Takes in the engine's answer. One to a question that was given up meanwhile is recognised by its hosts and passed over.
pub(super) fn retry_checked(view: &mut View, checked: RetrySet, found: Vec<MovedTag>) {
    if let Some(Dialog::Retry { asked, set, moved }) = &mut view.dialog {
        if !is_within(&checked, asked) {
            return;
        }
        if checked.is_empty() {
            view.dialog = None;
            // Where the engine has said why, that stays.
            let nothing = || Notice::say("nothing is left to retry there");
            view.notice.get_or_insert_with(nothing);
        } else {
            *set = checked;
            *moved = Some(found);
        }
    }
}

/// The hosts that `r` means on this screen.
pub(super) fn retry_here(view: &View, state: &State) -> RetrySet {
    let hosts: Vec<HostAt> = match view.screen() {
        Screen::Hosts if !view.marks.is_empty() => view.marks.iter().copied().collect(),
        Screen::Hosts => view
            .hosts
            .index
            .rows()
            .get(view.hosts.cursor)
            .copied()
            .into_iter()
            .collect(),
        Screen::Host(at) => vec![*at],
        Screen::Plan | Screen::Lanes | Screen::Lane | Screen::Log(_) => {
            let region = enabled::lane(view, state).map(|lane| lane.region.clone());
            return state.retry_set(&Selection::Failed(region));
        }
    };
    let mut set = RetrySet::default();
    for at in hosts {
        if let Some((lane, rollout, host)) = host_at(state, at).filter(|(_, _, host)| host.can_be_retried()) {
            if host.status().verdict() == Verdict::Unknown {
                set.unknown += 1;
            }
            set.hosts
                .entry((lane.region.clone(), rollout.name.clone()))
                .or_default()
                .push(host.id.clone());
        }
    }
    set
}

/// Asks the operator, and the engine whether the tags still point at this deployment's image.
pub(super) fn ask_retry(view: &mut View, set: RetrySet) -> Vec<Effect> {
    if set.is_empty() {
        view.notice = Some(Notice::say("nothing to retry there"));
        return Vec::new();
    }
    view.dialog = Some(Dialog::Retry {
        asked: set.clone(),
        set: set.clone(),
        moved: None,
    });
    vec![Effect::Act(Action::CheckRetry(set))]
}

/// Whether every host of `part` is in `whole`.
fn is_within(part: &RetrySet, whole: &RetrySet) -> bool {
    part.hosts.iter().all(|(key, hosts)| {
        let known: HashSet<&HostId> = whole.hosts.get(key).into_iter().flatten().collect();
        hosts.iter().all(|host| known.contains(host))
    })
}

/// What can be cancelled from here, the smallest first.
pub(super) fn scopes(view: &View, state: &State) -> Vec<Scope> {
    let mut scopes = Vec::new();
    if let Some(lane) = enabled::lane(view, state) {
        let rollout = match (view.screen(), enabled::item(view, state)) {
            (Screen::Host(at), _) => Some(at.rollout),
            (Screen::Hosts, _) => match view.hosts.scope {
                ListScope::Rollout(_, at) => Some(at),
                ListScope::All | ListScope::Lane(_) => None,
            },
            (Screen::Lanes | Screen::Lane, Some(Item::Rollout(at))) => Some(at),
            (Screen::Plan | Screen::Lanes | Screen::Lane | Screen::Log(_), _) => None,
        };
        let rollout = rollout.and_then(|at| lane.rollouts.get(at));
        if let Some(rollout) = rollout.filter(|rollout| rollout.sends.iter().any(|send| !send.is_over())) {
            scopes.push(Scope::Rollout(lane.region.clone(), rollout.name.clone()));
        }
        if state.lanes.len() > 1 && is_under_way(state, lane) {
            scopes.push(Scope::Lane(lane.region.clone()));
        }
    }
    scopes.push(Scope::All);
    scopes
}

/// Whether there is something to cancel in a lane.
fn is_under_way(state: &State, lane: &LaneState) -> bool {
    let open = lane
        .rollouts
        .iter()
        .flat_map(|rollout| &rollout.sends)
        .any(|send| !send.is_over());
    open || !matches!(state.stage(lane), Stage::Done | Stage::Halted)
}

/// The operator said yes, or ended the line that was being typed.
pub(super) fn yes(view: &mut View, state: &State, live: &Live) -> Vec<Effect> {
    let Some(dialog) = view.dialog.take() else {
        if *view.screen() == Screen::Hosts {
            view.hosts.typing = false;
        } else {
            view.window.typing = false;
            motion::to_hit(view, state, live, true);
        }
        return Vec::new();
    };
    match dialog {
        Dialog::TypeName(_) => {
            let Readiness::Ready(plan) = &view.preflight.readiness else {
                return Vec::new();
            };
            view.preflight.readiness = Readiness::Starting(plan.clone());
            vec![Effect::Act(Action::Start)]
        }
        Dialog::Retry { set, moved, .. } => {
            view.marks.clear();
            let despite_moved = moved.into_iter().flatten().map(|moved| moved.region).collect();
            vec![Effect::Act(Action::Retry { set, despite_moved })]
        }
        Dialog::Cancel { scopes, at } => {
            let scope = at.checked_sub(1).and_then(|at| scopes.into_iter().nth(at));
            act(scope.map(Action::Cancel))
        }
        Dialog::Quit => vec![Effect::Close(Closing::Quit)],
        Dialog::Interrupt { at } => match Interruption::ALL.get(at) {
            Some(Interruption::Leave) => vec![Effect::Close(Closing::Quit)],
            Some(Interruption::Cancel) => vec![Effect::Act(Action::Cancel(Scope::All))],
            Some(Interruption::Stay) | None => Vec::new(),
        },
        Dialog::Abandon(token) => vec![Effect::Act(Action::Abandon(token))],
        Dialog::TakeOver => vec![Effect::Act(Action::TakeOver)],
    }
}

/// The operator said no, or gave up the line that was being typed.
pub(super) fn no(view: &mut View) -> Vec<Effect> {
    if view.dialog.take().is_none() {
        if *view.screen() == Screen::Hosts {
            view.hosts.typing = false;
            view.hosts.filter.reset();
        } else {
            view.window.typing = false;
            view.window.query.reset();
            view.window.hit = None;
        }
    }
    Vec::new()
}
