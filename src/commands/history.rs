//! `history`: the deployments that were driven from here.

use std::io::Write;

use jiff::tz::TimeZone;
use serde_json::json;
use unicode_width::UnicodeWidthStr;

use super::{Failure, look, place};
use crate::again::Again;
use crate::cli::{Global, History, Reach};
use crate::headless::Format;
use crate::journal::{Archive, Entry};
use crate::problem::Exit;
use crate::words::date_and_time;

/// Lists them, the newest first.
pub(super) fn run(global: &Global, args: &History, out: &mut dyn Write) -> Result<Exit, Failure> {
    let dir = place::state_dir(global)?;
    let entries = Archive::open(&dir)?.list(args.limit)?;
    match look::format(global.progress) {
        Format::Json => {
            for entry in &entries {
                writeln!(out, "{}", object(entry))?;
            }
        }
        Format::Plain | Format::Quiet if entries.is_empty() => {
            writeln!(out, "no deployment was driven from here yet ({})", place::shown(&dir))?;
        }
        Format::Plain | Format::Quiet => {
            table(&entries, &place::again(global, &Reach::default()), out)?;
        }
    }
    Ok(Exit::Success)
}

/// One entry for a program.
fn object(entry: &Entry) -> serde_json::Value {
    json!({
        "type": "deployment",
        "deployment": entry.id,
        "short": entry.id.short(),
        "app": entry.app,
        "environment": entry.environment,
        "commit": entry.commit,
        "subject": entry.subject,
        "user": entry.user,
        "machine": entry.machine,
        "hosts": entry.hosts,
        "started_at": entry.started_at,
        "last_at": entry.last_at,
        "facts": entry.facts,
        "standing": entry.standing.word(),
    })
}

/// Columns as wide as their widest cell; the last one has no end.
fn table(entries: &[Entry], again: &Again, out: &mut dyn Write) -> std::io::Result<()> {
    let head = ["ID", "STARTED", "WHAT", "COMMIT", "HOSTS", "OUTCOME", "BY", "SUBJECT"].map(str::to_owned);
    let zone = TimeZone::system();
    let mut rows = vec![head];
    rows.extend(entries.iter().map(|entry| {
        [
            entry.id.short(),
            date_and_time(entry.started_at, &zone),
            format!("{}/{}", entry.app, entry.environment),
            entry.commit.short().to_owned(),
            entry.hosts.to_string(),
            entry.standing.word().to_owned(),
            format!("{}@{}", entry.user, entry.machine),
            entry.subject.to_string(),
        ]
    }));
    let last = rows[0].len() - 1;
    let widths: Vec<usize> = (0..last)
        .map(|column| rows.iter().map(|row| row[column].width()).max().unwrap_or(0))
        .collect();
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths) {
            write!(out, "{cell}{}  ", " ".repeat(width - cell.width()))?;
        }
        writeln!(out, "{}", row[last])?;
    }
    if let Some(entry) = entries.iter().find(|entry| entry.standing.can_be_taken_up()) {
        writeln!(out, "\n`{}` takes up what was left", again.attach(entry.id))?;
    }
    Ok(())
}
