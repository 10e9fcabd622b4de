//! The last lines: what has to be said, what is being typed, and the keys that do something now.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::draw::Ctx;
use super::keymap::{self, Command, Place};
use super::view::Screen;
use super::{enabled, words};

/// Lines that a notice may take.
const NOTICE_LINES: usize = 4;

/// The keys that do something now, the most useful first; help and quit are always among them.
pub(super) fn draw(frame: &mut Frame, area: Rect, ctx: &Ctx) {
    let width = usize::from(area.width);
    let hints = hints(ctx);
    let long = |(_, key, label): &(Command, String, &str)| words::width(key) + label.len() + 3;
    let last = |(command, ..): &(Command, String, &str)| matches!(command, Command::Help | Command::Quit);
    let (tail, head): (Vec<_>, Vec<_>) = hints.into_iter().partition(last);
    let reserved: usize = tail.iter().map(long).sum();
    let mut used = reserved;
    let mut spans = Vec::new();
    let mut add = |(_, key, label): &(Command, String, &str)| {
        spans.push(Span::styled(key.clone(), ctx.theme.key));
        spans.push(Span::raw(format!(" {label}  ")));
    };
    for hint in &head {
        if used + long(hint) > width + 2 {
            continue;
        }
        used += long(hint);
        add(hint);
    }
    tail.iter().for_each(&mut add);
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

/// The hints of the place: command, key, label. Two keys that follow each other with one label are one hint: in a menu the
/// cursor may stand on the last answer, where one of them has nowhere to go.
pub(super) fn hints(ctx: &Ctx) -> Vec<(Command, String, &'static str)> {
    let mut hints: Vec<(Command, String, &'static str)> = Vec::new();
    let ascii = ctx.view.look.ascii;
    for binding in keymap::of(ctx.view.place()) {
        let Some(key) = binding.keys.first() else { continue };
        if binding.label.is_empty() || !enabled::is_enabled(binding.command, ctx.view, ctx.state) {
            continue;
        }
        match hints.last_mut() {
            Some((_, keys, label)) if *label == binding.label => keys.push_str(&format!("/{}", key.shown(ascii))),
            _ => hints.push((binding.command, key.shown(ascii), binding.label)),
        }
    }
    hints
}

/// What has to be said, or the line that is being typed.
pub(super) fn notice(ctx: &Ctx, columns: u16) -> Vec<Line<'static>> {
    let theme = &ctx.theme;
    let width = usize::from(columns);
    if let Some((prompt, input)) = typed(ctx) {
        let room = width.saturating_sub(words::width(prompt) + 1);
        let scroll = input.visual_scroll(room);
        let text: String = input.value().chars().skip(scroll).collect();
        return vec![Line::from(vec![
            Span::styled(prompt, theme.title),
            Span::raw(words::fit(&text, room).into_owned()),
        ])];
    }
    let Some(notice) = &ctx.view.notice else {
        return Vec::new();
    };
    let style = if notice.bad { theme.failure } else { theme.attention };
    let glyph = if notice.bad { "✗ " } else { "" };
    let mut lines: Vec<Line> = words::wrap(&format!("{glyph}{}", notice.text), width)
        .into_iter()
        .map(|line| Line::from(Span::styled(line, style)))
        .collect();
    if !notice.remedy.is_empty() {
        lines.extend(
            words::wrap(&format!("→ {}", notice.remedy), width)
                .into_iter()
                .map(Line::from),
        );
    }
    lines.truncate(NOTICE_LINES);
    lines
}

/// The line that is being typed, with its prompt.
fn typed<'a>(ctx: &'a Ctx) -> Option<(&'static str, &'a tui_input::Input)> {
    if ctx.view.dialog.is_some() || !ctx.view.is_typing() {
        return None;
    }
    Some(match ctx.view.screen() {
        Screen::Hosts => ("filter: ", &ctx.view.hosts.filter),
        Screen::Plan | Screen::Lanes | Screen::Lane | Screen::Host(_) | Screen::Log(_) => {
            ("search: ", &ctx.view.window.query)
        }
    })
}

/// Puts the terminal's cursor where typing goes.
pub(super) fn cursor(frame: &mut Frame, area: Rect, ctx: &Ctx) {
    let Some((prompt, input)) = typed(ctx) else { return };
    if ctx.view.place() != Place::Text || area.height == 0 {
        return;
    }
    let room = usize::from(area.width).saturating_sub(words::width(prompt) + 1);
    let column = words::width(prompt) + input.visual_cursor().saturating_sub(input.visual_scroll(room));
    let x = area.x + u16::try_from(column).unwrap_or(0).min(area.width.saturating_sub(1));
    frame.set_cursor_position(Position::new(x, area.y));
}
