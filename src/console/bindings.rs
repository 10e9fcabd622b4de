//! Every key there is, in one table.

use crossterm::event::KeyCode;

use super::key::{ch, code, ctrl};
use super::keymap::Binding;
use super::keymap::Command as C;
use super::keymap::Place::{self, Choose, Confirm, Help, Host, Hosts, Lane, Lanes, Log, Plan, Text};

const SCREENS: &[Place] = &[Plan, Lanes, Lane, Hosts, Host, Log];
const SCROLLING: &[Place] = &[Plan, Lanes, Lane, Hosts, Host, Log, Help];
const RUNNING: &[Place] = &[Lanes, Lane, Hosts, Host, Log];
const OVERVIEWS: &[Place] = &[Lanes, Lane];
const TEXTS: &[Place] = &[Host, Log];
/// All places.
pub const ANYWHERE: &[Place] = &[Plan, Lanes, Lane, Hosts, Host, Log, Help, Confirm, Choose, Text];

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

const ENTER: KeyCode = KeyCode::Enter;
const ESC: KeyCode = KeyCode::Esc;

/// The table. Its order is the footer's: what matters most comes first.
pub const BINDINGS: &[Binding] = &[
    // Questions.
    bind!(C::Yes, [ch('y')], &[Confirm], "yes", "do it"),
    bind!(
        C::YesByDefault,
        [code(ENTER)],
        &[Confirm],
        "",
        "do it, where that is safe"
    ),
    bind!(
        C::No,
        [code(ESC), ch('n')],
        &[Confirm],
        "no",
        "leave everything as it is"
    ),
    bind!(
        C::Up,
        [code(KeyCode::Up), ch('k')],
        &[Choose],
        "choose",
        "the answer above"
    ),
    bind!(
        C::Down,
        [code(KeyCode::Down), ch('j')],
        &[Choose],
        "choose",
        "the answer below"
    ),
    bind!(
        C::YesByDefault,
        [code(ENTER)],
        &[Choose],
        "take it",
        "take the answer under the cursor"
    ),
    bind!(
        C::No,
        [code(ESC), ch('n')],
        &[Choose],
        "close",
        "leave everything as it is"
    ),
    bind!(C::YesByDefault, [code(ENTER)], &[Text], "ok", "take what was typed"),
    bind!(
        C::No,
        [code(ESC)],
        &[Text],
        "give up",
        "close the line and forget what was typed"
    ),
    // The plan.
    bind!(
        C::Start,
        [code(ENTER), ch('s')],
        &[Plan],
        "start",
        "start the deployment"
    ),
    bind!(C::Recheck, [ctrl('r')], &[Plan], "check again", "run all checks again"),
    bind!(
        C::TakeUp,
        [ch('a')],
        &[Plan],
        "attach",
        "take up the deployment that was left, or watch it where another process drives it"
    ),
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
        [code(ENTER)],
        &[Lanes, Lane, Hosts],
        "open",
        "open what is under the cursor"
    ),
    bind!(
        C::Back,
        [code(ESC)],
        &[Lane, Hosts, Host, Log, Help],
        "back",
        "back to where you came from"
    ),
    bind!(
        C::TakeOver,
        [ch('T')],
        RUNNING,
        "take over",
        "drive the deployment from here, once the process that drove it is gone"
    ),
    // What did not come to pass, and only offered where it did not.
    bind!(
        C::RetryBuild,
        [ch('b')],
        &[Lanes, Lane, Log],
        "build again",
        "start the build again that failed or whose image is lost"
    ),
    bind!(
        C::RetryPush,
        [ch('p')],
        OVERVIEWS,
        "push again",
        "push again in this lane"
    ),
    bind!(
        C::Resend,
        [ch('s')],
        OVERVIEWS,
        "send again",
        "send a first command again that SSM refused"
    ),
    bind!(
        C::Abandon,
        [ch('A')],
        OVERVIEWS,
        "never sent",
        "take an unknown send as never having taken place"
    ),
    // Retrying.
    bind!(
        C::Retry,
        [ch('r')],
        OVERVIEWS,
        "retry lane",
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
        C::RetryAll,
        [ch('R')],
        RUNNING,
        "retry all",
        "retry everything that did not succeed, in every lane"
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
    // Lanes.
    bind!(
        C::Zoom,
        [ch('z')],
        OVERVIEWS,
        "zoom",
        "show one lane on the whole screen, or all of them"
    ),
    bind!(
        C::AllHosts,
        [ch('a')],
        OVERVIEWS,
        "hosts",
        "list all hosts of all lanes"
    ),
    bind!(
        C::Cancel,
        [ch('X')],
        RUNNING,
        "cancel",
        "cancel a rollout, a lane or everything, after a question"
    ),
    bind!(
        C::Log,
        [ch('l')],
        OVERVIEWS,
        "build log",
        "show the log of the lane's build"
    ),
    bind!(
        C::RetryLane,
        [ch('f')],
        &[Hosts],
        "retry lane",
        "retry the hosts of this lane that failed"
    ),
    bind!(
        C::RetryFailed,
        [ch('F')],
        RUNNING,
        "retry failed",
        "retry the hosts that failed, in every lane"
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
    bind!(C::Follow, [ch('f')], &[Log], "follow", "stay at the end of the log"),
    bind!(C::Search, [ch('/')], TEXTS, "search", "search the text"),
    bind!(C::NextHit, [ch('n')], TEXTS, "next", "the next hit"),
    bind!(C::PreviousHit, [ch('N')], TEXTS, "", "the hit before"),
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
    bind!(C::Wrap, [ch('w')], TEXTS, "wrap", "break long lines, or cut them"),
    bind!(
        C::Save,
        [ctrl('s')],
        TEXTS,
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
    // Moving.
    bind!(
        C::NextPanel,
        [code(KeyCode::Tab), code(KeyCode::Right)],
        OVERVIEWS,
        "next lane",
        "the next lane"
    ),
    bind!(
        C::PreviousPanel,
        [code(KeyCode::BackTab), code(KeyCode::Left)],
        OVERVIEWS,
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
        OVERVIEWS,
        "",
        "the first lane; 2 to 9 for the others"
    ),
    bind!(C::Panel(2), [ch('2')], OVERVIEWS, "", ""),
    bind!(C::Panel(3), [ch('3')], OVERVIEWS, "", ""),
    bind!(C::Panel(4), [ch('4')], OVERVIEWS, "", ""),
    bind!(C::Panel(5), [ch('5')], OVERVIEWS, "", ""),
    bind!(C::Panel(6), [ch('6')], OVERVIEWS, "", ""),
    bind!(C::Panel(7), [ch('7')], OVERVIEWS, "", ""),
    bind!(C::Panel(8), [ch('8')], OVERVIEWS, "", ""),
    bind!(C::Panel(9), [ch('9')], OVERVIEWS, "", ""),
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
        SCREENS,
        "quit",
        "quit; hosts that are at work go on"
    ),
    bind!(C::Back, [ch('q'), ch('?')], &[Help], "", "close the help"),
    bind!(C::Help, [ch('?')], SCREENS, "help", "this page"),
];
