//! The first screen: what is going to happen, on one page, and every check going from pending to its result by itself.

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Paragraph};

use super::check_lines;
use super::draw::Ctx;
use super::text_window::scrollbar;
use super::theme;
use super::view::{Painted, Readiness, Unfinished};
use super::words;
use crate::names::{HostId, Millis, RolloutName};
use crate::plan::check::CheckState;
use crate::plan::{LanePlan, Plan, RolloutPlan, Source};
use crate::text::Clean;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Detail {
    /// A check that passed has no line of its own.
    fold: bool,
    /// Commits that are listed.
    commits: usize,
    /// Hosts that are named.
    named: usize,
}

/// From all to the least; the first that fits is shown.
const DETAILS: [Detail; 4] = [
    Detail {
        fold: false,
        commits: 6,
        named: 12,
    },
    Detail {
        fold: true,
        commits: 6,
        named: 8,
    },
    Detail {
        fold: true,
        commits: 3,
        named: 5,
    },
    Detail {
        fold: true,
        commits: 1,
        named: 3,
    },
];

/// Draws it.
pub(super) fn draw(frame: &mut Frame, area: Rect, ctx: &Ctx, painted: &mut Painted) {
    let protected = ctx.view.plan(ctx.state).is_some_and(|plan| plan.environment.protected);
    let (said, style) = standing(ctx);
    let block = Block::bordered()
        .border_type(if protected {
            BorderType::Double
        } else {
            BorderType::Plain
        })
        .border_style(ctx.theme.frame)
        .title(Line::from(Span::styled(" plan ", ctx.theme.title)))
        .title(Line::from(Span::styled(format!(" {said} "), style)).right_aligned());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (width, page) = (usize::from(inner.width).saturating_sub(1), usize::from(inner.height));
    let wanted: &[Detail] = match ctx.view.unfold {
        Some(true) => &DETAILS[..1],
        Some(false) => &DETAILS[2..],
        None => &DETAILS,
    };
    let mut sections = Vec::new();
    for detail in wanted {
        sections = self::sections(ctx, width, *detail);
        if sections.iter().map(Vec::len).sum::<usize>() <= page {
            break;
        }
    }
    let lines = spaced(sections, page);
    let offset = ctx.view.scroll.unwrap_or(0).min(lines.len().saturating_sub(page));
    painted.page = page;
    painted.rows = lines.len();
    painted.offset = offset;
    scrollbar(frame, inner, lines.len(), page, offset);
    let shown: Vec<Line> = lines.into_iter().skip(offset).take(page).collect();
    frame.render_widget(Paragraph::new(shown), inner);
}

/// Whether it can start.
fn standing(ctx: &Ctx) -> (String, Style) {
    let theme = &ctx.theme;
    let checks = &ctx.view.preflight.checks;
    match &ctx.view.preflight.readiness {
        Readiness::Checking => {
            let done = checks.iter().filter(|check| check.state != CheckState::Pending).count();
            (
                format!("{} checking, {done} of {}", theme::spinner(ctx.now), checks.len()),
                theme.progress,
            )
        }
        Readiness::Ready(_) => {
            let warned = checks
                .iter()
                .filter(|check| matches!(check.state, CheckState::Warned(_)))
                .count();
            match warned {
                0 => ("✓ ready: enter starts".to_owned(), theme.success),
                n => (
                    format!("? ready, {}: enter starts", words::plural(n, "warning")),
                    theme.attention,
                ),
            }
        }
        Readiness::Blocked(problems) => (
            format!("✗ cannot start: {}", words::plural(problems.len(), "problem")),
            theme.failure,
        ),
        Readiness::Starting(_) => (format!("{} starting", theme::spinner(ctx.now)), theme.progress),
    }
}

