//! What a key, a click or a word of the engine changes: a function of the view, the state and the event.

use crossterm::event::{Event, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::enabled::{self, is_enabled};
use super::host_list::host_at;
use super::keymap::{self, Command, Place};
use super::motion;
use super::text_window::TextWindow;
use super::view::{Click, Dialog, HostAt, Interruption, Item, ListScope, Notice, Readiness, Screen, View, items};
use super::{copy, words};
use crate::engine::{Action, Scope, Update};
use crate::state::live::Live;
use crate::state::{RetrySet, Selection, State};
use crate::text::Clean;

/// What has to be done outside of the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask the engine.
    Act(Action),
    /// Send a text to the terminal's clipboard.
    Copy(String),
    /// Write a text to a new file in the working directory.
    Save {
        /// The file's name.
        name: String,
        /// The text.
        text: String,
    },
    /// Take the mouse, or give it back.
    Mouse(bool),
    /// Suspend the process.
    Suspend,
    /// Draw everything anew.
    Repaint,
    /// Ring once.
    Bell,
    /// End the console.
    Close(Closing),
}

/// How the operator ended the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// With `q`, or with "leave".
    Quit,
    /// With ctrl-c, at once.
    Interrupted,
}

/// Takes in a terminal event.
pub fn event(view: &mut View, state: &State, live: &Live, event: &Event) -> Vec<Effect> {
    view.follow(state);
    let mut effects = match event {
        // A terminal that reports releases would otherwise press every key twice.
        Event::Key(key) if key.kind == KeyEventKind::Press || key.kind == KeyEventKind::Repeat => {
            key_pressed(view, state, live, key, event)
        }
        Event::Paste(text) => {
            if let Some(input) = input_of(view) {
                for c in Clean::line(text).as_str().chars() {
                    input.handle(tui_input::InputRequest::InsertChar(c));
                }
            }
            Vec::new()
        }
        Event::Mouse(mouse) => mouse_moved(view, state, live, *mouse),
        Event::Key(_) | Event::Resize(..) | Event::FocusGained | Event::FocusLost => Vec::new(),
    };
    view.follow(state);
    effects.extend(wanted_output(view, state));
    effects
}

/// Takes in a word of the engine. A fact has been applied to `state` already.
pub fn told(view: &mut View, state: &State, update: Update) -> Vec<Effect> {
    let mut effects = Vec::new();
    match update {
        Update::Checks(checks) => view.preflight.checks = checks,
        Update::Ready(plan) => view.preflight.readiness = Readiness::Ready(plan),
        Update::Blocked(problems) => view.preflight.readiness = Readiness::Blocked(problems),
        Update::Fact(recorded) => {
            if let crate::state::Fact::DeploymentSettled { .. } = recorded.fact {
                effects.push(Effect::Bell);
            }
        }
        Update::RetryChecked { set, moved } => retry_checked(view, set, moved),
        Update::Notice(problem) => {
            if state.plan.is_none()
                && let Readiness::Starting(plan) = &view.preflight.readiness
            {
                view.preflight.readiness = Readiness::Ready(plan.clone());
            }
            view.notice = Some(problem.into());
        }
        Update::Stopped(problem) => {
            if let Some(problem) = problem {
                view.notice = Some(problem.into());
            }
        }
    }
    effects.extend(wanted_output(view, state));
    effects
}

fn retry_checked(view: &mut View, checked: RetrySet, found: Vec<crate::engine::MovedTag>) {
    if let Some(Dialog::Retry { set, moved }) = &mut view.dialog {
        if checked.is_empty() {
            view.dialog = None;
            view.notice = Some(Notice::say("nothing is left to retry there"));
        } else {
            *set = checked;
            *moved = Some(found);
        }
    }
}

/// Asks for the output of the host that is open, once it has ended.
fn wanted_output(view: &mut View, state: &State) -> Vec<Effect> {
    let Some(at) = enabled::open_host(view).filter(|_| !view.read_only) else {
        return Vec::new();
    };
    let Some((lane, rollout, host)) = host_at(state, at) else {
        return Vec::new();
    };
    let Some(attempt) = host.attempts.len().checked_sub(1) else {
        return Vec::new();
    };
    let missing = host.attempts[attempt].status.is_end() && host.attempts[attempt].output.is_none();
    if !missing || view.asked == Some((at, attempt)) {
        return Vec::new();
    }
    view.asked = Some((at, attempt));
    vec![Effect::Act(Action::ReadOutput {
        region: lane.region.clone(),
        rollout: rollout.name.clone(),
        host: host.id.clone(),
    })]
}

/// The line that is being typed.
fn input_of(view: &mut View) -> Option<&mut Input> {
    let typing = view.is_typing();
    let list = *view.screen() == Screen::Hosts;
    match &mut view.dialog {
        Some(Dialog::TypeName(input)) => Some(input),
        Some(
            Dialog::Retry { .. } | Dialog::Cancel { .. } | Dialog::Quit | Dialog::Interrupt { .. } | Dialog::Abandon(_),
        ) => None,
        None if !typing => None,
        None if list => Some(&mut view.hosts.filter),
        None => Some(&mut view.window.query),
    }
}

fn key_pressed(view: &mut View, state: &State, live: &Live, key: &KeyEvent, event: &Event) -> Vec<Effect> {
    let place = view.place();
    match keymap::command(place, key) {
        Some(command) => {
            if !matches!(command, Command::Up | Command::Down) {
                view.notice = None;
            }
            if is_enabled(command, view, state) {
                run(view, state, live, command)
            } else {
                view.notice = Some(Notice::say(why_not(command)));
                Vec::new()
            }
        }
        None => {
            if let Some(input) = input_of(view) {
                input.handle_event(event);
                view.hosts.cursor = if *view.screen() == Screen::Hosts && place == Place::Text {
                    0
                } else {
                    view.hosts.cursor
                };
            }
            Vec::new()
        }
    }
}

