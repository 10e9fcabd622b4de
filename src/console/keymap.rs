//! Keys: what can be asked for, where, and how a press finds its meaning in the table of [`BINDINGS`].
//!
//! The footer and the help are made from the table that dispatches, so the screen cannot promise a key that does nothing.

use crossterm::event::KeyEvent;

pub use super::bindings::{ANYWHERE, BINDINGS};
use super::key::Key;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each command's meaning is its line in `BINDINGS`")]
pub enum Command {
    Start,
    Recheck,
    TakeUp,
    Unfold,
    Open,
    Back,
    Zoom,
    AllHosts,
    Log,
    Retry,
    RetryLane,
    RetryFailed,
    RetryAll,
    RetryBuild,
    RetryPush,
    Resend,
    Abandon,
    Cancel,
    TakeOver,
    Mark,
    MarkRange,
    MarkAll,
    ClearMarks,
    Filter,
    Trouble,
    Sort,
    Search,
    NextHit,
    PreviousHit,
    Follow,
    Wrap,
    Times,
    Copy,
    Save,
    PreviousAttempt,
    NextAttempt,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    HalfUp,
    HalfDown,
    First,
    Last,
    NextPanel,
    PreviousPanel,
    Panel(u8),
    Yes,
    YesByDefault,
    No,
    Mouse,
    Repaint,
    Help,
    Quit,
    Interrupt,
    Suspend,
}

/// Where a key is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The plan.
    Plan,
    /// The overview of all lanes.
    Lanes,
    /// One lane, zoomed.
    Lane,
    /// A host list.
    Hosts,
    /// A host's page.
    Host,
    /// A build's log.
    Log,
    /// The help.
    Help,
    /// A question with yes and no.
    Confirm,
    /// A question with several answers.
    Choose,
    /// A line of text: a filter, a search, a typed name.
    Text,
}

/// One line of the table.
#[derive(Debug)]
pub struct Binding {
    /// What it does.
    pub command: Command,
    /// The keys that do it; the first one is shown.
    pub keys: &'static [Key],
    /// Where.
    pub places: &'static [Place],
    /// One or two words for the footer; empty keeps it out of there.
    pub label: &'static str,
    /// A sentence for the help.
    pub help: &'static str,
}

/// What a key press means in a place.
pub fn command(place: Place, event: &KeyEvent) -> Option<Command> {
    let key = Key::of(event);
    let bound = |binding: &&Binding| binding.places.contains(&place) && binding.keys.contains(&key);
    BINDINGS.iter().find(bound).map(|binding| binding.command)
}

/// The bindings of a place, in the footer's order.
pub fn of(place: Place) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |binding| binding.places.contains(&place))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crossterm::event::{KeyCode, KeyModifiers};

    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        let mut seen = HashSet::new();
        for binding in BINDINGS {
            for place in binding.places {
                for key in binding.keys {
                    assert!(
                        seen.insert((*place, format!("{key:?}"))),
                        "{} is bound twice in {place:?}",
                        key.name()
                    );
                }
            }
        }
    }

    #[test]
    fn a_capital_is_told_from_its_small_letter_whether_or_not_the_terminal_reports_shift() {
        let press = |modifiers| KeyEvent::new(KeyCode::Char('R'), modifiers);
        assert_eq!(
            command(Place::Lanes, &press(KeyModifiers::SHIFT)),
            Some(Command::RetryAll)
        );
        assert_eq!(
            command(Place::Lanes, &press(KeyModifiers::NONE)),
            Some(Command::RetryAll)
        );
    }
}
