//! Several processes at one deployment, one after the other and at once.

use rustix::process::Signal;
use serde_json::Value;

use crate::served::{ONE_FAILS, SLOW, Served};

#[test]
fn a_deployment_that_was_killed_is_taken_up_and_ends_as_if_nothing_had_happened() {
    let served = Served::start(SLOW.0, SLOW.1);
    let mut first = served.place.start("deploy -y --progress plain");
    first.says_times("command taken by SSM", 4);
    first.signal(Signal::KILL);
    assert_eq!(first.end().code, None, "it had no last word");
    served.place.run("history").ended(0, "interrupted");
    let second = served.place.run("attach latest --progress json");
    second.ended(0, "\"outcome\":\"succeeded\"");
    // Everything that ever happened to it, over both processes.
    let facts = served.place.run("journal export latest");
    let facts: Vec<Value> = facts
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is an object"))
        .collect();
    let count = |kind: &str| facts.iter().filter(|fact| fact.to_string().contains(kind)).count();
    assert_eq!(
        (
            count("send-intended"),
            count("send-accepted"),
            count("deployment-resumed")
        ),
        (4, 4, 1)
    );
    served
        .place
        .run("show latest --progress plain")
        .ended(0, "10 of 10 hosts succeeded");
    served.place.run("history").ended(0, "succeeded");
    served.place.run("journal check").ended(0, "1 deployment");
}

#[test]
fn a_second_process_watches_to_the_end_and_cannot_deploy_meanwhile() {
    let served = Served::start(ONE_FAILS, SLOW.1);
    let mut first = served.place.start("deploy -y --progress plain");
    first.says("command taken by SSM");
    let driver = format!("process {}", first.pid());
    let mut second = served.place.start("attach --progress plain");
    let watching = second.says("watching:");
    assert!(watching.contains(&driver), "{watching}");
    let third = served.place.run("deploy -y --progress plain");
    third.ended(7, &driver);
    let (first, second) = (first.end(), second.end());
    assert_eq!((first.code, second.code), (Some(3), Some(3)), "{second:#?}");
    let last = |out: &str| {
        out.lines()
            .filter(|line| line.contains("of 10 hosts succeeded"))
            .map(str::to_owned)
            .next()
    };
    assert_eq!(last(&first.out), last(&second.out));
    assert!(!second.out.contains("this process drives"), "{second:#?}");
}

#[test]
fn a_watcher_takes_over_when_the_driver_is_killed() {
    let served = Served::start(SLOW.0, SLOW.1);
    let mut first = served.place.start("deploy -y --progress plain");
    first.says_times("command taken by SSM", 4);
    let mut second = served.place.start("attach --progress plain");
    second.says("watching:");
    first.signal(Signal::KILL);
    second.says("this process drives the deployment");
    second.end().ended(0, "10 of 10 hosts succeeded");
}

#[test]
fn hosts_that_failed_are_retried_from_the_command_line() {
    let served = Served::start(ONE_FAILS, 20);
    let first = served.place.run("deploy -y --progress plain");
    first.ended(3, "attach");
    let unasked = served.place.run("attach --retry failed --progress plain");
    unasked.ended(8, "1 host in 1 region can be retried");
    let retried = served.place.run("attach --retry unsuccessful -y --progress plain");
    retried.ended(0, "10 of 10 hosts succeeded");
    let nothing = served.place.run("attach --retry unsuccessful -y --progress quiet");
    nothing.ended(0, "10 of 10 hosts succeeded");
}
