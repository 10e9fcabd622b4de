//! A build's log: its end, and where all of it is.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

use super::draw::Ctx;
use super::text_window::TextLine;
use super::theme::Theme;
use super::view::Painted;
use super::words;
use crate::names::BuildId;
use crate::state::live::Live;
use crate::state::{BuildPhase, State};

/// Draws it.
pub(super) fn draw(frame: &mut Frame, area: Rect, ctx: &Ctx, id: &BuildId, painted: &mut Painted) {
    let theme = &ctx.theme;
    let build = ctx.state.builds.iter().find(|build| build.id == *id);
    let (word, style) = match build.map(|build| &build.phase) {
        Some(BuildPhase::Waiting) | None => ("not started", theme.quiet),
        Some(BuildPhase::Running) => ("running", theme.progress),
        Some(BuildPhase::Succeeded { .. }) => ("done", theme.success),
        Some(BuildPhase::Failed { .. }) => ("failed", theme.failure),
        Some(BuildPhase::Cancelled) => ("cancelled", theme.attention),
    };
    let mut block = Block::bordered()
        .border_style(theme.frame)
        .title(Line::from(Span::styled(format!(" {id} "), theme.title)))
        .title(Line::from(Span::styled(format!(" {word} "), style)).right_aligned());
    if let Some(log) = build.and_then(|build| build.log.as_ref()) {
        let text = format!(" whole log in {log} ");
        let room = usize::from(area.width).saturating_sub(2);
        block = block.title_bottom(Line::from(words::fit(&text, room).into_owned()));
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let lines = lines(ctx.state, ctx.live, id, theme);
    ctx.view.window.draw(frame, inner, &lines, theme, painted);
}

/// The lines that are kept: of the build in motion, or the end that the facts have.
pub(super) fn lines(state: &State, live: &Live, id: &BuildId, theme: &Theme) -> Vec<TextLine> {
    let mut lines = Vec::new();
    if let Some(build) = live.builds.get(id).filter(|build| !build.log.is_empty()) {
        let dropped = build.log_lines.saturating_sub(build.log.len() as u64);
        if dropped > 0 {
            let text = format!(
                "── {} before this are in the file ──",
                words::plural(usize::try_from(dropped).unwrap_or(usize::MAX), "line")
            );
            lines.push(TextLine::new(text, theme.quiet));
        }
        lines.extend(
            build
                .log
                .iter()
                .map(|line| TextLine::new(line.line.as_str(), Style::new())),
        );
        return lines;
    }
    let Some(build) = state.builds.iter().find(|build| build.id == *id) else {
        return lines;
    };
    for step in &build.steps {
        let time = if step.cached {
            "cached".to_owned()
        } else {
            words::duration(std::time::Duration::from_millis(step.millis))
        };
        lines.push(TextLine::new(
            format!("{}/{} {} ({time})", step.number, step.of, step.name),
            Style::new(),
        ));
    }
    match &build.phase {
        BuildPhase::Failed { problem, log_tail, .. } => {
            lines.extend(log_tail.iter().map(|line| TextLine::new(line.as_str(), Style::new())));
            lines.push(TextLine::new(format!("✗ {}", problem.what), theme.failure));
        }
        BuildPhase::Waiting | BuildPhase::Running | BuildPhase::Succeeded { .. } | BuildPhase::Cancelled => {}
    }
    if lines.is_empty() {
        lines.push(TextLine::new("no line yet", theme.quiet));
    }
    lines
}
