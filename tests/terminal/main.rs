//! The console in a real terminal: it is given back on every way out.
//!
//! The program in the terminal is this test binary itself, asked to run [`child`] alone: a console with an engine that
//! answers and does nothing.

#[path = "../common/pty.rs"]
mod pty;

use std::io::{self, Write};

use portable_pty::CommandBuilder;
use pty::Pty;
use quarterdeck::console::{Options, run};
use quarterdeck::engine::{Action, Board, Handle, Update};
use quarterdeck::plan::check::{Check, CheckState, Subject};
use rustix::process::Signal;
use tokio::sync::mpsc;

/// Says to the binary that it is the program in the terminal, and what happens to it there.
const CHILD: &str = "QUARTERDECK_TEST_CONSOLE";

/// Starts a console whose first frame is on the screen.
fn console(story: &str) -> Pty {
    let mut pty = Pty::start(command(story), 80, 24);
    pty.wait_for("checking");
    pty.wait_for("q quit");
    pty
}

fn command(story: &str) -> CommandBuilder {
    let mut command = CommandBuilder::new(std::env::current_exe().expect("a test knows its binary"));
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    command.env(CHILD, story);
    command.env("TERM", "xterm-256color");
    command
}

#[test]
fn child() {
    let Ok(story) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let ended = runtime.block_on(async {
        let (actions, mut asked) = mpsc::unbounded_channel();
        let (told, updates) = mpsc::unbounded_channel();
        let check = Check {
            subject: Subject::Commit,
            state: CheckState::Pending,
        };
        told.send(Update::Checks(vec![check])).expect("the console is there");
        tokio::spawn(async move {
            while let Some(action) = asked.recv().await {
                if let Action::Leave { reason } = action {
                    say(&format!("the engine was left: {reason}"));
                    break;
                }
                if action == Action::Recheck && story == "panic" {
                    tokio::spawn(async { panic!("a task of the engine stumbled") });
                }
            }
            drop(told);
        });
        let options = Options {
            mouse: true,
            ..Options::default()
        };
        run(
            Handle {
                actions,
                updates,
                board: Board::new(),
            },
            options,
        )
        .await
    });
    say(&format!("ended: {:?}", ended.expect("the console ran").ending));
    // The test harness would print to a terminal that may be gone.
    std::process::exit(0);
}

/// Says it to the terminal, if that is still there.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

fn given_back(pty: &mut Pty, said: &str) {
    assert!(pty.wait().success(), "{}", pty.screen());
    assert!(pty.taken().is_empty(), "{:?}", pty.taken());
    assert!(pty.screen().contains(said), "{said:?} is missing in\n{}", pty.screen());
}

#[test]
fn the_terminal_is_taken_and_given_back_after_q() {
    let mut pty = console("quiet");
    assert_eq!(pty.taken().len(), 5, "{:?}", pty.taken());
    pty.type_keys("q");
    given_back(&mut pty, "ended: NotStarted { interrupted: false }");
}

#[test]
fn ctrl_c_is_a_key_and_gives_the_terminal_back() {
    let mut pty = console("quiet");
    pty.type_keys("\u{3}");
    given_back(&mut pty, "ended: NotStarted { interrupted: true }");
}

#[test]
fn signals_give_the_terminal_back_and_leave_the_engine_in_order() {
    for (signal, number) in [(Signal::TERM, 15), (Signal::HUP, 1), (Signal::INT, 2)] {
        let mut pty = console("quiet");
        pty.signal(signal);
        given_back(&mut pty, &format!("the engine was left: signal {number}"));
        assert!(
            pty.screen().contains(&format!("ended: Signal({number})")),
            "{}",
            pty.screen()
        );
    }
}

#[test]
fn a_terminal_that_vanishes_ends_the_console_with_or_without_a_signal() {
    for hangs_up in [true, false] {
        let mut command = command("quiet");
        // The kernel sends SIGHUP to the session of a controlling terminal alone.
        command.set_controlling_tty(hangs_up);
        let mut pty = Pty::start(command, 80, 24);
        pty.wait_for("q quit");
        pty.vanish();
        let status = pty.wait();
        assert!(status.success(), "{status} where hanging up is {hangs_up}");
    }
}

#[test]
fn a_panic_of_a_task_neither_ends_the_console_nor_writes_across_it() {
    let mut pty = console("panic");
    pty.type_keys("\u{12}");
    pty.type_keys("?");
    let screen = pty.wait_for("run all checks again");
    assert!(!screen.contains("stumbled"), "{screen}");
    assert_eq!(pty.taken().len(), 5, "it goes on");
    pty.type_keys("qq");
    given_back(&mut pty, "a task of the engine stumbled");
}

#[test]
fn a_continued_console_takes_the_terminal_again() {
    let mut pty = console("quiet");
    pty.type_keys("?");
    pty.wait_for("draw the screen anew");
    pty.type_keys("q");
    pty.signal(Signal::CONT);
    pty.wait_for("checking");
    assert_eq!(pty.taken().len(), 5, "{:?}", pty.taken());
    pty.type_keys("q");
    given_back(&mut pty, "ended: NotStarted");
}

#[test]
fn a_suspended_console_gives_the_shell_its_terminal_and_goes_on_where_it_was() {
    for by_key in [true, false] {
        let mut pty = console("quiet");
        pty.type_keys("?");
        pty.wait_for("draw the screen anew");
        if by_key {
            pty.type_keys("\u{1a}");
        } else {
            pty.signal(Signal::TSTP);
        }
        pty.wait_until_stopped();
        pty.signal(Signal::CONT);
        pty.wait_for("draw the screen anew");
        assert_eq!(pty.taken().len(), 5, "{:?} where by_key is {by_key}", pty.taken());
        pty.type_keys("qq");
        given_back(&mut pty, "ended: NotStarted");
    }
}

#[test]
fn a_resized_terminal_is_drawn_anew_from_edge_to_edge() {
    let mut pty = console("quiet");
    for (columns, rows) in [(120, 40), (40, 12), (200, 50)] {
        pty.resize(columns, rows);
        let bottom = format!("└{}┘\nctrl-r", "─".repeat(usize::from(columns) - 2));
        let screen = pty.wait_for(&bottom);
        let lines: Vec<&str> = screen.lines().collect();
        assert_eq!(lines.len(), usize::from(rows), "{screen}");
    }
    // A key that follows a resize is heard as it is pressed, and not with the next one.
    for (columns, rows) in [(100, 30), (90, 28)] {
        pty.resize(columns, rows);
        pty.wait_for(&"─".repeat(usize::from(columns) - 2));
        pty.type_keys("?");
        pty.wait_for("┌ keys");
        pty.type_keys("\u{1b}");
        pty.wait_for("ctrl-r");
    }
    pty.resize(30, 8);
    pty.wait_for("has 30x8");
    pty.resize(80, 24);
    pty.wait_for("checking");
    pty.type_keys("q");
    given_back(&mut pty, "ended: NotStarted");
}
