//! Running the operator's own git: his safe.directory, filters, LFS and linked worktrees count as they do in his shell.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::problem::{Kind, Problem};

/// git in one folder.
#[derive(Debug, Clone)]
pub(super) struct Cli {
    folder: PathBuf,
}

impl Cli {
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A git command that asks nobody anything, takes no locks of convenience, speaks English, and ends with its handle.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new("git");
        command
            .current_dir(&self.folder)
            .env("LC_ALL", "C")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            // A path is a path, whatever characters it has.
            .env("GIT_LITERAL_PATHSPECS", "1")
            // The image is to hold the files, not the pointers to them.
            .env_remove("GIT_LFS_SKIP_SMUDGE")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs git to its end, whatever it answers.
    pub async fn ask<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<Output, Problem> {
        self.command(args)
            .output()
            .await
            .map_err(|error| cannot_run(&error, &self.folder))
    }

    /// Runs git and takes in the first `max` bytes of what it prints, so that a text that anybody may have committed costs no
    /// more than that. git is stopped where it has more to say, which counts as success.
    pub async fn start_of<S: AsRef<OsStr>>(
        &self,
        doing: &str,
        args: impl IntoIterator<Item = S>,
        max: usize,
    ) -> Result<Vec<u8>, Problem> {
        let cannot_run = |error| cannot_run(&error, &self.folder);
        let mut git = self.command(args).spawn().map_err(cannot_run)?;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let printed = git.stdout.take().map(|pipe| pipe.take(max as u64));
        let said = git.stderr.take().map(|pipe| pipe.take(max as u64));
        let (printed, said) = tokio::join!(read(printed, &mut stdout), read(said, &mut stderr));
        printed.and(said).map_err(cannot_run)?;
        if stdout.len() >= max {
            return Ok(stdout);
        }
        let status = git.wait().await.map_err(cannot_run)?;
        if status.success() {
            Ok(stdout)
        } else {
            Err(failed(doing, &Output { status, stdout, stderr }))
        }
    }

    /// What git printed, as text; `doing` is what failed when it did not succeed ("cannot " comes before it).
    pub async fn text<S: AsRef<OsStr>>(
        &self,
        doing: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Result<String, Problem> {
        let output = self.ask(args).await?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(failed(doing, &output))
        }
    }

    /// The NUL-separated items that git printed.
    pub async fn items<S: AsRef<OsStr>>(
        &self,
        doing: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Vec<Vec<u8>>, Problem> {
        let output = self.ask(args).await?;
        if !output.status.success() {
            return Err(failed(doing, &output));
        }
        Ok(output
            .stdout
            .split(|byte| *byte == 0)
            .filter(|item| !item.is_empty())
            .map(<[u8]>::to_vec)
            .collect())
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> io::Result<usize> {
    match pipe {
        Some(mut pipe) => pipe.read_to_end(into).await,
        None => Ok(0),
    }
}

/// git is not there, or can't be started.
pub(super) fn cannot_run(error: &io::Error, folder: &Path) -> Problem {
    if error.kind() == io::ErrorKind::NotFound && folder.is_dir() {
        return Problem::new(
            Kind::Config,
            "cannot run git: it is not installed, or not on PATH",
            "install git (apt-get install git, brew install git)",
        );
    }
    let folder = folder.display();
    Problem::new(
        Kind::Config,
        format!("cannot run git in {folder}: {error}"),
        "see that the folder can be entered and git can be run there",
    )
}

/// git ran and did not do it.
pub(super) fn failed(doing: &str, output: &Output) -> Problem {
    let said = said(&output.stderr);
    let why = if said.is_empty() {
        output.status.to_string()
    } else {
        said
    };
    Problem::new(
        Kind::Config,
        format!("cannot {doing}: git says: {why}"),
        "try the same with git in a shell; git fsck tells whether the repository is whole",
    )
}

/// What git wrote to stderr, without its prefix and its hints.
pub(super) fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines = text.lines().filter(|line| !line.starts_with("hint:"));
    let lines = lines.map(|line| line.trim_start_matches("fatal: ").trim_start_matches("error: ").trim());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}
