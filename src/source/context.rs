//! Which build context: checked, with the ignore file that holds for it.

use std::io;
use std::path::Path;

use super::cli::Cli;
use super::filter::Filter;
use super::ignore::Ignore;
use super::{archive, commit, paths, tree, worktree};
use crate::engine::ports::{Context, ContextSpec};
use crate::names::CommitId;
use crate::plan::Source;
use crate::problem::{Kind, Problem};

/// The file that holds for every Dockerfile without one of its own.
const IGNORE_FILE: &str = ".dockerignore";

/// Starts the stream.
pub(super) async fn start(git: &Cli, spec: &ContextSpec) -> Result<Context, Problem> {
    let place = Place::of(spec)?;
    match spec.source {
        Source::Commit => {
            let filter = place.in_commit(git, &spec.commit).await?;
            archive::start(git, &spec.commit, filter)
        }
        Source::Worktree => {
            same_commit(git, &spec.commit).await?;
            let filter = place.in_worktree(git, &spec.commit).await?;
            Ok(worktree::start(git.folder(), filter))
        }
    }
}

/// The working directory belongs to one commit: with another one, what is built would have the wrong name.
pub(super) async fn same_commit(git: &Cli, commit: &CommitId) -> Result<(), Problem> {
    let head = commit::resolve(git, "HEAD").await?;
    if head == *commit {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Config,
        format!(
            "the working directory is at {}, not at {}",
            head.short(),
            commit.short()
        ),
        format!(
            "check {} out, or build from the commit: source = \"commit\"",
            commit.short()
        ),
    ))
}

/// A context folder and its Dockerfile, as clean paths.
struct Place {
    /// Relative to the root.
    folder: String,
    /// Relative to the folder.
    dockerfile: String,
}

impl Place {
    fn of(spec: &ContextSpec) -> Result<Self, Problem> {
        let inside = |what: &str, path: &str, of: &str| {
            paths::inside(path).ok_or_else(|| {
                Problem::new(
                    Kind::Config,
                    format!("the {what} {path} is not in the {of}"),
                    format!("write it relative to the {of}, without leading out of it"),
                )
            })
        };
        Ok(Self {
            folder: inside("build context", spec.directory.as_str(), "repository")?,
            dockerfile: inside("Dockerfile", spec.dockerfile.as_str(), "build context")?,
        })
    }

    /// The ignore files that can hold, the one that wins first; relative to the context.
    fn ignore_files(&self) -> [String; 2] {
        [format!("{}{IGNORE_FILE}", self.dockerfile), IGNORE_FILE.to_owned()]
    }

    async fn in_commit(self, git: &Cli, commit: &CommitId) -> Result<Filter, Problem> {
        let sha = commit.as_str();
        match tree::entry(git, sha, &self.folder).await? {
            Some(tree::Entry::Folder) => {}
            Some(tree::Entry::File(_) | tree::Entry::Link | tree::Entry::Submodule) | None => {
                return Err(self.no_folder(&format!("commit {}", commit.short())));
            }
        }
        let mut ignore = Ignore::nothing();
        for name in self.ignore_files() {
            let path = paths::join(&self.folder, &name);
            match tree::entry(git, sha, &path).await? {
                Some(tree::Entry::File(object)) => {
                    let content = tree::content(git, &object, &path).await?;
                    ignore = Ignore::parse(&name, &content, &self.dockerfile)?;
                    break;
                }
                // Taken as rules, the link's target would let through what the file behind it holds back.
                Some(tree::Entry::Link) => {
                    return Err(Problem::new(
                        Kind::Config,
                        format!(
                            "{path} is a symbolic link in commit {}, which is not followed",
                            commit.short()
                        ),
                        "commit the file itself in its place",
                    ));
                }
                Some(tree::Entry::Folder | tree::Entry::Submodule) | None => {}
            }
        }
        self.without_submodules(git, commit, &ignore).await?;
        let lfs = tree::uses_lfs(git, sha).await?;
        Ok(Filter {
            folder: self.folder,
            ignore,
            lfs,
        })
    }

    /// A commit does not hold its submodules' files, so the image would silently be without them.
    async fn without_submodules(&self, git: &Cli, commit: &CommitId, ignore: &Ignore) -> Result<(), Problem> {
        let submodules = tree::submodules(git, commit.as_str(), &self.folder).await?;
        let prefix = paths::join(&self.folder, "");
        let in_context = |path: &&String| !ignore.excludes(path.strip_prefix(&prefix).unwrap_or(path));
        match submodules.iter().find(in_context) {
            None => Ok(()),
            Some(path) => Err(Problem::new(
                Kind::Config,
                format!(
                    "{path} is a submodule: commit {} does not hold its files, so the image would be without them",
                    commit.short()
                ),
                format!(
                    "build from the working directory (source = \"worktree\" in [build]), where git submodule update puts \
                     them; or exclude {path} in {IGNORE_FILE}"
                ),
            )),
        }
    }

    async fn in_worktree(self, git: &Cli, commit: &CommitId) -> Result<Filter, Problem> {
        let base = git.folder().join(&self.folder);
        if !base.is_dir() {
            return Err(self.no_folder("the working directory"));
        }
        let mut ignore = Ignore::nothing();
        for name in self.ignore_files() {
            if let Some(content) = read(&base.join(&name)).await? {
                ignore = Ignore::parse(&name, &content, &self.dockerfile)?;
                break;
            }
        }
        let lfs = tree::uses_lfs(git, commit.as_str()).await?;
        Ok(Filter {
            folder: self.folder,
            ignore,
            lfs,
        })
    }

    fn no_folder(&self, place: &str) -> Problem {
        Problem::new(
            Kind::Config,
            format!("{place} has no folder {} for the build context", self.folder),
            "mend build.context in config.toml, or commit the folder",
        )
    }
}

/// A file's content, `None` when there is no file.
async fn read(path: &Path) -> Result<Option<Vec<u8>>, Problem> {
    match tokio::fs::read(path).await {
        Ok(content) => Ok(Some(content)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => Ok(None),
        Err(error) => Err(Problem::new(
            Kind::Config,
            format!("cannot read {}: {error}", path.display()),
            "make it readable: what it excludes must not go into the image",
        )),
    }
}
