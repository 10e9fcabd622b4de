//! The reading end: the history, and the facts of one deployment.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};

use super::{FILE, claim, schema};
use crate::names::{CommitId, DeploymentId, Millis};
use crate::problem::{Kind, Problem};
use crate::state::{Outcome, Recorded};
use crate::text::Clean;
use crate::words::date_and_time;

/// How many deployments an ambiguous name lists.
const CANDIDATES: usize = 8;

/// A reader of the journal. It never writes, and works on a folder that cannot be written.
pub struct Archive {
    dir: PathBuf,
    /// `None` while nothing was ever recorded.
    connection: Option<Connection>,
}

/// One deployment in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: DeploymentId,
    /// The application.
    pub app: Clean,
    /// The environment.
    pub environment: Clean,
    /// The commit.
    pub commit: CommitId,
    /// The commit's subject.
    pub subject: Clean,
    /// Who started it.
    pub user: Clean,
    /// On which machine.
    pub machine: Clean,
    /// How many hosts it was meant for.
    pub hosts: u32,
    /// When it was started.
    pub started_at: Millis,
    /// When its last fact was recorded.
    pub last_at: Millis,
    /// How many facts it has.
    pub facts: u32,
    /// How it stands.
    pub standing: Standing,
}

/// How a deployment in the history stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Settled.
    Settled(Outcome),
    /// A process drives it now.
    Running,
    /// Its driver left while something was going on in the fleet.
    Left,
    /// Its driver ended without a word: it was killed, or its machine went down.
    Interrupted,
}

impl Standing {
    /// The word in the history.
    pub fn word(self) -> &'static str {
        match self {
            Self::Settled(outcome) => outcome.word(),
            Self::Running => "running",
            Self::Left => "left",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether nobody drives it and something of it may still be going on.
    pub fn can_be_taken_up(self) -> bool {
        match self {
            Self::Left | Self::Interrupted => true,
            Self::Settled(_) | Self::Running => false,
        }
    }
}

/// Whether `text` can be (part of) a deployment's id: at least three hexadecimal digits.
pub fn is_name(text: &str) -> bool {
    let digits = text.trim().replace('-', "");
    digits.len() >= 3 && digits.chars().all(|c| c.is_ascii_hexdigit())
}

impl Archive {
    /// Opens the journal in the state folder `dir` for reading. A folder without one has an empty history.
    ///
    /// # Errors
    /// A [`Problem`] that names the file when it cannot be read, is damaged or was written by a newer version.
    pub fn open(dir: &Path) -> Result<Self, Problem> {
        Ok(Self {
            dir: dir.to_owned(),
            connection: schema::open_to_read(&dir.join(FILE))?,
        })
    }

    /// The state folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The latest deployments, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self, limit: usize) -> Result<Vec<Entry>, Problem> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.query("ORDER BY started_at DESC, id DESC LIMIT ?1", params![limit])
    }

    /// One deployment by its whole id, the start of it, its last digits, or the start of its short form; `latest` is the
    /// latest one.
    ///
    /// # Errors
    /// [`Kind::Config`] when none or several match; the candidates are listed.
    pub fn find(&self, text: &str) -> Result<Entry, Problem> {
        let mut found = self.called(text)?;
        match found.len() {
            0 if text.trim() == "latest" => Err(Problem::new(
                Kind::Config,
                format!("no deployment was driven from here yet ({})", self.dir.display()),
                "`quarterdeck deploy` starts one, and `quarterdeck attach ID` finds in SSM what was started elsewhere; what \
                 is in another folder is shown with --state-dir",
            )),
            0 => Err(Problem::new(
                Kind::Config,
                format!("no deployment is called {text:?} in {}", self.dir.display()),
                "`quarterdeck history` lists them; give the whole id, or at least three digits of its start or end",
            )),
            1 => Ok(found.remove(0)),
            _ => {
                let list: String = found.iter().map(|entry| format!("\n  {}", entry.line())).collect();
                Err(Problem::new(
                    Kind::Config,
                    format!("{text:?} may be any of these deployments:{list}"),
                    "give more of its id",
                ))
            }
        }
    }

