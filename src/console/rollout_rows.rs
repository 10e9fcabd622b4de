//! A lane's rollouts: counts, a bar, what is being waited for, and who is in trouble.

use std::time::Duration;

use ratatui::style::Style;
use ratatui::text::Span;

use super::lane_rows::{EXTRA, Row, Rows};
use super::{bar, figures, theme, words};
use crate::names::Millis;
use crate::state::{HostState, RolloutState, SendPhase, SendState, SendTo, Stage, Verdict};

/// A SendCommand that has no answer after this long is worth a word.
const ANSWER_DUE: Duration = Duration::from_secs(5);
/// A fleet that is silent for this long is worth a word.
const SILENCE: Duration = Duration::from_secs(60);
/// More hosts than this are a matter of the host list.
const GRID_HOSTS: usize = 120;
/// Rows that the hosts of a rollout may take in a panel.
const GRID_ROWS: usize = 8;
/// Columns of a host's name there.
const GRID_NAME: usize = 16;

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
    let unsure = counts.unknown + counts.not_run > 0 || rollout.send_problem().is_some() || rollout.reached_nobody();
    let (glyph, style) = if counts.failed > 0 {
        ("✗", theme.failure)
    } else if unsure {
        ("?", theme.attention)
    } else if rollout.is_over() {
        ("✓", theme.success)
    } else if rollout.is_unsent() {
        ("·", theme.quiet)
    } else {
        ("▸", theme.progress)
    };
    let hosts = words::plural(counts.total(), "host");
    let said = if rollout.is_unsent() {
        vec![hosts, not_sent_yet(ctx.state.stage(lane)).to_owned()]
    } else if rollout.is_over() {
        vec![format!("{} of {hosts} succeeded", counts.succeeded)]
    } else {
        vec![format!("{} of {hosts} ended", counts.ended())]
    };
    rows.head(glyph, rollout.name.as_str(), style, &said);
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
    let show = if rows.full { 12 } else { 4 };
    for trouble in figures::trouble([rollout], show) {
        let names = words::names(&trouble.names, trouble.count, show);
        let text = format!(
            "{} {} {}: {names}",
            theme::glyph(trouble.verdict),
            trouble.count,
            trouble.word
        );
        rows.sub(2, &text, theme.verdict(trouble.verdict));
    }
    if rollout.tally.unplanned > 0 {
        let text = format!("{} not in the plan", words::plural(rollout.tally.unplanned, "host"));
        rows.sub(2, &text, theme.attention);
    }
    if !rollout.sends.is_empty() {
        every_host(rows, rollout);
    }
}

/// Why nothing was sent yet.
fn not_sent_yet(stage: Stage) -> &'static str {
    match stage {
        Stage::Building | Stage::Pushing | Stage::Tagging => "after the push",
        Stage::RollingOut | Stage::Done => "about to be sent",
        Stage::Halted => "not sent",
    }
}

/// A cell a host, in as many columns as there is room for, as long as that makes only a few rows.
fn every_host(rows: &mut Rows, rollout: &RolloutState) {
    let theme = &rows.ctx.theme;
    if rollout.hosts.len() > GRID_HOSTS {
        return;
    }
    let widest = rollout.hosts.iter().map(|host| words::width(host.short_label())).max();
    let name = widest.unwrap_or(0).min(GRID_NAME);
    let columns = rows.width.saturating_sub(2) / (name + 4);
    if columns == 0 || rollout.hosts.len().div_ceil(columns) > GRID_ROWS {
        return;
    }
    for hosts in rollout.hosts.chunks(columns) {
        let cell = |host: &HostState| {
            let style = theme.verdict(host.status().verdict());
            let text = format!(
                "{} {}  ",
                theme::status_glyph(host.status()),
                words::pad(host.short_label(), name)
            );
            Span::styled(text, style)
        };
        let spans = [Span::raw("  ")].into_iter().chain(hosts.iter().map(cell)).collect();
        rows.push(Row::new(EXTRA, spans));
    }
}

