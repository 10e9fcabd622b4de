//! Readers that go away, stop reading, or come back late.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWrite, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::{Script, deploy, options, rolling, wired};
use crate::console::tests::fixture::{Story, plan};
use crate::engine::{Action, Update};
use crate::headless::{Format, Interrupt, Options, run};
use crate::problem::Exit;

/// A pipe whose reader has gone after a few lines.
struct Closed {
    lines: usize,
}

impl AsyncWrite for Closed {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.lines == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.lines -= bytes.iter().filter(|byte| **byte == b'\n').count().min(self.lines);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_is_a_reason_to_leave() {
    let (handle, from_outside, mut script) = wired();
    let options = options(Format::Plain, deploy());
    let engine = async {
        script.say(Update::Ready(Box::new(plan(2, 8))));
        assert_eq!(script.asked().await, Action::Start);
        script.facts(&rolling());
        assert!(matches!(script.asked().await, Action::Leave { .. }));
        script.say(Update::Stopped(None));
    };
    let (ended, ()) = tokio::join!(run(handle, options, from_outside, Closed { lines: 12 }), engine);
    assert_eq!(ended.expect("a closed pipe is no error").exit, Exit::Left);
}

/// Runs a deployment whose output goes into a pipe of 64 bytes, until it is told to leave or has ended.
async fn into_a_pipe<F: Future<Output = String>>(
    story: Story,
    wait: Option<Duration>,
    reader: impl FnOnce(DuplexStream, mpsc::UnboundedSender<Interrupt>) -> F,
) -> (Exit, String) {
    let (handle, from_outside, script) = wired();
    let options = Options {
        wait,
        ..options(Format::Plain, deploy())
    };
    let (pipe, read) = duplex(64);
    script.say(Update::Ready(Box::new(plan(2, 8))));
    script.facts(&story);
    let Script {
        updates,
        mut actions,
        interrupts,
    } = script;
    let engine = async {
        while let Some(action) = actions.recv().await {
            if matches!(action, Action::Leave { .. }) {
                updates.send(Update::Stopped(None)).expect("it listens");
            }
        }
    };
    let (ended, (), text) = tokio::join!(
        run(handle, options, from_outside, pipe),
        engine,
        reader(read, interrupts)
    );
    (ended.expect("the pipe is whole").exit, text)
}

async fn read_to_the_end(mut pipe: DuplexStream) -> String {
    let mut text = String::new();
    pipe.read_to_string(&mut text).await.expect("only text is written");
    text
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stalls_holds_up_neither_a_signal_nor_the_end_of_waiting() {
    // What was sent meanwhile is known, though nobody has read of it.
    let (exit, _) = into_a_pipe(rolling(), None, async |pipe, interrupts| {
        sleep(Duration::from_secs(600)).await;
        interrupts.send(Interrupt::Term).expect("the output listens");
        interrupts.closed().await;
        drop(pipe);
        String::new()
    })
    .await;
    assert_eq!(exit, Exit::Left);
    let (exit, _) = into_a_pipe(rolling(), Some(Duration::from_secs(60)), async |pipe, interrupts| {
        interrupts.closed().await;
        drop(pipe);
        String::new()
    })
    .await;
    assert_eq!(exit, Exit::Left);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_back_hears_everything_once_and_in_order() {
    let story = || rolling().finished();
    let (exit, at_once) = into_a_pipe(story(), None, |pipe, _| read_to_the_end(pipe)).await;
    assert_eq!(exit, Exit::Hosts);
    assert!(at_once.contains("did not succeed:"), "{at_once}");
    let read_late = async |pipe, interrupts| {
        sleep(Duration::from_secs(24 * 60 * 60)).await;
        drop(interrupts);
        read_to_the_end(pipe).await
    };
    let (exit, late) = into_a_pipe(story(), None, read_late).await;
    assert_eq!(exit, Exit::Hosts);
    assert_eq!(words(&late), words(&at_once));
    // A line that was half written as the signal came is whole, too.
    let (_, left) = into_a_pipe(story(), None, async |pipe, interrupts| {
        sleep(Duration::from_secs(60)).await;
        interrupts.send(Interrupt::Int).expect("the output listens");
        sleep(Duration::from_secs(1)).await;
        read_to_the_end(pipe).await
    })
    .await;
    let (left, at_once) = (words(&left), words(&at_once));
    assert_eq!(left[..3], at_once[..3]);
}

/// The lines, each without the time of day in front of it.
fn words(text: &str) -> Vec<&str> {
    let time = |c: char| c.is_ascii_digit() || c == ':';
    text.lines().map(|line| line.trim_start_matches(time)).collect()
}
