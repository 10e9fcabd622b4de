//! What went wrong, in the operator's words: what was tried, on what, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::Clean;

/// Nobody reads more, and a problem goes into the journal: 64 KiB, enough for a file that is wrong in a hundred places.
const TEXT_MAX: usize = 64 * 1024;

/// Something that stops a plan, a lane or the whole program; every one belongs to a [`Kind`] and so to an exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which sort of trouble it is.
    pub kind: Kind,
    /// What was tried and what happened, naming the file, key, host or region. A fragment or sentence without a full stop.
    pub what: Clean,
    /// What the operator can do now; empty only where nothing can be said.
    pub remedy: Clean,
}

impl Problem {
    /// A problem with its remedy. Both texts are cleaned and kept to a readable length, since they usually quote the outside.
    pub fn new(kind: Kind, what: impl AsRef<str>, remedy: impl AsRef<str>) -> Self {
        Self {
            kind,
            what: Clean::block_within(what.as_ref(), TEXT_MAX),
            remedy: Clean::block_within(remedy.as_ref(), TEXT_MAX),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if !self.remedy.is_empty() {
            write!(f, "\n  -> {}", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// The sorts of trouble; each has one exit code, see [`Kind::exit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A defect of Quarterdeck, or something nobody foresaw.
    Unexpected,
    /// Wrong usage or configuration: a flag, config.toml, the repository, a missing document or ECR repository.
    Config,
    /// No host matched a rollout's targets.
    NoHosts,
    /// A build, a push or the check of a digest failed, or Docker cannot be reached.
    Build,
    /// Credentials are missing, expired or not allowed to do this.
    Credentials,
    /// Another process drives a deployment of this application and environment.
    Locked,
    /// A guard refused: a dirty tree, a protected environment, a commit that is not on the branch.
    Guard,
}

impl Kind {
    /// The process's exit code for it.
    pub fn exit(self) -> Exit {
        match self {
            Self::Unexpected => Exit::Unexpected,
            Self::Config => Exit::Config,
            Self::NoHosts => Exit::NoHosts,
            Self::Build => Exit::Build,
            Self::Credentials => Exit::Credentials,
            Self::Locked => Exit::Locked,
            Self::Guard => Exit::Guard,
        }
    }
}

/// Every way the process can end. The numbers are documented in README.md and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Every expected host succeeded, or the plan is clean.
    Success = 0,
    /// An unexpected error.
    Unexpected = 1,
    /// Usage or configuration.
    Config = 2,
    /// One or more hosts failed, timed out or gave no report.
    Hosts = 3,
    /// No host matched.
    NoHosts = 4,
    /// Build, push or digest check failed.
    Build = 5,
    /// Credentials or permission.
    Credentials = 6,
    /// The deploy lock is held by another process.
    Locked = 7,
    /// A guard refused.
    Guard = 8,
    /// Left while hosts were still running; or by a key or `--wait-timeout`, whatever was sent by then.
    Left = 9,
    /// Cancelled by the operator.
    Cancelled = 10,
    /// SIGINT before anything was sent.
    Interrupted = 130,
    /// SIGTERM before anything was sent.
    Terminated = 143,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
