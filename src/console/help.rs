//! The help: every key of the screen below it, from the same table that dispatches them.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::draw::Ctx;
use super::enabled;
use super::keymap::{self, Place};
use super::text_window::scrollbar;
use super::view::{Painted, Screen};
use super::words;
use crate::state::Verdict;

/// Columns of the keys.
const COLUMN: usize = 17;

/// The place whose keys are shown.
fn place(screen: &Screen) -> Place {
    match screen {
        Screen::Plan => Place::Plan,
        Screen::Lanes => Place::Lanes,
        Screen::Lane => Place::Lane,
        Screen::Hosts => Place::Hosts,
        Screen::Host(_) => Place::Host,
        Screen::Log(_) => Place::Log,
    }
}

/// Draws it.
pub(super) fn draw(frame: &mut Frame, area: Rect, ctx: &Ctx, painted: &mut Painted) {
    let block = Block::bordered().title(" keys ").border_style(ctx.theme.frame_focused);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let lines = lines(ctx, usize::from(inner.width).saturating_sub(1));
    let page = usize::from(inner.height);
    let offset = ctx.view.help.unwrap_or(0).min(lines.len().saturating_sub(page));
    painted.page = page;
    painted.rows = lines.len();
    painted.offset = offset;
    scrollbar(frame, inner, lines.len(), page, offset);
    let shown: Vec<Line> = lines.into_iter().skip(offset).take(page).collect();
    frame.render_widget(Paragraph::new(shown), inner);
}

/// The screen's keys, then those of questions and typed lines, then the signs.
fn lines(ctx: &Ctx, width: usize) -> Vec<Line<'static>> {
    let theme = &ctx.theme;
    let mut lines = Vec::new();
    if !ctx.view.drives() {
        let text = "This console does not drive the deployment: keys that change something are left out.";
        let told = words::wrap(text, width).into_iter();
        lines.extend(told.map(|line| Line::from(Span::styled(line, theme.attention))));
        lines.push(Line::default());
    }
    keys(ctx, place(ctx.view.screen()), width, &mut lines);
    for (title, place) in [
        ("a question", Place::Confirm),
        ("a menu", Place::Choose),
        ("a line of text", Place::Text),
    ] {
        lines.push(Line::default());
        lines.push(Line::from(Span::styled(title, theme.title)));
        keys(ctx, place, width, &mut lines);
    }
    lines.push(Line::default());
    lines.push(Line::from(Span::styled("signs", theme.title)));
    for (verdict, text) in [
        (Verdict::Waiting, "waiting: not sent to yet"),
        (Verdict::Running, "under way"),
        (Verdict::Succeeded, "success"),
        (Verdict::Failed, "it ran and failed (! it was killed at its time limit)"),
        (Verdict::Unknown, "unknown whether it ran; a retry may run it twice"),
        (Verdict::NotRun, "it did not run; a retry is harmless"),
    ] {
        lines.push(Line::from(vec![
            Span::styled(words::pad(super::theme::glyph(verdict), COLUMN), theme.verdict(verdict)),
            Span::raw(text),
        ]));
    }
    lines
}

/// The keys of a place, the ones that mean the same everywhere only on its screen.
fn keys(ctx: &Ctx, place: Place, width: usize, lines: &mut Vec<Line<'static>>) {
    let aside = matches!(place, Place::Confirm | Place::Choose | Place::Text);
    let shown = keymap::of(place)
        .filter(|binding| !binding.help.is_empty())
        .filter(|binding| ctx.view.drives() || !enabled::asks(binding.command))
        .filter(|binding| !aside || binding.places != keymap::ANYWHERE);
    for binding in shown {
        let keys: Vec<String> = binding.keys.iter().map(|key| key.shown(ctx.view.look.ascii)).collect();
        let room = width.saturating_sub(COLUMN).max(10);
        for (at, text) in words::wrap(binding.help, room).into_iter().enumerate() {
            let keys = if at == 0 { keys.join(" ") } else { String::new() };
            lines.push(Line::from(vec![
                Span::styled(words::pad(&keys, COLUMN), ctx.theme.key),
                Span::raw(text),
            ]));
        }
    }
}
