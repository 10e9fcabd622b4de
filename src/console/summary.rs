//! How it ended, in two or three lines that stay on the screen: the outcome, who did not succeed, what to do next.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::draw::Ctx;
use super::theme::{self, Theme};
use super::view::Screen;
use super::words;
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

/// The lines below the lanes; none while something is under way.
pub(super) fn lines(ctx: &Ctx, area: Rect) -> Vec<Line<'static>> {
    let (Screen::Lanes | Screen::Lane, Some((outcome, at))) = (ctx.view.screen(), &ctx.state.settled) else {
        return Vec::new();
    };
    let theme = &ctx.theme;
    let width = usize::from(area.width);
    let counts = ctx.state.counts();
    let (glyph, word, style) = outcome_words(theme, *outcome);
    let mut said = format!(
        "{glyph} {word}: {} of {} succeeded",
        counts.succeeded,
        words::plural(counts.total(), "host")
    );
    if let Some(started) = ctx.state.started_at {
        said.push_str(&format!(" in {}", words::seconds(at.since(started))));
    }
    if let Some(digest) = ctx.state.digest() {
        said.push_str(&format!(" · sha256:{}", digest.short()));
    }
    let mut lines = vec![Line::from(Span::styled(words::fit(&said, width).into_owned(), style))];
    let room = if area.height >= 30 { 4 } else { 2 };
    let trouble = ctx.view.figures.trouble();
    let show = if trouble.len() > room { room - 1 } else { room };
    // Failed first; the order of the verdicts is the order of the words.
    for ((verdict, word), (count, names)) in trouble.iter().take(show) {
        let text = format!(
            "  {} {count} {word}: {}",
            theme::glyph(*verdict),
            words::names(names, *count, 6)
        );
        lines.push(Line::from(Span::styled(
            words::fit(&text, width).into_owned(),
            theme.verdict(*verdict),
        )));
    }
    let rest: Vec<String> = trouble
        .iter()
        .skip(show)
        .map(|((_, word), (count, _))| format!("{count} {word}"))
        .collect();
    if !rest.is_empty() {
        let text = format!("  and {}", rest.join(", "));
        lines.push(Line::from(Span::styled(
            words::fit(&text, width).into_owned(),
            theme.verdict(Verdict::Unknown),
        )));
    }
    lines
}
