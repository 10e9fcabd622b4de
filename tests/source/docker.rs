//! Docker's own reading of ignore files: what its client lets an engine see of a folder, and what we do.

use std::process::Command;

use quarterdeck::plan::Source;

use crate::common::need;
use crate::repo::Repo;

/// The files of a folder, by what they are like.
const FILES: [&str; 11] = [
    "a.log",
    "b.txt",
    "barfoo",
    "foo",
    "src/a.log",
    "src/deep/b.txt",
    "src/deep/foo/x",
    "src/main.rs",
    "target/debug/app",
    "target/keep/app",
    "we ird/\u{e4}[1]",
];

/// Ignore files that differ in what they make of these.
///
/// Not among them is an exception with a wildcard below an excluded folder (`*`, `!target/*/app`): the classic client does
/// not look into such a folder, BuildKit's does, and so do we.
const IGNORES: [&str; 12] = [
    "*.log\n",
    "**/*.log\n",
    "/src/./deep/\ntarget/*\n!target/keep\n",
    "*\n!src\nsrc/**/foo\n",
    "**/foo\n",
    "**foo\n",
    "src/**\n",
    "**/deep/**\n",
    "# *\n\n  b.txt  \r\n!b.txt\r\n",
    "\u{feff}foo\n?.txt\n",
    "[ab].*\n[^b]arfoo\n",
    "we*/?\\[1\\]\n",
];

/// What is in the image that Docker's client builds of the folder.
fn built(repo: &Repo, tag: &str) -> Vec<String> {
    docker(
        Command::new("docker")
            .args(["build", "--quiet", "--tag", tag])
            .arg(repo.path()),
    );
    let container = docker(Command::new("docker").args(["create", tag, "nothing"]));
    let container = container.trim();
    let exported = Command::new("docker")
        .args(["export", container])
        .output()
        .expect("docker runs");
    docker(Command::new("docker").args(["rm", container]));
    docker(Command::new("docker").args(["rmi", tag]));
    let mut archive = tar::Archive::new(exported.stdout.as_slice());
    let entries = archive
        .entries()
        .expect("a tar stream")
        .map(|entry| entry.expect("an entry"));
    let mut files: Vec<String> = entries
        .map(|entry| String::from_utf8_lossy(&entry.path_bytes()).into_owned())
        .filter_map(|path| path.strip_prefix("context/").map(str::to_owned))
        .collect();
    files.sort_unstable();
    files
}

#[track_caller]
fn docker(command: &mut Command) -> String {
    let output = command.env("DOCKER_BUILDKIT", "0").output().expect("docker runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn an_ignore_file_means_what_it_means_to_docker() {
    if !need("docker") {
        return;
    }
    for (number, ignore) in IGNORES.iter().enumerate() {
        let repo = Repo::with(&[
            ("Dockerfile", "FROM scratch\nCOPY . /context/\n"),
            (".dockerignore", ignore),
        ]);
        for file in FILES {
            repo.write(file, "");
        }
        repo.commit("files");
        let tag = format!("quarterdeck-test-ignore:{}-{number}", std::process::id());
        // Not compared: the two files that we always send, and .git, which we never do.
        let listed = |path: &String| FILES.contains(&path.as_str());
        let expected: Vec<String> = built(&repo, &tag).into_iter().filter(listed).collect();
        for source in [Source::Commit, Source::Worktree] {
            let context = Repo::entries(repo.context(source, ".").await);
            let context: Vec<String> = context.into_keys().filter(listed).collect();
            assert_eq!(context, expected, "{source:?} {ignore:?}");
        }
    }
}
