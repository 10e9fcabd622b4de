//! The loop without a terminal: hear, say, decide, until there is nothing left to wait for.
//!
//! What is said has been written before anything is decided, and before anything else is heard; what the engine says
//! meanwhile stays in its channel. So a reader that does not read holds up this loop alone: the engine goes on, and signals
//! and `--wait-timeout` end the wait.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use super::{Consent, Format, Summary, Voice, was_sent};
use crate::again::Again;
use crate::engine::{Action, Board, Handle, MovedTag, Update};
use crate::names::Millis;
use crate::plan::Plan;
use crate::problem::{Exit, Kind, Problem};
use crate::state::live::Live;
use crate::state::{Outcome, RetrySet, Selection, State};
use crate::text::Clean;
use crate::words::{plural, seconds};

/// How long the engine has to put its last facts into the journal.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long whoever reads the output has for the rest of it, once this is to end by a signal or `--wait-timeout`.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often the voice is asked whether something is due.
const TICK: Duration = Duration::from_secs(1);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Look at the plan, and change nothing.
    Plan,
    /// Start the plan when it is ready, if that was consented to, and follow it to its end.
    Deploy(Consent),
    /// Follow a deployment that was started before, and retry some of its hosts once nothing is under way.
    Attach {
        /// Which hosts to retry.
        retry: Option<Selection>,
        /// Whether that was consented to.
        consent: Consent,
        /// Retry though a moving tag points elsewhere.
        despite_moved_tag: bool,
    },
}

/// How it is to be followed.
#[derive(Debug, Clone)]
pub struct Options {
    /// The output.
    pub format: Format,
    /// What to do.
    pub task: Task,
    /// Leave after this time.
    pub wait: Option<Duration>,
    /// Everything is the rehearsal's: see [`Summary::rehearsal`].
    pub rehearsal: bool,
    /// The fleet ends with this process: see [`Summary::passing`].
    pub passing: bool,
    /// How the commands are typed that come next.
    pub again: Again,
}

/// A wish from outside that it should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// SIGINT: ctrl-c.
    Int,
    /// SIGTERM.
    Term,
    /// SIGHUP: the terminal or the connection is gone.
    Hup,
}

impl Interrupt {
    fn reason(self) -> &'static str {
        match self {
            Self::Int => "SIGINT",
            Self::Term => "SIGTERM",
            Self::Hup => "SIGHUP",
        }
    }

    /// The exit code while nothing was sent.
    fn exit(self) -> Exit {
        match self {
            Self::Int => Exit::Interrupted,
            Self::Term | Self::Hup => Exit::Terminated,
        }
    }
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// The process's exit code.
    pub exit: Exit,
    /// Everything that was known.
    pub state: State,
}

/// What this process is to the deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It hears what happened before.
    Hears,
    /// It looks on while another process drives.
    Watches,
    /// It drives.
    Drives,
}

/// Why the loop ends.
enum Ending {
    /// The deployment is settled, or the plan is ready.
    Done,
    /// It cannot start, was refused, or could not go on.
    Problems(Vec<Problem>),
    /// A signal.
    Interrupted(Interrupt),
    /// `--wait-timeout`.
    WaitedOut,
    /// Nobody reads the output any more, or it cannot be written.
    Unheard(io::Error),
}

