//! What a key, a click or a word of the engine changes: a function of the view, the state and the event.

use crossterm::event::{Event, KeyEvent, KeyEventKind};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::commands;
use super::enabled::{self, is_enabled};
use super::host_list::host_at;
use super::keymap::{self, Command, Place};
use super::mouse;
use super::questions;
use super::view::{Dialog, Notice, Readiness, Role, Screen, View};
use crate::engine::{Action, Update};
use crate::names::DeploymentId;
use crate::plan::check::CheckState;
use crate::state::live::Live;
use crate::state::{Fact, State};
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
    /// To take up another deployment.
    Attach(DeploymentId),
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
        Event::Mouse(event) => mouse::moved(view, state, live, *event),
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
        Update::Checks(checks) => {
            let pending = checks.iter().any(|check| check.state == CheckState::Pending);
            // The engine looks again by itself, at a plan that is too old for instance.
            if pending && matches!(view.preflight.readiness, Readiness::Ready(_) | Readiness::Blocked(_)) {
                view.preflight.readiness = Readiness::Checking;
            }
            view.preflight.checks = checks;
        }
        Update::Ready(plan) => view.preflight.readiness = Readiness::Ready(plan),
        Update::Blocked(problems) => view.preflight.readiness = Readiness::Blocked(problems),
        Update::Fact(recorded) => {
            if let Fact::DeploymentSettled { .. } = recorded.fact {
                effects.push(Effect::Bell);
                forget_word(view);
            }
        }
        Update::RetryChecked { set, moved } => {
            forget_word(view);
            questions::retry_checked(view, set, moved);
        }
        Update::Notice(problem) => {
            if state.plan.is_none()
                && let Readiness::Starting(plan) = &view.preflight.readiness
            {
                view.preflight.readiness = Readiness::Ready(plan.clone());
            }
            view.notice = Some(problem.into());
        }
        Update::Watching(_) => watch(view, Role::Watches),
        Update::Orphaned => watch(view, Role::Orphaned),
        Update::Driving => {
            let taken_over = view.role == Role::Orphaned;
            watch(view, Role::Drives);
            if taken_over {
                view.notice = Some(Notice::say("this console drives the deployment now"));
            }
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

/// Why a key did nothing is not true any more; what went wrong stays to be read.
fn forget_word(view: &mut View) {
    view.notice = view.notice.take().filter(|notice| notice.bad);
}

/// Another process drives now, or none, or this one: a question of what was before is void, and so is what was said to a
/// watcher.
fn watch(view: &mut View, role: Role) {
    if view.role != role && matches!(view.role, Role::Watches | Role::Orphaned) {
        view.notice = None;
    }
    view.role = role;
    view.dialog = None;
}

/// Asks for the output of the host that is open, once it has ended.
fn wanted_output(view: &mut View, state: &State) -> Vec<Effect> {
    let Some(at) = enabled::open_host(view).filter(|_| view.drives()) else {
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
            Dialog::Retry { .. }
            | Dialog::Cancel { .. }
            | Dialog::Quit
            | Dialog::Interrupt { .. }
            | Dialog::Abandon(_)
            | Dialog::TakeOver,
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
                commands::run(view, state, live, command)
            } else {
                view.notice = Some(Notice::say(enabled::why_not(command, view)));
                Vec::new()
            }
        }
        None => {
            if let Some(input) = input_of(view) {
                input.handle_event(event);
                // Another filter shows other hosts: from the first one.
                if *view.screen() == Screen::Hosts && place == Place::Text {
                    view.hosts.cursor = 0;
                }
            }
            Vec::new()
        }
    }
}
