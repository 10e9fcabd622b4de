//! Finding the repository around a folder.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use super::cli::{self, Cli};
use crate::problem::{Kind, Problem};

/// The top level of the repository that `start` lies in; it has at least one commit.
pub(super) async fn top_level(start: &Path) -> Result<PathBuf, Problem> {
    if !start.is_dir() {
        let start = start.display();
        return Err(Problem::new(
            Kind::Config,
            format!("there is no folder {start}"),
            "name a folder of the repository that is deployed",
        ));
    }
    let git = Cli::at(start);
    let found = git.ask(["rev-parse", "--show-toplevel"]).await?;
    if !found.status.success() {
        return Err(not_found(start, &git, &found).await);
    }
    let mut path = found.stdout;
    path.pop_if(|last| *last == b'\n');
    let root = PathBuf::from(OsString::from_vec(path));
    let any = Cli::at(&root)
        .text("look for commits", ["rev-list", "--all", "--max-count=1"])
        .await?;
    if any.is_empty()
        && !Cli::at(&root)
            .ask(["rev-parse", "--verify", "--quiet", "HEAD"])
            .await?
            .status
            .success()
    {
        let root = root.display();
        return Err(Problem::new(
            Kind::Config,
            format!("the repository {root} has no commit yet"),
            "commit what is to be deployed first",
        ));
    }
    Ok(root)
}

/// Why git does not tell the top level.
async fn not_found(start: &Path, git: &Cli, answer: &Output) -> Problem {
    let said = cli::said(&answer.stderr);
    let start = start.display();
    if said.contains("dubious ownership") {
        return Problem::new(
            Kind::Config,
            format!("git does not trust the repository around {start}: it belongs to another user"),
            format!(
                "if you trust it: git config --global --add safe.directory {}",
                owned_path(&said)
            ),
        );
    }
    if said.contains("not a git repository") {
        return Problem::new(
            Kind::Config,
            format!("{start} is not in a git repository"),
            "run quarterdeck in a folder of the repository that is deployed",
        );
    }
    let bare = git.ask(["rev-parse", "--is-bare-repository"]).await;
    if bare.is_ok_and(|answer| answer.stdout.starts_with(b"true")) {
        return Problem::new(
            Kind::Config,
            format!("{start} is a bare repository: it has no working directory"),
            "clone it, and run quarterdeck in the clone",
        );
    }
    if said.contains("must be run in a work tree") {
        return Problem::new(
            Kind::Config,
            format!("{start} is in a .git folder, not in the repository's files"),
            "run quarterdeck in a folder of the repository that is deployed",
        );
    }
    cli::failed(&format!("find the repository around {start}"), answer)
}

/// The folder that git names in "detected dubious ownership in repository at '…'".
fn owned_path(said: &str) -> &str {
    said.split('\'').nth(1).unwrap_or("FOLDER")
}
