//! One frame: a pure function of the state, the progress, the view and the moment.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::theme::{self, Theme};
use super::view::{Painted, Screen, View};
use super::{build_log, dialog, footer, header, help, host_list, host_page, lanes, plan_page, summary, watch, words};
use crate::names::Millis;
use crate::state::State;
use crate::state::live::Live;

/// The smallest terminal that shows something useful.
pub const SMALLEST: (u16, u16) = (40, 10);

/// What everything is drawn from.
pub(super) struct Ctx<'a> {
    /// What happened.
    pub state: &'a State,
    /// What is going on.
    pub live: &'a Live,
    /// What is looked at.
    pub view: &'a View,
    /// What things look like.
    pub theme: Theme,
    /// The moment.
    pub now: Millis,
}

/// Draws a frame and says what was found out while doing so.
pub fn draw(frame: &mut Frame, state: &State, live: &Live, view: &View, now: Millis) -> Painted {
    let ctx = Ctx {
        state,
        live,
        view,
        theme: Theme::new(view.look.colour),
        now,
    };
    let mut painted = Painted::default();
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(frame, area);
    } else {
        whole(frame, area, &ctx, &mut painted);
    }
    if view.look.ascii {
        to_ascii(frame.buffer_mut());
    }
    painted
}

/// ```text
/// header
/// screen
/// summary, once it is settled
/// who drives, where that is another process or nobody
/// notice or what is being typed
/// footer
/// ```
fn whole(frame: &mut Frame, area: Rect, ctx: &Ctx, painted: &mut Painted) {
    let summary = summary::lines(ctx, area);
    let notice = footer::notice(ctx, area.width);
    let rows = |count: usize| Constraint::Length(u16::try_from(count).unwrap_or(u16::MAX));
    let driven = watch::lines(ctx, area.width);
    let [top, body, end, who, told, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        rows(summary.len()),
        rows(driven.len()),
        rows(notice.len()),
        Constraint::Length(1),
    ])
    .areas(area);
    header::draw(frame, top, ctx);
    if ctx.view.help.is_some() {
        help::draw(frame, body, ctx, painted);
    } else {
        match ctx.view.screen() {
            Screen::Plan => plan_page::draw(frame, body, ctx, painted),
            Screen::Lanes => lanes::draw(frame, body, ctx, painted),
            Screen::Lane => lanes::draw_zoomed(frame, body, ctx, painted),
            Screen::Hosts => host_list::draw(frame, body, ctx, painted),
            Screen::Host(at) => host_page::draw(frame, body, ctx, *at, painted),
            Screen::Log(build) => build_log::draw(frame, body, ctx, build, painted),
        }
    }
    frame.render_widget(Paragraph::new(summary), end);
    frame.render_widget(Paragraph::new(driven), who);
    frame.render_widget(Paragraph::new(notice), told);
    footer::draw(frame, keys, ctx);
    footer::cursor(frame, told, ctx);
    if let Some(question) = &ctx.view.dialog {
        let between = Rect {
            y: top.bottom(),
            height: keys.y.saturating_sub(top.bottom()),
            ..area
        };
        dialog::draw(frame, between, ctx, question);
    }
}

fn too_small(frame: &mut Frame, area: Rect) {
    let text = [
        format!("needs {}x{}", SMALLEST.0, SMALLEST.1),
        format!("has {}x{}", area.width, area.height),
        "q quits".to_owned(),
    ];
    let lines: Vec<Line> = text
        .iter()
        .map(|line| Line::from(words::fit(line, area.width.into()).into_owned()))
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// Puts an ASCII look-alike in the place of every other symbol, in one place, so that no drawing has to think of it.
fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            cell.set_symbol(theme::ascii(cell.symbol()));
        }
    }
}
