//! How it ended, in two or three lines that stay on the screen: the outcome, who did not succeed, what to do next.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::draw::Ctx;
use super::theme::{self, Theme};
use super::view::{Role, Screen};
use super::{figures, words};
use crate::names::Millis;
use crate::state::{Outcome, Verdict};

/// The glyph, the word and the style of an outcome.
pub(super) fn outcome_words(theme: &Theme, outcome: Outcome) -> (&'static str, &'static str, Style) {
    match outcome {
        Outcome::Succeeded => ("✓", "succeeded", theme.success),
        Outcome::HostsFailed => ("✗", "hosts failed", theme.failure),
        Outcome::NoHosts => ("✗", "no hosts", theme.failure),
        Outcome::BuildFailed => ("✗", "build failed", theme.failure),
        Outcome::NotAllowed => ("✗", "not allowed", theme.failure),
        Outcome::SendFailed => ("✗", "send failed", theme.failure),
        Outcome::Cancelled => ("-", "cancelled", theme.attention),
    }
}

/// The lines below the lanes; none while it is followed and something is under way.
pub(super) fn lines(ctx: &Ctx, area: Rect) -> Vec<Line<'static>> {
    let (Screen::Lanes | Screen::Lane) = ctx.view.screen() else {
        return Vec::new();
    };
    let width = usize::from(area.width);
    let cut = |text: &str, style: Style| Line::from(Span::styled(words::fit(text, width).into_owned(), style));
    match (&ctx.state.settled, &ctx.state.left) {
        (Some((outcome, at)), _) => {
            let (text, style) = settled(ctx, *outcome, *at);
            let mut lines = vec![cut(&text, style)];
            let room = if area.height >= 30 { 4 } else { 2 };
            lines.extend(trouble(ctx, room).iter().map(|(text, style)| cut(text, *style)));
            lines
        }
        // Elsewhere a line of its own says who drives.
        (None, Some(reason)) if ctx.view.role == Role::Reviews => {
            let counts = ctx.state.counts();
            let open = counts.running + counts.waiting;
            let theme = &ctx.theme;
            vec![
                cut(
                    &format!(
                        "? nobody follows it ({reason}): {} had not ended",
                        words::plural(open, "host")
                    ),
                    theme.attention,
                ),
                cut(&format!("  → {} takes it up again", attach(ctx)), Style::new()),
            ]
        }
        (None, _) => Vec::new(),
    }
}

/// The command that takes the deployment up.
fn attach(ctx: &Ctx) -> String {
    let plan = ctx.state.plan.as_ref();
    plan.map(|plan| ctx.view.look.again.attach(plan.id)).unwrap_or_default()
}

fn settled(ctx: &Ctx, outcome: Outcome, at: Millis) -> (String, Style) {
    let counts = ctx.state.counts();
    let (glyph, word, style) = outcome_words(&ctx.theme, outcome);
    let mut said = format!(
        "{glyph} {word}: {} of {} succeeded",
        counts.succeeded,
        words::plural(counts.total(), "host")
    );
    if let Some(lasted) = lasted(ctx, at) {
        said.push_str(&format!(" in {}", words::seconds(lasted)));
    }
    if let Some(digest) = ctx.state.digest() {
        said.push_str(&format!(" · sha256:{}", digest.short()));
    }
    (said, style)
}

/// How long it took until then. Of one that was found in SSM nobody knows when it had ended.
pub(super) fn lasted(ctx: &Ctx, until: Millis) -> Option<Duration> {
    let adopted = ctx.state.plan.as_ref().is_some_and(|plan| plan.is_adopted());
    let started = ctx.state.started_at.filter(|_| !adopted)?;
    Some(until.since(started))
}

/// Who did not succeed, in at most `room` lines.
fn trouble(ctx: &Ctx, room: usize) -> Vec<(String, Style)> {
    let theme = &ctx.theme;
    let rollouts = ctx.state.lanes.iter().flat_map(|lane| &lane.rollouts);
    let trouble = figures::trouble(rollouts, 6);
    let show = if trouble.len() > room { room - 1 } else { room };
    let mut lines: Vec<(String, Style)> = trouble
        .iter()
        .take(show)
        .map(|trouble| {
            let text = format!(
                "  {} {} {}: {}",
                theme::glyph(trouble.verdict),
                trouble.count,
                trouble.word,
                words::names(&trouble.names, trouble.count, 6)
            );
            (text, theme.verdict(trouble.verdict))
        })
        .collect();
    let rest: Vec<String> = trouble
        .iter()
        .skip(show)
        .map(|trouble| format!("{} {}", trouble.count, trouble.word))
        .collect();
    if !rest.is_empty() {
        lines.push((format!("  and {}", rest.join(", ")), theme.verdict(Verdict::Unknown)));
    }
    lines
}
