//! What things look like: one table of meanings. A state is a glyph and a word before it is a colour.
//!
//! Only the terminal's own 16 colours on its own background are used, never black, white or yellow, which vanish on
//! some backgrounds. With `NO_COLOR` the same text stands there with bold, dim and reversed only.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::words;

use crate::state::{HostStatus, Verdict};

/// The styles by what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Done and right.
    pub success: Style,
    /// Went wrong.
    pub failure: Style,
    /// Look here: unknown, warned, did not run.
    pub attention: Style,
    /// Under way.
    pub progress: Style,
    /// Not the point.
    pub quiet: Style,
    /// Headings.
    pub title: Style,
    /// A key that can be pressed.
    pub key: Style,
    /// The row under the cursor.
    pub selected: Style,
    /// Marked by the operator.
    pub marked: Style,
    /// A frame.
    pub frame: Style,
    /// The frame that keys go to.
    pub frame_focused: Style,
    /// Words that must never be overlooked: REHEARSAL, PROTECTED.
    pub banner: Style,
    /// A hit of a search.
    pub hit: Style,
}

impl Theme {
    /// The theme with or without colours.
    pub fn new(colour: bool) -> Self {
        let plain = Style::new();
        let paint = |colour_: Color| if colour { plain.fg(colour_) } else { plain };
        Self {
            success: paint(Color::Green),
            failure: paint(Color::Red).add_modifier(Modifier::BOLD),
            attention: paint(Color::Magenta).add_modifier(Modifier::BOLD),
            progress: paint(Color::Cyan),
            quiet: plain.add_modifier(Modifier::DIM),
            title: plain.add_modifier(Modifier::BOLD),
            key: plain.add_modifier(Modifier::BOLD),
            selected: plain.add_modifier(Modifier::REVERSED),
            marked: plain.add_modifier(Modifier::BOLD),
            frame: plain.add_modifier(Modifier::DIM),
            frame_focused: paint(Color::Cyan).add_modifier(Modifier::BOLD),
            banner: plain.add_modifier(Modifier::REVERSED.union(Modifier::BOLD)),
            hit: plain.add_modifier(Modifier::REVERSED.union(Modifier::UNDERLINED)),
        }
    }

    /// How a verdict is coloured.
    pub fn verdict(&self, verdict: Verdict) -> Style {
        match verdict {
            Verdict::Waiting => self.quiet,
            Verdict::Running => self.progress,
            Verdict::Succeeded => self.success,
            Verdict::Failed => self.failure,
            Verdict::Unknown | Verdict::NotRun => self.attention,
        }
    }
}

/// A row under the cursor: of one look over its whole width, since patches of many colours would not read as one row.
pub(super) fn under_cursor(line: &Line, columns: u16, theme: &Theme) -> Line<'static> {
    let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    Line::from(Span::styled(
        words::pad(text.trim_end(), columns.into()),
        theme.selected,
    ))
}

/// The glyph of a verdict; the word always stands beside it.
pub(super) fn glyph(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Waiting => "·",
        Verdict::Running => "▸",
        Verdict::Succeeded => "✓",
        Verdict::Failed => "✗",
        Verdict::Unknown => "?",
        Verdict::NotRun => "-",
    }
}

/// The glyph of a host's state.
pub(super) fn status_glyph(status: &HostStatus) -> &'static str {
    match status {
        HostStatus::ExecutionTimedOut => "!",
        HostStatus::Waiting
        | HostStatus::NotSent
        | HostStatus::Pending
        | HostStatus::InProgress
        | HostStatus::Delayed
        | HostStatus::Cancelling
        | HostStatus::Success
        | HostStatus::Failed
        | HostStatus::DeliveryTimedOut
        | HostStatus::Undeliverable
        | HostStatus::Terminated
        | HostStatus::Cancelled
        | HostStatus::InvalidPlatform
        | HostStatus::AccessDenied
        | HostStatus::Missing
        | HostStatus::Other { .. } => glyph(status.verdict()),
    }
}

/// What a verdict fills its part of a bar with, told apart without colour.
pub(super) fn bar_fill(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Waiting => "░",
        Verdict::Running => "▒",
        Verdict::Succeeded => "█",
        Verdict::Failed => "x",
        Verdict::Unknown => "?",
        Verdict::NotRun => "-",
    }
}

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// How long a spinner stands still: four frames a second are enough to say "alive".
pub const SPINNER_MILLIS: i64 = 250;

/// The spinner's frame at a moment.
pub(super) fn spinner(now: crate::names::Millis) -> &'static str {
    let at = now.0.div_euclid(SPINNER_MILLIS).rem_euclid(10);
    SPINNER[usize::try_from(at).unwrap_or(0)]
}

/// What `--ascii` shows for a symbol; anything it does not know becomes `?`.
pub(super) fn ascii(symbol: &str) -> &'static str {
    match symbol {
        "✓" => "+",
        "✗" => "x",
        "▸" | "▶" | "→" | "›" => ">",
        "←" => "<",
        "·" | "░" | "•" => ".",
        "…" => "~",
        "█" => "#",
        "▒" | "━" => "=",
        "─" => "-",
        "═" => "=",
        "│" | "║" | "┃" => "|",
        "┌" | "┐" | "└" | "┘" | "╔" | "╗" | "╚" | "╝" | "├" | "┤" | "╭" | "╮" | "╰" | "╯" | "╞" | "╡" | "┏" | "┓"
        | "┗" | "┛" => "+",
        "↑" | "▲" => "^",
        "↓" | "▼" => "v",
        "×" => "x",
        "—" | "–" => "-",
        "’" | "‘" => "'",
        "⠋" | "⠼" | "⠇" => "|",
        "⠙" | "⠴" | "⠏" => "/",
        "⠹" | "⠦" => "-",
        "⠸" | "⠧" => "\\",
        _ => "?",
    }
}
