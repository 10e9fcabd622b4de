//! The sample's commits, as the stream that `git fast-import` reads.

use super::files;
use crate::names::{Millis, Region};

/// How many commits the fleet does not run yet.
pub(super) const NOT_RUNNING_YET: usize = 3;

/// How long the fleet has been running what it runs: since minutes after that commit.
pub(super) const RUNNING_FOR_MS: i64 = 71 * HOUR_MS;

const HOUR_MS: i64 = 3_600_000;

/// One commit: who, how many minutes before the rehearsal, why, and which files it changes.
struct Commit {
    author: &'static str,
    minutes_ago: i64,
    message: &'static str,
    files: Vec<(&'static str, Vec<u8>)>,
}

fn commits(regions: &[Region]) -> Vec<Commit> {
    let mara = "Mara Lindqvist <mara@sento.example>";
    let tomas = "Tomás Ferreira <tomas@sento.example>";
    let aiko = "Aiko Mori <aiko@sento.example>";
    let minutes = |days: i64, minutes: i64| days * 24 * 60 + minutes;
    vec![
        Commit {
            author: mara,
            minutes_ago: minutes(19, 0),
            message: "Process messages of the sento queue",
            files: files::first(regions),
        },
        Commit {
            author: tomas,
            minutes_ago: minutes(9, 140),
            message: "Count what is processed, per tenant",
            files: vec![
                ("bin/processor", files::program(2)),
                ("config/metrics.toml", files::METRICS.into()),
            ],
        },
        Commit {
            author: mara,
            minutes_ago: minutes(3, 0),
            message: "Reconnect to the queue after an outage",
            files: vec![
                ("bin/processor", files::program(3)),
                ("config/queue.toml", files::queue(1).into()),
            ],
        },
        Commit {
            author: aiko,
            minutes_ago: minutes(1, 35),
            message: "Try a message three times before it is parked\n\nA tenant's slow endpoint parked messages that went through a second later.",
            files: vec![
                ("bin/processor", files::program(4)),
                ("config/queue.toml", files::queue(3).into()),
            ],
        },
        Commit {
            author: tomas,
            minutes_ago: minutes(0, 190),
            message: "Say which message was parked, and why",
            files: vec![("bin/processor", files::program(5))],
        },
        Commit {
            author: aiko,
            minutes_ago: minutes(0, 12),
            message: "Check the schema before the first message",
            files: vec![
                ("bin/processor", files::program(6)),
                ("schema/message.json", files::SCHEMA.into()),
            ],
        },
    ]
}

/// The whole history; the last commit is `main`.
pub(super) fn stream(regions: &[Region], now: Millis) -> Vec<u8> {
    let mut out = Vec::new();
    for commit in commits(regions) {
        let seconds = now.0 / 1000 - commit.minutes_ago * 60;
        let head = format!(
            "commit refs/heads/main\nauthor {0} {seconds} +0000\ncommitter {0} {seconds} +0000\n",
            commit.author
        );
        out.extend_from_slice(head.as_bytes());
        data(&mut out, commit.message.as_bytes());
        for (path, bytes) in &commit.files {
            let mode = if path.starts_with("bin/") { "100755" } else { "100644" };
            out.extend_from_slice(format!("M {mode} inline {path}\n").as_bytes());
            data(&mut out, bytes);
        }
        out.push(b'\n');
    }
    out
}

fn data(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(format!("data {}\n", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
    out.push(b'\n');
}
