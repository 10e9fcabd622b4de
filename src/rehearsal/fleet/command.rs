//! One command's life on the fleet.

use std::collections::VecDeque;

use super::fate::{Fate, Status};
use super::limits::{Limits, Ramp};
use crate::names::Millis;

/// One command on one host.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The node's number in the fleet.
    pub node: usize,
    /// How it stands.
    pub status: Status,
    /// What becomes of it; settled when it is sent.
    pub fate: Fate,
    /// Whether lists show it yet.
    pub listed: bool,
    /// When the script started.
    pub started_at: Option<Millis>,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// The digest of the image that it pulled.
    pub digest: Option<String>,
    /// Whether it occupies one of MaxConcurrency's places.
    pub(super) in_flight: bool,
    /// The number of its run, once its script started.
    pub(super) run: Option<usize>,
}

/// Why no further host is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// MaxErrors was exceeded by a host in this state.
    Errors(Status),
    /// The whole command was cancelled.
    Cancelled,
    /// Its time was up.
    Expired,
}

/// Counters as SSM gives them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// TargetCount.
    pub targets: usize,
    /// CompletedCount: ended, well or badly.
    pub completed: usize,
    /// ErrorCount: failed or timed out in execution.
    pub errors: usize,
    /// DeliveryTimedOutCount.
    pub delivery_timed_out: usize,
}

/// What a command tells the fleet.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The nodes, in the order in which they are started.
    pub nodes: Vec<usize>,
    /// MaxConcurrency and MaxErrors.
    pub limits: Limits,
    /// TimeoutSeconds, in milliseconds.
    pub delivery_ms: u64,
    /// The document's execution timeout, in milliseconds.
    pub execution_ms: u64,
    /// What the document pulls, if it pulls.
    pub image: Option<ImageName>,
}

/// An image as a document's parameters name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// The application that is restarted.
    pub app: String,
    /// The region whose registry has it.
    pub region: String,
    /// The repository.
    pub repository: String,
    /// The tag.
    pub tag: String,
}

/// A command.
#[derive(Debug, Clone)]
pub struct Command {
    /// When it was sent.
    pub sent_at: Millis,
    /// When it is first seen in lists.
    pub visible_at: Millis,
    /// When everything had ended.
    pub ended_at: Option<Millis>,
    /// Its hosts.
    pub invocations: Vec<Invocation>,
    pub(super) launch: Launch,
    pub(super) counts: Counts,
    pub(super) resolved: bool,
    pub(super) queue: VecDeque<usize>,
    pub(super) ramp: Ramp,
    pub(super) in_flight: usize,
    pub(super) stop: Option<Stop>,
}

impl Command {
    pub(super) fn new(launch: Launch, sent_at: Millis, visible_at: Millis) -> Self {
        Self {
            sent_at,
            visible_at,
            ended_at: None,
            invocations: Vec::new(),
            ramp: Ramp::new(launch.limits.concurrency.of(launch.nodes.len())),
            launch,
            counts: Counts::default(),
            resolved: false,
            queue: VecDeque::new(),
            in_flight: 0,
            stop: None,
        }
    }

    /// What it told the fleet.
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    /// The counters; all zero until the targets are resolved.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Status and StatusDetails.
    pub fn status(&self) -> (&'static str, &'static str) {
        if !self.resolved {
            return ("Pending", "Pending");
        }
        if self.invocations.is_empty() {
            return ("Success", "NoInstancesInTag");
        }
        match (self.ended_at, self.stop) {
            (None, Some(Stop::Cancelled)) => ("Cancelling", "Cancelling"),
            (None, None | Some(Stop::Errors(_) | Stop::Expired)) => ("InProgress", "InProgress"),
            (Some(_), Some(Stop::Cancelled)) => ("Cancelled", "Cancelled"),
            (Some(_), Some(Stop::Errors(status))) => (status.word(), status.details()),
            (Some(_), None | Some(Stop::Expired)) => self.outcome(),
        }
    }

    /// The end of a command that stopped neither at its error limit nor on request.
    fn outcome(&self) -> (&'static str, &'static str) {
        let all = |status: Status| self.invocations.iter().all(|invocation| invocation.status == status);
        if all(Status::DeliveryTimedOut) {
            return ("TimedOut", "DeliveryTimedOut");
        }
        if all(Status::Undeliverable) {
            return ("Failed", "Failed");
        }
        // Hosts that no command can reach do not count here (API reference, `StatusDetails`).
        let counts = |status| {
            !matches!(
                status,
                Status::Undeliverable | Status::InvalidPlatform | Status::AccessDenied
            )
        };
        let mut counted = self.invocations.iter().filter(|invocation| counts(invocation.status));
        if counted.all(|invocation| invocation.status == Status::Success) {
            ("Success", "Success")
        } else {
            ("Failed", "Incomplete")
        }
    }

    /// Ends an invocation that has not ended; whether it did.
    pub(super) fn end(&mut self, invocation: usize, status: Status, at: Millis) -> bool {
        let ending = &mut self.invocations[invocation];
        if ending.status.is_end() {
            return false;
        }
        ending.status = status;
        ending.ended_at = Some(at);
        ending.listed = true;
        self.release(invocation);
        self.counts.completed += 1;
        self.counts.errors += usize::from(status.is_error());
        self.counts.delivery_timed_out += usize::from(status == Status::DeliveryTimedOut);
        let tolerated = self.launch.limits.errors.of(self.invocations.len());
        if status.is_error() && self.counts.errors > tolerated && self.stop.is_none() {
            self.stop = Some(Stop::Errors(status));
            self.end_unsent(Status::Terminated, at);
        }
        if self.counts.completed == self.counts.targets {
            self.ended_at = Some(at);
        }
        true
    }

    /// Ends what was not sent yet, which then never runs.
    pub(super) fn end_unsent(&mut self, status: Status, at: Millis) {
        self.queue.clear();
        for invocation in 0..self.invocations.len() {
            if self.invocations[invocation].status == Status::Pending {
                self.end(invocation, status, at);
            }
        }
    }

    /// Gives up the invocation's place among those that run at once.
    pub(super) fn release(&mut self, invocation: usize) {
        if std::mem::take(&mut self.invocations[invocation].in_flight) {
            self.in_flight -= 1;
        }
    }

    /// The next host to start, if there is one and room for it.
    pub(super) fn next(&mut self) -> Option<usize> {
        if self.stop.is_some() || !self.ramp.has_room(self.in_flight) {
            return None;
        }
        let invocation = self.queue.pop_front()?;
        self.in_flight += 1;
        let starting = &mut self.invocations[invocation];
        starting.in_flight = true;
        starting.status = Status::InProgress;
        Some(invocation)
    }
}