/// The sections one after the other, with a blank line between them where there is room for all of those.
fn spaced(sections: Vec<Vec<Line<'static>>>, page: usize) -> Vec<Line<'static>> {
    let sections: Vec<_> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    let rows: usize = sections.iter().map(Vec::len).sum();
    let gap = rows + sections.len().saturating_sub(1) <= page;
    let mut lines = Vec::with_capacity(rows);
    for section in sections {
        if gap && !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.extend(section);
    }
    lines
}

/// What forbids the start; what is deployed on top of what; the checks; where it goes; what can go wrong.
fn sections(ctx: &Ctx, width: usize, detail: Detail) -> Vec<Vec<Line<'static>>> {
    let theme = &ctx.theme;
    let mut sections = Vec::new();
    let mut lines = Vec::new();
    if let Some(unfinished) = &ctx.view.unfinished {
        let text = unfinished_words(unfinished, ctx.now);
        let wrapped = words::wrap(&text, width).into_iter();
        lines.extend(wrapped.map(|line| Line::from(Span::styled(line, theme.attention))));
    }
    sections.push(std::mem::take(&mut lines));
    if let Readiness::Blocked(problems) = &ctx.view.preflight.readiness {
        for problem in problems {
            for line in words::wrap(&format!("✗ {}", problem.what), width) {
                lines.push(Line::from(Span::styled(line, theme.failure)));
            }
            if !problem.remedy.is_empty() {
                lines.extend(
                    words::wrap(&format!("  → {}", problem.remedy), width)
                        .into_iter()
                        .map(Line::from),
                );
            }
        }
    }
    sections.push(std::mem::take(&mut lines));
    let plan = ctx.view.plan(ctx.state);
    if let Some(plan) = plan {
        commit(ctx, plan, width, &mut lines);
        current(ctx, plan, width, detail, &mut lines);
    }
    sections.push(std::mem::take(&mut lines));
    sections.push(check_lines::lines(ctx, width, detail.fold));
    if let Some(plan) = plan {
        for lane in &plan.lanes {
            rollouts(ctx, plan, lane, width, detail, &mut lines);
        }
        sections.push(std::mem::take(&mut lines));
        limits(ctx, plan, width, &mut lines);
        warnings(ctx, plan, width, &mut lines);
        sections.push(lines);
    }
    sections
}

/// What was left, how, and the key that takes it up.
fn unfinished_words(unfinished: &Unfinished, now: Millis) -> String {
    let Unfinished {
        id,
        started_at,
        counts,
        driven,
    } = unfinished;
    let which = format!("deployment {} of {}", id.short(), words::ago(now, *started_at));
    if *driven {
        return format!("? under way elsewhere: {which} · a watches it");
    }
    let how = match (counts.running, counts.waiting) {
        (0, 0) => "no host at work".to_owned(),
        (0, waiting) => format!("{} waiting", words::plural(waiting, "host")),
        (running, _) => format!("{} at work", words::plural(running, "host")),
    };
    format!("? left: {which}, {how} · a takes it up")
}

/// A title in a column of its own and what belongs to it, cut at the right.
fn titled(ctx: &Ctx, title: &str, text: &str, style: Style, width: usize) -> Line<'static> {
    const COLUMN: usize = 9;
    let text = words::fit(text, width.saturating_sub(COLUMN + 1)).into_owned();
    Line::from(vec![
        Span::styled(format!("{} ", words::pad(title, COLUMN)), ctx.theme.title),
        Span::styled(text, style),
    ])
}

fn commit(ctx: &Ctx, plan: &Plan, width: usize, lines: &mut Vec<Line<'static>>) {
    let theme = &ctx.theme;
    let commit = &plan.commit;
    let subject = format!("{} {}", commit.id.short(), commit.subject);
    lines.push(titled(ctx, "commit", &subject, Style::new(), width));
    let mut said = vec![commit.author.to_string(), words::ago(ctx.now, commit.authored_at)];
    said.extend(commit.branch.as_ref().map(ToString::to_string));
    said.push(if commit.dirty_count == 0 {
        "clean".to_owned()
    } else {
        format!("{} changed", words::plural(commit.dirty_count as usize, "file"))
    });
    said.extend(
        commit
            .pushed
            .map(|pushed| if pushed { "pushed" } else { "not pushed" }.to_owned()),
    );
    let style = if commit.dirty_count > 0 || commit.pushed == Some(false) || commit.on_branch == Some(false) {
        theme.attention
    } else {
        theme.quiet
    };
    lines.push(titled(ctx, "", &said.join(" · "), style, width));
    if commit.dirty_count > 0 {
        let names = words::names(
            &commit.dirty.iter().map(ToString::to_string).collect::<Vec<_>>(),
            commit.dirty_count as usize,
            3,
        );
        let what = match plan.source {
            Source::Commit => "not in the image",
            Source::Worktree => "in the image, as they are on disk",
        };
        lines.push(titled(ctx, "", &format!("{what}: {names}"), theme.attention, width));
    }
}

