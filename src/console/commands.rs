//! What each key does: one arm a command.

use tui_input::Input;

use super::enabled;
use super::figures;
use super::host_list::host_at;
use super::keymap::Command;
use super::motion;
use super::questions;
use super::text_window::TextWindow;
use super::update::{Closing, Effect};
use super::view::{Dialog, Interruption, Item, ListScope, Notice, Readiness, Screen, View, items};
use super::{copy, words};
use crate::engine::Action;
use crate::names::BuildId;
use crate::state::live::Live;
use crate::state::{Selection, State};

/// Does what a key asks for; the caller has made sure that it can be done.
#[expect(clippy::too_many_lines, reason = "one arm a command: it is a table")]
pub(super) fn run(view: &mut View, state: &State, live: &Live, command: Command) -> Vec<Effect> {
    match command {
        Command::Start => start(view),
        Command::Recheck => {
            view.preflight.readiness = Readiness::Checking;
            vec![Effect::Act(Action::Recheck)]
        }
        Command::TakeUp => match &view.unfinished {
            Some(unfinished) => vec![Effect::Close(Closing::Attach(unfinished.id))],
            None => Vec::new(),
        },
        Command::Unfold => {
            view.unfold = Some(!view.unfold.unwrap_or(false));
            Vec::new()
        }
        Command::Open => open(view, state),
        Command::Back => back(view),
        Command::Zoom => {
            if *view.screen() == Screen::Lane {
                view.back();
            } else {
                view.open(Screen::Lane);
                to_trouble(view, state);
            }
            Vec::new()
        }
        Command::AllHosts => list(view, ListScope::All),
        Command::Log => {
            if let Some(build) = enabled::build(view, state) {
                open_log(view, build.id.clone());
            }
            Vec::new()
        }
        Command::Retry => {
            let set = questions::retry_here(view, state);
            questions::ask_retry(view, set)
        }
        Command::RetryLane => {
            let region = enabled::lane(view, state).map(|lane| lane.region.clone());
            questions::ask_retry(view, state.retry_set(&Selection::Failed(region)))
        }
        Command::RetryFailed => questions::ask_retry(view, state.retry_set(&Selection::Failed(None))),
        Command::RetryAll => questions::ask_retry(view, state.retry_set(&Selection::Unsuccessful(None))),
        Command::RetryBuild => act(enabled::build(view, state).map(|build| Action::RetryBuild(build.id.clone()))),
        Command::RetryPush => act(enabled::lane(view, state).map(|lane| Action::RetryPush(lane.region.clone()))),
        Command::Resend => {
            let lane = enabled::lane(view, state).map(|lane| lane.region.clone());
            let rollout = enabled::rollout(view, state).map(|rollout| rollout.name.clone());
            act(lane
                .zip(rollout)
                .map(|(region, rollout)| Action::Resend(region, rollout)))
        }
        Command::Abandon => {
            if let Some(send) = enabled::rollout(view, state).and_then(enabled::unknown_send) {
                view.dialog = Some(Dialog::Abandon(send.token.clone()));
            }
            Vec::new()
        }
        Command::Cancel => {
            // The cursor starts on the answer that changes nothing.
            view.dialog = Some(Dialog::Cancel {
                scopes: questions::scopes(view, state),
                at: 0,
            });
            Vec::new()
        }
        Command::TakeOver => {
            view.dialog = Some(Dialog::TakeOver);
            Vec::new()
        }
        Command::Mark => mark(view),
        Command::MarkRange => mark_range(view),
        Command::MarkAll => {
            view.marks.extend(view.hosts.index.rows().iter().copied());
            Vec::new()
        }
        Command::ClearMarks => {
            view.marks.clear();
            Vec::new()
        }
        Command::Filter => {
            view.hosts.typing = true;
            Vec::new()
        }
        Command::Search => {
            view.window.typing = true;
            Vec::new()
        }
        Command::Trouble => {
            view.hosts.trouble = !view.hosts.trouble;
            Vec::new()
        }
        Command::Sort => {
            view.hosts.by_state = !view.hosts.by_state;
            Vec::new()
        }
        Command::NextHit | Command::PreviousHit => {
            motion::to_hit(view, state, live, command == Command::NextHit);
            Vec::new()
        }
        Command::Follow => {
            view.window.follow = true;
            Vec::new()
        }
        Command::Wrap => {
            view.window.wrap = !view.window.wrap;
            view.window.hit = None;
            Vec::new()
        }
        Command::Times => {
            view.clock_times = !view.clock_times;
            Vec::new()
        }
        Command::Copy => copy_text(view, state),
        Command::Save => match copy::open_text(view, state, live) {
            Some((name, text)) => vec![Effect::Save { name, text }],
            None => Vec::new(),
        },
        Command::PreviousAttempt | Command::NextAttempt => {
            attempt(view, state, command == Command::NextAttempt);
            Vec::new()
        }
        Command::Up
        | Command::Down
        | Command::Left
        | Command::Right
        | Command::PageUp
        | Command::PageDown
        | Command::HalfUp
        | Command::HalfDown
        | Command::First
        | Command::Last
        | Command::NextPanel
        | Command::PreviousPanel
        | Command::Panel(_) => {
            motion::go(view, state, command);
            Vec::new()
        }
        Command::Yes | Command::YesByDefault => questions::yes(view, state, live),
        Command::No => questions::no(view),
        Command::Mouse => {
            view.mouse = !view.mouse;
            let text = if view.mouse {
                "the mouse points and scrolls here"
            } else {
                "the mouse is the terminal's again"
            };
            view.notice = Some(Notice::say(text));
            vec![Effect::Mouse(view.mouse)]
        }
        Command::Repaint => vec![Effect::Repaint],
        Command::Suspend => vec![Effect::Suspend],
        Command::Help => {
            view.help = Some(0);
            Vec::new()
        }
        Command::Quit if view.is_under_way(state) => {
            view.dialog = Some(Dialog::Quit);
            Vec::new()
        }
        Command::Quit => vec![Effect::Close(Closing::Quit)],
        Command::Interrupt => {
            let again = matches!(view.dialog, Some(Dialog::Interrupt { .. }));
            if again || !view.is_under_way(state) {
                return vec![Effect::Close(Closing::Interrupted)];
            }
            // The cursor starts on the answer that changes nothing.
            view.dialog = Some(Dialog::Interrupt {
                at: Interruption::ALL.len() - 1,
            });
            Vec::new()
        }
    }
}

