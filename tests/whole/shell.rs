//! The binary in a home of its own: run to its end, followed line by line, or in a terminal.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;
use rustix::process::{Pid, Signal, kill_process};

use crate::pty::Pty;

/// How long anything may take that is waited for.
pub const LONG: Duration = Duration::from_secs(40);

/// The time between two looks whether a command has ended.
const GLANCE: Duration = Duration::from_millis(20);

/// Where commands are run, and with which environment.
#[derive(Clone)]
pub struct Place {
    home: PathBuf,
    folder: PathBuf,
    environment: Vec<(String, String)>,
}

impl Place {
    /// A home in which nothing is set.
    pub fn new(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
            folder: home.to_owned(),
            environment: Vec::new(),
        }
    }

    /// The same home, in this folder and with this environment.
    pub fn with(&self, folder: &Path, environment: Vec<(String, String)>) -> Self {
        Self {
            home: self.home.clone(),
            folder: folder.to_owned(),
            environment,
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn variables(&self) -> Vec<(OsString, OsString)> {
        let mut variables = vec![
            ("PATH".into(), std::env::var_os("PATH").unwrap_or_default()),
            ("HOME".into(), self.home.clone().into_os_string()),
            ("TZ".into(), "UTC".into()),
            ("USER".into(), "ada".into()),
        ];
        variables.extend(self.environment.iter().map(|(name, value)| (name.into(), value.into())));
        variables
    }

    pub fn command(&self, line: &str) -> Command {
        self.wrapped(env!("CARGO_BIN_EXE_quarterdeck"), line)
    }

    /// Another program, with the same surroundings.
    pub fn wrapped(&self, program: &str, line: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(line.split_whitespace())
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.variables())
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, line: &str) -> Ran {
        Ran::new(&self.command(line).output().expect("the binary runs"))
    }

    /// Starts it and follows what it says.
    pub fn start(&self, line: &str) -> Running {
        Running::of(self.command(line))
    }

    /// Starts it in a terminal of 80x24.
    pub fn terminal(&self, line: &str) -> Pty {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_quarterdeck"));
        command.args(line.split_whitespace());
        command.cwd(&self.folder);
        command.env_clear();
        for (name, value) in self.variables() {
            command.env(name, value);
        }
        command.env("TERM", "xterm-256color");
        Pty::start(command, 80, 24)
    }
}

/// What came of a command.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("only text is written");
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// It ended with this code, and said this.
    #[track_caller]
    pub fn ended(&self, code: i32, says: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(
            self.out.contains(says) || self.err.contains(says),
            "{says:?} was not said: {self:#?}"
        );
    }
}

/// A command that runs.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Running {
    pub fn of(mut command: Command) -> Self {
        command.stdout(Stdio::piped());
        let mut running = Self::unread(command);
        let out = running.child.stdout.take().expect("it is a pipe");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        running.lines = lines;
        running
    }

    /// Starts a command whose output is nobody's business here.
    pub fn unread(mut command: Command) -> Self {
        Self {
            child: command.stderr(Stdio::piped()).spawn().expect("the binary runs"),
            lines: channel().1,
            said: Vec::new(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with this text.
    ///
    /// # Panics
    /// It does not come.
    pub fn says(&mut self, text: &str) -> String {
        self.says_times(text, 1)
    }

    /// Waits for so many lines with this text, and returns the last.
    pub fn says_times(&mut self, text: &str, times: usize) -> String {
        let end = Instant::now() + LONG;
        let mut left = times;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push(line.clone());
                    left -= usize::from(line.contains(text));
                    if left == 0 {
                        return line;
                    }
                }
                Err(_) => panic!("{text:?} is not said {times} times:\n{}", self.said.join("\n")),
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is still there");
    }

    /// Waits for its end.
    pub fn end(&mut self) -> Ran {
        let end = Instant::now() + LONG;
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.said.push(line);
        }
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                break status;
            }
            assert!(Instant::now() < end, "it does not end:\n{}", self.said.join("\n"));
            thread::sleep(GLANCE);
        };
        let mut err = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            std::io::Read::read_to_string(&mut stderr, &mut err).expect("only text is written");
        }
        Ran {
            code: status.code(),
            out: self.said.join("\n"),
            err,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
