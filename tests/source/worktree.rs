//! The working directory as a build context, and the hash that names its differences.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;

use futures_util::StreamExt;
use quarterdeck::engine::ports::{ContextSpec, Git};
use quarterdeck::names::CommitId;
use quarterdeck::plan::Source;
use quarterdeck::problem::Kind;
use quarterdeck::text::Clean;

use crate::repo::{Repo, collect, names};

async fn hash(repo: &Repo) -> String {
    let repository = repo.open().await;
    repository
        .dirty_hash(&repo.head())
        .await
        .expect("everything can be read")
}

#[tokio::test]
async fn everything_goes_but_git_and_what_the_ignore_file_excludes() {
    let repo = Repo::with(&[
        ("Dockerfile", "FROM scratch"),
        (".gitignore", "target\n"),
        (".dockerignore", "*.log\nsecret\n!secret/public\n"),
        ("a", "committed"),
    ]);
    repo.write("a", "changed");
    repo.write("target/app", "built");
    repo.write("new.log", "");
    repo.write("secret/key", "");
    repo.write("secret/public/cert", "");
    repo.write("nested/.git/config", "a token");
    repo.write("nested/b", "");
    let context = Repo::entries(repo.context(Source::Worktree, ".").await);
    assert_eq!(
        names(&context),
        [
            ".dockerignore",
            ".gitignore",
            "Dockerfile",
            "a",
            "nested/",
            "nested/b",
            "secret/public/",
            "secret/public/cert",
            "target/",
            "target/app",
        ]
    );
    assert_eq!(context["a"].content, b"changed");
}

#[tokio::test]
async fn a_clean_directory_makes_the_same_context_as_its_commit_but_for_the_times() {
    let repo = Repo::empty();
    repo.write("app/Dockerfile", "FROM scratch");
    repo.write(&format!("app/{}", "long/".repeat(40) + "name"), "long");
    repo.executable("app/run", "#!/bin/sh");
    repo.link("app/link", "./run");
    // Neither the group's nor others' bits are git's.
    let private = repo.write("app/private", "x");
    fs::set_permissions(private, fs::Permissions::from_mode(0o600)).expect("set a mode");
    repo.commit("first");
    for directory in [".", "app"] {
        let mut contexts = [Source::Commit, Source::Worktree].map(|_| Default::default());
        for (place, source) in contexts.iter_mut().zip([Source::Commit, Source::Worktree]) {
            *place = Repo::entries(repo.context(source, directory).await);
            for entry in place.values_mut() {
                entry.mtime = 0;
            }
        }
        let [commit, worktree] = contexts;
        assert_eq!(commit, worktree);
    }
}

#[tokio::test]
async fn the_same_directory_makes_the_same_bytes() {
    let repo = Repo::with(&[("Dockerfile", "FROM scratch")]);
    for number in [7, 3, 12, 1] {
        repo.write(&format!("files/{number}"), "");
    }
    let [one, other] = [
        repo.context(Source::Worktree, ".").await,
        repo.context(Source::Worktree, ".").await,
    ];
    assert!(one.expect("the context is whole") == other.expect("the context is whole"));
}

#[tokio::test]
async fn sockets_and_pipes_are_left_out() {
    let repo = Repo::with(&[("Dockerfile", "FROM scratch")]);
    let _socket = UnixListener::bind(repo.path().join("socket")).expect("bind a socket");
    let made = Command::new("mkfifo").arg(repo.path().join("pipe")).status();
    assert!(made.expect("mkfifo runs").success());
    let context = Repo::entries(repo.context(Source::Worktree, ".").await);
    assert_eq!(names(&context), ["Dockerfile"]);
}