/// Why a key does nothing now.
fn why_not(command: Command) -> &'static str {
    match command {
        Command::Start => "the plan cannot start yet: see its checks",
        Command::Retry | Command::RetryLane | Command::RetryFailed => "nothing has failed there: nothing to retry",
        Command::RetryAll => "nothing has ended without success: nothing to retry",
        Command::RetryBuild => "the build has not failed",
        Command::RetryPush => "the push has not failed",
        Command::Resend => "no command was refused here",
        Command::Abandon => "no send is unknown here",
        Command::Cancel => "nothing is under way",
        Command::Yes | Command::YesByDefault => "not yet, or not with this key: see the question",
        _ => "nothing to do here",
    }
}

#[expect(clippy::too_many_lines, reason = "one arm a command: it is a table")]
fn run(view: &mut View, state: &State, live: &Live, command: Command) -> Vec<Effect> {
    match command {
        Command::Start => start(view),
        Command::Recheck => {
            view.preflight.readiness = Readiness::Checking;
            vec![Effect::Act(Action::Recheck)]
        }
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
            let set = retry_here(view, state);
            ask_retry(view, set)
        }
        Command::RetryLane => {
            let region = enabled::lane(view, state).map(|lane| lane.region.clone());
            ask_retry(view, state.retry_set(&Selection::Failed(region)))
        }
        Command::RetryFailed => ask_retry(view, state.retry_set(&Selection::Failed(None))),
        Command::RetryAll => ask_retry(view, state.retry_set(&Selection::Unsuccessful(None))),
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
            view.dialog = Some(Dialog::Cancel {
                scopes: scopes(view, state),
                at: 0,
            });
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
        Command::Yes | Command::YesByDefault => yes(view, state, live),
        Command::No => no(view),
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

fn act(action: Option<Action>) -> Vec<Effect> {
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

fn open_log(view: &mut View, build: crate::names::BuildId) {
    view.window = TextWindow {
        follow: true,
        ..TextWindow::default()
    };
    view.open(Screen::Log(build));
}

fn list(view: &mut View, scope: ListScope) -> Vec<Effect> {
    if view.hosts.scope != scope {
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

/// The hosts that `r` means on this screen.
fn retry_here(view: &View, state: &State) -> RetrySet {
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
            if host.status().verdict() == crate::state::Verdict::Unknown {
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

fn ask_retry(view: &mut View, set: RetrySet) -> Vec<Effect> {
    if set.is_empty() {
        view.notice = Some(Notice::say("nothing to retry there"));
        return Vec::new();
    }
    view.dialog = Some(Dialog::Retry {
        set: set.clone(),
        moved: None,
    });
    vec![Effect::Act(Action::CheckRetry(set))]
}

/// What can be cancelled from here, the smallest first.
fn scopes(view: &View, state: &State) -> Vec<Scope> {
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
        scopes.push(Scope::Lane(lane.region.clone()));
    }
    scopes.push(Scope::All);
    scopes
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

fn yes(view: &mut View, state: &State, live: &Live) -> Vec<Effect> {
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
        Dialog::Retry { set, moved } => {
            view.marks.clear();
            let despite_moved_tag = moved.is_some_and(|moved| !moved.is_empty());
            vec![Effect::Act(Action::Retry { set, despite_moved_tag })]
        }
        Dialog::Cancel { scopes, at } => act(scopes.into_iter().nth(at).map(Action::Cancel)),
        Dialog::Quit => vec![Effect::Close(Closing::Quit)],
        Dialog::Interrupt { at } => match Interruption::ALL.get(at) {
            Some(Interruption::Leave) => vec![Effect::Close(Closing::Quit)],
            Some(Interruption::Cancel) => vec![Effect::Act(Action::Cancel(Scope::All))],
            Some(Interruption::Stay) | None => Vec::new(),
        },
        Dialog::Abandon(token) => vec![Effect::Act(Action::Abandon(token))],
    }
}

fn no(view: &mut View) -> Vec<Effect> {
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

fn mouse_moved(view: &mut View, state: &State, live: &Live, mouse: MouseEvent) -> Vec<Effect> {
    if view.dialog.is_some() {
        return Vec::new();
    }
    match mouse.kind {
        MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
            let command = if mouse.kind == MouseEventKind::ScrollUp {
                Command::Up
            } else {
                Command::Down
            };
            for _ in 0..3 {
                motion::go(view, state, command);
            }
            Vec::new()
        }
        MouseEventKind::Down(MouseButton::Left) => {
            let here = Position::new(mouse.column, mouse.row);
            let hit = view
                .painted
                .clicks
                .iter()
                .find(|(area, _)| area.contains(here))
                .map(|(_, click)| *click);
            match hit {
                // A second click on the same thing opens it.
                Some(Click::Item(focus)) if view.focus == focus => run_if(view, state, live, Command::Open),
                Some(Click::Item(focus)) => {
                    let known = state
                        .lanes
                        .get(focus.lane)
                        .is_some_and(|lane| focus.item < items(lane).len());
                    if known {
                        view.focus = focus;
                    }
                    Vec::new()
                }
                Some(Click::Row(row)) if view.hosts.cursor == row => run_if(view, state, live, Command::Open),
                Some(Click::Row(row)) => {
                    view.hosts.cursor = row.min(view.hosts.index.rows().len().saturating_sub(1));
                    Vec::new()
                }
                None => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

fn run_if(view: &mut View, state: &State, live: &Live, command: Command) -> Vec<Effect> {
    if is_enabled(command, view, state) {
        run(view, state, live, command)
    } else {
        Vec::new()
    }
}
