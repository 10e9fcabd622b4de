//! The memory that a context takes, in a process of its own so that nothing else counts.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;

use futures_util::StreamExt;
use quarterdeck::engine::ports::{Context, ContextSpec, Git};
use quarterdeck::plan::Source;
use quarterdeck::problem::Problem;
use quarterdeck::source::Repository;
use quarterdeck::text::Clean;

/// What every file of the context holds.
const FILE: u64 = 10_000_000;

/// What may come on top of the process's own memory: a few chunks in flight, and what the allocator keeps.
const GROWTH_MAX: u64 = 4_000_000;

/// How many files: 300 MB, or 1 GB where there is time.
fn files() -> u64 {
    if std::env::var_os("QUARTERDECK_CI").is_some() {
        100
    } else {
        30
    }
}

#[track_caller]
fn git(folder: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .args(args);
    assert!(command.status().expect("git runs").success(), "git {args:?}");
}

/// The most memory that this process has had, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("there is /proc");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("the kernel tells the peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[tokio::test]
async fn a_context_of_any_size_takes_the_same_memory() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut file = fs::File::create(dir.path().join("file-0")).expect("make a file");
    io::copy(&mut io::repeat(7).take(FILE), &mut file).expect("write a file");
    for number in 1..files() {
        fs::hard_link(dir.path().join("file-0"), dir.path().join(format!("file-{number}"))).expect("link it");
    }
    git(dir.path(), &["init", "--quiet"]);
    git(dir.path(), &["config", "core.compression", "0"]);
    git(dir.path(), &["add", "--all"]);
    let author = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
    git(dir.path(), &[&author[..], &["commit", "--quiet", "-m", "big"]].concat());

    let repository = Repository::open(dir.path()).await.expect("it is a repository");
    let mut spec = ContextSpec {
        commit: repository.commit("HEAD", None).await.expect("there is a commit").id,
        source: Source::Commit,
        directory: Clean::line("."),
        dockerfile: Clean::line("Dockerfile"),
    };
    let before = peak();
    assert_streams("the archive as it is", before, repository.context(&spec).await).await;

    fs::write(dir.path().join(".dockerignore"), "nothing-of-that-name").expect("write a file");
    git(dir.path(), &["add", "--all"]);
    git(
        dir.path(),
        &[&author[..], &["commit", "--quiet", "-m", "ignore"]].concat(),
    );
    spec.commit = repository.commit("HEAD", None).await.expect("there is a commit").id;
    assert_streams("the filtered archive", before, repository.context(&spec).await).await;

    spec.source = Source::Worktree;
    assert_streams("the working directory", before, repository.context(&spec).await).await;
}

/// Reads the whole context; it is as long as it should be and the peak has hardly moved.
async fn assert_streams(what: &str, before: u64, context: Result<Context, Problem>) {
    let mut context = context.expect("it starts");
    let mut length = 0;
    while let Some(chunk) = context.next().await {
        length += chunk.expect("it is whole").len() as u64;
    }
    assert!(length > FILE * files(), "{what}: {length} bytes");
    let growth = peak() - before;
    assert!(growth < GROWTH_MAX, "{what} took {growth} bytes more");
}
