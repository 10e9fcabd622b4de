//! What a command's poller knows of it, and what it should read next. Pure: pages and counts go in, facts come out.
//!
//! ListCommands gives a command's counters in one call whatever the fleet's size; a page of ListCommandInvocations shows
//! fifty hosts. So the counters are looked at each time, pages only when something moved: a small command whole, a large
//! one by status. Failures are read at the very look that counts them; what the counters do not tell apart (who succeeded,
//! who is delayed or was never started) is read as fast as a budget of a tenth of the whole list a look allows.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::ports::{CommandCounts, Invocation, Only};
use crate::names::{CommandId, HostId, Millis};
use crate::state::{Fact, HostStatus, Verdict};
use crate::text::Clean;

/// Invocations on a page: the most that SSM gives (service model of `ListCommandInvocations`).
const PAGE: usize = 50;
/// A large command's pages are earned: each look earns a tenth of what a whole reading costs.
const LOOKS_A_READING: usize = 10;
/// Looks without movement after which a small command is read all the same: the counters do not tell of a host that
/// started or is delayed.
const STILL_LOOKS: u32 = 2;
/// Whole readings in a row that have to agree before a host is called missing, or a command ended whose status never says
/// so, or given up past its deadline: SSM's lists are eventually consistent.
const AGREEING: u32 = 3;

/// What to read of a command's invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Read {
    /// All of them.
    All,
    /// Those in one status.
    Only(Only),
}

/// What is known of one command.
#[derive(Debug)]
pub(in crate::engine) struct Tracker {
    /// Which.
    pub command: CommandId,
    /// Whom it was sent to, or who was expected to match its targets.
    expected: BTreeSet<HostId>,
    known: BTreeMap<HostId, HostStatus>,
    /// How many of `known` have ended.
    ended: usize,
    /// When SSM should have given up on whoever has not finished, and said so.
    deadline: Millis,
    counts: Option<CommandCounts>,
    /// Pages earned, in tenths.
    credit: usize,
    /// Whether something moved since the last reading of successes, and of everything.
    moved_since: Moved,
    still: u32,
    /// Whole readings in a row after which nothing but missing hosts was left.
    agreeing: u32,
}

#[derive(Debug, Clone, Copy)]
struct Moved {
    successes: bool,
    all: bool,
}

impl Tracker {
    /// A command to `expected`, of whose hosts `known` is recorded already.
    pub fn new(
        command: CommandId,
        expected: BTreeSet<HostId>,
        known: impl IntoIterator<Item = (HostId, HostStatus)>,
        deadline: Millis,
    ) -> Self {
        let known: BTreeMap<_, _> = known.into_iter().collect();
        Self {
            command,
            expected,
            ended: known.values().filter(|status| status.is_end()).count(),
            known,
            deadline,
            counts: None,
            credit: 0,
            moved_since: Moved {
                successes: true,
                all: true,
            },
            still: 0,
            agreeing: 0,
        }
    }

    /// Takes in the counters and says what to read now. `None` is a command that SSM does not show yet.
    pub fn look(&mut self, counts: Option<CommandCounts>) -> Vec<Read> {
        let before = self.counts.take();
        let moved = counts.is_some() && before != counts;
        self.counts = counts;
        self.still = if moved { 0 } else { self.still + 1 };
        if moved {
            self.moved_since = Moved {
                successes: true,
                all: true,
            };
        }
        let pages = self.pages();
        self.credit = (self.credit + pages).min(2 * LOOKS_A_READING * pages);
        let Some(counts) = &self.counts else {
            // Invocations may show before their command does, and a resumed watch has to look at what it can.
            return self.still_due(pages);
        };
        if counts.ended || before.is_none() {
            return self.all();
        }
        if pages == 1 {
            return if moved { self.all() } else { self.still_due(pages) };
        }
        let failed = before.as_ref().is_none_or(|before| before.errors != counts.errors);
        let timed_out = before.as_ref().is_none_or(|before| {
            before.delivery_timed_out != counts.delivery_timed_out || before.errors != counts.errors
        });
        let mut reads = Vec::new();
        if failed {
            reads.push(Read::Only(Only::Failed));
        }
        if timed_out {
            reads.push(Read::Only(Only::TimedOut));
        }
        if moved || self.still.is_multiple_of(STILL_LOOKS) {
            reads.push(Read::Only(Only::InProgress));
        }
        // Successes alone cost less than everything, as long as there are few.
        let successes = counts
            .completed
            .saturating_sub(counts.errors + counts.delivery_timed_out) as usize;
        let cost = LOOKS_A_READING * (successes / PAGE + 1);
        // The counters do not tell of everything: a host that is delayed, for one.
        let long_still = self.still as usize >= LOOKS_A_READING;
        if (self.moved_since.all || long_still) && self.credit >= LOOKS_A_READING * pages {
            return self.all();
        }
        if self.moved_since.successes && successes > 0 && 2 * cost <= LOOKS_A_READING * pages && self.credit >= 2 * cost
        {
            self.credit -= cost;
            self.moved_since.successes = false;
            reads.push(Read::Only(Only::Success));
        }
        reads
    }

