//! The binary, as a shell sees it: what it prints where, and its exit codes.

mod attaches;
mod bad_input;
mod prints;
mod readme;
mod rehearses;

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The binary in a folder of its own, with nothing of this machine's settings in its environment.
struct Shell {
    home: tempfile::TempDir,
}

impl Shell {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().expect("a temporary folder can be made"),
        }
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("the temporary folder can be written");
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
        command
            .args(line.split_whitespace())
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Ran {
        let output = self.command(line).output().expect("the binary runs");
        Ran::new(&output)
    }
}

/// What came of it.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("only text is written");
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// It ended with this code, and said this on standard error.
    #[track_caller]
    fn failed(&self, code: i32, says: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(self.err.contains(says), "{says:?} was not said: {self:#?}");
        assert!(
            !self.err.contains('\u{1b}'),
            "an escape sequence was written: {self:#?}"
        );
    }

    /// It went well, and nothing was said on standard error.
    #[track_caller]
    fn went_well(&self) -> &str {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{self:#?}");
        &self.out
    }
}
