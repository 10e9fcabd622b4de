//! What a lane has to say, line by line. The same rows make its panel, where the less important ones give way to the
//! room there is, and its zoomed page, where all of them stand.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::draw::Ctx;
use super::{bar, build_rows, figures, push_rows, rollout_rows, words};
use crate::problem::Problem;
use crate::state::{LaneState, Stage};

/// The rank of rows that only stand where there is room for all of them.
pub(super) const EXTRA: u8 = 4;

/// One row of a lane.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The words.
    pub line: Line<'static>,
    /// The item that starts with this row, by position.
    pub item: Option<usize>,
    /// How soon it gives way: 0 never, 3 first; [`EXTRA`] all at once.
    pub rank: u8,
}

impl Row {
    /// A row that belongs to the item above it.
    pub fn new(rank: u8, spans: Vec<Span<'static>>) -> Self {
        Self {
            line: Line::from(spans),
            item: None,
            rank,
        }
    }

    /// An indented row of one style.
    pub fn sub(rank: u8, text: &str, style: Style, width: usize) -> Self {
        let text = words::fit(text, width.saturating_sub(2)).into_owned();
        Self::new(rank, vec![Span::raw("  "), Span::styled(text, style)])
    }
}

/// The rows of a lane, and where to collect them.
pub(super) struct Rows<'a> {
    /// What is drawn from.
    pub ctx: &'a Ctx<'a>,
    /// The lane.
    pub lane: &'a LaneState,
    /// Columns.
    pub width: usize,
    /// Whether it is the zoomed page.
    pub full: bool,
    /// The next item's position.
    item: usize,
    /// The rows so far.
    rows: Vec<Row>,
}

/// The rows of a lane in `width` columns.
pub(super) fn rows(ctx: &Ctx, lane_at: usize, width: usize, full: bool) -> Vec<Row> {
    let Some(lane) = ctx.state.lanes.get(lane_at) else {
        return Vec::new();
    };
    let mut rows = Rows {
        ctx,
        lane,
        width,
        full,
        item: 0,
        rows: Vec::new(),
    };
    if let Some(problem) = &lane.waits {
        rows.problem(problem, ctx.theme.attention);
    }
    if lane.cancelled {
        rows.push(Row::new(
            0,
            vec![Span::styled(
                "- cancelled before anything was sent",
                ctx.theme.attention,
            )],
        ));
    }
    build_rows::add(&mut rows);
    push_rows::add(&mut rows);
    rollout_rows::add(&mut rows);
    rows.rows
}

impl Rows<'_> {
    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds the first row of the next item: its name in a column of its own, then what there is to say.
    pub fn head(&mut self, glyph: &str, name: &str, style: Style, said: &[String]) {
        let name = words::pad(name, 7.max(words::width(name)));
        let room = self.width.saturating_sub(words::width(glyph) + words::width(&name) + 2);
        let spans = vec![
            Span::styled(glyph.to_owned(), style),
            Span::raw(" "),
            Span::styled(name, self.ctx.theme.title),
            Span::raw(" "),
            Span::styled(words::join(said, room), style),
        ];
        self.rows.push(Row {
            line: Line::from(spans),
            item: Some(self.item),
            rank: 0,
        });
        self.item += 1;
    }

    /// Adds an indented row.
    pub fn sub(&mut self, rank: u8, text: &str, style: Style) {
        self.rows.push(Row::sub(rank, text, style, self.width));
    }

    /// Adds what went wrong and what to do.
    pub fn problem(&mut self, problem: &Problem, style: Style) {
        let room = self.width.saturating_sub(2).max(8);
        for (at, line) in words::wrap(problem.what.as_str(), room).into_iter().enumerate() {
            self.sub(u8::from(at > 0) * 2, &line, style);
        }
        if !problem.remedy.is_empty() {
            let remedy = format!("→ {}", problem.remedy);
            for (at, line) in words::wrap(&remedy, room).into_iter().enumerate() {
                self.sub(if at == 0 { 1 } else { 2 }, &line, Style::new());
            }
        }
    }

    /// Adds a bar of bytes.
    pub fn gauge(&mut self, rank: u8, done: u64, total: u64) {
        let width = self.width.saturating_sub(4);
        self.rows.push(Row::new(
            rank,
            vec![Span::raw("  "), bar::gauge(done, total, width, &self.ctx.theme)],
        ));
    }
}

/// Leaves out rows until `height` of them are left: the last of the least important first. Rows that never give way stay.
pub(super) fn squeeze(mut rows: Vec<Row>, height: usize) -> Vec<Row> {
    if rows.len() > height {
        rows.retain(|row| row.rank != EXTRA);
    }
    for rank in (1..=3).rev() {
        let surplus = rows.len().saturating_sub(height);
        if surplus == 0 {
            break;
        }
        let mut spare = rows.iter().filter(|row| row.rank == rank).count();
        let keep = spare.saturating_sub(surplus);
        spare = 0;
        rows.retain(|row| {
            if row.rank != rank {
                return true;
            }
            spare += 1;
            spare <= keep
        });
    }
    rows
}

/// A stage's glyph, word and style.
pub(super) fn stage_words(ctx: &Ctx, lane: &LaneState) -> (&'static str, &'static str, Style) {
    let theme = &ctx.theme;
    let counts = lane.counts();
    if figures::needs_a_word(lane) {
        return ("?", "needs you", theme.attention);
    }
    match ctx.state.stage(lane) {
        Stage::Building => ("▸", "building", theme.progress),
        Stage::Pushing => ("▸", "pushing", theme.progress),
        Stage::Tagging => ("▸", "tagging", theme.progress),
        Stage::RollingOut => ("▸", "rolling out", theme.progress),
        Stage::Done if counts.succeeded == counts.total() && counts.total() > 0 => ("✓", "done", theme.success),
        Stage::Done => ("✗", "done, with failures", theme.failure),
        Stage::Halted => ("✗", "stopped", theme.failure),
    }
}
