//! Questions: what will be done, to how many, and what that means, before it is done.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Padding, Paragraph};

use super::draw::Ctx;
use super::lane_rows::{Row, squeeze};
use super::view::{Dialog, Interruption};
use super::{watch, words};
use crate::engine::{MovedTag, Scope};
use crate::names::{HostId, Region, RolloutName};
use crate::state::{BuildPhase, LaneState, PushPhase, RetrySet, RolloutState, Stage};

/// Columns of a question.
const WIDTH: u16 = 66;
/// Rollouts that are listed.
const ROLLOUTS: usize = 4;

/// Draws it in the middle of `area`. Where there is too little room the explanations give way, never what will be done.
pub(super) fn draw(frame: &mut Frame, area: Rect, ctx: &Ctx, dialog: &Dialog) {
    let width = area.width.min(WIDTH);
    let mut question = Question {
        ctx,
        width: usize::from(width.saturating_sub(4)),
        rows: Vec::new(),
    };
    let title = match dialog {
        Dialog::TypeName(input) => question.type_name(input.value()),
        Dialog::Retry { set, moved, .. } => question.retry(set, moved.as_deref()),
        Dialog::Cancel { scopes, at } => question.cancel(scopes, *at),
        Dialog::Quit => question.quit(),
        Dialog::Interrupt { at } => question.interrupt(*at),
        Dialog::Abandon(_) => question.abandon(),
        Dialog::TakeOver => question.take_over(),
    };
    let rows = squeeze(question.rows, usize::from(area.height.saturating_sub(2)));
    let height = u16::try_from(rows.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let place = area.centered(
        ratatui::layout::Constraint::Length(width),
        ratatui::layout::Constraint::Length(height),
    );
    let block = Block::bordered()
        .border_type(BorderType::Double)
        .border_style(ctx.theme.attention)
        .title(Line::from(Span::styled(format!(" {title} "), ctx.theme.title)))
        .padding(Padding::horizontal(1));
    let inner = block.inner(place);
    let lines: Vec<Line> = rows.into_iter().map(|row| row.line).collect();
    frame.render_widget(Clear, place);
    frame.render_widget(block, place);
    frame.render_widget(Paragraph::new(lines), inner);
}

/// A question in the making.
struct Question<'a> {
    ctx: &'a Ctx<'a>,
    width: usize,
    rows: Vec<Row>,
}

