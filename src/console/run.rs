//! The loop: one event at a time, one frame when something changed, nothing while nothing does.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Report, WrapErr};
use crossterm::clipboard::CopyToClipboard;
use jiff::tz::TimeZone;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};

use super::draw::draw;
use super::terminal::{FromTerminal, Reader, Screen, guarded, is_gone};
use super::update::{self, Closing, Effect};
use super::view::{Look, Notice, Readiness, Role, Unfinished, View};
use crate::again::Again;
use crate::engine::{Action, Board, Handle, Update};
use crate::names::{DeploymentId, Millis};
use crate::problem::Problem;
use crate::state::live::Live;
use crate::state::{Outcome, State};
use crate::text::Clean;

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(33);
/// How long people wait before they wonder.
const WONDER: Duration = Duration::from_millis(500);
/// How long the engine has to put its last facts into the journal when the console goes.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How the console is to be.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// REHEARSAL stands on the screen, also before there is a plan.
    pub rehearsal: bool,
    /// Nothing but ASCII.
    pub ascii: bool,
    /// The mouse belongs to the console from the start.
    pub mouse: bool,
    /// No colours (`NO_COLOR`).
    pub no_color: bool,
    /// The application's name, for the time before there is a plan.
    pub app: Clean,
    /// The environment's name, for the time before there is a plan.
    pub environment: Clean,
    /// The fleet ends with this process, so that there is nothing to come back to.
    pub passing: bool,
    /// How the commands are typed that come next.
    pub again: Again,
    /// A deployment is taken up: its facts come first, and who drives it is told after them.
    pub taken_up: bool,
    /// What can be taken up instead of starting a new deployment.
    pub unfinished: Option<Unfinished>,
}

impl Options {
    fn look(&self) -> Look {
        Look {
            ascii: self.ascii,
            colour: !self.no_color,
            rehearsal: self.rehearsal,
            passing: self.passing,
            again: self.again.clone(),
            app: self.app.clone(),
            environment: self.environment.clone(),
            zone: TimeZone::system(),
        }
    }
}

/// Why the console ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The operator quit before anything was started; `interrupted` if it was by ctrl-c.
    NotStarted {
        /// By ctrl-c.
        interrupted: bool,
    },
    /// The operator quit and preflight had forbidden the start.
    Blocked(Vec<Problem>),
    /// The operator left while something was under way, whoever drives it; the engine was told.
    Left,
    /// The operator quit, and nothing was under way any more.
    Settled(Outcome),
    /// The engine stopped; with the reason, if it could not go on.
    Stopped(Option<Problem>),
    /// A signal, by its number: SIGTERM or SIGHUP. The engine was told.
    Signal(i32),
    /// The terminal vanished. The engine was told.
    TerminalGone,
    /// The record of a deployment was looked at.
    Reviewed,
    /// The operator takes up another deployment; the engine was told.
    Attach(DeploymentId),
}

/// What the console leaves behind.
#[derive(Debug)]
pub struct Ended {
    /// Why it ended.
    pub ending: Ending,
    /// Everything that was known, for the summary.
    pub state: State,
    /// What kept the engine's last facts out of the journal when it was left.
    pub unrecorded: Option<Problem>,
    /// Whether another process goes on driving it.
    pub watched: bool,
}

/// Shows a deployment and drives it by the operator's keys, until the operator leaves or something ends it.
///
/// The terminal has been given back when this returns, and the engine, if it was left, has had time for its last facts.
///
/// # Errors
/// The terminal cannot be taken or drawn on.
pub async fn run(handle: Handle, options: Options) -> Result<Ended, Report> {
    let mut view = if options.taken_up {
        View::of(options.look(), &State::default(), Role::Hears)
    } else {
        View::new(options.look())
    };
    view.unfinished = options.unfinished;
    let source = Source {
        updates: Some(handle.updates),
        actions: Some(handle.actions),
        board: Some(handle.board),
    };
    drive(State::default(), view, source, options.mouse).await
}

