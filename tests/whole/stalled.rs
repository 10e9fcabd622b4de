//! A reader that stops to read: the deployment goes on, and whoever ends it is heard.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;

use rustix::fs::OFlags;
use rustix::process::Signal;

use crate::served::{SLOW, Served};
use crate::shell::{LONG, Running};

/// A named pipe, of which every opening has its own flags.
struct Pipe {
    path: PathBuf,
    /// Open at both ends, so that neither end is ever without the other.
    both: File,
}

impl Pipe {
    fn new(served: &Served, folder: &Path) -> Self {
        let path = folder.join("out");
        let made = served.place.wrapped("mkfifo", &path.display().to_string()).status();
        assert!(made.expect("mkfifo runs").success());
        let both = OpenOptions::new().read(true).write(true).open(&path);
        Self {
            path,
            both: both.expect("it opens"),
        }
    }

    fn writer(&self) -> File {
        let writer = OpenOptions::new().write(true).open(&self.path);
        writer.expect("it opens")
    }

    /// Reads until `text` has come so many times, and nothing after that.
    fn read_until(&self, text: &'static str, times: usize) {
        let both = self.both.try_clone().expect("it can be shared");
        let (sender, read) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(both).lines().map_while(Result::ok);
            let found = lines.filter(|line| line.contains(text)).take(times).count();
            // Whoever waited for it may have lost patience.
            let _ = sender.send(found);
        });
        assert_eq!(read.recv_timeout(LONG), Ok(times), "{text:?} is not said {times} times");
    }

    /// Fills it, so that whoever writes to it waits.
    fn fill(&self) {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let writer = OpenOptions::new().write(true).custom_flags(flags).open(&self.path);
        let mut writer = writer.expect("it opens");
        for bytes in [&[b'.'; 4096][..], b"."] {
            let full = loop {
                if let Err(error) = writer.write(bytes) {
                    break error;
                }
            };
            assert_eq!(full.kind(), ErrorKind::WouldBlock, "{full}");
        }
    }
}

/// It is left in order: nothing is lost, and the exit code is the one that a reader would have seen.
#[test]
fn a_reader_that_stalls_holds_up_neither_the_deployment_nor_leaving() {
    for (signal, wait) in [(Some(Signal::TERM), ""), (None, " --wait-timeout 6s")] {
        let served = Served::start(SLOW.0, 2);
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let pipe = Pipe::new(&served, folder.path());
        let mut command = served.place.command(&format!("deploy -y --progress plain{wait}"));
        command.stdout(pipe.writer());
        let mut running = Running::unread(command);
        pipe.read_until("command taken by SSM", 4);
        pipe.fill();
        if let Some(signal) = signal {
            running.signal(signal);
        }
        let ran = running.end();
        ran.ended(9, "");
        assert_eq!(ran.err, "");
        let reason = if signal.is_some() { "SIGTERM" } else { "waited for 6s" };
        let left = served.place.run("journal export latest");
        let last = left.out.lines().last().unwrap_or_default();
        assert!(last.contains("deployment-left") && last.contains(reason), "{last}");
        served
            .place
            .run("attach --progress quiet")
            .ended(0, "10 of 10 hosts succeeded");
    }
}
