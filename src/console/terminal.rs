//! The terminal: taken once, given back on every way out, and watched for keys without ever spinning.

use std::cell::Cell;
use std::io::{self, IsTerminal, Stdout, Write};
use std::mem::ManuallyDrop;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use crossterm::event::{
    self, DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event,
};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::mpsc;

/// Whether the terminal is in the console's hands.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// What panicked elsewhere meanwhile; printed when the terminal has been given back.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

thread_local! {
    /// Whether this thread is drawing or handling a key: its panic ends the console.
    static IN_CONSOLE: Cell<bool> = const { Cell::new(false) };
}

/// The terminal in the console's hands. Dropping it gives it back.
pub(super) struct Screen {
    /// What is drawn on. Never dropped: ratatui's `Drop` prints when it fails, and where the terminal has vanished that
    /// panics, before the engine has been left in order.
    pub terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
    mouse: bool,
}

impl Screen {
    /// Takes the terminal: raw mode, alternate screen, bracketed paste, and the mouse if asked.
    ///
    /// # Errors
    /// Standard input or output is not a terminal, or the terminal refuses.
    pub fn take(mouse: bool) -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::other(
                "standard input and output are not a terminal; --progress plain needs none",
            ));
        }
        hook_panics();
        let mut screen = Self {
            terminal: ManuallyDrop::new(Terminal::new(CrosstermBackend::new(io::stdout()))?),
            mouse,
        };
        screen.enter()?;
        Ok(screen)
    }

    /// Takes it (again).
    pub fn enter(&mut self) -> io::Result<()> {
        TAKEN.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
        self.mouse(self.mouse)?;
        self.wipe()
    }

    /// Forgets what is on the screen, so that the next frame draws all of it.
    ///
    /// Not by ratatui's `clear`: that asks the terminal where its cursor is, which waits two seconds for terminals that
    /// do not answer, fails, and takes the answer away from the thread that reads keys.
    pub fn wipe(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    /// Takes the mouse or gives it back.
    pub fn mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        if on {
            execute!(io::stdout(), EnableMouseCapture)
        } else {
            execute!(io::stdout(), DisableMouseCapture)
        }
    }

    /// Rings once.
    pub fn bell(&mut self) -> io::Result<()> {
        let mut out = io::stdout();
        out.write_all(b"\x07")?;
        out.flush()
    }

    /// Takes it anew after somebody else may have had it.
    pub fn retake(&mut self) -> io::Result<()> {
        give_back();
        self.enter()
    }

    /// Gives it back for the shell and stops the whole job. SIGCONT says when it may be taken again, and not this call's
    /// return: another thread may have taken the signal, and this one runs on for a moment.
    ///
    /// SIGSTOP and not SIGTSTP: the latter is being listened to and would not stop anything.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        Ok(rustix::process::kill_current_process_group(
            rustix::process::Signal::STOP,
        )?)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
        let panics = std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner));
        for panic in panics {
            // Nowhere is left to report a failure to.
            let _ = writeln!(io::stderr(), "{panic}");
        }
    }
}

/// Gives the terminal back, once. Every step is tried: one that fails must not keep the others from being done.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _ = execute!(out, DisableMouseCapture);
    let _ = execute!(out, DisableBracketedPaste);
    let _ = execute!(out, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

/// Runs a part of the console in which a panic means its end.
pub(super) fn guarded<T>(part: impl FnOnce() -> T) -> T {
    IN_CONSOLE.with(|inside| inside.set(true));
    let result = part();
    IN_CONSOLE.with(|inside| inside.set(false));
    result
}

/// A panic of the console gives the terminal back and is reported as usual. One of another task, which goes on without
/// it, must not write across the screen: it is kept until the terminal has been given back.
fn hook_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            if IN_CONSOLE.with(Cell::get) {
                give_back();
            }
            if TAKEN.load(Ordering::SeqCst) {
                PANICS
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(info.to_string());
            } else {
                usual(info);
            }
        }));
    });
}

/// What comes from the terminal.
#[derive(Debug)]
pub(super) enum FromTerminal {
    /// A key, a click, a paste.
    Event(Event),
    /// The terminal is gone.
    Gone,
}

/// A thread of its own that waits for keys. It sleeps in `poll` and wakes for nothing else; when the terminal vanishes
/// it says so and ends, where crossterm's own reader would spin for ever (crossterm issue 793).
pub(super) struct Reader {
    stop: UnixStream,
    /// Closed when the thread has ended.
    ended: std::sync::mpsc::Receiver<()>,
}

/// How long crossterm may look for an event that is there: with no time at all it does not look.
const GLANCE: Duration = Duration::from_millis(1);

/// How long the end of the thread is waited for. A terminal that vanishes between two looks at it leaves crossterm
/// spinning: the process must end all the same, and the thread with it.
const GOODBYE: Duration = Duration::from_millis(250);

impl Reader {
    /// Starts it.
    ///
    /// # Errors
    /// The process is out of descriptors or threads.
    pub fn start() -> io::Result<(Self, mpsc::UnboundedReceiver<FromTerminal>)> {
        let (events, receiver) = mpsc::unbounded_channel();
        let (stop, stopped) = UnixStream::pair()?;
        let (ending, ended) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
            let _ending: std::sync::mpsc::Sender<()> = ending;
            if read(&stopped, &events).is_err() {
                let _ = events.send(FromTerminal::Gone);
            }
        })?;
        Ok((Self { stop, ended }, receiver))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.stop.shutdown(std::net::Shutdown::Both);
        let _ = self.ended.recv_timeout(GOODBYE);
    }
}

/// Reads until it is stopped (`Ok`) or the terminal is gone (`Err`).
fn read(stopped: &UnixStream, events: &mpsc::UnboundedSender<FromTerminal>) -> io::Result<()> {
    let stdin = io::stdin();
    loop {
        let mut fds = [
            PollFd::new(&stdin, PollFlags::IN),
            PollFd::from_borrowed_fd(stopped.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let [keys, stop] = fds.map(|fd| fd.revents());
        if !stop.is_empty() {
            return Ok(());
        }
        if keys.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        while event::poll(GLANCE)? {
            if events.send(FromTerminal::Event(event::read()?)).is_err() {
                return Ok(());
            }
        }
    }
}

/// Whether an error of the terminal means that it is gone.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
        || error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error())
        || error.kind() == io::ErrorKind::BrokenPipe
}
