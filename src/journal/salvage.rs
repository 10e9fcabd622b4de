//! What can still be read of a journal whose file is damaged.
//!
//! A damaged page ends SQLite's walk through a table. Whatever lies before it is found from the front, and whatever lies
//! behind it from the end.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};

use super::archive::Archive;
use crate::names::{DeploymentId, Millis};
use crate::problem::{Kind, Problem};
use crate::state::{Recorded, State};
use crate::text::Clean;

/// What SQLite says of a damaged file is kept to so many lines.
const COMPLAINTS: u32 = 20;

/// A database of so many bytes is looked at whole before a deployment starts.
const WHOLE: i64 = 64_000_000;
/// Of a larger one the newest deployments, until they have so many facts.
const FACTS: i64 = 100_000;

/// How a journal is.
#[derive(Debug, Default)]
pub struct Health {
    /// Deployments of which something can be read.
    pub deployments: usize,
    /// Facts that can be read.
    pub facts: usize,
    /// Everything that is wrong; empty for a whole journal.
    pub troubles: Vec<Problem>,
}

/// What can be read of one deployment.
#[derive(Debug)]
pub struct Salvaged {
    /// Whose facts they are.
    pub id: DeploymentId,
    /// The facts, in their order.
    pub facts: Vec<Recorded>,
    /// What could not be read, or is missing.
    pub troubles: Vec<Problem>,
}

impl Archive {
    /// Looks at everything: SQLite's own structures, every fact, and the fold of every deployment.
    pub fn health(&self) -> Health {
        let mut health = Health::default();
        health.troubles.extend(self.complaints());
        for id in self.known(&mut health.troubles) {
            let salvaged = self.salvage(id);
            health.deployments += 1;
            health.facts += salvaged.facts.len();
            health.troubles.extend(salvaged.troubles);
        }
        // Every walk ends at the same page with the same words.
        health.troubles.dedup();
        health
    }

    /// Whether something is damaged or missing, as far as SQLite can tell by itself, and nothing is read out or folded:
    /// [`health`](Self::health) says what. A deployment's start waits for it, so it ends soon, whatever there is: of a large
    /// history only the newest deployments are looked at.
    pub fn damage(&self) -> Option<Problem> {
        self.damage_within(WHOLE, FACTS)
    }

    pub(super) fn damage_within(&self, whole: i64, facts: i64) -> Option<Problem> {
        let connection = self.connection()?;
        let look = || -> rusqlite::Result<bool> {
            let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
            let is_whole = connection.query_row(sql, [], |row| row.get::<_, i64>(0))? <= whole;
            let quick = "PRAGMA quick_check(1)";
            if is_whole && connection.query_row(quick, [], |row| row.get::<_, String>(0))? != "ok" {
                return Ok(false);
            }
            // The row counts the facts; a fact that was written over is no JSON any more.
            let sql = "SELECT NOT EXISTS (
                SELECT 1 FROM (
                    SELECT id, last_seq, sum(last_seq) OVER (ORDER BY started_at DESC, id DESC) - last_seq AS newer
                    FROM deployment
                ) WHERE newer < ?1
                  AND last_seq <> (SELECT count(*) FILTER (WHERE json_valid(json)) FROM fact WHERE deployment = id)
            )";
            connection.query_row(sql, [if is_whole { i64::MAX } else { facts }], |row| row.get(0))
        };
        match look() {
            Ok(true) => None,
            Ok(false) => Some(Problem::new(
                Kind::Unexpected,
                format!(
                    "the journal in {} is damaged, and facts of deployments are lost",
                    self.dir().display()
                ),
                super::RESCUE,
            )),
            // A damaged page ends a look in the middle.
            Err(error) => Some(self.problem(&error)),
        }
    }

    /// Every deployment of which something can be read, the oldest first; `troubles` gets what keeps others from being found.
    pub fn known(&self, troubles: &mut Vec<Problem>) -> BTreeSet<DeploymentId> {
        let Some(connection) = self.connection() else {
            return BTreeSet::new();
        };
        let (ids, broken) = deployments(connection);
        troubles.extend(broken.map(|error| self.problem(&error)));
        ids
    }

    /// What can be read of a deployment.
    pub fn salvage(&self, id: DeploymentId) -> Salvaged {
        let mut salvaged = Salvaged {
            id,
            facts: Vec::new(),
            troubles: Vec::new(),
        };
        let Some(connection) = self.connection() else {
            return salvaged;
        };
        let (rows, broken) = rows(connection, id);
        salvaged.troubles.extend(broken.map(|error| self.problem(&error)));
        for (seq, (at, json)) in rows {
            match serde_json::from_str(&json) {
                Ok(fact) => salvaged.facts.push(Recorded {
                    seq: seq.unsigned_abs(),
                    at: Millis(at),
                    fact,
                }),
                Err(error) => salvaged.troubles.push(lost(
                    id,
                    format!("fact {seq} is not one that this version knows: {error}"),
                )),
            }
        }
        salvaged.troubles.extend(self.gaps(id, &salvaged.facts));
        salvaged
    }

    /// What is missing of a deployment.
    fn gaps(&self, id: DeploymentId, facts: &[Recorded]) -> Vec<Problem> {
        let mut troubles = Vec::new();
        // The row counts the facts, so that a lost end is noticed, too.
        let counted = self.called(&id.to_string()).ok();
        let counted = counted.and_then(|found| found.first().map(|entry| u64::from(entry.facts)));
        let last = counted.or_else(|| facts.last().map(|fact| fact.seq)).unwrap_or(0);
        // Ordered by number, which may be anything by now: what is missing between two of them is not walked through.
        let there: BTreeSet<u64> = facts.iter().map(|fact| fact.seq).filter(|seq| *seq <= last).collect();
        let starts = std::iter::once(0).chain(there.iter().copied());
        let ends = there.iter().copied().chain([last.saturating_add(1)]);
        for (before, behind) in starts.zip(ends).filter(|(before, behind)| behind - before > 1) {
            let (first, end) = (before + 1, behind - 1);
            troubles.push(lost(
                id,
                if first == end {
                    format!("fact {first} is missing")
                } else {
                    format!("facts {first} to {end} are missing")
                },
            ));
        }
        if counted.is_none() {
            troubles.push(lost(id, "its row in the history cannot be read".to_owned()));
        }
        if State::replay(facts).plan.is_none() {
            troubles.push(lost(id, "it does not begin with its plan".to_owned()));
        }
        troubles
    }

    /// What SQLite says is wrong with the file.
    fn complaints(&self) -> Vec<Problem> {
        let Some(connection) = self.connection() else {
            return Vec::new();
        };
        let ask = || -> rusqlite::Result<Vec<String>> {
            connection
                .prepare(&format!("PRAGMA integrity_check({COMPLAINTS})"))?
                .query_map([], |row| row.get(0))?
                .collect()
        };
        match ask() {
            Ok(lines) => lines
                .iter()
                .filter(|line| *line != "ok")
                .map(|line| {
                    Problem::new(
                        Kind::Unexpected,
                        format!("SQLite's integrity check says: {}", Clean::line(line)),
                        REMEDY,
                    )
                })
                .collect(),
            Err(error) => vec![self.problem(&error)],
        }
    }
}