/// Shows a deployment that is only looked at, on the same screens.
///
/// # Errors
/// The terminal cannot be taken or drawn on.
pub async fn review(state: State, options: Options) -> Result<Ended, Report> {
    let view = View::of(options.look(), &state, Role::Reviews);
    drive(state, view, Source::default(), options.mouse).await
}

/// The engine's end, if there is one.
#[derive(Default)]
struct Source {
    updates: Option<mpsc::UnboundedReceiver<Update>>,
    actions: Option<mpsc::UnboundedSender<Action>>,
    board: Option<Arc<Board>>,
}

/// What woke the loop.
enum Woken {
    Update(Option<Update>),
    Progress,
    Terminal(Option<FromTerminal>),
    Resized,
    Suspend,
    Continued,
    Signal(i32),
    Time,
}

struct Signals {
    resized: Signal,
    suspend: Signal,
    continued: Signal,
    term: Signal,
    hup: Signal,
    int: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            resized: signal(SignalKind::window_change())?,
            suspend: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
            continued: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Woken {
        tokio::select! {
            _ = self.resized.recv() => Woken::Resized,
            _ = self.suspend.recv() => Woken::Suspend,
            _ = self.continued.recv() => Woken::Continued,
            _ = self.term.recv() => Woken::Signal(SignalKind::terminate().as_raw_value()),
            _ = self.hup.recv() => Woken::Signal(SignalKind::hangup().as_raw_value()),
            _ = self.int.recv() => Woken::Signal(SignalKind::interrupt().as_raw_value()),
        }
    }
}

/// Everything that a frame is made of, and what is done with effects.
struct Console {
    state: State,
    live: Live,
    seen: u64,
    view: View,
    screen: Screen,
    source: Source,
}

async fn drive(state: State, mut view: View, source: Source, mouse: bool) -> Result<Ended, Report> {
    view.mouse = mouse;
    let mut signals = Signals::listen().wrap_err("failed to listen for signals")?;
    let screen = Screen::take(mouse).wrap_err("failed to take the terminal")?;
    let (reader, mut keys) = Reader::start().wrap_err("failed to listen for keys")?;
    let mut console = Console {
        state,
        live: Live::default(),
        seen: 0,
        view,
        screen,
        source,
    };
    let ending = match console.follow(&mut signals, &mut keys).await {
        Err(error) if is_gone(&error) => Ok(console.gone(Ending::TerminalGone)),
        ending => ending,
    };
    let Console {
        state,
        view,
        screen,
        source,
        ..
    } = console;
    drop(reader);
    drop(screen);
    let mut state = state;
    let reason = match &ending {
        Ok(Ending::Left | Ending::Attach(_)) => Some("the operator left".to_owned()),
        Ok(Ending::Signal(number)) => Some(format!("signal {number}")),
        Ok(Ending::TerminalGone) => Some("the terminal vanished".to_owned()),
        Ok(
            Ending::NotStarted { .. } | Ending::Blocked(_) | Ending::Settled(_) | Ending::Stopped(_) | Ending::Reviewed,
        ) => None,
        Err(error) => Some(format!("the terminal cannot be drawn on: {error}")),
    };
    let unrecorded = match (reason, source.actions) {
        (Some(reason), Some(actions)) => leave(&reason, &actions, source.updates, &mut state, &mut signals.int).await,
        _ => None,
    };
    let ending = ending.wrap_err_with(|| match &state.plan {
        Some(plan) if state.settled.is_none() && !view.look.passing => format!(
            "failed to draw on the terminal; `{}` takes the deployment up again",
            view.look.again.attach(plan.id)
        ),
        Some(_) | None => "failed to draw on the terminal".to_owned(),
    })?;
    let watched = view.role == Role::Watches;
    Ok(Ended {
        ending,
        state,
        unrecorded,
        watched,
    })
}

