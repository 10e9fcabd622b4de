//! The mouse, while it belongs to the console: a click points, a second one opens, the wheel scrolls.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::commands;
use super::enabled::is_enabled;
use super::keymap::Command;
use super::motion;
use super::update::Effect;
use super::view::{Click, View, items};
use crate::state::State;
use crate::state::live::Live;

/// Rows that one notch of the wheel scrolls.
const NOTCH: usize = 3;

/// Takes in a movement of the mouse.
pub(super) fn moved(view: &mut View, state: &State, live: &Live, mouse: MouseEvent) -> Vec<Effect> {
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
            for _ in 0..NOTCH {
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
                Some(Click::Lane(lane)) => {
                    view.focus.lane = lane.min(state.lanes.len().saturating_sub(1));
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
        commands::run(view, state, live, command)
    } else {
        Vec::new()
    }
}
