//! How a drive ends, and how one of its tasks does that broke off.

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Drive, LAST_TRY, LAST_WORDS};
use crate::engine::Update;
use crate::engine::build;
use crate::engine::work::Work;
use crate::problem::{Kind, Problem};
use crate::state::{Fact, RetrySet};
use crate::text::Clean;
use crate::words::plural;

impl Drive {
    /// Stops driving. Builds and pushes stop, since they need this process; a command that is going out is waited for.
    pub(super) async fn leave(&mut self, reason: Clean) -> Result<(), Problem> {
        self.last_words().await?;
        let unsent: usize = self.wanted_retries.values().map(RetrySet::len).sum();
        if unsent > 0 {
            self.refuse(
                format!("the retry of {} was left before it went out", plural(unsent, "host")),
                "they are as they were; attach and retry again",
            );
        }
        // Dropping a build's or a push's stream stops it on the Docker Engine.
        self.jobs.shutdown().await;
        if self.state.settled.is_none() {
            let waiting = self.state.waiting_for_retry();
            let reason = if waiting == 0 {
                reason
            } else {
                let hosts = plural(waiting, "host");
                Clean::line(&format!("{reason}; a retry of {hosts} has not gone out yet"))
            };
            self.record(vec![Fact::DeploymentLeft { reason }]).await?;
        }
        Ok(())
    }

    /// Waits for the answers to what is going out, for a while, and records them as far as the journal takes them.
    pub(super) async fn last_words(&mut self) -> Result<(), Problem> {
        self.pollers.clear();
        for (id, work) in &self.busy {
            if !work.is_precious() {
                self.stops.remove(work);
                tracing::debug!(?work, ?id, "broken off");
            }
        }
        self.busy.retain(|_, work| work.is_precious());
        let mut lost = None;
        if timeout(LAST_WORDS, self.answers(&mut lost)).await.is_err() {
            // A send that was refused so far, for want of credentials say, and only waits to be tried again has not gone out.
            self.stops.values().for_each(CancellationToken::cancel);
            // What is not answered by now is found in SSM by whoever takes the deployment up.
            let _ = timeout(LAST_TRY, self.answers(&mut lost)).await;
        }
        lost.map_or(Ok(()), Err)
    }

    /// Records what comes of everything that is busy; `lost` gets the first problem of the journal.
    async fn answers(&mut self, lost: &mut Option<Problem>) {
        while !self.busy.is_empty() {
            match self.jobs.join_next_with_id().await {
                Some(Ok((id, facts))) => {
                    if self.busy.remove(&id).is_some() {
                        *lost = lost.take().or(self.record(facts).await.err());
                    }
                }
                Some(Err(error)) => drop(self.busy.remove(&error.id())),
                None => break,
            }
        }
    }

    /// A defect in one task ends that task and nothing else; the report is on standard error and in the log.
    pub(super) async fn broke(&mut self, work: Work) -> Result<(), Problem> {
        let problem = Problem::new(
            Kind::Unexpected,
            format!("a defect in Quarterdeck broke off this work: {work:?}"),
            "retry it, and report the defect with the log",
        );
        let facts = match work {
            Work::Build(id) => build::failed(&id, problem),
            Work::Push(region) => vec![Fact::PushFailed { region, problem }],
            Work::Tags(region) => {
                let waiting = self.waiting_tags(&region).into_iter().next();
                waiting
                    .map(|tag| Fact::TagFailed { region, tag, problem })
                    .into_iter()
                    .collect()
            }
            Work::Send(token) => vec![Fact::SendUnknown { token, problem }],
            Work::Cancel(command) => vec![Fact::CancelFailed { command, problem }],
            Work::RetryCheck(serial) => {
                self.wanted_retries.remove(&serial);
                self.say(Update::Notice(problem));
                Vec::new()
            }
            Work::Output(..) => {
                self.say(Update::Notice(problem));
                Vec::new()
            }
        };
        self.record(facts).await
    }
}
