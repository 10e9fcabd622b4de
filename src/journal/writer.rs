//! The writer: one thread that owns the connection and puts whatever is queued into one transaction.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior, named_params, params};
use tokio::sync::oneshot;

use super::schema;
use crate::engine::Clock;
use crate::names::{DeploymentId, Millis};
use crate::problem::{Kind, Problem};
use crate::state::{Fact, Recorded};

/// Appends that share one transaction at most, so that the first of them is not kept waiting for ever.
const BATCH: usize = 64;

/// A request and where its answer goes.
struct Append {
    deployment: DeploymentId,
    facts: Vec<Fact>,
    answer: oneshot::Sender<Result<Vec<Recorded>, Problem>>,
}

/// The way to the writing thread. Dropping it waits until everything queued is written.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Append>>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(connection: Connection, path: PathBuf, clock: Clock) -> Result<Self, Problem> {
        let (queue, requests) = mpsc::channel();
        let file = path.clone();
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || run(connection, &file, &clock, &requests))
            .map_err(|error| {
                Problem::new(
                    Kind::Unexpected,
                    format!("cannot start the journal's thread: {error}"),
                    "",
                )
            })?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            path,
        })
    }

    /// Queues facts; the receiver answers once they are durable.
    pub(super) fn append(
        &self,
        deployment: DeploymentId,
        facts: Vec<Fact>,
    ) -> Result<oneshot::Receiver<Result<Vec<Recorded>, Problem>>, Problem> {
        let (answer, receiver) = oneshot::channel();
        let append = Append {
            deployment,
            facts,
            answer,
        };
        self.queue
            .as_ref()
            .and_then(|queue| queue.send(append).ok())
            .ok_or_else(|| self.gone())?;
        Ok(receiver)
    }

    /// The thread ended, which only a panic in it can bring about.
    pub(super) fn gone(&self) -> Problem {
        Problem::new(
            Kind::Unexpected,
            format!("the writer of {} has stopped", self.path.display()),
            "please report this; what was recorded before is kept",
        )
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // Its panic, if it had one, was told to everyone who waited for an answer.
            let _ = thread.join();
        }
    }
}

fn run(mut connection: Connection, path: &Path, clock: &Clock, requests: &mpsc::Receiver<Append>) {
    while let Ok(first) = requests.recv() {
        let mut batch = vec![first];
        batch.extend(requests.try_iter().take(BATCH - 1));
        match write(&mut connection, clock, &batch) {
            Ok(answers) => {
                for (append, recorded) in batch.into_iter().zip(answers) {
                    // Nobody waiting any more is fine: the facts are durable all the same.
                    let _ = append.answer.send(Ok(recorded));
                }
            }
            Err(error) => {
                let problem = schema::problem(path, &error);
                for append in batch {
                    let _ = append.answer.send(Err(problem.clone()));
                }
            }
        }
    }
}

/// One transaction: all of it or nothing.
fn write(connection: &mut Connection, clock: &Clock, batch: &[Append]) -> rusqlite::Result<Vec<Vec<Recorded>>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut answers = Vec::with_capacity(batch.len());
    for append in batch {
        let id = append.deployment.to_string();
        let mut recorded = Vec::with_capacity(append.facts.len());
        for fact in &append.facts {
            let at = clock.now();
            let seq = note(&transaction, &id, fact, at)?;
            let json = serde_json::to_string(fact)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            transaction
                .prepare_cached("INSERT INTO fact (deployment, seq, at, json) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![id, seq, at.0, json])?;
            recorded.push(Recorded {
                seq: seq.unsigned_abs(),
                at,
                fact: fact.clone(),
            });
        }
        answers.push(recorded);
    }
    transaction.commit()?;
    Ok(answers)
}

/// Brings the deployment's row up to date for the history; returns the fact's number.
fn note(connection: &Connection, id: &str, fact: &Fact, at: Millis) -> rusqlite::Result<i64> {
    if let Fact::DeploymentStarted { plan, driver } = fact {
        connection
            .prepare_cached(
                "INSERT INTO deployment (id, app, environment, commit_id, subject, user, machine, hosts, started_at, last_seq, last_at)
                 VALUES (:id, :app, :environment, :commit_id, :subject, :user, :machine, :hosts, :at, 1, :at)",
            )?
            .execute(named_params! {
                ":id": id,
                ":app": plan.app.as_str(),
                ":environment": plan.environment.name.as_str(),
                ":commit_id": plan.commit.id.as_str(),
                ":subject": plan.commit.subject.as_str(),
                ":user": driver.user.as_str(),
                ":machine": driver.machine.as_str(),
                ":hosts": i64::try_from(plan.host_count()).unwrap_or(i64::MAX),
                ":at": at.0,
            })?;
        return Ok(1);
    }
    let settled = match fact {
        Fact::DeploymentSettled { outcome } => Some(outcome.word()),
        _ => None,
    };
    let was_left = match fact {
        Fact::DeploymentLeft { .. } => Some(true),
        Fact::DeploymentResumed { .. } => Some(false),
        _ => None,
    };
    connection
        .prepare_cached(
            "UPDATE deployment SET last_seq = last_seq + 1, last_at = :at,
                 outcome = CASE WHEN :reopens THEN NULL ELSE coalesce(:settled, outcome) END,
                 was_left = coalesce(:was_left, was_left)
             WHERE id = :id RETURNING last_seq",
        )?
        .query_row(
            named_params! {
                ":id": id,
                ":at": at.0,
                ":reopens": fact.reopens(),
                ":settled": settled,
                ":was_left": was_left,
            },
            |row| row.get(0),
        )
}