    fn still_due(&mut self, pages: usize) -> Vec<Read> {
        let affordable = self.credit >= LOOKS_A_READING * pages;
        if self.still.is_multiple_of(STILL_LOOKS) && affordable {
            self.all()
        } else {
            Vec::new()
        }
    }

    fn all(&mut self) -> Vec<Read> {
        self.credit = self.credit.saturating_sub(LOOKS_A_READING * self.pages());
        self.moved_since = Moved {
            successes: false,
            all: false,
        };
        vec![Read::All]
    }

    /// How many pages a whole reading has.
    fn pages(&self) -> usize {
        let targets = self.counts.as_ref().map_or(0, |counts| counts.targets as usize);
        let hosts = self.expected.len().max(self.known.len()).max(targets);
        hosts.div_ceil(PAGE).max(1)
    }

    /// A reading broke off: what it should have told has to be read again.
    pub fn broke_off(&mut self) {
        self.moved_since = Moved {
            successes: true,
            all: true,
        };
        self.agreeing = 0;
        self.counts = None;
    }

    /// Whether the deadline is over; then the facts that close the command unread.
    pub fn give_up(&mut self, now: Millis) -> Option<Vec<Fact>> {
        let known = |host: &&HostId| !self.known.contains_key(*host);
        let missing = self.expected.iter().filter(known).cloned().collect();
        (now > self.deadline).then(|| self.closing(missing))
    }

    /// Takes in an invocation; a fact, if it says something new.
    ///
    /// Pages are no snapshot: an invocation that has ended is not running again because an older page says so.
    pub fn take(&mut self, seen: Invocation) -> Option<Fact> {
        let before = self.known.get(&seen.host);
        if before == Some(&seen.status) || before.is_some_and(HostStatus::is_end) && !seen.status.is_end() {
            return None;
        }
        let ended = before.is_some_and(HostStatus::is_end);
        if seen.status.is_end() && !ended {
            self.ended += 1;
        }
        self.known.insert(seen.host.clone(), seen.status.clone());
        let exit_code = (seen.status.verdict() == Verdict::Succeeded).then_some(0);
        Some(Fact::HostChanged {
            command: self.command.clone(),
            host: seen.host,
            status: seen.status,
            exit_code,
        })
    }

    /// Whether the command is over, given that all its invocations were just read to the last page; then the facts that
    /// close it, [`Fact::CommandEnded`] last.
    pub fn close(&mut self, now: Millis) -> Option<Vec<Fact>> {
        let overdue = now > self.deadline;
        let says_so = self.counts.as_ref().is_some_and(|counts| counts.ended);
        let targets = self.counts.as_ref().map_or(0, |counts| counts.targets as usize);
        let all_ended = self.ended == self.known.len();
        let missing: Vec<HostId> = self
            .expected
            .iter()
            .filter(|host| !self.known.contains_key(*host))
            .cloned()
            .collect();
        let complete = missing.is_empty() && self.known.len() >= targets;
        if says_so && all_ended && complete {
            return Some(self.closing(missing));
        }
        let nothing_more = overdue || all_ended && (says_so || complete && !self.known.is_empty());
        self.agreeing = if nothing_more { self.agreeing + 1 } else { 0 };
        // A list that is behind SSM's own counts gets more time to catch up.
        let completed = self.counts.as_ref().map_or(0, |counts| counts.completed as usize);
        let enough = if self.known.len() < targets || self.ended < completed {
            4 * AGREEING
        } else {
            AGREEING
        };
        if self.agreeing >= enough {
            return Some(self.closing(missing));
        }
        // Whatever is left will not move the counters: keep reading.
        if says_so || nothing_more {
            self.moved_since.all = true;
        }
        None
    }

