//! What is told about a commit, and about folders that have none.

use std::env;
use std::process::Command;

use quarterdeck::engine::ports::Git;
use quarterdeck::names::{CommitId, Millis};
use quarterdeck::plan::{Commit, Source};
use quarterdeck::problem::{Kind, Problem};
use quarterdeck::source::Repository;
use quarterdeck::text::Clean;

use crate::repo::{Repo, git};

async fn commit(repo: &Repo, revision: &str, branch: Option<&str>) -> Commit {
    let repository = repo.open().await;
    repository
        .commit(revision, branch)
        .await
        .expect("the revision is there")
}

async fn refused(repo: &Repo, revision: &str) -> Problem {
    let repository = repo.open().await;
    repository
        .commit(revision, None)
        .await
        .expect_err("there is no such revision")
}

#[track_caller]
fn says(problem: &Problem, what: &str, remedy: &str) {
    assert_eq!(problem.kind, Kind::Config, "{problem}");
    assert!(problem.what.as_str().contains(what), "{problem}");
    assert!(problem.remedy.as_str().contains(remedy), "{problem}");
}

#[tokio::test]
async fn a_commit_is_told_with_subject_author_and_date() {
    let repo = Repo::with(&[("a", "1")]);
    let id = repo.commit("Ship it\u{1b}[31m now\n\nThe body is not told.");
    let told = commit(&repo, "HEAD", None).await;
    assert_eq!(
        told,
        Commit {
            id,
            subject: Clean::line("Ship it now"),
            author: Clean::line("Grace Hopper"),
            authored_at: Millis(1_767_323_045_000),
            branch: Some(Clean::line("main")),
            on_branch: None,
            dirty: vec![],
            dirty_count: 0,
            pushed: None,
        }
    );
}

#[tokio::test]
async fn any_way_to_write_a_revision_leads_to_the_commit() {
    let repo = Repo::with(&[("a", "1")]);
    let first = repo.head();
    repo.git(&["tag", "-a", "v1", "-m", "tagged"]);
    repo.commit("second");
    for revision in ["HEAD~1", "v1", first.as_str(), first.short()] {
        assert_eq!(commit(&repo, revision, None).await.id, first, "{revision}");
    }
    assert_eq!(commit(&repo, "v1", None).await.branch, None);
    assert_eq!(commit(&repo, "main", None).await.branch, Some(Clean::line("main")));
    repo.git(&["checkout", "--quiet", "--detach"]);
    assert_eq!(commit(&repo, "HEAD", None).await.branch, None);
}

#[tokio::test]
async fn an_unknown_revision_is_refused_with_what_may_have_been_meant() {
    let repo = Repo::with(&[("a", "1")]);
    repo.git(&["branch", "release"]);
    says(
        &refused(&repo, "relaese").await,
        "no commit `relaese`",
        "did you mean release?",
    );
    says(&refused(&repo, "4f1c2ab").await, "no commit `4f1c2ab`", "git log");
    for revision in ["", "--help", "HEAD:a", "a b"] {
        refused(&repo, revision).await;
    }
    repo.git(&["remote", "add", "origin", "/nowhere"]);
    says(&refused(&repo, "4f1c2ab").await, "no commit", "git fetch");
}

#[tokio::test]
async fn a_shallow_clone_says_how_to_get_the_rest() {
    let origin = Repo::with(&[("a", "1")]);
    let first = origin.head();
    origin.commit("second");
    let clone = Repo::empty();
    clone.git(&[
        "fetch",
        "--quiet",
        "--depth=1",
        &format!("file://{}", origin.path().display()),
        "main",
    ]);
    clone.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    says(
        &refused(&clone, first.as_str()).await,
        "no commit",
        "git fetch --unshallow",
    );
}