/// Follows the engine and writes what it says, with a summary at the end.
///
/// # Errors
/// The output could not be written, for another reason than that its reader is gone; the engine was left in order.
pub async fn run(
    handle: Handle,
    options: Options,
    mut interrupts: mpsc::UnboundedReceiver<Interrupt>,
    out: impl AsyncWrite + Unpin,
) -> io::Result<Ended> {
    let Options {
        format,
        task,
        wait,
        rehearsal,
        passing,
        again,
    } = options;
    let mut follower = Follower {
        voice: format.voice(),
        actions: handle.actions,
        updates: handle.updates,
        board: handle.board,
        out,
        owed: BytesMut::new(),
        state: State::default(),
        live: Live::default(),
        seen: 0,
        started: false,
        rehearsal,
        passing,
        again,
        retry_due: matches!(&task, Task::Attach { retry: Some(_), .. }),
        retry_asked: None,
        role: match &task {
            Task::Plan | Task::Deploy(_) => Role::Drives,
            Task::Attach { .. } => Role::Hears,
        },
        task,
    };
    let deadline = wait.map(|wait| Instant::now() + wait);
    let ending = follower.follow(deadline, &mut interrupts).await;
    let reason = match &ending {
        Ending::Done | Ending::Problems(_) => None,
        Ending::Interrupted(interrupt) => Some(interrupt.reason().to_owned()),
        Ending::WaitedOut => Some(format!("waited for {}", seconds(wait.unwrap_or_default()))),
        Ending::Unheard(_) => Some("nobody reads the output any more".to_owned()),
    };
    let unrecorded = match reason {
        Some(reason) => follower.leave(&reason, &mut interrupts).await,
        None => None,
    };
    let leaving = matches!(ending, Ending::Interrupted(_) | Ending::WaitedOut);
    let given_up = async {
        if !leaving {
            tokio::select! {
                Some(_) = interrupts.recv() => {}
                () = until(deadline) => {}
            }
        }
        sleep(PATIENCE).await;
    };
    follower.close(format, ending, unrecorded, given_up).await
}

/// The end of `--wait-timeout`, which without one never comes.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

struct Follower<W> {
    voice: Box<dyn Voice>,
    actions: mpsc::UnboundedSender<Action>,
    updates: mpsc::UnboundedReceiver<Update>,
    board: Arc<Board>,
    out: W,
    /// What was said and is not written yet.
    owed: BytesMut,
    state: State,
    live: Live,
    seen: u64,
    task: Task,
    role: Role,
    /// [`Action::Start`] was sent.
    started: bool,
    rehearsal: bool,
    passing: bool,
    again: Again,
    /// A retry was asked for on the command line and is not sent yet.
    retry_due: bool,
    /// The engine was asked for it.
    retry_asked: Option<(Outcome, Millis)>,
}

