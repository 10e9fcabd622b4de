//! One poller a region: it follows all of the region's commands, at a pace that AWS sets.

mod tracker;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use tracker::Read;
pub(super) use tracker::Tracker;

use super::means::Means;
use super::ports::{AwsError, Ssm};
use super::work::{Event, Waiter};
use crate::names::{Millis, Region};
use crate::pages::Pages;
use crate::problem::{Kind, Problem};
use crate::state::live::{Poll, Progress};
use crate::text::Clean;

/// Looks in a row without an answer after which the lane is said to wait.
const UNANSWERED: u32 = 3;
/// How long it may be since an answer before a look's failure is said at once: one that nobody answers takes longer.
const SILENCE: Duration = Duration::from_secs(20);
/// Looks are up to this share of the interval early, so that regions do not look in step.
const JITTER: f64 = 0.15;

/// Follows commands until `commands` closes.
pub(super) async fn run(means: Means, region: Region, mut commands: mpsc::UnboundedReceiver<Tracker>) {
    let ssm = match means.region(&region) {
        Ok(ports) => ports.ssm.clone(),
        Err(problem) => return means.tell(Event::Waits(region, Waiter::Poller, problem)),
    };
    let mut poller = Poller {
        means,
        region,
        ssm,
        trackers: Vec::new(),
        poll: Poll::default(),
        failures: 0,
        answered: Instant::now(),
        waiting: false,
    };
    loop {
        if poller.trackers.is_empty() {
            match commands.recv().await {
                Some(tracker) => poller.follow(tracker),
                None => return,
            }
        }
        let due = Instant::now() + poller.interval();
        loop {
            tokio::select! {
                biased;
                more = commands.recv() => match more {
                    Some(tracker) => poller.follow(tracker),
                    None => return,
                },
                () = sleep_until(due) => break,
            }
        }
        poller.look().await;
    }
}

struct Followed {
    tracker: Tracker,
    since: Instant,
    /// How far the last whole reading came, where AWS broke it off: of a large fleet, one that began anew at each
    /// throttled page would never come to its end.
    broken_off: Option<Reading>,
    /// Whether the pages of this look led in circles.
    in_circles: bool,
}

/// A reading on its way through the pages.
struct Reading {
    pages: Pages,
    /// When its first page was asked for. Its end says nothing about anything later.
    since: Millis,
}

struct Poller {
    means: Means,
    region: Region,
    ssm: std::sync::Arc<dyn Ssm>,
    trackers: Vec<Followed>,
    poll: Poll,
    /// Looks in a row that got no answer, or were throttled.
    failures: u32,
    /// When a look was answered last, or the first one was due.
    answered: Instant,
    /// Whether the lane was told that it waits.
    waiting: bool,
}

impl Poller {
    fn follow(&mut self, tracker: Tracker) {
        if self.trackers.is_empty() {
            self.answered = Instant::now();
        }
        self.trackers.push(Followed {
            tracker,
            since: Instant::now(),
            broken_off: None,
            in_circles: false,
        });
    }

    /// The time to the next look.
    fn interval(&mut self) -> Duration {
        let pace = &self.means.pace;
        let young = |followed: &Followed| followed.since.elapsed() < pace.early_for;
        let calm = if self.trackers.iter().any(young) {
            pace.early
        } else {
            pace.steady
        };
        let slowed = calm
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(pace.slowest.max(calm));
        self.poll.interval = slowed;
        self.show();
        slowed.mul_f64(1.0 - JITTER * fastrand::f64())
    }

    fn show(&self) {
        self.means.show(Progress::Poll {
            region: self.region.clone(),
            poll: self.poll.clone(),
        });
    }

    async fn look(&mut self) {
        let mut at = 0;
        let mut trouble = None;
        while at < self.trackers.len() {
            match self.look_at(at).await {
                Ok(true) => drop(self.trackers.remove(at)),
                Ok(false) => at += 1,
                Err(error) => {
                    let followed = &mut self.trackers[at];
                    followed.tracker.broke_off();
                    // Pages without an end have none later either; the command's own deadline ends the wait. All else
                    // can mend: a refusal with a login, a network or a clock, and until then nobody knows a host's end.
                    let endless = std::mem::take(&mut followed.in_circles);
                    let over = followed.tracker.give_up(self.means.clock.now());
                    if let Some(facts) = over.filter(|_| endless) {
                        self.means.tell(Event::Facts(facts));
                        self.trackers.remove(at);
                        // Nobody waits for it any more.
                        continue;
                    }
                    at += 1;
                    // The region is slowed down as a whole; what only one command has hides no other.
                    let whole = matches!(error, AwsError::Throttled(_) | AwsError::Expired(_));
                    trouble = Some(error);
                    if whole {
                        break;
                    }
                }
            }
        }
        if let Some(error) = trouble {
            self.trouble(error);
            return self.show();
        }
        self.failures = 0;
        self.answered = Instant::now();
        self.poll.throttled = 0;
        self.poll.trouble = None;
        self.poll.answered_at = Some(self.means.clock.now());
        self.show();
        if std::mem::take(&mut self.waiting) {
            self.means.tell(Event::Goes(self.region.clone(), Waiter::Poller));
        }
    }