#[tokio::test]
async fn whatever_is_not_as_committed_makes_the_directory_dirty() {
    let repo = Repo::with(&[
        ("changed", "1"),
        ("staged", "1"),
        ("deleted", "1"),
        ("same", "1"),
        (".gitignore", "*.o"),
    ]);
    repo.write("changed", "2");
    repo.write("staged", "2");
    repo.git(&["add", "staged"]);
    std::fs::remove_file(repo.path().join("deleted")).expect("delete a file");
    repo.write("new folder/new\u{1b}[2J \u{e4}", "1");
    repo.write("built.o", "1");
    let told = commit(&repo, "HEAD", None).await;
    let mut dirty: Vec<&str> = told.dirty.iter().map(Clean::as_str).collect();
    dirty.sort_unstable();
    assert_eq!(dirty, ["changed", "deleted", "new folder/new \u{e4}", "staged"]);
    assert_eq!(told.dirty_count, 4);
}

#[tokio::test]
async fn of_many_dirty_paths_a_few_are_named_and_all_are_counted() {
    let repo = Repo::with(&[("a", "1")]);
    // What the operator set for his own eyes changes nothing.
    repo.git(&["config", "status.showUntrackedFiles", "no"]);
    for number in 0..30 {
        repo.write(&format!("new/{number}"), "");
    }
    let told = commit(&repo, "HEAD", None).await;
    assert_eq!((told.dirty.len(), told.dirty_count), (8, 30));
}

#[tokio::test]
async fn a_commit_is_pushed_when_a_remote_tracking_branch_has_it() {
    let repo = Repo::with(&[("a", "1")]);
    let remote = tempfile::tempdir().expect("a folder for a remote");
    git(remote.path(), &["init", "--quiet", "--bare"]);
    repo.git(&["remote", "add", "origin", &remote.path().display().to_string()]);
    assert_eq!(commit(&repo, "HEAD", None).await.pushed, Some(false));
    repo.git(&["push", "--quiet", "origin", "main"]);
    assert_eq!(commit(&repo, "HEAD", None).await.pushed, Some(true));
    repo.commit("second");
    assert_eq!(commit(&repo, "HEAD", None).await.pushed, Some(false));
    assert_eq!(commit(&repo, "HEAD~1", None).await.pushed, Some(true));
}

#[tokio::test]
async fn a_commit_is_on_the_branch_when_it_or_its_remote_counterpart_contains_it() {
    let repo = Repo::with(&[("a", "1")]);
    repo.git(&["checkout", "--quiet", "-b", "topic"]);
    repo.commit("on topic");
    assert_eq!(commit(&repo, "HEAD~1", Some("main")).await.on_branch, Some(true));
    assert_eq!(commit(&repo, "HEAD", Some("main")).await.on_branch, Some(false));
    assert_eq!(commit(&repo, "HEAD", Some("release")).await.on_branch, None);
    assert_eq!(commit(&repo, "HEAD", Some("-x")).await.on_branch, None);
    repo.git(&["update-ref", "refs/remotes/origin/release", "HEAD"]);
    assert_eq!(commit(&repo, "HEAD", Some("release")).await.on_branch, Some(true));
}

#[tokio::test]
async fn the_commits_between_two_are_listed_newest_first_and_counted() {
    let repo = Repo::with(&[("a", "1")]);
    let old = repo.head();
    for number in 1..=4 {
        repo.commit(&format!("number {number}"));
    }
    let new = repo.commit("");
    let repository = repo.open().await;
    let told = repository.between(&old, &new, 3).await.expect("git answers");
    let subjects = ["", "number 4", "number 3"].map(Clean::line).to_vec();
    assert_eq!(told, Some((subjects, 5)));
    assert_eq!(repository.between(&new, &new, 3).await, Ok(Some((vec![], 0))));
    for unknown in ["0123456789012345678901234567890123456789", "latest", "--help"] {
        let answer = repository.between(&CommitId::new(unknown), &new, 3).await;
        assert_eq!(answer, Ok(None), "{unknown}");
    }
}

