//! The host list. Only the rows that are visible are built: ten thousand hosts cost what a hundred do.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::draw::Ctx;
use super::text_window::scrollbar;
use super::theme;
use super::view::{Click, HostAt, ListScope, Painted};
use super::words;
use crate::state::{HostState, LaneState, RolloutState};

/// A row's host with where it belongs.
pub(super) fn host_at(state: &crate::state::State, at: HostAt) -> Option<(&LaneState, &RolloutState, &HostState)> {
    let lane = state.lanes.get(at.lane)?;
    let rollout = lane.rollouts.get(at.rollout)?;
    Some((lane, rollout, rollout.hosts.get(at.host)?))
}

/// ```text
/// us-east-1 ubuntu · 25 hosts · 2 marked · filter: web
///   state            host            id                   rollout  try  since    exit
/// *✗ failed          web-1           i-0abc               ubuntu     2  1m12s ago   1
/// ```
pub(super) fn draw(frame: &mut Frame, area: Rect, ctx: &Ctx, painted: &mut Painted) {
    let theme = &ctx.theme;
    let [head, titles, body] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let hosts = &ctx.view.hosts;
    let rows = hosts.index.rows();
    frame.render_widget(Paragraph::new(heading(ctx)), head);
    let columns = Columns::fit(usize::from(body.width).saturating_sub(1), hosts.scope);
    frame.render_widget(
        Paragraph::new(Line::from(Span::styled(
            columns.titles(ctx.view.clock_times),
            theme.quiet,
        ))),
        titles,
    );
    let page = usize::from(body.height);
    let last = rows.len().saturating_sub(page);
    let low = (hosts.cursor + 1).saturating_sub(page);
    let offset = hosts.offset.clamp(low, hosts.cursor.max(low)).min(last);
    let mut lines = Vec::with_capacity(page);
    for ((at, row), y) in rows.iter().enumerate().skip(offset).zip(body.top()..body.bottom()) {
        let Some((lane, rollout, host)) = host_at(ctx.state, *row) else {
            continue;
        };
        let marked = ctx.view.marks.contains(row);
        let line = columns.row(ctx, lane, rollout, host, marked);
        lines.push(if at == hosts.cursor {
            theme::under_cursor(&line, body.width.saturating_sub(1), theme)
        } else {
            line
        });
        painted.clicks.push((Rect { y, height: 1, ..body }, Click::Row(at)));
    }
    if rows.is_empty() {
        let text = if hosts.filter.value().is_empty() && hosts.trouble {
            "no host is in trouble; e shows all"
        } else {
            "no host fits; esc takes the filter away"
        };
        lines.push(Line::from(Span::styled(text, theme.quiet)));
    }
    frame.render_widget(Paragraph::new(lines), body);
    scrollbar(frame, body, rows.len(), page, offset);
    painted.page = page;
    painted.rows = rows.len();
    painted.offset = offset;
}

fn heading(ctx: &Ctx) -> Line<'static> {
    let theme = &ctx.theme;
    let hosts = &ctx.view.hosts;
    let lane = |at: usize| {
        ctx.state
            .lanes
            .get(at)
            .map(|lane| lane.region.to_string())
            .unwrap_or_default()
    };
    let title = match hosts.scope {
        ListScope::All => "all lanes".to_owned(),
        ListScope::Lane(at) => lane(at),
        ListScope::Rollout(at, rollout) => {
            let name = ctx.state.lanes.get(at).and_then(|lane| lane.rollouts.get(rollout));
            format!(
                "{} {}",
                lane(at),
                name.map(|rollout| rollout.name.as_str()).unwrap_or_default()
            )
        }
    };
    let mut said = format!(" · {}", words::plural(hosts.index.rows().len(), "host"));
    if hosts.trouble {
        said.push_str(" in trouble");
    }
    if !ctx.view.marks.is_empty() {
        said.push_str(&format!(" · {} marked", ctx.view.marks.len()));
    }
    if hosts.by_state {
        said.push_str(" · trouble first");
    }
    if !hosts.filter.value().is_empty() && !hosts.typing {
        said.push_str(&format!(" · filter: {}", hosts.filter.value()));
    }
    Line::from(vec![Span::styled(title, theme.title), Span::raw(said)])
}

