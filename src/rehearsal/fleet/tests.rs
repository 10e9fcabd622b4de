//! The fleet on virtual time.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::story::{Troubles, node, nodes};
use super::*;
use crate::rehearsal::AnyImage;

/// Ten minutes of delivery window and fifteen of execution, as the workflow has them.
const DELIVERY_MS: u64 = 600_000;
const EXECUTION_MS: u64 = 900_000;
/// Later than everything in these tests.
const END: Millis = Millis(10_000_000_000);

fn fleet_of(nodes: Vec<Node>) -> Fleet {
    Fleet::new("us-east-1", 7, Pace::REAL, Arc::new(AnyImage), nodes)
}

/// Hosts with these first fates, each of which ends well the next time.
fn fleet(firsts: &[Fate]) -> Fleet {
    let nodes = firsts.iter().enumerate().map(|(at, first)| Node {
        fates: vec![*first, Fate::Success],
        ..node(7, "us-east-1", at, "QA")
    });
    fleet_of(nodes.collect())
}

fn launch(nodes: usize, concurrency: Amount, errors: Amount) -> Launch {
    Launch {
        nodes: (0..nodes).collect(),
        limits: Limits { concurrency, errors },
        delivery_ms: DELIVERY_MS,
        execution_ms: EXECUTION_MS,
        image: Some(ImageName {
            app: "AI".to_owned(),
            region: "us-east-1".to_owned(),
            repository: "sento".to_owned(),
            tag: "latest".to_owned(),
        }),
    }
}

/// Lets each moment happen by itself and calls `look` between them.
fn play(fleet: &mut Fleet, mut look: impl FnMut(&Fleet, Millis)) {
    while let Some(at) = fleet.next_at() {
        fleet.advance(at);
        look(fleet, at);
    }
}

fn statuses(fleet: &Fleet, command: usize) -> Vec<Status> {
    let invocations = fleet.commands()[command].invocations.iter();
    invocations.map(|invocation| invocation.status).collect()
}

fn running(fleet: &Fleet, command: usize) -> usize {
    let in_progress = |status: &Status| matches!(status, Status::InProgress | Status::Cancelling);
    statuses(fleet, command)
        .iter()
        .filter(|status| in_progress(status))
        .count()
}

#[test]
fn the_ramp_grows_from_one_host_to_the_concurrency_and_not_beyond() {
    let mut fleet = fleet(&[Fate::Success; 40]);
    fleet.send(Millis(0), launch(40, Amount::Hosts(10), Amount::Hosts(0)));
    let mut seen = Vec::new();
    play(&mut fleet, |fleet, _| {
        let now = running(fleet, 0);
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    });
    assert_eq!(seen[..2], [1, 3], "one, then two more once it is acknowledged");
    assert_eq!(seen.iter().max(), Some(&10));
    assert!(statuses(&fleet, 0).iter().all(|status| *status == Status::Success));
    assert_eq!(fleet.commands()[0].status(), ("Success", "Success"));
}

#[test]
fn with_no_error_allowed_the_first_failure_stops_what_was_not_started() {
    let mut fleet = fleet(&[Fate::DiskFull; 200]);
    fleet.send(Millis(0), launch(200, Amount::Hosts(50), Amount::Hosts(0)));
    fleet.advance(END);
    let all = statuses(&fleet, 0);
    let failed = all.iter().filter(|status| **status == Status::Failed).count();
    let terminated = all.iter().filter(|status| **status == Status::Terminated).count();
    assert_eq!(failed + terminated, 200);
    assert!((2..=50).contains(&failed), "those in flight fail too: {failed}");
    assert_eq!(fleet.runs().len(), failed, "what was terminated never ran");
    assert_eq!(fleet.commands()[0].status(), ("Failed", "Failed"));
}

#[test]
fn one_at_a_time_stops_exactly_at_the_limit() {
    let mut fleet = fleet(&[Fate::DiskFull; 20]);
    fleet.send(Millis(0), launch(20, Amount::Hosts(1), Amount::Percent(10)));
    fleet.advance(END);
    let failed = statuses(&fleet, 0).iter().filter(|status| status.is_error()).count();
    assert_eq!(failed, 3, "10 % of 20 may fail, and the third failure stops it");
}

