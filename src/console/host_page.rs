//! A host's page: how it stands and what that means, its attempts, and what it printed.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::draw::Ctx;
use super::host_list::{host_at, since};
use super::text_window::TextLine;
use super::theme::{self, Theme};
use super::view::{HostAt, Painted, View};
use super::words;
use crate::state::{Attempt, HostState, RolloutState, SendPhase, State};

/// Attempts that have a line each.
const ATTEMPTS: usize = 4;

/// ```text
/// ✗ web-1  i-0abc  Ubuntu  us-east-1 ubuntu
///   failed: its script ran and ended with an error
///   try 1  ✗ failed exit 1  4m10s ago  command 8c4a…
/// ┌ output of try 1 ┐
/// ```
pub(super) fn draw(frame: &mut Frame, area: Rect, ctx: &Ctx, at: HostAt, painted: &mut Painted) {
    let Some((lane, rollout, host)) = host_at(ctx.state, at) else {
        return;
    };
    let theme = &ctx.theme;
    let status = host.status();
    let style = theme.verdict(status.verdict());
    let width = usize::from(area.width);
    let mut head = vec![Line::from(vec![
        Span::styled(format!("{} ", theme::status_glyph(status)), style),
        Span::styled(host.label().to_owned(), theme.title),
        Span::raw(format!(
            "  {}  {}  {} {}",
            host.id, host.platform, lane.region, rollout.name
        )),
    ])];
    let meaning = format!("{}: {}", status.word(), status.meaning());
    let meaning = words::wrap(&meaning, width.saturating_sub(2));
    head.extend(
        meaning
            .into_iter()
            .map(|line| Line::from(vec![Span::raw("  "), Span::styled(line, style)])),
    );
    if let Some(ping) = host.ping.as_ref().filter(|ping| !ping.is_online()) {
        let text = format!("  its agent was {} before the start", ping.word());
        head.push(Line::from(Span::styled(text, theme.attention)));
    }
    if host.ping.is_none() {
        head.push(Line::from(Span::styled("  it was not in the plan", theme.attention)));
    }
    let shown = shown(ctx.view, host);
    let first = shown
        .unwrap_or(0)
        .saturating_sub(ATTEMPTS - 1)
        .max(host.attempts.len().saturating_sub(ATTEMPTS).min(shown.unwrap_or(0)));
    for (at, attempt) in host.attempts.iter().enumerate().skip(first).take(ATTEMPTS) {
        let line = attempt_line(ctx, rollout, at, attempt, width);
        head.push(if Some(at) == shown && host.attempts.len() > 1 {
            line.patch_style(theme.selected)
        } else {
            line
        });
    }
    let [top, body] = Layout::vertical([
        Constraint::Length(u16::try_from(head.len()).unwrap_or(6)),
        Constraint::Fill(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(head), top);
    let title = match shown {
        Some(at) if host.attempts.len() > 1 => format!(" output of try {} ", at + 1),
        _ => " output ".to_owned(),
    };
    let block = Block::bordered().title(title).border_style(theme.frame);
    let inner = block.inner(body);
    frame.render_widget(block, body);
    let lines = lines(ctx.state, ctx.view, at, theme);
    ctx.view.window.draw(frame, inner, &lines, theme, painted);
}

/// Which attempt is shown.
pub(super) fn shown(view: &View, host: &HostState) -> Option<usize> {
    let last = host.attempts.len().checked_sub(1)?;
    Some(view.attempt.unwrap_or(last).min(last))
}

fn attempt_line(ctx: &Ctx, rollout: &RolloutState, at: usize, attempt: &Attempt, width: usize) -> Line<'static> {
    let send = rollout.sends.get(attempt.send);
    let command = match send.map(|send| &send.phase) {
        Some(SendPhase::Refused(_)) if send.is_some_and(|send| send.stopped) => "  not sent".to_owned(),
        Some(SendPhase::Accepted { command, .. }) => format!("  command {command}"),
        Some(SendPhase::Intended) => "  being sent".to_owned(),
        Some(SendPhase::Refused(_)) => "  refused by SSM".to_owned(),
        Some(SendPhase::Unknown(_)) => "  unknown whether it was sent".to_owned(),
        Some(SendPhase::Abandoned) | None => String::new(),
    };
    let exit = attempt
        .exit_code
        .map(|code| format!(" exit {code}"))
        .unwrap_or_default();
    let since = since(ctx, attempt.since);
    let when = match (ctx.view.clock_times, attempt.status.is_end()) {
        (true, _) => format!("at {since}"),
        (false, true) => format!("{since} ago"),
        (false, false) => format!("for {since}"),
    };
    let text = format!(
        "  try {}  {} {}{exit}  {when}{command}",
        at + 1,
        theme::status_glyph(&attempt.status),
        attempt.status.word(),
    );
    Line::from(Span::styled(
        words::fit(&text, width).into_owned(),
        ctx.theme.verdict(attempt.status.verdict()),
    ))
}

/// What the shown attempt printed, line by line.
pub(super) fn lines(state: &State, view: &View, at: HostAt, theme: &Theme) -> Vec<TextLine> {
    let Some((_, _, host)) = host_at(state, at) else {
        return Vec::new();
    };
    let Some(attempt) = shown(view, host).and_then(|at| host.attempts.get(at)) else {
        return vec![TextLine::new("nothing was sent to it yet", theme.quiet)];
    };
    let Some(output) = &attempt.output else {
        let text = match (attempt.status.is_end(), !view.drives()) {
            (true, false) => "being read…",
            (true, true) => "its output was not read",
            (false, _) => "SSM shows the output when the script has ended",
        };
        return vec![TextLine::new(text, theme.quiet)];
    };
    let mut lines = Vec::new();
    let mut part = |name: &str, text: &str, cut: bool, limit: &str, style: Style| {
        if text.is_empty() {
            return;
        }
        lines.push(TextLine::new(format!("── {name} ──"), theme.quiet));
        lines.extend(
            text.trim_end_matches('\n')
                .split('\n')
                .map(|line| TextLine::new(line, style)),
        );
        if cut {
            lines.push(TextLine::new(
                format!("── SSM keeps {limit} characters; the end is missing ──"),
                theme.attention,
            ));
        }
    };
    part(
        "stderr",
        output.stderr.as_str(),
        output.stderr_cut,
        "8000",
        Style::new(),
    );
    part(
        "stdout",
        output.stdout.as_str(),
        output.stdout_cut,
        "24000",
        Style::new(),
    );
    if lines.is_empty() {
        lines.push(TextLine::new("it printed nothing", theme.quiet));
    }
    lines
}
