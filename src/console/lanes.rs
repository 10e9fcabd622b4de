//! The overview: one panel a region, side by side while they fit, then in a grid, then scrolling; and one lane zoomed.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Paragraph};

use super::bar;
use super::draw::Ctx;
use super::lane_rows::{self, Row};
use super::text_window::scrollbar;
use super::theme;
use super::view::{Click, Focus, Painted};
use super::words;

/// Columns that a panel needs for its words.
const PANEL_WIDTH: u16 = 38;
/// Rows that a panel needs for its heads and counts.
const PANEL_HEIGHT: u16 = 9;

/// Rows that the overview needs before one of them says what is going on out of sight.
const ALL_LANES_HEIGHT: u16 = 2 * PANEL_HEIGHT;

/// How many panels stand beside each other and how many rows of them fit.
fn grid(area: Rect, lanes: usize) -> (usize, usize) {
    let columns = usize::from((area.width / PANEL_WIDTH).max(1)).min(lanes.max(1));
    let rows = lanes.max(1).div_ceil(columns);
    let fit = usize::from((area.height / PANEL_HEIGHT).max(1));
    (columns, rows.min(fit))
}

/// Draws all lanes that fit, the focused one among them.
pub(super) fn draw(frame: &mut Frame, area: Rect, ctx: &Ctx, painted: &mut Painted) {
    let lanes = ctx.state.lanes.len();
    let (columns, shown) = grid(area, lanes);
    let rows = lanes.div_ceil(columns.max(1));
    let (area, (columns, shown)) = if rows > shown && area.height > ALL_LANES_HEIGHT {
        let [top, rest] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
        frame.render_widget(Paragraph::new(all_lanes(ctx)), top);
        (rest, grid(rest, lanes))
    } else {
        (area, (columns, shown))
    };
    let focused = ctx.view.focus.lane / columns.max(1);
    // The focused row is in the middle as far as there is something above and below.
    let first = focused.saturating_sub(shown / 2).min(rows.saturating_sub(shown));
    let scrolls = rows > shown;
    let body = if scrolls {
        Rect {
            width: area.width.saturating_sub(1),
            ..area
        }
    } else {
        area
    };
    let bands = Layout::vertical(vec![Constraint::Fill(1); shown]).split(body);
    for (band_at, band) in bands.iter().enumerate() {
        let cells = Layout::horizontal(vec![Constraint::Fill(1); columns]).split(*band);
        for (cell_at, cell) in cells.iter().enumerate() {
            let lane = (first + band_at) * columns + cell_at;
            if lane < lanes {
                panel(frame, *cell, ctx, lane, painted);
            }
        }
    }
    if scrolls {
        scrollbar(frame, area, rows, shown, first);
    }
    painted.page = columns * shown;
    painted.rows = lanes;
    painted.offset = first * columns;
    painted.columns = columns;
}

/// `30 lanes  ✓ 3 done  ▸ 24 under way  ✗ 2 stopped  ? 1 needs you · 10000 hosts  ✓ 812  ✗ 3  ▸ 185  · 9000`
///
/// What is going on where the screen does not reach.
fn all_lanes(ctx: &Ctx) -> Line<'static> {
    let theme = &ctx.theme;
    let mut stages: [(&str, &str, Style, usize); 4] = [
        ("✓", "done", theme.success, 0),
        ("▸", "under way", theme.progress, 0),
        ("✗", "stopped or failed", theme.failure, 0),
        ("?", "in need of you", theme.attention, 0),
    ];
    for lane in &ctx.state.lanes {
        let (glyph, ..) = lane_rows::stage_words(ctx, lane);
        if let Some((.., count)) = stages.iter_mut().find(|(known, ..)| *known == glyph) {
            *count += 1;
        }
    }
    let mut spans = vec![Span::styled(words::plural(ctx.state.lanes.len(), "lane"), theme.title)];
    let said = stages.iter().filter(|(.., count)| *count > 0);
    spans.extend(said.map(|(glyph, word, style, count)| Span::styled(format!("  {glyph} {count} {word}"), *style)));
    let counts = ctx.state.counts();
    let hosts = format!("  {}", words::plural(counts.total(), "host"));
    spans.push(Span::styled(hosts, theme.title));
    let parts = bar::parts(counts).into_iter().filter(|(_, count)| *count > 0);
    spans.extend(parts.map(|(verdict, count)| {
        let glyph = theme::glyph(verdict);
        Span::styled(format!("  {glyph} {count}"), theme.verdict(verdict))
    }));
    Line::from(spans)
}