/// Tells the engine and waits for its last facts, unless the operator interrupts that, too: what is lost then is looked
/// for when the deployment is taken up again. Returns what kept the last facts out of the journal.
async fn leave(
    reason: &str,
    actions: &mpsc::UnboundedSender<Action>,
    updates: Option<mpsc::UnboundedReceiver<Update>>,
    state: &mut State,
    interrupts: &mut Signal,
) -> Option<Problem> {
    // An engine that is gone needs no word.
    let _ = actions.send(Action::Leave {
        reason: Clean::line(reason),
    });
    let mut updates = updates?;
    let last_words = async {
        while let Some(update) = updates.recv().await {
            match update {
                Update::Fact(fact) => state.apply(&fact),
                Update::Stopped(problem) => return problem,
                Update::Checks(_)
                | Update::Ready(_)
                | Update::Blocked(_)
                | Update::RetryChecked { .. }
                | Update::Watching(_)
                | Update::Orphaned
                | Update::Driving
                | Update::Notice(_) => {}
            }
        }
        None
    };
    tokio::select! {
        unrecorded = last_words => unrecorded,
        () = sleep(LAST_WORDS) => None,
        _ = interrupts.recv() => None,
        // Never ends: it says why nothing happens.
        () = patience() => None,
    }
}

/// Says what is waited for, if that takes longer than people wonder.
async fn patience() {
    sleep(WONDER).await;
    // The terminal may be gone.
    let _ = writeln!(
        io::stderr(),
        "waiting for the answers to what is going out; ctrl-c does not wait"
    );
    std::future::pending().await
}

impl Console {
    /// Draws and waits by turns until something ends it.
    async fn follow(
        &mut self,
        signals: &mut Signals,
        keys: &mut mpsc::UnboundedReceiver<FromTerminal>,
    ) -> io::Result<Ending> {
        let mut dirty = true;
        let mut drawn = Instant::now().checked_sub(FRAME).unwrap_or_else(Instant::now);
        loop {
            if dirty && drawn.elapsed() >= FRAME {
                self.frame()?;
                drawn = Instant::now();
                dirty = false;
            }
            let next = if dirty {
                Some(drawn + FRAME)
            } else {
                self.view.tick(&self.state).map(|tick| drawn + tick)
            };
            let woken = wait(&mut self.source, keys, signals, next, dirty).await;
            dirty = true;
            let effects = match woken {
                Woken::Update(Some(update)) => match self.take_in(update) {
                    Ok(effects) => effects,
                    Err(ending) => return Ok(ending),
                },
                Woken::Update(None) => return Ok(Ending::Stopped(None)),
                Woken::Terminal(Some(FromTerminal::Event(event))) => {
                    guarded(|| update::event(&mut self.view, &self.state, &self.live, &event))
                }
                Woken::Terminal(Some(FromTerminal::Gone) | None) => return Ok(self.gone(Ending::TerminalGone)),
                Woken::Signal(number) => return Ok(self.gone(Ending::Signal(number))),
                Woken::Suspend => vec![Effect::Suspend],
                // The shell had the terminal meanwhile and may have left it in another mode.
                Woken::Continued => {
                    self.screen.retake()?;
                    Vec::new()
                }
                Woken::Resized | Woken::Progress | Woken::Time => Vec::new(),
            };
            for effect in effects {
                let suspended = effect == Effect::Suspend;
                if let Some(ending) = self.carry_out(effect)? {
                    return Ok(ending);
                }
                if suspended {
                    signals.continued.recv().await;
                    self.screen.enter()?;
                }
            }
        }
    }

    /// An ending from outside.
    fn gone(&self, ending: Ending) -> Ending {
        if self.view.role == Role::Reviews {
            Ending::Reviewed
        } else {
            ending
        }
    }

    fn frame(&mut self) -> io::Result<()> {
        if let Some(board) = &self.source.board {
            self.seen = board.refresh(self.seen, &mut self.live);
        }
        let Self {
            state,
            live,
            view,
            screen,
            ..
        } = self;
        guarded(|| {
            view.follow(state);
            let mut painted = None;
            screen
                .terminal
                .draw(|frame| painted = Some(draw(frame, state, live, view, Millis::now())))?;
            if let Some(painted) = painted {
                view.absorb(painted);
            }
            Ok(())
        })
    }

