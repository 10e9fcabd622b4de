//! The database: how it is opened, its tables, and what SQLite's errors mean for the operator.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Error, ErrorCode, OpenFlags, TransactionBehavior};

use super::cannot_write;
use crate::problem::{Kind, Problem};

/// How long to wait for another process's transaction. They last milliseconds; a stuck one is told.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What brings a database from version `index` to `index + 1`. Append only; the version is SQLite's `user_version`.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE deployment (
        id TEXT NOT NULL PRIMARY KEY,
        app TEXT NOT NULL,
        environment TEXT NOT NULL,
        commit_id TEXT NOT NULL,
        subject TEXT NOT NULL,
        user TEXT NOT NULL,
        machine TEXT NOT NULL,
        hosts INTEGER NOT NULL,
        started_at INTEGER NOT NULL,
        last_seq INTEGER NOT NULL,
        last_at INTEGER NOT NULL,
        outcome TEXT,
        was_left INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX deployment_by_time ON deployment (started_at);

    CREATE TABLE fact (
        deployment TEXT NOT NULL REFERENCES deployment (id),
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        json TEXT NOT NULL,
        PRIMARY KEY (deployment, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER fact_is_never_changed BEFORE UPDATE ON fact
        BEGIN SELECT raise(ABORT, 'facts are append-only'); END;
    CREATE TRIGGER fact_is_never_deleted BEFORE DELETE ON fact
        BEGIN SELECT raise(ABORT, 'facts are append-only'); END;
"];

/// The version that this program writes.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// Opens the database for writing, creates it for its owner alone, and brings it to this version.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, Problem> {
    // SQLite gives its -wal and -shm files the mode of the database, and would create that with 0644.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::IsADirectory if path.exists() => {
                cannot_use("read and write", path, &error)
            }
            _ => cannot_write(path, &error),
        })?;
    let prepare = || -> rusqlite::Result<(Connection, i64)> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // A file system without shared memory keeps the mode it can; what follows works with either.
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        // NORMAL may lose the last commits when the power fails, and a lost SendIntended could mean a second send.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let found = version(&connection)?;
        if found < VERSION {
            migrate(&mut connection)?;
        }
        Ok((connection, found))
    };
    let (connection, found) = prepare().map_err(|error| problem(path, &error))?;
    not_newer(path, found)?;
    Ok(connection)
}

/// Opens the database for reading; `None` when there is none yet.
pub(super) fn open_to_read(path: &Path) -> Result<Option<Connection>, Problem> {
    if !path.try_exists().map_err(|error| cannot_use("read", path, &error))? {
        return Ok(None);
    }
    let open = |uri: &str, flags: OpenFlags| -> rusqlite::Result<(Connection, i64)> {
        let connection = Connection::open_with_flags(uri, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let found = version(&connection).or_else(|error| {
            // A file that is shorter than its header says is refused as a whole, except to who asks for this: what is left
            // of it can be read then, and the connection cannot write.
            if error.sqlite_error_code() != Some(ErrorCode::DatabaseCorrupt) {
                return Err(error);
            }
            connection.pragma_update(None, "writable_schema", true)?;
            version(&connection)
        })?;
        Ok((connection, found))
    };
    let name = path.to_string_lossy();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = open(&name, flags).or_else(|error| {
        // WAL wants to write its -shm file even to read; where the folder forbids that, nobody else writes either.
        if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) {
            let uri = format!("file:{}?immutable=1", escape(&name));
            open(&uri, flags | OpenFlags::SQLITE_OPEN_URI)
        } else {
            Err(error)
        }
    });
    // SQLite does not say why a file cannot be read, and the system does.
    let unreadable = || File::open(path).and_then(|mut file| file.read(&mut [0])).err();
    let (connection, found) = opened.map_err(|error| match unreadable() {
        Some(why) => cannot_use("read", path, &why),
        None => problem(path, &error),
    })?;
    not_newer(path, found)?;
    // Version 0 is a file that its writer has not got round to fill.
    Ok((found > 0).then_some(connection))
}

/// The characters that mean something in SQLite's file URIs.
fn escape(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Two processes may get here together: the version is read again inside the transaction.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

fn not_newer(path: &Path, found: i64) -> Result<(), Problem> {
    if found <= VERSION {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Config,
        format!(
            "{} was written by a newer Quarterdeck (journal version {found}, this one knows {VERSION})",
            path.display()
        ),
        "update Quarterdeck, or name another folder with --state-dir",
    ))
}

fn cannot_use(how: &str, path: &Path, error: &dyn std::fmt::Display) -> Problem {
    let remedy = if path.is_dir() {
        "move that folder aside, or name another state folder with --state-dir"
    } else {
        "let yourself read and write it (`ls -l` shows who may), or name another folder with --state-dir"
    };
    Problem::new(
        Kind::Config,
        format!("cannot {how} the journal {}: {error}", path.display()),
        remedy,
    )
}

/// What an error of SQLite means and what to do about it.
pub(super) fn problem(path: &Path, error: &rusqlite::Error) -> Problem {
    let file = path.display();
    let damaged = || Problem::new(Kind::Config, format!("{file} is damaged: {error}"), super::RESCUE);
    let Some(code) = error.sqlite_error_code() else {
        return match error {
            Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..) => damaged(),
            _ => Problem::new(Kind::Unexpected, format!("the journal {file} failed: {error}"), ""),
        };
    };
    match code {
        ErrorCode::DiskFull => Problem::new(
            Kind::Unexpected,
            format!("the disk is full: {file} cannot grow"),
            "free some space, then take it up with `quarterdeck attach`: everything recorded so far is kept, and nothing goes \
             on unrecorded",
        ),
        ErrorCode::NotADatabase => Problem::new(
            Kind::Config,
            format!("{file} is damaged or not a journal: {error}"),
            "move it aside (with its -wal and -shm files) to begin a new one, or try `sqlite3 FILE .recover`; `quarterdeck \
             attach ID` or `quarterdeck attach --command-id ID --region REGION` then finds in SSM what was sent",
        ),
        ErrorCode::DatabaseCorrupt => damaged(),
        // What is asked for is always the same, so that a table that is not there was lost.
        ErrorCode::Unknown => damaged(),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => cannot_write(path, error),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Problem::new(
            Kind::Unexpected,
            format!("{file} has been locked by another process for {BUSY_TIMEOUT:?}"),
            "find the process that holds it (`fuser FILE`); no transaction of Quarterdeck lasts that long",
        ),
        ErrorCode::SystemIoFailure => Problem::new(
            Kind::Unexpected,
            format!("reading or writing {file} failed: {error}"),
            "check the disk (`df`, `dmesg`); everything recorded so far is kept",
        ),
        _ => Problem::new(Kind::Unexpected, format!("the journal {file} failed: {error}"), ""),
    }
}