/// The frame of a lane: its number and name at the left, its stage at the right. Double where the environment is protected.
fn block<'a>(ctx: &Ctx, lane_at: usize, focused: bool) -> Block<'a> {
    let theme = &ctx.theme;
    let Some(lane) = ctx.state.lanes.get(lane_at) else {
        return Block::bordered();
    };
    let (glyph, word, style) = lane_rows::stage_words(ctx, lane);
    let protected = ctx.view.plan(ctx.state).is_some_and(|plan| plan.environment.protected);
    let border = match (protected, focused) {
        (true, _) => BorderType::Double,
        (false, true) => BorderType::Thick,
        (false, false) => BorderType::Plain,
    };
    let number = if lane_at < 9 {
        format!("{} ", lane_at + 1)
    } else {
        String::new()
    };
    let name = Span::styled(
        format!(" {number}{} ", lane.region),
        if focused { theme.selected } else { theme.title },
    );
    Block::bordered()
        .border_type(border)
        .border_style(if focused { theme.frame_focused } else { theme.frame })
        .title(Line::from(name))
        .title(Line::from(Span::styled(format!(" {glyph} {word} "), style)).right_aligned())
}

fn panel(frame: &mut Frame, area: Rect, ctx: &Ctx, lane_at: usize, painted: &mut Painted) {
    let focused = ctx.view.focus.lane == lane_at;
    let block = block(ctx, lane_at, focused);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let rows = lane_rows::rows(ctx, lane_at, usize::from(inner.width), false);
    let rows = lane_rows::squeeze(rows, usize::from(inner.height));
    let offset = offset_for(&rows, ctx, lane_at, usize::from(inner.height));
    paint(frame, inner, ctx, lane_at, &rows, offset, painted);
    // After its items, since the first region that fits is taken.
    painted.clicks.push((area, Click::Lane(lane_at)));
}

/// Draws the focused lane alone, with everything it has to say.
pub(super) fn draw_zoomed(frame: &mut Frame, area: Rect, ctx: &Ctx, painted: &mut Painted) {
    let lane_at = ctx.view.focus.lane;
    let block = block(ctx, lane_at, true);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let rows = lane_rows::rows(ctx, lane_at, usize::from(inner.width).saturating_sub(1), true);
    let page = usize::from(inner.height);
    let offset = match ctx.view.scroll {
        Some(wanted) => wanted.min(rows.len().saturating_sub(page)),
        None => offset_for(&rows, ctx, lane_at, page),
    };
    paint(frame, inner, ctx, lane_at, &rows, offset, painted);
    scrollbar(frame, inner, rows.len(), page, offset);
    painted.page = page;
    painted.rows = rows.len();
    painted.offset = offset;
}

/// The first row so that what belongs to the row under the cursor can be seen.
fn offset_for(rows: &[Row], ctx: &Ctx, lane_at: usize, page: usize) -> usize {
    if ctx.view.focus.lane != lane_at {
        return 0;
    }
    let cursor = rows
        .iter()
        .position(|row| row.item == Some(ctx.view.focus.item))
        .unwrap_or(0);
    let next = rows
        .iter()
        .position(|row| row.item == Some(ctx.view.focus.item + 1))
        .unwrap_or(rows.len());
    next.saturating_sub(page)
        .min(cursor)
        .min(rows.len().saturating_sub(page))
}

fn paint(frame: &mut Frame, area: Rect, ctx: &Ctx, lane_at: usize, rows: &[Row], offset: usize, painted: &mut Painted) {
    let mut lines = Vec::new();
    let mut item = rows.iter().take(offset).filter_map(|row| row.item).next_back();
    for (row, y) in rows.iter().skip(offset).zip(area.top()..area.bottom()) {
        item = row.item.or(item);
        let here = Focus {
            lane: lane_at,
            item: item.unwrap_or(0),
        };
        let under_cursor = row.item.is_some() && here == ctx.view.focus;
        lines.push(if under_cursor {
            theme::under_cursor(&row.line, area.width, &ctx.theme)
        } else {
            row.line.clone()
        });
        painted.clicks.push((Rect { y, height: 1, ..area }, Click::Item(here)));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
