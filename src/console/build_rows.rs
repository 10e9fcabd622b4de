//! A lane's build: steps, context, what the builder says.

use super::lane_rows::Rows;
use super::{theme, words};
use crate::state::live::{LiveBuild, StepPhase};
use crate::state::{BuildPhase, BuildState, Step};

/// Log lines of a failed step on the zoomed page.
const TAIL: usize = 12;

/// Adds them, if the lane has a build.
pub(super) fn add(rows: &mut Rows) {
    let ctx = rows.ctx;
    let Some(build) = rows
        .lane
        .build
        .as_ref()
        .and_then(|id| ctx.state.builds.iter().find(|build| build.id == *id))
    else {
        return;
    };
    let theme = &ctx.theme;
    let live = ctx.live.builds.get(&build.id).map(AsRef::as_ref);
    match &build.phase {
        BuildPhase::Waiting => rows.head("·", "build", theme.quiet, &["not started".to_owned()]),
        BuildPhase::Running => running(rows, build, live),
        BuildPhase::Succeeded { context_bytes, .. } => {
            let text = [
                steps_done(build),
                took(build),
                format!("context {}", words::bytes(*context_bytes)),
            ];
            rows.head("✓", "build", theme.success, &text);
            if rows.full {
                for step in &build.steps {
                    rows.sub(3, &step_words(step), theme.quiet);
                }
            }
        }
        BuildPhase::Failed {
            problem,
            step,
            exit_code,
            log_tail,
        } => {
            let mut said = vec!["failed".to_owned()];
            said.extend(
                step.as_ref()
                    .filter(|step| step.number > 0)
                    .map(|step| format!("step {}/{}", step.number, step.of)),
            );
            said.extend(exit_code.map(|code| format!("exit code {code}")));
            rows.head("✗", "build", theme.failure, &said);
            if let Some(step) = step {
                rows.sub(1, step.name.as_str(), theme.title);
            }
            rows.problem(problem, theme.failure);
            let show = if rows.full { TAIL } else { 3 };
            for line in log_tail.iter().skip(log_tail.len().saturating_sub(show)) {
                rows.sub(3, &format!("│ {line}"), theme.quiet);
            }
        }
        BuildPhase::Cancelled => rows.head("-", "build", theme.attention, &["cancelled".to_owned()]),
    }
    if rows.full {
        shared(rows, build);
    }
}

fn running(rows: &mut Rows, build: &BuildState, live: Option<&LiveBuild>) {
    let ctx = rows.ctx;
    let theme = &ctx.theme;
    let mut said = Vec::new();
    let current = live.and_then(|live| {
        live.steps
            .iter()
            .rfind(|step| matches!(step.phase, StepPhase::Running { .. }))
    });
    if let Some(live) = current.filter(|live| live.step.number > 0) {
        said.push(format!("step {}/{}", live.step.number, live.step.of));
    } else if let Some(last) = build.steps.iter().rfind(|step| step.number > 0) {
        said.push(format!("step {}/{}", last.number, last.of));
    }
    said.extend(build.started_at.map(|at| words::seconds(ctx.now.since(at))));
    if build.attempts > 1 {
        said.push(format!("try {}", build.attempts));
    }
    if let Some(live) = live.filter(|live| live.context_sent > 0) {
        said.push(format!("context {}", words::bytes(live.context_sent)));
    }
    rows.head(theme::spinner(ctx.now), "build", theme.progress, &said);
    let Some(live) = live else { return };
    let full = rows.full;
    for step in live
        .steps
        .iter()
        .filter(|step| full || matches!(step.phase, StepPhase::Running { .. }))
    {
        let (glyph, style, time) = match step.phase {
            StepPhase::Pending => ("·", theme.quiet, String::new()),
            StepPhase::Running { since } => ("▸", theme.progress, words::seconds(ctx.now.since(since))),
            StepPhase::Done if step.step.cached => ("✓", theme.quiet, "cached".to_owned()),
            StepPhase::Done => (
                "✓",
                theme.success,
                words::duration(std::time::Duration::from_millis(step.step.millis)),
            ),
            StepPhase::Failed => ("✗", theme.failure, String::new()),
        };
        let room = rows.width.saturating_sub(6 + words::width(&time));
        let name = words::pad(step.step.name.as_str(), room);
        rows.sub(if rows.full { 2 } else { 1 }, &format!("{glyph} {name} {time}"), style);
    }
    for (what, (done, total)) in live.transfers.iter().filter(|(_, (done, total))| done < total) {
        let text = format!("{what} {} of {}", words::bytes(*done), words::bytes(*total));
        rows.sub(3, &text, theme.quiet);
        rows.gauge(3, *done, *total);
    }
    let show = if rows.full { TAIL } else { 2 };
    for line in live.log.iter().skip(live.log.len().saturating_sub(show)) {
        rows.sub(3, &format!("│ {}", line.line), theme.quiet);
    }
}

fn shared(rows: &mut Rows, build: &BuildState) {
    let ctx = rows.ctx;
    let Some(plan) = ctx
        .state
        .plan
        .as_deref()
        .and_then(|plan| plan.builds.iter().find(|plan| plan.id == build.id))
    else {
        return;
    };
    if plan.regions.len() > 1 {
        let regions: Vec<&str> = plan.regions.iter().map(crate::names::Region::as_str).collect();
        rows.sub(
            3,
            &format!("one build for {}", words::names(&regions, regions.len(), 6)),
            ctx.theme.quiet,
        );
    }
    if let Some(log) = &build.log {
        rows.sub(3, &format!("log {log}"), ctx.theme.quiet);
    }
}

fn steps_done(build: &BuildState) -> String {
    let cached = build.steps.iter().filter(|step| step.cached).count();
    let steps = words::plural(build.steps.len(), "step");
    if cached == 0 {
        steps
    } else {
        format!("{steps}, {cached} cached")
    }
}

fn took(build: &BuildState) -> String {
    match (build.started_at, build.ended_at) {
        (Some(from), Some(to)) => words::duration(to.since(from)),
        _ => String::new(),
    }
}

fn step_words(step: &Step) -> String {
    let time = if step.cached {
        "cached".to_owned()
    } else {
        words::duration(std::time::Duration::from_millis(step.millis))
    };
    format!("✓ {} {time}", step.name)
}
