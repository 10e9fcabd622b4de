//! The repository that a rehearsal deploys: a small application with a history, a remote that has it, and a config.toml.
//!
//! It is made by the `git` on this machine, out of one stream, without a look at anybody's git configuration. Its Dockerfile
//! builds from nothing, so that no engine has to pull anything for it.

mod files;
mod history;

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(super) use files::config as configuration;

use super::ecr::EcrStandIn;
use crate::names::{CommitId, Millis, Region};
use crate::problem::{Kind, Problem};

/// The repository of a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its working directory, on `main`, with nothing changed in it.
    pub path: PathBuf,
    /// The newest commit, which is to be deployed.
    pub head: CommitId,
    /// The commit that the fleet runs before the rehearsal.
    pub running: CommitId,
    /// When that one's image was pushed.
    pub running_since: Millis,
}

/// Makes the repository `sento` and its remote `sento.git` in `dir`, for these regions and with a history that ends
/// a little before `now`.
///
/// # Errors
///
/// When git is not here or fails, or the directory can't be written.
pub fn create(dir: &Path, regions: &[Region], now: Millis) -> Result<Sample, Problem> {
    let (path, remote) = (dir.join("sento"), dir.join("sento.git"));
    let failed = |error: std::io::Error| {
        Problem::new(
            Kind::Unexpected,
            format!(
                "could not make the rehearsal's repository in {}: {error}",
                dir.display()
            ),
            "see that the folder can be written and has room",
        )
    };
    std::fs::create_dir_all(&remote).map_err(failed)?;
    git(&remote, ["init", "--quiet", "--bare", "--template="], &[])?;
    // What `init --initial-branch=main` does from git 2.28 on.
    std::fs::write(remote.join("HEAD"), "ref: refs/heads/main\n").map_err(failed)?;
    git(&remote, ["fast-import", "--quiet"], &history::stream(regions, now))?;
    // Whoever looks at it with settings of their own finds it unchanged.
    let clone = [
        "clone",
        "--quiet",
        "--template=",
        "--config",
        "core.autocrlf=false",
        "sento.git",
        "sento",
    ];
    git(dir, clone, &[])?;
    let running = format!("HEAD~{}", history::NOT_RUNNING_YET);
    let ids = git(&path, ["rev-parse", "HEAD", &running], &[])?;
    let (head, running) = ids.split_once('\n').unwrap_or((&ids, &ids));
    Ok(Sample {
        head: CommitId::new(head),
        running: CommitId::new(running),
        running_since: Millis(now.0 - history::RUNNING_FOR_MS),
        path,
    })
}

impl Sample {
    /// The repository's name in a region's ECR, as config.toml has it.
    pub fn repository(region: &Region) -> String {
        format!("sento-{region}-processor-ecr")
    }

    /// Puts the image that the fleet runs into every region, as `latest` and under its commit.
    ///
    /// # Errors
    ///
    /// When a region has no such repository, or the disk is full.
    pub fn preload(&self, ecr: &EcrStandIn, regions: &[Region]) -> Result<(), Problem> {
        for region in regions {
            let tags = [self.running.as_str(), "latest"];
            let content = format!("sento processor at {}\n", self.running);
            ecr.preload(
                region,
                &Self::repository(region),
                &tags,
                content.as_bytes(),
                self.running_since,
            )?;
        }
        Ok(())
    }
}

/// Runs git in `folder` with this input, and returns what it printed, trimmed.
fn git<A: AsRef<OsStr>>(
    folder: &Path,
    arguments: impl IntoIterator<Item = A>,
    input: &[u8],
) -> Result<String, Problem> {
    let mut command = Command::new("git");
    command
        // Neither this user's settings and hooks nor those of a surrounding git command count here.
        .args(["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"])
        // Most of it is noise, which does not get smaller.
        .args(["-c", "core.compression=0", "-c", "fastimport.unpackLimit=1"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for variable in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_CONFIG_PARAMETERS",
    ] {
        command.env_remove(variable);
    }
    let failed = |why: &str| {
        Problem::new(
            Kind::Config,
            format!(
                "git could not make the rehearsal's repository in {}: {why}",
                folder.display()
            ),
            "a rehearsal needs git 2.22 or later: install it, or see what it says",
        )
    };
    let mut child = command.spawn().map_err(|error| failed(&error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A git that ends early says why itself.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().map_err(|error| failed(&error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
