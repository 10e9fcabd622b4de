//! A text that is read on the screen: scrolled, wrapped or cut, searched, followed.

use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Scrollbar, ScrollbarOrientation, ScrollbarState};
use tui_input::Input;

use super::theme::Theme;
use super::view::Painted;
use super::words;

/// How a text is being read.
#[derive(Debug, Clone)]
pub struct TextWindow {
    /// The first row that is shown.
    pub offset: usize,
    /// Stay at the end while lines arrive.
    pub follow: bool,
    /// Break long lines instead of cutting them.
    pub wrap: bool,
    /// What is searched.
    pub query: Input,
    /// Whether it is being typed.
    pub typing: bool,
    /// The row of the hit that was jumped to.
    pub hit: Option<usize>,
}

impl Default for TextWindow {
    fn default() -> Self {
        Self {
            offset: 0,
            follow: false,
            wrap: true,
            query: Input::default(),
            typing: false,
            hit: None,
        }
    }
}

/// One line of a text.
#[derive(Debug, Clone)]
pub(super) struct TextLine {
    /// The words; clean, without a line break.
    pub text: String,
    /// How they look.
    pub style: Style,
}

impl TextLine {
    /// A line in a style.
    pub fn new(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: text.into(),
            style,
        }
    }
}

/// A row on the screen: a piece of a line.
struct Row<'a> {
    text: &'a str,
    style: Style,
}

fn rows<'a>(lines: &'a [TextLine], columns: usize, wrap: bool) -> Vec<Row<'a>> {
    let mut rows = Vec::with_capacity(lines.len());
    for line in lines {
        if wrap && words::width(&line.text) > columns {
            let pieces = words::chop(&line.text, columns);
            rows.extend(pieces.into_iter().map(|text| Row {
                text,
                style: line.style,
            }));
        } else {
            rows.push(Row {
                text: &line.text,
                style: line.style,
            });
        }
    }
    rows
}

impl TextWindow {
    /// The rows that have what is searched.
    pub(super) fn hits(&self, lines: &[TextLine], columns: usize) -> Vec<usize> {
        let query = self.query.value().to_lowercase();
        if query.is_empty() {
            return Vec::new();
        }
        rows(lines, columns, self.wrap)
            .iter()
            .enumerate()
            .filter(|(_, row)| row.text.to_lowercase().contains(&query))
            .map(|(at, _)| at)
            .collect()
    }

    /// Draws the rows that are visible and says what was found out.
    pub(super) fn draw(&self, frame: &mut Frame, area: Rect, lines: &[TextLine], theme: &Theme, painted: &mut Painted) {
        let columns = usize::from(area.width.saturating_sub(1));
        let page = usize::from(area.height);
        let rows = rows(lines, columns, self.wrap);
        let last = rows.len().saturating_sub(page);
        let offset = if self.follow { last } else { self.offset.min(last) };
        let query = self.query.value().to_lowercase();
        let shown: Vec<Line> = rows
            .iter()
            .enumerate()
            .skip(offset)
            .take(page)
            .map(|(at, row)| {
                let style = if self.hit == Some(at) {
                    row.style.patch(theme.selected)
                } else {
                    row.style
                };
                Line::from(emphasise(&words::fit(row.text, columns), &query, style, theme.hit))
            })
            .collect();
        frame.render_widget(Paragraph::new(shown), area);
        scrollbar(frame, area, rows.len(), page, offset);
        painted.page = page;
        painted.rows = rows.len();
        painted.offset = offset;
        painted.columns = columns;
    }
}

/// Splits a row at the hits of a search.
fn emphasise(text: &str, query: &str, style: Style, hit: Style) -> Vec<Span<'static>> {
    let folded = text.to_lowercase();
    // Folding may change lengths in some scripts; then the row is shown without emphasis.
    if query.is_empty() || folded.len() != text.len() {
        return vec![Span::styled(text.to_owned(), style)];
    }
    let mut spans = Vec::new();
    let mut rest = 0;
    while let Some(found) = folded[rest..].find(query) {
        let (start, end) = (rest + found, rest + found + query.len());
        let (Some(before), Some(inside)) = (text.get(rest..start), text.get(start..end)) else {
            break;
        };
        spans.push(Span::styled(before.to_owned(), style));
        spans.push(Span::styled(inside.to_owned(), style.patch(hit)));
        rest = end;
    }
    spans.push(Span::styled(text[rest..].to_owned(), style));
    spans
}

/// A scrollbar at the right edge, if there is something to scroll.
pub(super) fn scrollbar(frame: &mut Frame, area: Rect, rows: usize, page: usize, offset: usize) {
    if rows <= page || area.height < 2 {
        return;
    }
    let mut state = ScrollbarState::new(rows.saturating_sub(page))
        .position(offset)
        .viewport_content_length(page);
    let bar = Scrollbar::new(ScrollbarOrientation::VerticalRight)
        .begin_symbol(None)
        .end_symbol(None)
        .track_symbol(Some("│"))
        .thumb_symbol("█");
    frame.render_stateful_widget(bar, area.inner(Margin::new(0, 0)), &mut state);
}