#[test]
fn a_hanging_host_is_killed_at_the_execution_timeout() {
    let mut fleet = fleet(&[Fate::Hang]);
    fleet.send(Millis(0), launch(1, Amount::Hosts(1), Amount::Hosts(1)));
    fleet.advance(END);
    let invocation = &fleet.commands()[0].invocations[0];
    assert_eq!(invocation.status, Status::ExecutionTimedOut);
    let ran = invocation
        .ended_at
        .expect("it ended")
        .since(invocation.started_at.expect("it started"));
    assert_eq!(u128::from(EXECUTION_MS), ran.as_millis());
    assert_eq!(fleet.printed(0, 0).code, Some(137));
    assert_eq!(fleet.commands()[0].status(), ("Failed", "Incomplete"));
}

#[test]
fn hosts_that_can_not_be_reached_are_delayed_and_then_given_up() {
    let mut fleet = fleet(&[Fate::Offline, Fate::Unreached, Fate::Success]);
    assert!(!fleet.nodes()[0].is_online());
    fleet.send(Millis(0), launch(3, Amount::Hosts(1), Amount::Hosts(0)));
    let mut delayed = HashSet::new();
    play(&mut fleet, |fleet, _| {
        let waiting = statuses(fleet, 0)
            .into_iter()
            .enumerate()
            .filter(|(_, status)| *status == Status::Delayed);
        delayed.extend(waiting.map(|(at, _)| at));
    });
    assert_eq!(delayed, HashSet::from([0, 1]));
    assert_eq!(
        statuses(&fleet, 0),
        [Status::Undeliverable, Status::DeliveryTimedOut, Status::Success]
    );
    let counts = fleet.commands()[0].counts();
    assert_eq!((counts.completed, counts.errors, counts.delivery_timed_out), (3, 0, 1));
    assert!(fleet.nodes()[0].is_online(), "it is back for the next attempt");
    assert_eq!(fleet.runs().len(), 1);
}

#[test]
fn a_silent_host_ran_although_its_delivery_timed_out() {
    let mut fleet = fleet(&[Fate::Silent]);
    fleet.send(Millis(0), launch(1, Amount::Hosts(1), Amount::Hosts(0)));
    fleet.advance(Millis(60_000));
    assert_eq!(statuses(&fleet, 0), [Status::InProgress]);
    assert!(fleet.runs()[0].succeeded, "the script is done and nobody knows");
    fleet.advance(END);
    let invocation = &fleet.commands()[0].invocations[0];
    assert_eq!(invocation.status, Status::DeliveryTimedOut);
    let expires = i64::try_from(DELIVERY_MS + EXECUTION_MS).expect("a small number");
    assert_eq!(invocation.ended_at, Some(Millis(expires)));
}

#[test]
fn cancelling_stops_what_runs_and_what_waits_and_leaves_what_has_ended() {
    let mut fleet = fleet(&[Fate::Success; 30]);
    fleet.send(Millis(0), launch(30, Amount::Hosts(4), Amount::Hosts(0)));
    let mut now = Millis(0);
    while !statuses(&fleet, 0).contains(&Status::Success) {
        now = fleet.next_at().expect("something goes on");
        fleet.advance(now);
    }
    fleet.cancel(now, 0, None);
    assert_eq!(fleet.commands()[0].status(), ("Cancelling", "Cancelling"));
    let started = fleet.runs().len();
    fleet.advance(END);
    let all = statuses(&fleet, 0);
    assert!(all.contains(&Status::Success) && all.contains(&Status::Cancelled));
    assert!(
        all.iter()
            .all(|status| matches!(status, Status::Success | Status::Cancelled))
    );
    assert_eq!(fleet.commands()[0].status(), ("Cancelled", "Cancelled"));
    assert_eq!(fleet.runs().len(), started, "nothing starts after it");
}

#[test]
fn cancelling_some_hosts_leaves_the_others() {
    let mut fleet = fleet(&[Fate::Success; 6]);
    fleet.send(Millis(0), launch(6, Amount::Hosts(1), Amount::Hosts(0)));
    fleet.advance(Millis(2_000));
    fleet.cancel(Millis(2_000), 0, Some(&[4, 5]));
    fleet.advance(END);
    let all = statuses(&fleet, 0);
    assert!(all[..4].iter().all(|status| *status == Status::Success));
    assert_eq!(all[4..], [Status::Cancelled; 2]);
}

#[test]
fn a_command_that_is_cancelled_before_its_targets_are_resolved_runs_nowhere() {
    let mut fleet = fleet(&[Fate::Success; 3]);
    fleet.send(Millis(0), launch(3, Amount::Hosts(3), Amount::Hosts(0)));
    fleet.cancel(Millis(1), 0, None);
    fleet.advance(END);
    assert_eq!(statuses(&fleet, 0), [Status::Cancelled; 3]);
    assert!(fleet.runs().is_empty());
}