/// Puts the cursor of a lane that is looked at closely on its first item in trouble, unless it is on one already: where the
/// page is short, it opens there.
fn to_trouble(view: &mut View, state: &State) {
    let Some(lane) = state.lanes.get(view.focus.lane) else {
        return;
    };
    let troubled: Vec<bool> = items(lane)
        .iter()
        .map(|item| figures::is_troubled(state, lane, *item))
        .collect();
    if troubled.get(view.focus.item) != Some(&true)
        && let Some(first) = troubled.iter().position(|troubled| *troubled)
    {
        view.focus.item = first;
    }
}

/// The effect of an action, if there is one.
pub(super) fn act(action: Option<Action>) -> Vec<Effect> {
    action.map(Effect::Act).into_iter().collect()
}

fn start(view: &mut View) -> Vec<Effect> {
    let Readiness::Ready(plan) = &view.preflight.readiness else {
        return Vec::new();
    };
    if plan.environment.protected {
        view.dialog = Some(Dialog::TypeName(Input::default()));
        return Vec::new();
    }
    view.preflight.readiness = Readiness::Starting(plan.clone());
    vec![Effect::Act(Action::Start)]
}

fn open(view: &mut View, state: &State) -> Vec<Effect> {
    match view.screen() {
        Screen::Hosts => {
            if let Some(at) = view.hosts.index.rows().get(view.hosts.cursor).copied() {
                view.window = TextWindow::default();
                view.attempt = None;
                view.asked = None;
                view.open(Screen::Host(at));
            }
        }
        Screen::Lanes | Screen::Lane => match enabled::item(view, state) {
            Some(Item::Build) => {
                if let Some(build) = enabled::build(view, state) {
                    open_log(view, build.id.clone());
                }
            }
            Some(Item::Push) => view.open(Screen::Lane),
            Some(Item::Rollout(at)) => return list(view, ListScope::Rollout(view.focus.lane, at)),
            None => {}
        },
        Screen::Plan | Screen::Host(_) | Screen::Log(_) => {}
    }
    Vec::new()
}