    /// The deployments that `text` may mean, as [`find`](Self::find) understands it, at most a few.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn called(&self, text: &str) -> Result<Vec<Entry>, Problem> {
        let digits: String = text.trim().to_ascii_lowercase().replace('-', "");
        if text.trim() == "latest" {
            self.list(1)
        } else if is_name(text) {
            self.query(
                "WHERE substr(replace(id, '-', ''), 1, length(?1)) = ?1 OR substr(id, -length(?1)) = ?1
                     OR substr(id, -8, length(?1)) = ?1
                 ORDER BY started_at DESC, id DESC LIMIT ?2",
                params![digits, i64::try_from(CANDIDATES).unwrap_or(i64::MAX)],
            )
        } else {
            Ok(Vec::new())
        }
    }

    /// All facts of a deployment, in their order.
    ///
    /// # Errors
    /// When the file cannot be read, or a fact is of a kind that this version does not know.
    pub fn facts(&self, id: DeploymentId) -> Result<Vec<Recorded>, Problem> {
        self.since(id, 0)
    }

    /// The facts of a deployment behind number `seq`, in their order.
    ///
    /// # Errors
    /// As [`facts`](Self::facts).
    pub fn since(&self, id: DeploymentId, seq: u64) -> Result<Vec<Recorded>, Problem> {
        let Some(connection) = &self.connection else {
            return Ok(Vec::new());
        };
        let rows = || -> rusqlite::Result<Vec<(i64, i64, String)>> {
            connection
                .prepare_cached("SELECT seq, at, json FROM fact WHERE deployment = ?1 AND seq > ?2 ORDER BY seq")?
                .query_map(params![id.to_string(), i64::try_from(seq).unwrap_or(i64::MAX)], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?
                .collect()
        };
        let rows = rows().map_err(|error| self.problem(&error))?;
        rows.into_iter()
            .map(|(seq, at, json)| match serde_json::from_str(&json) {
                Ok(fact) => Ok(Recorded {
                    seq: seq.unsigned_abs(),
                    at: Millis(at),
                    fact,
                }),
                Err(error) => Err(Problem::new(
                    Kind::Config,
                    format!(
                        "fact {seq} of deployment {} is not one that this version knows: {error}",
                        id.short()
                    ),
                    "show it with the version of Quarterdeck that recorded it",
                )),
            })
            .collect()
    }

    fn query(&self, rest: &str, params: impl rusqlite::Params) -> Result<Vec<Entry>, Problem> {
        let Some(connection) = &self.connection else {
            return Ok(Vec::new());
        };
        let sql = format!(
            "SELECT id, app, environment, commit_id, subject, user, machine, hosts, started_at, last_at, last_seq, outcome, was_left
             FROM deployment {rest}"
        );
        let read = || -> rusqlite::Result<Vec<Option<Entry>>> {
            connection
                .prepare_cached(&sql)?
                .query_map(params, |row| self.entry(row))?
                .collect()
        };
        let entries = read().map_err(|error| self.problem(&error))?;
        Ok(entries.into_iter().flatten().collect())
    }

    /// A row; `None` when its id is not one. What is damaged in it is shown as far as it can be read: it keeps neither its
    /// own deployment nor the others from being found.
    fn entry(&self, row: &Row<'_>) -> rusqlite::Result<Option<Entry>> {
        let text = |column: &str| -> rusqlite::Result<Clean> {
            let text = match row.get_ref(column)? {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Clean::line(&String::from_utf8_lossy(bytes)),
                ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Clean::default(),
            };
            Ok(text)
        };
        let number = |column: &str| -> rusqlite::Result<i64> { Ok(row.get_ref(column)?.as_i64().unwrap_or_default()) };
        let small = |column: &str| -> rusqlite::Result<u32> { Ok(u32::try_from(number(column)?).unwrap_or_default()) };
        let Ok(id) = text("id")?.as_str().parse::<DeploymentId>() else {
            return Ok(None);
        };
        let (app, environment) = (text("app")?, text("environment")?);
        let standing = match serde_json::from_value(text("outcome")?.as_str().into()).ok() {
            Some(outcome) => Standing::Settled(outcome),
            None => {
                let held = claim::holder(&self.dir, &app, &environment).is_some_and(|holder| holder.deployment == id);
                match (held, number("was_left")? != 0) {
                    (true, _) => Standing::Running,
                    (false, true) => Standing::Left,
                    (false, false) => Standing::Interrupted,
                }
            }
        };
        Ok(Some(Entry {
            id,
            app,
            environment,
            commit: CommitId::new(text("commit_id")?.as_str()),
            subject: text("subject")?,
            user: text("user")?,
            machine: text("machine")?,
            hosts: small("hosts")?,
            started_at: Millis(number("started_at")?),
            last_at: Millis(number("last_at")?),
            facts: small("last_seq")?,
            standing,
        }))
    }

    /// The open database, if there is one.
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    pub(super) fn problem(&self, error: &rusqlite::Error) -> Problem {
        schema::problem(&self.dir.join(FILE), error)
    }
}

impl Entry {
    /// The whole entry on a line.
    pub fn line(&self) -> String {
        format!(
            "{}  {}  {}/{}  {}  {}  {}",
            self.id.short(),
            date_and_time(self.started_at, &TimeZone::system()),
            self.app,
            self.environment,
            self.commit.short(),
            self.standing.word(),
            self.subject,
        )
    }
}