    /// Looks at one command; whether it is over.
    async fn look_at(&mut self, at: usize) -> Result<bool, AwsError> {
        let command = self.trackers[at].tracker.command.clone();
        self.poll.calls += 1;
        let counts = self.ssm.counts(&command).await?;
        let reads = self.trackers[at].tracker.look(counts);
        let mut whole = None;
        for read in reads {
            let since = self.read(at, read).await?;
            whole = whole.or(Some(since).filter(|_| read == Read::All));
        }
        let Some(since) = whole else {
            return Ok(false);
        };
        let closed = self.trackers[at].tracker.close(since);
        let over = closed.is_some();
        if let Some(facts) = closed {
            self.means.tell(Event::Facts(facts));
        }
        Ok(over)
    }

    /// Reads pages to the last one, and returns when the first of them was asked for.
    async fn read(&mut self, at: usize, read: Read) -> Result<Millis, AwsError> {
        let broken_off = self.trackers[at].broken_off.take();
        if let Some(reading) = broken_off.filter(|_| read == Read::All) {
            match self.read_on(at, read, reading).await {
                // SSM may not know the token any more, after this machine has slept for one.
                Err(AwsError::Refused(_)) => {}
                read => return read,
            }
        }
        let reading = Reading {
            pages: Pages::default(),
            since: self.means.clock.now(),
        };
        self.read_on(at, read, reading).await
    }

    async fn read_on(&mut self, at: usize, read: Read, mut reading: Reading) -> Result<Millis, AwsError> {
        match self.turn(at, read, &mut reading.pages).await {
            Ok(()) => Ok(reading.since),
            Err(error) => {
                // What was refused may be the token.
                let begun = read == Read::All && reading.pages.token().is_some();
                let goes_on = begun && !matches!(error, AwsError::Refused(_));
                self.trackers[at].broken_off = Some(reading).filter(|_| goes_on);
                Err(error)
            }
        }
    }

    /// Turns `pages` to the last one; each page's news goes out at once.
    async fn turn(&mut self, at: usize, read: Read, pages: &mut Pages) -> Result<(), AwsError> {
        let only = match read {
            Read::All => None,
            Read::Only(only) => Some(only),
        };
        let command = self.trackers[at].tracker.command.clone();
        loop {
            self.poll.calls += 1;
            let token = pages.token();
            let page = self.ssm.invocations(&command, only, token.as_deref()).await?;
            let tracker = &mut self.trackers[at].tracker;
            let seen = page.invocations.into_iter();
            let facts: Vec<_> = seen.filter_map(|seen| tracker.take(seen)).collect();
            if !facts.is_empty() {
                self.means.tell(Event::Facts(facts));
            }
            if !pages.go_on(page.next.as_deref()) {
                break;
            }
        }
        if !pages.circles() {
            return Ok(());
        }
        self.trackers[at].in_circles = true;
        Err(AwsError::Refused(Problem::new(
            Kind::Unexpected,
            format!(
                "{}: ListCommandInvocations of {command} leads in circles: its page token repeats",
                self.region
            ),
            "the reading starts over by itself",
        )))
    }

    /// The look broke off: slow down, say why, and tell the lane where fresh credentials or a better network are needed.
    fn trouble(&mut self, error: AwsError) {
        self.failures += 1;
        tracing::info!(region = %self.region, failures = self.failures, problem = %error.problem(), "a look broke off");
        self.poll.trouble = Some(Clean::line(error.problem().what.as_str()));
        let waits = match &error {
            AwsError::Throttled(_) => {
                self.poll.throttled += 1;
                false
            }
            AwsError::Expired(_) | AwsError::Refused(_) => true,
            AwsError::Unknown(_) => self.failures >= UNANSWERED || self.answered.elapsed() > SILENCE,
        };
        // Waiting for the operator is no reason to slow down further.
        if matches!(error, AwsError::Expired(_)) {
            self.failures = 0;
        }
        if waits && !self.waiting {
            self.waiting = true;
            let problem = error.problem().clone();
            self.means
                .tell(Event::Waits(self.region.clone(), Waiter::Poller, problem));
        }
    }
}
