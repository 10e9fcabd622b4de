//! A lane's rollouts: counts, a bar, what is being waited for, and who is in trouble.

use ratatui::style::Style;
use ratatui::text::Span;

use super::lane_rows::{Row, Rows};
use super::{bar, theme, words};
use crate::state::{RolloutState, SendPhase, SendState, SendTo, Stage, Verdict};

/// Adds them, and how the region is being polled.
pub(super) fn add(rows: &mut Rows) {
    for at in 0..rows.lane.rollouts.len() {
        rollout(rows, at);
    }
    poll(rows);
}

fn rollout(rows: &mut Rows, at: usize) {
    let (ctx, lane) = (rows.ctx, rows.lane);
    let rollout = &lane.rollouts[at];
    let theme = &ctx.theme;
    let counts = rollout.counts;
    let (glyph, style) = if counts.failed > 0 {
        ("✗", theme.failure)
    } else if counts.unknown + counts.not_run > 0 || rollout.send_problem().is_some() || rollout.reached_nobody() {
        ("?", theme.attention)
    } else if rollout.is_over() {
        ("✓", theme.success)
    } else if rollout.sends.is_empty() {
        ("·", theme.quiet)
    } else {
        ("▸", theme.progress)
    };
    let text = format!("{} of {} ended", counts.ended(), words::plural(counts.total(), "host"));
    rows.head(glyph, rollout.name.as_str(), style, &text);
    if counts.total() > 0 && !rollout.sends.is_empty() {
        let mut spans = vec![Span::raw("  ")];
        spans.extend(bar::hosts(counts, rows.width.saturating_sub(3), theme));
        rows.push(Row::new(1, spans));
        rows.push(Row::new(0, counted(rows, rollout)));
    }
    for (rank, style, note) in notes(rows, at) {
        let room = rows.width.saturating_sub(2).max(8);
        for line in words::wrap(&note, room) {
            rows.sub(rank, &line, style);
        }
    }
    let Some(figures) = ctx.view.figures.rollout(rows.lane_at, at) else {
        return;
    };
    let show = if rows.full { 12 } else { 4 };
    for ((verdict, word), (count, names)) in &figures.trouble {
        let text = format!(
            "{} {word} {count}: {}",
            theme::glyph(*verdict),
            words::names(names, *count, show)
        );
        rows.sub(2, &text, theme.verdict(*verdict));
    }
    if figures.unplanned > 0 {
        rows.sub(
            2,
            &format!("{} not in the plan", words::plural(figures.unplanned, "host")),
            theme.attention,
        );
    }
}

/// `✓ 31 ✗ 2 failed ? 1 unknown ▸ 5 running · 11`: what is wrong keeps its word in the narrowest panel.
fn counted(rows: &Rows, rollout: &RolloutState) -> Vec<Span<'static>> {
    let theme = &rows.ctx.theme;
    let word = |verdict| match verdict {
        Verdict::Waiting => "waiting",
        Verdict::Running => "running",
        Verdict::Succeeded => "done",
        Verdict::Failed => "failed",
        Verdict::Unknown => "unknown",
        Verdict::NotRun => "not run",
    };
    let parts: Vec<_> = bar::parts(rollout.counts)
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    let all_words: usize = parts
        .iter()
        .map(|(verdict, count)| word(*verdict).len() + count.to_string().len() + 4)
        .sum();
    let roomy = all_words < rows.width;
    let mut spans = vec![Span::raw(" ")];
    for (verdict, count) in parts {
        let always = matches!(verdict, Verdict::Failed | Verdict::Unknown | Verdict::NotRun);
        let glyph = theme::glyph(verdict);
        let text = if roomy || always {
            format!(" {glyph} {count} {}", word(verdict))
        } else {
            format!(" {glyph} {count}")
        };
        spans.push(Span::styled(text, theme.verdict(verdict)));
    }
    spans
}

type Note = (u8, Style, String);