/// The columns that fit, and how wide they are; 0 leaves one out.
struct Columns {
    state: usize,
    host: usize,
    id: usize,
    region: usize,
    rollout: usize,
    attempt: usize,
    since: usize,
    exit: usize,
}

impl Columns {
    fn fit(width: usize, scope: ListScope) -> Self {
        let mut columns = Self {
            state: 14,
            host: 12,
            id: 0,
            region: 0,
            rollout: 0,
            attempt: 0,
            since: 0,
            exit: 0,
        };
        let mut left = width.saturating_sub(3 + 14 + 1 + 12);
        let mut take = |slot: &mut usize, wanted: usize| {
            if left > wanted {
                left -= wanted + 1;
                *slot = wanted;
            }
        };
        take(&mut columns.exit, 4);
        take(&mut columns.since, 9);
        take(&mut columns.attempt, 3);
        if !matches!(scope, ListScope::Rollout(..)) {
            take(&mut columns.rollout, 8);
        }
        if matches!(scope, ListScope::All) {
            take(&mut columns.region, 14);
        }
        take(&mut columns.id, 19);
        columns.host += left.min(20);
        columns
    }

    fn titles(&self, clock_times: bool) -> String {
        let cells = [
            ("state", self.state),
            ("host", self.host),
            ("id", self.id),
            ("region", self.region),
            ("rollout", self.rollout),
            ("try", self.attempt),
            (if clock_times { "since" } else { "for" }, self.since),
            ("exit", self.exit),
        ];
        let titles: Vec<String> = cells
            .iter()
            .filter(|(_, width)| *width > 0)
            .map(|(title, width)| words::pad(title, *width))
            .collect();
        format!("   {}", titles.join(" ")).trim_end().to_owned()
    }

    fn row(
        &self,
        ctx: &Ctx,
        lane: &LaneState,
        rollout: &RolloutState,
        host: &HostState,
        marked: bool,
    ) -> Line<'static> {
        let theme = &ctx.theme;
        let status = host.status();
        let style = theme.verdict(status.verdict());
        let mark = Span::styled(if marked { "*" } else { " " }, theme.marked);
        let mut spans = vec![mark, Span::styled(format!("{} ", theme::status_glyph(status)), style)];
        let mut cell = |width: usize, text: &str, style: Style| {
            if width > 0 {
                spans.push(Span::styled(format!("{} ", words::pad(text, width)), style));
            }
        };
        let plain = if marked { theme.marked } else { Style::new() };
        cell(self.state, &state_words(host), style);
        cell(self.host, host.short_label(), plain);
        cell(self.id, host.id.as_str(), theme.quiet);
        cell(self.region, lane.region.as_str(), Style::new());
        cell(self.rollout, rollout.name.as_str(), Style::new());
        let attempts = host.attempts.len();
        cell(
            self.attempt,
            &if attempts == 0 {
                String::new()
            } else {
                attempts.to_string()
            },
            Style::new(),
        );
        let since = host
            .latest()
            .map(|attempt| attempt.since)
            .map(|at| since(ctx, at))
            .unwrap_or_default();
        cell(self.since, &since, Style::new());
        let exit = host.latest().and_then(|attempt| attempt.exit_code);
        cell(
            self.exit,
            &exit.map(|code| code.to_string()).unwrap_or_default(),
            Style::new(),
        );
        Line::from(spans)
    }
}

/// The state's word, and what preflight said while there is nothing else to say.
fn state_words(host: &HostState) -> String {
    match (&host.ping, host.latest()) {
        (Some(ping), None) if !ping.is_online() => format!("waiting, {}", ping.word()),
        (None, _) => format!("{} (new)", host.status().word()),
        (Some(_), _) => host.status().word().to_owned(),
    }
}

/// How long a host has stood as it stands, or since when.
pub(super) fn since(ctx: &Ctx, at: crate::names::Millis) -> String {
    if ctx.view.clock_times {
        return words::clock(at, &ctx.view.look.zone);
    }
    let until = if ctx.view.is_followed(ctx.state) {
        ctx.now
    } else {
        ctx.state.last_at.unwrap_or(ctx.now)
    };
    words::seconds(until.since(at))
}