const REMEDY: &str = "`quarterdeck journal export` saves what can be read; then move the file aside (with its -wal and \
     -shm files) to begin a new one. `quarterdeck attach ID` or `quarterdeck attach --command-id ID --region REGION` finds \
     in SSM what was sent";

fn lost(id: DeploymentId, what: String) -> Problem {
    Problem::new(Kind::Unexpected, format!("deployment {}: {what}", id.short()), REMEDY)
}

/// Walks a query from both ends until something cannot be read; `sql` gets `ASC` and `DESC` at its end.
fn walk<T>(
    connection: &Connection,
    sql: &str,
    params: &[&dyn rusqlite::ToSql],
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    mut keep: impl FnMut(T),
) -> Option<rusqlite::Error> {
    let mut broken = None;
    for order in ["ASC", "DESC"] {
        let mut pass = || -> rusqlite::Result<()> {
            let mut statement = connection.prepare(&format!("{sql} {order}"))?;
            let mut rows = statement.query(params)?;
            while let Some(row) = rows.next()? {
                keep(read(row)?);
            }
            Ok(())
        };
        match pass() {
            // A walk that reached the other end has seen everything.
            Ok(()) if broken.is_none() => return None,
            Ok(()) => {}
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    broken
}

/// The deployments that either table names.
fn deployments(connection: &Connection) -> (BTreeSet<DeploymentId>, Option<rusqlite::Error>) {
    let mut ids = BTreeSet::new();
    let mut broken = None;
    for sql in [
        "SELECT id FROM deployment ORDER BY id",
        "SELECT DISTINCT deployment FROM fact ORDER BY deployment",
    ] {
        let error = walk(
            connection,
            sql,
            &[],
            |row| row.get::<_, String>(0),
            |id| {
                ids.extend(id.parse::<DeploymentId>());
            },
        );
        broken = broken.or(error);
    }
    (ids, broken)
}

type Rows = BTreeMap<i64, (i64, String)>;

/// A deployment's rows by number, with their time and text.
fn rows(connection: &Connection, id: DeploymentId) -> (Rows, Option<rusqlite::Error>) {
    let mut rows = Rows::new();
    let broken = walk(
        connection,
        "SELECT seq, at, json FROM fact WHERE deployment = ?1 ORDER BY seq",
        params![id.to_string()],
        |row| Ok((row.get(0)?, row.get(1)?, text(row.get_ref(2)?))),
        |(seq, at, json)| drop(rows.insert(seq, (at, json))),
    );
    (rows, broken)
}

/// Text that may have been overwritten with anything.
fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => String::new(),
    }
}