impl Question<'_> {
    /// Adds a sentence; `rank` says how soon it gives way.
    fn say(&mut self, rank: u8, text: &str, style: Style) {
        let lines = words::wrap(text, self.width).into_iter();
        self.rows
            .extend(lines.map(|line| Row::new(rank, vec![Span::styled(line, style)])));
    }

    /// Adds a line that is cut where it does not fit.
    fn line(&mut self, rank: u8, text: &str, style: Style) {
        let text = words::fit(text, self.width).into_owned();
        self.rows.push(Row::new(rank, vec![Span::styled(text, style)]));
    }

    fn gap(&mut self) {
        self.rows.push(Row::new(3, Vec::new()));
    }

    fn type_name(&mut self, typed: &str) -> &'static str {
        let theme = self.ctx.theme;
        let plan = self.ctx.view.plan(self.ctx.state);
        let name = plan.map(|plan| plan.environment.name.to_string()).unwrap_or_default();
        let hosts = words::plural(plan.map_or(0, crate::plan::Plan::host_count), "host");
        let regions = words::plural(plan.map_or(0, |plan| plan.lanes.len()), "region");
        let what = format!("{name} is protected. This goes to {hosts} in {regions}.");
        self.say(0, &what, theme.attention);
        self.say(0, "Type its name to start:", Style::new());
        self.rows.push(Row::new(
            0,
            vec![
                Span::raw("> "),
                Span::styled(
                    words::fit(typed, self.width.saturating_sub(4)).into_owned(),
                    theme.title,
                ),
                Span::styled(" ", theme.selected),
            ],
        ));
        if !name.starts_with(typed) {
            self.say(0, &format!("that is not {name}"), theme.failure);
        } else if typed == name {
            self.say(0, "enter starts the deployment", theme.success);
        }
        "start"
    }

    fn retry(&mut self, set: &RetrySet, moved: Option<&[MovedTag]>) -> &'static str {
        let theme = self.ctx.theme;
        for tag in moved.unwrap_or_default() {
            let now = match (&tag.problem, &tag.now) {
                (Some(problem), _) => format!("could not be looked up: {}", problem.what),
                (None, Some(digest)) => format!("points at sha256:{} now, not at this image", digest.short()),
                (None, None) => "is gone".to_owned(),
            };
            self.say(0, &format!("✗ {} {} {now}", tag.region, tag.tag), theme.failure);
        }
        if moved.is_some_and(|moved| !moved.is_empty()) {
            let text = "These hosts may pull another image than this deployment's.";
            self.say(0, text, theme.failure);
            self.gap();
        }
        let hosts = words::plural(set.len(), "host");
        let regions = words::plural(set.in_regions().len(), "region");
        self.say(0, &format!("Send again to {hosts} in {regions}:"), theme.title);
        for ((region, rollout), hosts) in set.hosts.iter().take(ROLLOUTS) {
            let names: Vec<String> = hosts
                .iter()
                .take(4)
                .map(|id| self.host_name(region, rollout, id))
                .collect();
            let names = words::names(&names, hosts.len(), 3);
            self.line(
                2,
                &format!("  {region} {rollout} {}: {names}", hosts.len()),
                Style::new(),
            );
        }
        if set.hosts.len() > ROLLOUTS {
            let more = words::plural(set.hosts.len() - ROLLOUTS, "more rollout");
            self.line(2, &format!("  and {more}"), Style::new());
        }
        if set.unknown > 0 {
            let hosts = words::plural(set.unknown, "host");
            let text = format!("On {hosts} it is unknown whether the script ran: there it may run a second time.");
            self.say(0, &text, theme.attention);
        }
        match moved {
            None => self.say(0, "looking whether the tags still point at this image…", theme.progress),
            Some([]) if self.is_adopted() => {
                let text = "Which image they pull is unknown: this deployment was found in SSM, which knows no digest.";
                self.say(0, text, theme.attention);
            }
            Some([]) => self.say(1, "The tags still point at this deployment's image.", theme.success),
            Some(_) => self.say(0, "y sends all the same.", theme.title),
        }
        "retry"
    }

    fn is_adopted(&self) -> bool {
        let plan = self.ctx.view.plan(self.ctx.state);
        plan.is_some_and(crate::plan::Plan::is_adopted)
    }

    fn host_name(&self, region: &Region, rollout: &RolloutName, id: &HostId) -> String {
        let lane = self.ctx.state.lane(region);
        let rollout = lane.and_then(|lane| lane.rollouts.iter().find(|state| state.name == *rollout));
        rollout
            .and_then(|rollout| rollout.host(id))
            .map_or_else(|| id.to_string(), |host| host.short_label().to_owned())
    }

    /// The answers of a menu, the one under the cursor marked.
    fn menu(&mut self, answers: &[String], at: usize) {
        for (n, answer) in answers.iter().enumerate() {
            let (mark, style) = if n == at {
                ("▸", self.ctx.theme.selected)
            } else {
                (" ", Style::new())
            };
            let text = words::pad(&format!("{mark} {answer}"), self.width);
            self.rows.push(Row::new(0, vec![Span::styled(text, style)]));
        }
    }

    fn cancel(&mut self, scopes: &[Scope], at: usize) -> &'static str {
        let nothing = "nothing: everything goes on".to_owned();
        let scopes = scopes.iter().map(|scope| self.scope(scope));
        let answers: Vec<String> = [nothing].into_iter().chain(scopes).collect();
        self.menu(&answers, at);
        self.gap();
        let quiet = self.ctx.theme.quiet;
        self.say(
            1,
            "SSM asks hosts at work to stop: they may have run part of the script, or finish first. Hosts that have not started do not start any more. Hosts that are done stay as they are.",
            quiet,
        );
        self.say(2, "Builds and pushes in that scope stop.", quiet);
        "cancel what?"
    }

    /// `the rollout ubuntu in us-east-1: 7 hosts`.
    fn scope(&self, scope: &Scope) -> String {
        let state = self.ctx.state;
        let open = |rollout: &RolloutState| rollout.counts.total() - rollout.counts.ended();
        let in_lane = |lane: &LaneState| lane.rollouts.iter().map(open).sum::<usize>();
        let (what, hosts) = match scope {
            Scope::Rollout(region, name) => {
                let lane = state.lane(region);
                let rollout = lane.and_then(|lane| lane.rollouts.iter().find(|rollout| rollout.name == *name));
                (
                    format!("the rollout {name} in {region}"),
                    rollout.map(open).unwrap_or_default(),
                )
            }
            Scope::Lane(region) => (
                format!("everything in {region}"),
                state.lane(region).map(in_lane).unwrap_or_default(),
            ),
            Scope::All => (
                "everything, in every region".to_owned(),
                state.lanes.iter().map(in_lane).sum(),
            ),
        };
        format!("{what}: {} not done", words::plural(hosts, "host"))
    }

    /// What goes on and what stops when the console goes.
    fn consequences(&mut self) {
        let (ctx, theme) = (self.ctx, self.ctx.theme);
        let state = ctx.state;
        let open = |rollout: &&RolloutState| rollout.sends.iter().any(|send| !send.is_over());
        let counts: crate::state::Counts = state
            .lanes
            .iter()
            .flat_map(|lane| &lane.rollouts)
            .filter(open)
            .map(|rollout| rollout.counts)
            .sum();
        if counts.total() > 0 {
            let goes_on = if ctx.view.look.passing {
                "On a real fleet SSM goes on"
            } else {
                "SSM goes on"
            };
            let text = format!(
                "{goes_on} without this console: {} at work, {} waiting.",
                words::plural(counts.running, "host"),
                counts.waiting
            );
            self.say(0, &text, theme.attention);
        }
        let builds = state.builds.iter().any(|build| build.phase == BuildPhase::Running);
        let pushes = state.lanes.iter().any(|lane| lane.push == PushPhase::Running);
        let stops = match (builds, pushes) {
            (true, true) => "The build and the pushes stop: this process runs them.",
            (true, false) => "The build stops: this process runs it.",
            (false, true) => "The pushes stop: this process runs them.",
            (false, false) => "",
        };
        if !stops.is_empty() {
            self.say(0, stops, theme.attention);
        }
        let unsent: Vec<&str> = state
            .lanes
            .iter()
            .filter(|lane| matches!(state.stage(lane), Stage::Building | Stage::Pushing | Stage::Tagging))
            .map(|lane| lane.region.as_str())
            .collect();
        if !unsent.is_empty() {
            let regions = words::names(&unsent, unsent.len(), 3);
            self.say(1, &format!("No host has been told in {regions}."), theme.attention);
        }
        if ctx.view.look.passing {
            self.gap();
            self.say(
                2,
                "This rehearsal's hosts end with it: nothing is left to come back to.",
                Style::new(),
            );
        } else if let Some(plan) = &state.plan {
            self.gap();
            self.say(2, "To come back and go on with it:", Style::new());
            self.say(0, &format!("  {}", ctx.view.look.again.attach(plan.id)), theme.title);
        }
    }

    fn quit(&mut self) -> &'static str {
        self.consequences();
        "leave?"
    }

    fn interrupt(&mut self, at: usize) -> &'static str {
        let answers = Interruption::ALL.map(|answer| {
            match answer {
                Interruption::Leave => "leave: hosts go on, what this process does stops",
                Interruption::Cancel => "cancel: stop everything everywhere, stay to watch",
                Interruption::Stay => "stay: everything goes on",
            }
            .to_owned()
        });
        self.menu(&answers, at);
        self.gap();
        self.consequences();
        self.say(1, "ctrl-c once more leaves at once.", self.ctx.theme.quiet);
        "interrupted"
    }

    fn take_over(&mut self) -> &'static str {
        let chores = watch::chores(self.ctx.state);
        self.say(
            0,
            "Drive this deployment from here? This process will:",
            self.ctx.theme.title,
        );
        for chore in chores {
            self.say(1, &format!("• {chore}"), Style::new());
        }
        "take over?"
    }

    fn abandon(&mut self) -> &'static str {
        let theme = self.ctx.theme;
        self.say(
            0,
            "The answer to a SendCommand was lost, and no command with its token was found.",
            theme.attention,
        );
        self.say(
            0,
            "If SSM has it after all and it is sent again, the script runs twice on its hosts.",
            theme.attention,
        );
        self.gap();
        self.say(0, "Look in the SSM console first. Take it as never sent?", theme.title);
        "never sent?"
    }
}