/// `✓ 31  ✗ 2 failed  ? 1 unknown  ▸ 5  · 11`: what is wrong keeps its word in the narrowest panel.
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
        .map(|(verdict, count)| word(*verdict).len() + count.to_string().len() + 5)
        .sum();
    let roomy = all_words < rows.width;
    let mut spans = Vec::new();
    for (verdict, count) in parts {
        let always = matches!(verdict, Verdict::Failed | Verdict::Unknown | Verdict::NotRun);
        let glyph = theme::glyph(verdict);
        let text = if roomy || always {
            format!("  {glyph} {count} {}", word(verdict))
        } else {
            format!("  {glyph} {count}")
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
    let again: usize = rollout
        .sends
        .iter()
        .map(|send| match &send.to {
            SendTo::Targets => 0,
            SendTo::Hosts(hosts) => hosts.len(),
        })
        .sum();
    if again > 0 {
        notes.push((
            2,
            theme.quiet,
            format!("sent again to {}", words::plural(again, "host")),
        ));
    }
    let waiting = rollout.waiting_for_retry().count();
    if waiting > 0 {
        let hosts = words::plural(waiting, "host");
        notes.push((1, theme.progress, format!("{hosts} wait for their retry, 50 at a time")));
    }
    if let Some(problem) = &rollout.retry.stopped {
        notes.push((0, theme.attention, problem.what.to_string()));
        notes.push((1, Style::new(), format!("→ {}", problem.remedy)));
    }
    // A send of which nobody knows whether SSM has it stays open until the operator decides, whatever was sent after it.
    for send in &rollout.sends {
        if let SendPhase::Unknown(problem) = &send.phase {
            let what = format!("unknown whether SSM has it: {}", problem.what);
            notes.push((0, theme.attention, what));
            notes.push((1, Style::new(), format!("→ {}", problem.remedy)));
        }
    }
    let open = rollout.sends.iter().rfind(|send| !send.is_over());
    let Some(send) = open.or(rollout.sends.last()) else {
        return notes;
    };
    match &send.phase {
        SendPhase::Intended => {
            let waited = ctx.now.since(send.intended_at);
            let text = if waited < ANSWER_DUE {
                "being sent".to_owned()
            } else {
                let waited = words::seconds(waited);
                format!("sent {waited} ago, no answer yet: looking for the command")
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
                notes.push((3, theme.quiet, "found in SSM by its token".to_owned()));
            }
            if ended.is_none() {
                under_way(rows, at, send, *expires_at, &mut notes);
            } else if rollout.reached_nobody() {
                notes.push((0, theme.failure, "no host has these tags: nothing ran".to_owned()));
            }
        }
        SendPhase::Refused(problem) if send.stopped => {
            notes.push((1, theme.attention, problem.what.as_str().to_owned()));
            let next = if send.is_withdrawn() {
                "it goes out once the deployment is taken up"
            } else {
                again_with(rollout)
            };
            notes.push((1, Style::new(), format!("→ {next}")));
        }
        SendPhase::Refused(problem) => {
            notes.push((0, theme.failure, format!("SSM refused it: {}", problem.what)));
            notes.push((
                1,
                Style::new(),
                format!("→ {}; {}", problem.remedy, again_with(rollout)),
            ));
        }
        SendPhase::Unknown(_) => {}
        SendPhase::Abandoned => {
            let text = format!("taken as never sent; {}", again_with(rollout));
            notes.push((1, theme.attention, text));
        }
    }
    if send.cancel_asked && !send.is_over() {
        let text = "cancel was asked for; hosts follow, or finish first";
        notes.push((0, theme.attention, text.to_owned()));
    }
    if let Some(problem) = &send.cancel_problem {
        notes.push((0, theme.failure, format!("cancel was refused: {}", problem.what)));
    }
    notes
}

/// The key that sends again what did not go out.
fn again_with(rollout: &RolloutState) -> &'static str {
    if rollout.can_be_resent() {
        "s sends it again"
    } else {
        "R retries its hosts"
    }
}

/// A command that SSM has and that is not done.
fn under_way(rows: &Rows, at: usize, send: &SendState, expires_at: Option<Millis>, notes: &mut Vec<Note>) {
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
    let tally = &rollout.tally;
    if tally.delayed > 0 {
        let hosts = words::plural(tally.delayed, "host");
        notes.push((1, theme.attention, format!("{hosts} not reachable, SSM tries again")));
    }
    let silent = tally.changed_at.map(|at| ctx.now.since(at));
    if let Some(silent) = silent.filter(|silent| *silent >= SILENCE) {
        notes.push((2, theme.quiet, format!("last change {} ago", words::seconds(silent))));
    }
    if counts.waiting + tally.pending + tally.delayed > 0
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
        .all(|rollout| rollout.is_unsent() || rollout.is_over())
    {
        return;
    }
    let Some(poll) = ctx.live.polls.get(&lane.region) else {
        return;
    };
    if let Some(trouble) = &poll.trouble {
        rows.sub(0, &format!("no news of the hosts: {trouble}"), theme.attention);
    }
    if poll.throttled > 0 {
        rows.sub(
            1,
            &format!("AWS asks to slow down (×{})", poll.throttled),
            theme.attention,
        );
    }
    let mut said = vec![format!("looks every {}", words::duration(poll.interval))];
    if let Some(at) = poll.answered_at {
        said.push(format!("answered {} ago", words::seconds(ctx.now.since(at))));
    }
    let calls = usize::try_from(poll.calls).unwrap_or(usize::MAX);
    said.push(words::plural(calls, "call"));
    let room = rows.width.saturating_sub(2);
    rows.sub(3, &words::join(&said, room), theme.quiet);
}
