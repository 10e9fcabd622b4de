//! Every key there is, in one table: what a key does, where, and the words for the footer and the help.
//!
//! The same table dispatches, so the screen cannot promise a key that does nothing.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each command's meaning is its line in `BINDINGS`")]
pub enum Command {
    Start,
    Recheck,
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

/// A key with its modifiers. Shift is part of a character and never named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(pub KeyCode, pub KeyModifiers);

const fn ch(c: char) -> Key {
    Key(KeyCode::Char(c), KeyModifiers::NONE)
}
const fn ctrl(c: char) -> Key {
    Key(KeyCode::Char(c), KeyModifiers::CONTROL)
}
const fn code(code: KeyCode) -> Key {
    Key(code, KeyModifiers::NONE)
}

use Command as C;
use Place::{Choose, Confirm, Help, Host, Hosts, Lane, Lanes, Log, Plan, Text};

const SCREENS: &[Place] = &[Plan, Lanes, Lane, Hosts, Host, Log];
const SCROLLING: &[Place] = &[Plan, Lanes, Lane, Hosts, Host, Log, Help];
const RUNNING: &[Place] = &[Lanes, Lane, Hosts, Host, Log];
const WINDOWS: &[Place] = &[Host, Log];
const ANYWHERE: &[Place] = &[Plan, Lanes, Lane, Hosts, Host, Log, Help, Confirm, Choose, Text];

macro_rules! bind {
    ($command:expr, $keys:expr, $places:expr, $label:expr, $help:expr) => {
        Binding {
            command: $command,
            keys: &$keys,
            places: $places,
            label: $label,
            help: $help,
        }
    };
}

/// The table. Its order is the footer's: what matters most comes first.
pub const BINDINGS: &[Binding] = &[
    // Questions.
    bind!(C::Yes, [ch('y')], &[Confirm], "yes", "do it"),
    bind!(
        C::YesByDefault,
        [code(KeyCode::Enter)],
        &[Confirm, Choose, Text],
        "ok",
        "take what is shown, where that is safe"
    ),
    bind!(
        C::No,
        [code(KeyCode::Esc), ch('n')],
        &[Confirm, Choose],
        "no",
        "leave everything as it is"
    ),
    bind!(
        C::No,
        [code(KeyCode::Esc)],
        &[Text],
        "give up",
        "close the line and forget what was typed"
    ),
    bind!(C::Up, [code(KeyCode::Up), ch('k')], &[Choose], "", "the answer above"),
    bind!(
        C::Down,
        [code(KeyCode::Down), ch('j')],
        &[Choose],
        "choose",
        "the answer below"
    ),
    // The plan.
    bind!(
        C::Start,
        [code(KeyCode::Enter), ch('s')],
        &[Plan],
        "start",
        "start the deployment"
    ),
    bind!(C::Recheck, [ctrl('r')], &[Plan], "check again", "run all checks again"),
    bind!(
        C::Unfold,
        [ch('v')],
        &[Plan],
        "all checks",
        "show every check on its own line, or fold them"
    ),
    // Going somewhere.
    bind!(
        C::Open,
        [code(KeyCode::Enter)],
        &[Lanes, Lane, Hosts],
        "open",
        "open what is under the cursor"
    ),
    bind!(
        C::Back,
        [code(KeyCode::Esc)],
        &[Lane, Hosts, Host, Log, Help],
        "back",
        "back to where you came from"
    ),
    // Retrying.
    bind!(
        C::Retry,
        [ch('r')],
        &[Lanes, Lane],
        "retry failed",
        "retry the hosts of this lane that failed"
    ),
    bind!(
        C::Retry,
        [ch('r')],
        &[Hosts],
        "retry",
        "retry the marked hosts, or the one under the cursor"
    ),
    bind!(C::Retry, [ch('r')], &[Host], "retry", "retry this host"),
    bind!(
        C::RetryLane,
        [ch('f')],
        &[Hosts],
        "lane's failed",
        "retry the hosts of this lane that failed"
    ),
    bind!(
        C::RetryAll,
        [ch('R')],
        RUNNING,
        "retry all",
        "retry everything that did not succeed, in every lane"
    ),
    bind!(
        C::RetryFailed,
        [ch('F')],
        RUNNING,
        "all failed",
        "retry the hosts that failed, in every lane"
    ),
    bind!(
        C::RetryBuild,
        [ch('b')],
        &[Lanes, Lane, Log],
        "build again",
        "start the failed build again"
    ),
    bind!(
        C::RetryPush,
        [ch('p')],
        &[Lanes, Lane],
        "push again",
        "push again in this lane"
    ),
    bind!(
        C::Resend,
        [ch('s')],
        &[Lanes, Lane],
        "send again",
        "send a command again that SSM refused"
    ),
    bind!(
        C::Abandon,
        [ch('A')],
        &[Lanes, Lane],
        "never sent",
        "take an unknown send as never having taken place"
    ),
    // Lanes.
    bind!(
        C::Zoom,
        [ch('z')],
        &[Lanes, Lane],
        "zoom",
        "show one lane on the whole screen, or all of them"
    ),
    bind!(
        C::AllHosts,
        [ch('a')],
        &[Lanes, Lane],
        "hosts",
        "list all hosts of all lanes"
    ),
    bind!(
        C::Log,
        [ch('l')],
        &[Lanes, Lane],
        "build log",
        "show the log of the lane's build"
    ),
    // Lists.
    bind!(
        C::Mark,
        [ch(' ')],
        &[Hosts],
        "mark",
        "mark or unmark the host under the cursor"
    ),
    bind!(
        C::Filter,
        [ch('/')],
        &[Hosts],
        "filter",
        "show hosts whose name, id, state, region or rollout has these words; !word for those without"
    ),
    bind!(
        C::Trouble,
        [ch('e')],
        &[Hosts],
        "trouble",
        "show only hosts that did not succeed, or all"
    ),
    bind!(
        C::Sort,
        [ch('o')],
        &[Hosts],
        "order",
        "order by state, trouble first, or as in the plan"
    ),
    bind!(
        C::MarkRange,
        [ctrl(' ')],
        &[Hosts],
        "",
        "mark from the last mark to the cursor"
    ),
    bind!(C::MarkAll, [ch('*')], &[Hosts], "", "mark every host that is shown"),
    bind!(
        C::ClearMarks,
        [ch('u'), ctrl('4')],
        &[Hosts],
        "unmark",
        "take all marks away"
    ),
    // Texts.
    bind!(C::Search, [ch('/')], WINDOWS, "search", "search the text"),
    bind!(C::NextHit, [ch('n')], WINDOWS, "next", "the next hit"),
    bind!(C::PreviousHit, [ch('N')], WINDOWS, "", "the hit before"),
    bind!(
        C::PreviousAttempt,
        [ch('['), code(KeyCode::Left)],
        &[Host],
        "",
        "the attempt before"
    ),
    bind!(
        C::NextAttempt,
        [ch(']'), code(KeyCode::Right)],
        &[Host],
        "attempt",
        "the next attempt"
    ),
    bind!(C::Follow, [ch('f')], &[Log], "follow", "stay at the end of the log"),
    bind!(C::Wrap, [ch('w')], WINDOWS, "wrap", "break long lines, or cut them"),
    bind!(
        C::Save,
        [ctrl('s')],
        WINDOWS,
        "save",
        "save the text to a file in this directory"
    ),
    bind!(
        C::Copy,
        [ch('y'), ch('c')],
        SCREENS,
        "copy",
        "copy what is under the cursor to the terminal's clipboard (OSC 52)"
    ),
    bind!(
        C::Times,
        [ch('t')],
        &[Hosts, Host],
        "times",
        "times of day, or how long ago"
    ),
    // Stopping.
    bind!(
        C::Cancel,
        [ch('X')],
        RUNNING,
        "cancel",
        "cancel a rollout, a lane or everything, after a question"
    ),
    // Moving.
    bind!(
        C::NextPanel,
        [code(KeyCode::Tab), code(KeyCode::Right)],
        &[Lanes, Lane],
        "next lane",
        "the next lane"
    ),
    bind!(
        C::PreviousPanel,
        [code(KeyCode::BackTab), code(KeyCode::Left)],
        &[Lanes, Lane],
        "",
        "the lane before"
    ),
    bind!(C::Up, [code(KeyCode::Up), ch('k')], SCROLLING, "", "up"),
    bind!(C::Down, [code(KeyCode::Down), ch('j')], SCROLLING, "", "down"),
    bind!(
        C::PageUp,
        [code(KeyCode::PageUp), ctrl('b')],
        SCROLLING,
        "",
        "a page up"
    ),
    bind!(
        C::PageDown,
        [code(KeyCode::PageDown), ctrl('f')],
        SCROLLING,
        "",
        "a page down"
    ),
    bind!(C::HalfUp, [ctrl('u')], SCROLLING, "", "half a page up"),
    bind!(C::HalfDown, [ctrl('d')], SCROLLING, "", "half a page down"),
    bind!(
        C::First,
        [ch('g'), code(KeyCode::Home)],
        SCROLLING,
        "",
        "to the first line"
    ),
    bind!(
        C::Last,
        [ch('G'), code(KeyCode::End)],
        SCROLLING,
        "",
        "to the last line"
    ),
    bind!(
        C::Panel(1),
        [ch('1')],
        &[Lanes, Lane],
        "",
        "the first lane; 2 to 9 for the others"
    ),
    bind!(C::Panel(2), [ch('2')], &[Lanes, Lane], "", ""),
    bind!(C::Panel(3), [ch('3')], &[Lanes, Lane], "", ""),
    bind!(C::Panel(4), [ch('4')], &[Lanes, Lane], "", ""),
    bind!(C::Panel(5), [ch('5')], &[Lanes, Lane], "", ""),
    bind!(C::Panel(6), [ch('6')], &[Lanes, Lane], "", ""),
    bind!(C::Panel(7), [ch('7')], &[Lanes, Lane], "", ""),
    bind!(C::Panel(8), [ch('8')], &[Lanes, Lane], "", ""),
    bind!(C::Panel(9), [ch('9')], &[Lanes, Lane], "", ""),
    // Everywhere.
    bind!(
        C::Mouse,
        [ch('m')],
        SCREENS,
        "",
        "let the mouse point and scroll here, or give it back to the terminal"
    ),
    bind!(C::Repaint, [ctrl('l')], ANYWHERE, "", "draw the screen anew"),
    bind!(
        C::Suspend,
        [ctrl('z')],
        ANYWHERE,
        "",
        "suspend to the shell; the fleet goes on, this console does not follow it meanwhile"
    ),
    bind!(
        C::Interrupt,
        [ctrl('c')],
        ANYWHERE,
        "",
        "leave, cancel or stay; pressed twice, leave at once"
    ),
    bind!(
        C::Quit,
        [ch('q')],
        &[Plan, Lanes, Lane, Hosts, Host, Log],
        "quit",
        "quit; hosts that are at work go on"
    ),
    bind!(C::Back, [ch('q'), ch('?')], &[Help], "", "close the help"),
    bind!(C::Help, [ch('?')], SCREENS, "help", "this page"),
];

/// What a key press means in a place.
pub fn command(place: Place, event: &KeyEvent) -> Option<Command> {
    let key = Key(event.code, event.modifiers - KeyModifiers::SHIFT);
    let bound = |binding: &&Binding| binding.places.contains(&place) && binding.keys.contains(&key);
    BINDINGS.iter().find(bound).map(|binding| binding.command)
}

/// The bindings of a place, in the footer's order.
pub fn of(place: Place) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |binding| binding.places.contains(&place))
}

impl Key {
    /// The key as it is written on the screen.
    pub fn name(self) -> String {
        let Self(code, modifiers) = self;
        let name = match code {
            KeyCode::Char(' ') => "space".to_owned(),
            KeyCode::Char('4') if modifiers.contains(KeyModifiers::CONTROL) => "\\".to_owned(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::Enter => "enter".to_owned(),
            KeyCode::Esc => "esc".to_owned(),
            KeyCode::Tab => "tab".to_owned(),
            KeyCode::BackTab => "shift-tab".to_owned(),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::Left => "←".to_owned(),
            KeyCode::Right => "→".to_owned(),
            KeyCode::PageUp => "pgup".to_owned(),
            KeyCode::PageDown => "pgdn".to_owned(),
            KeyCode::Home => "home".to_owned(),
            KeyCode::End => "end".to_owned(),
            other => format!("{other:?}"),
        };
        if modifiers.contains(KeyModifiers::CONTROL) {
            format!("ctrl-{name}")
        } else {
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

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
        assert_eq!(command(Lanes, &press(KeyModifiers::SHIFT)), Some(C::RetryAll));
        assert_eq!(command(Lanes, &press(KeyModifiers::NONE)), Some(C::RetryAll));
    }
}
