//! Preflight's checks as lines: grouped, and folded to what matters where there is no room for all of them.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::draw::Ctx;
use super::theme;
use super::words;
use crate::names::Region;
use crate::plan::check::{Check, CheckState};
use crate::text::Clean;

/// The checks, those without a region first, then region by region.
pub(super) fn lines(ctx: &Ctx, width: usize, fold: bool) -> Vec<Line<'static>> {
    let checks = &ctx.view.preflight.checks;
    let mut groups: Vec<(Option<&Region>, Vec<&Check>)> = Vec::new();
    for check in checks {
        let region = check.subject.region();
        match groups.iter_mut().find(|(group, _)| *group == region) {
            Some((_, checks)) => checks.push(check),
            None => groups.push((region, vec![check])),
        }
    }
    groups.sort_by_key(|(region, _)| region.is_some());
    let mut lines = Vec::new();
    for (region, checks) in &groups {
        let name = region.map_or("here", Region::as_str);
        if fold {
            folded(ctx, name, checks, width, &mut lines);
        } else {
            lines.push(Line::from(Span::styled(name.to_owned(), ctx.theme.title)));
            for check in checks {
                lines.extend(whole(ctx, &check.subject.title(), check, width));
            }
        }
    }
    lines
}

/// One line for what passed, one for what is pending, and a line for each check that the operator has to see.
fn folded(ctx: &Ctx, name: &str, checks: &[&Check], width: usize, lines: &mut Vec<Line<'static>>) {
    let theme = &ctx.theme;
    let titles = |wanted: fn(&CheckState) -> bool| {
        let titles: Vec<String> = checks
            .iter()
            .filter(|check| wanted(&check.state))
            .map(|check| check.subject.title())
            .collect();
        (titles.len(), titles.join(", "))
    };
    let (passed, passed_titles) = titles(|state| matches!(state, CheckState::Passed(_)));
    let (pending, pending_titles) = titles(|state| matches!(state, CheckState::Pending));
    let mut line = |glyph: &str, style: Style, text: String| {
        let room = width.saturating_sub(2);
        let spans = vec![
            Span::styled(format!("{glyph} "), style),
            Span::styled(words::fit(&text, room).into_owned(), style),
        ];
        lines.push(Line::from(spans));
    };
    if pending > 0 {
        line(
            theme::spinner(ctx.now),
            theme.progress,
            format!("{name}: checking {pending_titles}"),
        );
    }
    if passed > 0 {
        line("✓", theme.success, format!("{name}: {passed_titles}"));
    }
    for check in checks {
        if matches!(check.state, CheckState::Warned(_) | CheckState::Failed(_)) {
            let title = format!("{name} {}:", check.subject.title());
            lines.extend(whole(ctx, &title, &warning_alone(ctx, check), width));
        }
    }
}

/// A check without what it says besides its warnings, which the plan says further down.
fn warning_alone(ctx: &Ctx, check: &Check) -> Check {
    let CheckState::Warned(text) = &check.state else {
        return check.clone();
    };
    let plan = ctx.view.plan(ctx.state);
    let warns = |line: &str| {
        let mut warnings = plan.iter().flat_map(|plan| &plan.warnings);
        warnings.any(|warning| warning.as_str().ends_with(line))
    };
    let lines = text.as_str().lines().enumerate();
    let kept: Vec<&str> = lines
        .filter(|(at, line)| *at == 0 || warns(line))
        .map(|(_, line)| line)
        .collect();
    Check {
        subject: check.subject.clone(),
        state: CheckState::Warned(Clean::block(&kept.join("\n"))),
    }
}

/// A check with everything it says.
fn whole(ctx: &Ctx, title: &str, check: &Check, width: usize) -> Vec<Line<'static>> {
    let theme = &ctx.theme;
    let (glyph, style, text, remedy) = match &check.state {
        CheckState::Pending => (theme::spinner(ctx.now), theme.progress, "checking", ""),
        CheckState::Passed(text) => ("✓", theme.success, text.as_str(), ""),
        CheckState::Warned(text) => ("?", theme.attention, text.as_str(), ""),
        CheckState::Failed(problem) => ("✗", theme.failure, problem.what.as_str(), problem.remedy.as_str()),
    };
    let passed = matches!(check.state, CheckState::Passed(_));
    let title = format!("{} ", words::pad(title, 18.max(words::width(title))));
    let room = width.saturating_sub(2 + words::width(&title)).max(16);
    // What passed has one line; what did not says all it has to say.
    let texts = if passed {
        vec![words::fit(text.lines().next().unwrap_or_default(), room).into_owned()]
    } else {
        words::wrap(text, room)
    };
    let indent = " ".repeat(2 + words::width(&title));
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (at, text) in texts.into_iter().enumerate() {
        let text_style = if passed { Style::new() } else { style };
        lines.push(if at == 0 {
            Line::from(vec![
                Span::styled(format!("{glyph} "), style),
                Span::raw(title.clone()),
                Span::styled(text, text_style),
            ])
        } else {
            Line::from(vec![Span::raw(indent.clone()), Span::styled(text, text_style)])
        });
    }
    if !remedy.is_empty() {
        lines.extend(
            words::wrap(&format!("→ {remedy}"), room)
                .into_iter()
                .map(|text| Line::from(format!("{indent}{text}"))),
        );
    }
    lines
}