/// What is being waited for, and why nothing seems to happen.
fn notes(rows: &Rows, at: usize) -> Vec<Note> {
    let (ctx, lane) = (rows.ctx, rows.lane);
    let rollout = &lane.rollouts[at];
    let theme = &ctx.theme;
    let mut notes = Vec::new();
    let Some(send) = rollout.sends.last() else {
        let why = match ctx.state.stage(lane) {
            Stage::Building | Stage::Pushing | Stage::Tagging => "waits for the push",
            Stage::RollingOut | Stage::Done => "about to be sent",
            Stage::Halted => "not sent",
        };
        notes.push((1, theme.quiet, why.to_owned()));
        return notes;
    };
    let retries = rollout
        .sends
        .iter()
        .filter(|send| matches!(send.to, SendTo::Hosts(_)))
        .count();
    if let SendTo::Hosts(hosts) = &send.to {
        notes.push((
            2,
            theme.quiet,
            format!("retry {retries}: sent to {}", words::plural(hosts.len(), "host")),
        ));
    }
    match &send.phase {
        SendPhase::Intended => {
            let waited = ctx.now.since(send.intended_at);
            let text = if waited.as_secs() < 5 {
                "being sent".to_owned()
            } else {
                format!(
                    "sent {} ago, no answer yet: looking for the command",
                    words::seconds(waited)
                )
            };
            notes.push((1, theme.progress, text));
        }
        SendPhase::Accepted {
            expires_at,
            adopted,
            ended,
            ..
        } => {
            if *adopted {
                notes.push((3, theme.quiet, "the answer was lost; found by its token".to_owned()));
            }
            if ended.is_none() {
                under_way(rows, at, send, *expires_at, &mut notes);
            } else if rollout.reached_nobody() {
                notes.push((0, theme.failure, "no host has these tags: nothing ran".to_owned()));
            }
        }
        SendPhase::Refused(problem) => {
            notes.push((0, theme.failure, format!("SSM refused it: {}", problem.what)));
            notes.push((1, Style::new(), format!("→ {}; s sends it again", problem.remedy)));
        }
        SendPhase::Unknown(problem) => {
            notes.push((
                0,
                theme.attention,
                format!("unknown whether SSM has it: {}", problem.what),
            ));
            notes.push((
                1,
                Style::new(),
                format!("→ {}; A takes it as never sent", problem.remedy),
            ));
        }
        SendPhase::Abandoned => notes.push((1, theme.attention, "taken as never sent; s sends it".to_owned())),
    }
    if send.cancel_asked && !send.is_over() {
        notes.push((
            0,
            theme.attention,
            "cancel was asked for; hosts follow, or finish first".to_owned(),
        ));
    }
    if let Some(problem) = &send.cancel_problem {
        notes.push((0, theme.failure, format!("cancel was refused: {}", problem.what)));
    }
    notes
}

/// A command that SSM has and that is not done.
fn under_way(
    rows: &Rows,
    at: usize,
    send: &SendState,
    expires_at: Option<crate::names::Millis>,
    notes: &mut Vec<Note>,
) {
    let (ctx, lane) = (rows.ctx, rows.lane);
    let theme = &ctx.theme;
    let rollout = &lane.rollouts[at];
    let counts = rollout.counts;
    if matches!(send.to, SendTo::Targets) && counts.waiting > 0 {
        let reached = counts.total() - counts.waiting;
        let limit = ctx
            .state
            .plan
            .as_deref()
            .and_then(|plan| plan.lane(&lane.region)?.rollout(&rollout.name))
            .map_or(counts.total(), |plan| plan.limits(counts.total()).concurrency);
        let text = if counts.ended() > 0 && counts.running >= limit {
            format!("SSM keeps {limit} at work: {reached} of {} sent", counts.total())
        } else {
            format!("SSM is ramping: {reached} of {} sent", counts.total())
        };
        notes.push((1, theme.progress, text));
    }
    let Some(figures) = ctx.view.figures.rollout(rows.lane_at, at) else {
        return;
    };
    if figures.delayed > 0 {
        let text = format!(
            "{} not reachable, SSM tries again",
            words::plural(figures.delayed, "host")
        );
        notes.push((1, theme.attention, text));
    }
    let silent = figures
        .changed_at
        .map(|at| ctx.now.since(at))
        .filter(|silent| silent.as_secs() >= 60);
    if let Some(silent) = silent {
        notes.push((2, theme.quiet, format!("last change {} ago", words::seconds(silent))));
    }
    if counts.waiting + figures.pending + figures.delayed > 0
        && let Some(expires) = expires_at
    {
        let left = expires.since(ctx.now);
        let text = if left.is_zero() {
            "the delivery window has closed; SSM says so soon".to_owned()
        } else {
            format!("delivery window closes in {}", words::seconds(left))
        };
        notes.push((2, theme.quiet, text));
    }
}

fn poll(rows: &mut Rows) {
    let (ctx, lane) = (rows.ctx, rows.lane);
    let theme = &ctx.theme;
    if lane
        .rollouts
        .iter()
        .all(|rollout| rollout.sends.is_empty() || rollout.is_over())
    {
        return;
    }
    let Some(poll) = ctx.live.polls.get(&lane.region) else {
        return;
    };
    if let Some(trouble) = &poll.trouble {
        rows.sub(0, &format!("AWS does not answer: {trouble}"), theme.attention);
    }
    if poll.throttled > 0 {
        rows.sub(
            1,
            &format!("AWS asks to slow down (×{})", poll.throttled),
            theme.attention,
        );
    }
    let mut text = format!("looks every {}", words::duration(poll.interval));
    if let Some(at) = poll.answered_at {
        text.push_str(&format!(", last answer {} ago", words::seconds(ctx.now.since(at))));
    }
    text.push_str(&format!(
        ", {}",
        words::plural(usize::try_from(poll.calls).unwrap_or(usize::MAX), "call")
    ));
    rows.sub(3, &text, theme.quiet);
}
