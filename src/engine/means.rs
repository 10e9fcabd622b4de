//! What every task of a drive has at hand, and the patience that AWS asks for.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::ports::{AwsError, RegionPorts};
use super::secrets::Secrets;
use super::setup::{Clock, Outside, Pace};
use super::work::{Event, Waiter, Work};
use super::{Board, ports};
use crate::names::Region;
use crate::plan::Plan;
use crate::problem::{Kind, Problem};

/// How often a call without an answer is made again before the operator is told. Throttled calls are made for as long as
/// it takes, since each of them was answered.
const UNANSWERED: u32 = 6;

/// What a task works with. Cheap to clone.
#[derive(Clone)]
pub(super) struct Means {
    pub plan: Arc<Plan>,
    pub outside: Outside,
    pub secrets: Arc<Secrets>,
    /// The folder of this deployment's build logs.
    pub logs: PathBuf,
    pub pace: Pace,
    pub clock: Clock,
    pub board: Arc<Board>,
    pub events: mpsc::UnboundedSender<Event>,
}

impl Means {
    /// The region's clients.
    ///
    /// # Errors
    /// When the connections that were made lack the region, which a plan and its configuration rule out.
    pub fn region(&self, region: &Region) -> Result<&RegionPorts, Problem> {
        self.outside.regions.get(region).ok_or_else(|| {
            Problem::new(
                Kind::Config,
                format!("{region} is in the plan, and not in the configuration any more"),
                "put the region back into config.toml",
            )
        })
    }

    /// Says something to the drive. It only goes away together with its tasks.
    pub fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Puts progress on the board.
    pub fn show(&self, progress: crate::state::live::Progress) {
        self.board.put(progress);
    }

    /// Where rooms put progress.
    pub fn sink(&self) -> ports::Sink {
        self.board.sink()
    }

    /// Makes a call that may be repeated until it is answered: throttled, it slows down; without credentials, it waits
    /// for fresh ones and says so; unanswered, it gives up after a few tries.
    ///
    /// # Errors
    /// What AWS refused, or the last of the tries without an answer.
    pub async fn patiently<T, F>(&self, region: &Region, work: &Work, mut call: impl FnMut() -> F) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, AwsError>>,
    {
        let mut patience = Patience::new(self, region, Waiter::Work(work.clone()));
        loop {
            match call().await {
                Ok(answer) => {
                    patience.over();
                    return Ok(answer);
                }
                Err(error) => patience.bear(error).await?,
            }
        }
    }
}

/// The pauses between the tries of one call.
pub(super) struct Patience<'a> {
    means: &'a Means,
    region: &'a Region,
    waiter: Waiter,
    waiting: bool,
    unanswered: u32,
    pause: Duration,
}

impl<'a> Patience<'a> {
    pub fn new(means: &'a Means, region: &'a Region, waiter: Waiter) -> Self {
        Self {
            means,
            region,
            waiter,
            waiting: false,
            unanswered: 0,
            pause: means.pace.pause,
        }
    }

    /// Waits as long as the error asks for.
    ///
    /// # Errors
    /// The problem, when waiting does not help.
    pub async fn bear(&mut self, error: AwsError) -> Result<(), Problem> {
        tracing::debug!(region = %self.region, waiter = ?self.waiter, problem = %error.problem(), "a call went wrong");
        match error {
            AwsError::Refused(problem) => {
                self.over();
                return Err(problem);
            }
            AwsError::Unknown(problem) => {
                self.unanswered += 1;
                if self.unanswered >= UNANSWERED {
                    self.over();
                    return Err(problem);
                }
                self.back_off().await;
            }
            AwsError::Throttled(_) => self.back_off().await,
            AwsError::Expired(problem) => {
                // Each time: whoever else waits in the same work may have said meanwhile that it goes on.
                self.waiting = true;
                let waits = Event::Waits(self.region.clone(), self.waiter.clone(), problem);
                self.means.tell(waits);
                tokio::time::sleep(self.means.pace.credentials).await;
            }
        }
        Ok(())
    }

    async fn back_off(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(self.means.pace.slowest);
    }

    /// The wait is over, one way or the other.
    pub fn over(&mut self) {
        if std::mem::take(&mut self.waiting) {
            self.means.tell(Event::Goes(self.region.clone(), self.waiter.clone()));
        }
    }
}

/// A task that is broken off does not leave its lane waiting.
impl Drop for Patience<'_> {
    fn drop(&mut self) {
        self.over();
    }
}