impl<W: AsyncWrite + Unpin> Follower<W> {
    async fn follow(
        &mut self,
        deadline: Option<Instant>,
        interrupts: &mut mpsc::UnboundedReceiver<Interrupt>,
    ) -> Ending {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                // A signal goes before whatever else there is.
                biased;
                Some(interrupt) = interrupts.recv() => return Ending::Interrupted(interrupt),
                done = self.step(&mut ticks) => done,
                () = until(deadline) => return Ending::WaitedOut,
            };
            match done {
                Ok(Some(ending)) => return ending,
                Ok(None) => {}
                Err(error) => return Ending::Unheard(error),
            }
        }
    }

    /// Hears the next word and says it. Broken off, it loses nothing of either: what is not written stays owed.
    async fn step(&mut self, ticks: &mut Interval) -> io::Result<Option<Ending>> {
        tokio::select! {
            biased;
            update = self.updates.recv() => match update {
                Some(update) => self.hear(update).await,
                None => Ok(Some(self.gone(None))),
            },
            _ = ticks.tick() => {
                self.seen = self.board.refresh(self.seen, &mut self.live);
                let lines = self.voice.tick(&self.state, &self.live, Millis::now());
                self.say(&lines);
                write(&mut self.out, &mut self.owed).await.map(|()| None)
            }
        }
    }

    fn say(&mut self, lines: &[String]) {
        for line in lines {
            self.owed.extend_from_slice(line.as_bytes());
            self.owed.extend_from_slice(b"\n");
        }
    }

    /// Takes in a word of the engine, says it, and decides what follows from it.
    async fn hear(&mut self, update: Update) -> io::Result<Option<Ending>> {
        self.take_in(&update);
        write(&mut self.out, &mut self.owed).await?;
        Ok(self.decide(update))
    }

    fn take_in(&mut self, update: &Update) {
        if let Update::Fact(recorded) = update {
            self.state.apply(recorded);
        }
        let lines = self.voice.told(update, &self.state, Millis::now());
        self.say(&lines);
    }

    fn decide(&mut self, update: Update) -> Option<Ending> {
        match update {
            Update::Checks(_) => None,
            Update::Ready(plan) => self.ready(&plan),
            Update::Blocked(problems) => Some(Ending::Problems(problems)),
            Update::Fact(_) => self.settled(),
            Update::RetryChecked { set, moved } => self.retry(set, &moved),
            // A start that was refused, by the deploy lock for instance, will not come any more.
            Update::Notice(problem) if self.started && self.state.plan.is_none() => {
                Some(Ending::Problems(vec![problem]))
            }
            // Nor will a retry: once it is recorded the deployment is no longer settled.
            Update::Notice(problem) if self.retry_asked.is_some() && self.state.settled.is_some() => {
                Some(Ending::Problems(vec![problem]))
            }
            Update::Notice(_) => None,
            Update::Watching(driver) => {
                self.role = Role::Watches;
                if self.retry_due {
                    return Some(Ending::Problems(vec![driver]));
                }
                self.settled()
            }
            // What attaching would have done, had the other process been gone by then.
            Update::Orphaned => self.settled().or_else(|| self.ask(Action::TakeOver)),
            Update::Driving => {
                self.role = Role::Drives;
                None
            }
            Update::Stopped(problem) => Some(self.gone(problem)),
        }
    }

    fn ready(&mut self, plan: &Plan) -> Option<Ending> {
        match &self.task {
            Task::Plan => Some(Ending::Done),
            Task::Deploy(consent) => match consent.covers(&plan.environment) {
                Ok(()) => {
                    self.started = true;
                    self.ask(Action::Start)
                }
                Err(problem) => Some(Ending::Problems(vec![problem])),
            },
            Task::Attach { .. } => None,
        }
    }

    /// After a fact: whether nothing is under way any more, and what is to be done then.
    fn settled(&mut self) -> Option<Ending> {
        self.state.settled?;
        // A retry that is still looked into, for want of credentials for instance, has not opened it again yet.
        if self.retry_asked == self.state.settled {
            return None;
        }
        match self.role {
            // A later fact may have opened it again.
            Role::Hears => return None,
            Role::Watches => return Some(Ending::Done),
            Role::Drives => {}
        }
        let Task::Attach { retry, consent, .. } = &self.task else {
            return Some(Ending::Done);
        };
        let Some(selection) = retry.as_ref().filter(|_| self.retry_due) else {
            return Some(Ending::Done);
        };
        let set = self.state.retry_set(selection);
        if set.is_empty() {
            return Some(Ending::Done);
        }
        let plan = self.state.plan.as_ref()?;
        if let Err(refused) = consent.covers(&plan.environment) {
            let hosts = plural(set.len(), "host");
            let what = format!(
                "{hosts} in {} can be retried; {}",
                plural(set.in_regions().len(), "region"),
                refused.what
            );
            return Some(Ending::Problems(vec![Problem::new(
                refused.kind,
                what,
                refused.remedy.as_str(),
            )]));
        }
        (self.retry_due, self.retry_asked) = (false, self.state.settled);
        self.ask(Action::CheckRetry(set))
    }

    fn retry(&mut self, set: RetrySet, moved: &[MovedTag]) -> Option<Ending> {
        let Task::Attach { despite_moved_tag, .. } = &self.task else {
            return None;
        };
        if set.is_empty() {
            // What another machine has sent may be under way.
            return self.state.settled.map(|_| Ending::Done);
        }
        if !moved.is_empty() && !despite_moved_tag {
            let tags: Vec<String> = moved.iter().map(moved_words).collect();
            return Some(Ending::Problems(vec![Problem::new(
                Kind::Guard,
                format!("nothing was retried: {}", tags.join("; ")),
                "pass --despite-moved-tag if the hosts are to pull what it points at now",
            )]));
        }
        self.ask(Action::Retry {
            set,
            despite_moved: moved.iter().map(|moved| moved.region.clone()).collect(),
        })
    }

    fn ask(&mut self, action: Action) -> Option<Ending> {
        // An engine that is gone says so on the other channel.
        let _ = self.actions.send(action);
        None
    }

    /// The engine has stopped. Its problem counts whatever was settled before: what was asked of it has not been done.
    fn gone(&self, problem: Option<Problem>) -> Ending {
        let problem = match problem {
            Some(problem) => problem,
            None if self.state.settled.is_some() => return Ending::Done,
            None => Problem::new(Kind::Unexpected, "the engine stopped without a word", ""),
        };
        Ending::Problems(vec![problem])
    }

    /// Tells the engine to stop driving and hears its last facts, whether or not anybody reads them. A second signal ends
    /// that at once. Returns what kept the last facts out of the journal.
    async fn leave(&mut self, reason: &str, interrupts: &mut mpsc::UnboundedReceiver<Interrupt>) -> Option<Problem> {
        let leave = Action::Leave {
            reason: Clean::line(reason),
        };
        if self.actions.send(leave).is_err() {
            return None;
        }
        let last_words = timeout(LAST_WORDS, async {
            loop {
                tokio::select! {
                    biased;
                    Some(_) = interrupts.recv() => return None,
                    update = self.updates.recv() => match update {
                        None => return None,
                        Some(Update::Stopped(problem)) => return problem,
                        Some(update) => self.take_in(&update),
                    },
                }
            }
        });
        last_words.await.unwrap_or(None)
    }

    /// The exit code and the last lines, for which there is time until they are `given_up`.
    async fn close(
        mut self,
        format: Format,
        ending: Ending,
        unrecorded: Option<Problem>,
        given_up: impl Future<Output = ()>,
    ) -> io::Result<Ended> {
        let settled = self.state.settled.map(|(outcome, _)| outcome.exit());
        let left = |otherwise: Exit| if was_sent(&self.state) { Exit::Left } else { otherwise };
        let exit = match &ending {
            Ending::Done => settled.unwrap_or(Exit::Success),
            Ending::Problems(problems) => exit_of(problems),
            Ending::Interrupted(interrupt) => settled.unwrap_or_else(|| left(interrupt.exit())),
            Ending::WaitedOut => settled.unwrap_or(Exit::Left),
            Ending::Unheard(_) if self.task == Task::Plan => Exit::Success,
            Ending::Unheard(_) => settled.unwrap_or_else(|| left(Exit::Terminated)),
        };
        let problems = match ending {
            Ending::Problems(problems) => problems,
            Ending::Unheard(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            Ending::Done | Ending::Interrupted(_) | Ending::WaitedOut | Ending::Unheard(_) => {
                Vec::from_iter(unrecorded)
            }
        };
        let summary = Summary {
            state: &self.state,
            exit,
            problems: &problems,
            rehearsal: self.rehearsal,
            plan_only: self.task == Task::Plan,
            watched: self.role == Role::Watches,
            passing: self.passing,
            again: &self.again,
        };
        let lines = format.summary(&summary);
        self.say(&lines);
        let Self {
            actions,
            mut out,
            mut owed,
            state,
            ..
        } = self;
        // The engine need not wait for a slow reader to let go of the deployment.
        drop(actions);
        let written = tokio::select! {
            biased;
            written = write(&mut out, &mut owed) => written,
            () = given_up => {
                tracing::warn!("the output was not read to its end");
                Ok(())
            }
        };
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            Ok(()) | Err(_) => Ok(Ended { exit, state }),
        }
    }
}

