//! The outputs over a made-up deployment: what a person reads, what a program reads, and how it ends.

mod ends;
mod lines;
mod readers;

use tokio::sync::mpsc;

use super::{Consent, Ended, Format, Interrupt, Options, Task, run};
use crate::again::Again;
use crate::console::tests::fixture::{Story, plan};
use crate::engine::{Action, Board, Handle, Update};

/// The engine's end of a handle.
struct Script {
    updates: mpsc::UnboundedSender<Update>,
    actions: mpsc::UnboundedReceiver<Action>,
    interrupts: mpsc::UnboundedSender<Interrupt>,
}

impl Script {
    fn say(&self, update: Update) {
        self.updates.send(update).expect("the output listens");
    }

    fn facts(&self, story: &Story) {
        for fact in &story.facts {
            self.say(Update::Fact(fact.clone()));
        }
    }

    async fn asked(&mut self) -> Action {
        self.actions.recv().await.expect("the output asks for something")
    }
}

/// Both ends of a handle, and of the signals.
fn wired() -> (Handle, mpsc::UnboundedReceiver<Interrupt>, Script) {
    let (to_face, updates) = mpsc::unbounded_channel();
    let (actions, from_face) = mpsc::unbounded_channel();
    let (interrupts, from_outside) = mpsc::unbounded_channel();
    let handle = Handle {
        actions,
        updates,
        board: Board::new(),
    };
    let script = Script {
        updates: to_face,
        actions: from_face,
        interrupts,
    };
    (handle, from_outside, script)
}

fn options(format: Format, task: Task) -> Options {
    Options {
        format,
        task,
        wait: None,
        rehearsal: false,
        passing: false,
        again: Again::default(),
    }
}

fn deploy() -> Task {
    Task::Deploy(Consent::Given)
}

fn rolling() -> Story {
    Story::start(plan(2, 8))
        .build_half()
        .built()
        .push_half()
        .pushed()
        .rolling()
}

/// A deployment that is driven to the end of `story`.
/// Follows what `engine` scripts, and returns how it ended and what was written.
async fn follow<F: Future<Output = ()>>(
    format: Format,
    task: Task,
    engine: impl FnOnce(Script) -> F,
) -> (Ended, String) {
    let (handle, from_outside, script) = wired();
    let options = options(format, task);
    let mut out = Vec::new();
    let (ended, ()) = tokio::join!(run(handle, options, from_outside, &mut out), engine(script));
    let text = String::from_utf8(out).expect("only text is written");
    assert!(!text.contains('\u{1b}'), "an escape sequence was written: {text:?}");
    (ended.expect("a vector takes everything"), text)
}
