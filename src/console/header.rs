//! The first line: where we are, always. REHEARSAL, environment, account, application, commit, deployment, time.

use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::draw::Ctx;
use super::view::Role;
use super::{figures, summary, words};

/// `REHEARSAL  PROTECTED prod  123456789012  sento  4f1c0a9  a1b2c3d4          ▸ 12m03s`
pub(super) fn draw(frame: &mut Frame, area: Rect, ctx: &Ctx) {
    let theme = &ctx.theme;
    let width = usize::from(area.width);
    let (right, right_style) = progress(ctx);
    // The least important part of the line gives way first.
    let mut parts = parts(ctx);
    let length = |parts: &[Part]| parts.iter().map(|part| words::width(&part.text) + 2).sum::<usize>();
    while length(&parts) + words::width(&right) + 1 > width {
        let Some((at, _)) = parts
            .iter()
            .enumerate()
            .filter(|(_, part)| part.rank > 0)
            .max_by_key(|(_, part)| part.rank)
        else {
            break;
        };
        parts.remove(at);
    }
    let mut spans = Vec::new();
    let mut used = 0;
    for part in &parts {
        let text = if part.banner {
            format!(" {} ", part.text)
        } else {
            part.text.clone()
        };
        used += words::width(&text) + usize::from(!part.banner) * 2;
        spans.push(Span::styled(text, part.style));
        if !part.banner {
            spans.push(Span::raw("  "));
        }
    }
    let gap = width.saturating_sub(used + words::width(&right));
    spans.push(Span::raw(" ".repeat(gap)));
    spans.push(Span::styled(right, right_style));
    frame.render_widget(Paragraph::new(Line::from(spans)).style(theme.title), area);
}

struct Part {
    text: String,
    style: Style,
    banner: bool,
    /// How soon it gives way; 0 never.
    rank: u8,
}

fn parts(ctx: &Ctx) -> Vec<Part> {
    let theme = &ctx.theme;
    let view = ctx.view;
    let plan = view.plan(ctx.state);
    let mut parts = Vec::new();
    let mut add = |text: String, rank: u8, banner: bool| {
        if !text.is_empty() {
            let style = if banner { theme.banner } else { Style::new() };
            parts.push(Part {
                text: words::fit(&text, 40).into_owned(),
                style,
                banner,
                rank,
            });
        }
    };
    if view.is_rehearsal(ctx.state) {
        add("REHEARSAL".to_owned(), 0, true);
    }
    let Some(plan) = plan else {
        add(view.look.environment.to_string(), 0, false);
        add(view.look.app.to_string(), 1, false);
        return parts;
    };
    if view.role == Role::Watches {
        add("WATCHING".to_owned(), 0, true);
    }
    if plan.environment.protected {
        add("PROTECTED".to_owned(), 0, true);
    }
    add(plan.environment.name.to_string(), 0, false);
    let accounts: BTreeSet<&str> = plan.lanes.iter().map(|lane| lane.account.as_str()).collect();
    let account = match accounts.first() {
        Some(only) if accounts.len() == 1 => (*only).to_owned(),
        _ => words::plural(accounts.len(), "account"),
    };
    add(account, 4, false);
    add(plan.app.to_string(), 3, false);
    let commit = if plan.is_adopted() {
        "commit unknown".to_owned()
    } else {
        plan.commit.id.short().to_owned()
    };
    add(commit, 1, false);
    // What `attach` and `show` are called with.
    add(plan.id.short(), 2, false);
    parts
}

/// How it stands and for how long.
fn progress(ctx: &Ctx) -> (String, Style) {
    let theme = &ctx.theme;
    let Some(started) = ctx.state.started_at else {
        return (String::new(), theme.quiet);
    };
    match &ctx.state.settled {
        Some((outcome, at)) => {
            let (glyph, word, style) = summary::outcome_words(theme, *outcome);
            let lasted = summary::lasted(ctx, *at).map(words::seconds).unwrap_or_default();
            (format!("{glyph} {word} {lasted}").trim_end().to_owned(), style)
        }
        None if !ctx.view.is_followed(ctx.state) => {
            let until = ctx.state.last_at.unwrap_or(started);
            (
                format!("? not followed after {}", words::seconds(until.since(started))),
                theme.attention,
            )
        }
        None => {
            let time = words::seconds(ctx.now.since(started));
            match figures::lanes_in_need(ctx.state) {
                0 => (format!("▸ {time}"), theme.progress),
                1 => (format!("? 1 lane needs you  {time}"), theme.attention),
                n => (format!("? {n} lanes need you  {time}"), theme.attention),
            }
        }
    }
}
