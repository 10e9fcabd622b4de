//! The outputs without a terminal: plain lines, JSON lines, or the summary alone.
//!
//! [`run()`] follows a [`Handle`](crate::engine::Handle) as the console does, and decides by itself what an operator would
//! decide with a key, as far as the command line allowed it. A [`Voice`] turns what it hears into lines: it is a
//! function of the facts, the state and the time, and never touches a file. No line ever holds an escape sequence, since
//! every foreign text is clean already.

mod consent;
mod facts;
mod heartbeat;
mod json;
mod news;
mod plain;
mod quiet;
mod retype;
mod run;
mod summary;
#[cfg(test)]
mod tests;

pub use consent::Consent;
pub use json::fact as json_fact;
pub use run::{Ended, Interrupt, Options, Task, exit_of, run};
pub use summary::{Summary, problem_lines};

use crate::engine::Update;
use crate::names::Millis;
use crate::state::live::Live;
use crate::state::{Recorded, State};

/// Which output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One line for each thing that happened.
    Plain,
    /// One JSON object a line.
    Json,
    /// The summary alone.
    Quiet,
}

impl Format {
    fn voice(self) -> Box<dyn Voice> {
        match self {
            Self::Plain => Box::new(plain::Plain::default()),
            Self::Json => Box::new(json::Json::default()),
            Self::Quiet => Box::new(quiet::Quiet),
        }
    }

    /// The lines of a summary in this output.
    pub fn summary(self, summary: &Summary<'_>) -> Vec<String> {
        match self {
            Self::Plain | Self::Quiet => summary.lines(),
            Self::Json => vec![summary.json().to_string()],
        }
    }
}

/// The lines that a deployment's facts have in this output, each at its own time, and what they come to.
pub fn replay(format: Format, facts: &[Recorded]) -> (Vec<String>, State) {
    let mut voice = format.voice();
    let mut state = State::default();
    let mut lines = Vec::new();
    for fact in facts {
        state.apply(fact);
        lines.extend(voice.told(&Update::Fact(fact.clone()), &state, fact.at));
    }
    (lines, state)
}

/// Puts what is heard into lines.
trait Voice: Send {
    /// The lines for a word of the engine. A fact has been applied to `state` already.
    fn told(&mut self, update: &Update, state: &State, now: Millis) -> Vec<String>;

    /// The lines that are due because time has passed; asked every second.
    fn tick(&mut self, state: &State, live: &Live, now: Millis) -> Vec<String>;
}

/// Whether a command was about to go to any host, so that something may go on without this process.
pub fn was_sent(state: &State) -> bool {
    let mut rollouts = state.lanes.iter().flat_map(|lane| &lane.rollouts);
    rollouts.any(|rollout| !rollout.is_unsent())
}
