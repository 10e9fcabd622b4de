//! The deploy lock: one process at most drives a deployment of an application and environment.
//!
//! It is the kernel's lock on an open file, so it ends with the process, however that ends. The file stays: deleting
//! it would let two processes hold locks on two files of one name.
//!
//! The file's time of change is the last sign of life of the driver whose name is in it. A driver that leaves takes its
//! name out, so a name that nobody holds the lock for is that of one that was killed, or could not record its leave; it
//! stays, with its last sign, until the next one drives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Archive, Standing, cannot_write, make_dir};
use crate::engine::ports;
use crate::names::{DeploymentId, Millis};
use crate::plan::Plan;
use crate::problem::{Kind, Problem};
use crate::state::Driver;
use crate::text::Clean;
use crate::words::date_and_time;

/// How often a lock is tried again before it counts as held: a look at it takes microseconds, and may be at one that has
/// nobody's name in it yet, or still the name of a process that was killed.
const TRIES: u32 = 10;
/// Between two of these.
const PAUSE: Duration = Duration::from_millis(20);

/// Who holds the lock; written inside of it for whoever comes second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The application.
    pub app: Clean,
    /// The environment.
    pub environment: Clean,
    /// The deployment that it drives.
    pub deployment: DeploymentId,
    /// The operator's login name.
    pub user: Clean,
    /// The machine.
    pub machine: Clean,
    /// The process there.
    pub pid: u32,
    /// Since when.
    pub since: Millis,
}

impl Holder {
    /// The holder that a driver of `plan` becomes.
    pub(super) fn of(plan: &Plan, driver: &Driver) -> Self {
        Self {
            app: plan.app.clone(),
            environment: plan.environment.name.clone(),
            deployment: plan.id,
            user: driver.user.clone(),
            machine: driver.machine.clone(),
            pid: driver.pid,
            since: Millis::now(),
        }
    }

    /// Who it is, and what to do about it; `dir` is the state folder.
    pub(super) fn problem(&self, dir: &Path) -> Problem {
        let since = date_and_time(self.since, &TimeZone::system());
        let Self { app, environment, .. } = self;
        let id = self.deployment.short();
        let who = format!(
            "by {} on {}, process {}, since {since}, deployment {id}",
            self.user, self.machine, self.pid
        );
        // The console of a deployment that is done drives on: its hosts can be retried from it.
        let (what, remedy) = if self.is_settled(dir) {
            (
                format!("a deployment of {app} to {environment} is done, and its screen is still open: {who}"),
                format!("close that screen with `q`; `quarterdeck show {id}` shows how it ended"),
            )
        } else {
            (
                format!("{app} is being deployed to {environment} already: {who}"),
                format!("wait until it is done, or leave it there with `q`; `quarterdeck show {id}` shows it"),
            )
        };
        Problem::new(Kind::Locked, what, remedy)
    }

    /// Whether nothing of its deployment is under way. A journal that cannot be read does not say so.
    fn is_settled(&self, dir: &Path) -> bool {
        let found = Archive::open(dir).and_then(|archive| archive.called(&self.deployment.to_string()));
        let mut found = found.into_iter().flatten();
        found.any(|entry| entry.id == self.deployment && matches!(entry.standing, Standing::Settled(_)))
    }
}

/// The lock, held until this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    file: File,
    last_sign: Option<Millis>,
    /// What was in the file and when that was changed, until this process drives.
    before: Option<(Vec<u8>, SystemTime)>,
    /// Whether this process has left in order.
    left: bool,
}

impl Claim {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`Kind::Locked`], naming the holder, when another process has it; [`Kind::Config`] when the folder cannot be written.
    pub(super) fn take(dir: &Path, holder: &Holder) -> Result<Self, Problem> {
        let path = path(dir, &holder.app, &holder.environment);
        if let Some(parent) = path.parent() {
            make_dir(parent)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| cannot_write(&path, &error))?;
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries < TRIES => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(read(&mut file).map_or_else(|| unnamed(&path), |by| by.problem(dir)));
                }
                Err(TryLockError::Error(error)) => return Err(cannot_write(&path, &error)),
            }
            tries += 1;
        }
        Self::named(file, holder).map_err(|error| cannot_write(&path, &error))
    }

    /// Puts the holder's name into the locked file.
    fn named(mut file: File, holder: &Holder) -> std::io::Result<Self> {
        let mut before = Vec::new();
        file.read_to_end(&mut before)?;
        let changed = file.metadata()?.modified()?;
        let same = serde_json::from_slice(&before).is_ok_and(|by: Holder| by.deployment == holder.deployment);
        let last_sign = if same { millis(changed) } else { None };
        let mut claim = Self {
            file,
            last_sign,
            before: Some((before, changed)),
            left: false,
        };
        write(
            &mut claim.file,
            format!("{}\n", serde_json::to_string(holder)?).as_bytes(),
        )?;
        // Not this process's sign of life: it may end before it drives.
        show(&claim.file, last_sign.unwrap_or(Millis(0)));
        Ok(claim)
    }
}

impl ports::Claim for Claim {
    fn last_sign(&self) -> Option<Millis> {
        self.last_sign
    }

    fn sign(&mut self, now: Millis) {
        self.before = None;
        show(&self.file, now);
    }

    fn leave(&mut self) {
        self.before = None;
        self.left = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The name goes before the lock, so that nobody reads the name of a process that is gone.
        if let Some((before, changed)) = self.before.take() {
            let _ = write(&mut self.file, &before);
            let _ = self.file.set_modified(changed);
        } else if self.left {
            let _ = write(&mut self.file, b"");
        }
        let _ = self.file.unlock();
    }
}

/// Dates the file. Where that cannot be done, only facts say how long ago somebody drove.
fn show(file: &File, now: Millis) {
    if let Some(now) = SystemTime::UNIX_EPOCH.checked_add(now.since(Millis(0))) {
        let _ = file.set_modified(now);
    }
}

fn millis(time: SystemTime) -> Option<Millis> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(Millis)
}

/// Who drives a deployment of this application and environment now, if anybody does.
pub(super) fn holder(dir: &Path, app: &Clean, environment: &Clean) -> Option<Holder> {
    let mut file = File::open(path(dir, app, environment)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read(&mut file),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// `@` is in neither half: what is not a plain character becomes `_`, so two names at worst share a lock.
fn path(dir: &Path, app: &Clean, environment: &Clean) -> PathBuf {
    let plain = |text: &Clean| -> String {
        let keep = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        text.as_str().chars().map(|c| if keep(c) { c } else { '_' }).collect()
    };
    dir.join("locks")
        .join(format!("{}@{}.lock", plain(app), plain(environment)))
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, text: &[u8]) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text)
}

/// The other process has the lock and has not written its name yet.
fn unnamed(path: &Path) -> Problem {
    Problem::new(
        Kind::Locked,
        format!("another process holds {}", path.display()),
        "wait until its deployment is done; `quarterdeck history` names it",
    )
}