#[test]
fn no_host_in_the_tags_is_a_success_that_says_so() {
    let mut fleet = fleet(&[]);
    fleet.send(Millis(0), launch(0, Amount::Percent(50), Amount::Hosts(0)));
    assert_eq!(fleet.commands()[0].status(), ("Pending", "Pending"));
    fleet.advance(END);
    assert_eq!(fleet.commands()[0].status(), ("Success", "NoInstancesInTag"));
    assert!(fleet.commands()[0].ended_at.is_some());
}

#[test]
fn a_late_host_is_not_shown_before_its_time_and_a_missing_one_never() {
    let mut hosts: Vec<Node> = (0..3).map(|at| node(7, "us-east-1", at, "QA")).collect();
    hosts[1].appears = Appears::Late(60_000);
    hosts[2].appears = Appears::Never;
    let mut fleet = fleet_of(hosts);
    fleet.send(Millis(0), launch(3, Amount::Hosts(3), Amount::Hosts(0)));
    fleet.advance(Millis(30_000));
    let listed = |fleet: &Fleet| {
        fleet.commands()[0]
            .invocations
            .iter()
            .filter(|invocation| invocation.listed)
            .count()
    };
    assert_eq!(listed(&fleet), 1);
    assert_eq!(fleet.commands()[0].ended_at, None, "one is still to come");
    fleet.advance(END);
    assert_eq!(listed(&fleet), 2);
    assert_eq!(statuses(&fleet, 0), [Status::Success; 2]);
}

#[test]
fn an_image_that_is_not_there_fails_where_all_would_be_well() {
    struct Nothing;
    impl Images for Nothing {
        fn pulls(&self, _: &str, _: &str, _: &str) -> Option<String> {
            None
        }
    }
    let hosts = vec![node(7, "us-east-1", 0, "QA")];
    let mut fleet = Fleet::new("us-east-1", 7, Pace::REAL, Arc::new(Nothing), hosts);
    fleet.send(Millis(0), launch(1, Amount::Hosts(1), Amount::Hosts(0)));
    fleet.advance(END);
    assert_eq!(statuses(&fleet, 0), [Status::Failed]);
    assert!(fleet.printed(0, 0).stderr.contains("sento:latest not found"));
}

#[test]
fn faster_hosts_do_the_same_in_less_time() {
    let ends_at = |pace: Pace| {
        let hosts = nodes(7, "us-east-1", 12, Troubles::usual(1, 12));
        let mut fleet = Fleet::new("us-east-1", 7, pace, Arc::new(AnyImage), hosts);
        fleet.send(Millis(0), launch(12, Amount::Hosts(50), Amount::Percent(100)));
        fleet.advance(END);
        (statuses(&fleet, 0), fleet.commands()[0].ended_at.expect("it ended").0)
    };
    let (same, slow) = ends_at(Pace::REAL);
    let (statuses, fast) = ends_at(Pace {
        speed: 10.0,
        timeouts: 6.0,
    });
    assert_eq!(same, statuses);
    assert!(fast * 10 < slow, "{fast} and {slow}");
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop::sample::select(vec![
        Fate::Success,
        Fate::Reboot,
        Fate::DiskFull,
        Fate::PullDenied,
        Fate::Unhealthy,
        Fate::Noisy,
        Fate::Hang,
        Fate::Offline,
        Fate::Unreached,
        Fate::Silent,
        Fate::InvalidPlatform,
        Fate::AccessDenied,
    ])
}

fn any_amount(least: u64) -> impl Strategy<Value = Amount> {
    prop_oneof![
        (least..60).prop_map(Amount::Hosts),
        (least..=100).prop_map(Amount::Percent)
    ]
}

fn any_appearance() -> impl Strategy<Value = Appears> {
    prop_oneof![
        8 => Just(Appears::AtOnce),
        1 => (0_u64..100_000).prop_map(Appears::Late),
        1 => Just(Appears::Never),
    ]
}

fn any_hosts() -> impl Strategy<Value = Vec<(Fate, Appears)>> {
    prop::collection::vec((any_fate(), any_appearance()), 0..40)
}

