//! The calls that following a rollout takes, against listing all its hosts at every look.

use std::collections::HashSet;
use std::time::Duration;

use quarterdeck::names::Millis;
use quarterdeck::rehearsal::fleet::story::Troubles;
use quarterdeck::state::{Fact, HostStatus};

use super::table::{Figure, percent, seconds};
use super::voyage::{self, Fleet, Voyage};

const HOSTS: usize = 2_000;
/// Hosts on a page of ListCommandInvocations.
const PAGE: usize = 50;

pub fn measure() -> Vec<Figure> {
    let fleet = Fleet {
        regions: 1,
        hosts: HOSTS,
        rollouts: &[("all", &["Ubuntu", "Linux"])],
        concurrency: "50",
        // A host that hangs holds one of fifty places for ten minutes: with more of them the command's time runs out.
        troubles: |_, hosts| Troubles {
            fail: hosts / 40,
            hang: hosts / 200,
            offline: hosts / 200,
            silent: 0,
            reboot: hosts / 40,
        },
    };
    let voyage = voyage::sail(1, &fleet);
    let requests = voyage.desk.requests();
    let looks: Vec<Millis> = requests
        .iter()
        .filter(|request| request.operation == "ListCommands")
        .map(|request| request.at)
        .collect();
    let pages = requests
        .iter()
        .filter(|request| request.operation == "ListCommandInvocations")
        .count();
    let listing = looks.len() * HOSTS.div_ceil(PAGE);
    let counted = seen(&voyage, &looks, |status| {
        matches!(
            status,
            HostStatus::Failed | HostStatus::ExecutionTimedOut | HostStatus::DeliveryTimedOut
        )
    });
    // SSM's counters tell them from successes in no way.
    let uncounted = seen(&voyage, &looks, |status| *status == HostStatus::Undeliverable);
    vec![
        Figure::at_most(
            format!(
                "calls to follow {HOSTS} hosts, of the {listing} that listing them {} times takes",
                looks.len()
            ),
            share(looks.len() + pages, listing),
            0.2,
            percent,
        ),
        Figure::at_most(
            format!("of its {} failures, seen later than by listing", counted.hosts),
            counted.late,
            0,
            |late| late.to_string(),
        ),
        Figure::told(
            format!(
                "of its {} undeliverable hosts, seen later than by listing",
                uncounted.hosts
            ),
            format!("{}, by {} at most", uncounted.late, seconds(uncounted.latest)),
        ),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "some thousands of calls")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// Hosts that ended in some way.
#[derive(Default)]
struct Seen {
    hosts: usize,
    /// Those that the first look after their end did not see.
    late: usize,
    /// From a host's end to its fact, at most, among those.
    latest: Duration,
}

fn seen(voyage: &Voyage, looks: &[Millis], wanted: impl Fn(&HostStatus) -> bool) -> Seen {
    let mut seen = Seen::default();
    let mut known = HashSet::new();
    for recorded in &voyage.facts {
        let Fact::HostChanged { host, status, .. } = &recorded.fact else {
            continue;
        };
        // With its exit code a host is told of once more.
        if !wanted(status) || !known.insert(host) {
            continue;
        }
        seen.hosts += 1;
        let ended = voyage.ended_at(host);
        if looks.iter().filter(|look| (ended..=recorded.at).contains(look)).count() > 1 {
            seen.late += 1;
            seen.latest = seen.latest.max(recorded.at.since(ended));
        }
    }
    seen
}