/// What runs now and which commits come on top of it; once, if it is the same everywhere.
fn current(ctx: &Ctx, plan: &Plan, width: usize, detail: Detail, lines: &mut Vec<Line<'static>>) {
    let theme = &ctx.theme;
    let mut seen = Vec::new();
    for lane in &plan.lanes {
        let regions = || lane.region.to_string();
        match seen
            .iter_mut()
            .find(|(current, _): &&mut (_, Vec<String>)| *current == key(lane))
        {
            Some((_, names)) => names.push(regions()),
            None => seen.push((key(lane), vec![regions()])),
        }
    }
    for (_, regions) in &seen {
        let Some(lane) = plan.lanes.iter().find(|lane| lane.region.as_str() == regions[0]) else {
            continue;
        };
        let whose = if seen.len() > 1 {
            format!(" in {}", words::names(regions, regions.len(), 2))
        } else {
            String::new()
        };
        let Some(current) = &lane.current else {
            lines.push(titled(
                ctx,
                "now",
                &format!("nothing was deployed{whose}"),
                theme.quiet,
                width,
            ));
            continue;
        };
        let what = current.commit.as_ref().map_or_else(
            || format!("sha256:{}", current.digest.short()),
            |commit| commit.short().to_owned(),
        );
        let pushed = current
            .pushed_at
            .map(|at| format!(", pushed {}", words::ago(ctx.now, at)))
            .unwrap_or_default();
        let more = match current.new_commit_count {
            Some(0) => "; no commit comes on top".to_owned(),
            Some(count) => format!("; {} on top of it", words::plural(count as usize, "commit")),
            None => "; not comparable with this commit".to_owned(),
        };
        lines.push(titled(
            ctx,
            "now",
            &format!("{what}{whose}{pushed}{more}"),
            Style::new(),
            width,
        ));
        let total = current.new_commit_count.unwrap_or(0) as usize;
        let show = if total <= detail.commits {
            total
        } else {
            detail.commits.saturating_sub(1)
        };
        for subject in current.new_commits.iter().take(show) {
            lines.push(titled(ctx, "", &format!("+ {subject}"), theme.quiet, width));
        }
        if total > show && show > 0 {
            lines.push(titled(
                ctx,
                "",
                &format!("and {} more", total - show),
                theme.quiet,
                width,
            ));
        }
    }
}

/// What tells one lane's "now" from another's: the commit where it is known, since each registry has its own digests.
fn key(lane: &LanePlan) -> Option<String> {
    let current = lane.current.as_ref()?;
    Some(
        current
            .commit
            .as_ref()
            .map_or_else(|| current.digest.to_string(), ToString::to_string),
    )
}

fn rollouts(ctx: &Ctx, plan: &Plan, lane: &LanePlan, width: usize, detail: Detail, lines: &mut Vec<Line<'static>>) {
    let theme = &ctx.theme;
    let tags: Vec<&str> = lane.moving_tags.iter().map(crate::text::Clean::as_str).collect();
    let build = match (&lane.build, &lane.already) {
        (Some(_), _) if plan.builds.len() > 1 => lane.build.as_ref().map(ToString::to_string).unwrap_or_default(),
        (Some(_), _) => "build".to_owned(),
        (None, _) => "no build, the image is there".to_owned(),
    };
    let text = format!("{build}, push to {}, move {}", lane.repository.name, tags.join(", "));
    let region = format!("{} ", lane.region);
    let room = width.saturating_sub(words::width(&region));
    lines.push(Line::from(vec![
        Span::styled(region, theme.title),
        Span::styled(words::fit(&text, room).into_owned(), theme.quiet),
    ]));
    for rollout in &lane.rollouts {
        let offline: Vec<&str> = rollout
            .expected
            .iter()
            .filter(|host| !host.ping.is_online())
            .map(label)
            .collect();
        let mut spans = format!(
            "{}, {} {}",
            words::plural(rollout.expected.len(), "host"),
            rollout.document,
            version(rollout)
        );
        let style = if rollout.expected.is_empty() {
            theme.failure
        } else if offline.is_empty() {
            Style::new()
        } else {
            theme.attention
        };
        if !offline.is_empty() {
            spans = format!(
                "{}, {} offline: {}; {} {}",
                words::plural(rollout.expected.len(), "host"),
                offline.len(),
                words::names(&offline, offline.len(), detail.named),
                rollout.document,
                version(rollout)
            );
        }
        lines.push(titled(ctx, &format!("  {}", rollout.name), &spans, style, width));
        if !detail.fold {
            let online: Vec<&str> = rollout.expected.iter().map(label).collect();
            lines.push(titled(
                ctx,
                "",
                &words::names(&online, online.len(), detail.named),
                theme.quiet,
                width,
            ));
        }
    }
    let twice = twice(lane);
    if !twice.is_empty() {
        let names: Vec<String> = twice
            .iter()
            .map(|(name, rollouts)| format!("{name} ({})", rollouts.join(", ")))
            .collect();
        let text = format!("in two rollouts: {}", words::names(&names, names.len(), detail.named));
        lines.push(titled(ctx, "", &text, theme.attention, width));
    }
}