/// Writes what is owed. Broken off, it leaves owed what is not written.
async fn write(out: &mut (impl AsyncWrite + Unpin), owed: &mut BytesMut) -> io::Result<()> {
    out.write_all_buf(owed).await?;
    out.flush().await
}

/// The exit code for several problems: what has to be mended first decides.
pub fn exit_of(problems: &[Problem]) -> Exit {
    const ORDER: [Kind; 7] = [
        Kind::Locked,
        Kind::Credentials,
        Kind::Config,
        Kind::Build,
        Kind::NoHosts,
        Kind::Guard,
        Kind::Unexpected,
    ];
    let first = ORDER
        .into_iter()
        .find(|kind| problems.iter().any(|problem| problem.kind == *kind));
    first.map_or(Exit::Unexpected, Kind::exit)
}

/// `latest in us-east-1 points at sha256:0b1a… now`.
pub(super) fn moved_words(moved: &MovedTag) -> String {
    let whose = format!("{} in {}", moved.tag, moved.region);
    match (&moved.now, &moved.problem) {
        (_, Some(problem)) => format!("{whose} could not be looked up: {}", problem.what),
        (Some(digest), None) => format!("{whose} points at sha256:{} now", digest.short()),
        (None, None) => format!("{whose} is gone"),
    }
}
