//! What `y` copies and ctrl-s saves.

use super::enabled;
use super::host_list::host_at;
use super::host_page;
use super::theme::Theme;
use super::view::{Item, Screen, View};
use super::{build_log, text_window::TextLine};
use crate::state::State;
use crate::state::live::Live;

/// More than this is not sent to a terminal: many cut OSC 52 at about 75 000 encoded bytes.
pub(super) const CLIPBOARD_MAX: usize = 50_000;

/// What stands under the cursor, with a word for it.
pub(super) fn text(view: &View, state: &State) -> Option<(&'static str, String)> {
    match view.screen() {
        Screen::Plan => Some(("the commit's id", view.plan(state)?.commit.id.to_string())),
        Screen::Lanes | Screen::Lane => match enabled::item(view, state)? {
            Item::Build => Some(("the log's path", enabled::build(view, state)?.log.as_ref()?.to_string())),
            Item::Push => Some(("the digest", enabled::lane(view, state)?.digest()?.to_string())),
            Item::Rollout(at) => {
                let rollout = enabled::lane(view, state)?.rollouts.get(at)?;
                Some(("the command's id", rollout.sends.last()?.command()?.to_string()))
            }
        },
        Screen::Hosts => {
            let marked: Vec<_> = view.marks.iter().copied().collect();
            let cursor = view.hosts.index.rows().get(view.hosts.cursor).copied();
            let rows = if marked.is_empty() {
                cursor.into_iter().collect()
            } else {
                marked
            };
            let ids: Vec<&str> = rows
                .iter()
                .filter_map(|at| Some(host_at(state, *at)?.2.id.as_str()))
                .collect();
            (!ids.is_empty()).then(|| ("the host ids", ids.join("\n")))
        }
        Screen::Host(at) => {
            let (_, _, host) = host_at(state, *at)?;
            let attempt = host_page::shown(view, host).and_then(|at| host.attempts.get(at));
            match attempt.and_then(|attempt| attempt.output.as_ref()) {
                Some(_) => Some((
                    "the output",
                    join(&host_page::lines(state, view, *at, &Theme::new(false))),
                )),
                None => Some(("the host's id", host.id.to_string())),
            }
        }
        Screen::Log(id) => Some((
            "the log's path",
            enabled::build(view, state)
                .filter(|build| build.id == *id)?
                .log
                .as_ref()?
                .to_string(),
        )),
    }
}

/// The whole text that is open, and the name of a file for it.
pub(super) fn open_text(view: &View, state: &State, live: &Live) -> Option<(String, String)> {
    let deployment = state.plan.as_ref().map(|plan| plan.id.short()).unwrap_or_default();
    let theme = Theme::new(false);
    let (name, lines) = match view.screen() {
        Screen::Host(at) => {
            let (_, _, host) = host_at(state, *at)?;
            let attempt = host_page::shown(view, host).map_or(1, |at| at + 1);
            (
                format!("quarterdeck-{deployment}-{}-try{attempt}.txt", host.id),
                host_page::lines(state, view, *at, &theme),
            )
        }
        Screen::Log(id) => (
            format!("quarterdeck-{deployment}-{id}.log"),
            build_log::lines(state, live, id, &theme),
        ),
        Screen::Plan | Screen::Lanes | Screen::Lane | Screen::Hosts => return None,
    };
    let name = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-._".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    Some((name, join(&lines)))
}

/// The lines of the text that is open.
pub(super) fn open_lines(view: &View, state: &State, live: &Live) -> Vec<TextLine> {
    let theme = Theme::new(false);
    match view.screen() {
        Screen::Host(at) => host_page::lines(state, view, *at, &theme),
        Screen::Log(id) => build_log::lines(state, live, id, &theme),
        Screen::Plan | Screen::Lanes | Screen::Lane | Screen::Hosts => Vec::new(),
    }
}

fn join(lines: &[TextLine]) -> String {
    lines.iter().map(|line| format!("{}\n", line.text)).collect()
}
