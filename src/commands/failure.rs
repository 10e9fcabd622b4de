//! What ends a command badly, and how that is told.

use std::io::{self, Write};

use color_eyre::eyre::Report;

use crate::config::ConfigErrors;
use crate::headless::problem_lines;
use crate::problem::{Exit, Problem};

/// What ended a command.
#[derive(Debug)]
pub enum Failure {
    /// The configuration, with every mistake in it.
    Config {
        /// The mistakes.
        errors: ConfigErrors,
        /// Whether they are told in colours.
        colour: bool,
    },
    /// Something foreseen, with what to do about it.
    Problem(Problem),
    /// The operator left before AWS had said what there is to follow.
    Left,
    /// The output cannot be written.
    Output(io::Error),
    /// Something that nobody foresaw.
    Unexpected(Report),
}

impl Failure {
    /// Tells it on standard error, and gives the exit code for it.
    pub fn tell(&self) -> Exit {
        let mut err = io::stderr().lock();
        // Nowhere is left to report a failure of standard error to.
        let _ = match self {
            Self::Config { errors, colour } => writeln!(err, "{}", errors.render(*colour)),
            Self::Problem(problem) => writeln!(err, "{}", problem_lines(problem).join("\n")),
            Self::Left => writeln!(
                err,
                "left before AWS had answered: nothing was done, and what was sent to the fleet goes on; the same command \
                 takes it up again"
            ),
            Self::Output(error) => writeln!(err, "error: the output cannot be written: {error}"),
            Self::Unexpected(report) => writeln!(err, "error: {report:?}"),
        };
        match self {
            Self::Config { .. } => Exit::Config,
            Self::Problem(problem) => problem.kind.exit(),
            Self::Left => Exit::Left,
            Self::Output(_) | Self::Unexpected(_) => Exit::Unexpected,
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<Report> for Failure {
    fn from(report: Report) -> Self {
        Self::Unexpected(report)
    }
}
