//! A command that runs an engine: its state folder, its runtime, and the face that follows it.

use std::convert::Infallible;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Report, WrapErr};
use tokio::fs::File;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::look::Face;
use super::{Failure, log, signals};
use crate::again::Again;
use crate::cli::{Drive, Global};
use crate::console::{self, Ended, Ending, Unfinished};
use crate::engine::{Action, Handle, Update};
use crate::headless::{self, Consent, Options, Summary, Task, exit_of, was_sent};
use crate::journal::Journal;
use crate::names::DeploymentId;
use crate::problem::{Exit, Problem};
use crate::state::Driver;
use crate::text::Clean;

/// How long tasks may take to notice that the process ends; what matters is in the journal by then.
const GOODBYE: Duration = Duration::from_millis(500);

/// How long an answer takes before it is said what is waited for.
const SLOW: Duration = Duration::from_secs(1);

/// Everything that an engine and its face need of the process.
pub(super) struct Session {
    /// The journal in the state folder.
    pub journal: Arc<Journal>,
    dir: PathBuf,
    runtime: Runtime,
}

impl Session {
    /// Opens the state folder and starts the log and the runtime.
    ///
    /// # Errors
    /// The state folder cannot be written, or the process is out of threads.
    pub fn open(global: &Global, dir: &Path) -> Result<Self, Failure> {
        let journal = Arc::new(Journal::open(dir)?);
        log::start(dir, global.log_level)?;
        Ok(Self {
            journal,
            dir: dir.to_owned(),
            runtime: runtime()?,
        })
    }

    /// The folder under which build logs go.
    pub fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// Waits for what has to be known before there is a face, for as long as the operator does; `wait` has what is left of
    /// it then.
    ///
    /// # Errors
    /// What comes of it, or [`Failure::Left`] after a signal, or after `wait`.
    pub fn ask<T>(
        &self,
        wait: &mut Option<Duration>,
        question: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Failure> {
        let (began, whole) = (Instant::now(), *wait);
        let answer = self.runtime.block_on(async {
            let mut interrupts = signals::listen()?;
            let waited_out = async {
                match whole {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            let slow = async {
                tokio::time::sleep(SLOW).await;
                eprintln!("asking AWS what was sent; ctrl-c leaves, and stops nothing");
                std::future::pending::<Infallible>().await
            };
            tokio::select! {
                biased;
                Some(_) = interrupts.recv() => Err(Failure::Left),
                answer = question => Ok(answer?),
                () = waited_out => Err(Failure::Left),
                never = slow => match never {},
            }
        });
        *wait = whole.map(|whole| whole.saturating_sub(began.elapsed()));
        answer
    }

    /// Starts an engine and shows it with `face` until it ends.
    pub fn follow(&self, face: Face, show: &Show<'_>, engine: impl FnOnce() -> Handle) -> Result<Next, Failure> {
        follow(&self.runtime, face, show, engine)
    }

    /// Ends it after `work`; tasks have a moment to notice.
    pub fn through(self, work: impl FnOnce(&Self) -> Result<Exit, Failure>) -> Result<Exit, Failure> {
        let ended = work(&self);
        let Self { runtime, journal, .. } = self;
        runtime.shutdown_timeout(GOODBYE);
        drop(journal);
        if let Ok(exit) = &ended {
            tracing::info!(exit = *exit as u8, "ended");
        }
        ended
    }
}

/// What comes after a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The process ends.
    Exit(Exit),
    /// The operator takes up this deployment, out of what [`Show::unfinished`] offered.
    Attach(DeploymentId),
}

impl Next {
    /// The exit code, where nothing was offered to be taken up.
    pub fn exit(self) -> Exit {
        match self {
            Self::Exit(exit) => exit,
            Self::Attach(_) => Exit::Success,
        }
    }
}

/// What a face is to show.
pub(super) struct Show<'a> {
    /// What was typed for every command.
    pub global: &'a Global,
    /// The application.
    pub app: &'a Clean,
    /// Where to.
    pub environment: &'a Clean,
    /// Whether everything is the rehearsal's.
    pub rehearsal: bool,
    /// Whether the fleet ends with this process.
    pub passing: bool,
    /// How the commands are typed that come next.
    pub again: Again,
    /// What is to be done.
    pub task: Task,
    /// Leave after this time.
    pub wait: Option<Duration>,
    /// What the console offers to take up instead.
    pub unfinished: Option<Unfinished>,
}

/// The runtime of an engine.
///
/// # Errors
/// The process is out of threads.
pub(super) fn runtime() -> Result<Runtime, Report> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .wrap_err("failed to start the runtime")
}

/// This process, for the record.
pub(super) fn driver() -> Driver {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let user = user.unwrap_or_else(|| format!("user {}", rustix::process::getuid().as_raw()));
    let machine = rustix::system::uname();
    Driver {
        user: Clean::line(&user),
        machine: Clean::line(&machine.nodename().to_string_lossy()),
        pid: std::process::id(),
        version: Clean::line(env!("CARGO_PKG_VERSION")),
    }
}

/// The consent of the command line.
pub(super) fn consent(drive: &Drive) -> Consent {
    drive.yes.clone().unwrap_or_default()
}

