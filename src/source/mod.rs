//! The source: what is deployed, as git knows it, and the build context made of it.
//!
//! Everything here goes through the operator's own git, read-only. By default a context is the commit's tree
//! (`git archive`), so that the image holds what the SHA says; the working directory is an explicit other choice. Both
//! come as a stream of tar bytes, with `.dockerignore` applied, in the same memory for any size.

mod archive;
mod cli;
mod commit;
mod context;
mod filter;
mod ignore;
mod open;
mod paths;
mod pipe;
mod rewrite;
mod tape;
mod tree;
mod worktree;

use std::path::Path;

use async_trait::async_trait;

use cli::Cli;
pub use ignore::Ignore;

use crate::engine::ports::{Context, ContextSpec, Git};
use crate::names::CommitId;
use crate::plan::{Commit, Source};
use crate::problem::{Kind, Problem};
use crate::text::Clean;

/// A repository with a working directory and at least one commit.
#[derive(Debug, Clone)]
pub struct Repository {
    git: Cli,
}

impl Repository {
    /// Finds the repository that `start` lies in.
    ///
    /// # Errors
    /// A [`Problem`] of [`Kind::Config`]: git is not installed, `start` is in no repository, in a bare one, in one that
    /// belongs to somebody else, or in one without a commit.
    pub async fn open(start: &Path) -> Result<Self, Problem> {
        let root = open::top_level(start).await?;
        Ok(Self { git: Cli::at(&root) })
    }

    /// The top level of the working directory.
    pub fn root(&self) -> &Path {
        self.git.folder()
    }
}

#[async_trait]
impl Git for Repository {
    async fn commit(&self, revision: &str, branch: Option<&str>) -> Result<Commit, Problem> {
        commit::commit(&self.git, revision, branch).await
    }

    async fn between(
        &self,
        old: &CommitId,
        new: &CommitId,
        limit: usize,
    ) -> Result<Option<(Vec<Clean>, u32)>, Problem> {
        commit::between(&self.git, old, new, limit).await
    }

    async fn file(&self, commit: &CommitId, source: Source, path: &str) -> Result<Option<String>, Problem> {
        let Some(path) = paths::inside(path) else {
            return Ok(None);
        };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match source {
            Source::Commit => match tree::entry(&self.git, commit.as_str(), &path).await? {
                Some(tree::Entry::File(object)) => tree::content(&self.git, &object, &path).await.map(text).map(Some),
                Some(tree::Entry::Link) => Ok(Some(String::new())),
                Some(tree::Entry::Folder | tree::Entry::Submodule) | None => Ok(None),
            },
            Source::Worktree => {
                context::same_commit(&self.git, commit).await?;
                let path = self.root().join(path);
                let metadata = tokio::fs::metadata(&path).await;
                if !metadata.is_ok_and(|metadata| metadata.is_file()) {
                    return Ok(None);
                }
                let read = tokio::fs::read(&path).await;
                read.map(text).map(Some).map_err(|error| {
                    Problem::new(
                        Kind::Config,
                        format!("cannot read {}: {error}", path.display()),
                        "see that it can be read",
                    )
                })
            }
        }
    }

    async fn dirty_hash(&self, commit: &CommitId) -> Result<String, Problem> {
        context::same_commit(&self.git, commit).await?;
        let changed = commit::changed(&self.git).await?;
        let root = self.root().to_owned();
        tokio::task::spawn_blocking(move || worktree::hash(&root, changed))
            .await
            .unwrap_or_else(|error| {
                Err(Problem::new(
                    Kind::Unexpected,
                    format!("hashing broke off: {error}"),
                    "",
                ))
            })
    }

    async fn context(&self, spec: &ContextSpec) -> Result<Context, Problem> {
        context::start(&self.git, spec).await
    }
}
