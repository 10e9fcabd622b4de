//! A commit's tree as a tar stream, by `git archive`: the image holds what the SHA says, whatever lies in the working
//! directory.

use std::io::{self, Read};
use std::process::ExitStatus;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdout};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::cli::{self, Cli};
use super::filter::Filter;
use super::pipe::{self, CHUNK, Chunks};
use super::rewrite::{self, Halt};
use crate::engine::ports::Context;
use crate::names::CommitId;
use crate::problem::{Kind, Problem};

/// How much of what git says is kept.
const SAID_MAX: u64 = 16 * 1024;

/// What no operator's configuration may change, so that all of them build the same image from a commit. Without the umask
/// files would be 0664, which is part of the layer and of the cache key.
const SETTINGS: [&str; 6] = ["-c", "tar.umask=0022", "-c", "core.autocrlf=false", "-c", "core.eol=lf"];

/// Starts the stream of what `filter` lets through.
pub(super) fn start(git: &Cli, commit: &CommitId, filter: Filter) -> Result<Context, Problem> {
    let (archive, bytes) = Archive::start(git, commit, &filter.folder)?;
    Ok(if filter.is_none() {
        pipe::context(|sender| tokio::spawn(pass(archive, bytes, sender)))
    } else {
        pipe::context(|sender| tokio::task::spawn_blocking(move || choose(archive, bytes, sender, &filter)))
    })
}

/// A running `git archive`.
struct Archive {
    child: Child,
    said: JoinHandle<Vec<u8>>,
    commit: CommitId,
}

impl Archive {
    /// The folder is given as a path beside the commit, not as `commit:folder`: that tree would have no commit, so every
    /// file would have the time of the build, and attributes of the folders above would not count.
    fn start(git: &Cli, commit: &CommitId, folder: &str) -> Result<(Self, ChildStdout), Problem> {
        let archive = ["archive", "--format=tar", commit.as_str()];
        let folder = (!folder.is_empty()).then_some(["--", folder]);
        let mut child = git
            .command(SETTINGS.into_iter().chain(archive).chain(folder.into_iter().flatten()))
            .spawn()
            .map_err(|error| cli::cannot_run(&error, git.folder()))?;
        let (Some(bytes), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Problem::new(
                Kind::Unexpected,
                "git archive was started without pipes",
                "",
            ));
        };
        let archive = Self {
            child,
            said: tokio::spawn(listen(errors)),
            commit: commit.clone(),
        };
        Ok((archive, bytes))
    }

    /// Whether git says that it wrote everything. Called after the end of its output, or to learn why that was torn.
    async fn finish(mut self) -> Result<(), Problem> {
        let status = self.child.wait().await.map_err(|error| self.torn(&error.to_string()))?;
        if status.success() {
            return Ok(());
        }
        let said = cli::said(&self.said.await.unwrap_or_default());
        Err(Self::broken(&self.commit, status, &said))
    }

    fn broken(commit: &CommitId, status: ExitStatus, said: &str) -> Problem {
        let commit = commit.short();
        let what = format!("git archive of {commit} broke off ({status}), so the build context is not whole");
        let what = if said.is_empty() {
            what
        } else {
            format!("{what}: git says: {said}")
        };
        Problem::new(
            Kind::Build,
            what,
            format!("see what git archive {commit} does in a shell, then try the build again"),
        )
    }

    /// The stream makes no sense though git is content with it.
    fn torn(&self, why: &str) -> Problem {
        let what = format!("cannot read what git archive made of {}: {why}", self.commit.short());
        Problem::new(
            Kind::Build,
            what,
            "try the build again; git fsck tells whether the repository is whole",
        )
    }
}

/// Keeps the beginning of what git says, and reads on so that git never waits.
async fn listen(mut errors: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut said = Vec::new();
    let _ = (&mut errors).take(SAID_MAX).read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
    said
}

/// Hands the archive on as it is.
async fn pass(archive: Archive, mut bytes: ChildStdout, sender: mpsc::Sender<Bytes>) -> Result<(), Problem> {
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        while chunk.len() < CHUNK {
            match bytes.read_buf(&mut chunk).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return Err(archive.torn(&error.to_string())),
            }
        }
        let last = chunk.len() < CHUNK;
        // Nobody reads any more: git ends with its handle.
        if !chunk.is_empty() && sender.send(chunk.freeze()).await.is_err() {
            return Ok(());
        }
        if last {
            return archive.finish().await;
        }
    }
}

/// Hands on what the filter lets through. Blocks.
fn choose(archive: Archive, bytes: ChildStdout, sender: mpsc::Sender<Bytes>, filter: &Filter) -> Result<(), Problem> {
    let runtime = Handle::current();
    let input = Input {
        bytes,
        runtime: runtime.clone(),
        sender: sender.clone(),
    };
    match rewrite::copy(input, Chunks::new(sender), filter) {
        Ok(()) => runtime.block_on(archive.finish()),
        Err(Halt::Refused(problem)) => Err(problem),
        // The producer's own failure is the cause, and so comes first.
        Err(Halt::Torn(error)) => {
            let torn = archive.torn(&error.to_string());
            runtime.block_on(archive.finish())?;
            Err(torn)
        }
    }
}

/// git's output for a blocking reader; it ends when nobody reads the other end any more.
struct Input {
    bytes: ChildStdout,
    runtime: Handle,
    sender: mpsc::Sender<Bytes>,
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { bytes, runtime, sender } = self;
        runtime.block_on(async {
            tokio::select! {
                read = bytes.read(buffer) => read,
                () = sender.closed() => Err(io::ErrorKind::BrokenPipe.into()),
            }
        })
    }
}