/// What must hold at every moment of every command.
fn check(fleet: &Fleet, concurrency: usize) -> Result<(), TestCaseError> {
    for (number, command) in fleet.commands().iter().enumerate() {
        let counts = command.counts();
        let of = |test: fn(Status) -> bool| command.invocations.iter().filter(|one| test(one.status)).count();
        prop_assert_eq!(counts.completed, of(Status::is_end));
        prop_assert_eq!(counts.errors, of(Status::is_error));
        prop_assert_eq!(
            counts.delivery_timed_out,
            of(|status| status == Status::DeliveryTimedOut)
        );
        prop_assert!(counts.completed <= counts.targets);
        prop_assert!(command.in_flight <= concurrency, "{} in flight", command.in_flight);
        prop_assert_eq!(
            command.in_flight,
            command.invocations.iter().filter(|one| one.in_flight).count()
        );
        let mut hosts = HashSet::new();
        for run in fleet.runs().iter().filter(|run| run.command == number) {
            prop_assert!(hosts.insert(&run.host), "{} ran twice in one command", run.host);
        }
        for invocation in &command.invocations {
            let never_started = matches!(
                invocation.status,
                Status::Pending | Status::Terminated | Status::InvalidPlatform | Status::AccessDenied
            );
            prop_assert!(!never_started || invocation.started_at.is_none());
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn at_every_moment_the_counters_are_right_and_every_command_ends(
        hosts in any_hosts(),
        concurrency in any_amount(1),
        errors in any_amount(0),
        cancel_at in prop::option::of(0_i64..40_000),
        retry_at in prop::option::of(0_i64..2_000_000),
    ) {
        let nodes: Vec<Node> = hosts.iter().enumerate().map(|(at, (fate, appears))| Node {
            fates: vec![*fate, Fate::Success],
            appears: *appears,
            ..node(7, "us-east-1", at, "QA")
        }).collect();
        let count = nodes.len();
        let at_once = concurrency.of(count).max(1);
        let mut fleet = fleet_of(nodes);
        fleet.send(Millis(0), launch(count, concurrency, errors));
        let (mut cancel_at, mut retry_at) = (cancel_at, retry_at);
        let mut ended: BTreeMap<(usize, usize), Status> = BTreeMap::new();
        while let Some(at) = fleet.next_at() {
            if let Some(moment) = cancel_at.take_if(|moment| *moment < at.0) {
                fleet.cancel(Millis(moment), 0, None);
            }
            if let Some(moment) = retry_at.take_if(|moment| *moment < at.0) {
                fleet.send(Millis(moment), launch(count, concurrency, errors));
            }
            fleet.advance(at);
            check(&fleet, at_once)?;
            for (number, command) in fleet.commands().iter().enumerate() {
                for (place, invocation) in command.invocations.iter().enumerate() {
                    if invocation.status.is_end() {
                        let first = *ended.entry((number, place)).or_insert(invocation.status);
                        prop_assert_eq!(first, invocation.status, "an end is an end");
                    }
                }
            }
        }
        for (number, command) in fleet.commands().iter().enumerate() {
            prop_assert!(command.ended_at.is_some(), "command {} did not end", number);
            let told = command.status();
            prop_assert!(!matches!(told.0, "Pending" | "InProgress" | "Cancelling"), "{:?}", told);
        }
        for run in fleet.runs() {
            prop_assert!(run.ended_at.is_some());
        }
    }

    #[test]
    fn how_often_somebody_looks_changes_nothing(hosts in any_hosts(), steps in prop::collection::vec(1_i64..90_000, 1..60)) {
        let nodes = || hosts.iter().enumerate().map(|(at, (fate, appears))| Node {
            fates: vec![*fate, Fate::Success],
            appears: *appears,
            ..node(7, "us-east-1", at, "QA")
        }).collect::<Vec<_>>();
        let outcome = |steps: &[i64]| {
            let mut fleet = fleet_of(nodes());
            fleet.send(Millis(0), launch(hosts.len(), Amount::Hosts(5), Amount::Percent(20)));
            let mut now = 0;
            for step in steps {
                now += step;
                fleet.advance(Millis(now));
            }
            fleet.advance(END);
            let ends: Vec<_> = fleet.commands()[0].invocations.iter().map(|one| (one.status, one.ended_at)).collect();
            (ends, fleet.runs().to_vec())
        };
        prop_assert_eq!(outcome(&steps), outcome(&[]));
    }

    #[test]
    fn no_more_hosts_fail_than_were_allowed_and_in_flight(
        count in 1_usize..120,
        concurrency in any_amount(1),
        errors in any_amount(0),
    ) {
        let mut fleet = fleet(&vec![Fate::DiskFull; count]);
        fleet.send(Millis(0), launch(count, concurrency, errors));
        fleet.advance(END);
        let failed = fleet.commands()[0].counts().errors;
        let bound = errors.of(count) + concurrency.of(count).max(1);
        prop_assert!(failed <= bound, "{} failed, {} may", failed, bound);
    }
}
