//! `quarterdeck.log`: what the program did, for a bug report. Never a secret.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::LogLevel;
use crate::problem::{Kind, Problem};

/// A log that is larger at the start becomes `quarterdeck.log.old`.
const LARGE: u64 = 4_000_000;

/// Starts the log in the state folder, once a process.
///
/// Other crates are heard from `warn` on, whatever the level: below that the AWS SDK, hyper and bollard write requests
/// out, with tokens in them.
///
/// # Errors
/// The file cannot be written.
pub(super) fn start(dir: &Path, level: LogLevel) -> Result<(), Problem> {
    let path = dir.join("quarterdeck.log");
    let failed = |error: std::io::Error| {
        Problem::new(
            Kind::Config,
            format!("cannot write the log {}: {error}", path.display()),
            "make it writable, or name another folder with --state-dir or QUARTERDECK_STATE_DIR",
        )
    };
    if std::fs::metadata(&path).is_ok_and(|found| found.len() > LARGE) {
        std::fs::rename(&path, dir.join("quarterdeck.log.old")).map_err(failed)?;
    }
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    let own = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let filter = Targets::new()
        .with_default(own.min(LevelFilter::WARN))
        .with_target("quarterdeck", own);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Mutex::new(file));
    // A second start, as in tests, keeps the first log.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "started");
    Ok(())
}
