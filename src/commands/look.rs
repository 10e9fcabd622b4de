//! How the operator wants to see it: which face, and how it looks.

use std::io::IsTerminal;

use super::place;
use crate::cli::{Color, Global, Progress, Reach};
use crate::headless::Format;
use crate::problem::{Kind, Problem};
use crate::text::Clean;

/// Who shows what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    /// The console.
    Console,
    /// An output without a terminal.
    Output(Format),
}

impl Face {
    /// The face for `--progress`.
    ///
    /// # Errors
    /// [`Kind::Config`] when the console was asked for and there is no terminal for it.
    pub fn choose(progress: Progress) -> Result<Self, Problem> {
        match progress {
            Progress::Auto if has_terminal() => Ok(Self::Console),
            Progress::Auto | Progress::Plain => Ok(Self::Output(Format::Plain)),
            Progress::Json => Ok(Self::Output(Format::Json)),
            Progress::Quiet => Ok(Self::Output(Format::Quiet)),
            Progress::Tui if has_terminal() => Ok(Self::Console),
            Progress::Tui => Err(Problem::new(
                Kind::Config,
                "--progress tui needs a terminal for its input and its output",
                "run it in a terminal, or pass --progress plain",
            )),
        }
    }
}

/// The output of a command that never takes the terminal.
pub(super) fn format(progress: Progress) -> Format {
    match progress {
        Progress::Auto | Progress::Tui | Progress::Plain => Format::Plain,
        Progress::Json => Format::Json,
        Progress::Quiet => Format::Quiet,
    }
}

/// Whether the console has something to be drawn on and typed at.
pub(super) fn has_terminal() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !dumb
}

/// Whether an error that is told on standard error is coloured.
pub(super) fn colour_of_errors(global: &Global) -> bool {
    match global.color {
        Color::Auto => std::io::stderr().is_terminal() && colour(global),
        Color::Always | Color::Never => colour(global),
    }
}

/// Whether colours may be used.
pub(super) fn colour(global: &Global) -> bool {
    match global.color {
        Color::Auto => std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        Color::Always => true,
        Color::Never => false,
    }
}

/// How the console is to be.
pub(super) fn console(global: &Global, app: &Clean, environment: &Clean, rehearsal: bool) -> crate::console::Options {
    crate::console::Options {
        rehearsal,
        ascii: global.ascii,
        mouse: !global.no_mouse,
        no_color: !colour(global),
        app: app.clone(),
        environment: environment.clone(),
        again: place::again(global, &Reach::default()),
        ..Default::default()
    }
}