/// Starts an engine on `runtime` and shows it.
pub(super) fn follow(
    runtime: &Runtime,
    face: Face,
    show: &Show<'_>,
    engine: impl FnOnce() -> Handle,
) -> Result<Next, Failure> {
    runtime.block_on(async {
        match face {
            Face::Console => {
                let looks = super::look::console(show.global, show.app, show.environment, show.rehearsal);
                let options = console::Options {
                    taken_up: matches!(show.task, Task::Attach { .. }),
                    passing: show.passing,
                    again: show.again.clone(),
                    unfinished: show.unfinished.clone(),
                    ..looks
                };
                let handle = match &show.task {
                    Task::Deploy(consent) => consented(engine(), consent.clone()),
                    Task::Plan | Task::Attach { .. } => engine(),
                };
                let ended = console::run(handle, options).await?;
                if let Ending::Attach(id) = ended.ending {
                    return Ok(Next::Attach(id));
                }
                Ok(Next::Exit(farewell(&ended, show)))
            }
            Face::Output(format) => {
                let interrupts = signals::listen()?;
                let out = output()?;
                let options = Options {
                    format,
                    task: show.task.clone(),
                    wait: show.wait,
                    rehearsal: show.rehearsal,
                    passing: show.passing,
                    again: show.again.clone(),
                };
                let ended = headless::run(engine(), options, interrupts, out).await?;
                Ok(Next::Exit(ended.exit))
            }
        }
    })
}

/// Standard output, written on a thread of its own: a write lasts as long as its reader likes.
fn output() -> io::Result<File> {
    Ok(File::from_std(io::stdout().as_fd().try_clone_to_owned()?.into()))
}

/// A handle that starts the plan by itself as soon as it is ready, if that was consented to.
fn consented(handle: Handle, consent: Consent) -> Handle {
    let Handle {
        actions,
        mut updates,
        board,
    } = handle;
    let (to_face, for_face) = mpsc::unbounded_channel();
    let start = actions.clone();
    tokio::spawn(async move {
        let mut started = false;
        while let Some(update) = updates.recv().await {
            if let Update::Ready(plan) = &update
                && !started
                && consent.covers(&plan.environment).is_ok()
            {
                started = true;
                // An engine that is gone says so by itself.
                let _ = start.send(Action::Start);
            }
            if to_face.send(update).is_err() {
                return;
            }
        }
    });
    Handle {
        actions,
        updates: for_face,
        board,
    }
}

/// The exit code after the console, and the summary that stays on the screen.
fn farewell(ended: &Ended, show: &Show<'_>) -> Exit {
    let (exit, problems) = outcome(ended);
    let summary = Summary {
        state: &ended.state,
        exit,
        problems,
        rehearsal: show.rehearsal,
        plan_only: show.task == Task::Plan,
        watched: ended.watched,
        passing: show.passing,
        again: &show.again,
    };
    let mut out = io::stdout().lock();
    // A terminal that is gone takes no summary, and nothing else is left to do.
    let _ = writeln!(out, "{}", summary.lines().join("\n"));
    exit
}

/// The exit code after the console, and what kept it from going on.
fn outcome(ended: &Ended) -> (Exit, &[Problem]) {
    let state = &ended.state;
    let settled = state.settled.map(|(outcome, _)| outcome.exit());
    let left = |otherwise: Exit| settled.unwrap_or(if was_sent(state) { Exit::Left } else { otherwise });
    let none = ended.unrecorded.as_slice();
    match &ended.ending {
        Ending::NotStarted { interrupted: true } => (Exit::Interrupted, none),
        Ending::NotStarted { interrupted: false } => (Exit::Cancelled, none),
        Ending::Blocked(problems) => (exit_of(problems), problems.as_slice()),
        Ending::Left => (left(Exit::Left), none),
        Ending::Settled(outcome) => (outcome.exit(), none),
        // Whatever was settled before: what was asked of the engine has not been done.
        Ending::Stopped(Some(problem)) => (problem.kind.exit(), std::slice::from_ref(problem)),
        Ending::Stopped(None) => (left(Exit::Unexpected), none),
        Ending::Signal(number) if *number == rustix::process::Signal::INT.as_raw() => (left(Exit::Interrupted), none),
        Ending::Signal(_) | Ending::TerminalGone => (left(Exit::Terminated), none),
        Ending::Reviewed | Ending::Attach(_) => (settled.unwrap_or(Exit::Success), none),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::fixture::{Story, plan};
    use crate::problem::Kind;

    fn ended(ending: Ending, unrecorded: Option<Problem>) -> Ended {
        let story = Story::start(plan(2, 6)).build_half().built().push_half().pushed();
        Ended {
            ending,
            state: story.rolling().finished().state,
            unrecorded,
            watched: false,
        }
    }

    #[test]
    fn an_engine_that_stopped_is_no_success_of_what_was_settled_before() {
        let locked = Problem::new(Kind::Locked, "sento is being deployed already", "");
        let ended = ended(Ending::Stopped(Some(locked.clone())), None);
        assert_eq!(outcome(&ended), (Exit::Locked, &[locked][..]));
    }

    #[test]
    fn leaving_cancels_nothing_also_before_anything_was_sent() {
        let building = Ended {
            ending: Ending::Left,
            state: Story::start(plan(2, 6)).build_half().state,
            unrecorded: None,
            watched: false,
        };
        assert_eq!(outcome(&building).0, Exit::Left);
    }

    #[test]
    fn what_keeps_the_last_facts_out_of_the_journal_is_told() {
        let full = Problem::new(Kind::Unexpected, "the disk is full", "");
        let ended = ended(Ending::Left, Some(full.clone()));
        assert_eq!(outcome(&ended), (Exit::Hosts, &[full][..]));
    }
}
