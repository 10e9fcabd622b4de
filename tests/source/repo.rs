//! Repositories to test on, made with git as an operator would, and nothing of the machine's git configuration.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use futures_util::StreamExt;
use quarterdeck::engine::ports::{Context, ContextSpec, Git};
use quarterdeck::names::CommitId;
use quarterdeck::plan::Source;
use quarterdeck::problem::Problem;
use quarterdeck::source::Repository;
use quarterdeck::text::Clean;
use tempfile::TempDir;

/// A repository in a folder of its own, gone with the value.
pub struct Repo {
    pub dir: TempDir,
}

impl Repo {
    /// An empty repository on the branch `main`.
    pub fn empty() -> Self {
        let repo = Self {
            dir: tempfile::tempdir().expect("a folder for a repository"),
        };
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo
    }

    /// A repository with one commit that holds these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self::empty();
        for (path, content) in files {
            repo.write(path, content);
        }
        repo.commit("first");
        repo
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Runs git here and returns what it prints.
    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        git(self.path(), args)
    }

    #[track_caller]
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let place = self.path().join(path);
        fs::create_dir_all(place.parent().expect("a file is in a folder")).expect("make a folder");
        fs::write(&place, content).expect("write a file");
        place
    }

    pub fn executable(&self, path: &str, content: &str) {
        let place = self.write(path, content);
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).expect("set a mode");
    }

    pub fn link(&self, path: &str, target: &str) {
        symlink(target, self.path().join(path)).expect("make a link");
    }

    /// Commits everything and returns the commit's id.
    #[track_caller]
    pub fn commit(&self, message: &str) -> CommitId {
        self.git(&["add", "--all"]);
        self.git(&[
            "commit",
            "--quiet",
            "--allow-empty",
            "--allow-empty-message",
            "-m",
            message,
        ]);
        self.head()
    }

    #[track_caller]
    pub fn head(&self) -> CommitId {
        CommitId::new(self.git(&["rev-parse", "HEAD"]).trim())
    }

    pub async fn open(&self) -> Repository {
        Repository::open(self.path()).await.expect("it is a repository")
    }

    /// The whole context, or the problem that ended it.
    pub async fn context(&self, source: Source, directory: &str) -> Result<Vec<u8>, Problem> {
        collect(self.start(source, directory).await?).await
    }

    pub async fn context_for(&self, source: Source, directory: &str, dockerfile: &str) -> Result<Vec<u8>, Problem> {
        collect(self.start_for(source, directory, dockerfile).await?).await
    }

    /// A context that is being sent.
    pub async fn start(&self, source: Source, directory: &str) -> Result<Context, Problem> {
        self.start_for(source, directory, "Dockerfile").await
    }

    async fn start_for(&self, source: Source, directory: &str, dockerfile: &str) -> Result<Context, Problem> {
        let spec = ContextSpec {
            commit: self.head(),
            source,
            directory: Clean::line(directory),
            dockerfile: Clean::line(dockerfile),
        };
        self.open().await.context(&spec).await
    }

    /// The context's entries.
    #[track_caller]
    pub fn entries(context: Result<Vec<u8>, Problem>) -> BTreeMap<String, Entry> {
        entries(&context.expect("the context is whole"))
    }
}

/// Everything that a context sends.
pub async fn collect(mut context: Context) -> Result<Vec<u8>, Problem> {
    let mut all = Vec::new();
    while let Some(chunk) = context.next().await {
        all.extend_from_slice(&chunk?);
    }
    Ok(all)
}

/// An entry of a tar stream, as far as a layer keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: tar::EntryType,
    pub mode: u32,
    pub mtime: u64,
    pub owner: (u64, u64),
    pub target: Option<String>,
    pub content: Vec<u8>,
}

/// The entries of a whole tar stream by path, folders with a slash; the pax header of the commit left out.
#[track_caller]
pub fn entries(stream: &[u8]) -> BTreeMap<String, Entry> {
    assert!(stream.ends_with(&[0; 1024]), "a whole archive ends in two empty blocks");
    let mut archive = tar::Archive::new(stream);
    let mut found = BTreeMap::new();
    for entry in archive.entries().expect("a tar stream") {
        let mut entry = entry.expect("an entry");
        let header = entry.header();
        if header.entry_type() == tar::EntryType::XGlobalHeader {
            continue;
        }
        let mut facts = Entry {
            kind: header.entry_type(),
            mode: header.mode().expect("a mode"),
            mtime: header.mtime().expect("a time"),
            owner: (header.uid().expect("an owner"), header.gid().expect("a group")),
            target: entry
                .link_name_bytes()
                .map(|name| String::from_utf8_lossy(&name).into_owned()),
            content: Vec::new(),
        };
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        entry.read_to_end(&mut facts.content).expect("the content");
        assert_eq!(found.insert(path.clone(), facts), None, "{path} is there twice");
    }
    found
}

/// The names alone.
#[track_caller]
pub fn names(entries: &BTreeMap<String, Entry>) -> Vec<&str> {
    entries.keys().map(String::as_str).collect()
}

/// Runs git in `folder` and returns what it prints.
#[track_caller]
pub fn git(folder: &Path, args: &[&str]) -> String {
    let output = command(folder).args(args).output().expect("git runs");
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// git with an author, and without the configuration of whoever runs the tests.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_NAME", "Grace Hopper")
        .env("GIT_AUTHOR_EMAIL", "grace@example.com")
        .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
        .env("GIT_COMMITTER_NAME", "Grace Hopper")
        .env("GIT_COMMITTER_EMAIL", "grace@example.com")
        .env("GIT_COMMITTER_DATE", "2026-02-03T04:05:06Z");
    command
}