fn open_log(view: &mut View, build: BuildId) {
    view.window = TextWindow {
        follow: true,
        ..TextWindow::default()
    };
    view.open(Screen::Log(build));
}

/// Opens a list. Marks belong to the hosts that the operator was looking at: another list starts without any.
fn list(view: &mut View, scope: ListScope) -> Vec<Effect> {
    if view.hosts.scope != scope {
        view.marks.clear();
        view.hosts.scope = scope;
        view.hosts.cursor = 0;
        view.hosts.offset = 0;
        view.hosts.anchor = None;
    }
    view.open(Screen::Hosts);
    Vec::new()
}

fn back(view: &mut View) -> Vec<Effect> {
    if view.help.take().is_some() {
        return Vec::new();
    }
    let filtered = *view.screen() == Screen::Hosts && !view.hosts.filter.value().is_empty();
    let searched = matches!(view.screen(), Screen::Host(_) | Screen::Log(_)) && !view.window.query.value().is_empty();
    if filtered {
        view.hosts.filter.reset();
    } else if searched {
        view.window.query.reset();
        view.window.hit = None;
    } else {
        view.back();
    }
    Vec::new()
}

fn copy_text(view: &mut View, state: &State) -> Vec<Effect> {
    let Some((what, text)) = copy::text(view, state) else {
        return Vec::new();
    };
    if text.len() > copy::CLIPBOARD_MAX {
        view.notice = Some(Notice::say(
            "too long for a terminal's clipboard: ctrl-s saves it to a file",
        ));
        return Vec::new();
    }
    let shown = words::fit(text.lines().next().unwrap_or_default(), 40).into_owned();
    view.notice = Some(Notice::say(format!(
        "{what} was sent to the terminal's clipboard: {shown}"
    )));
    vec![Effect::Copy(text)]
}

fn attempt(view: &mut View, state: &State, forward: bool) {
    let Some((_, _, host)) = enabled::open_host(view).and_then(|at| host_at(state, at)) else {
        return;
    };
    let last = host.attempts.len().saturating_sub(1);
    let now = view.attempt.unwrap_or(last);
    let next = if forward {
        (now + 1).min(last)
    } else {
        now.saturating_sub(1)
    };
    view.attempt = (next < last).then_some(next);
    view.window = TextWindow::default();
}

fn mark(view: &mut View) -> Vec<Effect> {
    if let Some(at) = view.hosts.index.rows().get(view.hosts.cursor).copied() {
        if !view.marks.remove(&at) {
            view.marks.insert(at);
            view.hosts.anchor = Some(view.hosts.cursor);
        }
        view.hosts.cursor = (view.hosts.cursor + 1).min(view.hosts.index.rows().len() - 1);
    }
    Vec::new()
}

fn mark_range(view: &mut View) -> Vec<Effect> {
    let cursor = view.hosts.cursor;
    let anchor = view.hosts.anchor.unwrap_or(cursor);
    let (from, to) = (anchor.min(cursor), anchor.max(cursor));
    let rows = view.hosts.index.rows();
    view.marks.extend(rows.iter().skip(from).take(to - from + 1).copied());
    view.hosts.anchor = Some(cursor);
    Vec::new()
}