    /// One word of the engine.
    fn take_in(&mut self, update: Update) -> Result<Vec<Effect>, Ending> {
        if let Update::Fact(fact) = &update {
            self.state.apply(fact);
        }
        if let Update::Stopped(problem) = update {
            // What has settled, or was left by the process that drove it, stays on the screen; nothing more can be asked.
            let stays = self.state.settled.is_some() || self.state.left.is_some();
            if problem.is_some() || !stays {
                return Err(Ending::Stopped(problem));
            }
            self.view.role = Role::Reviews;
            self.source.updates = None;
            return Ok(Vec::new());
        }
        Ok(guarded(|| update::told(&mut self.view, &self.state, update)))
    }

    fn carry_out(&mut self, effect: Effect) -> io::Result<Option<Ending>> {
        match effect {
            Effect::Act(action) => {
                let sent = self
                    .source
                    .actions
                    .as_ref()
                    .is_some_and(|actions| actions.send(action).is_ok());
                if !sent {
                    self.view.notice = Some(Notice::say("the engine has stopped: nothing can be asked of it"));
                }
            }
            Effect::Copy(text) => crossterm::execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))?,
            Effect::Save { name, text } => self.view.notice = Some(save(&name, &text)),
            Effect::Mouse(on) => self.screen.mouse(on)?,
            Effect::Suspend => self.screen.suspend()?,
            Effect::Repaint => self.screen.wipe()?,
            Effect::Bell => self.screen.bell()?,
            Effect::Close(closing) => return Ok(Some(self.ending(closing))),
        }
        Ok(None)
    }

    /// Why the operator's leaving ends it.
    fn ending(&self, closing: Closing) -> Ending {
        if let Closing::Attach(id) = closing {
            return Ending::Attach(id);
        }
        if self.view.role == Role::Reviews {
            return Ending::Reviewed;
        }
        let unsettled = self.state.plan.is_some() && self.state.settled.is_none();
        if unsettled || self.view.is_under_way(&self.state) {
            return Ending::Left;
        }
        match (&self.state.settled, &self.view.preflight.readiness) {
            (Some((outcome, _)), _) => Ending::Settled(*outcome),
            (None, Readiness::Blocked(problems)) if closing == Closing::Quit => Ending::Blocked(problems.clone()),
            (None, _) => Ending::NotStarted {
                interrupted: closing == Closing::Interrupted,
            },
        }
    }
}

/// Waits for whatever comes first. Progress is only waited for while no frame is due anyway.
async fn wait(
    source: &mut Source,
    keys: &mut mpsc::UnboundedReceiver<FromTerminal>,
    signals: &mut Signals,
    next: Option<Instant>,
    dirty: bool,
) -> Woken {
    let Source { updates, board, .. } = source;
    let update = async {
        match updates {
            Some(updates) => updates.recv().await,
            None => std::future::pending().await,
        }
    };
    let progress = async {
        match board {
            Some(board) if !dirty => board.changed().await,
            _ => std::future::pending().await,
        }
    };
    let time = async {
        match next {
            Some(next) => sleep_until(next.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        key = keys.recv() => Woken::Terminal(key),
        signal = signals.next() => signal,
        () = time => Woken::Time,
        update = update => Woken::Update(update),
        () = progress => Woken::Progress,
    }
}

/// Writes a text to a new file in the working directory.
fn save(name: &str, text: &str) -> Notice {
    use std::os::unix::fs::OpenOptionsExt;
    for serial in 0..100 {
        let name = if serial == 0 {
            name.to_owned()
        } else {
            format!("{name}.{serial}")
        };
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&name);
        match file.and_then(|mut file| file.write_all(text.as_bytes())) {
            Ok(()) => return Notice::say(format!("saved to {name}")),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Notice {
                    bad: true,
                    ..Notice::say(format!("failed to save to {name}: {error}"))
                };
            }
        }
    }
    Notice {
        bad: true,
        ..Notice::say(format!("failed to save: {name} and 99 others exist already"))
    }
}
