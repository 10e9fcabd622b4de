//! A producer that dies must never leave a tree that builds.
#![cfg(target_os = "linux")]

use std::fs;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use quarterdeck::names::CommitId;
use quarterdeck::plan::Source;
use quarterdeck::problem::Kind;
use rustix::process::{Pid, Signal, kill_process};

use crate::repo::{Repo, collect};

/// A repository whose archive is much longer than what fits on the way, with an id that no other test has.
fn long(ignore: &str) -> Repo {
    let repo = Repo::with(&[("Dockerfile", "FROM scratch"), ("a", ignore)]);
    repo.write("own", repo.path().display().to_string());
    repo.write("data", vec![7; 8_000_000]);
    repo.write("end", "the end");
    if !ignore.is_empty() {
        repo.write(".dockerignore", ignore);
    }
    repo.commit("long");
    repo
}

/// The running `git archive` of a commit.
fn archiving(commit: &CommitId) -> Option<Pid> {
    fs::read_dir("/proc").expect("there is /proc").find_map(|entry| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        (command.contains("archive\0") && command.contains(commit.as_str())).then(|| Pid::from_raw(pid))?
    })
}

#[tokio::test]
async fn a_git_that_is_killed_midway_ends_the_context_with_an_error() {
    for ignore in ["", "nothing-of-that-name"] {
        let repo = long(ignore);
        let mut context = repo.start(Source::Commit, ".").await.expect("it starts");
        context.next().await.expect("a chunk").expect("the start is fine");
        // It can't be done: the pipe and the channel take a fraction of the file.
        let git = archiving(&repo.head()).expect("git is at work");
        kill_process(git, Signal::KILL).expect("git can be killed");
        let problem = collect(context).await.expect_err("the tree is torn");
        assert_eq!(problem.kind, Kind::Build);
        for told in ["git archive of", "SIGKILL", "not whole"] {
            assert!(problem.what.as_str().contains(told), "{problem}");
        }
    }
}

#[tokio::test]
async fn a_git_that_fails_midway_is_told_in_its_own_words() {
    for ignore in ["", "nothing-of-that-name"] {
        let repo = long(ignore);
        let object = repo.git(&["rev-parse", "HEAD:end"]);
        let (folder, name) = object.trim().split_at(2);
        fs::remove_file(repo.path().join(format!(".git/objects/{folder}/{name}"))).expect("an object is lost");
        let context = repo.context(Source::Commit, ".").await;
        let problem = context.expect_err("a file is lost");
        assert_eq!(problem.kind, Kind::Build);
        assert!(problem.what.as_str().contains("git says: "), "{problem}");
        assert!(problem.what.as_str().contains(object.trim()), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_that_nobody_reads_any_more_ends_git() {
    for ignore in ["", "nothing-of-that-name"] {
        let repo = long(ignore);
        let mut context = repo.start(Source::Commit, ".").await.expect("it starts");
        context.next().await.expect("a chunk").expect("the start is fine");
        assert!(archiving(&repo.head()).is_some());
        drop(context);
        let dropped = Instant::now();
        while archiving(&repo.head()).is_some() {
            assert!(dropped.elapsed() < Duration::from_secs(10), "git goes on");
            tokio::task::yield_now().await;
        }
    }
}