fn version(rollout: &RolloutPlan) -> String {
    if rollout.document_version == rollout.resolved_version {
        format!("version {}", rollout.resolved_version)
    } else {
        format!("{} = {}", rollout.document_version, rollout.resolved_version)
    }
}

fn label(host: &crate::plan::ExpectedHost) -> &str {
    if host.name.is_empty() {
        host.id.as_str()
    } else {
        host.name.as_str()
    }
}

/// Hosts that two rollouts of a lane go to, so that the script runs there twice.
fn twice(lane: &LanePlan) -> Vec<(String, Vec<String>)> {
    let mut rollouts: BTreeMap<&HostId, (&str, Vec<&RolloutName>)> = BTreeMap::new();
    for rollout in &lane.rollouts {
        for host in &rollout.expected {
            rollouts
                .entry(&host.id)
                .or_insert_with(|| (label(host), Vec::new()))
                .1
                .push(&rollout.name);
        }
    }
    let double = |(name, rollouts): (&str, Vec<&RolloutName>)| {
        (rollouts.len() > 1).then(|| (name.to_owned(), rollouts.iter().map(ToString::to_string).collect()))
    };
    rollouts.into_values().filter_map(double).collect()
}

/// What the error limits really allow, once for all rollouts whose limits read the same.
fn limits(ctx: &Ctx, plan: &Plan, width: usize, lines: &mut Vec<Line<'static>>) {
    let mut said: Vec<Limit> = Vec::new();
    for lane in &plan.lanes {
        for rollout in &lane.rollouts {
            let worst = rollout.limits(rollout.expected.len()).worst_case;
            let whose = format!("{} {}", lane.region, rollout.name);
            let same = |other: &&mut Limit| {
                other.errors == rollout.max_errors.as_str() && other.concurrency == rollout.max_concurrency.as_str()
            };
            match said.iter_mut().find(same) {
                Some(limit) => {
                    limit.worst = (limit.worst.0.min(worst), limit.worst.1.max(worst));
                    limit.whose.push(whose);
                }
                None => said.push(Limit {
                    errors: rollout.max_errors.as_str(),
                    concurrency: rollout.max_concurrency.as_str(),
                    worst: (worst, worst),
                    whose: vec![whose],
                }),
            }
        }
    }
    let alone = said.len() == 1;
    for limit in said {
        let whose = if alone {
            String::new()
        } else {
            format!("{}: ", words::names(&limit.whose, limit.whose.len(), 2))
        };
        let text = format!("{whose}{}", limit.text());
        for (at, line) in words::wrap(&text, width.saturating_sub(10)).iter().enumerate() {
            let title = if at == 0 { "limits" } else { "" };
            lines.push(titled(ctx, title, line, Style::new(), width));
        }
    }
}

/// Error limits that several rollouts share.
struct Limit<'a> {
    errors: &'a str,
    concurrency: &'a str,
    /// How many hosts can fail, in the smallest of the rollouts and in the largest.
    worst: (usize, usize),
    whose: Vec<String>,
}

impl Limit<'_> {
    fn text(&self) -> String {
        let (least, most) = self.worst;
        let smallest = if least == most {
            String::new()
        } else {
            format!(" ({least} in the smallest rollout)")
        };
        format!(
            "max_errors {} and max_concurrency {}: up to {} can fail before SSM stops{smallest}",
            self.errors,
            self.concurrency,
            words::plural(most, "host"),
        )
    }
}

/// Warnings that no check has said already.
fn warnings(ctx: &Ctx, plan: &Plan, width: usize, lines: &mut Vec<Line<'static>>) {
    let checks = &ctx.view.preflight.checks;
    let told = |warning: &Clean| checks.iter().any(|check| check.state.says(warning));
    for warning in plan.warnings.iter().filter(|warning| !told(warning)) {
        for line in words::wrap(&format!("? {warning}"), width) {
            lines.push(Line::from(Span::styled(line, ctx.theme.attention)));
        }
    }
}
