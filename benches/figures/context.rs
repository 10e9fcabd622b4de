//! The memory that streaming a gigabyte of context takes, in a process of its own so that nothing else counts.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use futures_util::StreamExt;
use quarterdeck::config::BuilderChoice;
use quarterdeck::docker::{Address, Engine};
use quarterdeck::engine::ports::{BuildSpec, ContextSpec, Docker, Git};
use quarterdeck::names::BuildId;
use quarterdeck::plan::Source;
use quarterdeck::source::Repository;
use quarterdeck::text::Clean;
use tokio_util::sync::CancellationToken;

use super::program::peak;
use super::table::{Figure, megabytes};

/// The word that makes this binary the process that streams.
pub const CHILD: &str = "stream-a-context";

const BOUND: u64 = 40_000_000;
const FILE: u64 = 10_000_000;
const FILES: u64 = 100;

pub fn measure() -> Vec<Figure> {
    let dir = tempfile::tempdir().expect("a folder");
    repository(dir.path());
    let ways = [
        ("to nowhere", "sink"),
        ("filtered, to nowhere", "filtered"),
        ("to this machine's Docker Engine", "docker"),
    ];
    let figures = ways.iter().filter_map(|(name, how)| {
        let grown = streamed(dir.path(), how)?;
        let name = format!("memory above its base, 1 GB of context {name}");
        Some(Figure::at_most(name, grown, BOUND, megabytes))
    });
    figures.collect()
}

/// How much the process grew; `None` where there is no engine to stream to.
fn streamed(folder: &Path, how: &str) -> Option<u64> {
    let binary = std::env::current_exe().expect("this binary has a path");
    let output = Command::new(binary)
        .args([CHILD.as_ref(), folder.as_os_str(), how.as_ref()])
        .output()
        .expect("it starts");
    assert!(
        output.status.success(),
        "streaming failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// A repository with a commit of a gigabyte.
fn repository(dir: &Path) {
    let first = dir.join("file-0");
    let mut file = fs::File::create(&first).expect("make a file");
    io::copy(&mut io::repeat(7).take(FILE), &mut file).expect("write a file");
    for number in 1..FILES {
        fs::hard_link(&first, dir.join(format!("file-{number}"))).expect("link it");
    }
    fs::write(dir.join("Dockerfile"), "FROM scratch\nCOPY Dockerfile /\n").expect("write a file");
    git(dir, &["init", "--quiet"]);
    git(dir, &["config", "core.compression", "0"]);
    git(dir, &["add", "--all"]);
    commit(dir, "big");
    fs::write(dir.join(".dockerignore"), "nothing-of-that-name\n").expect("write a file");
    git(dir, &["add", "--all"]);
    commit(dir, "ignore");
}

fn commit(dir: &Path, subject: &str) {
    let author = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
    git(dir, &[&author[..], &["commit", "--quiet", "-m", subject]].concat());
}

#[track_caller]
fn git(folder: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .args(arguments)
        .status();
    assert!(status.expect("git runs").success(), "git {arguments:?}");
}

/// Streams the context and prints by how much the peak of this process has grown.
pub fn child(folder: &Path, how: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        let repository = Repository::open(folder).await.expect("it is a repository");
        let revision = if how == "sink" { "HEAD~1" } else { "HEAD" };
        let spec = ContextSpec {
            commit: repository.commit(revision, None).await.expect("there is a commit").id,
            source: Source::Commit,
            directory: Clean::line("."),
            dockerfile: Clean::line("Dockerfile"),
        };
        let engine = Engine::open(&Address::Environment, BuilderChoice::Auto);
        let found = if how == "docker" {
            match engine.info().await {
                Ok(found) => Some(found),
                Err(_) => return,
            }
        } else {
            None
        };
        let before = peak(std::process::id());
        let mut context = repository.context(&spec).await.expect("it starts");
        if let Some(found) = found {
            let spec = BuildSpec {
                build: BuildId::new("build-1"),
                builder: found.builder,
                dockerfile: "Dockerfile".to_owned(),
                target: None,
                args: [].into(),
                platform: None,
                labels: [].into(),
                tag: "quarterdeck/figures:context".to_owned(),
                credentials: Vec::new(),
                log: log(folder),
            };
            let built = engine
                .build(spec, context, Arc::new(|_| ()), CancellationToken::new())
                .await;
            let built = built.unwrap_or_else(|failure| panic!("the build failed: {failure:?}"));
            assert!(built.context_bytes > FILE * FILES, "the engine has all of it");
        } else {
            let mut length = 0;
            while let Some(chunk) = context.next().await {
                length += chunk.expect("it is whole").len() as u64;
            }
            assert!(length > FILE * FILES, "it is all there");
        }
        println!("{}", peak(std::process::id()) - before);
    });
}

fn log(folder: &Path) -> PathBuf {
    folder.join(".git").join("build.log")
}
