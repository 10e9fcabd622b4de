//! The real binary, in a terminal or without one, and what the kernel says it costs.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};

/// The binary that was built with this bench, optimised alike.
const BINARY: &str = env!("CARGO_BIN_EXE_quarterdeck");
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(900);
const COLUMNS: u16 = 120;
const ROWS: u16 = 40;

/// What has to be set so that a program reaches a rehearsal's stand-ins, and where its repository is.
pub struct Scene {
    server: Child,
    variables: Vec<(String, String)>,
    folder: PathBuf,
}

impl Scene {
    /// Serves the stand-ins of a rehearsal from a process of their own, until this is dropped.
    pub fn serve(options: &[&str]) -> Self {
        let mut scene = Self {
            server: Command::new(BINARY)
                .args(["rehearse", "--serve", "--docker", "stand-in"])
                .args(options)
                .stdout(Stdio::piped())
                .spawn()
                .expect("the binary starts"),
            variables: Vec::new(),
            folder: PathBuf::new(),
        };
        let output = BufReader::new(scene.server.stdout.take().expect("its output is piped"));
        for line in output.lines() {
            let line = line.expect("it prints text");
            if let Some((name, value)) = line.strip_prefix("export ").and_then(|line| line.split_once('=')) {
                scene.variables.push((name.to_owned(), value.to_owned()));
            }
            if let Some(folder) = line.strip_prefix("cd ") {
                scene.folder = folder.into();
                return scene;
            }
        }
        panic!("the stand-ins did not start")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // By a signal that it heeds, so that its files go with it.
        let pid = i32::try_from(self.server.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.server.wait();
    }
}

/// A program in a terminal of its own.
pub struct Terminal {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    output: Receiver<(Instant, Vec<u8>)>,
    parser: vt100::Parser,
    /// Just before it was started.
    pub started: Instant,
}

impl Terminal {
    /// Starts the binary with these arguments, a state folder of its own, and the way to `scene`, if there is one.
    pub fn start(arguments: &[&str], state: &Path, scene: Option<&Scene>) -> Self {
        let mut command = CommandBuilder::new(BINARY);
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env("QUARTERDECK_STATE_DIR", state);
        if let Some(scene) = scene {
            command.cwd(&scene.folder);
            for (name, value) in &scene.variables {
                command.env(name, value);
            }
        }
        let size = PtySize {
            rows: ROWS,
            cols: COLUMNS,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size).expect("the system has terminals");
        let mut reader = pair.master.try_clone_reader().expect("a terminal can be read");
        let keys = pair.master.take_writer().expect("a terminal can be typed on");
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 16 * 1024];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                if sender.send((Instant::now(), bytes[..count].to_vec())).is_err() {
                    break;
                }
            }
        });
        let started = Instant::now();
        let child = pair.slave.spawn_command(command).expect("the binary starts");
        Self {
            child,
            _master: pair.master,
            keys,
            output,
            parser: vt100::Parser::new(
                NonZeroU16::new(ROWS).expect("a terminal has rows"),
                NonZeroU16::new(COLUMNS).expect("a terminal has columns"),
                0,
            ),
            started,
        }
    }

    /// Waits until the screen is as it should be; the moment at which its last bytes came.
    pub fn wait_for(&mut self, what: &str, is_there: impl Fn(&str) -> bool) -> Instant {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = || self.parser.screen().contents();
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok((at, bytes)) => {
                    self.parser.process(&bytes);
                    if is_there(&self.parser.screen().contents()) {
                        return at;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("waited for {what} on\n{}", screen())
                }
            }
        }
    }

    /// Types.
    pub fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self.keys.flush().expect("the terminal takes keys");
    }

    /// The processor time that it takes in so long, as a share of one processor. What it shows meanwhile is passed over.
    pub fn processor_share(&mut self, time: Duration) -> f64 {
        let before = processor_time(self.pid());
        assert!(!before.is_zero(), "the kernel keeps count");
        let begin = Instant::now();
        while let Some(left) = time.checked_sub(begin.elapsed()) {
            if let Ok((_, bytes)) = self.output.recv_timeout(left) {
                self.parser.process(&bytes);
            }
        }
        let spent = processor_time(self.pid()).saturating_sub(before);
        spent.as_secs_f64() / begin.elapsed().as_secs_f64()
    }

    /// The most memory that it has had so far, in bytes.
    pub fn peak(&self) -> u64 {
        peak(self.pid())
    }

    fn pid(&self) -> u32 {
        self.child.process_id().expect("it runs")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The most memory that a process has had, in bytes.
pub fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.map(|line| line.trim().trim_end_matches(" kB").parse::<u64>());
    number.expect("the kernel tells the peak").expect("as a number") * 1024
}

/// The processor time that a process's threads have taken. The scheduler's own count, which is finer than `stat`'s ticks.
fn processor_time(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let nanos = threads.flatten().filter_map(|thread| {
        let told = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        told.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}
