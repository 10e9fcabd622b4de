//! A program in a terminal of its own: what it shows, what it is sent, and in what state it leaves the terminal.
//!
//! A test binary takes it in with `#[path = "../common/pty.rs"] mod pty;`.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// How long a program may take for what it is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time between two looks whether a program has ended.
const GLANCE: Duration = Duration::from_millis(20);

/// A program in a terminal.
pub struct Pty {
    child: Box<dyn Child + Send + Sync>,
    /// `None` once the terminal has vanished.
    master: Option<Box<dyn MasterPty + Send>>,
    keys: Option<Box<dyn Write + Send>>,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    termios: String,
}

impl Pty {
    /// Starts it in a terminal of `columns` x `rows`.
    ///
    /// # Panics
    /// There are no terminals, or no such program.
    pub fn start(command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let size = PtySize {
            rows,
            cols: columns,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size).expect("the system has terminals");
        let termios = termios(pair.master.as_ref());
        let mut reader = pair.master.try_clone_reader().expect("a terminal can be read");
        let keys = pair.master.take_writer().expect("a terminal can be typed on");
        let child = pair.slave.spawn_command(command).expect("the program starts");
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            master: Some(pair.master),
            keys: Some(keys),
            output,
            parser: vt100::Parser::new(nonzero(rows), nonzero(columns), 1000),
            termios,
        }
    }

    /// Waits until the screen has `text`, and returns the screen.
    ///
    /// # Panics
    /// It does not appear in time.
    pub fn wait_for(&mut self, text: &str) -> String {
        self.wait_for_times(text, 1)
    }

    /// Waits until the screen has `text` so many times, and returns the screen.
    ///
    /// # Panics
    /// It does not appear so often in time.
    pub fn wait_for_times(&mut self, text: &str, times: usize) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.parser.screen().contents();
            if screen.matches(text).count() >= times {
                return screen;
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.parser.process(&bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{text:?} does not appear {times} times on\n{screen}")
                }
            }
        }
    }

    /// Types.
    ///
    /// # Panics
    /// The terminal has vanished.
    pub fn type_keys(&mut self, keys: &str) {
        let terminal = self.keys.as_mut().expect("the terminal is there");
        terminal.write_all(keys.as_bytes()).expect("the terminal takes keys");
        terminal.flush().expect("the terminal takes keys");
    }

    /// Sends a signal to the program.
    ///
    /// # Panics
    /// It is gone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the program runs");
    }

    /// Waits until the program has given the terminal back and stopped itself, as ctrl-z has it do.
    ///
    /// # Panics
    /// It does not in time.
    pub fn wait_until_stopped(&mut self) {
        let end = Instant::now() + PATIENCE;
        let stops = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        let stopped = || waitid(WaitId::Pid(self.pid()), stops).expect("the program can be waited for");
        while stopped().is_none() {
            assert!(Instant::now() < end, "it does not stop:\n{}", self.screen());
            thread::sleep(GLANCE);
        }
        // What it wrote before may still be on its way.
        while !self.taken().is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.parser.process(&bytes),
                Err(_) => panic!("stopped, and {:?}", self.taken()),
            }
        }
    }

    /// Makes the terminal another size.
    ///
    /// # Panics
    /// The terminal has vanished.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let size = PtySize {
            rows,
            cols: columns,
            ..PtySize::default()
        };
        self.parser.set_size(nonzero(rows), nonzero(columns));
        let master = self.master.as_ref().expect("the terminal is there");
        master.resize(size).expect("a terminal can be resized");
    }

    fn pid(&self) -> Pid {
        let pid = self.child.process_id().and_then(|pid| i32::try_from(pid).ok());
        pid.and_then(Pid::from_raw).expect("the program runs")
    }

    /// Takes the terminal away, as a closed window or a dropped connection does.
    pub fn vanish(&mut self) {
        self.keys = None;
        self.master = None;
        // The reader has the last hold on it, and lets go when nobody takes what it reads next.
        self.output = channel().1;
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    /// It does not end in time.
    pub fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the program can be waited for") {
                // What it said last.
                while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(100)) {
                    self.parser.process(&bytes);
                }
                return status;
            }
            assert!(
                Instant::now() < end,
                "it does not end:\n{}",
                self.parser.screen().contents()
            );
            match self.output.recv_timeout(GLANCE) {
                Ok(bytes) => self.parser.process(&bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::sleep(GLANCE),
            }
        }
    }

    /// Whether the terminal is in the program's hands: what it changed and has not changed back.
    pub fn taken(&self) -> Vec<&'static str> {
        let screen = self.parser.screen();
        let now = self.master.as_ref().map(|master| termios(master.as_ref()));
        [
            (screen.alternate_screen(), "the alternate screen is shown"),
            (screen.hide_cursor(), "the cursor is hidden"),
            (screen.bracketed_paste(), "pastes are bracketed"),
            (
                screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None,
                "the mouse is captured",
            ),
            (
                now.is_some_and(|now| now != self.termios),
                "the line discipline is changed",
            ),
        ]
        .into_iter()
        .filter_map(|(taken, what)| taken.then_some(what))
        .collect()
    }

    /// What stands on the screen.
    pub fn screen(&self) -> String {
        self.parser.screen().contents()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
    }
}

fn nonzero(size: u16) -> NonZeroU16 {
    NonZeroU16::new(size).expect("a terminal has rows and columns")
}

fn termios(master: &(dyn MasterPty + Send)) -> String {
    format!("{:?}", master.get_termios())
}
