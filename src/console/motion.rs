//! Moving: cursors, pages, panels, hits of a search.

use super::copy;
use super::keymap::Command;
use super::view::{Dialog, Interruption, Screen, View, items};
use crate::state::State;
use crate::state::live::Live;

/// Moves whatever moves on this screen.
pub(super) fn go(view: &mut View, state: &State, command: Command) {
    if let Some(dialog) = &mut view.dialog {
        match dialog {
            Dialog::Cancel { scopes, at } => *at = step(*at, scopes.len() + 1, 1, command),
            Dialog::Interrupt { at } => *at = step(*at, Interruption::ALL.len(), 1, command),
            Dialog::TypeName(_) | Dialog::Retry { .. } | Dialog::Quit | Dialog::Abandon(_) | Dialog::TakeOver => {}
        }
        return;
    }
    let (page, rows) = (view.painted.page.max(1), view.painted.rows);
    if view.help.is_some() {
        view.help = Some(step(view.painted.offset, rows.saturating_sub(page) + 1, page, command));
        return;
    }
    match view.screen() {
        Screen::Plan => {
            view.scroll = Some(step(view.painted.offset, rows.saturating_sub(page) + 1, page, command));
        }
        Screen::Lanes => lanes(view, state, command),
        Screen::Lane => lane(view, state, command),
        Screen::Hosts => {
            view.hosts.cursor = step(view.hosts.cursor, view.hosts.index.rows().len(), page, command);
        }
        Screen::Host(_) | Screen::Log(_) => {
            let last = rows.saturating_sub(page);
            view.window.offset = step(view.painted.offset, last + 1, page, command);
            // Several motions may come before the next frame.
            view.painted.offset = view.window.offset;
            view.window.follow = view.window.follow && view.window.offset >= last;
        }
    }
}

/// A position among `count`, moved.
fn step(at: usize, count: usize, page: usize, command: Command) -> usize {
    let to = match command {
        Command::Up => at.saturating_sub(1),
        Command::Down => at + 1,
        Command::PageUp => at.saturating_sub(page),
        Command::PageDown => at + page,
        Command::HalfUp => at.saturating_sub(page.div_ceil(2)),
        Command::HalfDown => at + page.div_ceil(2),
        Command::First => 0,
        Command::Last => usize::MAX,
        _ => at,
    };
    to.min(count.saturating_sub(1))
}

/// Up and down go through the items of a panel and on into the panel above or below it.
fn lanes(view: &mut View, state: &State, command: Command) {
    let count = state.lanes.len();
    let columns = view.painted.columns.max(1);
    let Some(lane) = state.lanes.get(view.focus.lane) else {
        return;
    };
    let last_item = items(lane).len().saturating_sub(1);
    match command {
        Command::Up if view.focus.item > 0 => view.focus.item -= 1,
        Command::Up if view.focus.lane >= columns => {
            view.focus.lane -= columns;
            view.focus.item = items(&state.lanes[view.focus.lane]).len().saturating_sub(1);
        }
        Command::Down if view.focus.item < last_item => view.focus.item += 1,
        Command::Down if view.focus.lane + columns < count => {
            view.focus.lane += columns;
            view.focus.item = 0;
        }
        Command::PageUp | Command::PageDown | Command::HalfUp | Command::HalfDown | Command::First | Command::Last => {
            view.focus.lane = step(view.focus.lane, count, view.painted.page.max(1), command);
        }
        _ => panels(view, count, command),
    }
}

fn panels(view: &mut View, count: usize, command: Command) {
    let count = count.max(1);
    match command {
        Command::NextPanel | Command::Right => view.focus.lane = (view.focus.lane + 1) % count,
        Command::PreviousPanel | Command::Left => view.focus.lane = (view.focus.lane + count - 1) % count,
        Command::Panel(n) if usize::from(n) <= count => view.focus.lane = usize::from(n).saturating_sub(1),
        _ => return,
    }
    view.scroll = None;
}

/// Up and down go through the items, pages scroll.
fn lane(view: &mut View, state: &State, command: Command) {
    let Some(lane) = state.lanes.get(view.focus.lane) else {
        return;
    };
    let (page, rows) = (view.painted.page.max(1), view.painted.rows);
    match command {
        Command::Up | Command::Down => {
            let to = step(view.focus.item, items(lane).len(), page, command);
            if to == view.focus.item {
                view.scroll = Some(step(view.painted.offset, rows.saturating_sub(page) + 1, page, command));
            } else {
                view.focus.item = to;
                view.scroll = None;
            }
        }
        Command::PageUp | Command::PageDown | Command::HalfUp | Command::HalfDown | Command::First | Command::Last => {
            view.scroll = Some(step(view.painted.offset, rows.saturating_sub(page) + 1, page, command));
        }
        _ => panels(view, state.lanes.len(), command),
    }
}

/// Goes to the next hit of the search, or the one before, around the ends.
pub(super) fn to_hit(view: &mut View, state: &State, live: &Live, forward: bool) {
    let lines = copy::open_lines(view, state, live);
    let hits = view.window.hits(&lines, view.painted.columns.max(2));
    let from = view.window.hit;
    let next = match (forward, from) {
        (true, Some(at)) => hits.iter().find(|hit| **hit > at).or(hits.first()),
        (true, None) => hits.iter().find(|hit| **hit >= view.window.offset).or(hits.first()),
        (false, Some(at)) => hits.iter().rfind(|hit| **hit < at).or(hits.last()),
        (false, None) => hits.iter().rfind(|hit| **hit <= view.window.offset).or(hits.last()),
    };
    let Some(hit) = next.copied() else {
        if !view.window.query.value().is_empty() {
            view.notice = Some(super::view::Notice::say("no hit"));
        }
        view.window.hit = None;
        return;
    };
    view.window.hit = Some(hit);
    view.window.follow = false;
    let page = view.painted.page.max(1);
    let seen = view.window.offset..view.window.offset + page;
    if !seen.contains(&hit) {
        view.window.offset = hit.saturating_sub(page / 2);
    }
}
