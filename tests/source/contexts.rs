//! The commit's tree as a build context: what git archives, less what the ignore file holds back.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use quarterdeck::plan::Source;
use quarterdeck::problem::{Kind, Problem};

use crate::repo::{Entry, Repo, command, entries, names};

/// What git itself makes of the commit.
#[track_caller]
fn git_archive(repo: &Repo) -> BTreeMap<String, Entry> {
    let archive = ["-c", "tar.umask=0022", "archive", "--format=tar", "HEAD"];
    let output = command(repo.path()).args(archive).output().expect("git runs");
    entries(&output.stdout)
}

/// What git's archive holds in `folder`, by the path from there.
fn below(archive: BTreeMap<String, Entry>, folder: &str) -> BTreeMap<String, Entry> {
    let below = |(path, entry): (String, Entry)| {
        let rest = path.strip_prefix(folder)?.to_owned();
        (!rest.is_empty()).then_some((rest, entry))
    };
    archive.into_iter().filter_map(below).collect()
}

/// A tree with all that a tree can hold, names longer than any tar header among it.
fn rich() -> Repo {
    let repo = Repo::empty();
    repo.write("Dockerfile", "FROM scratch\nCOPY . /\n");
    repo.write("app/Dockerfile", "FROM scratch\n");
    repo.write("app/empty", "");
    repo.write("app/d\u{e4}mon \u{1f680}", "unicode");
    repo.write(&format!("app/{}/{}", "folder".repeat(20), "name".repeat(40)), "long");
    repo.write(&format!("{}file", "deep/".repeat(60)), "deep");
    repo.write("app/binary", [0, 159, 146, 150]);
    std::fs::write(repo.path().join(OsStr::from_bytes(b"app/not \xff UTF-8")), "bytes").expect("write a file");
    repo.executable("app/run.sh", "#!/bin/sh\n");
    repo.link("app/link", ".././/app/run.sh");
    repo.link("app/long link", &"target/".repeat(30));
    repo.link("app/dangling", "/nowhere");
    repo.commit("rich");
    repo
}

#[track_caller]
fn says(problem: &Problem, kind: Kind, what: &str, remedy: &str) {
    assert_eq!(problem.kind, kind, "{problem}");
    assert!(problem.what.as_str().contains(what), "{problem}");
    assert!(problem.remedy.as_str().contains(remedy), "{problem}");
}

#[tokio::test]
async fn without_an_ignore_file_the_context_is_gits_archive() {
    let repo = rich();
    let archive = git_archive(&repo);
    assert_eq!(Repo::entries(repo.context(Source::Commit, ".").await), archive);
    assert_eq!(archive["app/run.sh"].mode, 0o755);
    assert_eq!(archive["app/empty"].mode, 0o644);
}

#[tokio::test]
async fn with_an_ignore_file_everything_else_is_as_in_gits_archive() {
    let repo = rich();
    repo.write(".dockerignore", "deep\napp/binary\n");
    repo.commit("ignore");
    let mut expected = git_archive(&repo);
    expected.retain(|path, _| !path.starts_with("deep/") && path != "app/binary");
    assert_eq!(Repo::entries(repo.context(Source::Commit, "./").await), expected);
}

#[tokio::test]
async fn a_folder_as_context_has_paths_from_there_and_the_commits_time() {
    let repo = rich();
    let expected = below(git_archive(&repo), "app/");
    let context = Repo::entries(repo.context(Source::Commit, "app").await);
    assert_eq!(context, expected);
    assert!(context.contains_key("Dockerfile") && context["link"].target.as_deref() == Some(".././/app/run.sh"));
    let context = Repo::entries(repo.context(Source::Commit, "deep/deep/").await);
    assert_eq!(context, below(git_archive(&repo), "deep/deep/"));
}

#[tokio::test]
async fn a_committed_but_ignored_secret_does_not_reach_the_builder() {
    let repo = Repo::with(&[
        ("Dockerfile", "FROM scratch"),
        ("secret.env", "KEY=1"),
        ("src/main.rs", ""),
        ("src/notes.md", ""),
        (".dockerignore", "**/*.env\n*\n!src\n**/*.md\n"),
    ]);
    let context = repo.context(Source::Commit, ".").await;
    let context = Repo::entries(context);
    assert_eq!(names(&context), [".dockerignore", "Dockerfile", "src/", "src/main.rs"]);
}

#[tokio::test]
async fn the_dockerfiles_own_ignore_file_wins() {
    let repo = Repo::with(&[
        ("deploy/Dockerfile", "FROM scratch"),
        ("deploy/Dockerfile.dockerignore", "*\n!a"),
        ("a", ""),
        ("b", ""),
        (".dockerignore", "a"),
    ]);
    let context = repo.context_for(Source::Commit, ".", "deploy/Dockerfile").await;
    let context = Repo::entries(context);
    assert_eq!(
        names(&context),
        ["a", "deploy/Dockerfile", "deploy/Dockerfile.dockerignore"]
    );
}

#[tokio::test]
async fn a_folders_own_ignore_file_holds_for_it_and_the_roots_does_not() {
    let repo = Repo::with(&[
        ("app/Dockerfile", "FROM scratch"),
        ("app/.dockerignore", "a"),
        ("app/a", ""),
        ("app/b", ""),
        (".dockerignore", "**/b"),
    ]);
    let context = Repo::entries(repo.context(Source::Commit, "app").await);
    assert_eq!(names(&context), [".dockerignore", "Dockerfile", "b"]);
}

