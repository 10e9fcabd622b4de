//! Looking into a commit's tree.

use super::cli::{self, Cli};
use crate::problem::Problem;

/// What stands at a path of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A file, with its object's id.
    File(String),
    Link,
    Folder,
    Submodule,
}

impl Entry {
    /// `MODE TYPE OBJECT`, as ls-tree prints it before the tab.
    fn parse(facts: &str) -> Option<Self> {
        let mut fields = facts.split(' ');
        let (mode, _, object) = (fields.next()?, fields.next()?, fields.next()?);
        Some(match mode {
            "040000" => Self::Folder,
            "120000" => Self::Link,
            "160000" => Self::Submodule,
            _ => Self::File(object.to_owned()),
        })
    }
}

/// What stands at `path`, which is relative to the root and clean; the root itself is `""`.
pub(super) async fn entry(git: &Cli, sha: &str, path: &str) -> Result<Option<Entry>, Problem> {
    if path.is_empty() {
        return Ok(Some(Entry::Folder));
    }
    let doing = format!("look for {path} in the commit");
    let found = git
        .items(&doing, ["ls-tree", "-z", "--full-tree", sha, "--", path])
        .await?;
    Ok(found.first().and_then(|item| split(item)).map(|(entry, _)| entry))
}

/// The paths of the submodules in `folder`.
pub(super) async fn submodules(git: &Cli, sha: &str, folder: &str) -> Result<Vec<String>, Problem> {
    if entry(git, sha, ".gitmodules").await?.is_none() {
        return Ok(Vec::new());
    }
    let args = ["ls-tree", "-r", "-z", "--full-tree", sha]
        .into_iter()
        .chain((!folder.is_empty()).then_some(folder));
    let all = git.items("look for submodules in the commit", args).await?;
    let all = all.iter().filter_map(|item| split(item));
    Ok(all
        .filter(|(entry, _)| *entry == Entry::Submodule)
        .map(|(_, path)| path)
        .collect())
}

fn split(item: &[u8]) -> Option<(Entry, String)> {
    let item = String::from_utf8_lossy(item);
    let (facts, path) = item.split_once('\t')?;
    Some((Entry::parse(facts)?, path.to_owned()))
}

/// A file's content.
pub(super) async fn content(git: &Cli, object: &str, path: &str) -> Result<Vec<u8>, Problem> {
    let output = git.ask(["cat-file", "blob", object]).await?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(cli::failed(&format!("read {path} of the commit"), &output))
    }
}

/// Whether the commit gives files to Git LFS.
pub(super) async fn uses_lfs(git: &Cli, sha: &str) -> Result<bool, Problem> {
    let mut command = git.command(["grep", "-q", "-e", "filter=lfs", sha, "--", "**/.gitattributes"]);
    command.env("GIT_LITERAL_PATHSPECS", "0").env("GIT_GLOB_PATHSPECS", "1");
    let output = command
        .output()
        .await
        .map_err(|error| cli::cannot_run(&error, git.folder()))?;
    match output.status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(cli::failed("look for Git LFS in the commit's .gitattributes", &output)),
    }
}
