//! Who drives the deployment, where this console does not: a line that stands on every screen, and what taking over does.

use ratatui::text::{Line, Span};

use super::draw::Ctx;
use super::view::Role;
use super::words;
use crate::names::Millis;
use crate::state::{BuildPhase, LaneState, PushPhase, SendPhase, Stage, State};

/// A day, after which a time of day says too little.
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
/// Regions that a chore names.
const REGIONS: usize = 3;

/// ```text
/// watched only: noor on bridge drives it · process 4242 · since 14:02:11 · q leaves it to them
/// no word for 2m10s from the process that drives it
/// nobody drives it · T takes over · process 4242 of noor on bridge is gone
/// ```
///
/// None where this console drives, or shows a record.
pub(super) fn lines(ctx: &Ctx, columns: u16) -> Vec<Line<'static>> {
    let width = usize::from(columns);
    match ctx.view.role {
        Role::Drives | Role::Hears | Role::Reviews => Vec::new(),
        Role::Watches => {
            let text = words::join(&driven(ctx), width);
            let mut lines = vec![Line::from(Span::styled(text, ctx.theme.attention))];
            if let Some(silence) = ctx.state.silence(ctx.now) {
                let text = format!(
                    "no word for {} from the process that drives it",
                    words::seconds(silence)
                );
                lines.push(Line::from(Span::styled(text, ctx.theme.attention)));
            }
            lines
        }
        Role::Orphaned => {
            let text = words::join(&orphaned(ctx), width.saturating_sub(2));
            let text = words::pad(&format!(" {text} "), width);
            vec![Line::from(Span::styled(text, ctx.theme.banner))]
        }
    }
}

fn driven(ctx: &Ctx) -> Vec<String> {
    let Some(driver) = &ctx.state.driver else {
        return vec!["watched only: another process drives it".to_owned()];
    };
    let since = ctx.state.driven_since.map(|at| since(ctx, at));
    vec![
        format!("watched only: {} on {} drives it", driver.user, driver.machine),
        format!("process {}", driver.pid),
        since.unwrap_or_default(),
        "q leaves it to them".to_owned(),
    ]
}

fn orphaned(ctx: &Ctx) -> Vec<String> {
    let who = ctx.state.driver.as_ref();
    let gone = match (who, &ctx.state.left) {
        (Some(driver), Some(reason)) => format!("{} on {} left it: {reason}", driver.user, driver.machine),
        (Some(driver), None) => format!(
            "process {} of {} on {} is gone",
            driver.pid, driver.user, driver.machine
        ),
        (None, _) => String::new(),
    };
    vec!["nobody drives it".to_owned(), "T takes over".to_owned(), gone]
}

fn since(ctx: &Ctx, at: Millis) -> String {
    let zone = &ctx.view.look.zone;
    if ctx.now.since(at) < DAY {
        format!("since {}", words::clock(at, zone))
    } else {
        format!("since {}", words::date_and_time(at, zone))
    }
}

/// What a process does with a deployment that it takes over, in the order in which it begins.
pub(super) fn chores(state: &State) -> Vec<String> {
    let mut chores = Vec::new();
    let lost = lost_answers(state);
    if lost > 0 {
        chores.push(format!(
            "look for {} whose answer was lost, which is never sent twice",
            words::plural(lost, "command")
        ));
    }
    let half_built = state.builds.iter().any(|build| build.phase == BuildPhase::Running);
    let unbuilt = state.lanes.iter().any(|lane| state.stage(lane) == Stage::Building);
    if half_built {
        chores.push("start the build again, which was half done".to_owned());
    } else if unbuilt {
        chores.push("start the build".to_owned());
    }
    let half_pushed = regions(state, |lane| lane.push == PushPhase::Running);
    if let Some(regions) = half_pushed {
        chores.push(format!("push again in {regions}, where that was half done"));
    }
    let unpushed = regions(state, |lane| {
        lane.push == PushPhase::Waiting && matches!(state.stage(lane), Stage::Building | Stage::Pushing)
    });
    if let Some(regions) = unpushed {
        chores.push(format!("push in {regions}"));
    }
    if let Some(regions) = regions(state, |lane| unsent(state, lane) > 0) {
        let hosts: usize = state.lanes.iter().map(|lane| unsent(state, lane)).sum();
        let hosts = words::plural(hosts, "host");
        chores.push(format!(
            "send the first commands in {regions}, which were not sent: {hosts}"
        ));
    }
    let open = followed(state);
    if open > 0 {
        chores.push(format!("follow {} to their end", words::plural(open, "host")));
    }
    if chores.is_empty() {
        chores.push("offer to retry what did not succeed; nothing is under way".to_owned());
    }
    chores
}

fn lost_answers(state: &State) -> usize {
    let sends = state
        .lanes
        .iter()
        .flat_map(|lane| &lane.rollouts)
        .flat_map(|rollout| &rollout.sends);
    let lost = |phase: &SendPhase| matches!(phase, SendPhase::Intended | SendPhase::Unknown(_));
    sends.filter(|send| lost(&send.phase)).count()
}

/// Hosts of a lane whose first command will go out by itself.
fn unsent(state: &State, lane: &LaneState) -> usize {
    match state.stage(lane) {
        Stage::Building | Stage::Pushing | Stage::Tagging | Stage::RollingOut => lane
            .rollouts
            .iter()
            .filter(|rollout| rollout.is_unsent())
            .map(|rollout| rollout.counts.total())
            .sum(),
        Stage::Done | Stage::Halted => 0,
    }
}

/// Hosts of commands that SSM has and has not ended.
fn followed(state: &State) -> usize {
    let rollouts = state.lanes.iter().flat_map(|lane| &lane.rollouts);
    let open = rollouts.filter(|rollout| {
        let mut sends = rollout.sends.iter();
        sends.any(|send| !send.is_over() && send.command().is_some())
    });
    open.map(|rollout| rollout.counts.total() - rollout.counts.ended())
        .sum()
}

/// The regions of the lanes that are meant, in words; none where there are none.
fn regions(state: &State, meant: impl Fn(&LaneState) -> bool) -> Option<String> {
    let lanes = state.lanes.iter().filter(|lane| !lane.cancelled && meant(lane));
    let names: Vec<&str> = lanes.map(|lane| lane.region.as_str()).collect();
    (!names.is_empty()).then(|| words::names(&names, names.len(), REGIONS))
}