#[tokio::test]
async fn export_ignore_holds_from_the_folders_above_too() {
    let repo = Repo::with(&[
        (".gitattributes", "app/internal export-ignore\n"),
        ("app/Dockerfile", "FROM scratch"),
        ("app/internal/x", ""),
    ]);
    for (directory, expected) in [
        (".", &[".gitattributes", "app/", "app/Dockerfile"][..]),
        ("app", &["Dockerfile"]),
    ] {
        let context = Repo::entries(repo.context(Source::Commit, directory).await);
        assert_eq!(names(&context), expected, "{directory}");
    }
}

#[tokio::test]
async fn the_commit_goes_whatever_lies_in_the_working_directory() {
    let repo = Repo::with(&[("Dockerfile", "FROM scratch"), ("a", "committed")]);
    repo.write("a", "changed");
    repo.write("new", "");
    repo.write(".dockerignore", "*");
    let context = Repo::entries(repo.context(Source::Commit, ".").await);
    assert_eq!(names(&context), ["Dockerfile", "a"]);
    assert_eq!(context["a"].content, b"committed");
}

#[tokio::test]
async fn what_an_operator_configured_does_not_change_the_context() {
    let repo = Repo::with(&[
        (".gitattributes", "*.sh text"),
        ("Dockerfile", "FROM scratch"),
        ("a.sh", "one\ntwo\n"),
    ]);
    let expected = repo.context(Source::Commit, ".").await.expect("the context is whole");
    for (key, value) in [("core.autocrlf", "true"), ("core.eol", "crlf"), ("tar.umask", "user")] {
        repo.git(&["config", key, value]);
        let context = repo.context(Source::Commit, ".").await.expect("the context is whole");
        assert!(context == expected, "{key}");
        repo.git(&["config", "--unset", key]);
    }
}

#[tokio::test]
async fn a_path_is_a_path_whatever_characters_it_has() {
    let repo = Repo::with(&[(":(top)*/Dockerfile", "FROM scratch"), ("other/x", "")]);
    let context = Repo::entries(repo.context(Source::Commit, ":(top)*").await);
    assert_eq!(names(&context), ["Dockerfile"]);
}

#[tokio::test]
async fn a_context_that_is_not_there_is_refused() {
    let repo = Repo::with(&[("Dockerfile", "FROM scratch"), ("app/x", "")]);
    let refused = async |source, directory: &str| {
        let context = repo.context(source, directory).await;
        context.expect_err("there is no such context")
    };
    for source in [Source::Commit, Source::Worktree] {
        says(
            &refused(source, "ap").await,
            Kind::Config,
            "has no folder ap",
            "build.context",
        );
        says(
            &refused(source, "Dockerfile").await,
            Kind::Config,
            "has no folder",
            "build.context",
        );
        says(
            &refused(source, "..").await,
            Kind::Config,
            "is not in the repository",
            "relative",
        );
    }
    let outside = repo.context_for(Source::Commit, "app", "../Dockerfile").await;
    says(
        &outside.expect_err("it is outside"),
        Kind::Config,
        "is not in the build context",
        "relative",
    );
}

#[tokio::test]
async fn a_bad_line_in_the_ignore_file_is_told_before_anything_is_sent() {
    let repo = Repo::with(&[("Dockerfile", "FROM scratch"), (".dockerignore", "a\n[")]);
    for source in [Source::Commit, Source::Worktree] {
        let refused = repo.context(source, ".").await.expect_err("the file is broken");
        says(&refused, Kind::Config, ".dockerignore, line 2", "mend the line");
    }
}

#[tokio::test]
async fn an_ignore_file_that_is_a_link_is_refused_rather_than_misread() {
    let repo = Repo::with(&[("Dockerfile", "FROM scratch"), ("ignore", "secret")]);
    repo.link(".dockerignore", "ignore");
    repo.commit("link");
    let refused = repo.context(Source::Commit, ".").await.expect_err("the file is a link");
    says(
        &refused,
        Kind::Config,
        ".dockerignore is a symbolic link",
        "commit the file itself",
    );
}

#[tokio::test]
async fn a_submodule_is_refused_unless_it_is_ignored_or_elsewhere() {
    let module = Repo::with(&[("lib.c", "")]);
    let repo = Repo::with(&[("app/Dockerfile", "FROM scratch")]);
    let url = module.path().display().to_string();
    repo.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        &url,
        "vendor/lib",
    ]);
    repo.commit("submodule");
    let refused = repo
        .context(Source::Commit, ".")
        .await
        .expect_err("the files are not there");
    says(
        &refused,
        Kind::Config,
        "vendor/lib is a submodule",
        "source = \"worktree\"",
    );
    assert!(repo.context(Source::Commit, "app").await.is_ok());
    let context = Repo::entries(repo.context(Source::Worktree, ".").await);
    assert!(context.contains_key("vendor/lib/lib.c") && !context.contains_key("vendor/lib/.git"));
    repo.write(".dockerignore", "vendor");
    repo.commit("ignore it");
    assert!(repo.context(Source::Commit, ".").await.is_ok());
}

#[tokio::test]
async fn a_pointer_of_git_lfs_is_refused_unless_it_is_ignored() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let repo = Repo::with(&[("Dockerfile", "FROM scratch"), ("assets/model.bin", pointer)]);
    // Without the attribute it is a text like any other.
    assert!(repo.context(Source::Commit, ".").await.is_ok());
    repo.write("assets/.gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    repo.commit("give it to LFS");
    for source in [Source::Commit, Source::Worktree] {
        let refused = repo
            .context(source, ".")
            .await
            .expect_err("the image would hold the pointer");
        says(
            &refused,
            Kind::Build,
            "assets/model.bin is a Git LFS pointer",
            "git lfs pull",
        );
    }
    repo.write(".dockerignore", "assets/*.bin");
    repo.commit("ignore it");
    for source in [Source::Commit, Source::Worktree] {
        assert!(repo.context(source, ".").await.is_ok(), "{source:?}");
    }
}
