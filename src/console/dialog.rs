//! Questions: what will be done, to how many, and what that means, before it is done.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};

use super::draw::Ctx;
use super::view::{Dialog, Interruption};
use super::words;
use crate::engine::{MovedTag, Scope};
use crate::state::{BuildPhase, PushPhase, RetrySet};

/// Draws it in the middle of what it is about.
pub(super) fn draw(frame: &mut Frame, area: Rect, ctx: &Ctx, dialog: &Dialog) {
    let width = area.width.min(66);
    let inner_width = usize::from(width.saturating_sub(4));
    let (title, lines) = match dialog {
        Dialog::TypeName(input) => type_name(ctx, input.value(), inner_width),
        Dialog::Retry { set, moved } => retry(ctx, set, moved.as_deref(), inner_width),
        Dialog::Cancel { scopes, at } => cancel(ctx, scopes, *at, inner_width),
        Dialog::Quit => quit(ctx, inner_width),
        Dialog::Interrupt { at } => interrupt(ctx, *at, inner_width),
        Dialog::Abandon(_) => abandon(ctx, inner_width),
    };
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let block = Block::bordered()
        .border_type(BorderType::Double)
        .border_style(ctx.theme.attention)
        .title(Line::from(Span::styled(format!(" {title} "), ctx.theme.title)))
        .padding(ratatui::widgets::Padding::horizontal(1));
    let inner = block.inner(place);
    frame.render_widget(Clear, place);
    frame.render_widget(block, place);
    frame.render_widget(Paragraph::new(lines), inner);
}