    fn closing(&mut self, missing: Vec<HostId>) -> Vec<Fact> {
        let unfinished = self.known.iter().filter(|(_, status)| !status.is_end());
        let mut facts: Vec<Fact> = unfinished
            .map(|(host, status)| Fact::HostChanged {
                command: self.command.clone(),
                host: host.clone(),
                status: HostStatus::Other {
                    details: Clean::line(&format!("{}, no end reported", status.word())),
                    ended: true,
                },
                exit_code: None,
            })
            .collect();
        let details = self.counts.as_ref().map(|counts| counts.details.clone());
        facts.push(Fact::CommandEnded {
            command: self.command.clone(),
            details: details.unwrap_or_default(),
            missing,
        });
        facts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEADLINE: Millis = Millis(1_000_000);

    fn host(n: usize) -> HostId {
        HostId::new(format!("i-{n:017x}"))
    }

    fn tracker(hosts: usize) -> Tracker {
        Tracker::new(CommandId::new("c"), (0..hosts).map(host).collect(), [], DEADLINE)
    }

    fn counts(targets: usize, completed: usize, errors: usize, ended: bool) -> CommandCounts {
        CommandCounts {
            status: Clean::line(if ended { "Success" } else { "InProgress" }),
            details: Clean::line(if ended { "Success" } else { "InProgress" }),
            ended,
            targets: u32::try_from(targets).expect("a test's number"),
            completed: u32::try_from(completed).expect("a test's number"),
            errors: u32::try_from(errors).expect("a test's number"),
            delivery_timed_out: 0,
        }
    }

    fn seen(n: usize, status: HostStatus) -> Invocation {
        Invocation { host: host(n), status }
    }

    fn missing(facts: &[Fact]) -> Option<&[HostId]> {
        facts.iter().find_map(|fact| match fact {
            Fact::CommandEnded { missing, .. } => Some(missing.as_slice()),
            _ => None,
        })
    }

    #[test]
    fn only_what_changed_is_a_fact() {
        let mut tracker = tracker(1);
        assert!(tracker.take(seen(0, HostStatus::InProgress)).is_some());
        assert!(tracker.take(seen(0, HostStatus::InProgress)).is_none());
        assert!(tracker.take(seen(0, HostStatus::Failed)).is_some());
    }

    #[test]
    fn an_older_page_does_not_bring_an_ended_host_back_to_life() {
        let mut tracker = tracker(1);
        tracker.take(seen(0, HostStatus::DeliveryTimedOut));
        assert!(tracker.take(seen(0, HostStatus::InProgress)).is_none());
        assert!(
            tracker.take(seen(0, HostStatus::Success)).is_some(),
            "a late success is news"
        );
    }

    #[test]
    fn a_command_is_over_once_it_says_so_and_every_host_has_ended() {
        let mut tracker = tracker(2);
        tracker.look(Some(counts(2, 2, 1, true)));
        tracker.take(seen(0, HostStatus::Success));
        tracker.take(seen(1, HostStatus::InProgress));
        assert!(
            tracker.close(Millis(0)).is_none(),
            "a host in flight goes on after the error limit"
        );
        tracker.take(seen(1, HostStatus::Failed));
        let facts = tracker.close(Millis(0)).expect("nothing is left");
        assert_eq!(missing(&facts), Some(&[][..]));
    }

    #[test]
    fn a_host_that_never_appears_is_missing_only_after_three_whole_readings() {
        let mut tracker = tracker(2);
        for reading in 0..3 {
            tracker.look(Some(counts(1, 1, 0, true)));
            tracker.take(seen(0, HostStatus::Success));
            let closed = tracker.close(Millis(0));
            assert_eq!(closed.is_some(), reading == 2);
            if let Some(facts) = closed {
                assert_eq!(missing(&facts), Some(&[host(1)][..]));
            }
        }
    }

    #[test]
    fn an_empty_list_right_after_the_send_ends_nothing() {
        let mut tracker = tracker(3);
        for _ in 0..10 {
            tracker.look(Some(counts(0, 0, 0, false)));
            assert!(tracker.close(Millis(0)).is_none());
            tracker.look(None);
            assert!(tracker.close(Millis(0)).is_none());
        }
    }

    #[test]
    fn a_host_that_never_ends_is_unknown_past_the_deadline() {
        let mut tracker = tracker(1);
        tracker.look(Some(counts(1, 0, 0, false)));
        tracker.take(seen(0, HostStatus::InProgress));
        for _ in 0..AGREEING {
            assert!(tracker.close(DEADLINE).is_none());
        }
        let late = Millis(DEADLINE.0 + 1);
        for _ in 1..AGREEING {
            assert!(tracker.close(late).is_none());
        }
        let facts = tracker.close(late).expect("the deadline is over");
        let Some(Fact::HostChanged { status, .. }) = facts.first() else {
            panic!("the host's state comes first: {facts:?}");
        };
        assert_eq!(status.verdict(), Verdict::Unknown);
    }

    /// Whoever takes it up after hours reads at once whatever there is, and lists lag.
    #[test]
    fn a_list_that_lags_past_the_deadline_gives_nobody_up() {
        let mut tracker = tracker(2);
        let late = Millis(DEADLINE.0 + 1);
        for _ in 0..=AGREEING {
            assert_eq!(tracker.look(Some(counts(2, 2, 0, true))), [Read::All]);
            tracker.take(seen(0, HostStatus::InProgress));
            assert!(tracker.close(late).is_none(), "SSM counts two that have ended");
        }
        tracker.look(Some(counts(2, 2, 0, true)));
        for host in 0..2 {
            tracker.take(seen(host, HostStatus::Success));
        }
        let facts = tracker.close(late).expect("nothing is left");
        assert_eq!((facts.len(), missing(&facts)), (1, Some(&[][..])));
    }

    /// A fleet of 2,000 at fifty at a time, three looks a host, one in a hundred failing: the calls made, the calls that
    /// listing everything at each look would take, and the looks by which failures were seen later than that.
    fn follow(hosts: usize) -> (usize, usize, usize) {
        let mut tracker = tracker(hosts);
        let status = |n: usize, look: usize| match look.checked_sub(n / 50 * 3) {
            None => HostStatus::Pending,
            Some(0..3) => HostStatus::InProgress,
            Some(_) if n.is_multiple_of(100) => HostStatus::Failed,
            Some(_) => HostStatus::Success,
        };
        let (mut calls, mut listing, mut late) = (0, 0, 0);
        for look in 0.. {
            let all: Vec<HostStatus> = (0..hosts).map(|n| status(n, look)).collect();
            let of = |want: &HostStatus| all.iter().filter(|status| *status == want).count();
            let ended = of(&HostStatus::Success) + of(&HostStatus::Failed);
            calls += 1;
            listing += hosts.div_ceil(PAGE);
            let reads = tracker.look(Some(counts(hosts, ended, of(&HostStatus::Failed), ended == hosts)));
            let whole = reads.contains(&Read::All);
            for read in reads {
                let shown = |status: &HostStatus| match read {
                    Read::All => true,
                    Read::Only(Only::Failed) => *status == HostStatus::Failed,
                    Read::Only(Only::InProgress) => *status == HostStatus::InProgress,
                    Read::Only(Only::Success) => *status == HostStatus::Success,
                    Read::Only(Only::TimedOut | Only::Cancelled | Only::Delayed) => false,
                };
                let page: Vec<usize> = (0..hosts).filter(|n| shown(&all[*n])).collect();
                calls += page.len().div_ceil(PAGE).max(1);
                for n in page {
                    tracker.take(seen(n, all[n].clone()));
                }
            }
            late += (0..hosts)
                .filter(|n| all[*n] == HostStatus::Failed && tracker.known.get(&host(*n)) != Some(&HostStatus::Failed))
                .count();
            if whole && tracker.close(Millis(0)).is_some() {
                return (calls, listing, late);
            }
        }
        unreachable!("the loop ends with the command")
    }

    #[test]
    fn following_two_thousand_hosts_takes_a_fifth_of_the_calls_and_sees_every_failure_at_once() {
        let (calls, listing, late) = follow(2000);
        assert!(5 * calls <= listing, "{calls} calls against {listing}");
        assert_eq!(late, 0);
    }

    proptest! {
        #[test]
        fn every_command_ends_and_every_host_is_accounted_for(hosts in 1usize..130, shown in 0usize..130) {
            let shown = shown.min(hosts);
            let mut tracker = tracker(hosts);
            let mut readings = 0;
            let facts = loop {
                readings += 1;
                prop_assert!(readings < 10, "it never ends");
                let reads = tracker.look(Some(counts(shown, shown, 0, true)));
                prop_assert_eq!(reads, vec![Read::All]);
                for n in 0..shown {
                    tracker.take(seen(n, HostStatus::Success));
                }
                if let Some(facts) = tracker.close(Millis(0)) {
                    break facts;
                }
            };
            prop_assert_eq!(missing(&facts).map(<[HostId]>::len), Some(hosts - shown));
        }
    }
}