#[tokio::test]
async fn what_cannot_be_read_ends_the_context_and_is_named() {
    let repo = Repo::with(&[("Dockerfile", "FROM scratch")]);
    // A path that is too long to be opened, which stops root too: one deep folder moved into another.
    let deep = vec!["long".repeat(60); 12].join("/");
    for top in ["one", "other"] {
        fs::create_dir_all(repo.path().join(top).join(&deep)).expect("make folders");
    }
    fs::rename(
        repo.path().join("other"),
        repo.path().join("one").join(&deep).join("other"),
    )
    .expect("move a folder");
    let refused = repo.context(Source::Worktree, ".").await.expect_err("it can't be read");
    assert_eq!(refused.kind, Kind::Build);
    assert!(
        refused
            .what
            .as_str()
            .contains(&format!("cannot read {}", repo.path().display())),
        "{refused}"
    );
    assert!(refused.remedy.as_str().contains(".dockerignore"), "{refused}");
    // What is excluded need not be readable.
    repo.write(".dockerignore", "one");
    assert!(repo.context(Source::Worktree, ".").await.is_ok());
}

#[tokio::test]
async fn a_file_that_changes_its_length_while_it_is_read_ends_the_context() {
    for (length, how) in [(600_000, "shorter"), (1_100_000, "longer")] {
        let repo = Repo::with(&[("Dockerfile", "FROM scratch")]);
        let place = repo.write("data", vec![7; 1_000_000]);
        let mut context = repo.start(Source::Worktree, ".").await.expect("it starts");
        context.next().await.expect("a chunk").expect("the start can be read");
        // By now no more is read than fits the channel, a third of the file.
        let file = fs::OpenOptions::new().write(true).open(place).expect("open the file");
        file.set_len(length).expect("change the length");
        let refused = collect(context).await.expect_err("the file changed");
        assert!(
            refused.what.as_str().contains("data for the build context"),
            "{refused}"
        );
        assert!(refused.what.as_str().contains(how), "{refused}");
    }
}

#[tokio::test]
async fn the_directory_is_built_under_its_own_commit_only() {
    let repo = Repo::with(&[("Dockerfile", "FROM scratch")]);
    let first = repo.head();
    repo.commit("second");
    let repository = repo.open().await;
    let refused = repository
        .dirty_hash(&first)
        .await
        .expect_err("the directory is elsewhere");
    assert_eq!(refused.kind, Kind::Config);
    assert!(refused.what.as_str().contains("working directory is at"), "{refused}");
    assert!(repository.dirty_hash(&CommitId::new("0".repeat(40))).await.is_err());
    assert!(repository.file(&first, Source::Worktree, "Dockerfile").await.is_err());
    let spec = ContextSpec {
        commit: first,
        source: Source::Worktree,
        directory: Clean::line("."),
        dockerfile: Clean::line("Dockerfile"),
    };
    assert!(repository.context(&spec).await.is_err());
}

#[tokio::test]
async fn the_hash_names_every_difference_and_is_stable() {
    let repo = Repo::with(&[("a", "1"), ("b", "1"), (".gitignore", "*.o")]);
    let mut seen = vec![hash(&repo).await];
    let mut differs = async |what: &str| {
        let now = hash(&repo).await;
        assert_eq!(now, hash(&repo).await, "{what}: not stable");
        assert_eq!(now.len(), 12);
        assert!(now.bytes().all(|byte| byte.is_ascii_hexdigit()), "{now}");
        assert!(!seen.contains(&now), "{what} makes no difference");
        seen.push(now);
    };
    repo.write("a", "2");
    differs("a changed file").await;
    repo.write("new/x", "1");
    differs("an untracked file").await;
    repo.write("new/x", "2");
    differs("an untracked file's content").await;
    repo.executable("new/x", "2");
    differs("an untracked file's mode").await;
    fs::remove_file(repo.path().join("b")).expect("remove a file");
    differs("a deleted file").await;
    repo.link("b", "a");
    differs("a link in a file's place").await;
    let within = Repo::with(&[("c", "1")]);
    let copied = Command::new("cp")
        .arg("-r")
        .args([within.path(), &repo.path().join("nested")])
        .status();
    assert!(copied.expect("cp runs").success());
    differs("a repository within").await;
    repo.write("nested/c", "2");
    differs("a file of a repository within").await;
}

#[tokio::test]
async fn what_git_ignores_and_when_a_file_was_touched_do_not_count() {
    let repo = Repo::with(&[("a", "1"), (".gitignore", "*.o")]);
    repo.write("a", "2");
    let before = hash(&repo).await;
    repo.write("built.o", "1");
    repo.write("a", "2");
    repo.git(&["add", "a"]);
    assert_eq!(hash(&repo).await, before);
}