type Question = (String, Vec<Line<'static>>);

fn text(lines: &mut Vec<Line<'static>>, words_: &str, style: Style, width: usize) {
    lines.extend(
        words::wrap(words_, width)
            .into_iter()
            .map(|line| Line::from(Span::styled(line, style))),
    );
}

fn type_name(ctx: &Ctx, typed: &str, width: usize) -> Question {
    let name = ctx
        .view
        .plan(ctx.state)
        .map(|plan| plan.environment.name.to_string())
        .unwrap_or_default();
    let hosts = ctx.view.plan(ctx.state).map_or(0, crate::plan::Plan::host_count);
    let mut lines = Vec::new();
    text(
        &mut lines,
        &format!("{name} is protected: {} will be told.", words::plural(hosts, "host")),
        ctx.theme.attention,
        width,
    );
    text(&mut lines, "Type its name to start:", Style::new(), width);
    lines.push(Line::from(vec![
        Span::raw("> "),
        Span::styled(typed.to_owned(), ctx.theme.title),
        Span::styled(" ", ctx.theme.selected),
    ]));
    if !typed.is_empty() && typed != name && !name.starts_with(typed) {
        text(&mut lines, &format!("that is not {name}"), ctx.theme.failure, width);
    }
    ("start".to_owned(), lines)
}

fn retry(ctx: &Ctx, set: &RetrySet, moved: Option<&[MovedTag]>, width: usize) -> Question {
    let theme = &ctx.theme;
    let mut lines = Vec::new();
    let what = format!(
        "Send again to {} in {}:",
        words::plural(set.len(), "host"),
        words::plural(set.regions(), "region")
    );
    text(&mut lines, &what, theme.title, width);
    let show = 4;
    for ((region, rollout), hosts) in set.hosts.iter().take(show) {
        let names: Vec<String> = hosts
            .iter()
            .take(4)
            .map(|id| host_name(ctx, region, rollout, id))
            .collect();
        let line = format!(
            "  {region} {rollout} {}: {}",
            hosts.len(),
            words::names(&names, hosts.len(), 3)
        );
        lines.push(Line::from(words::fit(&line, width).into_owned()));
    }
    if set.hosts.len() > show {
        lines.push(Line::from(format!("  and {} more rollouts", set.hosts.len() - show)));
    }
    if set.unknown > 0 {
        let unknown = format!(
            "{}: it is unknown whether the script ran there. It may run a second time.",
            words::plural(set.unknown, "host")
        );
        text(&mut lines, &unknown, theme.attention, width);
    }
    match moved {
        None => text(
            &mut lines,
            "looking whether the tags still point at this image…",
            theme.progress,
            width,
        ),
        Some([]) => text(
            &mut lines,
            "The tags still point at this deployment's image.",
            theme.success,
            width,
        ),
        Some(moved) => {
            for tag in moved {
                let now = match (&tag.problem, &tag.now) {
                    (Some(problem), _) => format!("could not be looked up: {}", problem.what),
                    (None, Some(digest)) => format!("points at sha256:{} now, not at this image", digest.short()),
                    (None, None) => "is gone".to_owned(),
                };
                text(
                    &mut lines,
                    &format!("✗ {} {} {now}", tag.region, tag.tag),
                    theme.failure,
                    width,
                );
            }
            text(
                &mut lines,
                "The hosts may pull another image than this one. y sends all the same.",
                theme.failure,
                width,
            );
        }
    }
    ("retry".to_owned(), lines)
}

fn host_name(
    ctx: &Ctx,
    region: &crate::names::Region,
    rollout: &crate::names::RolloutName,
    id: &crate::names::HostId,
) -> String {
    let lane = ctx.state.lane(region);
    let rollout = lane.and_then(|lane| lane.rollouts.iter().find(|state| state.name == *rollout));
    rollout
        .and_then(|rollout| rollout.host(id))
        .map_or_else(|| id.to_string(), |host| host.label().to_owned())
}

/// The answers of a menu, the one under the cursor marked.
fn menu(lines: &mut Vec<Line<'static>>, ctx: &Ctx, answers: &[String], at: usize, width: usize) {
    for (n, answer) in answers.iter().enumerate() {
        let (mark, style) = if n == at {
            ("▸", ctx.theme.selected)
        } else {
            (" ", Style::new())
        };
        lines.push(Line::from(Span::styled(
            words::pad(&format!("{mark} {answer}"), width),
            style,
        )));
    }
}

fn cancel(ctx: &Ctx, scopes: &[Scope], at: usize, width: usize) -> Question {
    let mut lines = Vec::new();
    let answers: Vec<String> = scopes
        .iter()
        .map(|scope| match scope {
            Scope::Rollout(region, rollout) => format!("the rollout {rollout} in {region}"),
            Scope::Lane(region) => format!("everything in {region}"),
            Scope::All => "everything, in every lane".to_owned(),
        })
        .collect();
    menu(&mut lines, ctx, &answers, at, width);
    let meaning = "Builds and pushes stop. SSM asks the hosts to stop; those at work may have run part of the script, or finish first. Hosts that are done stay as they are.";
    text(&mut lines, meaning, ctx.theme.quiet, width);
    ("cancel what?".to_owned(), lines)
}

/// What goes on and what stops when the console goes.
fn consequences(ctx: &Ctx, width: usize) -> Vec<Line<'static>> {
    let theme = &ctx.theme;
    let mut lines = Vec::new();
    let counts = ctx.state.counts();
    let at_work = counts.running;
    let builds = ctx.state.builds.iter().any(|build| build.phase == BuildPhase::Running);
    let pushes = ctx.state.lanes.iter().any(|lane| lane.push == PushPhase::Running);
    let open = ctx
        .state
        .lanes
        .iter()
        .flat_map(|lane| &lane.rollouts)
        .flat_map(|rollout| &rollout.sends)
        .any(|send| !send.is_over());
    if open {
        let who = if at_work > 0 {
            words::plural(at_work, "host")
        } else {
            "The fleet".to_owned()
        };
        let verb = if at_work == 1 { "goes" } else { "go" };
        let verb = if at_work == 0 { "goes" } else { verb };
        text(
            &mut lines,
            &format!("{who} {verb} on without this console: SSM has the commands."),
            theme.attention,
            width,
        );
    }
    if builds || pushes {
        let what = match (builds, pushes) {
            (true, true) => "The build and the pushes stop",
            (true, false) => "The build stops",
            (false, _) => "The pushes stop",
        };
        text(
            &mut lines,
            &format!("{what}: this process runs them."),
            theme.attention,
            width,
        );
    }
    let id = ctx.state.plan.as_ref().map(|plan| plan.id.short()).unwrap_or_default();
    text(&mut lines, "To come back and follow it:", Style::new(), width);
    lines.push(Line::from(Span::styled(
        format!("  quarterdeck attach {id}"),
        theme.title,
    )));
    text(&mut lines, "To see what was known:", Style::new(), width);
    lines.push(Line::from(Span::styled(
        format!("  quarterdeck show {id}"),
        theme.title,
    )));
    lines
}

fn quit(ctx: &Ctx, width: usize) -> Question {
    ("quit?".to_owned(), consequences(ctx, width))
}

fn interrupt(ctx: &Ctx, at: usize, width: usize) -> Question {
    let answers = Interruption::ALL.map(|answer| {
        match answer {
            Interruption::Leave => "leave; the fleet goes on",
            Interruption::Cancel => "cancel everything and stay to watch",
            Interruption::Stay => "stay",
        }
        .to_owned()
    });
    let mut lines = Vec::new();
    menu(&mut lines, ctx, &answers, at, width);
    lines.extend(consequences(ctx, width));
    text(&mut lines, "ctrl-c once more leaves at once.", ctx.theme.quiet, width);
    ("interrupted".to_owned(), lines)
}

fn abandon(ctx: &Ctx, width: usize) -> Question {
    let mut lines = Vec::new();
    let meaning = "The answer to a SendCommand was lost and no command with its token was found. If SSM has it after all and it is sent again, the script runs twice on its hosts.";
    text(&mut lines, meaning, ctx.theme.attention, width);
    text(
        &mut lines,
        "Take it as never sent? Look in the SSM console first.",
        ctx.theme.title,
        width,
    );
    ("never sent?".to_owned(), lines)
}