#[tokio::test]
async fn a_file_is_looked_for_in_the_chosen_source() {
    let repo = Repo::with(&[("app/Dockerfile", "FROM scratch")]);
    repo.write("new", "1");
    let (repository, head) = (repo.open().await, repo.head());
    for (source, path, there) in [
        (Source::Commit, "app/Dockerfile", true),
        (Source::Commit, "./app//Dockerfile", true),
        (Source::Commit, "app", false),
        (Source::Commit, "new", false),
        (Source::Commit, "../app/Dockerfile", false),
        (Source::Worktree, "new", true),
        (Source::Worktree, "app", false),
        (Source::Worktree, "/etc/passwd", false),
    ] {
        let found = repository.file(&head, source, path).await.expect("git answers");
        let text = if path == "new" { "1" } else { "FROM scratch" };
        assert_eq!(found.as_deref(), there.then_some(text), "{source:?} {path}");
    }
}

#[tokio::test]
async fn the_repository_is_found_from_any_folder_in_it() {
    let repo = Repo::with(&[("a/b/c", "1")]);
    let top = repo.path().canonicalize().expect("the folder is there");
    for folder in [repo.path().to_owned(), repo.path().join("a/b")] {
        let repository = Repository::open(&folder).await.expect("it is in the repository");
        assert_eq!(repository.root(), top);
    }
    let linked = tempfile::tempdir().expect("a folder for a linked worktree");
    let linked = linked.path().join("linked");
    repo.git(&["worktree", "add", "--quiet", "--detach", &linked.display().to_string()]);
    assert!(Repository::open(&linked).await.is_ok());
}

#[tokio::test]
async fn a_folder_that_cannot_be_deployed_from_is_refused_with_its_reason() {
    let dir = tempfile::tempdir().expect("a folder");
    let open = async |path: &std::path::Path| Repository::open(path).await.expect_err("it can't be deployed from");
    says(
        &open(dir.path()).await,
        "is not in a git repository",
        "run quarterdeck in",
    );
    says(
        &open(&dir.path().join("gone")).await,
        "there is no folder",
        "name a folder",
    );

    let empty = Repo::empty();
    says(
        &open(empty.path()).await,
        "has no commit yet",
        "commit what is to be deployed",
    );
    says(
        &open(&empty.path().join(".git")).await,
        "is in a .git folder",
        "run quarterdeck in",
    );

    git(dir.path(), &["init", "--quiet", "--bare"]);
    says(&open(dir.path()).await, "bare repository", "clone it");
}

/// The words that a test of this binary prints when it is run again with other variables.
#[track_caller]
fn again(test: &str, variables: &[(&str, &str)]) -> String {
    let output = Command::new(env::current_exe().expect("this test's binary"))
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .envs(variables.iter().copied())
        .output()
        .expect("the binary runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
#[ignore = "run again by the tests below, which set the variables that it looks at"]
async fn open_where_told() {
    let start = env::var_os("START").expect("run by another test");
    match Repository::open(start.as_ref()).await {
        Ok(_) => println!("opened"),
        Err(problem) => println!("{problem}"),
    }
}

#[test]
fn a_repository_of_another_user_is_refused_with_gits_own_way_to_trust_it() {
    let repo = Repo::with(&[("a", "1")]);
    let start = repo.path().to_str().expect("a plain path");
    let none = [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("START", start),
    ];
    assert!(again("commits::open_where_told", &none).contains("opened"));
    let told = again(
        "commits::open_where_told",
        &[&none[..], &[("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")]].concat(),
    );
    assert!(told.contains("it belongs to another user"), "{told}");
    assert!(told.contains("git config --global --add safe.directory"), "{told}");
    assert!(told.contains(start), "{told}");
}

#[test]
fn a_machine_without_git_is_told_to_install_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let start = dir.path().to_str().expect("a plain path");
    let told = again("commits::open_where_told", &[("PATH", start), ("START", start)]);
    assert!(told.contains("git: it is not installed"), "{told}");
    assert!(told.contains("install git"), "{told}");
}
